"""What simpler rules reach on the same rows: always the same answer, and a linear model by scikit-learn."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.evaluation.rows import matrix, take, width
from chainrule.models import Model
from chainrule.models.predictions import Predictions, codes, row_scores, stretches

#: The linear model is fitted on so many rows that rows · inputs · outputs stays below this …
WORK = 500_000_000
#: … with so many iterations at most: of a large problem some at once, and no more after so many seconds.
ITERATIONS, AT_ONCE, SECONDS = 300, 20, 4.0
#: Above this many rows · inputs · outputs, a problem is large and stays in float32; small ones settle in float64.
LARGE = 20_000_000
#: A fit has settled when no derivative of the cost is larger.
SETTLED = 1e-3
#: A ridge regression is solved exactly while rows · inputs² stays below this.
EXACT = 10_000_000_000
#: Logistic regression needs some rows of each class to mean anything, and one fit per label.
ROWS_PER_CLASS, MOST_LABELS = 2, 50


@dataclass(frozen=True)
class Baseline:
    """A simpler rule.

    Attributes
    ----------
    name, about : what it is called, and what it does in a few words
    predict : from `matrix` to codes (n,), to 0 or 1 (n, labels), or to numbers (n, outputs)
    rows : training rows it was fitted on
    seconds : how long that took
    note : what should be known about the fit, or ""
    """

    name: str
    about: str
    predict: Callable[[Any], np.ndarray]
    rows: int
    seconds: float
    note: str = ""


def fit_baselines(
    model: Model,
    task: str,
    names: list[str],
    x: Any,
    y: np.ndarray,
    rows: np.ndarray,
    left_out: np.ndarray | None = None,
) -> list[Baseline]:
    """Fit the baselines for a task on some rows of x and their encoded targets; ``names`` are the classes'.

    ``left_out`` are numbers of all rows of x that the network does not get: the linear model does.
    """
    target = y[rows]
    baselines = [_constant(task, names, target)]
    outputs = len(names) if task in ("classification", "multilabel") else 1
    size = max(1, WORK // (width(model) * outputs))
    if len(rows) > size:
        rows = np.sort(np.random.default_rng(0).choice(rows, size, replace=False))
        target = y[rows]
    if task == "multilabel" and outputs > MOST_LABELS:
        return baselines
    if task != "regression" and (len(np.unique(target)) < 2 or len(rows) < ROWS_PER_CLASS * outputs):
        return baselines
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say about the fit is in the note
        more = None if left_out is None else left_out[rows]
        features = matrix(model, model.prepare(take(x, rows)), more)
        if task == "regression":
            predict, note = _ridge(model, features, target)
        else:
            predict, note = _logistic(model, features, target, task == "multilabel")
    name = "ridge regression" if task == "regression" else "logistic regression"
    kind = "linear" if task == "regression" else "linear, one weight for each input and class"
    if len(rows) < baselines[0].rows:
        note = f"{note} Fitted on {len(rows):,} rows.".strip()
    baselines.append(Baseline(name, f"scikit-learn's, {kind}", predict, len(rows), time.perf_counter() - started, note))
    return baselines


def _constant(task: str, names: list[str], y: np.ndarray) -> Baseline:
    """Return the same answer always: the mean, the most frequent class, or for each label the more frequent answer."""

    def always(value: Any) -> Callable[[Any], np.ndarray]:
        return lambda x: np.repeat(np.asarray(value)[None], x.shape[0], axis=0)

    if task == "regression":
        return Baseline("always the mean", "the mean of the training targets", always(y.mean(axis=0)), len(y), 0.0)
    if task == "multilabel":
        labels = (y.mean(axis=0) > 0.5).astype(int)
        return Baseline("always the same labels", "for each label its more frequent answer", always(labels), len(y), 0)
    code = int(np.bincount(codes(y), minlength=len(names)).argmax())
    return Baseline(f"always “{names[code]}”", "the most frequent class in training", always(code), len(y), 0.0)


def baseline_scores(
    rules: Sequence[Baseline], predictions: Predictions, model: Model, ready: Any, left_out: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return for each rule the score of each row, as `Predictions.score` has it for the model.

    ``ready`` are the rows as `Model.prepare` gives them, ``left_out`` numbers of these rows that only the rules get.
    """
    parts: list[list[np.ndarray]] = [[] for _ in rules]
    for rows, block in stretches(ready, width(model)):
        features = matrix(model, block, None if left_out is None else left_out[rows])
        for scores, rule in zip(parts, rules, strict=True):
            scores.append(row_scores(predictions.true[rows], rule.predict(features), predictions.task))
    return [np.concatenate(scores) for scores in parts]


def _logistic(model: Model, x: Any, y: np.ndarray, multilabel: bool) -> tuple[Callable[[Any], np.ndarray], str]:
    """Return a logistic regression, or one for each label; iterated until it stands still or its time is over."""
    from sklearn.linear_model import LogisticRegression

    targets = [codes(y)] if not multilabel else [(column > 0.5).astype(int) for column in y.T]
    large = x.shape[0] * x.shape[1] * (int(targets[0].max()) + 1) > LARGE
    standardize, dtype = _scale(model, x), np.float32 if large else np.float64

    def scale(x: Any) -> Any:
        return standardize(x).astype(dtype, copy=False)

    fitted: list[Any] = []
    end = time.perf_counter() + SECONDS
    fewest, converged, scaled = ITERATIONS, True, scale(x)
    at_once = AT_ONCE if large else ITERATIONS
    for target in targets:
        if len(np.unique(target)) < 2:
            fitted.append(int(target[0]))
            continue
        classifier, done, settled = LogisticRegression(max_iter=at_once, warm_start=True, tol=SETTLED), 0, False
        while done < ITERATIONS and not settled and (not done or time.perf_counter() < end):
            classifier.fit(scaled, target)
            settled = int(np.max(classifier.n_iter_)) < at_once
            done += int(np.max(classifier.n_iter_))
        fewest, converged = min(fewest, done), converged and settled
        fitted.append(classifier)

    def predict(x: Any) -> np.ndarray:
        predicted = [np.full(x.shape[0], c) if isinstance(c, int) else c.predict(scale(x)) for c in fitted]
        return np.stack(predicted, axis=1) if multilabel else predicted[0]

    return predict, "" if converged else f"Stopped after {fewest} iterations, before it stood still."


def _ridge(model: Model, x: Any, y: np.ndarray) -> tuple[Callable[[Any], np.ndarray], str]:
    from sklearn.linear_model import Ridge

    scale = _scale(model, x)
    small = x.shape[0] * x.shape[1] ** 2 <= EXACT
    fitted = Ridge(alpha=1.0) if small else Ridge(alpha=1.0, solver="lsqr", max_iter=ITERATIONS)
    fitted.fit(scale(x), y)
    return lambda x: np.reshape(fitted.predict(scale(x)), (x.shape[0], -1)), ""


def _scale(model: Model, x: Any) -> Callable[[Any], Any]:
    """Standardize inputs that come as they are in the data, for linear models depend on it."""
    if model.standardizer is not None or model.preparation is not None or len(model.input_shape) > 1:
        return lambda x: x
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(x).transform
