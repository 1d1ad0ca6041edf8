"""What the columns of a table are, inferred from the training rows, and what will be done with each.

=============  ======================================================================================================
boolean        true and false, yes and no, t and f, y and n, 1 and 0: both occur, and nothing else
number         at least `MOST` of the cells are numbers; the others count as missing, and so do infinite ones
date           at least `MOST` of the cells are dates, or all are days such as 20200131
category       text that repeats itself: at most `FEW` different values, or fewer than half as many as rows. Whole
               numbers with leading zeros are codes, not numbers, and so are those of a column that is called an id
identifier     text of one word each, nearly all different (a note says if the target goes with its order); or whole
               numbers, nearly all different, that are called an id or number the rows one after the other, where a test
               on the training rows finds no association with the target (`chainrule.tables.association`). Left out
text           many different values of several words. Left out
constant       a single value. Left out
=============  ======================================================================================================

A column of many different texts that is often empty (a cabin number) is a category nevertheless: what counts is whether
there is a value, and the rare ones become one.

Numbers are filled by their median, truth values by the more frequent one; from `INDICATOR` missing values on, a further
input tells that one was missing. Numbers beyond `CLIP` quartile distances outside the quartiles are clipped to that.
Categories are one-hot up to `FEW` different values, above embedded. Of dates those parts are used that vary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from chainrule.errors import DataError
from chainrule.tables.categories import as_text
from chainrule.tables.columns import Column, find_column
from chainrule.tables.infer_category import (
    OFTEN_EMPTY,
    infer_boolean,
    infer_category,
    infer_category_or_text,
    infer_number_or_identifier,
)
from chainrule.tables.infer_date import infer_date, infer_day_numbers, infer_months
from chainrule.tables.infer_number import infer_number
from chainrule.tables.number_style import votes
from chainrule.tables.overrides import read_override
from chainrule.tables.profile import ColumnProfile, missing_texts
from chainrule.tables.selection import INPUTS

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["infer_columns", "infer_time"]


def infer_columns(
    train_frame: DataFrame,
    *,
    target: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    target_values: Any = None,
    missing: Collection[str] | None = None,
) -> tuple[Column, ...]:
    """Return the plan for every column of a table (but ``target``), by the rules above.

    Parameters
    ----------
    train_frame
        The training rows alone, as `chainrule.tables.read.read_table` gives them.
    overrides
        What you know better, by column name: a kind (``"category"``), False or ``"ignore"`` to leave the column out,
        True to use it, or fields of `Column`: ``{"kind": "number", "scale": "quantile"}``.
    target_values
        The target of each of these rows: classes, numbers, or rows of several. Numbers that are called an id, or number
        the rows, are left out only if they have no association with it. None: what is called an id is left out by its
        name, and what numbers the rows is a number.
    missing
        The texts that stand for missing values, besides empty cells. None: `chainrule.tables.columns.MISSING` in text
        files, of which a sign beside other signs is none ("-" beside "+"); in data frames, whose text means what it
        says, the empty text alone.

    Raises
    ------
    DataError
        There are no rows or columns, a name in ``overrides`` is none of a column (the nearest is offered), or no cell
        of a column can be read as the kind that was asked for.
    UnknownNameError, SettingError
        A kind or another choice that there is none of; choices that contradict each other.

    Examples
    --------
    >>> import pandas as pd
    >>> from chainrule.tables.infer import infer_columns
    >>> cells = {"age": ["31", "44", None], "member": ["yes", "no", "yes"], "town": ["Bonn", "Ulm", "Ulm"]}
    >>> frame = pd.DataFrame(cells)
    >>> [(column.name, column.kind) for column in infer_columns(frame)]
    [('age', 'number'), ('member', 'boolean'), ('town', 'category')]
    >>> infer_columns(frame, overrides={"town": False})[2].use
    False
    """
    names = [str(name) for name in train_frame.columns]
    places = [j for j, name in enumerate(names) if name != target]
    if not len(train_frame):
        raise DataError("There are no training rows to tell from what the columns are.")
    if not places:
        raise DataError("There are no columns besides the target: nothing to learn from.")
    inputs = [names[j] for j in places]
    fields = {find_column(inputs, name): read_override(name, value) for name, value in (overrides or {}).items()}
    # The cells of a frame of plain cells lie in one block, of which columns are quicker to take than of the frame.
    block = train_frame.to_numpy() if all(kind == "O" for kind in train_frame.dtypes) else None
    series = {j: block[:, j] if block is not None else train_frame.iloc[:, j] for j in places}
    separator = train_frame.attrs.get("separator")
    missing = missing_texts(separator, missing)
    profiles = {j: ColumnProfile(column, missing, separator) for j, column in series.items()}
    table = votes(profile.evidence for profile in profiles.values() if not profile.typed)
    for profile in profiles.values():
        profile.table = table
    return tuple(
        infer_column(names[j], profile, fields.get(names[j], {}), target_values) for j, profile in profiles.items()
    )


def infer_time(series: Any, missing: Collection[str]) -> Column:
    """Return what a column of times is, dates, months with their years or numbers: what leaves out the fewest cells.

    >>> import pandas as pd
    >>> infer_time(pd.Series(["03.2018", "11.2017", "01.2019"]), ()).kind
    'date'
    """
    import pandas as pd

    series = series if isinstance(series, pd.Series) else pd.Series(series)
    profile = ColumnProfile(series, tuple(missing), series.attrs.get("separator"))
    base = Column("time", "number", na_values=profile.stored_na_values)
    plans = [
        infer_day_numbers(base, profile, {}),
        infer_months(base, profile, {}),
        infer_number(base, profile, {}, least=0.0),
        None if profile.typed and profile.dtype_kind != "M" else infer_date(base, profile, {}, least=0.0),
    ]
    return min((plan for plan in plans if plan is not None), key=lambda plan: plan.missing, default=base)


def infer_column(name: str, profile: ColumnProfile, override: dict[str, Any], target_values: Any) -> Column:
    """Return the plan for a column: what the override or else the rules say it is, and what follows from that."""
    base = Column(
        name,
        "category",
        missing=profile.rows - len(profile),
        distinct=profile.distinct,
        example=profile.example,
        na_values=profile.stored_na_values,
    )
    kind = override.get("kind")
    if not len(profile) and (override.get("use") or kind in INPUTS):
        raise DataError(f"The column {name!r} has no value in any training row, so it cannot be used. Leave it out.")
    if kind is None:
        plan = _by_rules(base, profile, override, target_values)
        if override.get("use") and not plan.use:  # left out by the rules, but wanted
            plan = infer_number(base, profile, override) or infer_category(base, profile)
            plan = dataclasses.replace(plan, reason=f"{plan.reason}; used as you asked")
    else:
        plan = _by_override(base, profile, kind, override)
    changes = {key: value for key, value in override.items() if key != "kind"}
    if changes.get("use") is False:
        changes["reason"] = "left out as you asked"
    return dataclasses.replace(plan, **changes)


def _by_override(base: Column, profile: ColumnProfile, kind: str, override: dict[str, Any]) -> Column:
    """Return the plan for a column that is of this kind because the user says so."""
    if kind in ("text", "identifier", "constant"):
        return dataclasses.replace(base, kind=kind, use=False, reason=f"{kind}, as you said")
    plan: Column | None
    if kind == "number":
        plan = infer_number(base, profile, override, least=0.0)
    elif kind == "date":
        plan = infer_date(base, profile, override, least=0.0)
    elif kind == "boolean":
        plan = infer_boolean(base, profile, least=0.0)
    else:
        plan = infer_category(base, profile)
    if plan is None:
        raise DataError(
            f"The column {base.name!r} cannot be used as a {kind}: no cell can be read as one. The first has "
            f"{base.example!r}."
        )
    return dataclasses.replace(plan, reason=f"{plan.reason}, as you said" if plan.reason else "as you said")


def _by_rules(base: Column, profile: ColumnProfile, override: dict[str, Any], target_values: Any) -> Column:
    """Return the plan for a column by the rules at the top of this file: the first kind that fits."""
    left_out = dataclasses.replace(base, use=False)
    if not len(profile):
        return dataclasses.replace(left_out, kind="constant", reason="no value in any training row")
    if profile.odd is not None:
        reason = f"holds values of the kind {type(profile.odd).__name__}"
        return dataclasses.replace(left_out, kind="text", reason=reason)
    if profile.distinct < 10 and len({as_text(text) for text in profile.texts}) == 1:
        if base.missing < OFTEN_EMPTY * profile.rows:
            return dataclasses.replace(left_out, kind="constant", distinct=1, reason="a single value")
        return dataclasses.replace(base, distinct=1, reason="a single value, or missing")
    return (
        infer_boolean(base, profile)
        or infer_day_numbers(base, profile, override)
        or infer_months(base, profile, override)
        or infer_number_or_identifier(base, profile, override, target_values)
        or (infer_date(base, profile, override) if not profile.typed or profile.dtype_kind == "M" else None)
        or infer_category_or_text(base, profile, target_values)
    )
