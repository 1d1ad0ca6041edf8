"""`compare`: does one way of training beat another, or is it chance? Many seeds each, paired."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule import metrics
from chainrule.augment import Augmentation
from chainrule.checks import check_name
from chainrule.display.text import Text
from chainrule.display.text_table import text_table
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series, line
from chainrule.draw.notebook import cell, table
from chainrule.errors import SettingError
from chainrule.fields import passes_settings
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.optimizers import Optimizer
from chainrule.population.member import Member
from chainrule.population.pairs import Pair, compare_pairs
from chainrule.population.population import Population
from chainrule.population.seeds import list_seeds
from chainrule.population.show import progress as show_progress
from chainrule.population.trainer import PopulationTrainer
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.recipe.run_data import pair_of
from chainrule.run_settings import PopulationSettings
from chainrule.schedules import Schedule
from chainrule.statistics import LEVEL, Summary, check_confidence, format_to_uncertainty, percent, summary
from chainrule.training.run import Run

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


@passes_settings(PopulationSettings, without=("out", "resume", "config"))
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
    t = d̄ / (std(d) / √n); p values and intervals hold for all pairs together (Holm, 1979). The chance that is
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
        ``(x, y)`` or a `Dataset` to evaluate trained models on, as ``test_accuracy``, ``test_mae`` or ``test_loss``.

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
    >>> result = cr.compare(
    ...     {"small rate": cr.SGD(0.001), "large rate": cr.SGD(0.5)},
    ...     cr.Dense(3, "softmax"), cr.data.load("iris"), seeds=4, epochs=3, validation=0.3, progress=False)
    >>> result.pairs[0].better, result.summaries["large rate"].n
    ('large rate', 4)
    """
    check_confidence(confidence)
    changes = {name: _settings_of(name, value) for name, value in _check_configurations(configurations).items()}
    seeds = list_seeds("compare", seeds, settings.pop("seed", 0))
    held_out = None if test is None else pair_of(test, "test is (x, y) or a Dataset")
    progress = settings.pop("progress", True)
    trainer = PopulationTrainer(net, data, **settings)
    members = trainer.add_members(
        [configuration | {"seed": seed} for configuration in changes.values() for seed in seeds]
    )
    metric = compared_metric(members, metric, tested=held_out is not None)
    with show_progress(members, progress) as watch:
        trainer.train(members, watch=watch)
    n = len(seeds)
    runs = {name: Population(members[i * n : (i + 1) * n]) for i, name in enumerate(changes)}
    if metric.startswith("test_"):
        values = {name: [_test_score(run, held_out, metric) for run in population] for name, population in runs.items()}
    else:
        values = {name: population.scores(metric).tolist() for name, population in runs.items()}
    return Comparison(metric, tuple(seeds), values, runs, changes, confidence)


class Comparison:
    """The result of `compare`: ``print`` it.

    Attributes
    ----------
    metric : what was compared
    seeds : the seeds, the same for every configuration
    runs : for each configuration its `Population`, one run per seed
    configurations : for each the settings that were given
    values : for each the metric of its runs; NaN for those that diverged
    summaries : for each the `Summary` of these: mean, std, interval
    pairs : every two configurations compared, `Pair`
    confidence : of the intervals

    >>> import chainrule as cr
    >>> result = cr.compare({"a": {"l2": 0.0}, "b": {"l2": 0.0}}, cr.Dense(3, "softmax"), cr.data.load("iris"),
    ...                    seeds=2, epochs=1, progress=False)
    >>> print(result.pairs[0])
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
        self.values = {name: tuple(measured) for name, measured in values.items()}
        self.runs = dict(runs)
        self.configurations = configurations
        self.summaries: dict[str, Summary] = {name: summary(measured, confidence) for name, measured in values.items()}
        self.pairs: tuple[Pair, ...] = compare_pairs(self.values, metrics.find(metric).smaller_is_better, confidence)

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.values)}; {self.metric}, {len(self.seeds)} seeds)"

    @property
    def best(self) -> Run:
        """The best run of the configuration with the best mean; raises `SettingError` if all diverged."""
        name = self.best_configuration
        best = metrics.find(self.metric).best(self.values[name])
        if best is None:
            raise SettingError("All runs diverged: there is no best one. Try smaller learning rates.")
        run: Run = self.runs[name][best]
        return run

    @property
    def best_configuration(self) -> str:
        """The configuration with the best mean; another may be as good (see ``pairs``)."""
        best = metrics.find(self.metric).best([summed.mean for summed in self.summaries.values()])
        return list(self.summaries)[best or 0]

    def pair(self, first: str, second: str) -> Pair:
        """Return the comparison of two configurations, as it is in ``pairs``."""
        for name in (first, second):
            check_name("configuration", name, self.values)
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair
        raise SettingError(f"A pair has two configurations, got {first!r} twice.")

    def summary(self) -> Text:
        """Return a table of the configurations, and every two of them compared, to print."""
        return Text(self)

    def __str__(self) -> str:
        goal = "smaller" if metrics.find(self.metric).smaller_is_better else "larger"
        on = " (on the training data)" if "_" not in self.metric else ""
        lines = [f"{self.metric}{on}, {goal} is better, {len(self.seeds)} seeds", ""]
        head = ["", "mean", "std", f"{percent(self.confidence)} interval", "diverged"]
        rows = text_table([head, *self._rows()], drop_empty=True)
        return "\n".join([*lines, rows, "", *map(str, self.pairs)])

    def _repr_html_(self) -> str:
        """Return the table, every two compared, and the curves with their intervals for a notebook."""
        goal = "smaller" if metrics.find(self.metric).smaller_is_better else "larger"
        about = f"{self.metric}, {goal} is better, {len(self.seeds)} seeds"
        rows = table(["", "mean", "std", f"{percent(self.confidence)} interval", "diverged"], self._rows())
        curves = self.curves()
        series = [
            Series(name, of["epoch"].tolist(), *(of[side].tolist() for side in ("mean", "low", "high")))
            for name, of in curves.groupby("configuration", sort=False)
        ]
        y = Axis("", percent=metrics.is_fraction(self.metric))
        note = f"Mean over the seeds; band: its {percent(self.confidence)} interval."
        title = metrics.label_of(metrics.base_name(self.metric)).capitalize()
        drawn = [line("comparison", title, series, Axis("epoch", whole=True), y, note=note)] if series else []
        return cell(about, rows, *map(str, self.pairs), *drawn)

    def _rows(self) -> list[list[str]]:
        rows = []
        scale = min((each.std for each in self.summaries.values() if each.std > 0), default=math.nan)
        for name, each in self.summaries.items():
            figures = format_to_uncertainty(each.mean, each.std, each.low, each.high, scale=scale)
            mean, std, low, high = (text if text != "nan" else "" for text in figures)
            diverged = f"{each.failed} of {len(each.values)}" if each.failed else ""
            rows.append([name, mean, std, f"{low} to {high}" if low else "", diverged])
        return rows

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row per configuration and seed: the metric, and why training ended early, if it
        did.

        >>> import chainrule as cr
        >>> result = cr.compare({"a": cr.SGD(0.1), "b": cr.SGD(0.2)}, cr.Dense(3, "softmax"), cr.data.load("iris"),
        ...                    seeds=2, epochs=1, progress=False)
        >>> list(result.to_pandas().columns)
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
        >>> result = cr.compare({"a": cr.SGD(0.1), "b": cr.SGD(0.2)}, cr.Dense(3, "softmax"), cr.data.load("iris"),
        ...                    seeds=2, epochs=3, progress=False)
        >>> result.curves("loss").shape
        (6, 6)
        """
        import pandas as pd

        columns = list(
            dict.fromkeys(itertools.chain(*(r.history.columns for runs in self.runs.values() for r in runs)))
        )
        if metric is None:
            plain = metrics.base_name(self.metric)
            metric = next((m for m in (self.metric, f"val_{plain}", plain) if m in columns), plain)
        check_name("metric", metric, columns)
        rows = []
        for name, runs in self.runs.items():
            curves = [run.history[metric] for run in runs if len(run.history)]
            for epoch in range(max(map(len, curves), default=0)):
                mean = summary([values[epoch] for values in curves if epoch < len(values)], self.confidence)
                rows.append([name, epoch + 1, mean.mean, mean.low, mean.high, mean.n])
        return pd.DataFrame(rows, columns=["configuration", "epoch", "mean", "low", "high", "n"])


def _check_configurations(configurations: Any) -> Mapping[str, Any]:
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


def _settings_of(name: str, value: Any) -> dict[str, Any]:
    """Return what a configuration changes, as the differences of a member."""
    if isinstance(value, Mapping):
        if "seed" in value:
            raise SettingError(f"Configuration {name!r} has a seed; all have the same ones: write seeds=[1, 2, 3].")
        return dict(value)
    for kind, setting in KINDS.items():
        if isinstance(value, kind):
            return {setting: value}
    raise SettingError(
        f"Configuration {name!r} is {value!r}; write which setting that is, such as "
        f'{{"optimizer": {value!r}}}, or give an optimizer, schedule, loss, network, augmentation or early stopping.'
    )


def compared_metric(members: Sequence[Member], metric: str | None, tested: bool = False) -> str:
    """Return the metric to compare by; raises for one that will not be measured, before anything is trained."""
    parts = ["test_"] * tested + ["val_"] * all(member.validated for member in members) + [""]
    known = metrics.columns_of(members[0].prepared_run.recipe.task, parts)
    if metric is not None:
        check_name("metric", metric, known)
    return metric or known[0]


def _test_score(run: Run, data: Any, metric: str) -> float:
    """Return a metric of a run's model on test data; NaN for one that diverged."""
    if run.outcome.diverged:
        return math.nan
    return run.evaluate(*data)[metrics.base_name(metric)]
