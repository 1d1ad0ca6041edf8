"""Whether the rows are in an order, of which the validation rows are the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.symptoms.data.answers import telling
from chainrule.symptoms.data.examined import examined, per_subject
from chainrule.symptoms.subject import Subject, sample_rows

__all__ = ["Order", "order_of_rows"]

Array = NDArray[Any]

#: Rows of each part that are looked at, the fewest that say something, trees, folds, and random re-splits.
ROWS, FEWEST, TREES, FOLDS, SPLITS = 1500, 30, 40, 3, 8

#: Correlation of the place of a training row with what its inputs say of it: of rows in random order .09 at most.
IN_ORDER = 0.3

#: How well inputs tell validation rows from others (area under the curve), and how much more these must cost.
TOLD_APART, COSTS_MORE = 0.7, 1.25

#: Correlation with the number of the row from which on an input is a time (or a number) by which the rows are in order.
A_TIME = 0.99


@dataclass(frozen=True)
class Order:
    """An order of the rows.

    Attributes
    ----------
    place : correlation of the place of training rows with what trees say of it, that were not shown them
    told_apart : area under the curve by which trees tell validation rows from training rows; ½ is chance
    error : of trees on the validation rows, learnt from the training rows
    by_chance : the same for random re-splits of all rows: the mean
    most : and the largest
    by_time : whether an input goes evenly up or down with the number of the row
    """

    place: float
    told_apart: float
    error: float
    by_chance: float
    most: float
    by_time: bool

    @property
    def goes_on(self) -> bool:
        """Whether the validation rows are others than the training rows, and no time tells why."""
        return self.told_apart > TOLD_APART and not self.by_time

    @property
    def matters(self) -> bool:
        """Whether they are harder, too."""
        return self.goes_on and self.error > max(self.most, COSTS_MORE * self.by_chance)


@per_subject
def order_of_rows(subject: Subject) -> Order | None:
    """Return the order in which the training rows are, if they are in one, and how validation rows that were given
    stand to it; None where there are none, or few.

    Rows that come in order of time are so for a reason, and a time column tells it; rows that were sorted, and cut into
    parts then, are not.
    """
    data = examined(subject)
    if data.validation is None:
        return None
    train, other = sample_rows(len(data), ROWS), sample_rows(len(data.validation[0]), ROWS)
    if min(len(train), len(other)) < FEWEST:
        return None
    both = np.r_[data.x[train], data.validation[0][other]]
    n, x = len(train), telling(both)
    y = np.r_[data.y[train], data.validation[1][other]]
    classes = data.labels is not None
    if not x.shape[1]:
        return None
    place = np.arange(len(x), dtype=float)
    answers = _unseen(x[:n], place[:n])
    r = float(np.corrcoef(answers, place[:n])[0, 1]) if np.ptp(answers) else 0.0
    if r < max(IN_ORDER, 5 / np.sqrt(n)):
        return None
    from sklearn.metrics import roc_auc_score

    is_other = place >= n
    random = np.random.default_rng(0)
    splits = [random.permutation(len(x)) for _ in range(SPLITS)]
    errors = [_error(x, y, order[:n], order[n:], classes) for order in splits]
    steps = [abs(np.corrcoef(column, place)[0, 1]) for column in both.T[np.ptp(both, axis=0) > 0]]
    return Order(
        r,
        float(roc_auc_score(is_other, _unseen(x, is_other.astype(float)))),
        _error(x, y, place[:n].astype(int), place[n:].astype(int), classes),
        float(np.mean(errors)),
        float(np.max(errors)),
        bool(max(steps, default=0.0) > A_TIME),
    )


def _unseen(x: Array, y: Array) -> Array:
    """Return what trees say of rows that they were not shown."""
    fold, answers = np.random.default_rng(0).permutation(len(x)) % FOLDS, np.zeros(len(x))
    for k in range(FOLDS):
        answers[fold == k] = _trees(5).fit(x[fold != k], y[fold != k]).predict(x[fold == k])
    return answers


def _error(x: Array, y: Array, train: Array, other: Array, classes: bool) -> float:
    """Return the error of trees that learnt some rows on others: of numbers the mean distance."""
    answers = _trees(2).fit(x[train], y[train] if y.shape[1] > 1 else y[train].ravel()).predict(x[other])
    answers = answers.reshape(len(other), -1)
    if not classes:
        return float(np.abs(answers - y[other]).mean())
    if y.shape[1] == 1:
        return float(np.mean((answers > 0.5) != (y[other] > 0.5)))
    return float(np.mean(answers.argmax(axis=1) != y[other].argmax(axis=1)))


def _trees(leaf: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(TREES, max_features=1 / 3, min_samples_leaf=leaf, random_state=0)
