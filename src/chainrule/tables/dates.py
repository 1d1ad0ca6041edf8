"""The dates of a column, the same whether they were read as text or came with a type."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.categories import as_text
from chainrule.tables.cells import as_series, by_value, cells, repeats
from chainrule.tables.columns import MISSING

__all__ = ["EITHER_WAY", "as_date", "dates"]

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

    series = as_series(series)
    none = np.datetime64("NaT", "us")
    if repeats(series):
        return by_value(series, lambda values: dates(values, day_first=day_first, missing=missing), none)
    if series.dtype.kind == "M":
        if getattr(series.dt, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return series.to_numpy().astype("datetime64[us]")
    column = cells(series, missing)
    days = np.full(len(column), none)
    iso = [i for i, cell in enumerate(column) if type(cell) is str and _ISO.fullmatch(cell)]
    if iso:
        texts = pd.Series([column[i] for i in iso], dtype=object)
        read = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
        days[iso] = read.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    known: dict[str, Any] = {}
    done = set(iso)
    for i, cell in enumerate(column):
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
        fields = match.groupdict()
        month = _month(fields["name"]) if fields.get("name") else int(fields["month"])
        day = int(fields.get("day") or 1)
    elif match := EITHER_WAY.fullmatch(text):
        fields = match.groupdict()
        first, then = int(fields["first"]), int(fields["then"])
        day, month = (first, then) if day_first or fields["sep"] == "." else (then, first)
    else:
        return None
    year = int(fields["year"])
    if len(fields["year"]) == 2:
        year += 1900 if year >= 69 else 2000
    hour, half = int(fields["hour"] or 0), (fields["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    micro = int((fields["part"] or "0")[:6].ljust(6, "0"))
    try:
        time = datetime.datetime(year, month, day, hour, int(fields["minute"] or 0), int(fields["second"] or 0), micro)
        return time - _offset(fields["zone"])
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
