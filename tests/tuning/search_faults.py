"""A search on the command line with a fault at one of its operations: a crash, or an error of the system.

Operations are counted in the folder of the search: creating, opening to write, flushing, renaming, linking, removing;
and where its study is in a database, the statements that change it and their commits. A crash ends the process as
SIGKILL does, before the operation; at a flush the end of the file is lost, which is what a power loss may do. The error
is a full disk, once. Going on happens as in a restarted container: in another process with the same number.

``python tests/tuning/search_faults.py`` walks over every operation and writes bench/results/search_interrupted.md.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import gzip
import io
import json
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from click.testing import CliRunner
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

import chainrule as cr
from chainrule.cli.app import app
from chainrule.tuning import journal, trial_store, workers
from chainrule.tuning.storage import quiet
from chainrule.tuning.workers import Process

CRASH, ERROR = "crash", "error"
KILLED, RAISED = 137, 99

JOURNAL, DATABASE = "a/study.journal", "sqlite:///trials.db"

WORDS = (
    "search", "iris", "--epochs", "2", "--hidden", "4", "--engine", "numpy", "--space", "lr=1e-3..1", "--trials", "3",
    "--out", "a",
)  # fmt: skip

#: Functions of `os` that change something, and which of their arguments are the paths.
CHANGES: dict[str, tuple[int, ...]] = {
    "replace": (0, 1), "rename": (0, 1), "unlink": (0,), "remove": (0,), "mkdir": (0,), "rmdir": (0,), "symlink": (1,),
    "truncate": (0,), "chmod": (0,),
}  # fmt: skip


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
        real_os_open, real_open, real_compress = os.open, builtins.open, gzip.compress

        def fsync(descriptor: int) -> None:
            self.step(descriptor)  # and no more: what an ended process has written, the system has

        def os_open(path: Any, flags: int, *args: Any, **words: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and self.is_inside(path):
                self.step()
            return real_os_open(path, flags, *args, **words)

        def open_(path: Any, mode: str = "r", *args: Any, **words: Any) -> Any:
            if set(mode) & set("wax+") and self.is_inside(path):
                self.step()
            return real_open(path, mode, *args, **words)

        def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
            if text.split()[0] not in ("SELECT", "PRAGMA", "BEGIN"):
                self.step()

        event.listen(Engine, "before_cursor_execute", statement)
        event.listen(Engine, "commit", lambda _: self.step())
        gzip.compress = lambda data, *_, **__: real_compress(data, 1)  # half of the time of a small search
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


def container(started: str) -> None:
    """Be in a container, whose only process has number 1, and began at this time: it waits for nobody long."""
    workers.this_process = lambda: Process("a container", 1, started)
    workers._start_time = lambda pid: started
    journal.LOCK_GRACE = trial_store.TICKET_GRACE = 0.2


def run(words: Sequence[str], folder: Path, at: int = 0, kind: str = CRASH, started: str = "1") -> Ended:
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
            container(started)
            with report.open("w") as file:
                faults = Faults(at, kind)
                faults.install()
                result = CliRunner().invoke(app, [str(word) for word in words])
                code, text = result.exit_code, result.output
                if result.exception is not None and not isinstance(result.exception, SystemExit):
                    code, text = RAISED, "".join(traceback.format_exception(result.exception))
                json.dump({"code": code, "operations": faults.count, "text": text}, file)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(KILLED, at, "") if status == KILLED else Ended(**json.loads(report.read_text()))


def outcome(folder: Path, study: str) -> dict[str, Any]:
    """What a search has come to, for comparison with another."""
    run_folder = folder / "a"
    rows = [line.split(",") for line in (run_folder / "leaderboard.csv").read_text().splitlines()]
    result = json.loads((run_folder / "result.json").read_text())
    trials = stored(folder, study)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    model = cr.load_model(run_folder / "model.safetensors")
    return {
        "leaderboard": [[c for i, c in enumerate(row) if rows[0][i] not in ("trial", "seconds")] for row in rows],
        "positions": Counter(trial.user_attrs["claim"]["position"] for trial in complete),
        "epochs": [sorted(trial.intermediate_values) for trial in complete],
        "left": [trial.number for trial in trials if not trial.state.is_finished()],
        "probabilities": model.predict_proba(cr.data.load("iris").x[::9]).tolist(),
        "result": {name: value for name, value in result.items() if name not in ("best_trial", "seconds")},
        "files": sorted(path.name for path in run_folder.iterdir()),
    }


def stored(folder: Path, study: str) -> list[optuna.trial.FrozenTrial]:
    """The trials of a study."""
    with quiet():
        if study == JOURNAL:
            backend = optuna.storages.journal.JournalFileBackend(str(folder / study))
            storage: Any = optuna.storages.JournalStorage(backend)
        else:
            storage = study.replace("///", f"///{folder}/")
        return optuna.load_study(study_name="chainrule", storage=storage).trials


def words_for(study: str) -> tuple[str, ...]:
    """What is typed for a search whose trials are kept there."""
    return WORDS if study == JOURNAL else (*WORDS, "--study", study)


def whole(folder: Path, study: str) -> tuple[int, dict[str, Any]]:
    """A search without a fault: how many operations it does, and what it comes to."""
    folder.mkdir()
    ended = run(words_for(study), folder)
    assert ended.code == 0, ended.text
    return ended.operations, outcome(folder, study)


def fault(folder: Path, study: str, at: int, kind: str, expected: dict[str, Any]) -> str:
    """What is wrong after a fault, and after going on; "" if nothing is."""
    folder.mkdir()
    ended = run(words_for(study), folder, at, kind)
    if ended.code == RAISED or (kind == ERROR and ended.code not in (0, 1, 2)):
        return f"ended with code {ended.code}: {ended.text[-600:]}"
    begun = (folder / "a" / "search.toml").exists()
    again = run(("search", "--resume", "a") if begun else words_for(study), folder, started="2")
    if again.code != 0:
        return f"cannot go on, code {again.code}: {again.text[-600:]}"
    reached = outcome(folder, study)
    wrong = [name for name in expected if reached[name] != expected[name]]
    return "; ".join(f"{name}: {reached[name]} for {expected[name]}" for name in wrong)[:800]


def main() -> None:
    """Walk over every operation, and write what was wrong."""
    results = Path(__file__).parents[2] / "bench" / "results" / "search_interrupted.md"
    lines = []
    chosen = {"journal": (JOURNAL, (CRASH, ERROR)), "sqlite": (DATABASE, (CRASH,))}
    for study, kinds in [chosen[name] for name in sys.argv[1:] or chosen]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            count, expected = whole(folder / "whole", study)
            for kind in kinds:
                wrong = []
                for at in range(1, count + 1):
                    place = folder / f"{kind}-{at}"
                    if message := fault(place, study, at, kind, expected):
                        wrong.append((at, message))
                        print(study, kind, at, message, flush=True)
                    shutil.rmtree(place)
                name = "journal" if study == JOURNAL else "SQLite"
                lines.append(f"| {name} | {kind} | {count} | {len(wrong)} |")
                print(lines[-1], flush=True)
    results.write_text(TEXT + "\n".join(lines) + "\n", encoding="utf-8")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


TEXT = """# Searches that are interrupted at every one of their operations

`python tests/tuning/search_faults.py` types `chainrule search iris --trials 3 --epochs 2` and lets one operation fail:
each file that is created, opened to write, flushed, renamed, linked or removed, each statement and commit of a
database. *crash*: the process ends there as by SIGKILL; at a flush the end of the file is lost, too. *error*: the disk
is full, once. Then it goes on with `--resume` (or the same command, where nothing was begun) in another process with
the same number, as in a restarted container. A fault is: a traceback, a search that cannot go on, a trial that is
missing or there twice, other values, weights or files than those of a search without interruption.

| trials in | what happens | points | faults |
|---|---|---:|---:|
"""


if __name__ == "__main__":
    main()
