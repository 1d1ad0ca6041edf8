"""The cells of a column as values of its kind, the same whether they were read as text or came with a type.

``"3"``, ``3`` and ``3.0`` are one number and one category, ``"yes"``, ``True`` and ``1`` one truth value. Cells that
cannot be read as the kind that is asked for are missing there; `chainrule.tables.infer` counts them and says so.
"""

from __future__ import annotations

import datetime
import decimal as decimals
import math
import numbers as number_types
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import MISSING, Column

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "MISSING",
    "booleans",
    "by_value",
    "categories",
    "cells",
    "coded",
    "dates",
    "distinct",
    "has_one_type",
    "numbers",
    "tally",
    "values_of",
]

Array = NDArray[Any]

#: In columns with fewer rows `coded` does not tell texts apart: it takes as long as reading each of them.
MANY_ROWS = 1_000

YES = frozenset(["true", "t", "yes", "y", "1"])
NO = frozenset(["false", "f", "no", "n", "0"])

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

_DECIMAL_TEXT = re.compile(r"([+-]?)(0|[1-9][0-9]*)(?:\.([0-9]*))?")  # without the leading zeros of codes such as 007

_TIME = (
    r"(?:(?:T|,? +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?"
    r" ?(?P<half>[AaPp][Mm])? ?(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_DATES = [
    re.compile(form + _TIME)
    for form in (
        r"(?P<year>[0-9]{4})(?P<sep>[-/.])(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})",
        r"(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{2})",
        r"(?P<month>[0-9]{1,2})[-/.](?P<year>[0-9]{4})",
        r"(?P<name>[A-Za-z]{3,9})\.?[ -](?P<year>[0-9]{4})",
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})",
        r"(?P<day>[0-9]{1,2})[ -](?P<name>[A-Za-z]{3,9})\.?,?[ -](?P<year>[0-9]{4})",
        r"(?P<name>[A-Za-z]{3,9})\.? (?P<day>[0-9]{1,2}),? (?P<year>[0-9]{4})",
    )
]
#: 03/04/2020: which is the day is told by the column as a whole; with dots the day always comes first.
EITHER_WAY = re.compile(
    r"(?P<first>[0-9]{1,2})(?P<sep>[-/.])(?P<then>[0-9]{1,2})(?P=sep)(?P<year>[0-9]{4}|[0-9]{2})" + _TIME
)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


def values_of(series: Any, column: Column) -> Array:
    """Return the cells by what the column is: numbers, truth values, dates, or the text of categories for all other
    kinds.

    >>> values_of(["3,5", None], Column("price", "number", decimal=","))
    array([3.5, nan])
    """
    if column.kind == "number":
        how: dict[str, Any] = {"decimal": column.decimal, "unit": column.unit}
        how |= {"bare": column.bare, "signed": column.signed}
        return numbers(series, **how, missing=column.missing_texts)
    if column.kind == "boolean":
        return booleans(series, missing=column.missing_texts)
    if column.kind == "date":
        return dates(series, day_first=column.day_first, missing=column.missing_texts)
    return categories(series, missing=column.missing_texts, exact=column.exact)


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

    series = _series(series)
    if _repeats(series):
        how: dict[str, Any] = {"decimal": decimal, "unit": unit, "bare": bare, "signed": signed, "missing": missing}
        return by_value(series, lambda values: numbers(values, **how), np.nan)
    if pd.api.types.is_numeric_dtype(series.dtype) and series.dtype.kind != "c":
        found = series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    elif series.dtype.kind == "m":
        found = series.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    elif series.dtype.kind == "M":
        return np.full(len(series), np.nan)
    else:
        return numbers_of_cells(cells(series, missing), decimal, unit, bare, signed)
    if missing is not MISSING:
        stand_ins = [number for number in map(as_number, missing) if math.isfinite(number)]
        found[np.isin(found, stand_ins)] = np.nan
    found[~np.isfinite(found)] = np.nan
    return found * bare if bare != 1.0 else found


def numbers_of_cells(
    found: Array, decimal: str, unit: str, bare: float = 1.0, signed: float = 1.0
) -> NDArray[np.float64]:
    """Return what `numbers` makes of what `cells` gave."""
    values = _floats(found, decimal, unit, bare, signed)
    values[~np.isfinite(values)] = np.nan
    return values


def _floats(found: Array, decimal: str, unit: str, bare: float, signed: float) -> NDArray[np.float64]:
    some = [cell for cell in found if cell is not None]
    texts = decimal == "." and bare == 1.0 and all(type(cell) is str for cell in some)
    if texts and not _NOT_IN_PLAIN_NUMBERS.search("\n".join(some)):
        try:  # most columns: nothing but plain numbers, read at once
            plain = found if len(some) == len(found) else np.array([np.nan if c is None else c for c in found], object)
            return plain.astype(np.float64)
        except ValueError:
            pass
    known: dict[str, float] = {}
    values = np.full(len(found), np.nan)
    for i, cell in enumerate(found):
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


def booleans(series: Any, *, missing: Collection[str] = MISSING) -> NDArray[np.float64]:
    """Truth values as 1, 0 and NaN: true, t, yes, y, 1 and false, f, no, n, 0 in upper or lower case.

    >>> booleans(["Yes", "n", True, 0, "1.0", "perhaps", None])
    array([ 1.,  0.,  1.,  0.,  1., nan, nan])
    """
    series = _series(series)
    if _repeats(series):
        return by_value(series, lambda values: booleans(values, missing=missing), np.nan)
    texts = categories(series, missing=missing)
    known = {text: as_boolean(text) for text in set(texts) if text is not None}
    return np.array([np.nan if text is None else known[text] for text in texts], np.float64)


def as_boolean(text: str) -> float:
    """1, 0, or NaN for a text that is no truth value."""
    text = text.lower()
    return 1.0 if text in YES else 0.0 if text in NO else math.nan


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
    series = _series(series)
    if _repeats(series) or (has_one_type(series) and len(series) > 100):
        return by_value(series, lambda values: _texts(cells(values, missing), exact), None)
    return _texts(cells(series, missing), exact)


def _texts(found: Array, exact: bool) -> Array:
    known: dict[str, str] = {}
    texts = np.empty(len(found), object)
    for i, cell in enumerate(found):
        if type(cell) is str:
            if cell not in known:
                known[cell] = cell if exact else _same_text(cell)
            texts[i] = known[cell]
        elif cell is not None:
            texts[i] = as_text(cell)
    return texts


def _same_text(text: str) -> str:
    """Return one way of writing for texts that mean the same."""
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if number := _DECIMAL_TEXT.fullmatch(text):
        sign, whole, part = number[1], number[2], (number[3] or "").rstrip("0")
        size = f"{whole}.{part}" if part else whole
        return f"-{size}" if sign == "-" and size != "0" else size
    return text


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


def dates(series: Any, *, day_first: bool = False, missing: Collection[str] = MISSING) -> NDArray[np.datetime64]:
    """Return dates as datetime64[us], NaT where a cell is missing or no date; times with a zone are turned into UTC.

    Read are ISO 8601 (``2020-01-31``, with a time and a zone), ``2020/1/31``, ``20200131``, ``31.01.2020``,
    ``31 Jan 2020``, ``Jan 31, 2020`` and, by ``day_first``, ``31/01/2020`` or ``01/31/2020``; a year of two digits is
    1969 to 2068. A month is its first day: ``2020-01``, ``01/2020``, ``01.2020``, ``Jan 2020``.

    >>> dates(["2020-01-31", "31.01.2020", "Jan 31, 2020", "soon"])
    array(['2020-01-31T00:00:00.000000', '2020-01-31T00:00:00.000000',
           '2020-01-31T00:00:00.000000',                        'NaT'],
          dtype='datetime64[us]')
    """
    import pandas as pd

    series = _series(series)
    none = np.datetime64("NaT", "us")
    if _repeats(series):
        return by_value(series, lambda values: dates(values, day_first=day_first, missing=missing), none)
    if series.dtype.kind == "M":
        if getattr(series.dt, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return series.to_numpy().astype("datetime64[us]")
    found = cells(series, missing)
    days = np.full(len(found), none)
    iso = [i for i, cell in enumerate(found) if type(cell) is str and _ISO.fullmatch(cell)]
    if iso:
        texts = pd.Series([found[i] for i in iso], dtype=object)
        read = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
        days[iso] = read.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    known: dict[str, Any] = {}
    done = set(iso)
    for i, cell in enumerate(found):
        if cell is None or i in done:
            continue
        text = _date_text(cell)
        if text not in known:
            known[text] = as_date(text, day_first)
        if known[text] is not None:
            days[i] = known[text]
    return days


def _date_text(cell: Any) -> str:
    if isinstance(cell, datetime.datetime | datetime.date):
        return cell.isoformat()
    return cell if isinstance(cell, str) else as_text(cell)  # 20200131 as a number


def as_date(text: str, day_first: bool = False) -> datetime.datetime | None:
    """Return the date in a text, without a zone; None if it is none."""
    match = next((match for form in _DATES if (match := form.fullmatch(text))), None)
    if match is not None:
        found = match.groupdict()
        month = _month(found["name"]) if found.get("name") else int(found["month"])
        day = int(found.get("day") or 1)
    elif match := EITHER_WAY.fullmatch(text):
        found = match.groupdict()
        first, then = int(found["first"]), int(found["then"])
        day, month = (first, then) if day_first or found["sep"] == "." else (then, first)
    else:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += 1900 if year >= 69 else 2000
    hour, half = int(found["hour"] or 0), (found["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    micro = int((found["part"] or "0")[:6].ljust(6, "0"))
    try:
        time = datetime.datetime(year, month, day, hour, int(found["minute"] or 0), int(found["second"] or 0), micro)
        return time - _offset(found["zone"])
    except (ValueError, OverflowError):  # the 31st of February; before the year 1
        return None


def _month(name: str) -> int:
    """Return the number of a month; 0, which is none, for other names."""
    name = "sep" if name.lower() == "sept" else name.lower()
    return next((i for i, month in enumerate(_MONTHS, 1) if name in (month, month[:3])), 0)


def _offset(zone: str | None) -> datetime.timedelta:
    if zone in (None, "Z", "UTC"):
        return datetime.timedelta(0)
    assert zone is not None
    ahead = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -ahead if zone[0] == "-" else ahead


def cells(series: Any, missing: Collection[str] = MISSING) -> Array:
    """Return the cells as an array of objects: text without the spaces around it, None where a value is missing.

    The texts ``missing`` stand for missing values.

    >>> cells([" a ", "NA", 3, float("nan")]).tolist()
    ['a', None, 3, None]
    """
    import pandas as pd

    series = _series(series)
    if _repeats(series):
        return by_value(series, lambda values: cells(values, missing), None)
    given = series if isinstance(series, np.ndarray) else series.array
    empty, present = np.asarray(pd.isna(given)), np.array(given, object)
    present[empty] = None
    for row, cell in enumerate(present):
        if isinstance(cell, str):
            text = cell.strip()
            present[row] = None if text in missing else str(text)
    return present


def coded(frame: DataFrame) -> DataFrame:
    """Return the same table with its columns of text as categoricals: each different text once, and a number for each
    row.

    What is made of a column is then made of its different texts, which most often are few, also of some of its rows.
    Below `MANY_ROWS` rows a table of nothing but text gets plain cells instead: in a short column that is quicker.

    >>> import pandas as pd
    >>> coded(pd.DataFrame({"city": ["Rome", "Oslo"] * 500, "age": range(1000)})).dtypes.astype(str).tolist()
    ['category', 'int64']
    """
    import pandas as pd

    texts = [j for j, kind in enumerate(frame.dtypes) if isinstance(kind, pd.StringDtype)]
    if len(frame) < MANY_ROWS:
        return frame.astype(object) if len(texts) == len(frame.columns) else frame
    found = frame.copy(deep=False)
    for j in texts:
        codes, values = pd.factorize(frame.iloc[:, j])
        found.isetitem(j, pd.Categorical.from_codes(codes, values, validate=False))
    return found


def tally(series: Any, missing: Collection[str] = MISSING) -> dict[Any, int] | None:
    """Return how often each different cell of a column of text occurs, in the order of their first rows; None for
    others.

    >>> import pandas as pd
    >>> tally(pd.Series(["b", "a ", None, "a"], dtype="str"))
    {'b': 1, 'a': 2}
    """
    import pandas as pd

    kind = series.cat.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if not isinstance(kind, pd.StringDtype):
        return None
    codes, values = distinct(series)
    places, there = pd.factorize(codes[codes >= 0])  # those that occur, by their first rows
    found: dict[Any, int] = {}
    for cell, count in zip(cells(values.iloc[there], missing), np.bincount(places).tolist(), strict=True):
        if cell is not None:
            found[cell] = found.get(cell, 0) + count
    return found


def _series(given: Any) -> Any:
    """Return a pandas Series, or an array of objects; what is neither yet keeps each cell as it is, without a common
    type.
    """
    import pandas as pd

    if isinstance(given, pd.Series) or (isinstance(given, np.ndarray) and given.dtype == object):
        return given
    if isinstance(given, np.ndarray | pd.api.extensions.ExtensionArray | pd.Index):
        return pd.Series(given)
    return pd.Series(list(given), dtype=object)


def _repeats(series: Any) -> bool:
    """Return whether its cells are texts or categories, most of which occur many times."""
    import pandas as pd

    return isinstance(series.dtype, pd.CategoricalDtype | pd.StringDtype)


def distinct(series: Any) -> tuple[Array, Any]:
    """Return the place of each cell among the different values, -1 for a missing one; and these, texts as plain
    objects.
    """
    import pandas as pd

    if not has_one_type(series):
        return _distinct_objects(series)
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, values = series.cat.codes.to_numpy(), series.cat.categories
    else:
        codes, values = pd.factorize(series)
    values = pd.Series(values)
    return codes, values.astype(object) if isinstance(values.dtype, pd.StringDtype) else values


def _distinct_objects(series: Any) -> tuple[Array, Any]:
    """Return what `distinct` gives of cells of several types: 1, True and "1" are different."""
    places: dict[Any, int] = {}
    values: list[Any] = []
    codes = np.empty(len(series), np.intp)
    for row, cell in enumerate(series):
        key = (type(cell), cell if isinstance(cell, str | float | int) else id(cell))
        if key not in places:
            places[key] = len(values)
            values.append(cell)
        codes[row] = places[key]
    found = np.empty(len(values), object)
    found[:] = values
    return codes, found


def has_one_type(series: Any) -> bool:
    """Return whether all cells of a series are of one type, so that equal ones are read as the same."""
    return _repeats(series) or series.dtype.kind in "biufM"


def by_value(series: Any, read: Callable[[Any], Array], missing: Any) -> Array:
    """Return what ``read`` makes of the different values of a series, which most often are few, for each of its
    cells.
    """
    codes, values = distinct(series)
    found = read(values)
    return np.append(found, np.array([missing], found.dtype))[codes]
