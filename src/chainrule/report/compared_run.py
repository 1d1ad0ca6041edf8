"""One of several runs that are compared: how good it is, and on which rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainrule.display.numbers import is_number
from chainrule.metrics import Metric, find, score_in
from chainrule.report.findings import Curves
from chainrule.runs.members import Members
from chainrule.training.record import Record


@dataclass(frozen=True)
class Score:
    """How good a run is.

    Attributes
    ----------
    column : what was measured, such as ``accuracy`` or ``val_accuracy``
    value : of the weights that were kept; of several networks their mean
    low, high : its 95 % interval, of one network over rows, of several over networks; NaN where none is known
    rows : which rows, such as ``test`` or ``validation``
    of : what the figure is of, in words
    """

    column: str
    value: float
    low: float
    high: float
    rows: str
    of: str

    @property
    def metric(self) -> Metric:
        """What was measured."""
        return find(self.column)

    def __str__(self) -> str:
        """Return the value, with its interval."""
        interval = ""
        if math.isfinite(self.low):
            interval = f" ({self.metric.format(self.low)} to {self.metric.format(self.high)})"
        return f"{self.metric.format(self.value)}{interval}"


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs: its name among them, and what its folder holds."""

    name: str
    record: Record
    evaluation: Mapping[str, Any]
    members: Members | None

    @cached_property
    def curves(self) -> Curves:
        """What was measured after each epoch."""
        return Curves(self.record.epochs, self.record.kept_epoch)

    @property
    def networks(self) -> int:
        """The number of networks that were trained."""
        return 1 if self.members is None else len(self.members.all)

    @property
    def seconds(self) -> float:
        """The seconds of training of all networks together; NaN where it is not known."""
        epochs = [self.record.epochs] if self.members is None else self.members.epochs
        values = [float(v) for records in epochs for record in records if (v := record.get("seconds")) is not None]
        return math.fsum(values) if values else math.nan

    @cached_property
    def score(self) -> Score | None:
        """How good it is, on the rows that judge it best: the test's, else those of the validation; None: unknown."""
        members, evaluation = self.members, self.evaluation
        if members is not None:
            tested = f"test_{members.score}"
            has_test = members.kind == "seeds" and any(is_number(m["scores"].get(tested)) for m in members.all)
            column = tested if has_test else members.metric
            summary = members.summary(column)
            low, high = (find(column).clip(v) if math.isfinite(v) else math.nan for v in (summary.low, summary.high))
            rows = "test" if has_test else "fold" if members.kind == "folds" else "validation"
            return Score(column, summary.mean, low, high, rows, f"{rows} rows, mean of {self.networks} networks")
        if evaluation:
            interval = evaluation.get("interval") or {}
            facts = (evaluation["metrics"].get(evaluation["score"]), interval.get("low"), interval.get("high"))
            value, low, high = (math.nan if v is None or not is_number(v) else float(v) for v in facts)
            rows = str(evaluation["part"])
            return Score(evaluation["score"], value, low, high, rows, f"{evaluation['judged_rows']:,} {rows} rows")
        metrics = self.record.metrics
        judged_by = score_in(metrics, "val_") or "val_loss"
        if not is_number(metrics.get(judged_by)):
            return None
        return Score(judged_by, float(metrics[judged_by]), math.nan, math.nan, "validation", "validation rows")

    @property
    def rows(self) -> object:
        """What says on which rows it was trained and judged: equal of two runs that had the same."""
        facts = dict(self.record.result.get("data") or {})
        place = facts.pop("place", self.record.config.get("data"))
        return (
            *(str(place), tuple(sorted(facts.items())), self.evaluation.get("judged_rows")),
            *(str(self.record.config.get(name)) for name in ("test", "folds", "validation", "target")),
        )


def is_one_measure(runs: Sequence[ComparedRun]) -> bool:
    """Return whether every run has a score, of the same metric and the same kind of rows."""
    kinds = {None if run.score is None else (run.score.metric.name, run.score.rows) for run in runs}
    return len(kinds) == 1 and None not in kinds
