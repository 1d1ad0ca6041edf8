"""What recording a run costs: ``fit(out=…, record="light")`` beside ``record="none"``, in alternating rounds.

    python bench/views.py              # prints the table
    python bench/views.py --write      # to bench/results/views.md
    python bench/views.py --rounds 9   # more rounds

The time of the recorder is also measured within the run (all that its methods take), because on a machine that others
use, too, two runs differ by more than recording costs.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import chainrule as cr
from chainrule import tree
from chainrule.training.recorder import Recorder

RESULTS = Path(__file__).parent / "results" / "views.md"

#: The methods of the recorder that the training calls.
METHODS = ("start", "most_steps", "add", "look", "end_epoch", "position", "finish", "recorded")


class Timed(Recorder):
    """A recorder that measures itself."""

    seconds, depth = 0.0, 0


def timed(name: str) -> Any:
    """Return a method of the recorder that adds the time that it takes; one that it calls itself counts once."""
    method = getattr(Recorder, name)

    @functools.wraps(method)
    def call(self: Timed, *args: Any, **settings: Any) -> Any:
        began = time.perf_counter()
        Timed.depth += 1
        try:
            return method(self, *args, **settings)
        finally:
            Timed.depth -= 1
            if Timed.depth == 0:
                Timed.seconds += time.perf_counter() - began

    return call


for each in METHODS:
    setattr(Timed, each, timed(each))


def cases() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Return networks with data and settings, by what they are called."""
    digits, mnist = cr.data.load("digits"), cr.data.load("mnist")
    x, y = np.asarray(mnist.x[:10_000]), np.asarray(mnist.y[:10_000])
    random = np.random.default_rng(0)
    columns = random.normal(size=(5000, 8))
    people = pd.DataFrame(columns, columns=[f"c{i}" for i in range(8)]).assign(
        job=random.choice(["a", "b", "c"], 5000), income=columns @ np.arange(8) + random.normal(size=5000)
    )
    cnn = cr.Sequential(
        cr.Conv2D(8, 3, "relu"), cr.MaxPool2D(2), cr.Conv2D(16, 3, "relu"), cr.MaxPool2D(2), cr.Flatten(),
        cr.Dense(10, "softmax"),
    )  # fmt: skip
    mlp = cr.Sequential(cr.Flatten(), cr.Dense(128, "relu"), cr.Dense(10, "softmax"))
    return {
        "digits, 64-30-10": (
            cr.Sequential(cr.Flatten(), cr.Dense(30, "relu"), cr.Dense(10, "softmax")), digits,
            {"epochs": 30, "engine": "numpy"},
        ),
        "MNIST (10,000 rows), 784-128-10": (mlp, (x, y), {"epochs": 10, "batch_size": 64, "engine": "jax"}),
        "MNIST (2,000 rows), CNN": (
            cnn, (x[:2000].reshape(-1, 28, 28, 1), y[:2000]), {"epochs": 6, "batch_size": 64, "engine": "jax"},
        ),
        "a table of 5,000 rows, 11-64-64-1": (
            cr.mlp([11, 64, 64, 1], output="linear"), cr.Table.read(people, target="income"),
            {"epochs": 20, "engine": "numpy"},
        ),
    }  # fmt: skip


def run(net: Any, data: Any, settings: dict[str, Any], level: str) -> tuple[float, float, cr.Run, int]:
    """Train into a new folder; return processor time, wall time, the run, and the bytes that were recorded."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        Timed.seconds = 0.0
        processor, wall = time.process_time(), time.perf_counter()
        trained = cr.fit(net, data, validation=0.1, out=Path(folder) / "run", record=level, progress=False, **settings)
        processor, wall = time.process_time() - processor, time.perf_counter() - wall
        files = [*Path(folder).glob("run/views/*")]
        return processor, wall, trained, sum(file.stat().st_size for file in files)


def measure(name: str, net: Any, data: Any, settings: dict[str, Any], rounds: int) -> list[str]:
    """Return one row of the table."""
    _, _, first, _ = run(net, data, settings, "none")  # compiled, and in the caches
    ratios, base, within, same, size, stops = [], [], [], True, 0, 0
    for at in range(rounds):
        seconds = {}
        for level in ("none", "light") if at % 2 else ("light", "none"):
            seconds[level], wall, trained, written = run(net, data, settings, level)
            same = same and all(map(np.array_equal, *(tree.leaves(r.model.params) for r in (first, trained))))
            if trained.recorded is not None:
                within.append((Timed.seconds, Timed.seconds / wall))
                size, stops = written, len(trained.recorded.stops)
        ratios.append(seconds["light"] / seconds["none"])
        base.append(seconds["none"])
    spent, share = (statistics.median(values) for values in zip(*within, strict=True))
    return [
        name, first.engine, f"{statistics.median(base):.2f} s", str(stops), f"{size / 2**20:.2f} MB",
        f"{1e3 * spent:.0f} ms", f"{share:.1%}",
        f"{statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})", "the same" if same else "OTHERS",
    ]  # fmt: skip


def processor() -> str:
    """Return the name of the processor, and how many of them there are."""
    import os

    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    vars(sys.modules["chainrule.training.fit"])["Recorder"] = Timed
    head = ["run", "engine", "time", "stops", "recorded", "recorder", "share", "light / none", "weights"]
    rows = [measure(name, *case, arguments.rounds) for name, case in cases().items()]
    table = "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
    text = (
        "# What recording a run costs\n\n"
        f"Made by bench/views.py on {processor()}, {arguments.rounds} alternating rounds. `time` is the processor time "
        'of the run with `record="none"` into a folder, the median; `recorder` is all that the methods of the recorder '
        "take within a run, the median, `share` its part of the run's wall time (target: at most 3 % or 0.25 s); "
        "`light / none` is the ratio of processor times, the median with the least and the largest; `weights` are "
        f"those of the run that is not recorded, bit by bit.\n\n{table}\n"
    )
    print(text)
    if arguments.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
