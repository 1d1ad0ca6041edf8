"""`chainrule runs`: the list of what was trained."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.errors import ChainruleWarning


def started(run: str, when: str) -> None:
    path = Path(run, "environment.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": when}))


def test_runs_are_listed_newest_first(chainrule: Any) -> None:
    chainrule("train", "iris", "--epochs", 1, "--hidden", "8,4", "--out", "runs/old")
    chainrule("train", "diabetes", "--epochs", 1, "--preset", "linear", "--out", "runs/new")
    cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=1, out="runs/python", progress=False)
    for name, day in (("python", "01"), ("old", "02"), ("new", "03")):
        started(f"runs/{name}", f"2025-01-{day}T12:00:00+00:00")
    head, *rows = chainrule("runs").stdout.splitlines()
    assert head.split() == ["run", "data", "network", "epochs", "state", "validation", "test", "when"]
    assert [row.split()[0] for row in rows] == ["new", "old", "python"]
    test = json.loads(Path("runs/old/result.json").read_text())["test"]["accuracy"]
    assert "table 8-4" in rows[1]
    assert "1/1  finished" in rows[1]
    assert f"{100 * test:.2f} %" in rows[1]
    assert "linear" in rows[0]
    assert "mae" in rows[0]
    assert "(given in Python)  dense 3 softmax" in rows[2]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.toml", "epochs = ["),
        ("metrics.jsonl", '{"epoch": 1, "lo\n'),
        ("metrics.jsonl", "[1]"),
        ("result.json", '"finished"'),
        ("environment.json", "\x00"),
        ("environment.json", '{"started": 5}'),
        ("config.toml", "net = 3"),
    ],
)
def test_damaged_runs_are_named_and_the_others_listed(chainrule: Any, file: str, content: str) -> None:
    for name in ("good", "damaged"):
        chainrule("train", "iris", "--epochs", 1, "--hidden", 4, "--out", f"runs/{name}")
    Path("runs/damaged", file).write_text(content)
    done = chainrule("runs")
    assert [row.split()[0] for row in done.stdout.splitlines()] == ["run", "good"]
    assert "warning: left out: runs/damaged" in done.stderr


def test_unfinished_and_diverged_runs_are_called_so(chainrule: Any) -> None:
    chainrule("train", "iris", "--epochs", 1, "--hidden", 4, "--out", "runs/cut")
    Path("runs/cut/result.json").unlink()  # as in a run that went on and was cut off
    chainrule("train", "iris", "--optimizer", "sgd", "--lr", 1e30, "--hidden", 4, "--out", "runs/wild", code=1)
    rows = {row.split()[0]: row for row in chainrule("runs").stdout.splitlines()[1:]}
    assert "unfinished" in rows["cut"]
    assert "diverged" in rows["wild"]


def test_no_runs(chainrule: Any) -> None:
    done = chainrule("runs")
    assert (done.stdout, "No runs yet" in done.stderr) == ("", True)
    assert "There is no folder nowhere" in chainrule("runs", "nowhere", code=2).stderr
    Path("empty").mkdir()
    assert "No runs in empty" in chainrule("runs", "empty").stderr


def test_a_warning_is_a_line_without_a_place_in_the_code(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(folder: Path) -> None:
        for _ in range(2):
            warnings.warn("one sample is alone", ChainruleWarning, stacklevel=2)

    monkeypatch.setattr("chainrule.cli.runs.runs", warn)
    assert chainrule("runs").stderr == "warning: one sample is alone\n"
