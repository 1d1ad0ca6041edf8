"""Progress over the members of a population, on standard error: how many are done, and the best so far."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

from chainrule import metrics
from chainrule.display.progress import print_notes
from chainrule.display.progress import progress as show_progress
from chainrule.population.member import Member
from chainrule.population.worker_pool import Watch


@contextlib.contextmanager
def progress(members: Sequence[Member], enabled: bool = True) -> Iterator[Watch | None]:
    """Give a function to call with the members that came to the end of an epoch."""
    if not enabled:
        yield None
        return
    notes = [member.prepared_run.prepared.notes for member in members]
    print_notes(notes[0] if notes else ())
    if any(note not in notes[0] for some in notes for note in some):
        print_notes(
            ["Other members learn from other rows; what is to be known of these is in the notes of their runs."]
        )
    total = sum(member.prepared_run.epochs for member in members)

    def plain(members: Sequence[Member]) -> str:
        return f"{_done(members) / total:4.0%}  {line(members)}"

    with show_progress(total, plain, line) as show:
        yield lambda moved: show(_done(members), members)


def line(members: Sequence[Member]) -> str:
    """``12 of 64 done, 1 diverged, best val_accuracy 97.12 % (member 7)``."""
    diverged = sum(member.diverged for member in members)
    parts = [f"{sum(member.done for member in members)} of {len(members)} members done"]
    if diverged:
        parts.append(f"{diverged} diverged")
    columns = next((member.history.columns for member in members if len(member.history)), [])
    if (name := metrics.preferred(columns)) is not None:
        scores = [member.metrics.get(name, math.nan) for member in members]
        if (best := metrics.find(name).best(scores)) is not None:
            parts.append(f"best {name} {metrics.format_value(name, scores[best])} (member {best})")
    return ", ".join(parts)


def _done(members: Sequence[Member]) -> int:
    """Return the epochs that are done, or that no one waits for any more."""
    return sum(member.prepared_run.epochs if member.done else member.epoch for member in members)
