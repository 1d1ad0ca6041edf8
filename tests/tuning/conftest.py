"""Problems for searches: one whose best learning rate is known, and flowers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture(scope="session")
def line() -> dict[str, Any]:
    """Gradient descent on y = 2 x + 1 with all samples in a batch: the best learning rate is 1.

    Inputs have mean 0 and variance 1, so the curvature of ½(a - y)² is 1 in weight and bias, and after T steps
    1 - (1 - lr)^T of the way is gone.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 1))
    return {
        "net": cr.Sequential(cr.Dense(1, init="zeros")),
        "data": (x, 2.0 * x[:, 0] + 1.0),
        "optimizer": cr.SGD(),
        "loss": "quadratic",
        "batch_size": 1000,
        "validation": (x[:20], 2.0 * x[:20, 0] + 1.0),
        "engine": "numpy",
        "progress": False,
    }


@pytest.fixture(scope="session")
def flowers() -> dict[str, Any]:
    return {"net": cr.mlp([4, 8, 3]), "data": cr.data.load("iris"), "engine": "numpy", "progress": False}
