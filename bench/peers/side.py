"""What all sides share: a job comes in as JSON, one line of JSON goes out."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from workloads import WORKLOADS, Workload, arrays

Times = tuple[list[float], float | None]  # seconds of each epoch or call, cold first; mean cost over the last epoch
Task = Callable[[Workload, np.ndarray, np.ndarray, SimpleNamespace], Times]


def main(**tasks: Task) -> None:
    """Do the job of the command line, and print how long it took.

    ``warm``: seconds per step (or call) of each epoch but the first. ``start``: all other seconds: preparing, tracing,
    compiling. ``cost``: mean training cost over the last epoch, of each batch before its step.
    ``beside``: seconds per step of other sides, measured in the same process.
    """
    job = SimpleNamespace(**json.loads(sys.argv[1]))
    workload = WORKLOADS[job.workload]
    x, y = arrays(workload, Path(job.data))
    with contextlib.redirect_stdout(sys.stderr):
        before = time.perf_counter()
        seconds, cost = tasks[workload.task](workload, x, y, job)
        whole = time.perf_counter() - before
    warm = statistics.median(seconds[1:])
    answer = {
        "warm": [s / workload.steps for s in seconds[1:]],
        "start": max(0.0, whole - len(seconds) * warm),
        "cost": cost,
        "note": getattr(job, "note", ""),
        "beside": getattr(job, "beside", {}),
    }
    print(json.dumps(answer))


def each_epoch(epoch: Callable[[np.ndarray], float], workload: Workload, job: SimpleNamespace) -> Times:
    """Time epochs; `epoch` takes the rows of each batch (steps, batch) and returns the mean cost."""
    rng, seconds, cost = np.random.default_rng(job.seed), [], 0.0
    for _ in range(job.epochs):
        before = time.perf_counter()
        cost = epoch(rng.permutation(workload.images).reshape(-1, workload.batch))
        seconds.append(time.perf_counter() - before)
    return seconds, cost


def each_call(call: Callable[[], Any], job: SimpleNamespace) -> Times:
    """Time calls of a prediction."""
    seconds = []
    for _ in range(job.epochs):
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    return seconds, None
