"""What looking at a run costs: ``fit(doctor="watch")`` while it trains, a look by itself, and the diagnosis of a run.

    python bench/doctor_watch.py           # prints the table
    python bench/doctor_watch.py --write   # to bench/results/doctor_watch.md

The time of watching is measured within the run (all that `Watch` does, from its making to its last look), because on a
machine that others use, too, two runs differ by more than 3 %.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import tree
from chainrule.symptoms.look import look
from chainrule.training.watch import Watch

RESULTS = Path(__file__).parent / "results" / "doctor_watch.md"


class Timed(Watch):
    """A watch that measures itself."""

    seconds, looks = 0.0, 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        began = time.perf_counter()
        super().__init__(*args, **kwargs)
        Timed.seconds, Timed.looks = time.perf_counter() - began, 0

    def after_epoch(self, *args: Any) -> None:
        """Look, and add the time that it takes."""
        began, before = time.perf_counter(), self.spent
        super().after_epoch(*args)
        Timed.seconds += time.perf_counter() - began
        Timed.looks += self.spent > before


def cases() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Return networks with data and settings, by what they are called."""
    data = cr.data.load("mnist")
    x, y = np.asarray(data.x[:20_000]), np.asarray(data.y[:20_000])
    flat, images = x.reshape(len(x), -1), x.reshape(len(x), 28, 28, 1)
    digits = cr.data.load("digits")
    pictures = (digits.x.reshape(-1, 8, 8, 1), digits.y)
    dense = cr.mlp([784, 100, 10])
    deep = cr.Sequential(
        cr.Dense(512, "relu"), cr.Dropout(0.2), cr.Dense(512), cr.BatchNorm(), cr.Activation("relu"),
        cr.Dense(10, "softmax"),
    )  # fmt: skip
    small = cr.Sequential(cr.Conv2D(8, 3, "relu"), cr.MaxPool2D(2), cr.Flatten(), cr.Dense(10, "softmax"))
    cnn = cr.Sequential(
        cr.Conv2D(16, 3, "relu"), cr.MaxPool2D(2), cr.Conv2D(32, 3, "relu"), cr.MaxPool2D(2), cr.Flatten(),
        cr.Dense(10, "softmax"),
    )  # fmt: skip
    return {
        "iris, 4-8-3": (cr.mlp([4, 8, 3]), cr.data.load("iris"), {"epochs": 200}),
        "digits, 64-30-10, NumPy": (
            cr.Sequential(cr.Flatten(), cr.Dense(30, "relu"), cr.Dense(10, "softmax")), digits,
            {"epochs": 100, "engine": "numpy"},
        ),
        "MNIST (20,000), 784-100-10": (dense, (flat, y), {"epochs": 20}),
        "MNIST (20,000), 784-512-512-10, dropout, batch norm": (deep, (flat, y), {"epochs": 6, "batch_size": 128}),
        "digits, CNN": (small, pictures, {"epochs": 30}),
        "MNIST (5,000), CNN": (cnn, (images[:5000], y[:5000]), {"epochs": 6}),
    }  # fmt: skip


def measure(name: str, net: Any, data: Any, settings: dict[str, Any]) -> list[str]:
    """Return one row of the table."""
    with contextlib.redirect_stderr(io.StringIO()):
        off = cr.fit(net, data, **settings)
        began = time.perf_counter()
        run = cr.fit(net, data, doctor="watch", **settings)
        seconds = time.perf_counter() - began
    watching, looks = Timed.seconds, Timed.looks
    same = all(map(np.array_equal, tree.leaves(off.model.params), tree.leaves(run.model.params)))
    recordings = run.recordings
    assert recordings is not None
    took = []
    for _ in range(5):
        began = time.perf_counter()
        look(run.recipe, recordings.last, recordings.rows, batch_size=settings.get("batch_size", 32))
        took.append(time.perf_counter() - began)
    began = time.perf_counter()
    alarm = run.diagnosis.alarm
    diagnosis = time.perf_counter() - began
    return [
        name, run.engine, f"{seconds:.1f} s", str(looks), f"{1e3 * watching:.0f} ms", f"{watching / seconds:.2%}",
        "the same" if same else "OTHERS", f"{1e3 * min(took):.0f} ms", f"{diagnosis:.2f} s", "yes" if alarm else "no",
    ]  # fmt: skip


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    vars(sys.modules["chainrule.training.fit"])["Watch"] = Timed
    head = ["run", "engine", "time", "looks", "watching", "share", "weights", "one look", "`run.diagnosis`", "alarm"]
    rows = [measure(name, *case) for name, case in cases().items()]
    table = "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
    text = (
        "# What looking at a run costs\n\n"
        'Made by bench/doctor_watch.py. `watching` is all that `fit(doctor="watch")` adds to a run, `share` its part '
        "of the run's time (target: at most 3 %), `weights` whether they are those of the same run without it, bit by "
        "bit; `one look` is `look` on 256 rows, the least of five; `run.diagnosis` is computed once, when it is first "
        f"asked for.\n\n{table}\n"
    )
    print(text)
    if arguments.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
