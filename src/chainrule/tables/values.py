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
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import Column

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
    "has_one_type",
    "numbers",
    "tally",
    "values_of",
]

Array = NDArray[Any]

#: What stands for a missing value in a file, besides an empty cell. "None" is not among them: in a column of
#: categories it may be one ("None", "Mild", "Severe"); in columns of numbers, dates and truth values it is missing.
MISSING = frozenset(
    ["", "NA", "na", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "NaT", "NULL", "null", "Null", "?", "-", "--"]
)

#: In columns with fewer rows `coded` does not tell texts apart: it takes as long as reading each of them.
MANY_ROWS = 1_000

YES = frozenset(["true", "t", "yes", "y", "1"])
NO = frozenset(["false", "f", "no", "n", "0"])

#: Signs that may stand before or after a number; a column has one of them, or none.
UNITS = "%$€£¥"

INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)

_NUMBER = {
    ".": re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    ",": re.compile(r"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?"),
}
_SPACES = " \u00a0\u2009\u202f'’"
_GROUPED = {  # thousands in groups of three, all with the same separator
    ".": re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([,{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\.[0-9]+)?"),
    ",": re.compile(rf"[+-]?[1-9][0-9]{{0,2}}([.{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:,[0-9]+)?"),
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
        r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})",
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
    """The cells by what the column is: numbers, truth values, dates, or the text of categories for all other kinds.

    >>> values_of(["3,5", None], Column("price", "number", decimal=","))
    array([3.5, nan])
    """
    if column.kind == "number":
        return numbers(series, decimal=column.decimal, unit=column.unit)
    if column.kind == "boolean":
        return booleans(series)
    if column.kind == "date":
        return dates(series, day_first=column.day_first)
    return categories(series)


def numbers(series: Any, *, decimal: str = ".", unit: str = "") -> NDArray[np.float64]:
    """Numbers as float64; NaN where a cell is missing, infinite or no number.

    Text may have thousands separators (``1,234.5``; with ``decimal=","``: ``1.234,5``; also spaces and apostrophes),
    and the sign ``unit`` before or after the number: ``"12 %"`` with ``unit="%"`` is 12. Truth values are 0 and 1,
    time spans are seconds.

    >>> numbers(["3", 3, "1,234.5", "1e400", "n/a", None])
    array([   3. ,    3. , 1234.5,    nan,    nan,    nan])
    >>> numbers(["1.234,5", "7"], decimal=",")
    array([1234.5,    7. ])
    """
    import pandas as pd

    series = _series(series)
    if _repeats(series):
        return by_value(series, lambda values: numbers(values, decimal=decimal, unit=unit), np.nan)
    if pd.api.types.is_numeric_dtype(series.dtype) and series.dtype.kind != "c":
        found = series.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    elif series.dtype.kind == "m":
        found = series.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    elif series.dtype.kind == "M":
        return np.full(len(series), np.nan)
    else:
        return numbers_of_cells(cells(series), decimal, unit)
    found[~np.isfinite(found)] = np.nan
    return found


def numbers_of_cells(found: Array, decimal: str, unit: str) -> NDArray[np.float64]:
    """What `numbers` makes of what `cells` gave."""
    values = _floats(found, decimal, unit)
    values[~np.isfinite(values)] = np.nan
    return values


def _floats(found: Array, decimal: str, unit: str) -> NDArray[np.float64]:
    some = [cell for cell in found if cell is not None]
    if decimal == "." and all(type(cell) is str for cell in some) and not _NOT_IN_PLAIN_NUMBERS.search("\n".join(some)):
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
                known[cell] = as_number(cell, decimal, unit)
            values[i] = known[cell]
        elif isinstance(cell, number_types.Real | decimals.Decimal | np.bool_):
            try:
                values[i] = float(cell)
            except (OverflowError, ValueError):  # a whole number beyond 1e308
                values[i] = np.inf
        elif isinstance(cell, datetime.timedelta):
            values[i] = cell.total_seconds()
    return values


def as_number(text: str, decimal: str = ".", unit: str = "") -> float:
    """The number in a text, which may be infinite; NaN if it is none."""
    text = text.strip().replace("\u2212", "-")
    if unit:
        sign, rest = (text[0], text[1:].lstrip()) if text[:1] in ("-", "+") else ("", text)
        if rest.startswith(unit):
            text = sign + rest.removeprefix(unit).lstrip()
        elif rest.endswith(unit):
            text = sign + rest.removesuffix(unit).rstrip()
    if _NUMBER[decimal].fullmatch(text):
        return float(text.replace(",", "."))
    if grouped := _GROUPED[decimal].fullmatch(text):
        return float(text.replace(grouped[1], "").replace(",", "."))
    return float(text) if INFINITE.fullmatch(text) else math.nan


def booleans(series: Any) -> NDArray[np.float64]:
    """Truth values as 1, 0 and NaN: true, t, yes, y, 1 and false, f, no, n, 0 in upper or lower case.

    >>> booleans(["Yes", "n", True, 0, "1.0", "perhaps", None])
    array([ 1.,  0.,  1.,  0.,  1., nan, nan])
    """
    series = _series(series)
    if _repeats(series):
        return by_value(series, booleans, np.nan)
    texts = categories(series)
    known = {text: as_boolean(text) for text in set(texts) if text is not None}
    return np.array([np.nan if text is None else known[text] for text in texts], np.float64)


def as_boolean(text: str) -> float:
    """1, 0, or NaN for a text that is no truth value."""
    text = text.lower()
    return 1.0 if text in YES else 0.0 if text in NO else math.nan


def categories(series: Any) -> Array:
    """Categories as text, an array of objects; None where a cell is missing.

    Text is stripped of the spaces around it. Numbers are written in one way, ``3`` for ``"3"``, ``3``, ``3.0`` and
    ``"3.00"`` (``"007"`` keeps its zeros), truth values as ``True`` and ``False``, dates as ISO 8601.

    >>> categories(["3", 3, 3.0, " red", True, "true", "007", "?", None]).tolist()
    ['3', '3', '3', 'red', 'True', 'True', '007', None, None]
    """
    series = _series(series)
    if _repeats(series) or (has_one_type(series) and len(series) > 100):
        return by_value(series, lambda values: _texts(cells(values)), None)
    return _texts(cells(series))


def _texts(found: Array) -> Array:
    known: dict[str, str] = {}
    texts = np.empty(len(found), object)
    for i, cell in enumerate(found):
        if type(cell) is str:
            if cell not in known:
                known[cell] = _same_text(cell)
            texts[i] = known[cell]
        elif cell is not None:
            texts[i] = as_text(cell)
    return texts


def _same_text(text: str) -> str:
    """One way of writing for texts that mean the same."""
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if number := _DECIMAL_TEXT.fullmatch(text):
        sign, whole, part = number[1], number[2], (number[3] or "").rstrip("0")
        size = f"{whole}.{part}" if part else whole
        return f"-{size}" if sign == "-" and size != "0" else size
    return text


def as_text(value: Any) -> str:
    """A cell as the text of a category."""
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


def dates(series: Any, *, day_first: bool = False) -> NDArray[np.datetime64]:
    """Dates as datetime64[us], NaT where a cell is missing or no date; times with a zone are turned into UTC.

    Read are ISO 8601 (``2020-01-31``, with a time and a zone), ``2020/1/31``, ``20200131``, ``2020-01``,
    ``31.01.2020``, ``31 Jan 2020``, ``Jan 31, 2020`` and, by ``day_first``, ``31/01/2020`` or ``01/31/2020``; a year of
    two digits is 1969 to 2068.

    >>> dates(["2020-01-31", "31.01.2020", "Jan 31, 2020", "soon"])
    array(['2020-01-31T00:00:00.000000', '2020-01-31T00:00:00.000000',
           '2020-01-31T00:00:00.000000',                        'NaT'],
          dtype='datetime64[us]')
    """
    import pandas as pd

    series = _series(series)
    none = np.datetime64("NaT", "us")
    if _repeats(series):
        return by_value(series, lambda values: dates(values, day_first=day_first), none)
    if series.dtype.kind == "M":
        if getattr(series.dt, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return series.to_numpy().astype("datetime64[us]")
    found = cells(series)
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
    return as_text(cell)  # 20200131 as a number


def as_date(text: str, day_first: bool = False) -> datetime.datetime | None:
    """The date in a text, without a zone; None if it is none."""
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
    """The number of a month; 0, which is none, for other names."""
    name = "sep" if name.lower() == "sept" else name.lower()
    return next((i for i, month in enumerate(_MONTHS, 1) if name in (month, month[:3])), 0)


def _offset(zone: str | None) -> datetime.timedelta:
    if zone in (None, "Z", "UTC"):
        return datetime.timedelta(0)
    assert zone is not None
    ahead = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -ahead if zone[0] == "-" else ahead


def cells(series: Any) -> Array:
    """The cells as an array of objects: text without the spaces around it, None where a value is missing.

    >>> cells([" a ", "NA", 3, float("nan")]).tolist()
    ['a', None, 3, None]
    """
    import pandas as pd

    series = _series(series)
    if _repeats(series):
        return by_value(series, cells, None)
    given = series if isinstance(series, np.ndarray) else series.array
    missing, found = np.asarray(pd.isna(given)), np.array(given, object)
    for i, (cell, absent) in enumerate(zip(found, missing, strict=True)):
        if absent:
            found[i] = None
        elif isinstance(cell, str):
            text = cell.strip()
            found[i] = None if text in MISSING else str(text)
    return found


def coded(frame: DataFrame) -> DataFrame:
    """The same table with its columns of text as categoricals: each different text once, and a number for each row.

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


def tally(series: Any) -> dict[Any, int] | None:
    """How often each different cell of a column of text occurs, in the order of their first rows; None for others.

    >>> import pandas as pd
    >>> tally(pd.Series(["b", "a ", None, "a"], dtype="str"))
    {'b': 1, 'a': 2}
    """
    import pandas as pd

    kind = series.cat.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if not isinstance(kind, pd.StringDtype):
        return None
    codes, values = _distinct(series)
    places, there = pd.factorize(codes[codes >= 0])  # those that occur, by their first rows
    found: dict[Any, int] = {}
    for cell, count in zip(cells(values.iloc[there]), np.bincount(places).tolist(), strict=True):
        if cell is not None:
            found[cell] = found.get(cell, 0) + count
    return found


def _series(given: Any) -> Any:
    """A pandas Series, or an array of objects; what is neither yet keeps each cell as it is, without a common type."""
    import pandas as pd

    if isinstance(given, pd.Series) or (isinstance(given, np.ndarray) and given.dtype == object):
        return given
    if isinstance(given, np.ndarray | pd.api.extensions.ExtensionArray | pd.Index):
        return pd.Series(given)
    return pd.Series(list(given), dtype=object)


def _repeats(series: Any) -> bool:
    """Whether its cells are texts or categories, most of which occur many times."""
    import pandas as pd

    return isinstance(series.dtype, pd.CategoricalDtype | pd.StringDtype)


def _distinct(series: Any) -> tuple[Array, Any]:
    """The place of each cell among the different values, -1 for a missing one; and these, texts as plain objects."""
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, values = series.cat.codes.to_numpy(), series.cat.categories
    else:
        codes, values = pd.factorize(series)
    values = pd.Series(values)
    return codes, values.astype(object) if isinstance(values.dtype, pd.StringDtype) else values


def has_one_type(series: Any) -> bool:
    """Whether all cells of a series are of one type, so that equal ones are read as the same."""
    return _repeats(series) or series.dtype.kind in "biufM"


def by_value(series: Any, read: Callable[[Any], Array], missing: Any) -> Array:
    """What ``read`` makes of the different values of a series, which most often are few, for each of its cells."""
    codes, values = _distinct(series)
    found = read(values)
    return np.append(found, np.array([missing], found.dtype))[codes]
