"""Which rows go where: disjoint, complete, in proportion, and the same for the same key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import random
from chainrule.errors import DataError, SettingError
from chainrule.tables.split import Split, split_rows

KEY = random.key(3)


def check(split: Split, n: int) -> None:
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert len(split.train)


def same(a: Split, b: Split) -> bool:
    return all(np.array_equal(getattr(a, p), getattr(b, p)) for p in ("train", "validation", "test"))


@given(st.integers(5, 200), st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=60)
def test_random_parts_have_their_sizes_and_share_no_row(n: int, v: float, t: float, classes: int, seed: int) -> None:
    y = np.random.default_rng(seed).integers(0, classes, n)
    try:
        split = split_rows(n, y, validation=v, test=t, key=random.key(seed))
    except DataError as error:
        assert "no row would be left" in str(error) or "less than one row" in str(error)  # noqa: PT017
        return
    check(split, n)
    assert len(split.test) == int(n * t + 0.5)
    assert len(split.validation) == int(n * v + 0.5)


def test_classes_keep_their_shares_and_single_members_train() -> None:
    y = ["a"] * 700 + ["b"] * 298 + ["single"] + ["c"]
    split = split_rows(1000, y, validation=0.1, test=0.2, key=KEY)
    y = np.array(y)
    for part, share in ((split.validation, 0.1), (split.test, 0.2), (split.train, 0.7)):
        assert abs((y[part] == "a").sum() - 700 * share) <= 2
        assert abs((y[part] == "b").sum() - 298 * share) <= 2
    assert {998, 999} <= set(split.train.tolist())


def test_the_key_decides_and_nothing_else() -> None:
    y = np.arange(100) % 3
    assert same(split_rows(100, y, key=KEY), split_rows(100, y.astype(str), key=KEY))
    assert not same(split_rows(100, y, key=KEY), split_rows(100, y, key=random.key(4)))
    assert same(split_rows(100, key=KEY), split_rows(100, np.linspace(0, 1, 100), key=KEY))


def test_a_share_of_zero_leaves_a_part_empty() -> None:
    split = split_rows(10, validation=0, test=0.3, key=KEY)
    check(split, 10)
    assert (len(split.validation), len(split.test)) == (0, 3)
    assert len(split_rows(3, validation=0, test=0, key=KEY).train) == 3


@given(st.lists(st.integers(0, 12), min_size=3, max_size=120), st.integers(0, 99))
@settings(max_examples=80)
def test_groups_stay_whole(groups: list[int], seed: int) -> None:
    if len(set(groups)) < 3:
        with pytest.raises(DataError, match=r"groups, and each part needs one"):
            split_rows(len(groups), group=groups, validation=0.2, test=0.34, key=random.key(seed))
        return
    split = split_rows(len(groups), group=groups, validation=0.2, test=0.34, key=random.key(seed))
    check(split, len(groups))
    of = np.array(groups)
    seen = [set(of[p].tolist()) for p in (split.train, split.validation, split.test)]
    assert all(seen)
    assert sum(map(len, seen)) == len(set(groups))


def test_many_groups_give_sizes_close_to_what_was_asked() -> None:
    groups = np.random.default_rng(0).integers(0, 200, 2000)
    split = split_rows(2000, group=[f"g{i}" for i in groups], validation=0.1, test=0.2, key=KEY)
    assert abs(len(split.test) - 400) <= 10
    assert abs(len(split.validation) - 200) <= 10
    other = split_rows(2000, group=groups, validation=0.1, test=0.2, key=random.key(9))
    assert not np.array_equal(split.test, other.test)


@given(st.lists(st.integers(0, 30), min_size=5, max_size=100))
@settings(max_examples=80)
def test_the_latest_rows_are_the_test_and_ties_stay_together(times: list[int]) -> None:
    if len(set(times)) < 3:
        with pytest.raises(DataError, match=r"different times, and each part needs one"):
            split_rows(len(times), time=times, validation=0.2, test=0.2, key=KEY)
        return
    split = split_rows(len(times), time=times, validation=0.2, test=0.2, key=KEY)
    check(split, len(times))
    of = np.array(times)
    assert of[split.train].max() < of[split.validation].min() <= of[split.validation].max() < of[split.test].min()


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(pd.date_range("2020-01-01", periods=10)[::-1]),
        pd.Series([f"2020-01-{31 - i}" for i in range(10)]),
        pd.Series([f"{31 - i}/01/2020" for i in range(10)]),
        pd.Series([f"{100 - i}" for i in range(10)]),
        np.arange(10)[::-1],
    ],
    ids=["dates", "ISO text", "day first", "numbers as text", "numbers"],
)
def test_times_are_read_as_they_come(times: Any) -> None:
    split = split_rows(10, time=times, validation=0.2, test=0.3, key=KEY)
    assert split.test.tolist() == [0, 1, 2]
    assert split.validation.tolist() == [3, 4]


def test_a_column_can_name_the_parts() -> None:
    names = ["Train", "val", " test", "dev", "training", "valid", "validation", "testing", "train"]
    split = split_rows(9, column=pd.Series(names), key=KEY)
    assert split.train.tolist() == [0, 4, 8]
    assert split.validation.tolist() == [1, 3, 5, 6]
    assert split.test.tolist() == [2, 7]


def test_validation_is_drawn_from_train_where_the_column_has_none() -> None:
    names = np.where(np.arange(100) < 60, "train", "test")
    y = np.arange(100) % 2
    split = split_rows(100, y, column=names, validation=0.1, key=KEY)
    check(split, 100)
    assert split.test.tolist() == list(range(60, 100))
    assert len(split.validation) == 10
    assert y[split.validation].sum() == 5
    # Nothing that the test rows hold has an influence.
    noise = np.where(np.arange(100) < 60, y, 7)
    assert same(split, split_rows(100, noise, column=names, validation=0.1, key=KEY))
    assert len(split_rows(100, y, column=names, validation=0, key=KEY).validation) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"column": ["train", "trian", "test"]}, DataError, "says 'trian' in row 1, which names no part"),
        ({"column": ["train", None, "test"]}, DataError, "no part: in row 1 it is empty"),
        ({"column": ["test", "test", "test"]}, DataError, "no row for training"),
        ({"column": ["train", "test", "test"]}, DataError, "one row for training"),
        ({"group": ["a", "", "b"]}, DataError, "1 row has no group: in row 1 it is empty"),
        (
            {"time": pd.Series([1, None, 3], name="when")},
            DataError,
            "no time in the column 'when': in row 1 it is empty",
        ),
        ({"time": ["2020-01-01", "soon", "2020-01-02"]}, DataError, "is 'soon', neither a number nor a date"),
        ({"group": [1, 2]}, DataError, "has 2 values, and there are 3 rows"),
        ({"group": [1, 2, 3], "time": [1, 2, 3]}, SettingError, "one of group, time and column, got group and time"),
        ({"validation": 0.6, "test": 0.4}, SettingError, "leave no rows for training"),
        ({"validation": 1.5}, SettingError, "validation must be a fraction"),
        ({"test": True}, SettingError, "test must be a fraction"),
        ({"validation": 0.1}, DataError, "less than one row"),
        ({"validation": 0.49, "test": 0.5}, DataError, "too few"),
    ],
)
def test_bad_splits(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        split_rows(3, **{"validation": 0.34, "test": 0.34, **arguments}, key=KEY)
