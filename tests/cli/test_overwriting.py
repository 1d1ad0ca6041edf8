"""No command writes over what it reads, and what data says never reaches a terminal as a command."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.cli.predict import write_csv
from chainrule.data import load
from chainrule.display.lines import printable

QUICK = ("--epochs", 1, "--hidden", 4, "--engine", "numpy")


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.fixture
def run(chainrule: Any) -> str:
    """A run on a table, and the table."""
    iris = load("iris")
    rows = "\n".join(f"{a},{b},{iris.classes[y]}" for (a, b), y in zip(iris.x[:, :2], iris.y, strict=True))  # type: ignore[index]
    Path("flowers.csv").write_text(f"length,width,name\n{rows}\n")
    chainrule("train", "flowers.csv", "--target", "name", *QUICK, "--out", "run")
    return "run"


@pytest.mark.parametrize("target", ["flowers.csv", "./flowers.csv", "soft.csv", "hard.csv"])
def test_predictions_are_not_written_over_the_data(chainrule: Any, run: str, target: str) -> None:
    os.symlink("flowers.csv", "soft.csv")
    os.link("flowers.csv", "hard.csv")
    before = contents()
    assert "is read here" in chainrule("predict", run, "flowers.csv", "--out", target, code=2).output
    assert contents() == before


def test_predictions_are_not_written_over_the_run(chainrule: Any, run: str) -> None:
    Path("model.csv").symlink_to("run/model.safetensors")
    before = contents()
    assert "is read here" in chainrule("predict", run, "flowers.csv", "--out", "model.csv", code=2).output
    assert contents() == before


@pytest.mark.parametrize("source", ["run", "run/model.safetensors"])
def test_export_does_not_write_over_the_model_or_its_checkpoints(chainrule: Any, run: str, source: str) -> None:
    before = contents()
    (checkpoint, *_) = Path("run/checkpoints").iterdir()
    for target in ("run/model.safetensors", *(("run/../" + str(checkpoint),) if source == "run" else ())):
        assert "is read here" in chainrule("export", source, "--out", target, code=2).output
    assert contents() == before
    chainrule("export", source, "--out", "weights.safetensors")
    chainrule("export", source, "--out", "weights.safetensors")  # its own file may be written again


def test_a_preview_is_not_written_over_the_images(chainrule: Any) -> None:
    np.savez("images.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.arange(4) % 2)
    before = contents()
    output = chainrule("augment", "images.npz", "--augment", "shift:1", "--out", "images.npz", code=2).output
    assert "is read here" in output
    assert contents() == before


@pytest.mark.parametrize("command", ["train", "search"])
def test_a_run_is_not_written_between_data(chainrule: Any, run: str, command: str) -> None:
    before = contents()
    assert "its own" in chainrule(command, "flowers.csv", "--target", "name", *QUICK, "--out", ".", code=2).output
    assert contents() == before


def test_settings_that_are_read_are_not_written_over(chainrule: Any) -> None:
    Path("settings").mkdir()
    Path("settings/config.toml").write_text('data = "iris"\nepochs = 1\nengine = "numpy"\n')
    os.link("settings/config.toml", "mine.toml")
    before = contents()
    chainrule("train", "--config", "mine.toml", "--out", "settings", code=2)
    assert contents() == before


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_study_leaves_a_file_alone_that_is_none_of_its_own(chainrule: Any, run: str, ending: str) -> None:
    Path("notes.txt").write_text(f"one\ntwo\nthree{ending}")
    for study in ("flowers.csv", "notes.txt"):
        before = contents()
        chainrule("search", "flowers.csv", "--target", "name", *QUICK, "--trials", 1, "--study", study, code=2)
        assert {k: v for k, v in contents().items() if k in before} == before


def test_what_data_says_is_not_obeyed_by_a_terminal(chainrule: Any) -> None:
    escape = "\x1b]0;title\x07\x1b[31m\x9b2J\u202e"
    rows = "".join(f"{i % 7},{'a' if i % 2 else 'b' + escape}\n" for i in range(60))
    Path(f"{escape}data.csv").write_text(f"x{escape},y{escape}\n{rows}")
    file, target = f"{escape}data.csv", f"y{escape}"
    spoken = chainrule("train", file, "--target", target, *QUICK, "--out", "run").output
    spoken += chainrule("evaluate", "run", file).output + chainrule("evaluate", "run", file, "--json").output
    spoken += chainrule("train", file, "--target", target, "--group", "no", *QUICK, code=2).output
    spoken += chainrule("train", file, code=2).output + chainrule("runs").output
    spoken += chainrule("predict", "run", file, "--out", "predictions.csv").output
    assert "\\u001b[31m" in spoken
    assert not set("\x1b\x07\x9b\u202e") & set(spoken)
    assert escape in Path("predictions.csv").read_text()  # a file holds what the data holds


def test_runs_do_not_become_a_class_of_pictures(chainrule: Any) -> None:
    from PIL import Image

    for i in range(8):
        path = Path("ab"[i % 2], f"{i}.png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4), 30 * i, np.uint8)).save(path)
    before = contents()
    for place in ((), ("--out", "run")):
        assert "its own" in chainrule("train", ".", *QUICK, *place, code=2).output
    assert contents() == before
    assert sorted(os.listdir()) == ["a", "b"]


def test_predictions_for_a_terminal_are_escaped() -> None:
    out = io.StringIO()
    blocks = [{"index": [0], "prediction": ["red\x1b[31m"]}]
    write_csv(out, blocks, printable)
    assert out.getvalue() == "index,prediction\n0,red\\u001b[31m\n"
