"""`compare`: does one way of training beat another, or is it chance? Many seeds each, paired."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import metrics
from chainrule.augment import Augmentation
from chainrule.errors import SettingError, unknown_name
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.optimizers import Optimizer
from chainrule.population.member import Member
from chainrule.population.population import Population
from chainrule.population.show import progress as show_progress
from chainrule.population.trainer import PopulationTrainer
from chainrule.schedules import Schedule
from chainrule.statistics import (
    LEVEL,
    Difference,
    Summary,
    alike,
    check_confidence,
    holm,
    levels,
    mcnemar,
    paired,
    percent,
    summary,
)
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.run import Run
from chainrule.training.run_data import pair_of

#: What a configuration may be given as, besides a mapping, and the setting that it stands for.
KINDS: dict[type, str] = {
    Optimizer: "optimizer",
    Schedule: "optimizer.lr",
    Loss: "loss",
    Layer: "net",
    Model: "net",
    Augmentation: "augment",
    EarlyStopping: "early_stopping",
}


def compare(
    configurations: Mapping[str, Any],
    net: Layer | Model,
    data: Any,
    *,
    seeds: int | Sequence[int] = 10,
    metric: str | None = None,
    confidence: float = LEVEL,
    test: Any = None,
    **settings: Any,
) -> Comparison:
    """Train every configuration with the same seeds, and say which is better, by how much, and how sure that is.

    A seed sets the split, the order of the samples and (where shapes agree) the initial weights, so configurations are
    compared seed by seed, by the differences dᵢ = first − second. Their mean is tested by Student's t,
    t = d̄ / (deviation(d) / √n); p values and intervals hold for all pairs together (Holm, 1979). The chance that is
    meant is that of the seeds: how it would be on other data is not known from this.

    Parameters
    ----------
    configurations
        By name, what differs: a mapping of settings as a member of `fit_population` has them, such as
        ``{"optimizer": "adam"}`` or ``{"optimizer.lr": 0.1, "l2": 5.0}``, or an object alone: an optimizer, schedule,
        loss, network, augmentation or early stopping.
    net, data, settings
        What is common, as in `fit_population`.
    seeds
        How many (from ``seed``, 0 unless given), or which. At least 2; with fewer than 5 only large differences show.
    metric
        What to compare, a name of the history. None: the accuracy (for regression the mean absolute error) on the test
        data if given, else on the validation data, else on the training data.
    confidence
        Of the intervals. Evidence is what chance makes in fewer than 1 − confidence of all experiments.
    test
        ``(x, y)`` or a `Dataset` to judge the trained models on, as ``test_accuracy``, ``test_mae`` or ``test_loss``.

    Returns
    -------
    Comparison
        ``print`` it. Members that diverge are counted, and left out of the differences.

    Raises
    ------
    SettingError
        For fewer than two configurations or seeds, and settings that do not exist; `UnknownNameError` for a metric.

    Source: Student (1908); Holm (1979); Bouthillier et al. (2021), "Accounting for variance in machine learning
    benchmarks".

    >>> import chainrule as cr
    >>> found = cr.compare(
    ...     {"small rate": cr.SGD(0.001), "large rate": cr.SGD(0.5)},
    ...     cr.Dense(3, "softmax"), cr.data.load("iris"), seeds=4, epochs=3, validation=0.3, progress=False)
    >>> found.pairs[0].better, found.summaries["large rate"].n
    ('large rate', 4)
    """
    check_confidence(confidence)
    given = {name: _settings_of(name, value) for name, value in _checked(configurations).items()}
    seeds = listed_seeds("compare", seeds, settings.pop("seed", 0))
    held_out = None if test is None else pair_of(test, "test is (x, y) or a Dataset")
    progress = settings.pop("progress", True)
    trainer = PopulationTrainer(net, data, **settings)
    members = trainer.add_members([what | {"seed": seed} for what in given.values() for seed in seeds])
    metric = metric_of(members, metric, tested=held_out is not None)
    with show_progress(members, progress) as watch:
        trainer.train(members, watch=watch)
    n = len(seeds)
    runs = {name: Population(members[i * n : (i + 1) * n]) for i, name in enumerate(given)}
    if metric.startswith("test_"):
        values = {name: [_tested(run, held_out, metric) for run in found] for name, found in runs.items()}
    else:
        values = {name: found.scores(metric).tolist() for name, found in runs.items()}
    return Comparison(metric, tuple(seeds), values, runs, given, confidence)


@dataclass(frozen=True)
class Pair:
    """Two configurations, compared seed by seed.

    Attributes
    ----------
    first, second : their names
    difference : first − second of the metric over the seeds in which both finished; its interval is as wide as all
        pairs together ask for, and leaves zero out exactly where ``p`` is below 1 − confidence (Serlin, 1993)
    p : the p value, raised so that it holds together with those of all other pairs (Holm, 1979)
    better : the name of the better one if there is evidence, else None
    words : what was found, as a sentence
    """

    first: str
    second: str
    difference: Difference
    p: float
    better: str | None
    words: str = field(repr=False)

    def __str__(self) -> str:
        return self.words


class Comparison:
    """What `compare` found: ``print`` it.

    Attributes
    ----------
    metric : what was compared
    seeds : the seeds, the same for every configuration
    runs : for each configuration its `Population`, one run per seed
    configurations : for each the settings that were given
    values : for each the metric of its runs; NaN for those that diverged
    summaries : for each the `Summary` of these: mean, deviation, interval
    pairs : every two configurations compared, `Pair`
    confidence : of the intervals

    >>> import chainrule as cr
    >>> found = cr.compare({"a": {"l2": 0.0}, "b": {"l2": 0.0}}, cr.Dense(3, "softmax"), cr.data.load("iris"),
    ...                    seeds=2, epochs=1, progress=False)
    >>> print(found.pairs[0])
    a and b are the same for all 2 seeds
    """

    def __init__(
        self,
        metric: str,
        seeds: tuple[int, ...],
        values: Mapping[str, Sequence[float]],
        runs: Mapping[str, Population],
        configurations: Mapping[str, Mapping[str, Any]],
        confidence: float = LEVEL,
    ) -> None:
        self.metric, self.seeds, self.confidence = metric, seeds, confidence
        self.values = {name: tuple(found) for name, found in values.items()}
        self.runs = dict(runs)
        self.configurations = configurations
        self.summaries: dict[str, Summary] = {name: summary(found, confidence) for name, found in values.items()}
        self.pairs: tuple[Pair, ...] = _pairs(self.values, metrics.find(metric).smaller_is_better, confidence)

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.values)}; {self.metric}, {len(self.seeds)} seeds)"

    @property
    def best(self) -> str:
        """The configuration with the best mean; another may be as good (see ``pairs``)."""
        best = metrics.find(self.metric).best([found.mean for found in self.summaries.values()])
        return list(self.summaries)[best or 0]

    def pair(self, first: str, second: str) -> Pair:
        """Return the comparison of two configurations, as it is in ``pairs``."""
        for name in (first, second):
            if name not in self.values:
                raise unknown_name("configuration", name, self.values)
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair
        raise SettingError(f"A pair has two configurations, got {first!r} twice.")

    def __str__(self) -> str:
        goal = "smaller" if metrics.find(self.metric).smaller_is_better else "larger"
        on = " (on the training data)" if "_" not in self.metric else ""
        lines = [f"{self.metric}{on}, {goal} is better, {len(self.seeds)} seeds", ""]
        lines += _table(["", "mean", "deviation", f"{percent(self.confidence)} interval", "diverged"], self._rows())
        return "\n".join([*lines, "", *map(str, self.pairs)])

    def _rows(self) -> list[list[str]]:
        rows = []
        deviations = [found.deviation for found in self.summaries.values() if found.deviation > 0]
        scale = min(deviations, default=math.nan)
        for name, found in self.summaries.items():
            figures = alike(found.mean, found.deviation, found.low, found.high, scale=scale)
            mean, deviation, low, high = (s if s != "nan" else "" for s in figures)
            diverged = f"{found.failed} of {len(found.values)}" if found.failed else ""
            rows.append([name, mean, deviation, f"{low} to {high}" if low else "", diverged])
        return rows

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row per configuration and seed: the metric, and why training ended early, if it
        did.

        >>> import chainrule as cr
        >>> found = cr.compare({"a": cr.SGD(0.1), "b": cr.SGD(0.2)}, cr.Dense(3, "softmax"), cr.data.load("iris"),
        ...                    seeds=2, epochs=1, progress=False)
        >>> list(found.to_pandas().columns)
        ['configuration', 'seed', 'accuracy', 'stopped']
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {"configuration": name, "seed": seed, self.metric: value, "stopped": run.stopped}
                for name in self.values
                for seed, value, run in zip(self.seeds, self.values[name], self.runs[name], strict=True)
            ]
        )

    def curves(self, metric: str | None = None) -> Any:
        """Return a DataFrame with the mean of a metric after each epoch, and its interval over the seeds.

        Columns: configuration, epoch, mean, low, high, n. n is the number of runs that still trained in that epoch; the
        interval is that of one mean by Student's t, NaN for n = 1. ``metric`` is a name of the history; None: the one
        compared (for a test metric, that of the validation or training data).

        >>> import chainrule as cr
        >>> found = cr.compare({"a": cr.SGD(0.1), "b": cr.SGD(0.2)}, cr.Dense(3, "softmax"), cr.data.load("iris"),
        ...                    seeds=2, epochs=3, progress=False)
        >>> found.curves("loss").shape
        (6, 6)
        """
        import pandas as pd

        columns = list(
            dict.fromkeys(itertools.chain(*(r.history.columns for runs in self.runs.values() for r in runs)))
        )
        if metric is None:
            plain = metrics.base_name(self.metric)
            metric = next((m for m in (self.metric, f"val_{plain}", plain) if m in columns), plain)
        if metric not in columns:
            raise unknown_name("metric", metric, columns)
        rows = []
        for name, runs in self.runs.items():
            of_each = [run.history[metric] for run in runs if len(run.history)]
            for epoch in range(max(map(len, of_each), default=0)):
                found = summary([values[epoch] for values in of_each if epoch < len(values)], self.confidence)
                rows.append([name, epoch + 1, found.mean, found.low, found.high, found.n])
        return pd.DataFrame(rows, columns=["configuration", "epoch", "mean", "low", "high", "n"])


def _pairs(values: Mapping[str, Sequence[float]], smaller: bool, confidence: float) -> tuple[Pair, ...]:
    """Return every two configurations compared; all statements hold together."""
    names = list(itertools.combinations(values, 2))
    chances = [paired(values[a], values[b]).p for a, b in names]
    raised = holm(chances)
    differences = [
        paired(values[a], values[b], level) for (a, b), level in zip(names, levels(chances, confidence), strict=True)
    ]
    judge = _Judge(values, smaller, confidence, len(names))
    return tuple(
        Pair(a, b, difference, p, *judge(a, b, difference, p))
        for (a, b), difference, p in zip(names, differences, raised, strict=True)
    )


@dataclass(frozen=True)
class _Judge:
    """Which of two is better, if there is evidence, and that in words."""

    values: Mapping[str, Sequence[float]]
    smaller: bool
    confidence: float
    pairs: int

    def __call__(self, a: str, b: str, difference: Difference, p: float) -> tuple[str | None, str]:
        lost = {name: [not math.isfinite(v) for v in self.values[name]] for name in (a, b)}
        n = len(lost[a])
        if all(lost[a]) and all(lost[b]):
            return None, f"{a} and {b} cannot be compared: all members of both diverged"
        for worse, other in ((a, b), (b, a)):
            only_worse = sum(w and not o for w, o in zip(lost[worse], lost[other], strict=True))
            only_other = sum(o and not w for w, o in zip(lost[worse], lost[other], strict=True))
            chance = min(1.0, self.pairs * mcnemar(only_worse, only_other))
            if all(lost[worse]) or (only_worse > only_other and chance < 1 - self.confidence):
                count = f"all {n}" if all(lost[worse]) else f"{sum(lost[worse])} of {n}"
                others = f", and {sum(lost[other])} of {other}" if any(lost[other]) else ""
                return other, f"{other} is better than {worse}: {count} members of {worse} diverged{others}"
        left_out = "".join(f", {sum(lost[x])} of {x} diverged" for x in (a, b) if any(lost[x]))
        if difference.n < 2:
            return None, f"{a} and {b} cannot be compared: too few seeds finished in both ({difference.n}{left_out})"
        if difference.mean == difference.low == difference.high == 0:
            return None, f"{a} and {b} are the same for all {difference.n} seeds" + (left_out and f" ({left_out[2:]})")
        details = [f"{difference.n} seeds{left_out}"]
        sign = -1.0 if p < 1 - self.confidence and difference.mean < 0 else 1.0
        by, low, high = difference.mean * sign, *sorted((difference.low * sign, difference.high * sign))
        if math.isnan(low):  # the same in every seed
            by_text = f"{by:.4g}"
            details.insert(0, "the same for every seed")
        else:
            by_text, low_text, high_text = alike(by, low, high, scale=(high - low) / 2)
            details.insert(0, f"{percent(self.confidence)}: {low_text} to {high_text}")
        if p < 1 - self.confidence:
            better, other = (a, b) if (difference.mean < 0) == self.smaller else (b, a)
            details.insert(1, f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001")
            return better, f"{better} is better than {other} by {by_text} ({', '.join(details)})"
        details[0] = f"difference {by_text}, {details[0]}"
        return None, f"no evidence of a difference between {a} and {b} ({', '.join(details)})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a plain table: the first column to the left, columns without a value left out."""
    used = [i for i in range(len(head)) if i == 0 or any(row[i] for row in rows)]
    lines = [[line[i] for i in used] for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def aligned(line: Sequence[str]) -> str:
        sides: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(line) - 1)]
        return "  ".join(side(text, width) for side, text, width in zip(sides, line, widths, strict=True)).rstrip()

    return [aligned(line) for line in lines]


def _checked(configurations: Any) -> Mapping[str, Any]:
    if not isinstance(configurations, Mapping):
        raise SettingError(
            'compare takes configurations by name, such as {"adam": {"optimizer": "adam"}, "sgd": cr.SGD(0.1)}, '
            f"got {type(configurations).__name__}."
        )
    if len(configurations) < 2:
        raise SettingError(f"compare needs at least two configurations, got {len(configurations)}.")
    for name in configurations:
        if not isinstance(name, str) or not name:
            raise SettingError(f"The name of a configuration is a text, got {name!r}.")
    return configurations


def _settings_of(name: str, given: Any) -> dict[str, Any]:
    """Return what a configuration changes, as a member's settings."""
    if isinstance(given, Mapping):
        if "seed" in given:
            raise SettingError(f"Configuration {name!r} has a seed; all have the same ones: write seeds=[1, 2, 3].")
        return dict(given)
    for kind, setting in KINDS.items():
        if isinstance(given, kind):
            return {setting: given}
    raise SettingError(
        f"Configuration {name!r} is {given!r}; write which setting that is, such as "
        f'{{"optimizer": {given!r}}}, or give an optimizer, schedule, loss, network, augmentation or early stopping.'
    )


def listed_seeds(owner: str, given: Any, first: int) -> list[int]:
    """Return the seeds as a list: so many from the first on, or those given; at least two."""
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        seeds = list(range(first, first + int(given)))
    elif isinstance(given, Sequence | np.ndarray) and not isinstance(given, str):
        seeds = [int(seed) if isinstance(seed, int | np.integer) else seed for seed in given]
        if len(set(seeds)) < len(seeds):
            raise SettingError(f"seeds are to differ, so that the members do, got {seeds}.")
    else:
        raise SettingError(f"seeds is how many, such as 10, or which, such as [0, 1, 2], got {given!r}.")
    if len(seeds) < 2:
        raise SettingError(f"One seed says nothing about chance: {owner} needs at least 2 seeds, got {len(seeds)}.")
    return seeds


def metric_of(members: Sequence[Member], asked: str | None, tested: bool = False) -> str:
    """Return the metric to compare by; raises for one that will not be measured, before anything is trained."""
    parts = ["test_"] * tested + ["val_"] * all(member.validated for member in members) + [""]
    known = metrics.columns_of(members[0].job.recipe.task, parts)
    if asked is not None and asked not in known:
        raise unknown_name("metric", asked, known)
    return asked or known[0]


def _tested(run: Run, test: Any, metric: str) -> float:
    """Return a metric of a run's model on test data; NaN for one that diverged."""
    if run.stopped is not None and run.stopped.startswith("diverged"):
        return math.nan
    return run.evaluate(*test)[metrics.base_name(metric)]
