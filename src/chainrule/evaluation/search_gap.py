"""The winner of a search on rows that had no say in it: how much of its validation score was luck."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from chainrule import metrics
from chainrule.data import Dataset
from chainrule.errors import DataError
from chainrule.models.predictions import Predictions
from chainrule.tables.table import Table
from chainrule.tables.target import as_array, has_target
from chainrule.training.run import Run

#: A gap of more standard errors than this is more than chance.
MUCH = 2.0


@dataclass(frozen=True)
class SearchGap:
    """The winner's score on the test part beside that on the validation part.

    Attributes
    ----------
    metric : what is compared, such as "val_accuracy"
    validation, test : the scores
    gap : how much better the validation score is (negative: the test score is better)
    error : the standard error of the gap, of what chance does to two samples of these sizes; NaN for a loss
    optimism : by how much the best of so many equally good trials looks better than it is, on average; NaN for a loss
    trials, rows, test_rows : numbers of trials compared, of validation rows and of test rows
    """

    metric: str
    validation: float
    test: float
    gap: float
    error: float
    optimism: float
    trials: int
    rows: int
    test_rows: int

    @property
    def overfits(self) -> bool:
        """Whether the gap is more than chance: the search has fitted the validation rows."""
        return self.gap > MUCH * self.error

    def __str__(self) -> str:
        metric = metrics.find(self.metric)
        text = (
            f"{metric.name} {metric.format(self.validation)} on the validation part ({self.rows:,} rows), "
            f"{metric.format(self.test)} on the test part ({self.test_rows:,} rows)"
        )
        if not math.isfinite(self.error):
            return f"{text}."
        gap, error, optimism = map(metric.format_difference, (self.gap, MUCH * self.error, self.optimism))
        text += f": a gap of {gap} ± {error}."
        return f"{text} The best of {self.trials} equally good trials looks {optimism} better than it is."

    def warning(self) -> str | None:
        """Return what to do about a gap that is more than chance; None if it is not."""
        if not self.overfits:
            return None
        return (
            f"The search overfits the validation part: {self} Believe the test score. More validation rows, fewer "
            "trials, or cross-validation of the best few (cr.cross_validate) would choose better."
        )


def search_gap(run: Run, test: tuple[Any, Any], metric: str, validation: float, trials: int, rows: int) -> SearchGap:
    """Measure the winner of a search on test rows, once, beside its score on the validation rows."""
    predictions = Predictions(run.model, *test, run.recipe.loss)
    measure = metrics.find(metric)
    score = predictions.scores[measure.name]
    gap = measure.improvement(score, validation)
    spread = _spread(predictions, measure.name)
    error = spread * math.sqrt(1 / rows + 1 / len(predictions))
    optimism = spread / math.sqrt(rows) * _largest(trials)
    return SearchGap(metric, validation, score, gap, error, optimism, trials, rows, len(predictions))


def test_part(test: Any, data: Any) -> tuple[Any, Any] | None:
    """Return the rows to evaluate on: those given, or the test part of the data; None if there is none."""
    if test is False:
        return None
    if test is None or test is True:
        if isinstance(data, Dataset) and data.test is not None:
            return data.test
        if test is True:
            raise DataError("test=True evaluates on the data's test part, and there is none: give test=(x, y).")
        return None
    if isinstance(test, Dataset):
        return test.train
    if isinstance(test, Table):
        target = (data if isinstance(data, Table) else test).targets()[0]
        labels = target.read(test.frame[test.target])
        known = has_target(labels)
        return test.frame.drop(columns=test.target)[known], as_array(labels[known].tolist())
    if isinstance(test, tuple | list) and len(test) == 2:
        return test[0], np.asarray(test[1])
    raise DataError(f"test is (x, y), a Dataset, or False; got {type(test).__name__}.")


def _spread(predictions: Predictions, name: str) -> float:
    """Return the standard deviation of what one row adds to the score; NaN for a loss."""
    if name == "loss":
        return math.nan
    if name == "mae":
        return float(predictions.score.std())
    n = len(predictions)
    fraction = (predictions.score.sum() + 1) / (n + 2)  # a few rows without an error are no proof that there are none
    return math.sqrt(fraction * (1 - fraction))


def _largest(count: int) -> float:
    """Return the mean of the largest of so many standard normal numbers (Blom, 1958)."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25)) if count > 1 else 0.0
