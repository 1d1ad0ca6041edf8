"""Whether probabilities come true."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import statistics
from chainrule.models.predictions import BINS, Predictions


def calibration(predictions: Predictions, classes: list[str]) -> dict[str, Any] | None:
    """Return in each bin of the probability how often it came true, and the expected calibration error.

    ECE = Σ (rows in the bin / all rows) · |mean probability − fraction that came true| (Guo et al., 2017). None where
    outputs are no probabilities.
    """
    if predictions.bins is None or not predictions.bins[0].sum():
        return None
    rows, probability, outcome = predictions.bins
    about = {
        "classification": "the probability of the predicted class",
        "binary": f"the probability of “{classes[1]}”",
        "multilabel": "the probabilities of all labels",
    }[predictions.task]
    return {
        "about": about,
        "ece": float(np.abs(probability - outcome).sum() / rows.sum()),
        "mean_probability": float(probability.sum() / rows.sum()),
        "share": float(outcome.sum() / rows.sum()),
        "bins": [
            {
                "low": i / BINS,
                "high": (i + 1) / BINS,
                "rows": int(rows[i]),
                "probability": float(probability[i] / rows[i]),
                "share": float(outcome[i] / rows[i]),
                "interval": list(statistics.wilson(int(outcome[i]), int(rows[i]))),
            }
            for i in np.flatnonzero(rows > 0)
        ],
    }
