"""A search on the command line with a fault at one of its file operations: a crash, or an error of the system.

Operations are counted in the folder of the search: creating, opening to write, flushing, renaming, linking, removing.
A crash ends the process as SIGKILL does, before the operation; at a flush the end of the file is lost, which is what a
power loss may do. The error is a full disk, once.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from typer.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app

CRASH, ERROR = "crash", "error"
KILLED, RAISED = 137, 99

TRIALS = 3
WORDS = (
    "search", "iris", "--epochs", "2", "--hidden", "4", "--engine", "numpy", "--space", "lr=1e-3..1", "--trials",
    str(TRIALS), "--out", "a",
)  # fmt: skip

#: Functions of `os` that change something, and which of their arguments are paths.
CHANGES = {"replace": (0, 1), "rename": (0, 1), "unlink": (0,), "remove": (0,), "mkdir": (0,), "rmdir": (0,),
           "symlink": (1,), "truncate": (0,), "chmod": (0,)}  # fmt: skip


class Faults:
    """Counts file operations, and fails at one of them."""

    def __init__(self, at: int = 0, kind: str = CRASH) -> None:
        self.at, self.kind, self.count = at, kind, 0
        self.folder = Path.cwd()

    def step(self, descriptor: int | None = None) -> None:
        """Count an operation; if it is the one, fail."""
        self.count += 1
        if self.count != self.at:
            return
        if self.kind == ERROR:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - 7))
        os._exit(KILLED)

    def is_inside(self, path: Any) -> bool:
        """Whether a path is in the folder of the search."""
        if isinstance(path, int):
            return False
        return Path(os.path.abspath(os.fspath(path))).is_relative_to(self.folder)

    def install(self) -> None:
        """Put this in the place of the functions of the system."""
        for name, places in CHANGES.items():
            setattr(os, name, self._counted(getattr(os, name), places))
        real_sync, real_os_open, real_open = os.fsync, os.open, builtins.open

        def fsync(descriptor: int) -> None:
            self.step(descriptor)
            real_sync(descriptor)

        def os_open(path: Any, flags: int, *args: Any, **words: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and self.is_inside(path):
                self.step()
            return real_os_open(path, flags, *args, **words)

        def open_(path: Any, mode: str = "r", *args: Any, **words: Any) -> Any:
            if set(mode) & set("wax+") and self.is_inside(path):
                self.step()
            return real_open(path, mode, *args, **words)

        os.fsync, os.open, builtins.open, io.open = fsync, os_open, open_, open_  # type: ignore[assignment]

    def _counted(self, real: Callable[..., Any], places: Sequence[int]) -> Callable[..., Any]:
        def counted(*args: Any, **words: Any) -> Any:
            if any(self.is_inside(args[i]) for i in places if i < len(args)):
                self.step()
            return real(*args, **words)

        return counted


@dataclass(frozen=True)
class Ended:
    """How a search ended.

    Attributes
    ----------
    code : the exit code; `KILLED`, or `RAISED` after an error with a traceback
    operations : that it did
    text : what it printed
    """

    code: int
    operations: int
    text: str


def run(words: Sequence[str], folder: Path, at: int = 0, kind: str = CRASH, setup: Callable[[], None] = int) -> Ended:
    """Run a command in a process of its own (a copy of this one), with a fault at one operation."""
    report = folder.with_name(f"{folder.name}.ended")
    report.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the copy does nothing with the threads of this one
        child = os.fork()
    if child == 0:
        code = RAISED
        try:
            os.chdir(folder)
            with report.open("w") as file:
                setup()
                faults = Faults(at, kind)
                faults.install()
                result = CliRunner().invoke(app, [str(word) for word in words])
                code = result.exit_code
                text = result.output
                if result.exception is not None and not isinstance(result.exception, SystemExit):
                    code, text = RAISED, "".join(traceback.format_exception(result.exception))
                json.dump({"code": code, "operations": faults.count, "text": text}, file)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == KILLED:
        return Ended(KILLED, at, "")
    return Ended(**json.loads(report.read_text()))


def outcome(folder: Path) -> dict[str, Any]:
    """What a search has come to, for comparison with another."""
    run_folder = folder / "a"
    rows = (run_folder / "leaderboard.csv").read_text().splitlines()
    names = rows[0].split(",")
    leave_out = {names.index("trial"), names.index("seconds")}
    trials = stored(run_folder / "study.journal")
    result = json.loads((run_folder / "result.json").read_text())
    return {
        "leaderboard": [[c for i, c in enumerate(row.split(",")) if i not in leave_out] for row in rows],
        "positions": Counter(t.user_attrs["claim"]["position"] for t in trials if t.state == TrialState.COMPLETE),
        "left": [t.number for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)],
        "epochs": [sorted(t.intermediate_values) for t in trials if t.state == TrialState.COMPLETE],
        "weights": cr.load_model(run_folder / "model.safetensors").predict_proba(cr.data.load("iris").x[::9]).tolist(),
        "metrics": result["metrics"] if "metrics" in result else result["state"],
        "files": sorted(p.name for p in run_folder.iterdir() if not p.name.startswith(".")),
    }


def stored(path: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials in a journal."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
        return optuna.load_study(study_name="chainrule", storage=storage).trials
    finally:
        optuna.logging.set_verbosity(verbosity)


def walk(folder: Path, points: Sequence[tuple[int, str]], setup: Callable[[], None] = int) -> Iterator[tuple[Any, str]]:
    """Search with a fault at each point, go on, and compare with a search without one: each point, and what is wrong.

    ``points`` are numbers of operations with the kind of fault.
    """
    whole = folder / "whole"
    whole.mkdir()
    assert run(WORDS, whole).code == 0
    expected = outcome(whole)
    for at, kind in points:
        place = folder / f"{kind}-{at}"
        place.mkdir()
        yield (at, kind), fault(place, at, kind, expected, setup)


def fault(folder: Path, at: int, kind: str, expected: dict[str, Any], setup: Callable[[], None] = int) -> str:
    """What is wrong after a fault, and after going on; "" if nothing is."""
    ended = run(WORDS, folder, at, kind)
    if ended.code == RAISED or (kind == ERROR and ended.code not in (0, 1, 2)):
        return f"ended with code {ended.code}: {ended.text[-600:]}"
    begun = (folder / "a" / "search.toml").exists()
    again = run(("search", "--resume", "a") if begun else WORDS, folder, setup=setup)
    if again.code != 0:
        return f"cannot go on, code {again.code}: {again.text[-600:]}"
    reached = outcome(folder)
    wrong = [name for name in expected if reached[name] != expected[name]]
    return "; ".join(f"{name}: {reached[name]} for {expected[name]}" for name in wrong)[:800]
