"""Progress over the members of a population, on standard error: how many are done, and the best so far."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence

from chainrule.display.lines import print_line
from chainrule.display.progress import SECONDS_BETWEEN_LINES, number, print_notes
from chainrule.metrics import smaller_is_better
from chainrule.population.member import Member
from chainrule.population.trainer import Watch


@contextlib.contextmanager
def progress(members: Sequence[Member], enabled: bool = True) -> Iterator[Watch | None]:
    """A function to call with the members that came to the end of an epoch."""
    if not enabled:
        yield None
        return
    notes = [member.job.prepared.notes for member in members]
    print_notes(notes[0] if notes else ())
    if any(note not in notes[0] for some in notes for note in some):
        print_notes(
            ["Other members learn from other rows; what is to be known of these is in the notes of their runs."]
        )
    total = sum(member.job.epochs for member in members)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(line(members), total=total)
            yield lambda moved: bar.update(task, completed=_done(members), description=line(members))
        return
    shown = -math.inf

    def watch(moved: Sequence[Member]) -> None:
        nonlocal shown
        if time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            print_line(f"{_done(members) / total:4.0%}  {line(members)}")

    try:
        yield watch
    finally:
        print_line(f"{_done(members) / total:4.0%}  {line(members)}")


def line(members: Sequence[Member]) -> str:
    """``12 of 64 done, 1 diverged, best val_accuracy 97.12 % (member 7)``."""
    diverged = sum(member.diverged for member in members)
    parts = [f"{sum(member.done for member in members)} of {len(members)} members done"]
    if diverged:
        parts.append(f"{diverged} diverged")
    columns = next((member.history.columns for member in members if len(member.history)), [])
    name = next((c for c in ("val_accuracy", "val_mae", "accuracy", "mae") if c in columns), None)
    if name is not None:
        sign = 1.0 if smaller_is_better(name) else -1.0
        scores = [member.metrics.get(name, math.nan) for member in members]
        if values := [(sign * value, i) for i, value in enumerate(scores) if math.isfinite(value)]:
            value, at = min(values)
            parts.append(f"best {name} {number(name, sign * value)} (member {at})")
    return ", ".join(parts)


def _done(members: Sequence[Member]) -> int:
    """Epochs that are done, or that no one waits for any more."""
    return sum(member.job.epochs if member.done else member.epoch for member in members)
