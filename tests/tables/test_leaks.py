"""Warnings of leaks: they come where a column gives the target away, and not where a feature is merely good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.tables.infer import infer_columns
from chainrule.tables.leaks import ROWS, duplicates, format_duplicates, leaks
from chainrule.tables.read import read_table
from chainrule.tables.target import learn_target


def suspected(frame: pd.DataFrame, y: Any, task: str) -> list[str]:
    warnings = leaks(frame, infer_columns(frame, target_values=np.asarray(y)), np.asarray(y), task)
    return [warning.split("'")[1] if "'" in warning else warning for warning in warnings]


def test_columns_that_give_classes_away() -> None:
    rng = np.random.default_rng(0)
    n = 3 * ROWS
    y = rng.choice(["no", "yes"], n, p=[0.9, 0.1])
    frame = pd.DataFrame(
        {
            "noise": rng.standard_normal(n),
            "as_text": np.where(y == "yes", "closed", rng.choice(["open", "new"], n)),
            "as_number": np.where(y == "yes", 10.0, 0.0) + rng.random(n),
            "by_being_empty": [7.5 if rng.random() < 0.5 else 8.5 if label == "no" else None for label in y],
            "by_a_band": np.where(y == "yes", 1 + rng.random(n), rng.choice([0, 3], n) + rng.random(n)),
            "half": np.where((y == "yes") & (rng.random(n) < 0.5), 1, 0),
        }
    )
    frame["by_being_empty"] = np.where(y == "yes", np.nan, rng.random(n))
    assert suspected(frame, y, "classification") == ["as_text", "as_number", "by_being_empty", "by_a_band"]


def test_columns_that_give_numbers_away() -> None:
    rng = np.random.default_rng(1)
    y = rng.lognormal(size=500)
    frame = pd.DataFrame({"euros": y * 0.9, "good": y + 0.5 * rng.standard_normal(500), "noise": rng.random(500)})
    frame["rank"] = y.argsort().argsort() * 2.5
    assert suspected(frame, y, "regression") == ["euros", "rank"]


def test_of_many_columns_that_give_the_target_away_some_are_named() -> None:
    y = np.arange(100) % 2
    frame = pd.DataFrame({f"copy {i}": y * 2.5 for i in range(30)})
    warnings = leaks(frame, infer_columns(frame), y, "classification")
    assert len(warnings) == 11
    assert "20 more columns" in warnings[-1]


def test_columns_that_are_left_out_do_not_leak_and_few_rows_tell_nothing() -> None:
    y = np.arange(100) % 2
    frame = pd.DataFrame({"leak": y * 2.5, "other": np.arange(100) % 7})
    plan = infer_columns(frame, overrides={"leak": False})
    assert leaks(frame, plan, y, "classification") == []
    assert suspected(frame, y, "classification") == ["leak"]
    assert suspected(frame.iloc[:20], y[:20], "classification") == []


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_honest_features_are_not_suspected(name: str) -> None:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    assert suspected(bunch.data, bunch.target, "regression" if name == "diabetes" else "classification") == []


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("titanic", "Survived"),
        ("adult", "income"),
        ("penguins", "species"),
        ("california_housing", "median_house_value"),
    ],
)
def test_real_tables_are_not_suspected(data_dir: Path, name: str, target: str) -> None:
    frame = read_table(data_dir / "tables" / f"{name}.csv", nrows=5_000)
    labels, _ = learn_target(frame[target])
    assert suspected(frame.drop(columns=target), labels.read(frame[target]), labels.task) == []


def test_duplicates_across_the_split() -> None:
    train = pd.DataFrame({"x": [1.5, 2.5, None], "t": ["a", None, None], "d": pd.to_datetime(["2020-01-01"] * 3)})
    other = pd.concat([train.iloc[[2, 0]], train.iloc[[0]].assign(x=9.0)])
    assert duplicates(train, other) == 2
    text = read_table(pd.DataFrame({"x": ["1", "2"], "t": ["a", "b"]}))
    assert duplicates(text, text) == 2
    assert duplicates(text.iloc[:1], text.iloc[1:]) == 0
    assert "stands in the training rows, too: too few" in format_duplicates(1, 3_295, "test")
    assert "(0.03 %)" in format_duplicates(1, 3_295, "test")
    assert "(1.2 %) stand in the training rows, too: up to 1.2 %" in format_duplicates(40, 3_295, "test")
    assert "says little about new rows" in format_duplicates(1_000, 3_295, "test")
    assert "(100 %)" in format_duplicates(80, 80, "test")
    odd = pd.DataFrame({"x": [[1, 2], {"a": 1}]})
    assert duplicates(odd, odd.iloc[:1]) == 1
