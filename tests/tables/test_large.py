"""Tables that are read in pieces: the same as at once, without their memory, and nothing is left behind."""

from __future__ import annotations

import csv
import dataclasses
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import random
from chainrule.cli.app import app
from chainrule.errors import DataError, FileError
from chainrule.files import cache_folder
from chainrule.tables import large
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.table import Table

KEY = random.key(3)
N = 400


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one; its files are large, and read 25 rows at a time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(large, "LARGE_FRACTION", 0.0)
    monkeypatch.setattr(large, "CHUNK_CELLS", 200)
    return tmp_path


@pytest.fixture
def pets(folder: Path) -> Path:
    """A table with every kind of column, and some rows without a target."""
    rng = np.random.default_rng(0)
    dog = rng.random(N) < 0.5
    rows = {
        "weight": np.where(rng.random(N) < 0.1, "", np.char.mod("%.1f", np.where(dog, 30, 4) + rng.normal(size=N))),
        "town": rng.choice(["Rome", "Oslo", "Lima"], N),
        "street": np.char.add("street ", rng.integers(0, 90, N).astype(str)),
        "indoors": rng.choice(["yes", "no"], N),
        "born": np.datetime64("2015-01-01") + rng.integers(0, 2000, N),
        "owner": rng.integers(0, 60, N),
        "split": rng.choice(["train", "val", "test"], N, p=[0.6, 0.2, 0.2]),
        "pet": np.where(rng.random(N) < 0.05, "", np.where(dog, "dog", "cat")),
    }
    path = folder / "pets.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))
    return path


def train(*words: Any, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def same(one: PreparedTable, other: PreparedTable) -> None:
    """The same parts, plan, preparation and arrays, bit for bit."""
    assert one.columns == other.columns
    for a, b in zip(vars(one.rows).values(), vars(other.rows).values(), strict=True):
        np.testing.assert_array_equal(a, b)
    plain, arrays = one.data.preparation.to_parts()
    others_plain, others_arrays = other.data.preparation.to_parts()
    assert plain == others_plain
    assert arrays.keys() == others_arrays.keys()
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others_arrays[name])
    for field in dataclasses.fields(one.data):
        a, b = getattr(one.data, field.name), getattr(other.data, field.name)
        if isinstance(b, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        elif field.name not in ("preparation", "notes"):  # that it is read in pieces is noted
            assert a == b


@pytest.mark.parametrize("how", [{}, {"group": "owner"}, {"time": "born"}, {"split": "split"}])
def test_in_pieces_or_at_once_is_the_same(pets: Path, how: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"validation": 0.1, "test": 0.2, "key": KEY} | how
    pieces = Table.read(pets, "pet").prepare(**settings)
    assert isinstance(pieces.data.x, np.memmap)
    assert isinstance(pieces.data.x_test, np.memmap)
    assert pieces.features is None
    monkeypatch.setattr(large, "LARGE_FRACTION", 1.0)
    whole = Table.read(pets, "pet").prepare(**settings)
    assert whole.features is not None
    same(pieces, whole)
    assert pieces.notes[1:] == whole.notes


def test_parquet_and_numbers_to_predict(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(1)
    size = rng.uniform(20, 200, N)
    size[::9] = np.nan
    frame = pd.DataFrame({"size": size, "rooms": rng.integers(1, 6, N), "new": rng.random(N) < 0.5, "price": 3 * size})
    frame["rooms"] = frame["rooms"].astype("Int64").mask(rng.random(N) < 0.01)  # some pieces have none missing
    frame.to_parquet("flats.parquet")
    settings: dict[str, Any] = {"validation": 0.1, "key": KEY}
    pieces = Table.read("flats.parquet", "price").prepare(**settings)
    assert pieces.data.x_test is None
    monkeypatch.setattr(large, "LARGE_FRACTION", 1.0)
    same(pieces, Table.read("flats.parquet", "price").prepare(**settings))


def test_encoding_and_separator_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{i % 7},5|{'Köln' if i % 3 else 'Bonn'}|{'ab'[i % 7 > 3]}" for i in range(N)]
    Path("t.csv").write_text("größe|ort|y\n" + "\n".join(rows) + "\n", encoding="latin-1")
    words: dict[str, Any] = {"encoding": "latin-1", "separator": "|"}
    pieces = Table.read("t.csv", "y", **words).prepare(test=0.2, key=KEY)
    assert pieces.data.feature_names is not None
    assert {"größe", "ort=Köln"} <= set(pieces.data.feature_names)
    monkeypatch.setattr(large, "LARGE_FRACTION", 1.0)
    same(pieces, Table.read("t.csv", "y", **words).prepare(test=0.2, key=KEY))


def test_cells_mean_the_same_in_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Styles of numbers, texts that stand for missing values, labels: told of the file, not of its pieces."""
    numbers, shares, labels = ["1.234", "2.571", "850"], ["12%", "0,5"], ["+", "-", "?"]
    rows = [f"{numbers[i % 3]};{shares[i // 40 % 2]};{'+-'[i % 2]};1.{i % 9}50;{labels[i % 3]}" for i in range(160)]
    (folder / "cells.csv").write_text("\n".join(["a;share;sign;size;y", *rows]))
    for target, missing in (("y", None), ("y", ["?"]), ("size", None)):
        parts = []
        for portion in (0.0, 1.0):
            monkeypatch.setattr(large, "LARGE_FRACTION", portion)
            task = "regression" if target == "size" else None
            table = Table.read(folder / "cells.csv", target, missing=missing, task=task)
            parts.append(table.prepare(validation=0.2, test=0.2, key=random.key(0)))
        pieces, whole = parts
        assert pieces.data.classes == whole.data.classes
        assert pieces.columns == whole.columns
        assert pieces.data.preparation.target == whole.data.preparation.target
        assert set(whole.notes) <= set(pieces.notes)
        for name in ("x", "y", "x_validation", "y_validation", "x_test", "y_test"):
            np.testing.assert_array_equal(getattr(pieces.data, name), getattr(whole.data, name))


def test_it_takes_a_fraction_of_the_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2_000, 10))
    names = [f"x{i}" for i in range(10)]
    pd.DataFrame(x, columns=names).assign(y=x[:, 0] > 0).to_csv("t.csv", index=False)
    monkeypatch.setattr(large, "CHUNK_CELLS", 1_000)
    monkeypatch.setattr(large, "SAMPLE", 100)

    def peak() -> int:
        tracemalloc.start()
        try:
            Table.read("t.csv", "y").prepare(test=0.2, key=KEY)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    Table.read("t.csv", "y").prepare(test=0.2, key=KEY)  # what is imported then, is not measured
    pieces = peak()
    monkeypatch.setattr(large, "LARGE_FRACTION", 1.0)
    assert pieces < peak() / 4


def test_the_columns_are_told_from_a_sample(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "SAMPLE", 150)
    table = Table.read(pets, "pet").prepare(validation=0.1, test=0.2, split="split", key=KEY)
    assert 30 < table.looked_at < 100  # of 150 to 75 rows, 60 % train
    assert sum(f"{table.looked_at:,} of the {len(table.rows.train):,} training rows" in n for n in table.notes) == 1
    monkeypatch.setattr(large, "LARGE_FRACTION", 1.0)
    whole = Table.read(pets, "pet").prepare(validation=0.1, test=0.2, split="split", key=KEY)
    np.testing.assert_array_equal(table.rows.train, whole.rows.train)
    np.testing.assert_array_equal(table.data.y, whole.data.y)
    assert len(table.data.x) == len(whole.data.x)


def test_cells_that_a_sample_has_not_seen_count_as_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{i % 7},{'ab'[i % 7 > 3]}" for i in range(N)]
    rows[200:225] = [f"broken,{'ab'[i % 2]}" for i in range(25)]
    Path("t.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    monkeypatch.setattr(large, "CHUNK_CELLS", 50)
    table = Table.read("t.csv", "y", columns={"x": "number"}).prepare(validation=0.0, key=KEY)
    assert np.isfinite(table.data.x).all()
    assert np.unique(table.data.x[200:225], axis=0).shape[0] == 1


def test_fit_streams_it(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table.read(pets, "pet", columns={"street": {"encode": "one_hot"}})
    assert not table.in_memory
    assert bool(table)
    assert "8 columns" in repr(table)
    with pytest.raises(TypeError, match="not known"):
        len(table)
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(2, "softmax"))
    settings: dict[str, Any] = {"optimizer": cr.Adam(lr=0.02), "epochs": 20, "engine": "numpy", "progress": False}
    run = cr.fit(net, table, validation=0.2, **settings)
    assert run.history["val_accuracy"][-1] > 0.9
    assert run.model.predict(pd.DataFrame(table.head.iloc[:3])).shape == (3,)


def test_wrong_names_are_told_before_the_file_is_read(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="'pet'"):
        Table.read(pets, "pets")
    monkeypatch.setattr(large, "read_chunks", None)
    with pytest.raises(DataError, match="'owner'"):
        Table.read(pets, "pet").prepare(group="owners", key=KEY)


def test_a_class_that_does_not_train_is_told_before_anything_is_prepared(folder: Path) -> None:
    rows = [f"{i},{'ab'[i % 2]},train" for i in range(50)] + ["3,c,test"]
    Path("t.csv").write_text("x,y,split\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="'c'"):
        Table.read("t.csv", "y").prepare(key=KEY)
    assert not cache_folder().exists()


def test_a_full_disk(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cache").write_text("not a folder")
    with pytest.raises(FileError, match=r"XDG_CACHE_HOME"):
        Table.read(pets, "pet").prepare(key=KEY)


class TestCommandLine:
    QUICK = ("--epochs", "2", "--engine", "numpy", "--early-stopping", "0", "--schedule", "constant")

    def test_a_run_its_report_and_going_on(self, pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        trained = train(pets, "--target", "pet", "--out", "run", *self.QUICK)
        assert "read in pieces" in trained.stderr
        assert "warning" not in trained.stderr
        assert Path("run/report.html").exists()
        assert json.loads(Path("run/evaluation.json").read_text())["part"] == "test"
        train("--resume", "run", "--epochs", 4)
        train(pets, "--target", "pet", "--out", "whole", *self.QUICK[2:], "--epochs", 4)
        one, other = (Path(run, "model.safetensors").read_bytes() for run in ("run", "whole"))
        assert one == other
        evaluation = CliRunner().invoke(app, ["evaluate", "run", str(pets), "--json"])
        assert evaluation.exit_code == 0
        result = json.loads(Path("run/result.json").read_text())
        assert json.loads(evaluation.stdout)["accuracy"] == result["test"]["accuracy"]
        assert not files_left()

    def test_nothing_is_left_of_a_run_that_fails(self, pets: Path) -> None:
        train(pets, "--target", "pet", "--out", "run", *self.QUICK, "--lr", "1e30", "--optimizer", "sgd", code=1)
        assert not files_left()

    def test_a_split_column_without_a_test(self, folder: Path) -> None:
        rows = [f"{i % 7},{'ab'[i % 7 > 3]},{'val' if i % 4 == 0 else 'train'}" for i in range(200)]
        Path("t.csv").write_text("x,y,split\n" + "\n".join(rows) + "\n")
        train("t.csv", "--target", "y", "--out", "run", *self.QUICK)
        assert json.loads(Path("run/result.json").read_text())["test_rows"] is None


def files_left() -> list[Path]:
    """Scratch files in the cache."""
    return [path for path in cache_folder().iterdir() if path.is_file()]


def test_its_first_rows_are_not_judged_for_all(pets: Path) -> None:
    with pytest.raises(DataError, match="read in pieces"):
        Table.read(pets, "pet").pair()
