"""`find_l2`: "start with λ = 0, then increase it" (lecture 003), with all values and seeds trained at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import SettingError
from chainrule.fields import passes_settings
from chainrule.finders.common import increasing, rounded
from chainrule.layers import Layer
from chainrule.metrics import find
from chainrule.models import Model
from chainrule.population.comparison import compared_metric
from chainrule.population.population import Population
from chainrule.population.seeds import list_seeds
from chainrule.population.show import progress as show_progress
from chainrule.population.trainer import PopulationTrainer
from chainrule.run_settings import PopulationSettings
from chainrule.statistics import LEVEL, Summary, check_confidence, holm, paired, percent, summary

#: Where no values are given: λ/n, by which a step of rate η makes weights smaller by the fraction η·λ/n.
FRACTIONS = tuple(10.0 ** (k / 2) for k in range(-10, -2))


@passes_settings(PopulationSettings, without=("l2", "out", "resume", "config"))
def find_l2(
    net: Layer | Model,
    data: Any,
    *,
    values: Sequence[float] | None = None,
    seeds: int | Sequence[int] = 5,
    metric: str | None = None,
    confidence: float = LEVEL,
    **settings: Any,
) -> L2Range:
    """Find how much L2 regularization helps, if any: λ = 0 first, then larger and larger.

    Every λ is trained with every seed, all as one population, and compared with λ = 0 and with the best one seed by
    seed. The suggestion is the largest λ that is better than 0 by evidence and not worse than the best one by evidence;
    0 where no λ is better than 0 by evidence.

    Parameters
    ----------
    net, data, settings
        As for `fit`. There must be validation data (``validation=0.2``): on the training data λ = 0 is always best.
    values
        The λ to try besides 0. None: from 10⁻⁵ n to 0.03 n, each 3 times the one before it (n: the training samples).
    seeds
        How many (from ``seed``), or which; at least 2.
    metric
        What is compared, on validation data; None: ``val_accuracy``, for regression ``val_mae``.
    confidence
        Of the intervals, and of evidence: the p values of all λ hold together (Holm, 1979).

    Returns
    -------
    L2Range
        ``print`` it; ``suggestion``, ``helps``.

    Raises
    ------
    SettingError
        Without validation data, and for values below 0.

    Source: lecture 003 ("start with λ=0, increase it").

    >>> import chainrule as cr
    >>> result = cr.find_l2(cr.Dense(3, "softmax"), cr.data.load("iris"), values=[0.1, 1000.0], seeds=3, epochs=5,
    ...                    optimizer=cr.SGD(0.1), validation=0.3, progress=False)
    >>> result.values, result.suggestion
    ((0.0, 0.1, 1000.0), 0.0)
    """
    check_confidence(confidence)
    requested = None if values is None else increasing("find_l2", "values", values, 0.0)
    seeds = list_seeds("find_l2", seeds, settings.pop("seed", 0))
    progress = settings.pop("progress", True)
    trainer = PopulationTrainer(net, data, **settings)
    members = trainer.add_members([{"l2": 0.0, "seed": seed} for seed in seeds])
    if not members[0].validated:
        raise SettingError("find_l2 needs validation data: validation=0.2, or (x, y). On training data λ = 0 is best.")
    metric = compared_metric(members, metric)
    if not metric.startswith("val_"):
        raise SettingError(f"find_l2 judges on the validation data: write metric='val_{metric}'.")
    n = members[0].prepared_run.state.settings["run"]["samples"]
    lambdas = [0.0, *(v for v in requested or [float(rounded(n * fraction, 1)) for fraction in FRACTIONS] if v > 0)]
    members += trainer.add_members([{"l2": float(value), "seed": seed} for value in lambdas[1:] for seed in seeds])
    with show_progress(members, progress) as watch:
        trainer.train(members, watch=watch)
    scores = Population(members).scores(metric).reshape(len(lambdas), len(seeds))
    return L2Range(metric, tuple(map(float, lambdas)), tuple(seeds), scores, confidence)


class L2Range:
    """The result of `find_l2`: ``print`` it.

    Attributes
    ----------
    metric : what was compared
    values : the λ that were tried, from 0 up
    seeds : the seeds
    scores : (values, seeds), the metric of each run; NaN for one that diverged
    summaries : for each λ the `Summary` over the seeds
    p : for each λ how likely so large a difference to λ = 0 is by chance, all together (Holm); NaN for λ = 0 itself
    best : the λ with the best mean
    helps : whether some λ is better than 0 by evidence
    suggestion : the largest λ that is better than 0 and not worse than the best one by evidence; 0 if none helps

    >>> import numpy as np
    >>> from chainrule.finders import L2Range
    >>> scores = np.array([[0.80, 0.81, 0.80], [0.90, 0.91, 0.91]])
    >>> L2Range("val_accuracy", (0.0, 5.0), (0, 1, 2), scores)
    L2Range(val_accuracy, 2 values, 3 seeds: 5)
    """

    def __init__(
        self,
        metric: str,
        values: tuple[float, ...],
        seeds: tuple[int, ...],
        scores: np.ndarray,
        confidence: float = LEVEL,
    ) -> None:
        self.metric, self.values, self.seeds, self.scores = metric, values, seeds, scores
        self.confidence = confidence
        self.summaries: tuple[Summary, ...] = tuple(summary(row, confidence) for row in scores)
        measure = find(metric)
        best_index = measure.best([each.mean for each in self.summaries]) or 0
        self.best = values[best_index]
        self.differences = tuple(paired(row, scores[0], confidence) for row in scores)
        self.p = (math.nan, *holm([difference.p for difference in self.differences[1:]]))
        chance = 1 - confidence
        better = [i for i in range(1, len(values)) if self.p[i] < chance and measure.cost(self.differences[i].mean) < 0]
        self.helps = bool(better)
        to_best = holm(
            [paired(row, scores[best_index]).p if i != best_index else math.nan for i, row in enumerate(scores)]
        )
        as_good = [i for i in better if not to_best[i] < chance]
        self.suggestion = values[max(as_good, default=best_index) if better else 0]

    def __repr__(self) -> str:
        return f"L2Range({self.metric}, {len(self.values)} values, {len(self.seeds)} seeds: {self.suggestion:g})"

    def __str__(self) -> str:
        lines = [f"{self.metric} by λ (l2), {len(self.seeds)} seeds", ""]
        width = max(len(f"{value:g}") for value in self.values)
        lines += [
            f"  λ = {value:<{width}g}  {summed}" for value, summed in zip(self.values, self.summaries, strict=True)
        ]
        return "\n".join([*lines, "", self._conclusion()])

    def _conclusion(self) -> str:
        if all(each.n == 0 for each in self.summaries):
            return "All members diverged: try a smaller learning rate."
        if not self.helps:
            return (
                f"No evidence that λ helps: none is better than λ = 0 by more than chance makes it "
                f"({percent(self.confidence)}); the best mean is that of λ = {self.best:g}. Stay with λ = 0."
            )
        at = self.values.index(self.suggestion)
        by = abs(self.differences[at].mean)
        words = f"λ = {self.suggestion:g} is better than λ = 0 by {by:.2g} (p = {self.p[at]:.2g})"
        if self.suggestion == self.values[-1]:
            return f"{words}. It is the largest that was tried: larger ones may be better still."
        if self.suggestion != self.best:
            words += f", and there is no evidence that it is worse than the best mean, that of λ = {self.best:g}"
        return f"{words}."

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row per λ: l2, mean, std, low, high, n, difference to λ = 0, and its p value.

        >>> import chainrule as cr
        >>> result = cr.find_l2(cr.Dense(3, "softmax"), cr.data.load("iris"), values=[1.0], seeds=2, epochs=1,
        ...                    validation=0.3, progress=False)
        >>> len(result.to_pandas())
        2
        """
        import pandas as pd

        rows = zip(self.values, self.summaries, self.differences, self.p, strict=True)
        columns = ["l2", "mean", "std", "low", "high", "n", "difference", "p"]
        return pd.DataFrame([[v, s.mean, s.std, s.low, s.high, s.n, d.mean, p] for v, s, d, p in rows], columns=columns)
