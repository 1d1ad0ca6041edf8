"""What people read goes to standard error, what programs read to standard output."""

from __future__ import annotations

import logging
import sys

from chainrule.display.lines import print_line


def print_message(text: object = "") -> None:
    """Print a message to standard error."""
    print_line(text)


def print_result(text: object) -> None:
    """Print a result to standard output."""
    print_line(text, sys.stdout)


class _LogPrinter(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print_message(self.format(record))


def show_log() -> None:
    """Show what the library reports as it works, such as a file that is being fetched."""
    logger = logging.getLogger("chainrule")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(_LogPrinter())
