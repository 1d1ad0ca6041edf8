"""Which texts stand for missing values: those of a file that cannot be classes, or those that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule import random
from chainrule.errors import DataError, SettingError
from chainrule.tables.infer import infer_columns
from chainrule.tables.inspection import inspect_table
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.read import read_table
from chainrule.tables.target import learn_target
from chainrule.tables.values import values_of

KEY = random.key(0)


def file_of(folder: Path, header: str, rows: list[str]) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("labels", [["+", "-"], ["+", "-", "0"], ["++", "+", "-", "--"], ["!", "?"], ["*", "-", "x"]])
def test_a_sign_beside_other_signs_is_a_class(labels: list[str], tmp_path: Path) -> None:
    path = file_of(tmp_path, "a,y", [f"{i % 7},{labels[i % len(labels)]}" for i in range(60)])
    assert cr.Table.read(path, "y").prepare(key=KEY).data.classes == tuple(sorted(labels))
    frame = read_table(path)
    column = infer_columns(frame)[1]
    assert values_of(frame["y"], column).tolist() == frame["y"].tolist()


def test_what_is_taken_for_missing_is_named_with_its_count(tmp_path: Path) -> None:
    path = file_of(
        tmp_path, "a,land,y", [f"{i % 7},{['NA', 'DE', '?'][i % 3]},{['NA', 'DE', 'FR'][i % 3]}" for i in range(60)]
    )
    notes = cr.Table.read(path, "y").prepare(validation=0, key=KEY).notes
    assert any("20 rows without a target" in note and "'NA' (20 cells)" in note for note in notes)
    assert any("'?' (20 cells) in land" in note for note in notes)
    ready = cr.Table.read(path, "y", missing=["?"]).prepare(validation=0, key=KEY)
    assert ready.data.classes == ("DE", "FR", "NA")
    assert ready.columns[1].missing == 20
    assert cr.Table.read(path, "y", missing=[]).prepare(validation=0, key=KEY).columns[1].missing == 0


def test_a_target_of_nothing_but_missing_texts_says_so(tmp_path: Path) -> None:
    path = file_of(tmp_path, "a,y", [f"{i},{['x', 'NA'][i % 2]}" for i in range(20)])
    with pytest.raises(DataError, match=r"only one class, x.*'NA' \(10 cells\).*missing"):
        cr.Table.read(path, "y").prepare(key=KEY)


@pytest.mark.parametrize("make", [pd.Series, lambda cells: pd.Series(cells, dtype=object), pd.Categorical])
@pytest.mark.parametrize("labels", [["NA", "DE", "FR"], ["None", "nan", "?"], ["-", "a", "null"]])
def test_text_of_a_frame_is_what_it_says(make: Any, labels: list[str]) -> None:
    frame = pd.DataFrame({"a": np.arange(60) % 7, "k": make(labels * 20), "y": make(labels * 20)})
    ready = cr.Table.read(frame, "y").prepare(key=KEY)
    assert ready.data.classes == tuple(sorted(labels))
    assert ready.columns[1].missing == 0
    assert not any("missing" in note for note in ready.notes)
    frame.loc[:5, ["k", "y"]] = None
    ready = cr.Table.read(frame, "y").prepare(validation=0, key=KEY)
    assert len(ready.data.x) == 54


def test_text_among_numbers_of_a_frame_is_missing_as_in_a_file() -> None:
    cells = pd.Series([1.5, "NA", 2.5, "?", "3"] * 8, dtype=object)
    frame = pd.DataFrame({"x": cells, "d": ["2020-01-01", "NA", "2020-02-01", "-", "2020-03-01"] * 8})
    number, date = infer_columns(frame)
    assert (number.kind, number.missing, date.kind, date.missing) == ("number", 16, "date", 16)


def test_a_number_can_stand_for_missing_values(tmp_path: Path) -> None:
    rows = [f"{-999 if i % 4 == 0 else i % 7},{'pq'[i % 2]}" for i in range(60)]
    for source in (file_of(tmp_path, "a,y", rows), pd.read_csv(file_of(tmp_path, "a,y", rows))):
        table = cr.Table.read(source, "y", missing=["-999"])
        ready = table.prepare(validation=0, key=KEY)
        assert (ready.columns[0].missing, ready.columns[0].low) == (15, 0.0)
        preparation = ready.data.preparation  # the model keeps it
        assert np.isnan(preparation.values(pd.DataFrame({"a": [-999, 3]}))[0]).tolist() == [True, False]
        parts = Preprocessor.from_parts(*preparation.to_parts())
        assert np.isnan(parts.values(read_table(file_of(tmp_path, "a", ["-999", "3"])))[0]).tolist() == [True, False]


def test_a_model_of_a_frame_reads_missing_values_of_a_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"k": ["NA", "DE", None] * 20, "t": ["a", "b", None] * 20})
    preparation = Preprocessor.fit(frame, infer_columns(frame))
    file = read_table(file_of(tmp_path, "k,t", ["NA,NA", ",b"]))
    land, town = preparation.values(file)
    assert (land.tolist(), town.tolist()) == (["NA", None], [None, "b"])
    assert inspect_table(preparation, file).notes() == ()


def test_texts_of_one_training_column_are_not_merged(tmp_path: Path) -> None:
    rows = [f"{['3.1', '3.10', 'beta'][i % 3]},{['1', '01', 'x'][i % 3]},{['3.0', 'low'][i % 2]}" for i in range(60)]
    frame = read_table(file_of(tmp_path, "version,code,level", rows))
    columns = infer_columns(frame)
    assert [(c.kind, c.distinct, c.exact) for c in columns] == [
        ("category", 3, True),
        ("category", 3, False),
        ("category", 2, False),
    ]
    preparation = Preprocessor.fit(frame, columns)
    new = pd.DataFrame({"version": ["3.10", "3.1", "3.100"], "code": ["01", "1", "1.0"], "level": ["3", 3, 3.0]})
    read = [values.tolist() for values in preparation.values(new)]
    assert read == [["3.10", "3.1", "3.100"], ["01", "1", "1"], ["3", "3", "3"]]
    assert any(
        "version: 1 cell with a category that is new" in note for note in inspect_table(preparation, new).notes()
    )
    assert learn_target(frame["version"])[0].classes == ("3.1", "3.10", "beta")


def test_missing_takes_texts() -> None:
    with pytest.raises(SettingError, match="999"):
        cr.Table.read(pd.DataFrame({"a": [1], "y": [2]}), "y", missing=[-999])  # type: ignore[list-item]


def test_empty_text_of_a_frame_is_missing_and_named() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "k": ["", "u", "v"] * 20, "y": ["", "spam", "ham"] * 20})
    ready = cr.Table.read(frame, "y").prepare(validation=0, key=KEY)
    assert ready.data.classes == ("ham", "spam")
    assert any("'' (20 cells) taken for missing" in note for note in ready.notes)
    ready = cr.Table.read(frame, "y", missing=[]).prepare(validation=0, key=KEY)
    assert ready.data.classes == ("", "ham", "spam")
    assert ready.columns[1].missing == 0


@pytest.mark.parametrize("texts", [["3.7", "3.8", "3.1", "3.10"], ["1,5", "1,50", "2,5"]])
def test_versions_are_not_merged_as_numbers(texts: list[str]) -> None:
    frame = pd.DataFrame({"version": texts * 30, "y": ["a", "b"] * (15 * len(texts))})
    preparation = cr.Table.read(frame, "y").prepare(key=random.key(0)).data.preparation
    assert len(preparation.feature_names) == len(texts)
    target = cr.Table.read(frame.rename(columns={"version": "t"}), "t").prepare(key=random.key(0)).data
    assert target.classes == tuple(sorted(texts))
