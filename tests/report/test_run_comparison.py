"""Runs side by side: what differs, what tells them apart, and what must be said before they are compared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import FileError, SettingError
from chainrule.report import compare_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on iris: one network at two rates, and three seeds at two."""
    folder = tmp_path_factory.mktemp("compared")
    common = {"epochs": 3, "hidden": [4], "record": "none", "doctor": "off", "engine": "numpy"}
    for name, lr, seeds in (("slow", 0.003, 1), ("fast", 0.1, 1), ("slow-3", 0.003, 3), ("fast-3", 0.1, 3)):
        cr.train("iris", lr=lr, seeds=seeds, out=folder / name, **common)
    return folder


def test_only_what_differs_is_shown(folder: Path) -> None:
    comparison = compare_runs(folder / "slow", folder / "fast")
    assert comparison.settings == {"lr": (0.003, 0.1)}
    head, slow, fast = comparison.table()
    assert head[:3] == ["run", "lr", "score"]
    assert (slow[:2], fast[:2]) == (["slow", "0.003"], ["fast", "0.1"])
    again = compare_runs(folder / "slow", folder / "fast", folder / "slow-3")
    assert again.settings["seeds"] == (1, 1, 3)


def test_scores_are_those_of_the_files_with_their_intervals(folder: Path) -> None:
    comparison = compare_runs(folder / "slow", folder / "fast")
    for run in comparison.runs:
        facts = json.loads((folder / run.name / "evaluation.json").read_text())
        assert run.score is not None
        assert run.score.value == facts["metrics"]["accuracy"]
        assert (run.score.low, run.score.high) == (facts["interval"]["low"], facts["interval"]["high"])
        assert run.score.of == "30 test rows"
    assert comparison.best is comparison.runs[1]
    text = str(comparison)
    assert "Best score: fast" in text
    assert "flatters the one that is chosen" in text
    assert "slow and fast are one network each" in text
    assert comparison.differences == []  # one pair tells nothing


def test_seeds_are_compared_in_pairs(folder: Path) -> None:
    comparison = compare_runs(folder / "slow-3", folder / "fast-3")
    ((first, second, difference),) = comparison.differences
    values = [
        [
            member["scores"]["test_accuracy"]
            for member in json.loads((folder / name / "members.json").read_text())["members"]
        ]
        for name in ("slow-3", "fast-3")
    ]
    assert (first.name, second.name, difference.n) == ("slow-3", "fast-3", 3)
    assert difference.mean == pytest.approx(np.mean(values[0]) - np.mean(values[1]))
    assert difference.p == pytest.approx(stats.ttest_rel(*values).pvalue)
    assert "3 pairs of the same seed and rows" in str(comparison)
    assert "one network" not in str(comparison)


def test_what_was_not_measured_alike_has_no_best(folder: Path, tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    cr.fit(cr.Dense(1), (x, x[:, 0]), epochs=1, validation=0.5, progress=False, out=tmp_path / "line")
    comparison = compare_runs(folder / "slow", tmp_path / "line")
    assert comparison.best is None
    assert "not measured alike" in str(comparison)
    cr.train("iris", epochs=1, test=0.4, engine="numpy", record="none", doctor="off", out=tmp_path / "other")
    assert "not trained and judged on the same rows" in str(compare_runs(folder / "slow", tmp_path / "other"))
    assert "not trained and judged" not in str(compare_runs(folder / "slow", folder / "fast"))


def test_the_page_shows_every_run(folder: Path, tmp_path: Path) -> None:
    names = ("slow", "fast", "slow-3")
    page = compare_runs(*(folder / name for name in names)).to_html(tmp_path / "page.html").read_text()
    figures = {
        name: json.loads(data)
        for data_for, data in re.findall(r'<script type="application/json" data-for="?([\w-]+)"?>(.*?)</script>', page)
        for name in [data_for]
    }
    assert set(figures) == {"scores", "loss", "accuracy", "parallel"}
    epochs = [json.loads(line) for line in (folder / "slow" / "metrics.jsonl").read_text().splitlines()]
    assert figures["loss"]["series"][0]["y"] == [epoch["loss"] for epoch in epochs]
    assert [one["name"] for one in figures["loss"]["series"]] == list(names)
    assert page.count("<svg") >= 5


def test_wrong_folders_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="Two runs or more"):
        compare_runs(folder / "slow")
    with pytest.raises(SettingError, match="twice"):
        compare_runs(folder / "slow", folder / ".." / folder.name / "slow")
    with pytest.raises(FileError, match="holds no run"):
        compare_runs(folder / "slow", tmp_path)


def test_the_command(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["compare", str(folder / "slow"), str(folder / "fast"), "--out", str(tmp_path / "c.html")]
    )
    assert (done.exit_code, "Best score: fast" in done.stdout) == (0, True)
    assert str(tmp_path / "c.html") in done.stderr
    wrong = CliRunner().invoke(app, ["compare", str(folder / "slow")])
    assert (wrong.exit_code, "Two runs or more" in wrong.stderr) == (2, True)
