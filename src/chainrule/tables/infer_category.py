"""Whether a column holds truth values, categories, texts or identifiers, and the plan for it."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.association import LEVEL, PERMUTATIONS, ROWS, association, evenly
from chainrule.tables.categories import NO, YES, as_boolean, as_text, booleans, categories
from chainrule.tables.cells import cells
from chainrule.tables.columns import Column
from chainrule.tables.infer_number import FEW, are_codes, infer_number
from chainrule.tables.numbers import as_number
from chainrule.tables.profile import MOST, ColumnProfile, as_plan, unread_note

__all__ = ["infer_boolean", "infer_category", "infer_category_or_text", "infer_number_or_identifier"]

Array = NDArray[Any]

#: From this fraction of missing values on, a column of many different texts tells something by being empty.
OFTEN_EMPTY = 0.05

#: From so many rows on, whole numbers that rise from row to row may number the rows.
SEQUENCE = 50

_ID_NAME = re.compile(r"(?:.*[\W_])?(?:id|ids|uid|uuid|guid|rowid)|index|idx|key|rownames?")

_ID_CASED = re.compile(r".*[a-z](?:Id|ID)")  # PassengerId, but not "paid"

_DIGITS = re.compile(r"[0-9]+")


def infer_boolean(base: Column, profile: ColumnProfile, least: float = 1.0) -> Column | None:
    """Return the plan for truth values, if all cells are some and both occur; with ``least=0`` if any cell is one."""
    if profile.odd is not None or (least == 1.0 and profile.distinct > len(YES) + len(NO) + 10):
        return None
    values = {text: as_boolean(as_text(text)) for text in profile.texts}
    truths = {value for value in values.values() if not math.isnan(value)}
    unread = [text for text, value in values.items() if math.isnan(value) and text not in profile.markers]
    if not truths or (least == 1.0 and (len(truths) < 2 or unread)):
        return None
    missing = int(np.isnan(booleans(profile.values, missing=profile.na_values)).sum())
    reason = unread_note(profile, unread, "no truth values")
    return as_plan(base, profile, missing, kind="boolean", fill="most_frequent", distinct=len(truths), reason=reason)


def infer_category(base: Column, profile: ColumnProfile, reason: str = "") -> Column:
    """Return the plan for categories, which any cells may be."""
    whole = profile.odd is None and profile.distinct == len(profile.texts)
    exact = profile.exact
    written = profile.texts if exact else map(as_text, profile.texts)
    texts = written if whole else categories(profile.values, missing=profile.na_values, exact=exact)
    distinct = len({text for text in texts if text is not None})
    return dataclasses.replace(
        base,
        kind="category",
        distinct=distinct,
        encode="one_hot" if distinct <= FEW else "embedding",
        exact=exact,
        reason=reason or f"{distinct:,} different value{'s' * (distinct != 1)}",
    )


def infer_category_or_text(base: Column, profile: ColumnProfile, target_values: Any) -> Column:
    """Return the plan for text: categories if it repeats itself or is often empty, else an identifier or plain text."""
    plan = infer_category(base, profile)
    numbers_note = _numbers_note(profile)
    several_words = 2 * sum(" " in text for text in profile.texts) > len(profile.texts)
    all_differ = plan.distinct == len(profile) and len(profile) > 2
    if (
        not all_differ
        and (plan.distinct <= FEW or 2 * plan.distinct < len(profile))
        and not (_is_id(base.name) and 2 * plan.distinct > len(profile))
    ):
        return dataclasses.replace(plan, reason=plan.reason + numbers_note)
    counts = f"{plan.distinct:,} different values in {len(profile):,} rows"
    if base.missing >= OFTEN_EMPTY * profile.rows:
        return dataclasses.replace(plan, encode="one_hot", reason=f"{counts}: mostly whether there is one")
    nearly_all = plan.distinct >= MOST * len(profile)
    kind = "text" if several_words or not (nearly_all or _is_id(base.name)) else "identifier"
    reason = counts if kind == "text" else f"{'' if all_differ else 'nearly '}every value differs"
    reason += numbers_note
    if kind == "identifier" and target_values is not None:
        p = _association_of_order(profile, np.asarray(target_values))
        if p <= LEVEL:
            reason += f", but the target goes with their order (p {format_p(p)}): make a number or a date of them"
    return dataclasses.replace(plan, kind=kind, use=False, encode="one_hot", reason=reason)


def _numbers_note(profile: ColumnProfile) -> str:
    """Return what to say where many cells, but not enough, are numbers."""
    style = profile.style({})
    values = {text: as_number(text, style.decimal, style.unit) for text in profile.texts}
    fraction = sum(count for text, count in profile.texts.items() if not math.isnan(values[text])) / len(profile)
    return f"; only {fraction:.0%} of the cells are numbers" if 0.5 <= fraction < MOST else ""


def infer_number_or_identifier(
    base: Column, profile: ColumnProfile, override: dict[str, Any], target_values: Any
) -> Column | None:
    """Return the plan for numbers; an identifier if whole ones name things or number the rows and the target does not
    go with them.
    """
    number = infer_number(base, profile, override)
    if number is None or are_codes(profile):
        return None
    numbers = profile.numbers(profile.style(override))
    values = numbers[~np.isnan(numbers)]
    if len(values) < 3 or (values != np.floor(values)).any():
        return number
    is_id = _is_id(base.name)
    if is_id and 2 * number.distinct <= len(values):
        return infer_category(base, profile, "called an id: numbers that name things")
    if not is_id and (target_values is None or not _numbers_rows(values)):
        return number
    what = "called an id, and most values differ" if is_id else "numbers the rows"
    if target_values is None:
        return dataclasses.replace(base, kind="identifier", use=False, reason=what)
    p = association(numbers, target_values)
    if p <= LEVEL:
        reasons = (number.reason, f"{what}, but the target goes with it (p {format_p(p)})")
        return dataclasses.replace(number, reason="; ".join(reason for reason in reasons if reason))
    reason = f"{what}; no association with the target (p {format_p(p)})"
    return dataclasses.replace(number, kind="identifier", use=False, reason=reason)


def _numbers_rows(values: Array) -> bool:
    """Return whether whole numbers count the rows, in their order, with at most as many gaps as rows."""
    return len(values) >= SEQUENCE and bool((np.diff(values) > 0).all()) and np.ptp(values) < 2 * len(values)


def _is_id(name: str) -> bool:
    """Return whether a column is called an id."""
    return bool(_ID_NAME.fullmatch(name.lower()) or _ID_CASED.fullmatch(name))


def _association_of_order(profile: ColumnProfile, targets: Array) -> float:
    """Return the p-value for texts in their order, in which a9 comes before a10."""
    rows = evenly(profile.rows, ROWS)
    texts = [None if cell is None else as_text(cell) for cell in cells(profile.values)[rows]]
    present = np.array([text is not None for text in texts])
    keys = [_DIGITS.sub(lambda digits: digits[0].zfill(20), text) for text in texts if text is not None]
    order = np.unique(np.array(keys, object), return_inverse=True)[1]
    return association(order, targets[rows][present])


def format_p(p: float) -> str:
    """Return a p-value of `association` as it is reported.

    >>> format_p(0.002), format_p(0.25)
    ('≤ 0.002', '= 0.25')
    """
    return "≤ 0.002" if p <= 1 / (1 + PERMUTATIONS) else f"= {p:.2g}"
