"""The cells of a column before it is known what they are: how many there are, how they are written."""

from __future__ import annotations

import collections
import dataclasses
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.categories import as_text
from chainrule.tables.cells import cells, tally
from chainrule.tables.columns import MISSING, Column
from chainrule.tables.number_style import Evidence, Style, infer_style, votes
from chainrule.tables.numbers import as_number, numbers, numbers_of_cells

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "INDICATOR",
    "MARKERS",
    "MOST",
    "ColumnProfile",
    "as_plan",
    "evidence_in",
    "evidence_of",
    "format_cell",
    "format_missing_texts",
    "missing_texts",
    "restyle",
    "restyled",
    "texts_of",
    "unread_note",
]

#: Texts that are neither numbers nor dates, though they may be categories.
MARKERS = MISSING | {"None"}

#: A column is of a kind if this fraction of its cells can be read as it.
MOST = 0.95

#: From this fraction of missing values on, an input tells that the value was missing.
INDICATOR = 0.01

#: Of typed columns, so many different values are looked at as text.
MANY = 100_000

#: Texts of nothing but signs, such as "+" and "-".
_SIGNS = re.compile(r"[^\w\s]+")


class ColumnProfile:
    """The cells of a column, and what can be said of them before they are read as anything.

    Attributes
    ----------
    values : the column as it came if that has a type or holds texts alone, else its cells
    typed : whether it came as numbers, truth values or dates
    texts : how often each value occurs, by how it is written
    na_values, na_counts : the texts that stand for missing values, and how often those that occur do
    odd : a cell that is no single value, such as a list
    separator, table : of the text file, and how many of its columns have each decimal mark (`votes`)
    """

    def __init__(self, series: Any, missing: Collection[str] | None = None, separator: str | None = None) -> None:
        self.rows, self.separator = len(series), separator
        self.table: Mapping[str, int] = {}
        self.dtype_kind = getattr(series.dtype, "kind", "O")
        self.typed = self.dtype_kind in "biufmM"
        self.odd = None
        self._numbers: tuple[Style, NDArray[np.float64]] | None = None
        self._evidence: Evidence | None = None
        self.markers = frozenset[str]() if self.typed else MARKERS
        self.na_values: tuple[str, ...] = () if missing is None else tuple(missing)
        self.na_counts: dict[str, int] = {}
        if self.typed:
            counts = self._count_typed(series)
            self.count = int(counts.sum())
            first = counts.iloc[:MANY]
            self.texts = {as_text(value): int(count) for value, count in zip(cells(first.index), first, strict=True)}
            self.distinct = len(counts)
        elif (counted := tally(series, ())) is not None:
            self.values, self.texts = series, self._without_missing(counted, missing)
            self.count, self.distinct = sum(self.texts.values()), len(self.texts)
        else:
            all_cells = cells(series, ())
            texts = collections.Counter(cell for cell in all_cells if type(cell) is str)
            self._without_missing(texts, missing)
            self.values = cells(all_cells, self.na_values)
            present = [cell for cell in self.values if cell is not None]
            self.count = len(present)
            if set(map(type, present)) != {str}:
                self.odd = next((cell for cell in present if not is_plain(cell)), None)
            self.texts = {} if self.odd is not None else _counts(present)
            self.distinct = len(self.texts)
        self.example = format_cell(self.odd if self.odd is not None else next(iter(self.texts), ""))

    def __len__(self) -> int:
        """Return the number of cells with a value."""
        return self.count

    def _count_typed(self, series: Any) -> Any:
        """Return how often each value of a column of numbers, truth values or dates occurs."""
        counts = series.value_counts(sort=False)
        if self.dtype_kind in "iuf" and self.na_values:
            stand_ins = [number for number in map(as_number, self.na_values) if math.isfinite(number)]
            if (missing := counts.index.isin(stand_ins)).any():
                self.na_counts = {as_text(value): int(count) for value, count in counts[missing].items()}
                counts, series = counts[~missing], series.where(~series.isin(stand_ins))
        self.values = series
        return counts

    def _without_missing(self, texts: Mapping[str, int], missing: Collection[str] | None) -> dict[str, int]:
        """Return texts without those that stand for missing values, which are counted."""
        if missing is None:  # a sign beside other signs, as "-" beside "+", means what it says
            beside = any(_SIGNS.fullmatch(text) for text in texts if text not in MISSING)
            self.na_values = tuple(text for text in sorted(MISSING) if not (beside and _SIGNS.fullmatch(text)))
        elif frozenset(missing) != {""}:  # then what else there is is what it says
            self.markers = self.markers & {*missing, "None"} if missing else frozenset()
        na_values = frozenset(self.na_values)
        self.na_counts = {text: count for text, count in texts.items() if text in na_values}
        return {text: count for text, count in texts.items() if text not in na_values}

    @property
    def exact(self) -> bool:
        """Whether two texts differ in how a number or a truth value is written, and in nothing else."""
        return not self.typed and len({as_text(text) for text in self.texts}) < len(self.texts)

    @property
    def stored_na_values(self) -> tuple[str, ...] | None:
        """The texts that stand for missing values as a `Column` keeps them: None for the usual ones of a file."""
        return None if frozenset(self.na_values) == MISSING else tuple(self.na_values)

    @property
    def evidence(self) -> Evidence:
        """How its numbers are written."""
        if self._evidence is None:
            self._evidence = Evidence()
            if not self.typed:
                self._evidence.add_texts(self.texts)
        return self._evidence

    def style(self, override: Mapping[str, Any]) -> Style:
        """Return how its numbers are written, or are to be read as the user says."""
        if self.typed:
            return Style()
        style = infer_style(self.evidence, self.table, self.separator)
        known = {name: override[name] for name in ("decimal", "unit") if name in override}
        return dataclasses.replace(style, **known, doubt="") if known else style

    def numbers(self, style: Style) -> NDArray[np.float64]:
        """Return the cells as numbers, NaN where they are none."""
        if self._numbers is None or self._numbers[0] != style:
            how: dict[str, Any] = {"decimal": style.decimal, "unit": style.unit}
            how |= {"bare": style.bare, "signed": style.signed}
            if isinstance(self.values, np.ndarray):
                values = numbers_of_cells(self.values, **how)
            else:
                values = numbers(self.values, **how, missing=self.na_values)
            self._numbers = style, values
        return self._numbers[1]

    @property
    def stand_ins(self) -> int:
        """Cells with texts such as "None", which may be categories but are neither numbers nor dates."""
        return sum(self.texts.get(text, 0) for text in self.markers)


def as_plan(base: Column, profile: ColumnProfile, missing: int, **fields: Any) -> Column:
    """Return a plan with so many missing values, and with an input that tells them if they are many enough."""
    indicator = missing >= INDICATOR * profile.rows and missing > 0
    return dataclasses.replace(base, missing=missing, indicator=indicator, **fields)


def unread_note(profile: ColumnProfile, unread: Sequence[str], what: str) -> str:
    """Return what to say of texts that cannot be read as what the others are; "" if there are none."""
    if not unread:
        return ""
    count = sum(profile.texts[text] for text in unread)
    cells_are = f"{count:,} cells are" if count > 1 else "1 cell is"
    return f"{cells_are} {what} ({format_cell(unread[0])!r}), taken for missing"


def missing_texts(separator: str | None, missing: Collection[str] | None) -> tuple[str, ...] | None:
    """Return the texts that stand for missing values in a table: those that the user names, or the usual ones (None).

    Only text files, which have a ``separator``, write missing values as text; the text of a frame means what it says,
    unless it is empty.
    """
    if missing is not None:
        return tuple(sorted({*missing}))
    return ("",) if separator is None else None


def format_missing_texts(counts: Mapping[str, int]) -> str:
    """Return texts with how often they occur, as they are reported.

    >>> format_missing_texts({"NA": 60, "?": 1})
    "'NA' (60 cells), '?' (1 cell)"
    """
    return ", ".join(f"{text!r} ({count:,} cell{'s' * (count != 1)})" for text, count in counts.items())


def evidence_of(frame: DataFrame) -> Iterator[Evidence]:
    """Yield how the numbers in each column of text of a table are written."""
    for j in range(frame.shape[1]):
        series = frame.iloc[:, j]
        if getattr(series.dtype, "kind", "O") not in "biufmMc":
            yield evidence_in(series)


def evidence_in(series: Any, known: Column | None = None) -> Evidence:
    """Return how the numbers of a column are written; ``known`` is the column as the training rows had it."""
    evidence = Evidence()
    if getattr(series.dtype, "kind", "O") in "biuf":
        evidence.add_numbers(numbers(series))
        return evidence
    evidence.add_texts(texts_of(series), known)
    return evidence


def texts_of(series: Any) -> dict[str, int]:
    """Return how often each text of a column occurs, whatever else is in it."""
    counts = tally(series, ())
    return counts if counts is not None else dict(collections.Counter(c for c in cells(series, ()) if type(c) is str))


def restyled(series: Any, column: Column, table: Mapping[str, int]) -> Column:
    """Return a column of numbers in the style in which a table has it, with a note if that is another than in
    training.
    """
    style = infer_style(evidence_in(series, column), table, series.attrs.get("separator"), column)
    return style.of(column)


def restyle(columns: Sequence[Column], evidence: Sequence[Evidence | None], separator: str | None) -> list[Column]:
    """Return the columns of the training table as another table has them written, by the evidence of its columns."""
    table = votes(of_column for of_column in evidence if of_column is not None)
    return [
        column if of_column is None else infer_style(of_column, table, separator, column).of(column)
        for column, of_column in zip(columns, evidence, strict=True)
    ]


def is_plain(cell: Any) -> bool:
    """Return whether a cell is a single value, rather than a list or a table."""
    return not isinstance(cell, list | tuple | dict | set | np.ndarray)


def _counts(present: Sequence[Any]) -> dict[str, int]:
    """Return how often each value occurs, as text as it is written."""
    counts = collections.Counter(map(type, present))
    if set(counts) <= {str}:
        return dict(collections.Counter(present))
    return dict(collections.Counter(cell if isinstance(cell, str) else as_text(cell) for cell in present))


def format_cell(cell: Any) -> str:
    """Return a cell as a short text on one line."""
    text = cell if isinstance(cell, str) else as_text(cell) if is_plain(cell) else type(cell).__name__
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."
