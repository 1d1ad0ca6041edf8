"""A search in a process of its own: ``search_process.py STUDY SAMPLER [--kill-after N] [--gate FOLDER]``.

With a gate the process waits in FOLDER for another one, and trains slowly, so that the two overlap; after it a second
search follows, coarse to fine. With ``--kill-after`` it kills itself in its N-th
epoch, over all trials.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path
from typing import Any

import chainrule as cr
from chainrule.tuning import SearchResult, log_uniform, search, uniform

TRIALS = 16


def run_search(study: Any, sampler: str = "random", **settings: Any) -> SearchResult:
    space = {"optimizer.lr": log_uniform(1e-3, 1.0), "l2": uniform(0.0, 1.0)}
    return search(
        cr.mlp([4, 8, 3]), cr.data.load("iris"), space, trials=TRIALS, epochs=3, batch=4, sampler=sampler, study=study,
        engine="numpy", progress=False, **settings,
    )  # fmt: skip


def meet(gate: Path, name: str) -> None:
    """Wait until the other process is here, too."""
    (gate / f"{os.getpid()}.{name}").touch()
    while len(list(gate.glob(f"*.{name}"))) < 2:
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("study")
    parser.add_argument("sampler")
    parser.add_argument("--kill-after", type=int)
    parser.add_argument("--stages")
    parser.add_argument("--gate", type=Path)
    asked = parser.parse_args()

    done = 0

    def after_an_epoch(event: Any) -> None:
        nonlocal done
        done += 1
        if done == asked.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if asked.gate is not None:
            time.sleep(0.05)

    if asked.gate is not None:
        run_search(None)  # what is slow the first time is over before the gate opens
        meet(asked.gate, "first")
    run_search(asked.study, asked.sampler, callbacks=after_an_epoch, stages=asked.stages)
    if asked.gate is not None:
        meet(asked.gate, "second")
        run_search(asked.study, "random", callbacks=after_an_epoch, stages="coarse_to_fine", name="staged")


if __name__ == "__main__":
    main()
