"""A small run on NumPy with what it recorded, for tests of what is derived from it."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.training.recorded import Recorded


def record(net: Any, x: np.ndarray, y: np.ndarray, **settings: Any) -> Recorded:
    """Train on rows as they are (nothing is standardized unless it is asked for), and return what was recorded."""
    small = {"batch_size": 16, "epochs": 4, "normalize": False, "engine": "numpy", "record": "light"}
    recorded = cr.fit(net, (x, y), progress=False, **(small | settings)).recorded
    assert recorded is not None
    return recorded
