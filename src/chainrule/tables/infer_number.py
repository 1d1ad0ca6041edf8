"""Whether a column holds numbers, and the plan for it."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import Column
from chainrule.tables.number_style import Style
from chainrule.tables.numbers import as_number
from chainrule.tables.numeric_inputs import CLIP, LARGEST
from chainrule.tables.profile import MOST, ColumnProfile, as_plan, unread_note

__all__ = ["are_codes", "infer_number"]

Array = NDArray[Any]

#: So many different values are few: of a category for one-hot inputs, of whole numbers for classes.
FEW = 20

_VERSION = re.compile(r"[0-9]+[.,][0-9]*[1-9]0+")

_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")


def infer_number(base: Column, profile: ColumnProfile, override: dict[str, Any], least: float = MOST) -> Column | None:
    """Return the plan for numbers, if at least this fraction of the cells are some."""
    if profile.odd is not None or profile.dtype_kind == "M":
        return None
    style = profile.style(override)
    values = profile.numbers(style)
    present = ~np.isnan(values)
    infinite = 0
    unread: list[str] = []
    if profile.typed:
        infinite = len(profile) - int(present.sum())
    elif present.sum() < len(profile):
        numbers = {text: as_number(text, style.decimal, style.unit) for text in profile.texts}
        infinite = sum(profile.texts[text] for text, value in numbers.items() if math.isinf(value))
        unread = [text for text, value in numbers.items() if math.isnan(value) and text not in profile.markers]
    if not present.any() or present.sum() + infinite < least * (len(profile) - profile.stand_ins):
        return None
    reasons = _unusual_style(profile, style)
    if unread:
        reasons.append(unread_note(profile, unread, "no numbers"))
    if infinite:
        reasons.append(f"{infinite:,} infinite, taken for missing")
    values = values[present]
    return as_plan(
        base,
        profile,
        profile.rows - len(values),
        kind="number",
        distinct=len(np.unique(values)),
        decimal=style.decimal,
        unit=style.unit,
        bare=style.bare,
        signed=style.signed,
        low=float(values.min()),
        high=float(values.max()),
        outliers="clip" if _has_outliers(values) else "keep",
        reason="; ".join(reasons),
        note=style.note,
    )


def _unusual_style(profile: ColumnProfile, style: Style) -> list[str]:
    """Return what is special about how numbers are written."""
    if profile.typed:
        return []
    forms, reasons = profile.evidence.forms, []
    with_points = any("." in text for text in profile.texts)
    if style.decimal == "," and (forms["comma"] or forms["grouped_comma"]) and any("," in t for t in profile.texts):
        reasons.append("decimal commas")
    if style.decimal == "," and with_points:
        reasons.append("points separate thousands")
    if style.decimal == "." and any("," in text for text in profile.texts):
        reasons.append("commas separate thousands")
    if style.unit:
        reasons.append(style.signs or f"without the sign {style.unit!r}")
    return reasons


def _has_outliers(values: Array) -> bool:
    """Return whether values lie beyond `CLIP` quartile distances; not where half of the values are the same."""
    values = np.clip(values, -LARGEST, LARGEST)
    first, third = np.quantile(values, [0.25, 0.75])
    reach = CLIP * (third - first)
    return bool(reach > 0 and (values.min() < first - reach or values.max() > third + reach))


def are_codes(profile: ColumnProfile) -> bool:
    """Return whether numbers are names: whole ones with leading zeros, as postal codes, or few with zeros behind
    (3.10).
    """
    if profile.typed:
        return False
    if profile.distinct <= FEW and any(_VERSION.fullmatch(t) and t.rstrip("0") in profile.texts for t in profile.texts):
        return True  # 3.1 beside 3.10: as numbers they would be the same
    with_zero = sum(count for text, count in profile.texts.items() if _LEADING_ZERO.fullmatch(text))
    if not with_zero:
        return False
    lengths = {len(text) for text in profile.texts}
    return with_zero >= (1 - MOST) * len(profile) or (len(lengths) == 1 and all(map(str.isdecimal, profile.texts)))
