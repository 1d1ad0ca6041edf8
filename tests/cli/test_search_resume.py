"""`chainrule search` interrupted, killed or shared: what it leaves, how it goes on, and which secrets it keeps."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chainrule.cli.app import app
from chainrule.errors import FileError
from chainrule.experiments import evaluation, search_run
from chainrule.signals import Interrupted, Terminated
from chainrule.tuning import storage
from chainrule.tuning.runner import SearchRunner

SHORT = ("search", "iris", "--epochs", 2, "--hidden", 4, "--engine", "numpy", "--space", "lr=1e-3..1")
FILES = ("search.toml", "config.toml", "environment.json", "metrics.jsonl", "model.safetensors", "leaderboard.csv",
         "search.json", "result.json", "evaluation.json", "report.html")  # fmt: skip

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system copies no processes")


def leaderboard(run: str = "a") -> list[str]:
    """Its lines without the number of the trial and the seconds, which differ from run to run."""
    rows = [row.split(",") for row in (Path(run) / "leaderboard.csv").read_text().splitlines()]
    return [",".join(cell for i, cell in enumerate(row) if rows[0][i] not in ("trial", "seconds")) for row in rows]


def test_going_on_finishes_whatever_is_missing(chainrule: Any) -> None:
    chainrule(*SHORT, "--trials", 3, "--out", "a")
    complete = leaderboard()
    for missing in (FILES[1:], ("report.html",), ("leaderboard.csv", "result.json"), ("config.toml",)):
        for name in missing:
            Path("a", name).unlink()
        done = chainrule("search", "--resume", "a")
        assert "The run is in a" in done.stderr
        assert [name for name in FILES if not Path("a", name).exists()] == []
        assert leaderboard() == complete
        assert chainrule("predict", "a", "iris").stdout.count("\n") == 31


def test_a_search_that_was_killed_at_its_beginning_is_not_blocked(chainrule: Any) -> None:
    """What was asked for is in the folder before anything else, and is enough to go on."""
    chainrule(*SHORT, "--trials", 2, "--out", "a")
    for path in Path("a").iterdir():
        if path.name != "search.toml":
            path.unlink()
    refused = chainrule(*SHORT, "--trials", 2, "--out", "a", code=2)
    assert "a already holds a run" in refused.stderr
    assert "chainrule search --resume a" in refused.stderr
    chainrule("search", "--resume", "a")
    assert len(leaderboard()) == 3


@pytest.mark.parametrize(
    ("module", "name", "error", "code"),
    [
        (search_run, "write_config", Terminated, 143),
        (search_run, "write_atomic", Interrupted, 130),  # leaderboard.csv
        (search_run, "write_trials", Terminated, 143),
        (search_run, "save_result", Interrupted, 130),
        (evaluation, "write_evaluation", Terminated, 143),
        (evaluation, "write_report", Interrupted, 130),
    ],
)
def test_signals_while_the_results_are_written(
    module: Any, name: str, error: Any, code: int, chainrule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise error()

    with monkeypatch.context() as changed:
        changed.setattr(module, name, interrupt)
        done = chainrule(*SHORT, "--trials", 1, "--epochs", 1, "--out", "a", code=code)
    assert "To go on: chainrule search --resume a" in done.stderr
    assert "Traceback" not in done.stderr
    chainrule("search", "--resume", "a")
    assert [name for name in FILES if not Path("a", name).exists()] == []


def test_results_that_cannot_be_written_are_not_lost(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise FileError("Could not write a/search.json: No space left on device.")

    with monkeypatch.context() as changed:
        changed.setattr(search_run, "write_trials", refuse)
        done = chainrule(*SHORT, "--trials", 2, "--out", "a", code=1)
    assert "No space left on device. To go on: chainrule search --resume a" in done.stderr
    done = chainrule("search", "--resume", "a")
    assert "epochs, best" not in done.stderr  # nothing is trained again but the winner
    assert [name for name in FILES if not Path("a", name).exists()] == []


def test_a_place_without_a_search_says_how_to_begin_one(chainrule: Any) -> None:
    Path("a").mkdir()
    assert "To begin one there: chainrule search … --out a" in chainrule("search", "--resume", "a", code=2).stderr


def test_a_study_is_found_from_another_folder(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chainrule(*SHORT, "--trials", 2, "--study", "kept.journal", "--out", "a")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    complete = leaderboard("../a")
    chainrule("search", "--resume", "../a")
    assert leaderboard("../a") == complete
    assert list(Path().iterdir()) == []


# Shared


@contextmanager
def another_process(words: tuple[Any, ...]) -> Iterator[int]:
    """The same command in another process, which takes its trials and is slow to train them."""

    def slow(runner: SearchRunner, trials: list[Any]) -> None:
        Path("it-has-some").touch()
        time.sleep(60)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the copy does nothing with the threads of this one
        child = os.fork()
    if child == 0:
        try:
            SearchRunner._train = slow  # type: ignore[method-assign]
            CliRunner().invoke(app, [str(word) for word in words])
        finally:
            os._exit(0)
    try:
        while not Path("it-has-some").exists():
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
            time.sleep(0.01)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@needs_fork
def test_who_finds_nothing_left_to_begin_says_so(chainrule: Any) -> None:
    words = (*SHORT, "--trials", 1, "--study", "shared.journal")
    with another_process((*words, "--out", "a")):
        done = chainrule(*words, "--out", "b")
        assert "Nothing is left to begin" in done.stderr
        assert "train the last 1 of 1 trials" in done.stderr
        assert done.stdout == ""
        assert not Path("b").exists()


@needs_fork
def test_two_processes_share_a_study_and_the_one_takes_over_from_the_other(chainrule: Any) -> None:
    words = (*SHORT, "--trials", 6, "--study", "shared.journal")
    with another_process((*words, "--out", "a")):
        done = chainrule(*words, "--out", "b")
        states = [line.rsplit(",", 1)[1] for line in leaderboard("b")[1:]]
        assert set(states) == {"complete", "running"}
        assert states.count("running") <= 2  # the other one took some, not all
        assert f"other processes of this study still train {states.count('running')} of 6 trials" in done.stderr
    # It was killed: of the same machine that is known at once.
    chainrule("search", "--resume", "a")
    chainrule("search", "--resume", "b")
    alone = chainrule(*SHORT, "--trials", 6, "--out", "c") and leaderboard("c")
    assert leaderboard("a") == leaderboard("b") == alone


# Secrets


ADDRESS = "postgresql://me:s3cr%40t@host/db"


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database with a password: a file, here."""
    real = storage._database
    monkeypatch.setattr(storage, "_database", lambda address: real(f"sqlite:///{Path('kept.db').absolute()}"))


def test_the_password_of_a_study_is_written_nowhere(
    database: None, chainrule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*SHORT, "--trials", 2, "--epochs", 1, "--study", ADDRESS, "--out", "a")
    monkeypatch.setattr("sys.argv", ["chainrule", *map(str, words)])
    monkeypatch.delenv("CHAINRULE_STUDY", raising=False)
    done = chainrule(*words)
    for text in [done.output, *(path.read_bytes().decode("latin-1") for path in Path("a").iterdir())]:
        assert "s3cr" not in text
    assert "--study postgresql://me:***@host/db" in Path("a/environment.json").read_text()
    complete = leaderboard()

    done = chainrule("search", "--resume", "a", code=2)
    assert "postgresql://me:***@host/db, and the password is not written into a/search.toml" in done.stderr
    assert "--study" in done.stderr
    assert "CHAINRULE_STUDY" in done.stderr
    monkeypatch.setenv("CHAINRULE_STUDY", "postgresql://me:s3cret@another/db")
    done = chainrule("search", "--resume", "a", code=2)
    assert "CHAINRULE_STUDY is postgresql://me:***@another/db" in done.stderr
    monkeypatch.setenv("CHAINRULE_STUDY", ADDRESS)
    chainrule("search", "--resume", "a")
    monkeypatch.delenv("CHAINRULE_STUDY")
    chainrule("search", "--resume", "a", "--study", ADDRESS)
    assert leaderboard() == complete


def test_errors_do_not_tell_the_password(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no connection for me with password s3cr@t, s3cr%40t")

    monkeypatch.setattr(storage, "RDBStorage", refuse)
    done = chainrule(*SHORT, "--trials", 2, "--study", ADDRESS, "--out", "a", code=2)
    assert "postgresql://me:***@host/db cannot be reached: no connection for me with password ***, ***" in done.stderr
