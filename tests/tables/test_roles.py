"""Columns with a part to play in the split, as the target, or by what is said about them: which go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule import random
from chainrule.errors import ChainruleError, SettingError

KEY = random.key(0)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=60),
            "z": rng.normal(size=60),
            "patient": [f"p{i % 12}" for i in range(60)],
            "day": np.arange(60) // 2,
            "part": ["train"] * 40 + ["validation"] * 10 + ["test"] * 10,
            "y": np.tile(["yes", "no"], 30),
        }
    )


@pytest.mark.parametrize("role", ["group", "time", "split"])
def test_rows_are_not_split_by_the_target(frame: pd.DataFrame, role: str) -> None:
    with pytest.raises(SettingError, match=rf"{role}='y' names the target"):
        cr.Table.read(frame, "y").prepare(**{role: "y"}, key=KEY)


def test_rows_are_not_folded_by_the_target(frame: pd.DataFrame) -> None:
    with pytest.raises(SettingError, match="names the target"):
        cr.cross_validate(cr.mlp([4, 2]), cr.Table.read(frame, "y"), groups="y", folds=2)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"group": "day", "time": "day"}, "group and time"),
        ({"group": "patient", "split": "part"}, "group and split"),
        ({"time": "day", "split": "part"}, "time and split"),
        ({"group": "nobody"}, "no column 'nobody'"),
    ],
)
def test_rows_are_split_in_one_way(frame: pd.DataFrame, roles: Any, words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        cr.Table.read(frame, "y").prepare(**roles, key=KEY)


@pytest.mark.parametrize("role", [{"group": "patient"}, {"split": "part"}])
def test_what_is_said_of_a_column_that_is_no_input_is_an_error(frame: pd.DataFrame, role: dict[str, str]) -> None:
    (name,) = role.values()
    with pytest.raises(SettingError, match="no input"):
        cr.Table.read(frame, "y", columns={name: "category"}).prepare(**role, key=KEY)


@pytest.mark.parametrize("asked", [False, "ignore", {"use": False}])
@pytest.mark.parametrize("role", [{"group": "patient"}, {"time": "day"}, {"split": "part"}])
def test_a_column_that_splits_the_rows_may_be_left_out_of_the_inputs(
    frame: pd.DataFrame, role: dict[str, str], asked: Any
) -> None:
    (name,) = role.values()
    prepared = cr.Table.read(frame, "y", columns={name: asked}).prepare(**role, test=0.2, key=KEY)
    assert not any(title.startswith(name) for title in prepared.data.feature_names or ())
    assert len(prepared.rows.test) == (10 if name == "part" else 12) or name == "patient"


def test_a_column_called_split_that_is_left_out_splits_nothing(frame: pd.DataFrame) -> None:
    frame = frame.rename(columns={"part": "split"})
    assert cr.Table.read(frame, "y").prepare(key=KEY).rows.test.tolist() == list(range(50, 60))
    prepared = cr.Table.read(frame, "y", columns={"split": False}).prepare(test=0.2, key=KEY)
    assert prepared.rows.test.tolist() != list(range(50, 60))
    assert len(prepared.rows.test) == 12
    assert not any("split" in title for title in prepared.data.feature_names or ())


@pytest.mark.parametrize("asked", [False, "category", {"kind": "number"}])
def test_nothing_is_said_of_the_target_as_a_column(frame: pd.DataFrame, asked: Any) -> None:
    with pytest.raises(SettingError, match="is the target and no input"):
        cr.Table.read(frame, "y", columns={"y": asked})


def test_a_name_of_no_column_is_an_error_whatever_splits_the_rows(frame: pd.DataFrame) -> None:
    with pytest.raises(ChainruleError, match="'pateint'"):
        cr.Table.read(frame, "y", columns={"pateint": False}).prepare(group="patient", key=KEY)


def plain_frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"size": rng.normal(5000, 900, 60), "age": rng.normal(40, 9, 60), "y": np.tile(["a", "b"], 30)})


def test_numbers_of_a_table_stay_as_they_are_if_nothing_is_to_be_normalized() -> None:
    table = cr.Table.read(plain_frame(), "y", columns={"age": {"scale": "min_max"}})
    words: dict[str, Any] = {"epochs": 1, "engine": "numpy", "progress": False, "normalize": False}
    row = table.frame[["age", "size"]][:5]
    for run in (
        cr.fit(cr.mlp([2, 2]), table, **words),
        cr.fit_population(cr.mlp([2, 2]), table, 2, **words)[1],
    ):
        inputs = run.model.prepare(row)
        sizes, ages = sorted(np.asarray(inputs).T, key=lambda column: -abs(column).max())
        np.testing.assert_allclose(sizes, row["size"], rtol=1e-5)
        assert ages.max() <= 1.0


def test_numbers_of_a_data_frame_stay_as_they_are_in_an_estimator() -> None:
    frame = plain_frame()
    x = frame[["size", "age"]]
    for normalize in (False, True):
        model = cr.NetClassifier(epochs=1, engine="numpy", normalize=normalize).fit(x, frame["y"])
        largest = float(abs(np.asarray(model.model_.prepare(x))).max())
        assert largest > 5000 if not normalize else largest < 10
