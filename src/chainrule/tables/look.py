"""The cells of a column before it is known what they are: how many there are, how they are written."""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.values import UNITS, as_number, as_text, cells, numbers, numbers_of_cells, tally

__all__ = ["MOST", "Look", "has_decimal_commas", "shown"]

#: A column is of a kind if this share of its cells can be read as it.
MOST = 0.95

#: Of typed columns, so many different values are looked at as text.
MANY = 100_000

_SURE = {  # texts that can only be meant with this decimal mark
    mark: re.compile(
        rf"[+-]?(?:[0-9]*{m}(?:[0-9]{{1,2}}|[0-9]{{4,}})|0?{m}[0-9]+|[0-9]{{4,}}{m}[0-9]+"
        rf"|[0-9]{{1,3}}(?:{o}[0-9]{{3}})+{m}[0-9]+|[1-9][0-9]{{0,2}}(?:{o}[0-9]{{3}}){{2,}})(?:[eE][+-]?[0-9]+)?"
    )
    for mark, m, o in ((".", r"\.", ","), (",", ",", r"\."))
}
_UNSURE = {mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}{re.escape(mark)}[0-9]{{3}}") for mark in ".,"}


class Look:
    """The cells of a column, and what is found in them before they are read as anything.

    Attributes
    ----------
    values : the column as it came if that has a type or holds texts alone, else its cells
    typed : whether it came as numbers, truth values or dates
    texts : how often each value occurs, by how it is written
    odd : a cell that is no single value, such as a list
    """

    def __init__(self, series: Any, commas: bool, semicolons: bool) -> None:
        self.commas, self.semicolons = commas, semicolons
        self.rows = len(series)
        self.dtype_kind = getattr(series.dtype, "kind", "O")
        self.typed = self.dtype_kind in "biufmM"
        self.odd = None
        self._numbers: tuple[tuple[str, str], NDArray[np.float64]] | None = None
        if self.typed:
            counts = series.value_counts(sort=False)
            self.values, self.count = series, int(counts.sum())
            some = counts.iloc[:MANY]
            self.texts = {as_text(value): int(count) for value, count in zip(cells(some.index), some, strict=True)}
            self.distinct = len(counts)
        elif (counted := tally(series)) is not None:
            self.values, self.texts = series, counted
            self.count, self.distinct = sum(counted.values()), len(counted)
        else:
            self.values = cells(series)
            present = [cell for cell in self.values if cell is not None]
            self.count = len(present)
            if set(map(type, present)) != {str}:
                self.odd = next((cell for cell in present if not is_plain(cell)), None)
            self.texts = {} if self.odd is not None else _counts(present)
            self.distinct = len(self.texts)
        self.example = shown(self.odd if self.odd is not None else next(iter(self.texts), ""))

    def __len__(self) -> int:
        """Cells with a value."""
        return self.count

    def numbers(self, decimal: str, unit: str) -> NDArray[np.float64]:
        """The cells as numbers, NaN where they are none."""
        if self._numbers is None or self._numbers[0] != (decimal, unit):
            if isinstance(self.values, np.ndarray):
                found = numbers_of_cells(self.values, decimal, unit)
            else:
                found = numbers(self.values, decimal=decimal, unit=unit)
            self._numbers = (decimal, unit), found
        return self._numbers[1]

    @property
    def nones(self) -> int:
        """Cells with "None", which is a category but neither a number nor a date."""
        return self.texts.get("None", 0)

    def number_style(self) -> tuple[str, str]:
        """Decimal mark and unit of numbers in text."""
        texts = [text for text in self.texts if not text.isdecimal()][:10_000]
        joined = "\n".join(texts)
        unit = next((u for u in UNITS if u in joined and 2 * sum(u in text for text in texts) >= len(texts)), "")
        bare = [text.replace(unit, "").strip() for text in texts] if unit else texts
        if "," not in joined and not (self.commas and "." in joined):
            return ".", unit
        sure = {mark: sum(pattern.fullmatch(text) is not None for text in bare) for mark, pattern in _SURE.items()}
        if sure[","] or sure["."]:
            return (",", unit) if sure[","] > sure["."] else (".", unit)
        unsure = {mark: any(pattern.fullmatch(text) for text in bare) for mark, pattern in _UNSURE.items()}
        if (unsure[","] and (self.commas or self.semicolons)) or (unsure["."] and self.commas):
            return ",", unit
        return ".", unit


def is_plain(cell: Any) -> bool:
    """Whether a cell is a single value, rather than a list or a table."""
    return not isinstance(cell, list | tuple | dict | set | np.ndarray)


def _counts(present: Sequence[Any]) -> dict[str, int]:
    """How often each value occurs, as text as it is written."""
    counts = collections.Counter(map(type, present))
    if set(counts) <= {str}:
        return dict(collections.Counter(present))
    return dict(collections.Counter(cell if isinstance(cell, str) else as_text(cell) for cell in present))


def has_decimal_commas(column: Any) -> bool:
    """Whether a text column surely holds numbers with decimal commas."""
    if getattr(column.dtype, "kind", "O") in "biufmMc":
        return False
    sample = cells(column[:200] if isinstance(column, np.ndarray) else column.iloc[:200])
    texts = [cell for cell in sample if isinstance(cell, str)]
    if not texts or "," not in "".join(texts):
        return False
    bare = [text.strip(UNITS + " ") for text in texts]
    sure = sum(_SURE[","].fullmatch(text) is not None for text in bare)
    return sure > 0 and sum(not math.isnan(as_number(text, ",")) for text in bare) >= MOST * len(bare)


def shown(cell: Any) -> str:
    """A cell as a short text on one line."""
    text = cell if isinstance(cell, str) else as_text(cell) if is_plain(cell) else type(cell).__name__
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."
