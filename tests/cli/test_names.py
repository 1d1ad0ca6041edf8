"""Names that are not UTF-8 work or are refused with a sentence; paths that lead nowhere are refused."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]

#: "caf" and a byte of Latin-1, as the system gives it.
RAW = os.fsdecode(b"caf\xe9")
SMALL = ("--epochs", 1, "--engine", "numpy", "--preset", "linear")


@pytest.fixture
def pets() -> Path:
    """Pictures of which a class and some files have names that are not UTF-8."""
    for shade, name in enumerate(("cat", RAW)):
        folder = Path("pets", name)
        folder.mkdir(parents=True)
        for i in range(4):
            Image.fromarray(np.full((4, 4), 200 * shade + i, np.uint8)).save(folder / f"{i or RAW}.png")
    return Path("pets")


@pytest.mark.usefixtures("pets")
def test_classes_and_files_have_names_that_are_not_utf_8(chainrule: Command) -> None:
    chainrule("train", "pets", "--out", "run", *SMALL)
    assert "caf\\xe9" in Path("run/report.html").read_text(encoding="utf-8")
    assert "caf\\xe9" in chainrule("evaluate", "run", "pets").output
    chainrule("predict", "run", "pets", "--probabilities", "--out", "predictions.csv")
    rows = list(csv.DictReader(Path("predictions.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[4]["file"] == "cat/1.png"
    assert {"caf\\xe9/caf\\xe9.png", "cat/caf\\xe9.png"} < {row["file"] for row in rows}
    assert {row["prediction"] for row in rows} <= {"cat", "caf\\xe9"}
    assert "probability_caf\\xe9" in rows[0]
    Path("run").rename(RAW)
    chainrule("export", RAW)
    Path(RAW).rename("run")
    chainrule("train", "--resume", "run", "--epochs", 2)


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize("words", [(), ("--seeds", 2), ("--folds", 2)])
def test_a_run_s_folder_has_a_name_that_is_not_utf_8(chainrule: Command, words: tuple[object, ...]) -> None:
    run = f"{RAW}run"
    chainrule("train", "pets", "--out", run, *SMALL, *words)
    chainrule("train", "--resume", run, "--epochs", 2)
    chainrule("evaluate", run, "pets")
    chainrule("predict", run, "pets", "--out", f"{RAW}.csv")
    chainrule("report", run)
    assert "caf" in chainrule("runs", ".").output


@pytest.mark.usefixtures("pets")
def test_data_with_such_a_name_is_evaluated_and_predicted_but_not_kept_in_settings(chainrule: Command) -> None:
    chainrule("train", "pets", "--out", "run", *SMALL)
    Path("pets").rename(f"{RAW}pets")
    chainrule("evaluate", "run", f"{RAW}pets")
    chainrule("predict", "run", f"{RAW}pets")
    np.savez("x.npz", x=np.zeros((8, 2)), y=[0, 1] * 4)
    Path("x.npz").rename(f"{RAW}.npz")
    Path(f"{RAW}.csv").write_text("a,y\n1,2\n")
    for data in f"{RAW}pets", f"{RAW}.npz", f"{RAW}.csv":
        assert "is not UTF-8" in chainrule("train", data, code=2).output
        assert "is not UTF-8" in chainrule("search", data, code=2).output
    assert "is not UTF-8" in chainrule("search", "iris", "--study", RAW, code=2).output
    assert "is not UTF-8" in chainrule("train", "iris", "--target", RAW, code=2).output


@pytest.mark.parametrize("path", ["a\0b", "loop", "loop/x", "~nosuchuser/x"])
def test_paths_that_lead_nowhere_are_refused(chainrule: Command, trained: Path, path: str) -> None:
    for ending in "", ".csv", ".npz", ".png", ".onnx":
        Path(f"loop{ending}").symlink_to(f"loop{ending}")
    for words in (
        ("train", path),
        ("train", f"{path}.csv", "--target", "y"),
        ("train", f"{path}.npz"),
        ("train", "iris", "--out", path),
        ("train", "iris", "--config", path),
        ("train", "mnist", "--data-dir", path),
        ("train", "--resume", path),
        ("search", "iris", "--out", path),
        ("search", "--resume", path),
        ("evaluate", trained, path),
        ("evaluate", path, "iris"),
        ("predict", trained, path),
        ("predict", path, "iris"),
        ("predict", trained, "iris", "--out", f"{path}.csv"),
        ("export", trained, "--out", f"{path}.onnx"),
        ("export", path),
        ("report", path),
        ("runs", path),
        ("augment", "digits", "--augment", "shift:1", "--out", f"{path}.png"),
        ("augment", path, "--augment", "shift:1"),
    ):
        output = chainrule(*words, code=2).output
        assert any(text in output for text in ("NUL", "null byte", "circle", "no user")), words
