"""The page is also had from a run, or a model, that has no folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.errors import DataError, FileError
from chainrule.report import write_report
from report.test_page import Parsed

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
TRAIN, TEST = (X[:60], Y[:60]), (X[60:], Y[60:])


def trained() -> cr.Run:
    return cr.fit(cr.mlp([4, 5, 2]), TRAIN, epochs=3, engine="numpy", progress=False)


def parsed(path: Path) -> Parsed:
    return Parsed(path.read_text())


def test_a_run_without_a_folder_is_judged_on_test_data(tmp_path: Path) -> None:
    run = trained()
    path = write_report(run, tmp_path / "clouds.html", TRAIN, test=TEST)
    page, figures = parsed(path), run.evaluate(*TEST)
    assert [file.name for file in tmp_path.iterdir()] == ["clouds.html"]
    assert page.keys["test.accuracy"][0] == repr(figures["accuracy"])
    assert {"baselines", "curves", "classes", "worst", "network", "environment"} <= set(page.ids)
    text = "".join(page.text)
    assert "Run clouds" in text
    assert "Adam" in text or "SGD" in text
    assert "beside this page" not in text


def test_a_model_has_no_curves(tmp_path: Path) -> None:
    page = parsed(write_report(trained().model, tmp_path / "page.html", TRAIN, test=TEST))
    assert "curves" not in page.ids
    assert "test.accuracy" in page.keys


def test_a_dataset_brings_its_parts_and_a_table_its_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "up", "down"), "y": Y})
    table, new = cr.Table.read(frame[:60], target="y"), cr.Table.read(frame[60:], target="y")
    run = cr.fit(cr.mlp([3, 2]), table, epochs=2, engine="numpy", progress=False)
    page = parsed(write_report(run, tmp_path / "table.html", table, test=new))
    assert page.keys["rows.test"][0] == "30"
    assert "columns" in page.ids
    iris = cr.data.load("iris")
    run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=1, engine="numpy", progress=False)
    page = parsed(write_report(run, tmp_path / "iris.html", iris))
    assert "training.accuracy" in page.keys


def test_without_data_there_are_the_curves(tmp_path: Path) -> None:
    page = parsed(write_report(trained(), tmp_path / "page.html"))
    assert "curves" in page.ids
    assert "baselines" not in page.ids


def test_a_run_with_a_folder_is_the_folder(tmp_path: Path) -> None:
    run = cr.fit(cr.mlp([4, 2]), TRAIN, epochs=2, engine="numpy", progress=False, out=tmp_path / "run")
    assert write_report(run) == tmp_path / "run" / "report.html"
    assert write_report(tmp_path / "run", tmp_path / "copy.html").read_text() == write_report(run).read_text()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"page\.html"):
        write_report(trained())
    with pytest.raises(DataError, match="trained on"):
        write_report(trained(), tmp_path / "page.html", test=TEST)
    with pytest.raises(DataError, match="leave out the data"):
        write_report(tmp_path, data=TRAIN)
