"""Metrics: one entry says how a metric is named, compared and read everywhere."""

from __future__ import annotations

import math

import pytest

import chainrule as cr
from chainrule import metrics
from chainrule.metrics import METRICS
from chainrule.statistics import summary


@pytest.mark.parametrize(
    ("columns", "best"),
    [
        (["loss", "accuracy", "val_loss", "val_accuracy"], "val_accuracy"),
        (["loss", "mae"], "mae"),
        (["loss", "val_loss"], "val_loss"),
        (["lr"], None),
    ],
)
def test_validation_stands_before_training_and_a_score_before_the_loss(columns: list[str], best: str | None) -> None:
    assert metrics.preferred(columns) == best


def test_the_best_value_is_the_largest_score_and_the_smallest_cost() -> None:
    values = [math.nan, 0.25, 0.75, math.inf]
    assert (METRICS["accuracy"].best(values), METRICS["mae"].best(values)) == (2, 1)
    assert METRICS["accuracy"].improvement(0.5, 0.75) == METRICS["loss"].improvement(0.75, 0.5) == 0.25


@pytest.mark.parametrize("column", ["val_mae", "test_mae", "mae"])
def test_a_part_changes_neither_direction_nor_format(column: str) -> None:
    assert metrics.find(column).smaller_is_better
    assert metrics.format_value(column, 0.12345678) == "0.1235"


def test_an_unknown_metric_names_those_that_there_are() -> None:
    with pytest.raises(cr.errors.UnknownNameError, match="val_accuracy"):
        metrics.find("val_acuracy")


def test_an_interval_of_fractions_stays_between_0_and_1() -> None:
    assert "to 100.00 %" in summary([0.9, 1.0, 1.0]).format(METRICS["accuracy"])
