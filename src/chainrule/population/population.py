"""The result of training many networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import metrics
from chainrule.display.text import Text
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series, line
from chainrule.draw.notebook import cell
from chainrule.errors import SettingError, unknown_name
from chainrule.models import Model
from chainrule.models.averaging import ensemble
from chainrule.population.member import Member
from chainrule.statistics import Summary, summary
from chainrule.training.run import Run


class Population(Sequence[Run]):
    """Many finished runs: ``population[i]`` is the `Run` of member i, as `fit` would have given it.

    Attributes
    ----------
    members : for each what makes it different, with its seed

    >>> import chainrule as cr
    >>> runs = cr.fit_population(cr.Dense(3, "softmax"), cr.data.load("iris"), 4, validation=0.2, progress=False)
    >>> len(runs), runs.statistics("val_accuracy").n
    (4, 4)
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = list(members)
        self._runs: list[Run | None] = [None] * len(self._members)
        self.members: list[Mapping[str, Any]] = [member.differences for member in members]

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(len(self))[i]]
        run = self._runs[i]
        if run is None:
            run = self._runs[i] = self._members[i].run()
        return run

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Run]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        score = ""
        if (metric := self._metric(None)) is not None:
            score = f", {metric} {self.statistics(metric)}"
        return f"Population({len(self)} members{score})"

    def scores(self, metric: str | None = None) -> np.ndarray:
        """Return a metric of each member at the epoch whose weights it has: with early stopping the best, otherwise the
        last.

        NaN for a member that diverged. Without a name: the accuracy, or mean absolute error, on the validation data;
        on the training data if there is no validation.
        """
        name = self._metric(metric)
        if name is None:
            return np.full(len(self), np.nan)
        scores = []
        for member in self._members:
            measured = member.metrics
            if measured and name not in measured:
                raise unknown_name("metric", name, measured)
            scores.append(measured.get(name, math.nan))
        return np.array(scores)

    def statistics(self, metric: str | None = None) -> Summary:
        """Return mean, standard deviation and interval of a metric over the members; without a name as in `scores`."""
        return summary(self.scores(metric))

    def summary(self) -> Text:
        """Return each metric over the members, and the best of them, to print."""
        diverged = sum(member.diverged for member in self._members)
        lines = [f"{len(self)} members" + (f", {diverged} of which diverged" if diverged else "")]
        for name in dict.fromkeys(name for member in self._members for name in member.metrics):
            best = metrics.find(name).best((scores := self.scores(name)).tolist())
            at = "" if best is None else f", best {metrics.format_value(name, scores[best])} (member {best})"
            lines.append(f"{name} {self.statistics(name)}{at}")
        return Text("\n".join(lines))

    @property
    def best(self) -> Run:
        """The run of the best member by the metric that `scores` takes; raises `SettingError` if all diverged."""
        return self.best_by(None)

    def best_by(self, metric: str | None) -> Run:
        """Return the run of the best member by a metric; raises `SettingError` if all diverged."""
        name = self._metric(metric)
        scores = self.scores(name)
        best = None if name is None else metrics.find(name).best(scores.tolist())
        if best is None:
            raise SettingError(f"All {len(self)} members diverged: there is no best one. Try smaller learning rates.")
        run: Run = self[best]
        return run

    def ensemble(self) -> Model:
        """Return one model that averages those of all members that did not diverge (see `chainrule.ensemble`)."""
        if all(member.diverged for member in self._members):
            raise SettingError(f"All {len(self)} members diverged: there is nothing to average.")
        return ensemble(self)

    def _repr_html_(self) -> str:
        """Return the metrics over the members for a notebook, and the curves: their mean, and the span of all."""
        histories = [member.history for member in self._members if len(member.history)]
        columns = histories[0].columns if histories else []
        drawn = []
        for name in (column for column in columns if column in metrics.METRICS or column == "loss"):
            parts = [(name, "training", 0.5), (f"val_{name}", "validation", 1.0)]
            there = [part for part in parts if part[0] in columns]
            series = [_band(label, first, [h[column] for h in histories]) for column, label, first in there]
            y = Axis("", log=None) if name == "loss" else Axis("", percent=metrics.is_fraction(name))
            x = Axis("epoch", whole=True, low=0.0, high=float(max(map(len, histories))))
            note = f"The mean of {len(histories):,} members; band: the lowest and the highest."
            drawn.append(line(name, metrics.label_of(name).capitalize(), series, x, y, note=note))
        return cell(*str(self.summary()).splitlines(), *drawn)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame with one row for each epoch of each member."""
        import pandas as pd

        rows = [{"member": i, **record} for i, m in enumerate(self._members) for record in m.history]
        return pd.DataFrame(rows)

    def _metric(self, name: str | None) -> str | None:
        """Return the metric asked for, or the one that fits; None if no member has come to the end of an epoch."""
        if name is not None:
            return name
        columns = next((m.history.columns for m in self._members if len(m.history)), [])
        return metrics.preferred(columns)


def _band(label: str, first: float, curves: Sequence[Sequence[float]]) -> Series:
    """Return the mean of curves after each epoch that any of them came to, and their span."""
    epochs = range(max(map(len, curves)))
    there = [np.array([curve[at] for curve in curves if at < len(curve)], float) for at in epochs]
    mean, low, high = ([float(of(values)) for values in there] for of in (np.mean, np.min, np.max))
    return Series(label, [first + at for at in epochs], mean, low=low, high=high)
