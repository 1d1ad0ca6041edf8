"""What is measured of a network: its names, which way is better, and how values are read. One entry in `METRICS` each.

A *column* of a history is a metric with the part before it that it was measured on: ``val_accuracy`` on the validation
data, ``test_loss`` on the test data, ``mae`` on the training data.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chainrule.display.numbers import number, percent
from chainrule.errors import unknown_name

Value = TypeVar("Value")  # a number or an array of them


@dataclass(frozen=True)
class Metric:
    """A measure of how good a network is.

    Attributes
    ----------
    name : in records and files
    smaller_is_better : whether it is a cost (loss, mae) and not a score (accuracy)
    label : its name in words
    is_fraction : whether its values lie between 0 and 1 and are read in percent

    >>> from chainrule.metrics import METRICS
    >>> METRICS["accuracy"].format(0.98765), METRICS["mae"].format(0.123456), METRICS["mae"].label
    ('98.77 %', '0.1235', 'mean absolute error')
    """

    name: str
    smaller_is_better: bool
    label: str
    is_fraction: bool = False

    def format(self, value: Any) -> str:
        """Return a value as people read it."""
        return percent(value) if self.is_fraction else number(value)

    def format_spread(self, value: Any) -> str:
        """Return a standard deviation of values as people read it."""
        return percent(value) if self.is_fraction else number(value, 2)

    def format_difference(self, value: float) -> str:
        """Return a difference of two values as people read it.

        >>> from chainrule.metrics import METRICS
        >>> METRICS["accuracy"].format_difference(0.0123), METRICS["loss"].format_difference(0.0123)
        ('1.23 points', '0.0123')
        """
        return f"{100 * value:.2f} points" if self.is_fraction else f"{value:.4g}"

    def cost(self, value: Value) -> Value:
        """Return a value by which smaller is always better: where larger is, its negative."""
        return value if self.smaller_is_better else -value  # type: ignore[operator]

    def improvement(self, before: Value, after: Value) -> Value:
        """Return by how much a value is better than one before it."""
        return self.cost(before) - self.cost(after)  # type: ignore[operator]

    def best(self, values: Sequence[float]) -> int | None:
        """Return the place of the first of the best values; None where none is finite.

        >>> from chainrule.metrics import METRICS
        >>> METRICS["accuracy"].best([0.5, float("nan"), 0.75]), METRICS["loss"].best([float("nan")])
        (2, None)
        """
        finite = [i for i, value in enumerate(values) if math.isfinite(value)]
        return min(finite, key=lambda i: self.cost(values[i]), default=None)

    def clip(self, value: float) -> float:
        """Return the possible value nearest to one that may be outside: a fraction lies between 0 and 1."""
        return min(max(value, 0.0), 1.0) if self.is_fraction else value


#: The loss, and the scores in the order in which they stand for how good a network is.
METRICS = {
    metric.name: metric
    for metric in (
        Metric("loss", True, "loss"),
        Metric("accuracy", False, "accuracy", is_fraction=True),
        Metric("mae", True, "mean absolute error"),
    )
}
SCORES = tuple(name for name in METRICS if name != "loss")

#: What the names of columns begin with, and the part of the data that it says.
PARTS = {"val_": "validation", "test_": "test"}


def metric_of(task: str) -> Metric:
    """Return the score that is measured for a task besides the loss."""
    return METRICS["mae" if task == "regression" else "accuracy"]


def columns_of(task: str, parts: Iterable[str]) -> list[str]:
    """Return the columns that are measured for a task on some parts, the most telling first.

    >>> columns_of("regression", ["val_", ""])
    ['val_mae', 'val_loss', 'mae', 'loss']
    """
    return [part + name for part in parts for name in (metric_of(task).name, "loss")]


def find(column: str) -> Metric:
    """Return the metric of a column, or raise `UnknownNameError` with those that there are.

    >>> find("val_mae").name
    'mae'
    """
    name = base_name(column)
    if name not in METRICS:
        raise unknown_name("metric", column, [*METRICS, *(f"val_{name}" for name in METRICS)])
    return METRICS[name]


def part_of(column: str) -> str:
    """Return the part of the data that a column was measured on.

    >>> part_of("val_loss"), part_of("test_loss"), part_of("loss")
    ('validation', 'test', 'training')
    """
    return next((part for prefix, part in PARTS.items() if column.startswith(prefix)), "training")


def base_name(column: str) -> str:
    """Return a column without its part."""
    return next((column.removeprefix(prefix) for prefix in PARTS if column.startswith(prefix)), column)


def label_of(column: str, training: str = "") -> str:
    """Return a column in words; ``training`` begins those of the training data.

    >>> label_of("val_mae"), label_of("accuracy"), label_of("accuracy", training="training ")
    ('validation mean absolute error', 'accuracy', 'training accuracy')
    """
    name = base_name(column)
    words = METRICS[name].label if name in METRICS else name
    return f"{training}{words}" if name == column else f"{part_of(column)} {words}"


def format_value(column: str, value: Any) -> str:
    """Return a value of a column as people read it; one that is no metric (``lr``) as a number.

    >>> format_value("val_accuracy", 0.5), format_value("r2", 0.123456), format_value("loss", None)
    ('50.00 %', '0.1235', 'not a number')
    """
    metric = METRICS.get(base_name(column))
    return number(value) if metric is None else metric.format(value)


def is_fraction(column: str) -> bool:
    """Return whether the values of a column lie between 0 and 1 and are read in percent."""
    name = base_name(column)
    return name in METRICS and METRICS[name].is_fraction


def score_in(columns: Collection[str], part: str = "") -> str | None:
    """Return the score besides the loss among columns of a part; None where there is none."""
    return next((part + name for name in SCORES if part + name in columns), None)


def preferred(columns: Collection[str]) -> str | None:
    """Return the column that stands for how good a network is: of the validation data before the training data, a
    score before the loss. None where there is no such column.

    >>> preferred(["loss", "accuracy", "val_loss", "val_accuracy"])
    'val_accuracy'
    """
    names = (*SCORES, "loss")
    return next((part + name for part in ("val_", "") for name in names if part + name in columns), None)
