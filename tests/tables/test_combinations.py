"""Sums of columns that are the target, or decide its class, are found; honest features are not suspected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.tables.infer import infer_columns
from chainrule.tables.leaks import leaks

N = 800


def bikes(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "casual": rng.poisson(40 * rng.random(n)) + 1,
            "registered": rng.poisson(60 * rng.random(n)) + 1,
            "wind": rng.normal(size=n),
            "start": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
        }
    )


def together(frame: pd.DataFrame, y: Any, task: str) -> list[str]:
    """Warnings of several columns."""
    y = np.asarray(y)
    return [note for note in leaks(frame, infer_columns(frame, target_values=y), y, task) if " columns" in note]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: f.casual + f.registered, "sum of columns: casual + registered (R² 1.0000)"),
        (lambda f: f.casual - 2.5 * f.registered + 1000, "casual - 2.5 × registered +1000"),
        (lambda f: f.casual * f.registered, "product of columns: casual × registered"),
        (lambda f: f.registered / f.casual, "product of columns: 1 / casual × registered"),
        (lambda f: (f.end - f.start).dt.days, "sum of columns: -start + end"),
    ],
    ids=["sum", "difference", "product", "ratio", "duration"],
)
def test_a_number_that_a_few_columns_make_up(make: Any, words: str) -> None:
    frame = bikes()
    frame["end"] = frame["start"] + pd.to_timedelta(np.random.default_rng(1).integers(1, 90, N), unit="D")
    frame.loc[::7, "wind"] = np.nan  # a gap elsewhere hides nothing
    (note,) = together(frame, make(frame).astype(float), "regression")
    assert words in note


def test_a_class_that_a_threshold_on_a_sum_decides() -> None:
    frame = bikes()
    (note,) = together(frame, np.where(frame.casual + frame.registered > 60, "full", "calm"), "classification")
    assert "casual" in note
    assert "registered" in note
    assert "wind" not in note
    grade = np.array(["low", "middle", "high"])[np.digitize(frame.casual + frame.registered, [30, 60])]
    assert len(together(frame, grade, "classification")) == 1


def test_what_is_merely_good_is_not_suspected() -> None:
    frame, noise = bikes(), np.random.default_rng(2).normal(size=N)
    total = frame.casual + frame.registered
    assert together(frame, total + noise, "regression") == []
    assert together(frame, np.where(total + noise > 60, "full", "calm"), "classification") == []
    wide = pd.DataFrame(np.random.default_rng(3).normal(size=(80, 70))).add_prefix("x")
    assert together(wide, noise[:80], "regression") == []  # as many columns as rows fit anything
    assert together(wide, np.where(noise[:80] > 0, "a", "b"), "classification") == []
