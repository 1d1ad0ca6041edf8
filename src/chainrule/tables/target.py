"""The column to predict: whether it holds classes or numbers, and its values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError, unknown_name
from chainrule.tables.columns import Column, find_column
from chainrule.tables.infer import FEW, are_codes, date_plan, day_numbers_plan, number_plan
from chainrule.tables.look import Look, has_decimal_commas, shown
from chainrule.tables.values import as_number, categories

__all__ = ["infer_target", "read_target", "target_column"]

Array = NDArray[Any]

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")


def target_column(names: Iterable[Any], name: str, *, what: str = "target column") -> str:
    """The name of the target, if it is among the columns; else a `DataError` that offers the nearest ones."""
    return find_column(names, name, what)


def infer_target(series: Any, task: str | None = None) -> tuple[str, Array, str]:
    """What a target column is, its values, and what should be said about it.

    It is a classification for text and truth values, and for whole numbers if there are two different ones, or at most
    `FEW` with five rows each on average; else a regression. ``task`` overrules that.

    Returns
    -------
    task
        ``"classification"`` or ``"regression"``.
    values
        One for each row: float64 with NaN for a regression; for a classification whole numbers or text, as an array of
        objects with None where some are missing.
    note
        How it was decided, and how many rows have no target. These cannot be learnt from and are to be left out.

    Raises
    ------
    DataError
        No values, a single one, dates, or too many classes: more than half as many as rows.

    Examples
    --------
    >>> from chainrule.tables.target import infer_target
    >>> infer_target(["cat", "dog", "cat", "dog"])
    ('classification', array(['cat', 'dog', 'cat', 'dog'], dtype='<U3'), '')
    >>> task, values, note = infer_target(["1.5", "2.5", None])
    >>> task, values
    ('regression', array([1.5, 2.5, nan]))
    >>> note
    '1 row without a target is left out.'
    """
    if task not in (None, "classification", "regression"):
        raise unknown_name("task of a table:", task, ("classification", "regression"))
    name = f"The target {series.name!r}" if getattr(series, "name", None) is not None else "The target"
    column = _look(series)
    if column.odd is not None:
        raise DataError(f"{name} holds values of the kind {type(column.odd).__name__}; expected one value in each row.")
    if not len(column):
        raise DataError(f"{name} has no value in any of the {column.rows:,} rows.")
    base = Column("target", "category", missing=column.rows - len(column), distinct=column.distinct)
    as_numbers = None if are_codes(column) else number_plan(base, column, {})
    a_date = day_numbers_plan(base, column, {}) if as_numbers else date_plan(base, column, {})
    if a_date is not None and task != "classification":
        raise DataError(
            f"{name} holds dates ({column.example}), which are not predicted. Make a number of them, such as days "
            "since a fixed day, or a class, such as the month."
        )
    if task == "regression" and as_numbers is None:
        raise DataError(
            f"{name} is to be predicted as a number, but holds {_first_text(column)!r}. Choose another target, or "
            "leave the task out for a classification."
        )
    notes: list[str] = []
    if task is None and as_numbers is not None:
        found = column.numbers(as_numbers.decimal, as_numbers.unit)
        task = "classification" if _are_classes(found[~np.isnan(found)]) else "regression"
        if task == "classification" and as_numbers.distinct > 2:
            notes.append(f"{name} has {as_numbers.distinct} different whole numbers, which are taken for classes.")
    task = task or "classification"
    values = read_target(series, task)
    missing = np.isnan(values) if task == "regression" else np.array([value is None for value in values])
    present = values[~missing]
    if as_numbers is not None and task == "regression" and as_numbers.reason:
        notes.append(f"{name}: {as_numbers.reason}.")
    if missing.any():
        count = int(missing.sum())
        notes.append(f"{count:,} row{'s' * (count > 1)} without a target {'are' if count > 1 else 'is'} left out.")
    _check_target(name, task, present, notes)
    return task, values, " ".join(notes)


def read_target(series: Any, task: str) -> Array:
    """The values of a target, as `infer_target` returns them, of other rows than those it was told from."""
    series = _typed(series)
    if task == "regression":
        column = _look(series)
        decimal, unit = column.number_style() if not column.typed else (".", "")
        return column.numbers(decimal, unit)
    texts = categories(series)
    present = [text for text in texts if text is not None]
    whole = all(_WHOLE.fullmatch(text) for text in present)
    if len(present) == len(texts):
        return np.array(present, np.int64) if whole else np.array(present, str)
    return np.array([None if text is None else int(text) if whole else text for text in texts], object)


def _look(given: Any) -> Look:
    series = _typed(given)
    return Look(series, has_decimal_commas(series), series.attrs.get("separator") == ";")


def _typed(series: Any) -> Any:
    import pandas as pd

    return series if isinstance(series, pd.Series) else pd.Series(series)


def _are_classes(values: Array) -> bool:
    """Whether whole numbers are few enough to be classes."""
    if (values != np.floor(values)).any() or np.abs(values).max() > 1e15:
        return False
    distinct = len(np.unique(values))
    return distinct <= 2 or (distinct <= FEW and len(values) >= 5 * distinct)


def _first_text(column: Look) -> str:
    return shown(next((text for text in column.texts if math.isnan(as_number(text))), column.example))


def _check_target(name: str, task: str, present: Array, notes: list[str]) -> None:
    """Whether there is something to tell apart."""
    found, counts = np.unique(present, return_counts=True)
    if len(found) < 2:
        what = "class" if task == "classification" else "value"
        first = f", {shown(found[0])}" if len(found) else ""
        raise DataError(
            f"{name} has only one {what}{first}: there is nothing to learn. Choose another column as target."
        )
    if task == "classification":
        if 2 * len(found) > len(present) and len(present) > 4:
            raise DataError(
                f"{name} has {len(found):,} classes in {len(present):,} rows (such as {shown(found[0])}): "
                "expected at least two rows for each on average. Choose another target or, for numbers, the task "
                "'regression'."
            )
        if alone := int((counts == 1).sum()):
            notes.append(f"{alone:,} of the {len(found):,} classes {'have' if alone > 1 else 'has'} a single row.")
