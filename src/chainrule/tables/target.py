"""The column to predict: whether it holds classes or numbers, how its cells are written, and its values."""

from __future__ import annotations

import collections
import math
import numbers as number_types
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.display.text import first_few
from chainrule.errors import DataError, unknown_name
from chainrule.tables.categories import as_boolean, as_text
from chainrule.tables.cells import by_value, cells, has_one_type
from chainrule.tables.columns import Column, find_column
from chainrule.tables.infer_date import infer_date, infer_day_numbers, infer_months
from chainrule.tables.infer_number import FEW, are_codes, infer_number
from chainrule.tables.number_style import votes
from chainrule.tables.numbers import as_number
from chainrule.tables.profile import (
    ColumnProfile,
    evidence_of,
    format_cell,
    format_missing_texts,
    missing_texts,
    restyled,
)
from chainrule.tables.values import values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["TargetColumn", "as_array", "classes_of", "has_target", "learn_target", "target_column"]

Array = NDArray[Any]

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")


def target_column(names: Iterable[Any], name: str, *, what: str = "target column") -> str:
    """Return the name of the target, if it is among the columns; else a `DataError` that offers the nearest ones."""
    return find_column(names, name, what)


@dataclass(frozen=True)
class TargetColumn:
    """What the column to predict is; learnt from training rows, kept with the model, and used to read any other table.

    Attributes
    ----------
    name : of the column, "" where it has none
    task : "classification" or "regression"
    labels : what the classes are: "boolean", "integer" or "text"; "number" for a regression
    classes : those of the training rows, in the order of their codes; None for a regression
    column : how its cells are written: the texts that stand for missing values, the style of numbers

    Examples
    --------
    >>> from chainrule.tables.target import learn_target
    >>> target, _ = learn_target(["1.525,66", "880,10", "2.571,00"])
    >>> target.read(["2.571", "n/a"])
    array([2571.,   nan])
    """

    name: str
    task: Literal["classification", "regression"]
    labels: Literal["boolean", "integer", "text", "number"]
    classes: tuple[Any, ...] | None = None
    column: Column = field(default_factory=lambda: Column("target", "category"))

    @classmethod
    def of_classes(cls, name: str, classes: Sequence[Any] | None) -> Self:
        """Return the target of a model that was trained on labels in an array: its classes, or None for a regression.

        >>> TargetColumn.of_classes("y", (1, 2)).read(["2", "1.0", "unknown"]).tolist()
        [2, 1, 'unknown']
        """
        if classes is None:
            return cls(name, "regression", "number", None, Column("target", "number"))
        return cls(name, "classification", _kind_of_labels(classes), tuple(classes))

    def read(self, series: Any) -> Array:
        """Return the values of the column in any table, as the training rows had them.

        Returns
        -------
        values
            For a regression float64, NaN where there is no number. For a classification the labels: truth values, whole
            numbers or text, None where one is missing. What is none of the known classes stays as it is written.
        """
        series = _series(series)
        if self.task == "regression":
            return values_of(series, self.reading(series))
        labels = by_value(series, self._labels, None) if has_one_type(series) else self._labels(series)
        return as_array(labels.tolist())

    def reading(self, series: Any) -> Column:
        """Return the column in the style in which the numbers of this table are written, with a note where it is
        another.
        """
        return self.column if self.task == "classification" else restyled(series, self.column, {})

    def _labels(self, series: Any) -> Array:
        present = cells(series, self.column.missing_texts)
        labels = np.empty(len(present), object)
        labels[:] = [None if cell is None else self._label(cell) for cell in present]
        return labels

    def _label(self, cell: Any) -> Any:
        """Return a cell as one of the classes, or as it is written."""
        text = as_text(cell)  # in the one way in which a number or a truth value is written
        if self.labels == "boolean":
            truth = as_boolean(text)
            return text_of(cell) if math.isnan(truth) else bool(truth)
        if self.labels == "integer":
            if isinstance(cell, bool | np.bool_):
                return int(cell)
            if isinstance(cell, int | np.integer):
                return int(cell)  # as text it may have been rounded to a float
            plain = cell.strip() if isinstance(cell, str) else text
            return int(plain) if _WHOLE.fullmatch(plain) else int(text) if _WHOLE.fullmatch(text) else text_of(cell)
        written = text_of(cell)
        if self.classes is None or written in self.classes:
            return written
        same = [label for label in self.classes if as_text(label) == text]
        return same[0] if len(same) == 1 else written

    def check(self, labels: Any) -> None:
        """Raise a `DataError` that lists the labels that no training row had, and how many rows have one.

        >>> TargetColumn("y", "classification", "integer", (1, 2)).check([1, "unknown", 2])
        Traceback (most recent call last):
            ...
        chainrule.errors.DataError: 1 of 3 rows has a label of 'y' that is not among the classes of the training data: \
'unknown' (row 1). Known classes: 1, 2.
        """
        if self.classes is None:
            return
        values = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
        unknown = [row for row, label in enumerate(values) if label is not None and label not in self.classes]
        if not unknown:
            return
        different = list(dict.fromkeys(values[row] for row in unknown))
        rows = "rows has" if len(unknown) == 1 else "rows have"
        raise DataError(
            f"{len(unknown):,} of {len(values):,} {rows} a label of {self.name!r} that is not among the classes of the "
            f"training data: {_format_labels(different)} (row {unknown[0]:,}{' first' if len(unknown) > 1 else ''}). "
            f"Known classes: {_format_labels(self.classes)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for files."""
        classes = None if self.classes is None else list(self.classes)
        return vars(self) | {"classes": classes, "column": self.column.to_dict()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the inverse of `to_dict`."""
        classes = None if plain["classes"] is None else tuple(plain["classes"])
        return cls(**{**plain, "classes": classes, "column": Column.from_dict(plain["column"])})


def learn_target(
    series: Any,
    task: str | None = None,
    *,
    missing: Collection[str] | None = None,
    style: Mapping[str, Any] | None = None,
    others: Callable[[], DataFrame] | None = None,
) -> tuple[TargetColumn, str]:
    """Return what a target column is, inferred from training rows, and what should be said about it.

    It is a classification for text and truth values, and for whole numbers if there are two different ones, or at most
    `FEW` with five rows each on average; else a regression. ``task`` overrules that. Labels keep their type: truth
    values and whole numbers stay what they are, and so does text in a data frame; the cells of a text file, which have
    no types, are whole numbers if all of them are.

    Parameters
    ----------
    missing
        The texts that stand for missing values, as in `chainrule.tables.infer.infer_columns`.
    style
        ``decimal`` and ``unit`` of its numbers, if you know better.
    others
        Gives the other columns of the same rows, whose numbers tell which decimal mark the file has.

    Returns
    -------
    target
        What reads this column, here and in other tables.
    note
        How it was decided, and how many rows have no target. These cannot be learnt from and are to be left out.

    Raises
    ------
    DataError
        No values, a single one, dates, or too many classes: more than half as many as rows.

    Examples
    --------
    >>> from chainrule.tables.target import learn_target
    >>> learn_target(["cat", "dog", "cat", "dog"])[0].classes
    ('cat', 'dog')
    >>> target, note = learn_target(["1.5", "2.5", None])
    >>> target.task, note
    ('regression', '1 row without a target is left out.')
    """
    if task not in (None, "classification", "regression"):
        raise unknown_name("task of a table:", task, ("classification", "regression"))
    series = _series(series)
    name = "" if series.name is None else str(series.name)
    title = f"The target {name!r}" if name else "The target"
    separator = series.attrs.get("separator")
    column = ColumnProfile(series, missing_texts(separator, missing), separator)
    if column.evidence.example and not column.evidence.sure and others is not None:
        column.table = votes(evidence_of(others()))
    style = dict(style or {})
    if column.odd is not None:
        raise DataError(
            f"{title} holds values of the kind {type(column.odd).__name__}; expected one value in each row."
        )
    if not len(column):
        raise DataError(f"{title} has no value in any of the {column.rows:,} rows{_missing_note(column)}.")
    base = Column("target", "category", missing=column.rows - len(column), distinct=column.distinct)
    base = replace(base, na_values=column.stored_na_values)
    as_numbers = None if are_codes(column) else infer_number(base, column, style)
    a_date = infer_day_numbers(base, column, {}) or infer_months(base, column, {}) if as_numbers else None
    a_date = a_date if as_numbers else infer_date(base, column, {})
    if a_date is not None and task != "classification":
        raise DataError(
            f"{title} holds dates ({column.example}), which are not predicted. Make a number of them, such as days "
            "since a fixed day, or a class, such as the month."
        )
    if task == "regression" and as_numbers is None:
        raise DataError(
            f"{title} is to be predicted as a number, but holds {_first_unread(column)!r}. Choose another target, or "
            "leave the task out for a classification."
        )
    notes: list[str] = []
    if task is None and as_numbers is not None:
        present = values_of(series, as_numbers)
        task = "classification" if _are_classes(present[~np.isnan(present)]) else "regression"
        if task == "classification" and as_numbers.distinct > 2:
            notes.append(f"{title} has {as_numbers.distinct} different whole numbers, which are taken for classes.")
    if task == "regression":
        assert as_numbers is not None
        target = TargetColumn(name, "regression", "number", None, as_numbers)
        values = target.read(series)
        notes += [f"{title}: {text}." for text in (as_numbers.reason, as_numbers.note) if text]
    else:
        filled = [cell for cell in cells(series, column.na_values) if cell is not None]
        target = TargetColumn(name, "classification", _kind_of_labels(filled, separator is not None), None, base)
        values = target.read(series)
        target = replace(target, classes=classes_of(values[has_target(values)].tolist()))
        if column.dtype_kind == "f" and target.labels == "text":
            notes.append(f"{title} holds numbers, which as classes are text, {column.example!r}.")
    empty = ~has_target(values)
    if empty.any():
        count = int(empty.sum())
        missing_note = _missing_note(column) if target.task == "classification" else ""
        notes.append(
            f"{count:,} row{'s' * (count > 1)} without a target {'are' if count > 1 else 'is'} left out{missing_note}."
        )
    _check_target(title, target.task, values[~empty], notes, _missing_note(column))
    return target, " ".join(notes)


def classes_of(labels: Iterable[Any]) -> tuple[Any, ...]:
    """Return the different labels in order: truth values and numbers by size, text by the alphabet."""
    return tuple(sorted(set(labels), key=lambda label: (isinstance(label, str), label)))


def as_array(labels: Sequence[Any]) -> Array:
    """Return labels as an array of their type; of objects if there are several, or if some are missing."""
    kinds = {type(label) for label in labels}
    if len(kinds) == 1 and kinds <= {bool, int, str}:
        return np.array(labels)
    values = np.empty(len(labels), object)
    values[:] = labels
    return values


def has_target(values: Array) -> NDArray[np.bool_]:
    """Return which rows have a target, of what `TargetColumn.read` gave."""
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    return np.array([value is not None for value in values.tolist()], bool)


def text_of(cell: Any) -> str:
    """Return a cell as it is written: text as it stands, all else as the text of a category."""
    return cell if isinstance(cell, str) else as_text(cell)


def _kind_of_labels(present: Iterable[Any], of_text_file: bool = False) -> Literal["boolean", "integer", "text"]:
    """Return what labels are, by the types of all of them."""
    different = {(type(cell), text_of(cell)): cell for cell in present}.values()
    if all(isinstance(cell, bool | np.bool_) for cell in different):
        return "boolean"
    if all(_is_whole(cell, of_text_file) for cell in different):
        return "integer"
    return "text"


def _is_whole(cell: Any, of_text_file: bool) -> bool:
    if isinstance(cell, str):
        return of_text_file and _WHOLE.fullmatch(as_text(cell)) is not None
    if isinstance(cell, int | np.integer) and not isinstance(cell, bool):
        return True
    return (
        isinstance(cell, number_types.Real)
        and not isinstance(cell, bool | np.bool_)
        and _WHOLE.fullmatch(as_text(cell)) is not None
    )


def _series(values: Any) -> Any:
    import pandas as pd

    return values if isinstance(values, pd.Series) else pd.Series(values)


def _are_classes(values: Array) -> bool:
    """Return whether whole numbers are few enough to be classes."""
    if (values != np.floor(values)).any() or np.abs(values).max() > 1e15:
        return False
    distinct = len(np.unique(values))
    return distinct <= 2 or (distinct <= FEW and len(values) >= 5 * distinct)


def _first_unread(column: ColumnProfile) -> str:
    return format_cell(next((text for text in column.texts if math.isnan(as_number(text))), column.example))


def _missing_note(column: ColumnProfile) -> str:
    """Return the texts that were taken for missing values, which may have been classes."""
    if not column.na_counts:
        return ""
    return f": {format_missing_texts(column.na_counts)} taken for missing (missing= or --missing says otherwise)"


def _check_target(title: str, task: str, present: Array, notes: list[str], missing_note: str) -> None:
    """Raise unless there is something to tell apart."""
    counts = collections.Counter(present.tolist())
    if len(counts) < 2:
        what = "class" if task == "classification" else "value"
        first = f", {format_cell(next(iter(counts)))}" if counts else ""
        raise DataError(
            f"{title} has only one {what}{first}: there is nothing to learn. Choose another column as "
            f"target{missing_note}."
        )
    if task == "classification":
        if 2 * len(counts) > len(present) and len(present) > 4:
            raise DataError(
                f"{title} has {len(counts):,} classes in {len(present):,} rows (such as "
                f"{format_cell(next(iter(counts)))}): expected at least two rows for each on average. Choose "
                "another target or, for numbers, the task 'regression'."
            )
        if alone := sum(count == 1 for count in counts.values()):
            notes.append(f"{alone:,} of the {len(counts):,} classes {'have' if alone > 1 else 'has'} a single row.")


def _format_labels(labels: Sequence[Any]) -> str:
    return first_few([repr(label) for label in labels])
