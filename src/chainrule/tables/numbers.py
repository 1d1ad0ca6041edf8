"""The numbers of a column, the same whether they were read as text or came with a type."""

from __future__ import annotations

import datetime
import decimal as decimals
import math
import numbers as number_types
import re
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.cells import as_series, by_value, cells, repeats
from chainrule.tables.columns import MISSING

__all__ = ["SPACES", "UNITS", "as_number", "bare_number", "numbers", "numbers_of_cells"]

Array = NDArray[Any]

#: Signs that may stand before or after a number; a column has one of them, or none.
UNITS = "%$€£¥"

_EACH_UNIT = tuple(UNITS)

INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)

_NUMBER = {
    ".": re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    ",": re.compile(r"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?"),
}

#: What separates thousands besides points and commas.
SPACES = " \u00a0\u2009\u202f'’"

_GROUPED = {  # thousands in groups of three, all with the same separator
    ".": re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([,{SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\.[0-9]+)?"),
    ",": re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([.{SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:,[0-9]+)?"),
}

_NOT_IN_PLAIN_NUMBERS = re.compile(r"[^0-9eE+\-.\n]")  # Python's float also takes "1_000" and digits of other scripts


def numbers(
    series: Any,
    *,
    decimal: str = ".",
    unit: str = "",
    bare: float = 1.0,
    signed: float = 1.0,
    missing: Collection[str] = MISSING,
) -> NDArray[np.float64]:
    """Return numbers as float64; NaN where a cell is missing, infinite or no number.

    Text may have thousands separators (``1,234.5``; with ``decimal=","``: ``1.234,5``; also spaces and apostrophes),
    and the sign ``unit`` before or after the number: ``"12 %"`` with ``unit="%"`` is 12. Numbers without the sign are
    multiplied by ``bare``, those with it by ``signed``. Numbers in brackets are negative, as accountants write them.
    Truth values are 0 and 1, time spans are seconds. Numbers among the texts ``missing`` are missing, too.

    >>> numbers(["3", 3, "1,234.5", "1e400", "n/a", None])
    array([   3. ,    3. , 1234.5,    nan,    nan,    nan])
    >>> numbers(["1.234,5", "7"], decimal=",")
    array([1234.5,    7. ])
    >>> numbers(["88%", "0.39"], unit="%", bare=100)
    array([88., 39.])
    """
    import pandas as pd

    series = as_series(series)
    if repeats(series):
        how: dict[str, Any] = {"decimal": decimal, "unit": unit, "bare": bare, "signed": signed, "missing": missing}
        return by_value(series, lambda values: numbers(values, **how), np.nan)
    if pd.api.types.is_numeric_dtype(series.dtype) and series.dtype.kind != "c":
        floats = series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    elif series.dtype.kind == "m":
        floats = series.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    elif series.dtype.kind == "M":
        return np.full(len(series), np.nan)
    else:
        return numbers_of_cells(cells(series, missing), decimal, unit, bare, signed)
    if missing is not MISSING:
        stand_ins = [number for number in map(as_number, missing) if math.isfinite(number)]
        floats[np.isin(floats, stand_ins)] = np.nan
    floats[~np.isfinite(floats)] = np.nan
    return floats * bare if bare != 1.0 else floats


def numbers_of_cells(
    column: Array, decimal: str, unit: str, bare: float = 1.0, signed: float = 1.0
) -> NDArray[np.float64]:
    """Return what `numbers` makes of cells."""
    values = _floats(column, decimal, unit, bare, signed)
    values[~np.isfinite(values)] = np.nan
    return values


def _floats(column: Array, decimal: str, unit: str, bare: float, signed: float) -> NDArray[np.float64]:
    some = [cell for cell in column if cell is not None]
    texts = decimal == "." and bare == 1.0 and all(type(cell) is str for cell in some)
    if texts and not _NOT_IN_PLAIN_NUMBERS.search("\n".join(some)):
        try:  # most columns: nothing but plain numbers, read at once
            plain = (
                column if len(some) == len(column) else np.array([np.nan if c is None else c for c in column], object)
            )
            return plain.astype(np.float64)
        except ValueError:
            pass
    known: dict[str, float] = {}
    values = np.full(len(column), np.nan)
    for i, cell in enumerate(column):
        if type(cell) is str:
            if cell not in known:
                known[cell] = as_number(cell, decimal, unit, bare, signed)
            values[i] = known[cell]
        elif isinstance(cell, number_types.Real | decimals.Decimal | np.bool_):
            try:
                values[i] = float(cell) * bare
            except (OverflowError, ValueError):  # a whole number beyond 1e308
                values[i] = np.inf
        elif isinstance(cell, datetime.timedelta):
            values[i] = cell.total_seconds()
    return values


def as_number(text: str, decimal: str = ".", unit: str = "", bare: float = 1.0, signed: float = 1.0) -> float:
    """Return the number in a text, which may be infinite; NaN if it is none."""
    number, sign = bare_number(text)
    if sign and sign != unit:
        return math.nan
    factor = signed if sign else bare
    if _NUMBER[decimal].fullmatch(number):
        return float(number.replace(",", ".")) * factor
    if grouped := _GROUPED[decimal].fullmatch(number):
        return float(number.replace(grouped[1], "").replace(",", ".")) * factor
    return float(number) if INFINITE.fullmatch(number) else math.nan


def bare_number(text: str) -> tuple[str, str]:
    """Return the number in a text without the sign of `UNITS` beside it, and that sign; brackets are a minus.

    >>> bare_number("-$ 5"), bare_number("(1,234)"), bare_number("88 %")
    (('-5', '$'), ('-1,234', ''), ('88', '%'))
    """
    text = text.strip().replace("\u2212", "-")
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1].strip()
    sign, rest = (text[0], text[1:].lstrip()) if text.startswith(("-", "+")) else ("", text)
    if rest.startswith(_EACH_UNIT):
        return sign + rest[1:].lstrip(), rest[0]
    if rest.endswith(_EACH_UNIT):
        return sign + rest[:-1].rstrip(), rest[-1]
    return text, ""
