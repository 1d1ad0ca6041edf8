"""The walk over every file operation of a training command: kill it there, or let the operation fail, and go on.

``python walk.py`` (from tests/) walks over every one and writes bench/results/interrupted.md.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.tell import Printer
from chainrule.cli.train import train
from chainrule.errors import ChainruleError
from chainrule.training import checkpoint
from faults import Dead, Faults, Operation

#: What differs between two runs that are the same: versions, times, and the page that shows them.
NOT_COMPARED = ("environment.json", "report.html", "augment.png")

random = np.random.default_rng(0)
X = random.normal(size=(40, 4, 4, 1)).astype(np.float32)
Y = random.integers(0, 2, size=40)


@dataclass(frozen=True)
class Scenario:
    """Something that trains into a folder.

    Attributes
    ----------
    start : as it is done first
    go_on : after an interruption
    """

    name: str
    start: Callable[[Path], object]
    go_on: Callable[[Path], object]


def typed(name: str, **settings: Any) -> Scenario:
    """A command of ``chainrule train``: after an interruption --resume, or the same again where nothing was saved."""
    settings = {
        "data": "walk.npz", "hidden": "3", "batch_size": 8, "epochs": 3, "engine": "numpy", "validation": 0.25,
        "keep": 1, **settings,
    }  # fmt: skip

    def start(out: Path) -> None:
        train(settings, Printer(), config=None, out=out, resume=None)

    def go_on(out: Path) -> None:
        if (out / "config.toml").exists() or (out / "members/config.toml").exists():
            train({}, Printer(), config=None, out=None, resume=out)
        else:
            start(out)

    return Scenario(name, start, go_on)


def called(name: str, call: Callable[..., Any]) -> Scenario:
    """A call in Python: after an interruption the same call with resume=True, if its folder is there."""
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "engine": "numpy", "progress": False}
    net = cr.Sequential(cr.Flatten(), cr.Dense(3, "tanh"), cr.Dense(2, "softmax"))
    run = functools.partial(call, net, (X, Y), **settings)
    return Scenario(name, lambda out: run(out=out), lambda out: run(out=out, resume=out.exists()))


SCENARIOS = [
    typed("train", early_stopping=9, augment="shift:1", checkpoint_every=2),
    typed("train --seeds", seeds=2, doctor="off"),
    typed("train --folds", folds=2, early_stopping=9, doctor="off"),
    called("fit", functools.partial(cr.fit, validation=0.25, checkpoint_every=2)),
    called("fit_population", functools.partial(cr.fit_population, members=2, validation=0.25)),
    called("cross_validate", functools.partial(cr.cross_validate, folds=2)),
]


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """The data and a folder to work in; checkpoints not by the clock, so that all runs have the same operations."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()):
        patch.chdir(folder)
        patch.setattr("chainrule.training.checkpointer.GAP", 0.0)
        patch.setattr("chainrule.training.checkpointer.FRACTION", 1.0)
        np.savez("walk.npz", x_train=X[:30], y_train=Y[:30], x_test=X[30:], y_test=Y[30:])
        yield


def operations(scenario: Scenario) -> tuple[list[Operation], dict[str, Any]]:
    """What an uninterrupted run does to files, and what it ends with."""
    out = Path("whole")
    shutil.rmtree(out, ignore_errors=True)
    with Faults(out) as faults, contextlib.redirect_stdout(io.StringIO()):
        scenario.start(out)
    return faults.seen, outcome(out)


def survives(scenario: Scenario, at: int, fault: str, whole: dict[str, Any], again: int | None = None) -> str:
    """What is wrong after a fault at an operation and going on; "" if nothing is.

    ``again`` is the operation of going on at which there is a second fault.
    """
    out = Path("run")
    shutil.rmtree(out, ignore_errors=True)
    messages = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(messages):
        for act, place in ((scenario.start, at), *([] if again is None else [(scenario.go_on, again)])):
            try:
                with Faults(out, place, fault):
                    act(out)
            except (Dead, ChainruleError):
                pass
            except Exception as error:
                return f"the error is {error!r}"
        try:
            scenario.go_on(out)
            left = outcome(out)
            if fault == "error" and not any(name.startswith("views/") for name in left):  # it was given up
                whole = {name: value for name, value in whole.items() if not name.startswith("views/")}
            if left != whole:
                names = sorted(name for name in {*left, *whole} if left.get(name) != whole.get(name))
                return f"other than without the fault: {', '.join(names)}"
            before = state(out)
            scenario.go_on(out)
        except ChainruleError as error:
            return f"it does not go on: {error}"
        if state(out) != before:
            return "going on with the complete run changes it"
    if scenario.name.startswith("train") and "is complete" not in messages.getvalue():
        return "that the run is complete is not said"
    return ""


def outcome(run: Path) -> dict[str, Any]:
    """Everything in a run's folder, as far as two runs must have the same; each file is read, and seen to be whole."""
    contents: dict[str, Any] = {}
    for path in (path for path in run.rglob("*") if path.is_file()):
        name = str(path.relative_to(run))
        if path.name.startswith("step-"):
            checkpoint.read(path)
        elif path.name in NOT_COMPARED:
            contents[name] = path.stat().st_size > 0
        elif path.name == "metrics.jsonl":
            contents[name] = [timeless(json.loads(line)) for line in path.read_text().splitlines()]
        else:
            contents[name] = timeless(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()
    return contents


def timeless(value: Any) -> Any:
    """Plain values without how long it took."""
    if isinstance(value, dict):
        return {name: timeless(v) for name, v in value.items() if name not in ("seconds", "timings")}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def state(run: Path) -> dict[str, Any]:
    """What is in a folder, and since when, to the last bit."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in run.rglob("*") if path.is_file()}


def walk(scenario: Scenario, points: Callable[[Sequence[Operation]], Sequence[tuple[Any, ...]]]) -> dict[str, str]:
    """What is wrong at some operations (their numbers, each with a fault, and see `survives`): {} if nothing is."""
    seen, whole = operations(scenario)
    faults = {}
    for at, fault, *again in points(seen):
        if wrong := survives(scenario, at, fault, whole, *again):
            faults[f"{fault} at operation {at}, {seen[at].kind} of {seen[at].file}, again {again}"] = wrong
    return faults


def everywhere(seen: Sequence[Operation]) -> list[tuple[int, str]]:
    """Every operation, with both faults."""
    return [(at, fault) for at in range(len(seen)) for fault in ("crash", "error")]


def main() -> None:
    """Walk over everything, and write the table."""
    lines = ["| trained by | operations | crashes survived | errors survived |", "|---|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        for scenario in SCENARIOS:
            with in_folder(Path(folder)):
                seen, _ = operations(scenario)
                wrong = walk(scenario, everywhere)
            counts = [len(seen) - sum(text.startswith(fault) for text in wrong) for fault in ("crash", "error")]
            lines.append(f"| `{scenario.name}` | {len(seen)} | {counts[0]} | {counts[1]} |")
            print(lines[-1], *(f"{at}: {what}" for at, what in wrong.items()), sep="\n", flush=True)
    (Path(__file__).parent.parent / "bench/results/interrupted.md").write_text("\n".join([HEAD, *lines, ""]))


HEAD = """# Killed, or failing, at every operation on a file

Written by `python tests/walk.py`. Three epochs with validation and a report (early stopping, augmentation and
checkpoints within epochs for `train`) are trained; `create`, `write` (of which half arrives), `fsync`, `chmod`,
`replace`, `unlink`, `mkdir` and `rmdir` below the run's folder are the points. At each one, in turn, the process dies
("crash"), or the operation fails with a full disk ("error"). Then `--resume RUN` (in Python the same call with
`resume=True`; where no settings were saved yet, the same command) must end, without an error, with every file that a
run without the fault has: settings, metrics, result, evaluation, members, best and last model bit for bit, the report
there, nothing half-written; and going on with that once more must change no file.
"""

if __name__ == "__main__":
    main()
