"""The names of a table's columns, as its first line has them."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from chainrule.display.text import first_few
from chainrule.errors import DataError

__all__ = ["check_names"]

#: Wider tables are refused: each column would be an input of the network.
MOST_COLUMNS = 200_000


def check_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Return column names, each of which is there and occurs once; a `DataError` says where that is not so."""
    if not names:
        raise DataError(f"{where} has no columns.")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{where} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
    empty = [str(i) for i, name in enumerate(names, 1) if not name]
    if empty:
        at_end = " (is there a separator at the end of the line?)" if empty == [str(len(names))] else ""
        which = f"column {empty[0]} has" if len(empty) == 1 else f"columns {_format_names(empty)} have"
        raise DataError(f"{where}: {which} no name{at_end}; give each column a name.")
    if len(set(names)) < len(names):
        twice = [name for name, count in collections.Counter(names).items() if count > 1]
        raise DataError(f"{where} has more than one column called {_format_names(twice)}; each name must occur once.")
    return tuple(names)


def _format_names(names: Sequence[str]) -> str:
    return first_few([name if len(name) <= 60 else name[:57] + "..." for name in names], 5)
