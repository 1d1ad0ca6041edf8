"""The columns of a table that a plan asks for: found by name, of the kind they had, or an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import check_name
from chainrule.display.text import first_few
from chainrule.errors import DataError, SettingError, unknown_name
from chainrule.tables.cells import cells
from chainrule.tables.columns import Column
from chainrule.tables.numeric_inputs import CIRCLES, is_missing

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["check_kind", "check_plan", "is_infinite", "select", "unreadable"]

Array = NDArray[Any]

#: The kinds of columns that can be inputs, and what their cells are called.
INPUTS = {"number": "numbers", "boolean": "truth values (yes or no)", "date": "dates", "category": "categories"}

#: What can be asked for.
CHOICES = {
    "fill": ("median", "mean", "most_frequent", "zero"),
    "outliers": ("keep", "clip", "robust"),
    "scale": ("standardize", "min_max", "quantile", "none"),
    "encode": ("one_hot", "embedding"),
}
PARTS = ("year", "elapsed", *CIRCLES)


def check_plan(column: Column) -> None:
    """Raise unless what is asked for is possible."""
    if not column.use:
        return
    if column.kind not in INPUTS:
        raise SettingError(
            f"The column {column.name!r} is planned as an input, but a column of kind {column.kind!r} cannot be one. "
            f"Give it another kind ({', '.join(INPUTS)}), or leave it out."
        )
    for what, known in CHOICES.items():
        if getattr(column, what) not in known:
            raise unknown_name(f"{what} for the column {column.name!r}:", getattr(column, what), known)
    for part in column.parts:
        check_name(f"part of the date {column.name!r}:", part, PARTS)
    if column.kind == "date" and not column.parts:
        raise SettingError(
            f"The date {column.name!r} is planned as an input without parts; name some of {', '.join(PARTS)}."
        )
    if column.kind in ("number", "date") and column.outliers == "robust" and column.scale != "standardize":
        raise SettingError(
            f"The column {column.name!r}: outliers='robust' is a way to standardize and does not go with "
            f"scale={column.scale!r}; take outliers='clip' or 'keep'."
        )


def select(frame: DataFrame, used: Sequence[Column]) -> DataFrame:
    """Return the columns that are used, in the order of the plan."""
    return columns_by_name(frame, [column.name for column in used])


def columns_by_name(frame: DataFrame, needed: Sequence[str]) -> DataFrame:
    """Return the columns with these names, in this order; others are left out."""
    if not hasattr(frame, "columns") or not hasattr(frame, "iloc"):
        raise DataError(f"Expected a table with named columns (a pandas DataFrame), got {type(frame).__name__}.")
    names = [str(name) for name in frame.columns]
    places = {name: j for j, name in enumerate(names)}
    if len(places) < len(names):
        twice = next((name for name in needed if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"The table has more than one column with the name {twice!r}; rename the others.")
    if missing := [name for name in needed if name not in places]:
        raise DataError(_missing_columns(missing, names))
    return frame.iloc[:, [places[name] for name in needed]]


def check_kind(series: Any, values: Array, column: Column) -> None:
    """Raise a `DataError` for a column in which no cell can be read as what it was: text in the place of numbers."""
    if column.kind == "category" or not is_missing(values).all():
        return
    rows, cell = unreadable(series, values, column.kind, finite=False)
    if len(rows):
        raise DataError(
            f"The column {column.name!r} held {INPUTS[column.kind]} in the training rows, but here no cell can be read "
            f"as one: row {int(rows[0]):,} has {cell!r}. Leave cells without a value empty."
        )


def unreadable(series: Any, values: Array, kind: str, finite: bool = True) -> tuple[NDArray[np.intp], Any]:
    """Return the rows whose cells hold something that is not of the kind, and the first such cell.

    With ``finite`` infinite numbers are among them.
    """
    rows = np.flatnonzero(is_missing(values)) if kind != "category" else np.zeros(0, np.intp)
    if not len(rows):
        return rows, None
    present = cells(series.iloc[rows])
    wrong = [i for i, cell in enumerate(present) if cell is not None and (finite or not is_infinite(cell))]
    return rows[wrong], present[wrong[0]] if wrong else None


def is_infinite(cell: Any) -> bool:
    """Return whether a cell is an infinite number, or one beyond float64."""
    try:
        return bool(np.isinf(float(cell)))
    except OverflowError:
        return True
    except (TypeError, ValueError):
        return False


def _missing_columns(missing: Sequence[str], names: Sequence[str]) -> str:
    hints = []
    for name in missing:
        lower = {other.lower(): other for other in names}
        close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
        hints.append(f"{name!r}" + (f" (is it {lower[close[0]]!r}?)" if close else ""))
    has = f"{', '.join(map(repr, names[:10]))}{', ...' if len(names) > 10 else ''}" if names else "none"
    return (
        f"The table lacks {'a column' if len(missing) == 1 else 'columns'} that the model was trained with: "
        f"{first_few(hints, 5)}. It has: {has}."
    )
