"""Progress on standard error: a line that changes on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from chainrule.display.lines import print_line

#: Without a terminal, a line is printed at most this often (and always the first and the last).
SECONDS_BETWEEN_LINES = 2.0

State = TypeVar("State")  # what the lines are about: an epoch's record, the members, a search


@contextlib.contextmanager
def progress(
    total: int,
    line: Callable[[State], str],
    live: Callable[[State], str] | None = None,
    *,
    enabled: bool = True,
    width: int = 0,
    elapsed: bool = False,
) -> Iterator[Callable[[int, State], None]]:
    """Give a function to call with how much of ``total`` is done, and the state that the lines are made of.

    Parameters
    ----------
    line, live
        The state on a plain line, and on one that changes (None: the same). Only lines that are shown are made.
    enabled
        Show nothing at all where it is False.
    width
        Characters that a line takes; a terminal with room beyond them shows the time and a bar, too.
    elapsed
        Show the time since the beginning, not the time that is left.
    """
    if not enabled:
        yield lambda done, state: None
        return
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    with _live(total, live or line, width, elapsed) if on_terminal else _plain(total, line) as show:
        yield show


def print_notes(notes: Iterable[str]) -> None:
    """Print each different note once, before anything is trained."""
    for note in dict.fromkeys(notes):
        print_line(f"note: {note}")


@contextlib.contextmanager
def _plain(total: int, line: Callable[[State], str]) -> Iterator[Callable[[int, State], None]]:
    """Print the first and the last state that there is, and others now and then."""
    shown, unshown = float("-inf"), list[State]()

    def show(done: int, state: State) -> None:
        nonlocal shown
        unshown[:] = [state]
        if done >= total or time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            print_line(line(unshown.pop()))

    try:
        yield show
    finally:
        for state in unshown:
            print_line(line(state))


@contextlib.contextmanager
def _live(
    total: int, line: Callable[[State], str], width: int, elapsed: bool
) -> Iterator[Callable[[int, State], None]]:
    """Show one line that changes: the state, and where there is room the time and a bar."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    room = console.width - width
    columns: list[Any] = [TextColumn("{task.description}")]
    if room > 14:
        columns.append(TimeElapsedColumn() if elapsed else TimeRemainingColumn())
    if room > 24:
        columns.append(BarColumn(bar_width=min(24, room - 14)))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, state: bar.update(task, completed=done, description=line(state))
