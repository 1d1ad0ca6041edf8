"""What the rows allow: the reference network, and a linear model that learns nothing by gradient steps of ours."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.doctor.arms import REFUSALS, Arm
from chainrule.doctor.cuts import Cut, TrialRows
from chainrule.doctor.judge import constant_errors
from chainrule.models import Model
from chainrule.optimizers import Adam
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.symptoms.reference import reference
from chainrule.symptoms.subject import Subject

__all__ = ["RATES", "linear_errors", "reference_arms", "tree_errors"]

Array = np.ndarray[Any, Any]

#: The learning rates of the reference, of which the rows that tell when to stop choose one.
RATES = (0.003, 0.001, 0.01)

#: A linear model is fitted where rows · inputs · outputs are no more.
LINEAR_WORK = 3e7


def reference_arms(subject: Subject, control: Arm, rows: int, most_steps: int | None = None) -> list[Arm]:
    """Return the user's network with a default recipe, once for each learning rate (one program)."""
    default = reference(control.net, subject.task, control.settings, rows=rows)
    epochs = int(default.settings.epochs)
    if most_steps is not None:
        epochs = min(epochs, math.ceil(most_steps / math.ceil(rows / int(default.settings.batch_size))))
    stopping = EarlyStopping(patience=max(8, math.ceil(epochs / 6)))
    # What is to count in the error is the user's choice, no part of a recipe.
    weights = {"class_weight": control.settings.class_weight, "sample_weight": control.settings.sample_weight}
    settings = dataclasses.replace(default.settings, epochs=epochs, early_stopping=stopping, **weights)
    return [
        Arm("reference", default.net, control.data, dataclasses.replace(settings, optimizer=Adam(lr=rate)))
        for rate in RATES
    ]


def linear_errors(model: Model, rows: TrialRows, cuts: Sequence[Cut]) -> Array | None:
    """Return the errors of logistic or ridge regression on each cut, as those of an arm; None where it is no use.

    ``model`` says how inputs are made numbers; they are standardized anew.
    """
    return _errors_of(_linear, model, rows, cuts)


def tree_errors(model: Model, rows: TrialRows, cuts: Sequence[Cut]) -> Array | None:
    """Return the errors of extremely random trees (Geurts et al., 2006) on each cut; None where they are no use."""
    return _errors_of(_trees, model, rows, cuts)


def _errors_of(
    answer: Callable[[Array, Array, TrialRows, Cut], Array], model: Model, rows: TrialRows, cuts: Sequence[Cut]
) -> Array | None:
    """Return the errors of answers for the judged rows of each cut, from inputs as numbers."""
    if rows.kind == "multilabel" or (rows.kind == "numbers" and rows.y.ndim > 1 and rows.y.shape[1] > 1):
        return None
    outputs = 1 if rows.labels is None else int(rows.labels.max()) + 1
    errors = np.full((len(cuts), len(rows.y)), np.nan)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            numbers = np.asarray(model.inputs.admit(rows.inputs(model, rows.rows)), np.float64)
            numbers = numbers.reshape(len(rows.rows), -1)
            if numbers.size * outputs > LINEAR_WORK:
                return None
            place = np.zeros(len(rows.y), np.intp)
            place[rows.rows] = np.arange(len(rows.rows))
            for row, cut in zip(errors, cuts, strict=True):
                row[cut.judged] = _misses(
                    answer(numbers[place[cut.others]], numbers[place[cut.judged]], rows, cut), rows, cut
                )
    except REFUSALS:
        return None
    return errors


def _misses(answers: Array, rows: TrialRows, cut: Cut) -> Array:
    """Return the error of each answer, in the unit of those of networks."""
    if rows.labels is not None:
        wrong: Array = (answers != rows.labels[cut.judged]).astype(float)
        return wrong
    y = rows.y.reshape(len(rows.y)).astype(np.float64)
    unit = np.abs(y[cut.others] - np.median(y[cut.others])).mean() or 1.0
    misses = np.abs(answers - y[cut.judged]) / unit
    return np.where(np.isfinite(misses), misses, constant_errors(rows, cut))


def _linear(train: Array, judged: Array, rows: TrialRows, cut: Cut) -> Array:
    """Return the answers of a linear model for the judged rows."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    # Values far outside of what was trained on must not make a wild answer.
    train, judged = (np.clip(scaler.transform(part), -10, 10) for part in (train, judged))
    if rows.labels is not None:
        return np.asarray(LogisticRegression(max_iter=200).fit(train, rows.labels[cut.others]).predict(judged))
    model = RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)).fit(train, rows.y.reshape(len(rows.y))[cut.others])
    return np.asarray(model.predict(judged))


def _trees(train: Array, judged: Array, rows: TrialRows, cut: Cut) -> Array:
    """Return the answers of trees for the judged rows."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if rows.labels is not None:
        trees = ExtraTreesClassifier(100, random_state=0).fit(train, rows.labels[cut.others])
    else:
        trees = ExtraTreesRegressor(100, random_state=0).fit(train, rows.y.reshape(len(rows.y))[cut.others])
    return np.asarray(trees.predict(judged))
