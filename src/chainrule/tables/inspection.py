"""Inspect another table than the training table: how it is written, and what is unusual about its cells.

A table may be inspected in pieces, as a large file is: nothing depends on how it is cut. Rows are counted through all
pieces.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.display.text import first_few
from chainrule.errors import DataError
from chainrule.tables.cells import cells, distinct
from chainrule.tables.columns import MISSING, Column
from chainrule.tables.number_style import PLAIN, Evidence
from chainrule.tables.numbers import as_number, bare_number
from chainrule.tables.numeric_inputs import is_missing
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.profile import evidence_in, restyle
from chainrule.tables.selection import INPUTS, is_infinite, select
from chainrule.tables.values import values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["TableInspection", "inspect_table"]

Array = NDArray[Any]

#: What a cell is when it is read with a decimal point, and when with a comma; and the sign beside it.
Kind = tuple[str, str, str]

VALUE, NONE, INFINITE, EMPTY = "value", "none", "infinite", "empty"

#: Of plain numbers: those that are numbers with a decimal comma, too, and those that are not.
PLAIN_KINDS: tuple[Kind, Kind] = ((VALUE, VALUE, ""), (VALUE, NONE, ""))


class TableInspection:
    """The cells of a table that a model is used on.

    >>> import pandas as pd
    >>> from chainrule.tables.preprocessor import Preprocessor
    >>> train = pd.DataFrame({"size": ["1.5", "2.25", "4.0"]})
    >>> preparation = Preprocessor.fit(train, (Column("size", "number", low=1.5, high=4.0),))
    >>> reading = TableInspection(preparation)
    >>> for piece in (["1,5"], ["?"], ["soon"]):
    ...     reading.add(pd.DataFrame({"size": piece}))
    >>> for note in reading.notes():
    ...     print(note)
    size: numbers have decimal commas here (what else separates them separates thousands), and decimal points in the \
training rows; they are read so.
    size: 1 cell counted as missing, being no finite number; the first is in row 2: 'soon'.
    size: 1 cell without a value; in the training rows all had one.
    """

    def __init__(self, preparation: Preprocessor) -> None:
        self.preparation = preparation
        self.used = [column for column in preparation.columns if column.use]
        self.rows = 0
        self.separator: str | None = None
        self.extra: tuple[str, ...] = ()
        self._evidence = [Evidence() if column.kind == "number" else None for column in self.used]
        self._kinds: list[collections.Counter[Kind]] = [collections.Counter() for _ in self.used]
        self._first: list[dict[Kind, tuple[int, Any]]] = [{} for _ in self.used]

    def add(self, frame: DataFrame) -> None:
        """Inspect the next rows."""
        self.separator = frame.attrs.get("separator")
        self.extra = self.preparation.extra(frame)
        for j, (column, (_, series)) in enumerate(
            zip(self.preparation.columns_as_written(self.separator), select(frame, self.used).items(), strict=True)
        ):
            evidence = self._evidence[j]
            if evidence is not None:
                evidence.add(evidence_in(series, column))
            for kind, count, row, cell in self._count_kinds(column, series):
                self._kinds[j][kind] += count
                self._first[j].setdefault(kind, (self.rows + row, cell))
        self.rows += len(frame)

    @property
    def columns(self) -> list[Column]:
        """The columns that are used, in the style in which this table is written."""
        return restyle(self.preparation.columns_as_written(self.separator), self._evidence, self.separator)

    def check(self) -> None:
        """Raise a `DataError` for a column in which no cell can be read as what it was: text instead of numbers."""
        for j, column in enumerate(self.columns):
            if column.kind == "category" or column.name in self.preparation.lenient:
                continue
            counts, first = self._count(j, column)
            if counts[NONE] and not counts[VALUE]:
                row, cell = first[NONE]
                raise DataError(
                    f"The column {column.name!r} held {INPUTS[column.kind]} in the training rows, but here no cell can "
                    f"be read as one: row {row:,} has {cell!r}. Leave cells without a value empty."
                )

    def notes(self) -> tuple[str, ...]:
        """Return what is unusual, as sentences: extra columns, another style, cells that cannot be read, new
        categories.
        """
        notes = []
        if self.extra:
            notes.append(f"Columns that the network was not trained on are ignored: {first_few(self.extra, 5)}.")
        for j, column in enumerate(self.columns):
            notes += self._notes(j, column)
        return tuple(notes)

    def _notes(self, j: int, column: Column) -> Iterator[str]:
        counts, first = self._count(j, column)
        if column.note:
            yield f"{column.name}: {column.note}."
        unread = counts[NONE] + counts[INFINITE]
        if column.kind == "category":
            if unread:
                yield f"{column.name}: {_cells(unread)} with a category that is new, the first {first[NONE][1]!r}."
            return
        if unread:
            row, cell = min(first[kind] for kind in (NONE, INFINITE) if kind in first)
            yield (
                f"{column.name}: {_cells(unread)} counted as missing, being no finite {column.kind}; the first is in "
                f"row {row:,}: {cell!r}."
            )
        if not column.missing and counts[EMPTY]:
            yield f"{column.name}: {_cells(counts[EMPTY])} without a value; in the training rows all had one."

    def _count_kinds(self, column: Column, series: Any) -> Iterator[tuple[Kind, int, int, Any]]:
        """Yield the kinds of cells, with how many there are, the row of the first, and what it holds."""
        if column.kind == "number" and getattr(series.dtype, "kind", "O") in "biuf":
            yield from _count_kinds_of_numbers(column, series)
            return
        codes, values = distinct(series)
        present = cells(values, column.missing_texts)
        places: dict[Kind, int] = {}
        kinds = [places.setdefault(kind, len(places)) for kind in self._kinds_of(column, present)]
        kinds.append(places.setdefault((EMPTY, EMPTY, ""), len(places)))
        rows = np.array(kinds)[codes]  # -1, a missing cell, is the last
        counts = np.bincount(rows, minlength=len(places))
        for kind, place in places.items():
            if counts[place]:
                row = int(np.argmax(rows == place))
                yield kind, int(counts[place]), row, None if codes[row] < 0 else present[codes[row]]

    def _kinds_of(self, column: Column, present: Array) -> list[Kind]:
        """Return what each of some different cells is."""
        if column.kind == "category":
            known = self.preparation.lookup(column.name)[0]
            texts = values_of(present, column)
            read = [EMPTY if text is None else VALUE if text in known else NONE for text in texts]
            return [(kind, kind, "") for kind in read]
        if column.kind == "number":
            return [_kind_of_number(cell) for cell in present]
        missing = is_missing(values_of(present, column))
        stand_ins = [cell is None or (isinstance(cell, str) and cell in MISSING) for cell in present]
        read = [EMPTY if empty else NONE if absent else VALUE for empty, absent in zip(stand_ins, missing, strict=True)]
        return [(kind, kind, "") for kind in read]

    def _count(self, j: int, column: Column) -> tuple[dict[str, int], dict[str, tuple[int, Any]]]:
        """Return how many cells are values, unreadable, infinite and empty in the column's style, and the first of
        each.
        """
        counts = dict.fromkeys((VALUE, NONE, INFINITE, EMPTY), 0)
        first: dict[str, tuple[int, Any]] = {}
        for kind, count in self._kinds[j].items():
            name = NONE if kind[2] and kind[2] != column.unit else kind[".,".index(column.decimal)]
            counts[name] += count
            place = self._first[j][kind]
            if name not in first or place[0] < first[name][0]:
                first[name] = place
        return counts, first


def inspect_table(preparation: Preprocessor, frame: DataFrame) -> TableInspection:
    """Return what there is to know of a whole table before the model is used on it."""
    inspection = TableInspection(preparation)
    inspection.add(frame)
    return inspection


def _count_kinds_of_numbers(column: Column, series: Any) -> Iterator[tuple[Kind, int, int, Any]]:
    """Yield the kinds of cells of a column that came as numbers."""
    size = series.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(size)
    empty = np.isnan(values_of(series, column)) & ~infinite
    for kind, where in ((INFINITE, infinite), (EMPTY, empty), (VALUE, ~infinite & ~empty)):
        if where.any():
            row = int(np.argmax(where))
            yield (kind, kind, ""), int(where.sum()), row, float(size[row])


def _kind_of_number(cell: Any) -> Kind:
    if cell is None:
        return EMPTY, EMPTY, ""
    if not isinstance(cell, str):
        kind = _kind(float(values_of([cell], Column("x", "number"))[0]), cell)
        return kind, kind, ""
    if PLAIN.fullmatch(cell):
        return PLAIN_KINDS["." in cell and (cell[-4:-3] != "." or math.isnan(as_number(cell, ",")))]
    if cell in MISSING:
        return EMPTY, EMPTY, ""
    number, unit = bare_number(cell)
    return _kind(as_number(number, "."), cell), _kind(as_number(number, ","), cell), unit


def _kind(value: float, cell: Any) -> str:
    if math.isinf(value) or (math.isnan(value) and not isinstance(cell, str) and is_infinite(cell)):
        return INFINITE
    return NONE if math.isnan(value) else VALUE


def _cells(count: int) -> str:
    return f"{count:,} cell{'s' * (count != 1)}"
