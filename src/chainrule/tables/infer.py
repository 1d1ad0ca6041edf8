"""What the columns of a table are, told from the training rows, and what will be done with each.

=============  ======================================================================================================
boolean        true and false, yes and no, t and f, y and n, 1 and 0: both occur, and nothing else
number         at least `MOST` of the cells are numbers; the others count as missing, and so do infinite ones
date           at least `MOST` of the cells are dates, or all are days such as 20200131
category       text that repeats itself: at most `FEW` different values, or fewer than half as many as rows. Whole
               numbers with leading zeros are codes, not numbers, and so are those of a column that is called an id
identifier     text of one word each, nearly all different (it is said if the target goes with its order); or whole
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
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError, SettingError, unknown_name
from chainrule.tables.association import LEVEL, PERMUTATIONS, ROWS, association, evenly
from chainrule.tables.columns import KINDS, Column, find_column
from chainrule.tables.number_style import Style, votes
from chainrule.tables.numeric_inputs import CLIP, LARGEST
from chainrule.tables.profile import MOST, ColumnProfile, missing_texts, shown
from chainrule.tables.selection import CHOICES, INPUTS, PARTS
from chainrule.tables.values import (
    EITHER_WAY,
    NO,
    UNITS,
    YES,
    as_boolean,
    as_date,
    as_number,
    as_text,
    booleans,
    categories,
    cells,
    dates,
)

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["FEW", "INDICATOR", "MOST", "infer_columns"]

Array = NDArray[Any]

#: So many different values are few: of a category for one-hot inputs, of whole numbers for classes.
FEW = 20

#: From this share of missing values on, an input tells that the value was missing.
INDICATOR = 0.01

#: From this share of missing values on, a column of many different texts tells something by being empty.
OFTEN_EMPTY = 0.05

#: From so many rows on, whole numbers that rise from row to row may number the rows.
SEQUENCE = 50

_ID_NAME = re.compile(r"(?:.*[\W_])?(?:id|ids|uid|uuid|guid|rowid)|index|idx|key|rownames?")
_ID_CASED = re.compile(r".*[a-z](?:Id|ID)")  # PassengerId, but not "paid"
_DIGITS = re.compile(r"[0-9]+")
_VERSION = re.compile(r"[0-9]+[.,][0-9]*[1-9]0+")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")
_DAY = re.compile(r"(?:19|20)[0-9]{6}")
_MONTH = re.compile(r"(?:0?[1-9]|1[0-2])\.(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}\.(?:0[1-9]|1[0-2])")

_SETTINGS: dict[str, tuple[Any, ...]] = {
    "kind": (*KINDS, "ignore"),
    "use": (True, False),
    "fill": CHOICES["fill"],
    "indicator": (True, False),
    "outliers": CHOICES["outliers"],
    "scale": CHOICES["scale"],
    "encode": CHOICES["encode"],
    "parts": PARTS,
    "decimal": (".", ","),
    "unit": ("", *UNITS),
    "day_first": (True, False),
}


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
    asked = {
        find_column([n for n in names if n != target], name): _asked(name, given)
        for name, given in (overrides or {}).items()
    }
    block = (
        train_frame.to_numpy() if all(kind == "O" for kind in train_frame.dtypes) else None
    )  # quicker than column by column
    series = {j: block[:, j] if block is not None else train_frame.iloc[:, j] for j in places}
    separator = train_frame.attrs.get("separator")
    missing = missing_texts(separator, missing)
    looks = {j: ColumnProfile(column, missing, separator) for j, column in series.items()}
    table = votes(look.evidence for look in looks.values() if not look.typed)
    for look in looks.values():
        look.table = table
    return tuple(_column(names[j], look, asked.get(names[j], {}), target_values) for j, look in looks.items())


def infer_time(series: Any, missing: Collection[str]) -> Column:
    """Return what a column of times is: dates, months with their years, or numbers; the reading that leaves out least
    cells.

    >>> import pandas as pd
    >>> infer_time(pd.Series(["03.2018", "11.2017", "01.2019"]), ()).kind
    'date'
    """
    import pandas as pd

    series = series if isinstance(series, pd.Series) else pd.Series(series)
    column = ColumnProfile(series, tuple(missing), series.attrs.get("separator"))
    base = Column("time", "number", na_values=column.stored_na_values)
    plans = [
        day_numbers_plan(base, column, {}),
        months_plan(base, column, {}),
        number_plan(base, column, {}, least=0.0),
        None if column.typed and column.dtype_kind != "M" else date_plan(base, column, {}, least=0.0),
    ]
    return min((plan for plan in plans if plan is not None), key=lambda plan: plan.missing, default=base)


# What was asked for


def unscaled(names: Iterable[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked for columns, and that their numbers stay as they are, unless it says how they are scaled.

    >>> unscaled(["age", "size", "id"], {"size": "number", "id": False})
    {'size': {'scale': 'none', 'kind': 'number'}, 'id': False, 'age': {'scale': 'none'}}
    """
    changed = dict(asked)
    for name in names:
        wish = asked.get(name, {})
        if isinstance(wish, Column):
            wish = wish.to_dict()
        if not leaves_out(wish):
            fields = wish if isinstance(wish, Mapping) else {"use" if isinstance(wish, bool) else "kind": wish}
            changed[name] = {"scale": "none", **fields}
    return changed


def leaves_out(asked: Any) -> bool:
    """Return whether what is asked for a column leaves it out of the inputs.

    >>> leaves_out(False), leaves_out({"use": False}), leaves_out("category")
    (True, True, False)
    """
    if isinstance(asked, Mapping):
        return asked.get("use") is False or asked.get("kind") == "ignore"
    return asked is False or asked == "ignore" or (isinstance(asked, Column) and not asked.use)


def _asked(name: str, given: Any) -> dict[str, Any]:
    """Return an override as fields of `Column`, checked."""
    if isinstance(given, str):
        given = {"kind": given}
    elif isinstance(given, bool):
        given = {"use": given}
    elif isinstance(given, Column):
        given = {key: value for key, value in given.to_dict().items() if key in _SETTINGS}
    if not isinstance(given, Mapping):
        raise SettingError(
            f"The column {name!r}: expected a kind ({', '.join(KINDS)}), True, False or a table of settings, got "
            f"{given!r}."
        )
    fields = dict(given)
    for key, value in fields.items():
        if key not in _SETTINGS:
            raise unknown_name(f"setting of the column {name!r}:", key, _SETTINGS)
        if key == "parts":
            fields[key] = value = tuple(value) if isinstance(value, list | tuple) else (value,)
        for one in value if key == "parts" else (value,):
            if isinstance(one, bool) != isinstance(_SETTINGS[key][0], bool) or one not in _SETTINGS[key]:
                if isinstance(_SETTINGS[key][0], bool):
                    raise SettingError(f"The column {name!r}: {key} is true or false, got {one!r}.")
                raise unknown_name(f"{key} of the column {name!r}:", one, _SETTINGS[key])
    if fields.get("kind") == "ignore":
        del fields["kind"]
        fields["use"] = False
    if fields.get("use") and fields.get("kind") in ("text", "identifier", "constant"):
        raise SettingError(
            f"The column {name!r} cannot be used as {fields['kind']}: say whether it is a number, boolean, "
            "category or date."
        )
    return fields


def _column(name: str, column: ColumnProfile, asked: dict[str, Any], target_values: Any) -> Column:
    """Return the plan for a column: what it is told to be or found to be, and what follows from that."""
    base = Column(name, "category", missing=column.rows - len(column), distinct=column.distinct, example=column.example)
    base = dataclasses.replace(base, na_values=column.stored_na_values)
    kind = asked.get("kind")
    if not len(column) and (asked.get("use") or kind in INPUTS):
        raise DataError(f"The column {name!r} has no value in any training row, so it cannot be used. Leave it out.")
    if kind is None:
        found = _told(base, column, asked, target_values)
        if asked.get("use") and not found.use:  # left out by the rules, but wanted
            tried = number_plan(base, column, asked)
            found = tried if tried is not None else _category(base, column)
            found = dataclasses.replace(found, reason=f"{found.reason}; used as you asked")
    else:
        found = _as_asked(base, column, kind, asked)
    changes = {key: value for key, value in asked.items() if key != "kind"}
    if changes.get("use") is False:
        changes["reason"] = "left out as you asked"
    return dataclasses.replace(found, **changes)


def _as_asked(base: Column, column: ColumnProfile, kind: str, asked: dict[str, Any]) -> Column:
    if kind in ("text", "identifier", "constant"):
        return dataclasses.replace(base, kind=kind, use=False, reason=f"{kind}, as you said")
    found: Column | None
    if kind == "number":
        found = number_plan(base, column, asked, least=0.0)
    elif kind == "date":
        found = date_plan(base, column, asked, least=0.0)
    elif kind == "boolean":
        found = _boolean(base, column, least=0.0)
    else:
        found = _category(base, column)
    if found is None:
        raise DataError(
            f"The column {base.name!r} cannot be used as a {kind}: no cell can be read as one. The first has "
            f"{base.example!r}."
        )
    return dataclasses.replace(found, reason=f"{found.reason}, as you said" if found.reason else "as you said")


def _told(base: Column, column: ColumnProfile, asked: dict[str, Any], target_values: Any) -> Column:
    """Return what a column is by the rules."""
    left_out = dataclasses.replace(base, use=False)
    if not len(column):
        return dataclasses.replace(left_out, kind="constant", reason="no value in any training row")
    if column.odd is not None:
        return dataclasses.replace(
            left_out, kind="text", reason=f"holds values of the kind {type(column.odd).__name__}"
        )
    if column.distinct < 10 and len({as_text(text) for text in column.texts}) == 1:
        if base.missing < OFTEN_EMPTY * column.rows:
            return dataclasses.replace(left_out, kind="constant", distinct=1, reason="a single value")
        return dataclasses.replace(base, distinct=1, reason="a single value, or missing")
    return (
        _boolean(base, column)
        or day_numbers_plan(base, column, asked)
        or months_plan(base, column, asked)
        or _number_or_identifier(base, column, asked, target_values)
        or (date_plan(base, column, asked) if not column.typed or column.dtype_kind == "M" else None)
        or _category_or_text(base, column, target_values)
    )


def _boolean(base: Column, column: ColumnProfile, least: float = 1.0) -> Column | None:
    if column.odd is not None or (least == 1.0 and column.distinct > len(YES) + len(NO) + 10):
        return None
    found = {text: as_boolean(as_text(text)) for text in column.texts}
    truths = {value for value in found.values() if not math.isnan(value)}
    bad = [text for text, value in found.items() if math.isnan(value) and text not in column.markers]
    if not truths or (least == 1.0 and (len(truths) < 2 or bad)):
        return None
    missing = int(np.isnan(booleans(column.values, missing=column.na_values)).sum())
    reason = _counted(column, bad, "no truth values")
    return _filled(base, column, missing, kind="boolean", fill="most_frequent", distinct=len(truths), reason=reason)


def _number_or_identifier(
    base: Column, column: ColumnProfile, asked: dict[str, Any], target_values: Any
) -> Column | None:
    """Return a number, unless its whole numbers name things, or number the rows, and have nothing to do with the
    target.
    """
    number = number_plan(base, column, asked)
    if number is None or are_codes(column):
        return None
    numbers = column.numbers(column.style(asked))
    values = numbers[~np.isnan(numbers)]
    if len(values) < 3 or (values != np.floor(values)).any():
        return number
    named = _is_id(base.name)
    if named and 2 * number.distinct <= len(values):
        return _category(base, column, "called an id: numbers that name things")
    if not named and (target_values is None or not _numbers_rows(values)):
        return number
    what = "called an id, and most values differ" if named else "numbers the rows"
    if target_values is None:
        return dataclasses.replace(base, kind="identifier", use=False, reason=what)
    p = association(numbers, target_values)
    if p <= LEVEL:
        return dataclasses.replace(
            number,
            reason="; ".join(
                part for part in (number.reason, f"{what}, but the target goes with it (p {_p(p)})") if part
            ),
        )
    reason = f"{what}; no association with the target (p {_p(p)})"
    return dataclasses.replace(number, kind="identifier", use=False, reason=reason)


def _numbers_rows(values: Array) -> bool:
    """Return whether whole numbers count the rows, in their order, with at most as many gaps as rows."""
    return len(values) >= SEQUENCE and bool((np.diff(values) > 0).all()) and np.ptp(values) < 2 * len(values)


def _p(p: float) -> str:
    return "≤ 0.002" if p <= 1 / (1 + PERMUTATIONS) else f"= {p:.2g}"


def _is_id(name: str) -> bool:
    return bool(_ID_NAME.fullmatch(name.lower()) or _ID_CASED.fullmatch(name))


def are_codes(column: ColumnProfile) -> bool:
    """Return whether numbers are names: whole ones with leading zeros, as postal codes, or few with zeros behind
    (3.10).
    """
    if column.typed:
        return False
    if column.distinct <= FEW and any(_VERSION.fullmatch(t) and t.rstrip("0") in column.texts for t in column.texts):
        return True  # 3.1 beside 3.10: as numbers they would be the same
    with_zero = sum(count for text, count in column.texts.items() if _LEADING_ZERO.fullmatch(text))
    if not with_zero:
        return False
    lengths = {len(text) for text in column.texts}
    return with_zero >= (1 - MOST) * len(column) or (len(lengths) == 1 and all(map(str.isdecimal, column.texts)))


def number_plan(base: Column, column: ColumnProfile, asked: dict[str, Any], least: float = MOST) -> Column | None:
    """Return the plan for numbers, if at least this share of the cells are some."""
    if column.odd is not None or column.dtype_kind == "M":
        return None
    style = column.style(asked)
    values = column.numbers(style)
    present = ~np.isnan(values)
    infinite = 0
    bad: list[str] = []
    if column.typed:
        infinite = len(column) - int(present.sum())
    elif present.sum() < len(column):
        none = {text: as_number(text, style.decimal, style.unit) for text in column.texts}
        infinite = sum(column.texts[text] for text, value in none.items() if math.isinf(value))
        bad = [text for text, value in none.items() if math.isnan(value) and text not in column.markers]
    if not present.any() or present.sum() + infinite < least * (len(column) - column.stand_ins):
        return None
    reasons = _written(column, style)
    if bad:
        reasons.append(_counted(column, bad, "no numbers"))
    if infinite:
        reasons.append(f"{infinite:,} infinite, taken for missing")
    values = values[present]
    return _filled(
        base,
        column,
        column.rows - len(values),
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


def _written(column: ColumnProfile, style: Style) -> list[str]:
    """Return what is special about how numbers are written."""
    if column.typed:
        return []
    forms, reasons = column.evidence.forms, []
    with_points = any("." in text for text in column.texts)
    if style.decimal == "," and (forms["comma"] or forms["grouped_comma"]) and any("," in t for t in column.texts):
        reasons.append("decimal commas")
    if style.decimal == "," and with_points:
        reasons.append("points separate thousands")
    if style.decimal == "." and any("," in text for text in column.texts):
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


def day_numbers_plan(base: Column, column: ColumnProfile, asked: dict[str, Any]) -> Column | None:
    """Return the plan for days written as 20200131."""
    texts = [text for text in column.texts if text not in column.markers]
    if len(texts) < 3 or not all(_DAY.fullmatch(text) and as_date(text) for text in texts):
        return None
    return date_plan(base, column, asked)


def months_plan(base: Column, column: ColumnProfile, asked: dict[str, Any]) -> Column | None:
    """Return the plan for months with their years, as 03.2018 or 2018.03, which would be numbers otherwise."""
    texts = [text for text in column.texts if text not in column.markers]
    if column.typed or len(texts) < 3 or not all(_MONTH.fullmatch(text) for text in texts):
        return None
    return date_plan(base, column, asked)


def date_plan(base: Column, column: ColumnProfile, asked: dict[str, Any], least: float = MOST) -> Column | None:
    """Return the plan for dates, if at least this share of the cells are some."""
    if column.odd is not None:
        return None
    sample = list(column.texts)[:50]
    if least > 0 and sum(as_date(text) is not None for text in sample) < len(sample) / 2:
        return None
    day_first, order = _order(column.texts)
    if "day_first" in asked:
        day_first, order = asked["day_first"], ""
    days = dates(column.values, day_first=day_first, missing=column.na_values)
    present = days[~np.isnat(days)]
    if not len(present) or len(present) < least * (len(column) - column.stand_ins):
        return None
    bad: list[str] = []
    if not column.typed and len(present) < len(column):
        bad = [text for text in column.texts if as_date(text, day_first) is None and text not in column.markers]
    return _filled(
        base,
        column,
        column.rows - len(present),
        kind="date",
        distinct=len(np.unique(present)),
        day_first=day_first,
        parts=_parts(present),
        note=order if "cannot be told apart" in order else "",
        reason="; ".join(part for part in (order, _counted(column, bad, "no dates")) if part),
    )


def _order(texts: Mapping[str, int]) -> tuple[bool, str]:
    """Return whether the day comes before the month in 03/04/2020, told by all dates; and what to say about it."""
    found = [match for match in map(EITHER_WAY.fullmatch, texts) if match and match["sep"] != "."]
    if not found:
        return False, ""
    days_first = sum(int(match["first"]) > 12 for match in found)
    months_first = sum(int(match["then"]) > 12 for match in found)
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
    found = {part: getattr(index, part) for part in ("year", "month", "day", "day_of_week", "hour", "minute")}
    found["weekday"] = found.pop("day_of_week")
    if (index.day == 1).all():  # months, which have no weekday
        found.pop("weekday")
    varying = tuple(part for part, values in found.items() if values.nunique() > 1)
    return (*varying, "elapsed") if {"year", "month", "day"} & set(varying) else varying or ("elapsed",)


def _category(base: Column, column: ColumnProfile, reason: str = "") -> Column:
    whole = column.odd is None and column.distinct == len(column.texts)
    exact = column.exact
    written = column.texts if exact else map(as_text, column.texts)
    texts = written if whole else categories(column.values, missing=column.na_values, exact=exact)
    distinct = len({text for text in texts if text is not None})
    return dataclasses.replace(
        base,
        kind="category",
        distinct=distinct,
        encode="one_hot" if distinct <= FEW else "embedding",
        exact=exact,
        reason=reason or f"{distinct:,} different value{'s' * (distinct != 1)}",
    )


def _category_or_text(base: Column, column: ColumnProfile, target_values: Any) -> Column:
    found = _category(base, column)
    mixed = _mixed(column)
    several_words = 2 * sum(" " in text for text in column.texts) > len(column.texts)
    all_differ = found.distinct == len(column) and len(column) > 2
    if (
        not all_differ
        and (found.distinct <= FEW or 2 * found.distinct < len(column))
        and not (_is_id(base.name) and 2 * found.distinct > len(column))
    ):
        return dataclasses.replace(found, reason=found.reason + mixed)
    share = f"{found.distinct:,} different values in {len(column):,} rows"
    if base.missing >= OFTEN_EMPTY * column.rows:
        return dataclasses.replace(found, encode="one_hot", reason=f"{share}: mostly whether there is one")
    nearly_all = found.distinct >= MOST * len(column)
    kind = "text" if several_words or not (nearly_all or _is_id(base.name)) else "identifier"
    reason = f"{share}{mixed}" if kind == "text" else f"{'' if all_differ else 'nearly '}every value differs{mixed}"
    if kind == "identifier" and target_values is not None:
        p = _association_of_order(column, np.asarray(target_values))
        if p <= LEVEL:
            reason += f", but the target goes with their order (p {_p(p)}): make a number or a date of them"
    return dataclasses.replace(found, kind=kind, use=False, encode="one_hot", reason=reason)


def _association_of_order(column: ColumnProfile, targets: Array) -> float:
    """Return the p-value for texts in their order, in which a9 comes before a10."""
    rows = evenly(column.rows, ROWS)
    texts = [None if cell is None else as_text(cell) for cell in cells(column.values)[rows]]
    present = np.array([text is not None for text in texts])
    keys = [_DIGITS.sub(lambda digits: digits[0].zfill(20), text) for text in texts if text is not None]
    order = np.unique(np.array(keys, object), return_inverse=True)[1]
    return association(order, targets[rows][present])


def _mixed(column: ColumnProfile) -> str:
    """Return what to say where many cells, but not enough, are numbers."""
    style = column.style({})
    read = {text: as_number(text, style.decimal, style.unit) for text in column.texts}
    some = sum(count for text, count in column.texts.items() if not math.isnan(read[text]))
    share = some / len(column)
    return f"; only {share:.0%} of the cells are numbers" if 0.5 <= share < MOST else ""


def _filled(base: Column, column: ColumnProfile, missing: int, **fields: Any) -> Column:
    return dataclasses.replace(
        base, missing=missing, indicator=missing >= INDICATOR * column.rows and missing > 0, **fields
    )


def _counted(column: ColumnProfile, bad: Sequence[str], what: str) -> str:
    """Return cells of another kind, as they are reported."""
    if not bad:
        return ""
    count = sum(column.texts[text] for text in bad)
    cells_are = f"{count:,} cells are" if count > 1 else "1 cell is"
    return f"{cells_are} {what} ({shown(bad[0])!r}), taken for missing"
