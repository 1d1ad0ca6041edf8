"""`chainrule report`, and the report at the end of `chainrule train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from chainrule.cli.app import app
from chainrule.training.record import read_folder
from report.test_page import Parsed


def call(*words: Any, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_train_writes_the_report_and_report_writes_it_again() -> None:
    result = call("train", "iris", "--epochs", 2, "--hidden", 4, "--out", "runs/one")
    assert f"The report: {Path('runs/one/report.html')}" in result.stderr
    facts = json.loads(Path("runs/one/evaluation.json").read_text())
    record = read_folder("runs/one")
    assert facts["part"] == "test"
    assert facts["metrics"]["accuracy"] == pytest.approx(record.result["test"]["accuracy"])
    assert facts["parts"]["test"] == facts["judged_rows"] == record.result["test_rows"]
    assert sum(facts["parts"].values()) == 150
    assert facts["baselines"][1]["rows"] == facts["parts"]["training"]
    first = Path("runs/one/report.html").read_text()
    Path("runs/one/report.html").unlink()
    assert call("report", "one").stdout == f"{Path('runs/one/report.html')}\n"
    assert Path("runs/one/report.html").read_text() == first


def test_the_terminal_the_files_and_the_page_name_the_same_weights() -> None:
    words = ("--epochs", 25, "--hidden", 4, "--validation", 0.2, "--lr", 0.1, "--early-stopping", 20)
    result = call("train", "iris", *words, "--out", "run")
    record, keys = read_folder("run"), Parsed(Path("run/report.html").read_text()).keys
    kept_epoch = record.result["best_epoch"]
    value = f"{100 * record.epochs[kept_epoch - 1]['val_accuracy']:.2f}"
    assert f"Validation accuracy {value} % after epoch {kept_epoch}, whose weights are saved." in result.stderr
    assert int(keys["kept_epoch"][0]) == kept_epoch
    assert keys["kept.val_accuracy"][1] == f"{value}\u00a0%"
    assert float(keys["kept.val_accuracy"][0]) == record.result["metrics"]["val_accuracy"]


def test_without_a_test_part_the_validation_part_is_judged() -> None:
    call("train", "iris", "--epochs", 2, "--hidden", 4, "--test", 0, "--validation", 0.2, "--out", "run")
    facts = json.loads(Path("run/evaluation.json").read_text())
    last = read_folder("run").epochs[-1]
    assert (facts["part"], facts["judged_rows"]) == ("validation", 30)
    # The very rows that the run has validated on.
    assert facts["metrics"]["accuracy"] == pytest.approx(last["val_accuracy"], rel=1e-6)
    assert facts["metrics"]["loss"] == pytest.approx(last["val_loss"], rel=1e-4)


def test_a_table_shows_its_columns_and_its_worst_rows() -> None:
    random = np.random.default_rng(0)
    size = random.normal(size=200)
    frame = pd.DataFrame({"size": size, "town": random.choice(["Rome", "Oslo"], 200), "id": range(200)})
    frame["big"] = np.where(size + 0.3 * random.normal(size=200) > 0, "yes", "no")
    frame.to_csv("houses.csv", index=False)
    call("train", "houses.csv", "--target", "big", "--epochs", 3, "--out", "run")
    facts = json.loads(Path("run/evaluation.json").read_text())
    assert [column["name"] for column in facts["columns"]] == ["size", "town", "id"]
    worst = facts["worst"][0]
    assert set(worst["values"]) == {"size", "town", "id"}
    assert worst["values"]["id"] == str(worst["row"])
    assert worst["true"] == frame["big"][worst["row"]]


def test_a_report_that_fails_does_not_lose_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("chainrule.experiments.evaluation.gather", broken)
    result = call("train", "iris", "--epochs", 1, "--hidden", 4, "--out", "run")
    assert "warning: the report could not be written: RuntimeError: out of luck" in result.stderr
    assert read_folder("run").result["state"] == "finished"
    assert read_folder("run").has_model
    assert not Path("run/report.html").exists()


def test_a_run_that_diverges_has_a_report_with_what_there_is() -> None:
    call("train", "diabetes", "--optimizer", "sgd", "--lr", 1e6, "--no-normalize-target", "--out", "run", code=1)
    assert "The run diverged" in Path("run/report.html").read_text()


def test_what_is_no_run_is_told() -> None:
    assert "There is no run 'nowhere'" in call("report", "nowhere", code=2).stderr
    Path("empty").mkdir()
    assert "holds no run" in call("report", "empty", code=2).stderr
