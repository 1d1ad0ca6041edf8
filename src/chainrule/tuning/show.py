"""Progress of a search on standard error: how many trials are finished, and the best so far."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chainrule import metrics
from chainrule.display.progress import progress as show_progress


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
            parts.append(f"best {self.metric} {metrics.format_value(self.metric, self.value)} (trial {self.trial})")
        return ", ".join(parts)


Watch = Callable[[SearchProgress], None]


@contextlib.contextmanager
def progress(trials: int, enabled: bool) -> Iterator[Watch]:
    """Give a function to call with each `SearchProgress`."""

    def plain(state: SearchProgress) -> str:
        return f"{state}, {state.seconds:.1f} s"

    with show_progress(trials, plain, str, enabled=enabled, elapsed=True) as show:
        yield lambda state: show(state.finished, state)
