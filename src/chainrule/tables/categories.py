"""Categories and truth values of a column, the same whether they were read as text or came with a type.

``"3"``, ``3`` and ``3.0`` are one category, ``"yes"``, ``True`` and ``1`` one truth value.
"""

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

from chainrule.tables.cells import as_series, by_value, cells, has_one_type, repeats
from chainrule.tables.columns import MISSING

__all__ = ["NO", "YES", "as_boolean", "as_text", "booleans", "categories"]

Array = NDArray[Any]

YES = frozenset(["true", "t", "yes", "y", "1"])

NO = frozenset(["false", "f", "no", "n", "0"])

_DECIMAL_TEXT = re.compile(r"([+-]?)(0|[1-9][0-9]*)(?:\.([0-9]*))?")  # without the leading zeros of codes such as 007


def categories(series: Any, *, missing: Collection[str] = MISSING, exact: bool = False) -> Array:
    """Return categories as text, an array of objects; None where a cell is missing, or one of the texts ``missing``.

    Text is stripped of the spaces around it. Numbers are written in one way, ``3`` for ``"3"``, ``3``, ``3.0`` and
    ``"3.00"`` (``"007"`` keeps its zeros), truth values as ``True`` and ``False``, dates as ISO 8601. With ``exact``
    text stays as it is written: ``"3.1"`` is not ``"3.10"``.

    >>> categories(["3", 3, 3.0, " red", True, "true", "007", "?", None]).tolist()
    ['3', '3', '3', 'red', 'True', 'True', '007', None, None]
    >>> categories(["3.1", "3.10", 3.1], exact=True).tolist()
    ['3.1', '3.10', '3.1']
    """
    series = as_series(series)
    if repeats(series) or (has_one_type(series) and len(series) > 100):
        return by_value(series, lambda values: _texts(cells(values, missing), exact), None)
    return _texts(cells(series, missing), exact)


def _texts(values: Array, exact: bool) -> Array:
    known: dict[str, str] = {}
    texts = np.empty(len(values), object)
    for i, cell in enumerate(values):
        if type(cell) is str:
            if cell not in known:
                known[cell] = cell if exact else _same_text(cell)
            texts[i] = known[cell]
        elif cell is not None:
            texts[i] = as_text(cell)
    return texts


def as_text(value: Any) -> str:
    """Return a cell as the text of a category."""
    if isinstance(value, str):
        return _same_text(value.strip())
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, number_types.Integral):
        return str(int(value))
    if isinstance(value, number_types.Real):
        number = float(value)
        if isinstance(value, np.floating) and value.dtype.itemsize < 8:
            return _same_text(str(value))  # 0.1, not 0.10000000149011612
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else _same_text(repr(number))
    if isinstance(value, decimals.Decimal):
        return _same_text(str(value))
    if isinstance(value, datetime.datetime):
        at_midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return str(value.date()) if at_midnight and value.tzinfo is None else value.isoformat(" ")
    if isinstance(value, bytes):
        return _same_text(value.decode("utf-8", "replace").strip())
    return str(value)


def _same_text(text: str) -> str:
    """Return one way of writing for texts that mean the same."""
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if number := _DECIMAL_TEXT.fullmatch(text):
        sign, whole, part = number[1], number[2], (number[3] or "").rstrip("0")
        size = f"{whole}.{part}" if part else whole
        return f"-{size}" if sign == "-" and size != "0" else size
    return text


def booleans(series: Any, *, missing: Collection[str] = MISSING) -> NDArray[np.float64]:
    """Return truth values as 1, 0 and NaN: true, t, yes, y, 1 and false, f, no, n, 0 in upper or lower case.

    >>> booleans(["Yes", "n", True, 0, "1.0", "perhaps", None])
    array([ 1.,  0.,  1.,  0.,  1., nan, nan])
    """
    series = as_series(series)
    if repeats(series):
        return by_value(series, lambda values: booleans(values, missing=missing), np.nan)
    texts = categories(series, missing=missing)
    known = {text: as_boolean(text) for text in set(texts) if text is not None}
    return np.array([np.nan if text is None else known[text] for text in texts], np.float64)


def as_boolean(text: str) -> float:
    """Return 1, 0, or NaN for a text that is no truth value."""
    text = text.lower()
    return 1.0 if text in YES else 0.0 if text in NO else math.nan
