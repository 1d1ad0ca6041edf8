"""The journal of a study: its lock, what killed processes leave, and files that are none."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import FileError
from chainrule.tuning import journal, log_uniform, search
from chainrule.tuning.journal import JournalLock

SPACE = {"optimizer.lr": log_uniform(0.01, 1.0)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("target", ["runs/search.journal", "search.journal", "/nowhere/search.journal"])
def test_a_lock_that_a_killed_process_left_is_removed(
    target: str, folder: Path, line: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever its link leads to: that of a relative path leads nowhere."""
    monkeypatch.setattr(journal, "LOCK_GRACE", 0.1)
    monkeypatch.setattr(journal, "SAY_AFTER", 0.05)
    Path("runs").mkdir()
    search(**line, space=SPACE, trials=1, epochs=1, study="runs/search.journal")
    os.symlink(target, "runs/search.journal.lock")
    with caplog.at_level(logging.WARNING, "chainrule"):
        assert len(search(**line, space=SPACE, trials=2, epochs=1, study="runs/search.journal").trials) == 2
    [message] = [record.getMessage() for record in caplog.records]
    assert "Waiting for the lock" in message
    assert "runs/search.journal.lock" in message
    assert sorted(path.name for path in Path("runs").iterdir()) == ["search.journal"]


def test_a_lock_is_not_taken_from_those_who_take_turns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it is another one each time, somebody lives."""
    path = folder / "search.journal"
    path.touch()
    first, second = JournalLock(path), JournalLock(path)
    clock = iter(range(1000))
    monkeypatch.setattr(journal.time, "monotonic", lambda: 0.4 * journal.LOCK_GRACE * next(clock))

    def take_turns(_: float) -> None:
        turns.append(os.readlink(first.path))
        first.release()
        if len(turns) < 8:
            first.acquire()

    turns: list[str] = []
    monkeypatch.setattr(journal.time, "sleep", take_turns)
    first.acquire()
    assert second.acquire()
    assert turns == ["search.journal"] * 8


def test_who_was_taken_for_dead_does_not_release_the_lock_of_another(folder: Path) -> None:
    path = folder / "search.journal"
    path.touch()
    slow, other = JournalLock(path), JournalLock(path)
    slow.acquire()
    os.unlink(slow.path)
    other.acquire()
    slow.release()
    assert os.path.lexists(other.path)
    other.release()
    assert not os.path.lexists(other.path)


def test_file_systems_without_links_have_a_lock_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    (folder / "search.journal").touch()
    lock = JournalLock(folder / "search.journal")
    assert lock.acquire()
    assert Path(lock.path).is_file()
    lock.release()
    assert not Path(lock.path).exists()


def test_half_a_line_of_a_process_that_is_killed_harms_no_other(folder: Path, line: dict[str, Any]) -> None:
    """A process that goes on would write behind it, and the whole study could not be read again."""

    def cut(event: Any) -> None:
        with open("search.journal", "ab") as file:
            file.write(b'{"op_code":8,"worker_id":"b')

    search(**line, space=SPACE, trials=3, epochs=2, study="search.journal", callbacks=cut)
    assert len(search(**line, space=SPACE, trials=4, epochs=2, study="search.journal").trials) == 4


def test_half_of_the_first_line_is_removed(folder: Path, line: dict[str, Any]) -> None:
    for half in (b'{"op', b'{"op_code":0,"worker_id":"8a'):
        Path("search.journal").write_bytes(half)
        assert len(search(**line, space=SPACE, trials=1, epochs=1, study="search.journal").trials) == 1


@pytest.mark.parametrize("content", [b"lr,score\n0.1,0.9", b'{"a": 1}\n{"b": 2', b"no line"])
def test_a_file_that_is_no_journal_stays_as_it_is(content: bytes, folder: Path, line: dict[str, Any]) -> None:
    Path("results.csv").write_bytes(content)
    with pytest.raises(FileError, match="is no journal of a search"):
        search(**line, space=SPACE, trials=1, epochs=1, study="results.csv")
    assert Path("results.csv").read_bytes() == content


def test_a_search_may_change_its_folder(folder: Path, line: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("elsewhere").mkdir()
    search(**line, space=SPACE, trials=2, epochs=1, study="search.journal", callbacks=lambda _: os.chdir("/"))
    monkeypatch.chdir(folder)
    assert [path.name for path in Path().iterdir() if "journal" in path.name] == ["search.journal"]
