"""What trees say of each row that they have not seen: shared by the checks of the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.symptoms.data.examined import Examined, examined, per_subject
from chainrule.symptoms.subject import Subject, sample_rows

__all__ = ["Answers", "answers_for", "answers_without", "association", "out_of_fold", "telling", "unseen"]

Array = NDArray[Any]

#: Rows and inputs that the trees look at, folds, and trees for each.
ROWS, INPUTS, FOLDS, TREES = 2000, 256, 3, 40

#: Fewer rows say nothing about rows that were not seen.
FEWEST = 30


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers for rows by trees that were not shown them.

    Attributes
    ----------
    rows : the places of the rows among those that are examined
    x : their inputs, as far as the trees see them
    y : their targets, (rows, outputs)
    labels : their classes, or None
    values : the answers, like `y`: the probability of each class, or numbers
    folds : the fold of each row
    """

    rows: NDArray[np.intp]
    x: Array
    y: Array
    labels: NDArray[np.intp] | None
    values: Array
    folds: NDArray[np.intp]


@per_subject
def out_of_fold(subject: Subject) -> Answers | None:
    """Return the answers of extremely random trees (Geurts, Ernst and Wehenkel, 2006) for rows that were not shown to
    them: 40 trees for each of three folds; equal inputs are in one fold. None for few rows and constant targets.
    """
    data = examined(subject)
    return answers_for(data, sample_rows(len(data), ROWS))


def answers_for(data: Examined, rows: NDArray[np.intp]) -> Answers | None:
    """Return `out_of_fold` for these rows of those that are examined."""
    x, y = data.x[rows], data.y[rows]
    labels = None if data.labels is None else data.labels[rows]
    if len(rows) < FEWEST or not np.ptp(y, axis=0).any():
        return None
    x = telling(x)
    if not x.shape[1]:
        return None
    folds = _folds(x, labels)
    return Answers(rows, x, y, labels, _by_trees(x, y, labels, folds, folds), folds)


def unseen(answers: Answers, predict: Any) -> Array:
    """Return what ``predict(x, y, x_other)`` answers for the rows of each fold, from those of the others."""
    values = np.zeros_like(answers.y)
    for fold in range(FOLDS):
        held_out = answers.folds == fold
        if held_out.any() and not held_out.all():
            values[held_out] = predict(answers.x[~held_out], answers.y[~held_out], answers.x[held_out])
    return values


def association(values: Array, y: Array, folds: NDArray[np.intp]) -> tuple[float, float]:
    """Return how far answers and targets go together, from 0 (not at all) to 1, and its deviation by chance.

    r = Σ v·t / √(Σ v² Σ t²) over rows and outputs, centred in each fold; for one output that is the correlation. If
    targets were dealt out anew at random its mean is 0 and its deviation √(tr(VᵀV TᵀT) / (n − 1)) / √(Σ v² Σ t²)
    (the exact moments of the permutation test, Hoeffding, 1951).
    """
    v, t = values.astype(np.float64), y.astype(np.float64)
    for fold in np.unique(folds):
        of_fold = folds == fold
        v[of_fold] -= v[of_fold].mean(axis=0)
        t[of_fold] -= t[of_fold].mean(axis=0)
    size = float(np.sqrt((v**2).sum() * (t**2).sum()))
    if size <= 1e-12:
        return 0.0, 1.0 / np.sqrt(len(y))
    by_chance = float(np.sqrt(((v.T @ v) * (t.T @ t)).sum() / max(len(y) - 1, 1)))
    return float((v * t).sum()) / size, by_chance / size


def answers_without(answers: Answers, wrong: NDArray[np.bool_]) -> Answers:
    """Return the answers for all rows by trees that were not shown these, either."""
    values = _by_trees(answers.x, answers.y, answers.labels, np.where(wrong, -1, answers.folds), answers.folds)
    return replace(answers, values=values)


def _by_trees(
    x: Array,
    y: Array,
    labels: NDArray[np.intp] | None,
    shown: NDArray[np.intp],
    folds: NDArray[np.intp],
) -> Array:
    """Return the answers for the rows of each fold by trees that were shown those of others; ``shown`` is the fold of
    each row to learn from, below 0 for none.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    values, size = np.zeros_like(y), np.abs(y).max(axis=0)
    for fold in range(FOLDS):
        held_out, learnt = folds == fold, (shown != fold) & (shown >= 0)
        if not held_out.any() or not learnt.any():
            continue
        if labels is None or y.shape[1] > len(y) / 4:  # or classes of a few rows each
            trees = ExtraTreesRegressor(TREES, max_features=1 / 3, min_samples_leaf=2, random_state=fold)
            of_fold = y[learnt] / np.where(size > 0, size, 1.0)  # scikit-learn takes tiny numbers for constant
            trees.fit(x[learnt], of_fold if y.shape[1] > 1 else of_fold.ravel())
            values[held_out] = trees.predict(x[held_out]).reshape(-1, y.shape[1]) * size
            continue
        trees = ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=fold)
        trees.fit(x[learnt], labels[learnt])
        chances = trees.predict_proba(x[held_out])
        if y.shape[1] == 1:
            values[held_out, 0] = chances[:, list(trees.classes_).index(1)] if 1 in trees.classes_ else 0.0
        else:
            of_classes = np.zeros((len(chances), y.shape[1]))
            of_classes[:, trees.classes_] = chances
            values[held_out] = of_classes
    return values


def telling(x: Array) -> Array:
    """Return the inputs that differ between rows; of many those that differ most, evenly scaled."""
    varying = np.flatnonzero(x.std(axis=0) > 0)
    if len(varying) > INPUTS:
        varying = np.sort(varying[np.argsort(-x[:, varying].std(axis=0), kind="stable")[:INPUTS]])
    return x[:, varying].astype(np.float32)


def _folds(x: Array, labels: NDArray[np.intp] | None) -> NDArray[np.intp]:
    """Return the fold of each row: classes alike, and equal inputs together."""
    n = len(x)
    random = np.random.default_rng(0)
    order = random.permutation(n)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(n, np.intp)
    folds[order] = np.arange(n) % FOLDS
    weights = random.normal(size=x.shape[1])
    _, first, group = np.unique(np.round(x @ weights, 5), return_index=True, return_inverse=True)
    return folds[first][group.ravel()]
