"""Which training rows are hard, which are forgotten, and which may have a wrong label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.losses import BinaryCrossEntropy, CrossEntropy
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_rows

__all__ = ["Samples", "samples"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Samples:
    """What the run says of each training row. Costs are those of the step that the row was in, in each epoch.

    Attributes
    ----------
    epochs : from 1
    numbers : of the rows in the data that was trained on
    costs : of each row in each epoch, (epochs, rows)
    mean_cost : over the epochs, (rows,)
    forgotten : how often each row went from right to wrong, (rows,); None where no class is answered
    ever_right : whether it ever was right, likewise
    certainty, spread : mean and standard deviation over the epochs of p(true) = e^(-cost), the probability that the
        network gave to the right class; None for losses that are no -ln p
    truths, answers : right class of each row, and the answers in each epoch; None likewise
    """

    epochs: tuple[int, ...]
    numbers: Array
    costs: Array
    mean_cost: Array
    forgotten: Array | None
    ever_right: Array | None
    certainty: Array | None
    spread: Array | None
    truths: Array | None
    answers: Array | None

    def hardest(self, most: int = 24) -> Array:
        """Return the places of the rows with the highest cost in the last epoch, highest first."""
        return _largest(self.costs[-1], most)

    def most_forgotten(self, most: int = 24) -> Array:
        """Return the places of the rows that most often went from right to wrong, most often first.

        Of those equally often forgotten the ones with the higher mean cost come first.
        """
        if self.forgotten is None:
            return np.array([], int)
        order = np.lexsort((-self.mean_cost, -self.forgotten))[:most]
        return order[self.forgotten[order] > 0]

    def suspects(self, most: int = 24) -> Array:
        """Return the places of the rows with the highest mean cost over the run, highest first."""
        return _largest(self.mean_cost, most)

    def by_chance(self, most: int = 24) -> float:
        """Return the share of all wrong labels that a list of so many rows holds if it is drawn at random."""
        return min(1.0, most / len(self.mean_cost))


def samples(recorded: Recorded) -> Samples | Missing:
    """Return costs, forgetting and learning dynamics of the training rows.

    A row is *forgotten* when it is wrong after it was right in the epoch before (Toneva et al., "An empirical study of
    example forgetting during deep neural network learning", 2019). A high mean cost over the run makes a label suspect:
    the network learns rows that are alike first, and wrong labels late. Mean and spread of p(true) are the axes of
    Swayamdipta et al., "Dataset cartography" (2020).
    """
    rows = recorded.rows
    if rows is None or rows.costs is None or not len(rows.epochs):
        return without_rows(recorded)
    costs = np.asarray(rows.costs, np.float64)
    forgotten = ever_right = truths = answers = None
    if rows.answers is not None and rows.truths is not None:
        truths, answers = np.asarray(rows.truths, int), np.asarray(rows.answers, int)
        right = answers == truths
        forgotten, ever_right = (right[:-1] & ~right[1:]).sum(axis=0), right.any(axis=0)
    certainty = spread = None
    if _is_log_probability(recorded):
        probability = np.exp(-costs)
        certainty = _mean(probability)
        spread = np.sqrt(_mean(np.square(probability - certainty)))
    return Samples(
        tuple(map(int, rows.epochs)),
        np.asarray(rows.numbers),
        costs,
        _mean(costs),
        forgotten,
        ever_right,
        certainty,
        spread,
        truths,
        answers,
    )


def _is_log_probability(recorded: Recorded) -> bool:
    """Return whether the cost of a row is -ln of the probability of its right class."""
    loss, task = recorded.recipe.loss, recorded.recipe.task
    if isinstance(loss, CrossEntropy):
        return loss.label_smoothing == 0
    return isinstance(loss, BinaryCrossEntropy) and task == "binary"


def _mean(values: Array) -> Array:
    """Return the mean over the epochs of what is finite; NaN where nothing is."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(finite, values, 0).sum(axis=0) / finite.sum(axis=0)


def _largest(values: Array, most: int) -> Array:
    """Return the places of the largest values, the largest first; those that are not finite come last."""
    return np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")[:most]
