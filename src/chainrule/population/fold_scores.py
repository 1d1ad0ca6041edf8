"""What networks that were trained on some folds predict for the others, and how sure that is."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.display.text import Text
from chainrule.display.text_table import text_table
from chainrule.population.folds import Fold
from chainrule.population.population import Population
from chainrule.statistics import LEVEL, check_confidence, format_to_uncertainty, percent
from chainrule.training.run import Run

if TYPE_CHECKING:
    from pandas import DataFrame

Array = np.ndarray[Any, Any]

#: Seeds and folds that are shown one by one.
SHOWN_SEEDS, SHOWN_FOLDS = 6, 40


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """The result of `cross_validate`: ``print`` it.

    Attributes
    ----------
    metric : "accuracy", or for numbers to predict "mae", the mean absolute error
    scores : (folds, seeds), or with repeats (folds, seeds, repeats): the metric on the held-out rows, each network's
        once, at the end of its training; NaN for one that diverged
    losses : the same for the mean cost
    folds : the `Fold` of each split, with the row numbers of the data
    seeds : the seeds
    predictions : (n, outputs), or (n,) for networks with one output: probabilities or values for every row in the order
        of the data, by the networks that have not seen it, averaged over seeds and repeats. NaN for rows that were not
        used, and where all of these networks diverged
    classes : what the columns of the probabilities stand for, or None
    runs : a `Run` for each network: first the seeds of fold 1, then those of fold 2, …, repeat after repeat
    population : `Population`, all networks with their histories

    Examples
    --------
    >>> import chainrule as cr
    >>> result = cr.cross_validate(cr.Dense(3, "softmax"), cr.data.load("iris"), folds=3, seeds=2, epochs=20,
    ...     optimizer=cr.Adam(lr=0.1), progress=False)
    >>> low, high = result.interval()
    >>> low < result.mean < high
    True
    >>> len(result.runs), list(result.per_fold["held_out"])
    (6, [50, 50, 50])
    """

    metric: str
    scores: Array
    losses: Array
    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    predictions: Array
    classes: tuple[Any, ...] | None
    population: Population = field(repr=False)

    @functools.cached_property
    def runs(self) -> tuple[Run, ...]:
        """A `Run` for each network: the seeds of fold 1, then those of fold 2, …, repeat after repeat."""
        return tuple(self.population)

    @property
    def split_scores(self) -> Array:
        """The score of each split (fold of a repeat), averaged over the seeds that did not diverge."""
        return _finite_means(self._scores_by_split(self.scores))

    @property
    def mean(self) -> float:
        """The mean of the splits' scores; those of networks that diverged are left out (see `diverged`)."""
        return float(_finite_means(self.split_scores[None])[0])

    @property
    def std(self) -> float:
        """The standard deviation of the splits' scores (divided by their number - 1): between folds."""
        scores = self.split_scores[np.isfinite(self.split_scores)]
        return float(scores.std(ddof=1)) if len(scores) > 1 else math.nan

    @property
    def seed_std(self) -> float:
        """The standard deviation between seeds within a fold: the root of the mean variance. NaN for a single seed."""
        by_split = self._scores_by_split(self.scores)
        variances = [row[np.isfinite(row)].var(ddof=1) for row in by_split if np.isfinite(row).sum() > 1]
        return float(np.sqrt(np.mean(variances))) if variances else math.nan

    @property
    def diverged(self) -> int:
        """How many networks diverged: they have no score."""
        return int(np.isnan(self.scores).sum())

    def interval(self, confidence: float = LEVEL) -> tuple[float, float]:
        """Return the corrected resampled t interval of the mean score of networks trained on so many rows.

        m ± t(J − 1) · √((1/J + n_held_out / n_train) · s²)

        with m the mean and s² the variance (divided by J − 1) of the J splits' scores. The plain interval has 1/J
        alone, as if the splits were independent. They are not: two folds of five share three quarters of their
        training rows, so that the scores differ less from each other than from those on new data, and the plain
        interval is too narrow. The second term allows for it. It is a rule of thumb (no unbiased estimate of the
        variance exists) and mostly errs on the wide side.

        It is about the choice of rows. The seeds are the same in all splits, so what other seeds would give is not in
        it: `seed_std` tells how much they matter. NaN where fewer than two splits have a score.

        Source: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003); for repeated
        k-fold: Bouckaert and Frank, PAKDD (2004).

        >>> import chainrule as cr
        >>> result = cr.cross_validate(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=5, progress=False)
        >>> low, high = result.interval(0.99)
        >>> low < result.interval()[0]
        True
        """
        from scipy import stats

        check_confidence(confidence)
        finite = np.isfinite(self.split_scores)
        splits = int(finite.sum())
        if splits < 2:
            return math.nan, math.nan
        ratio = np.mean([len(fold.held_out) / len(fold.train) for fold in np.array(self.folds, object)[finite]])
        quantile = float(stats.t.ppf(0.5 + confidence / 2, splits - 1))
        margin = quantile * math.sqrt(1 / splits + float(ratio)) * self.std
        return self.mean - margin, self.mean + margin

    @property
    def per_fold(self) -> DataFrame:
        """A row for each split: how many rows it trained on and held out, mean, std between seeds, loss, diverged."""
        import pandas as pd

        scores = self._scores_by_split(self.scores)
        return pd.DataFrame(
            {
                "repeat": [fold.repeat for fold in self.folds],
                "fold": [fold.fold for fold in self.folds],
                "train": [len(fold.train) for fold in self.folds],
                "held_out": [len(fold.held_out) for fold in self.folds],
                self.metric: self.split_scores,
                "std": _finite_stds(scores),
                "loss": _finite_means(self._scores_by_split(self.losses)),
                "diverged": np.isnan(scores).sum(axis=1),
            }
        )

    @property
    def per_seed(self) -> DataFrame:
        """A row for each seed: the mean of its scores over the splits, their std, the loss, and how many diverged."""
        import pandas as pd

        scores = self._scores_by_split(self.scores).T
        return pd.DataFrame(
            {
                "seed": self.seeds,
                self.metric: _finite_means(scores),
                "std": _finite_stds(scores),
                "loss": _finite_means(self._scores_by_split(self.losses).T),
                "diverged": np.isnan(scores).sum(axis=1),
            }
        )

    def _scores_by_split(self, values: Array) -> Array:
        """Return (folds, seeds[, repeats]) as (splits, seeds), repeat after repeat, in the order of `folds`."""
        cube = values if values.ndim == 3 else values[..., None]
        return cube.transpose(2, 0, 1).reshape(len(self.folds), len(self.seeds))

    def summary(self) -> Text:
        """Return the mean score with its interval, and a table of the folds, to print."""
        return Text(self)

    def __str__(self) -> str:
        return "\n".join([*self._headline(), "", *self._table()])

    def _headline(self) -> list[str]:
        """Return the mean score and its interval in words."""
        repeats = self.folds[-1].repeat
        design = f"{len(self.folds) // repeats} folds"
        design += f" x {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        design += f" x {repeats} repeats" if repeats > 1 else ""
        low, high = self.interval()
        figures = format_to_uncertainty(self.mean, self.std, low, high, self.seed_std, scale=self.std)
        between = f", ± {figures[4]} between seeds" if math.isfinite(self.seed_std) else ""
        lines = [f"{design}: {self.metric} {figures[0]} ± {figures[1]} between folds{between}"]
        if math.isfinite(low):
            lines.append(
                f"{percent(LEVEL)} interval of the mean: {figures[2]} to {figures[3]} (corrected: folds share training "
                "rows)"
            )
        if self.diverged:
            lines.append(
                f"{self.diverged} of {self.scores.size} networks diverged and have no score; the figures are those of "
                "the others, and flatter these settings."
            )
        return lines

    def _table(self) -> list[str]:
        """Return a row for each split, and how many are left out."""
        repeats, shows_seeds = self.folds[-1].repeat, len(self.seeds) <= SHOWN_SEEDS
        head = (["repeat"] if repeats > 1 else []) + ["fold", "trained on", "held out", self.metric]
        head += [f"seed {s}" for s in self.seeds] if shows_seeds and len(self.seeds) > 1 else []
        head += ["lowest", "highest"] if not shows_seeds else []
        rows = [head]
        for fold, mean, scores in zip(self.folds, self.split_scores, self._scores_by_split(self.scores), strict=True):
            row = ([str(fold.repeat)] if repeats > 1 else []) + [str(fold.fold)]
            row += [f"{len(fold.train):,}", f"{len(fold.held_out):,}", _format_score(mean)]
            if shows_seeds and len(self.seeds) > 1:
                row += [_format_score(score) for score in scores]
            elif not shows_seeds:
                finite = scores[np.isfinite(scores)]
                row += [_format_score(f(finite) if len(finite) else math.nan) for f in (np.min, np.max)]
            rows.append(row)
        if (more := len(rows) - 1 - SHOWN_FOLDS) > 0:
            rows = rows[: SHOWN_FOLDS + 1]
        return text_table(rows, left=()).splitlines() + ([f"and {more:,} more"] if more > 0 else [])


def _finite_means(rows: Array) -> Array:
    """Return the mean of each row's finite values; NaN where there are none."""
    finite = np.isfinite(rows)
    counts = finite.sum(axis=1)
    return np.where(counts > 0, np.where(finite, rows, 0.0).sum(axis=1) / np.maximum(counts, 1), math.nan)


def _finite_stds(rows: Array) -> list[float]:
    """Return the standard deviation of each row's finite values; NaN where there are fewer than two."""
    finite = [row[np.isfinite(row)] for row in rows]
    return [float(np.std(values, ddof=1)) if len(values) > 1 else math.nan for values in finite]


def _format_score(score: float) -> str:
    return "diverged" if math.isnan(score) else f"{score:.4g}" if abs(score) >= 1 else f"{score:.4f}"
