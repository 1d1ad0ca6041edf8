"""Lines for people: what comes from data can neither colour a terminal nor move its cursor."""

from __future__ import annotations

import re
import sys
from typing import IO

__all__ = ["print_line", "printable"]

#: Characters that a terminal obeys instead of showing them: controls (C0 but tab and newline, DEL, C1), line and
#: paragraph separators, those that turn the direction of the text after them, and halves of characters.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    r"""Escape the characters that a terminal would obey, as ``\u001b``; tabs and newlines stay.

    >>> print(printable("red: \x1b[31m"), printable("Zoë\n"), end="")
    red: \u001b[31m Zoë
    """
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", str(text))


def print_line(text: object = "", file: IO[str] | None = None) -> None:
    """Print text that may hold names from data, by default to standard error, at once."""
    print(printable(text), file=file if file is not None else sys.stderr, flush=True)
