"""Progress of a search on standard error: how many trials are finished, and the best so far."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chainrule.display.lines import print_line
from chainrule.display.progress import SECONDS_BETWEEN_LINES, number


@dataclass(frozen=True)
class SearchProgress:
    """Where a search stands.

    Attributes
    ----------
    finished, trials : trials that are finished (in all processes), and asked for
    training : trials that this process trains now
    stopped, diverged : of those finished, how many were stopped before their last epoch, and diverged
    epochs : epochs trained so far, over all trials
    metric, value, trial : the best value of the metric, as the networks of the trials stand, and its trial; None before
        the first epoch
    seconds : since the search began
    """

    finished: int
    trials: int
    training: int
    stopped: int
    diverged: int
    epochs: int
    metric: str
    value: float | None
    trial: int | None
    seconds: float

    def __str__(self) -> str:
        parts = [f"{self.finished} of {self.trials} trials", f"{self.epochs} epochs"]
        parts += [f"{n} {what}" for n, what in ((self.stopped, "stopped"), (self.diverged, "diverged")) if n]
        if self.value is not None:
            parts.append(f"best {self.metric} {number(self.metric, self.value)} (trial {self.trial})")
        return ", ".join(parts)


Watch = Callable[[SearchProgress], None]


@contextlib.contextmanager
def progress(trials: int, enabled: bool) -> Iterator[Watch]:
    """A function to call with each standing: a line that changes on a terminal, plain lines now and then elsewhere."""
    if not enabled:
        yield lambda standing: None
        return
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=trials)
            yield lambda standing: bar.update(task, completed=standing.finished, description=str(standing))
        return
    shown, last = -math.inf, ""

    def watch(standing: SearchProgress) -> None:
        nonlocal shown, last
        last = f"{standing}, {standing.seconds:.1f} s"
        if time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            print_line(last)
            last = ""

    try:
        yield watch
    finally:
        if last:
            print_line(last)
