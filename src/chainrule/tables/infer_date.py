"""Whether a column holds dates, and the plan for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import Column
from chainrule.tables.dates import EITHER_WAY, as_date, dates
from chainrule.tables.profile import MOST, ColumnProfile, as_plan, unread_note

__all__ = ["infer_date", "infer_day_numbers", "infer_months"]

Array = NDArray[Any]

_DAY = re.compile(r"(?:19|20)[0-9]{6}")

_MONTH = re.compile(r"(?:0?[1-9]|1[0-2])\.(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}\.(?:0[1-9]|1[0-2])")


def infer_date(base: Column, profile: ColumnProfile, override: dict[str, Any], least: float = MOST) -> Column | None:
    """Return the plan for dates, if at least this fraction of the cells are some."""
    if profile.odd is not None:
        return None
    sample = list(profile.texts)[:50]
    if least > 0 and sum(as_date(text) is not None for text in sample) < len(sample) / 2:
        return None
    day_first, order = _order(profile.texts)
    if "day_first" in override:
        day_first, order = override["day_first"], ""
    days = dates(profile.values, day_first=day_first, missing=profile.na_values)
    present = days[~np.isnat(days)]
    if not len(present) or len(present) < least * (len(profile) - profile.stand_ins):
        return None
    unread: list[str] = []
    if not profile.typed and len(present) < len(profile):
        unread = [text for text in profile.texts if as_date(text, day_first) is None and text not in profile.markers]
    return as_plan(
        base,
        profile,
        profile.rows - len(present),
        kind="date",
        distinct=len(np.unique(present)),
        day_first=day_first,
        parts=_parts(present),
        note=order if "cannot be told apart" in order else "",
        reason="; ".join(part for part in (order, unread_note(profile, unread, "no dates")) if part),
    )


def infer_day_numbers(base: Column, profile: ColumnProfile, override: dict[str, Any]) -> Column | None:
    """Return the plan for days written as 20200131."""
    texts = [text for text in profile.texts if text not in profile.markers]
    if len(texts) < 3 or not all(_DAY.fullmatch(text) and as_date(text) for text in texts):
        return None
    return infer_date(base, profile, override)


def infer_months(base: Column, profile: ColumnProfile, override: dict[str, Any]) -> Column | None:
    """Return the plan for months with their years, as 03.2018 or 2018.03, which would be numbers otherwise."""
    texts = [text for text in profile.texts if text not in profile.markers]
    if profile.typed or len(texts) < 3 or not all(_MONTH.fullmatch(text) for text in texts):
        return None
    return infer_date(base, profile, override)


def _order(texts: Mapping[str, int]) -> tuple[bool, str]:
    """Return whether the day comes before the month in 03/04/2020, by all dates; and what to say about it."""
    matches = [match for match in map(EITHER_WAY.fullmatch, texts) if match and match["sep"] != "."]
    if not matches:
        return False, ""
    days_first = sum(int(match["first"]) > 12 for match in matches)
    months_first = sum(int(match["then"]) > 12 for match in matches)
    if days_first > months_first:
        return True, "day before month"
    if months_first:
        return False, "month before day"
    return False, "day and month cannot be told apart: read as month before day (day_first = true changes that)"


def _parts(days: Array) -> tuple[str, ...]:
    """Return the parts of dates that differ from row to row, and the days since the first where there is more
    than one.
    """
    import pandas as pd

    index = pd.DatetimeIndex(days)
    values = {part: getattr(index, part) for part in ("year", "month", "day", "day_of_week", "hour", "minute")}
    values["weekday"] = values.pop("day_of_week")
    if (index.day == 1).all():  # months, which have no weekday
        values.pop("weekday")
    varying = tuple(part for part in values if values[part].nunique() > 1)
    return (*varying, "elapsed") if {"year", "month", "day"} & set(varying) else varying or ("elapsed",)
