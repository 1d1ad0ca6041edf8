"""What people read goes to standard error, what programs read to standard output."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Sequence

from chainrule.display.lines import print_line, printable


def say(text: object = "") -> None:
    """Print a message to standard error."""
    print_line(text)


def show(text: object) -> None:
    """Print a result to standard output."""
    print_line(text, sys.stdout)


class _ToStandardError(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def show_log() -> None:
    """Show what the library reports as it works, such as a file that is being fetched."""
    logger = logging.getLogger("chainrule")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(_ToStandardError())


def table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Return rows of cells as aligned columns: those whose numbers are in ``left`` to the left, the others to the
    right.
    """
    rows = [[printable(cell).replace("\n", "\\n").replace("\t", "\\t") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
