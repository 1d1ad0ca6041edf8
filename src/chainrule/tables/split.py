"""Which rows train, which ones validate, and which ones are kept for the test (lecture 003)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import random
from chainrule.checks import check_fraction
from chainrule.data import stratified_split
from chainrule.errors import DataError, SettingError
from chainrule.tables.categories import categories
from chainrule.tables.cells import cells
from chainrule.tables.columns import MISSING, find_column
from chainrule.tables.infer import infer_time
from chainrule.tables.overrides import leaves_out
from chainrule.tables.values import values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["PARTS", "SPLIT_NAMES", "Split", "SplitSpec", "may_name_parts", "split_column", "split_rows"]

Rows = NDArray[np.intp]

#: What the cells of a split column may say, in upper or lower case.
PARTS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}

#: Columns of these names are taken for the split if all their values name parts.
SPLIT_NAMES = ("split", "subset", "partition", "fold")


@dataclass(frozen=True, eq=False)
class Split:
    """The row numbers of each part, in rising order. No row is in two parts.

    ``named`` are the parts that a column names; none where the rows were drawn.
    """

    train: Rows
    validation: Rows
    test: Rows
    named: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Rows, Rows, Rows]:
        """The row numbers of training, validation and test."""
        return self.train, self.validation, self.test

    def among(self, numbers: Rows) -> Split:
        """Return the same split of some of the rows, whose numbers these are: by their places among them.

        >>> Split(np.array([0, 2]), np.array([1]), np.array([3])).among(np.array([2, 3])).train.tolist()
        [0]
        """
        train, validation, test = (np.flatnonzero(np.isin(numbers, part)) for part in self.parts)
        return Split(train, validation, test, self.named)

    def __repr__(self) -> str:
        return f"Split({len(self.train):,} train, {len(self.validation):,} validation, {len(self.test):,} test)"


@dataclass(frozen=True)
class SplitSpec:
    """How the rows of a table are to be split: the words of `Table.prepare`."""

    validation: float
    test: float
    group: str | None
    time: str | None
    split: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that have a say in it."""
        return tuple(name for name in (self.split, self.group, self.time) if name is not None)

    def check(self, names: Iterable[Any], target: str, inputs: Mapping[str, Any]) -> None:
        """Raise unless the columns are there and each has one role; ``inputs``: what is said about the inputs."""
        for part in ("group", "time", "split"):
            name = getattr(self, part)
            if name is None:
                continue
            find_column(names, name)
            if name == target:
                raise SettingError(
                    f"{part}={name!r} names the target, and rows cannot be split by what is to be predicted: name "
                    "another column, or leave it out."
                )
            if part != "time" and name in inputs and not leaves_out(inputs[name]):
                raise SettingError(
                    f"The column {name!r} is the {part} and no input, so what is said about it ({inputs[name]!r}) "
                    "has no effect: leave one of the two out."
                )
        if len(self.columns) > 1:
            parts = [part for part in ("group", "time", "split") if getattr(self, part) is not None]
            raise SettingError(f"Split by one of group, time and split, got {' and '.join(parts)}.")

    def split_rows(self, frame: DataFrame, target: Any, *, missing: Collection[str] | None, key: Any) -> Split:
        """Return the rows of each part of a table that has the columns; other parameters as of `split_rows`."""
        group, time, column = (None if name is None else frame[name] for name in (self.group, self.time, self.split))
        return split_rows(
            len(frame),
            target,
            validation=self.validation,
            test=self.test,
            group=group,
            time=time,
            column=column,
            missing=missing,
            key=key,
        )


def may_name_parts(column: str) -> bool:
    """Return whether a column is called as one that names the part of each row.

    >>> may_name_parts(" Split"), may_name_parts("town")
    (True, False)
    """
    return column.strip().lower() in SPLIT_NAMES


def split_column(frame: DataFrame) -> str | None:
    """Return the column that names the part of each row, if there is one.

    >>> import pandas as pd
    >>> split_column(pd.DataFrame({"x": [1, 2], "fold": ["train", "test"]}))
    'fold'
    """
    for name in frame.columns:
        if may_name_parts(str(name)):
            words = frame[name].dropna().astype(str).str.strip().str.lower().unique()
            if len(words) > 1 and set(words) <= PARTS.keys():
                return str(name)
    return None


def split_rows(
    n: int,
    target: Any = None,
    *,
    validation: float = 0.1,
    test: float = 0.2,
    group: Any = None,
    time: Any = None,
    column: Any = None,
    missing: Collection[str] | None = None,
    key: Any,
) -> Split:
    """Divide n rows into training, validation and test rows.

    The same key gives the same split, on every machine. Without `group`, `time` or `column` the rows are drawn by lot,
    and each class keeps its share (`stratified_split`): a class with one member trains, one with two trains and is
    tested. What the rows hold besides has no influence.

    Parameters
    ----------
    n
        The number of rows.
    target
        The class of each row, to draw in proportion to; None where there are no classes (regression). Groups, times
        and a split column are not drawn by class.
    validation, test
        Fractions of all n rows, at least 0 and together below 1; 0 leaves the part empty. A part has
        ``round(n * fraction)`` rows, with groups and times the nearest size that whole groups and times allow.
    group
        A value for each row: rows with the same one stay together. The groups are drawn by lot.
    time
        A number or date for each row: the latest rows are the test, those before them validate, the oldest train. Rows
        of the same time stay together.
    column
        The name of its part for each row: train, validation (val, valid, dev) or test. If none validates, the fraction
        ``validation`` of all rows is drawn from the training rows (at most half of them).
    missing
        The texts in `group`, `time` and `column` that stand for missing values (None: those of text files).
    key
        A key of `chainrule.random`.

    Raises
    ------
    DataError
        A part would be empty, too few groups or different times, a missing group, time or part, a name of no part.
    SettingError
        Fractions out of range, or more than one of `group`, `time` and `column`.

    Examples
    --------
    >>> from chainrule import random
    >>> from chainrule.tables.split import split_rows
    >>> split_rows(100, ["a"] * 80 + ["b"] * 20, key=random.key(0))
    Split(70 train, 10 validation, 20 test)
    >>> split_rows(5, time=[2001, 2004, 2003, 2002, 2005], validation=0.2, test=0.2, key=random.key(0)).test
    array([4])
    """
    roles = {name: v for name, v in (("group", group), ("time", time), ("column", column)) if v is not None}
    if len(roles) > 1:
        raise SettingError(f"Split by one of group, time and column, got {' and '.join(roles)}.")
    for name, values in (*roles.items(), ("target", target)):
        if values is not None and len(values) != n:
            raise DataError(f"The {name} for the split has {len(values):,} values, and there are {n:,} rows.")
    _check_fractions(validation, test)
    sizes = {"test": _size(n, test, "test"), "validation": _size(n, validation, "validation")}
    texts = MISSING if missing is None else frozenset(missing)
    if column is not None:
        return _by_column(column, target, validation, texts, key)
    if n <= sum(sizes.values()):
        raise DataError(
            f"{n:,} {'row is' if n == 1 else 'rows are'} too few for validation={validation:g} and test={test:g}: "
            "no row would be left for training."
        )
    if group is not None:
        return _by_group(group, sizes, texts, key)
    if time is not None:
        return _by_time(time, sizes, texts)
    test_key, validation_key = random.split(key, 2)
    target = None if target is None else np.asarray(target)
    rest, tested = _draw(np.arange(n), target, sizes["test"], test_key)
    train, validated = _draw(rest, target, sizes["validation"], validation_key)
    return Split(train, validated, tested)


def _check_fractions(validation: Any, test: Any) -> None:
    for name, fraction in (("validation", validation), ("test", test)):
        check_fraction(name, fraction, or_zero=True)
    if validation + test >= 1:
        raise SettingError(f"validation={validation:g} and test={test:g} leave no rows for training.")


def _size(n: int, fraction: float, name: str) -> int:
    size = int(n * float(fraction) + 0.5)
    if fraction > 0 and size == 0:
        raise DataError(
            f"{name}={fraction:g} of {n:,} {'row' if n == 1 else 'rows'} is less than one row. Give a larger fraction, "
            "or 0."
        )
    return size


def _draw(rows: Rows, target: Any, size: int, key: Any) -> tuple[Rows, Rows]:
    """Return the rows without ``size`` of them, and these, in proportion to the classes."""
    if size == 0:
        return rows, rows[:0]
    classes = np.zeros(len(rows), np.int64) if target is None else target[rows]
    left, taken = stratified_split(classes, size / len(rows), key)
    return rows[left], rows[taken]


def _by_group(group: Any, sizes: dict[str, int], missing: Collection[str], key: Any) -> Split:
    """Split by groups, in random order: one goes to a part if that brings its size nearer to what is wanted."""
    names = categories(group, missing=missing)
    _require_all(names == None, names, group, "group")  # noqa: E711 - elementwise
    numbers_of_groups = np.unique(names.astype(str), return_inverse=True)[1].reshape(-1)
    counts = np.bincount(numbers_of_groups)
    wanted = [part for part, size in sizes.items() if size]
    if len(counts) <= len(wanted):
        raise DataError(
            f"There are {len(counts)} groups, and each part needs one of its own: training, {' and '.join(wanted)}."
        )
    waiting = np.asarray(random.permutation(key, len(counts))).tolist()
    part_of_group = np.zeros(len(counts), int)
    for at, part in enumerate(wanted):
        size, limit = 0, len(waiting) - (len(wanted) - at)  # the parts to come need a group each, and so does training
        taken: list[int] = []
        for one in waiting:
            nearer = abs(size + counts[one] - sizes[part]) < abs(size - sizes[part])
            if nearer and len(taken) < limit:
                taken.append(one)
                size += int(counts[one])
        taken = taken or [min(waiting, key=lambda g: counts[g])]
        part_of_group[taken] = 1 + list(sizes).index(part)
        waiting = [one for one in waiting if one not in set(taken)]
    part_of_row = part_of_group[numbers_of_groups]
    return Split(np.flatnonzero(part_of_row == 0), np.flatnonzero(part_of_row == 2), np.flatnonzero(part_of_row == 1))


def _by_time(time: Any, sizes: dict[str, int], missing: Collection[str]) -> Split:
    """Cut the rows in order of time, between different times, where the sizes come nearest to what is wanted."""
    when = _times(time, missing)
    order = np.argsort(when, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(when[order]) > 0])  # where another time begins
    wanted = [part for part, size in sizes.items() if size]
    if len(starts) <= len(wanted):
        raise DataError(
            f"There are {len(starts)} different times, and each part needs one of its own: training, "
            f"{' and '.join(wanted)}."
        )
    parts, end = {"test": order[:0], "validation": order[:0]}, len(order)
    for at, part in enumerate(wanted):
        possible = starts[(starts < end) & (np.arange(len(starts)) >= len(wanted) - at)]
        start = int(possible[np.argmin(np.abs(end - possible - sizes[part]))])
        parts[part], end = order[start:end], start
    return Split(np.sort(order[:end]), np.sort(parts["validation"]), np.sort(parts["test"]))


def _times(time: Any, missing: Collection[str]) -> NDArray[np.float64]:
    """Return numbers that are in order as the times are: the numbers themselves, or microseconds."""
    plan = infer_time(time, missing)
    values = values_of(time, plan)
    if plan.kind == "date":
        values = np.where(np.isnat(values), np.nan, values.astype(np.int64).astype(np.float64))
    _require_all(np.isnan(values), cells(time, missing), time, "time")
    return values


def _by_column(column: Any, target: Any, validation: float, missing: Collection[str], key: Any) -> Split:
    names = categories(column, missing=missing)
    _require_all(names == None, names, column, "part")  # noqa: E711 - elementwise
    words = [name.lower() for name in names]
    for row, word in enumerate(words):
        if word not in PARTS:
            raise DataError(
                f"The split column says {names[row]!r} in row {row:,}, which names no part. Known: {', '.join(PARTS)}."
            )
    part_of_row = np.array([PARTS[word] for word in words], dtype=object)
    train, validated, tested = (np.flatnonzero(part_of_row == part) for part in ("train", "validation", "test"))
    if not len(train):
        raise DataError("The split column has no row for training: none says 'train'.")
    if not len(validated) and validation > 0:
        if len(train) < 2:
            raise DataError("The split column has one row for training, and validation rows are drawn from these too.")
        size = min(max(1, int(len(words) * validation + 0.5)), len(train) // 2)
        train, validated = _draw(train, None if target is None else np.asarray(target), size, key)
    return Split(train, validated, tested, tuple(sorted(set(part_of_row))))


def _require_all(missing: Any, values: Any, column: Any, what: str) -> None:
    """Raise unless every row says where it belongs."""
    rows = np.flatnonzero(missing)
    if len(rows):
        row = int(rows[0])
        state = "is empty" if values[row] is None else f"is {values[row]!r}, neither a number nor a date"
        name = getattr(column, "name", None)
        raise DataError(
            f"{len(rows):,} {'row has' if len(rows) == 1 else 'rows have'} no {what}"
            + (f" in the column {name!r}" if name is not None else "")
            + f": in row {row:,} it {state}. Fill it, or leave these rows out."
        )
