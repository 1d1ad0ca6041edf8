"""Command lines that nobody means: each ends with one sentence and exit code 2 (1 for a run that failed), at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import memory
from chainrule.cli.app import check_words
from chainrule.errors import SettingError
from chainrule.recipe.memory import check_room

HUGE = "9999999999"
ABSURD = "9" * 30
QUICK = ("--epochs", 1, "--engine", "numpy")


def iris(*words: Any) -> tuple[Any, ...]:
    return ("train", "iris", *words, *QUICK)


def table(*words: Any) -> tuple[Any, ...]:
    return ("train", "t.csv", "--target", "y", *words, *QUICK)


def search(*words: Any) -> tuple[Any, ...]:
    return ("search", "iris", "--trials", 2, *words, *QUICK)


LINES: tuple[tuple[tuple[Any, ...], str], ...] = (
    # sizes
    (iris("--hidden", HUGE), "160.0 GB"),
    (iris("--hidden", ABSURD), "not enough memory for the weights"),
    (iris("--hidden", "1000000,1000000"), "not enough memory for the weights"),
    (iris("--hidden", ABSURD, "--init", "zeros"), "not enough memory for the weights"),
    (iris("--seeds", HUGE), "networks"),
    (iris("--seeds", ABSURD), "networks"),
    (iris("--folds", 2, "--seeds", HUGE), "networks"),
    (iris("--folds", HUGE), "folds"),
    (("train", "iris", "--epochs", HUGE, "--engine", "numpy"), "2,147,483,647 steps"),
    (("train", "iris", "--epochs", ABSURD, "--engine", "numpy"), "2,147,483,647 steps"),
    (("augment", "digits", "--augment", "shift:1", "--versions", HUGE), "Ask for fewer rows or versions"),
    (iris("--seed", ABSURD), "A seed is an integer"),
    (("demo", "--seed", ABSURD), "A seed is an integer"),
    (search("--space", f"hidden={HUGE}|3"), "not enough memory for the weights"),
    # numbers that are none
    (table("--components", "inf"), "components is a whole number"),
    (table("--components", "nan"), "components is a whole number"),
    (table("--components", "-1"), "components is a whole number"),
    (table("--components", "1e300"), "components is a whole number"),
    (table("--components", "1.5"), "components is a whole number"),
    (iris("--lr", "inf"), "lr must be"),
    (iris("--lr", "1e400"), "lr must be"),
    (iris("--lr", "nan"), "lr must be"),
    (iris("--l2", "1e400"), "l2 must be"),
    (iris("--weight-decay", "inf"), "weight_decay must be"),
    (iris("--dropout", "nan"), "rate must be"),
    (iris("--validation", "nan"), "validation must be a fraction"),
    (iris("--test", "inf"), "test must be a fraction"),
    (iris("--checkpoint-minutes", "nan"), "checkpoint_minutes must be"),
    (iris("--augment", "noise:nan"), "must be"),
    (search("--space", "l2=1e-3..1e400"), "l2=1e-3..1e400 must be finite"),
    (search("--space", "l2=nan..1"), "l2"),
    (search("--space", "lr=1e400|1"), "lr must be"),
    (search("--timeout", "nan"), "timeout"),
    # nothing, where something is needed
    (iris("--hidden", ""), "--hidden is empty"),
    (iris("--optimizer", ""), "--optimizer is empty"),
    (iris("--out="), "--out is empty"),
    (iris("--out", ""), "--out is empty"),
    (table("--separator", ""), "--separator is empty"),
    (("train", "", *QUICK), "An argument is empty"),
    (("predict", "", "iris"), "An argument is empty"),
    (("report", ""), "An argument is empty"),
    (("runs", ""), "An argument is empty"),
    # things of another kind
    (("train", "folder", *QUICK), "folder"),
    (("train", "é" * 300, *QUICK), "é"),
    (("train", "bytes.csv", "--target", "y", *QUICK), "bytes.csv"),
    (("train", "--config", "folder"), "folder"),
    (("train", "--config", "t.csv"), "t.csv"),
    (("train", "--resume", "folder"), "folder"),
    (("search", "--resume", "folder"), "folder"),
    (("report", "t.csv"), "t.csv"),
    (("predict", "t.csv", "iris"), "t.csv"),
    (("export", "folder"), "folder"),
    (table("--encoding", "no such"), "no such"),
    (table("--column", "="), "--column takes"),
    (table("--drop", "x", "--column", "x=number"), "choose one"),
    (table("--column", "x=date", "--column", "x=number"), "--column says"),
    # places that cannot be written to
    (iris("--out", "t.csv"), "t.csv"),
    (iris("--out", "t.csv/run"), "t.csv"),
    (iris("--out", "o" * 300), "o"),
    (search("--study", "folder"), "folder"),
    (("augment", "digits", "--augment", "shift:1", "--out", "folder"), "folder"),
)


@pytest.mark.parametrize(("words", "message"), LINES, ids=lambda value: " ".join(map(str, value))[:60])
def test_a_command_line_that_cannot_be_ends_with_a_sentence(
    chainrule: Any, words: tuple[Any, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_of_machine", lambda: 8e9)
    Path("folder").mkdir()
    Path("t.csv").write_text("x,z,y\n" + "".join(f"{i % 7},{i * 3 % 11},{'ab'[i % 2]}\n" for i in range(60)))
    Path("bytes.csv").write_bytes(bytes(range(256)) * 4)
    before = sorted(os.listdir())
    done = chainrule(*words, code=2)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in done.output
    assert [name for name in sorted(os.listdir()) if name != "runs"] == before
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


@pytest.mark.parametrize("words", [["runs", ""], ["--debug", "train", "iris", "--lr="], ["train", "a b", "--out", ""]])
def test_an_empty_word_is_refused(words: list[str]) -> None:
    with pytest.raises(SettingError, match="is empty"):
        check_words(words)
    check_words([word or "x" for word in words if word != "--lr="])


def test_memory_that_runs_out_is_said(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (MemoryError("Unable to allocate 1 TiB"), RuntimeError("RESOURCE_EXHAUSTED: Out of memory")):

        def full(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr("chainrule.experiments.commands.make_plan", full)
        assert "more memory than there is" in chainrule("train", "iris", code=2).stderr


def test_weights_that_do_not_fit_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_of_machine", lambda: 1e9)
    with pytest.raises(SettingError, match=r"dense_2.*\(20000,\).* GB"):
        cr.Model(cr.mlp([4, 20_000, 20_000, 2]), (4,))
    with pytest.raises(SettingError, match=r"networks of .* of weights each"):
        cr.fit_population(cr.mlp([4, 500, 500, 3]), cr.data.load("iris"), 1000, engine="numpy", progress=False)
    monkeypatch.setattr(memory, "_of_machine", lambda: 1e8)
    weights = {"weight": np.zeros((2**12, 2**12), np.float32)}
    with pytest.raises(SettingError, match=r"5 copies of the weights.*67\.1 MB"):
        check_room(weights)
