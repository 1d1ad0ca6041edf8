"""The errors of predicted numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.display.numbers import finite
from chainrule.models.predictions import Predictions

#: Points of predicted against true numbers, bins of the errors, and outputs that are drawn.
POINTS, ERROR_BINS, MOST_OUTPUTS = 2000, 40, 6

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def residuals(predictions: Predictions) -> list[dict[str, Any]]:
    """Describe the errors (predicted − true) of each output: their size, their spread, and some points to draw."""
    true = np.asarray(predictions.true, np.float64)
    predicted = np.asarray(predictions.predicted, np.float64)
    n, k = true.shape
    sample = np.sort(np.random.default_rng(0).choice(n, min(n, POINTS), replace=False))
    return [_output(true[:, j], predicted[:, j], sample) for j in range(min(k, MOST_OUTPUTS))]


def _output(true: np.ndarray, predicted: np.ndarray, sample: np.ndarray) -> dict[str, Any]:
    with np.errstate(all="ignore"):  # a diverged network's outputs may be anything
        error = predicted - true
        square = float(np.mean(error**2))
        variance = float(np.mean((true - true.mean()) ** 2))
    n, known = len(true), error[np.isfinite(error)]
    counts, edges = np.histogram(known, min(ERROR_BINS, max(5, math.isqrt(n)))) if len(known) else ([], [])
    return {
        "mae": float(np.mean(np.abs(error))),
        "rmse": math.sqrt(square) if math.isfinite(square) else square,
        "r2": 1 - square / variance if variance > 0 and n > 1 else None,
        "bias": float(error.mean()),
        "quantiles": {f"{100 * q:g}": float(np.quantile(known, q)) if len(known) else None for q in QUANTILES},
        "errors": {"counts": finite(np.asarray(counts)), "edges": finite(np.asarray(edges))},
        "points": [
            [float(f"{t:.6g}"), float(f"{p:.6g}")] for t, p in zip(true[sample], predicted[sample], strict=True)
        ],
    }
