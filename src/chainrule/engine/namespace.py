"""Which array library a value belongs to: NumPy, or JAX's twin of it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

_PLAIN = (np.ndarray, np.generic, float, int, bool)


def namespace(*arrays: Any) -> ModuleType:
    """Return ``numpy``, or ``jax.numpy`` if any of the arrays is a JAX array. Never imports JAX itself."""
    for array in arrays:
        if not isinstance(array, _PLAIN) and hasattr(array, "__array_namespace__"):
            library: ModuleType = array.__array_namespace__()
            return library
    return np
