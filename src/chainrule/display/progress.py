"""Progress on standard error: a line that changes on a terminal, plain lines now and then elsewhere; in a notebook one
output that changes in its place.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from chainrule.display.lines import print_line
from chainrule.display.markup import escape

#: Without a terminal, a line is printed at most this often (and always the first and the last).
SECONDS_BETWEEN_LINES = 2.0

#: In a notebook the one output is changed at most this often.
SECONDS_BETWEEN_UPDATES = 0.5

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
    if in_notebook():
        shown = _in_place(total, live or line)
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        shown = _live(total, live or line, width, elapsed)
    else:
        shown = _plain(total, line)
    with shown as show:
        yield show


def in_notebook() -> bool:
    """Return whether a notebook shows what is displayed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


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
def _in_place(total: int, line: Callable[[State], str]) -> Iterator[Callable[[int, State], None]]:
    """Show a bar and the state in one output of a notebook, of one height, which is changed now and then."""
    shell: Any = importlib.import_module("IPython.display")

    def page(done: int, text: str) -> Any:
        bar = f'<progress value="{done}" max="{total}" style="width: 12em" aria-label="progress"></progress>'
        words = f'<span style="white-space: pre; font-family: monospace">{escape(text)}</span>'
        return shell.HTML(f'<div style="height: 1.8em; overflow: hidden; white-space: nowrap">{bar} {words}</div>')

    place = shell.display(page(0, ""), display_id=True)
    shown, unshown = float("-inf"), list[tuple[int, State]]()

    def show(done: int, state: State) -> None:
        nonlocal shown
        unshown[:] = [(done, state)]
        if time.monotonic() - shown >= SECONDS_BETWEEN_UPDATES:
            shown = time.monotonic()
            done, state = unshown.pop()
            place.update(page(done, line(state)))

    try:
        yield show
    finally:
        for done, state in unshown:
            place.update(page(done, line(state)))


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
