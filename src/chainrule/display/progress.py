"""Progress on standard error: a live table with Rich on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chainrule.display.lines import print_line

Show = Callable[[Mapping[str, float]], None]

#: Without a terminal, a line is printed at most this often (and always for the first and last epoch).
SECONDS_BETWEEN_LINES = 2.0

#: What an epoch takes on a line, with cost and accuracy of training and validation.
METRICS_WIDTH = 84


@contextlib.contextmanager
def progress(epochs: int, enabled: bool = True) -> Iterator[Show]:
    """A function to call with each epoch's record."""
    if not enabled:
        yield lambda record: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _live(epochs) as show:
            yield show
    else:
        with _plain(epochs) as show:
            yield show


def print_notes(notes: Iterable[str]) -> None:
    """Each different note once, before anything is trained."""
    for note in dict.fromkeys(notes):
        print_line(f"note: {note}")


def line(record: Mapping[str, float], epochs: int) -> str:
    """Return one epoch on one line: ``epoch 3/30 loss 0.1234 accuracy 0.9654 …``."""
    parts = [f"epoch {int(record['epoch']):>{len(str(epochs))}}/{epochs}"]
    for name in record:
        if name not in ("epoch", "seconds"):
            parts.append(f"{name} {number(name, record[name])}")
    return "  ".join([*parts, f"{record['seconds']:.2f} s"])


def number(name: str, value: float) -> str:
    """Return a metric as people read it: accuracies in percent."""
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return f"{value:.3g}" if name == "lr" else f"{value:.4f}"


@contextlib.contextmanager
def _plain(epochs: int) -> Iterator[Show]:
    """The first and the last epoch that there is, and others now and then."""
    shown, unshown = float("-inf"), ""

    def show(record: Mapping[str, float]) -> None:
        nonlocal shown, unshown
        unshown = line(record, epochs)
        if record["epoch"] == epochs or time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            print_line(unshown)
            unshown = ""

    try:
        yield show
    finally:
        if unshown:
            print_line(unshown)


@contextlib.contextmanager
def _live(epochs: int) -> Iterator[Show]:
    """One line that changes: the epoch and its metrics, and where there is room the time that is left and a bar."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    room = console.width - METRICS_WIDTH - 2 * len(str(epochs))
    columns: list[Any] = [TextColumn("{task.description}")]
    if room > 14:
        columns.append(TimeRemainingColumn())
    if room > 24:
        columns.append(BarColumn(bar_width=min(24, room - 14)))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(f"epoch 0/{epochs}", total=epochs)

        def show(record: Mapping[str, float]) -> None:
            text = line({name: value for name, value in record.items() if name != "lr"}, epochs)
            bar.update(task, completed=int(record["epoch"]), description=text)

        yield show
