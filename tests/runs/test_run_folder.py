"""docs/run-folder.md describes what lies in the folders of real runs: every file, and every key."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.experiments.settings import ExperimentSettings
from chainrule.runs import files

PAGE = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text(encoding="utf-8")


def described(file: str) -> set[str]:
    """The keys in the first cells of the tables below the heading of a file."""
    section = re.search(rf"^## `{re.escape(file)}`.*?(?=^## |\Z)", PAGE, re.M | re.S)
    assert section is not None, f"docs/run-folder.md has no section about {file}"
    cells = [line.split("|")[1:3] for line in section[0].splitlines() if line.startswith("|")]
    return {key for cell in cells for key in re.findall(r"`([\w.\[\]]+)`", cell[0])} | {
        key for cell in cells for key in re.findall(r"`(\w+\.[\w.\[\]]+)`", cell[1])
    }


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """All keys, as ``members[].seed``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            yield from keys(inner, f"{prefix}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{prefix.removesuffix('.')}[].")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of every kind."""
    folder = tmp_path_factory.mktemp("runs")
    table = folder / "people.csv"
    table.write_text("age,income\n" + "".join(f"{20 + i % 40},{100 + 3 * (i % 40)}\n" for i in range(120)))
    quick = ["--epochs", "2", "--engine", "numpy", "--hidden", "4"]
    for words in (
        ["train", "iris", "--validation", "0.2", "--early-stopping", "1", "--out", "one", *quick],
        ["train", str(table), "--target", "income", "--validation", "0.2", "--out", "table", *quick],
        ["train", "digits", "--augment", "shift:1", "--preset", "table", "--out", "images", *quick],
        ["train", "iris", "--seeds", "2", "--out", "seeds", *quick],
        ["train", "iris", "--folds", "2", "--out", "folds", *quick],
        ["train", "iris", "--init", "zeros", "--out", "ill", *quick],
        ["search", "iris", "--trials", "2", "--space", "lr=1e-3..1e-2,activation=relu|tanh", "--out", "search", *quick],
    ):
        words[words.index("--out") + 1] = str(folder / words[words.index("--out") + 1])
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    assert CliRunner().invoke(app, ["doctor", str(folder / "ill"), "--no-trials"]).exit_code == 0
    iris = cr.data.load("iris")
    cr.fit(
        cr.Dense(3, "softmax"), iris, validation=0.2, epochs=2, early_stopping=True, out=folder / "fit", progress=False
    )
    return folder


def content(path: Path) -> list[Any]:
    """The objects in a JSON file, or in one with an object to a line."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]


def test_nothing_lies_in_a_folder_that_is_not_described(runs: Path) -> None:
    named = set(re.findall(r"`([\w.-]+?)/?`", PAGE))
    lying = {path.relative_to(runs).parts[1:] for path in runs.rglob("*") if path.parent != runs}
    assert {parts[-1] for parts in lying} >= {"study.journal", "members.json", "best.safetensors", "augment.png"}
    for parts in lying:
        for part in parts:
            assert part in named or re.fullmatch(r"\d\d|(step|at)-\d{8}\.safetensors", part), "/".join(parts)
    known = {
        value
        for name, value in vars(files).items()
        if name.isupper() and isinstance(value, str) and not name.endswith("_FORMAT")
    }
    assert known - {files.STEP, files.VIEWS_SNAPSHOT} <= named


@pytest.mark.parametrize(
    "file",
    [
        *(files.ENVIRONMENT, files.METRICS, files.RESULT, files.EVALUATION, files.DIAGNOSIS, files.MEMBERS),
        *(files.SEARCH, files.VIEWS_HEADER),
    ],
)
def test_the_keys_of_a_file_are_those_of_the_page(runs: Path, file: str) -> None:
    present = {key for path in runs.rglob(file) for value in content(path) for key in keys(value)}
    expected = described(file)
    rare = {"too_good", "members[].repeat", "outputs", "outputs_in_all", "worst[].picture"}
    rare |= {"step", "epoch"} if file == files.RESULT else set()  # of a run that diverged
    assert expected - present - rare == set()
    parents = {""} | {key.rpartition(".")[0] for key in expected if "." in key}
    assert {key for key in present if key.rpartition(".")[0] in parents} - expected == set()


def test_the_settings_are_those_of_train(runs: Path) -> None:
    settings = set(ExperimentSettings.__dataclass_fields__)
    for name in ("one", "table", "seeds", "folds", "search"):
        assert set(tomllib.loads((runs / name / files.CONFIG).read_text())) <= settings
    assert {"net", "loss", "optimizer"} <= set(tomllib.loads((runs / "fit" / files.CONFIG).read_text()))
    search = tomllib.loads((runs / "search" / files.SEARCH_CONFIG).read_text())
    assert set(search) - {"search"} <= settings
    heading = next(csv.reader((runs / "search" / files.LEADERBOARD).read_text().splitlines()))
    assert heading == ["rank", "trial", "val_accuracy", "lr", "activation", "epochs", "seconds", "state"]


def test_the_formats_are_those_of_the_page() -> None:
    for file, number in (
        (files.EVALUATION, files.EVALUATION_FORMAT),
        (files.SEARCH, files.SEARCH_FORMAT),
        (files.VIEWS_HEADER, files.VIEWS_FORMAT),
    ):
        section = PAGE.split(f"\n## `{file}`\n")[1].split("\n## ")[0]
        assert f"`format` is {number}" in section
    assert f"| `format` | {files.MEMBERS_FORMAT} |" in PAGE
