"""What an answer costs, row by row, by the user's metric: never by the loss."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from chainrule.doctor.cuts import Cut, TrialRows
from chainrule.models import Model
from chainrule.models.predictions import Predictions

__all__ = ["constant_errors", "row_errors"]

Array = np.ndarray[Any, Any]

#: An error in units of that of the constant answer counts as at most this: one wild row must not decide.
MOST = 100.0


def row_errors(model: Model, rows: TrialRows, cut: Cut, data: Any = None) -> Array:
    """Return the error of each judged row: 1 for a wrong class (of several labels: any wrong one), 0 for a right one.

    For numbers |ŷ − y| / mean |y − m|, m the median of the training rows: the constant answer has the error 1 on
    average. An answer that is no finite number has the error of the constant answer.
    """
    constant = constant_errors(rows, cut)
    y = rows.y[cut.judged]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of inputs unlike those trained on: that is what is measured
        inputs = rows.inputs_of(rows.data if data is None else data, model, cut.judged)
        outputs = np.asarray(model.predict_proba(inputs))
        finite = np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)
        if rows.labels is not None and model.target.task == "regression":
            errors = (_as_labels(outputs, y) != y.reshape(len(y))).astype(float)
        else:
            predictions = Predictions.of_outputs(model, outputs, model.encode(y))
            errors = predictions.score / _unit(rows, cut) if predictions.correct is None else 1.0 - predictions.score
    errors = np.minimum(errors, MOST)
    return np.where(finite & np.isfinite(errors), errors, constant)


def constant_errors(rows: TrialRows, cut: Cut) -> Array:
    """Return the error of each judged row if the answer is always the same: what a run that diverged is worth."""
    trained, judged = rows.y[cut.others], rows.y[cut.judged]
    if rows.labels is not None:
        codes = rows.labels[cut.others]
        most: Array = (rows.labels[cut.judged] != np.bincount(codes).argmax()).astype(float)
        return most
    if rows.kind == "numbers":
        misses = np.abs(judged.astype(np.float64) - np.median(trained, axis=0)).reshape(len(judged), -1).mean(axis=1)
        return misses / _unit(rows, cut)
    wrong: Array = (judged != np.rint(trained.mean(axis=0))).reshape(len(judged), -1).max(axis=1).astype(float)
    return wrong


def _unit(rows: TrialRows, cut: Cut) -> float:
    """Return the mean error of the constant answer on the rows that are trained on."""
    y = rows.y[cut.others].astype(np.float64)
    return float(np.abs(y - np.median(y, axis=0)).mean()) or 1.0


def _as_labels(outputs: Array, y: Array) -> Array:
    """Return the labels that numbers mean, of a network that takes labels for numbers."""
    outputs, labels = outputs.reshape(len(outputs), -1), np.unique(y)
    if outputs.shape[1] > 1:
        chosen: Array = labels[np.minimum(outputs.argmax(axis=1), len(labels) - 1)]
        return chosen
    nearest: Array = labels[np.abs(outputs - labels[None].astype(np.float64)).argmin(axis=1)]
    return nearest
