"""Data with fewer columns or rows, clipped or scaled: of whatever kind `fit` takes, as new objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.data import Dataset, PreparedInputs, Stream
from chainrule.data.rows import Ready
from chainrule.data.streams import as_stream
from chainrule.errors import SettingError, did_you_mean
from chainrule.tables.read import as_frame, has_named_columns
from chainrule.tables.table import Table

__all__ = ["clipped", "other_rows", "scaled", "without_columns", "without_rows"]

Settings = dict[str, Any]
Names = Sequence[str | int]

#: Parts of a `Dataset` besides those that are trained on.
OTHER_PARTS = ("x_validation", "x_test")


# --- columns left out -----------------------------------------------------------------------------------------------


def without_columns(data: Any, settings: Mapping[str, Any], columns: Names) -> tuple[Any, Settings]:
    """Return data without some input columns, and the settings with validation data without them.

    All parts of the data lose them: the network gets fewer inputs.
    """
    changed = dict(settings)
    if isinstance(data, Table):
        left_out = {name: {"use": False} for name in _table_names(data, columns)}
        return dataclasses.replace(data, columns={**data.columns, **left_out}), changed
    if isinstance(data, Dataset):
        at = _positions(columns, data.x, data.feature_names)
        parts = {name: _without(getattr(data, name), at) for name in ("x", *OTHER_PARTS) if _has(data, name)}
        names: tuple[str, ...] | None = None
        if data.feature_names is not None:
            names = tuple(name for place, name in enumerate(data.feature_names) if place not in at)
        # What prepared a table's columns made all of them: what is left is an array of numbers.
        return dataclasses.replace(data, **parts, feature_names=names, preparation=None), changed
    x, y = _pair(data)
    if isinstance(changed.get("validation"), tuple | list | Dataset):
        changed["validation"], _ = without_columns(changed["validation"], {}, columns)
    return _as_given(data, _without(x, _positions(columns, x)), y), changed


def _without(x: Any, columns: Sequence[int]) -> Any:
    if as_stream(x) is not None:
        raise SettingError("Columns of a stream cannot be left out: write a file without them.")
    if hasattr(x, "iloc"):
        return x.iloc[:, [at for at in range(x.shape[1]) if at not in columns]]
    x = np.asarray(x)
    if x.ndim != 2:
        raise SettingError(f"Columns are left out of rows of numbers, and one sample here has shape {x.shape[1:]}.")
    return np.delete(x, columns, axis=1)


# --- rows left out --------------------------------------------------------------------------------------------------


def without_rows(data: Any, settings: Mapping[str, Any], rows: Sequence[int]) -> tuple[Any, Settings]:
    """Return data without some training rows, and the settings with the weights of the others."""
    changed = dict(settings)
    n = row_count(data)
    gone = np.unique(np.asarray(rows, np.intp))
    if len(gone) and (gone[0] < 0 or gone[-1] >= n):
        wrong = gone[0] if gone[0] < 0 else gone[-1]
        raise SettingError(f"There is no row {wrong}: the {n:,} training rows have the numbers 0 to {n - 1}.")
    if len(gone) == n:
        raise SettingError("All rows would be left out.")
    rest = np.setdiff1d(np.arange(n), gone)
    weight = changed.get("sample_weight")
    if weight is not None and len(np.asarray(weight)) == n:
        changed["sample_weight"] = np.asarray(weight)[rest]
    if isinstance(data, Table):
        return data.with_rows(_in_memory(data).iloc[rest].reset_index(drop=True)), changed
    if isinstance(data, Dataset):
        return dataclasses.replace(data, x=data.x[rest], y=data.y[rest]), changed
    x, y = _pair(data)
    return _as_given(data, _some(x, rest), _some(y, rest)), changed


def row_count(data: Any) -> int:
    """Return how many training rows there are."""
    if isinstance(data, Dataset):
        return len(data.x)
    return len(_in_memory(data)) if isinstance(data, Table) else len(_pair(data)[1])


def other_rows(data: Any, rows: Any) -> list[int]:
    """Return the numbers of the training rows that are not among these, which are numbers or a mask."""
    chosen = np.asarray(rows)
    numbers = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    rest: list[int] = np.setdiff1d(np.arange(row_count(data)), numbers).tolist()
    return rest


def _some(values: Any, rows: np.ndarray) -> Any:
    """Return some rows of inputs or targets."""
    if isinstance(values, np.memmap):
        streamed = as_stream(values)
        assert streamed is not None
        return Stream(streamed.x[rows])
    if isinstance(values, Stream):
        return Stream(values.x[rows])
    if isinstance(values, PreparedInputs):
        return values[rows]
    return values.iloc[rows] if hasattr(values, "iloc") else np.asarray(values)[rows]


# --- values brought into a range, or onto a scale -------------------------------------------------------------------


def clipped(
    data: Any, settings: Mapping[str, Any], columns: Names, low: Sequence[float], high: Sequence[float]
) -> tuple[Any, Settings]:
    """Return data whose training rows have no value of these columns (of none: no target) outside of a range.

    Validation and test rows stay as they are.
    """
    return _changed(data, columns, low, high, np.clip, training_only=True), dict(settings)


def scaled(
    data: Any, settings: Mapping[str, Any], columns: Names, low: Sequence[float], high: Sequence[float]
) -> tuple[Any, Settings]:
    """Return data with ``low`` subtracted from these columns (of none: the targets), then divided by ``high``.

    All parts are, also the validation data in the settings.
    """
    changed = dict(settings)
    validation = changed.get("validation")
    if isinstance(validation, tuple | list | Dataset | Stream | Table):
        changed["validation"] = _changed(validation, columns, low, high, _scale, training_only=False)
    return _changed(data, columns, low, high, _scale, training_only=False), changed


def _scale(values: Any, low: float, high: float) -> Any:
    return (values - low) / high


Change = Callable[[Any, Any, Any], Any]


def _changed(
    data: Any,
    columns: Names,
    low: Sequence[float],
    high: Sequence[float],
    change: Change,
    training_only: bool,
) -> Any:
    """Return data with ``change(values, low, high)`` in the place of the values of each column, or of the targets."""
    if isinstance(data, Table):
        return _changed_table(data, columns, low, high, change)
    if not columns:
        return _changed_targets(data, low, high, change, training_only)
    if isinstance(data, Dataset):
        at = _positions(columns, data.x, data.feature_names)
        names = ("x",) if training_only else ("x", *OTHER_PARTS)
        parts = {name: _columns(getattr(data, name), at, low, high, change) for name in names if _has(data, name)}
        return dataclasses.replace(data, **parts)
    x, y = _pair(data)
    return _as_given(data, _columns(x, _positions(columns, x), low, high, change), y)


def _columns(x: Any, at: Sequence[int], low: Sequence[float], high: Sequence[float], change: Change) -> Any:
    """Return inputs with some columns changed; those of images are their pixels, row by row."""
    if (streamed := as_stream(x)) is not None:
        rows = streamed.x
        return Stream(Ready(rows, lambda block: _columns(block, at, low, high, change), rows.dtype))
    if hasattr(x, "iloc"):
        names = [x.columns[place] for place in at]
        return x.assign(**{name: change(x[name], *ends) for name, *ends in zip(names, low, high, strict=True)})
    if isinstance(x, PreparedInputs):
        return PreparedInputs(_columns(x.x, at, low, high, change), x.by)
    x = np.asarray(x)
    flat = x.reshape(len(x), -1)
    flat = flat.copy() if change is np.clip or flat.dtype.kind == "f" else flat.astype(np.float32)
    flat[:, list(at)] = change(flat[:, list(at)], np.asarray(low), np.asarray(high))
    return flat.reshape(x.shape)


def _changed_targets(
    data: Any, low: Sequence[float], high: Sequence[float], change: Change, training_only: bool
) -> Any:
    def new(y: Any) -> Any:
        return change(
            y if hasattr(y, "iloc") else np.asarray(y),
            *(ends[0] if len(ends) == 1 else np.asarray(ends) for ends in (low, high)),
        )

    if isinstance(data, Dataset):
        names = ("y",) if training_only else ("y", "y_validation", "y_test")
        return dataclasses.replace(data, **{name: new(getattr(data, name)) for name in names if _has(data, name)})
    x, y = _pair(data)
    return _as_given(data, x, new(y))


def _changed_table(table: Table, columns: Names, low: Sequence[float], high: Sequence[float], change: Change) -> Table:
    """Return a table with the numbers in some columns changed; cells that are no numbers stay."""
    import pandas as pd

    frame = _in_memory(table)
    names = _table_names(table, columns) if columns else [table.target]
    new = {}
    for name, *ends in zip(names, low, high, strict=True):
        cells = frame[name]
        numbers = pd.to_numeric(cells, errors="coerce")
        after = change(numbers, *ends)
        moved = numbers.notna() & (after != numbers)
        new[name] = cells.where(~moved, after) if cells.dtype.kind in "fiu" else cells.where(~moved, after.astype(str))
    return table.with_rows(frame.assign(**new))


# --- what data is made of -------------------------------------------------------------------------------------------


def _pair(data: Any) -> tuple[Any, Any]:
    """Return inputs and targets of a pair or stream; a table of Arrow as a data frame."""
    if isinstance(data, Stream):
        return data, data.y
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise SettingError(f"Data is (x, y), a Dataset, a Table or a stream, got {type(data).__name__}.")
    x, y = data
    return (as_frame(x) if has_named_columns(x) else x), y


def _as_given(data: Any, x: Any, y: Any) -> Any:
    """Return inputs and targets as the kind of data that they are from."""
    if isinstance(data, Stream):
        return Stream(x.x, y)
    return Stream(x.x, np.asarray(y)) if isinstance(x, Stream) else (x, y)


def _has(data: Dataset, name: str) -> bool:
    return getattr(data, name) is not None


def _positions(columns: Names, x: Any, names: Sequence[str] | None = None) -> list[int]:
    """Return the places of columns that are named, or numbered, among the inputs."""
    if hasattr(x, "columns"):
        names = [str(name) for name in x.columns]
    streamed = as_stream(x)
    shape = np.shape(x) if streamed is None else streamed.x.shape
    width = int(np.prod(shape[1:]))
    names = (
        list(names)
        if names is not None
        else []
        if streamed is None
        else list(getattr(streamed.x, "columns", None) or [])
    )
    places = []
    for column in columns:
        if isinstance(column, str):
            if column not in names:
                raise SettingError(f"There is no column {column!r}{did_you_mean(column, names)}")
            places.append(names.index(column))
        elif not 0 <= int(column) < width:
            raise SettingError(f"There is no column {column}: the {width:,} inputs have the numbers 0 to {width - 1}.")
        else:
            places.append(int(column))
    return places


def _table_names(table: Table, columns: Names) -> list[str]:
    inputs = [str(name) for name in table.head.columns if name != table.target]
    for column in columns:
        if isinstance(column, str) and column not in inputs:
            raise SettingError(f"The table has no column {column!r}{did_you_mean(column, inputs)}")
    return [column if isinstance(column, str) else inputs[column] for column in columns]


def _in_memory(table: Table) -> Any:
    if not table.in_memory:
        raise SettingError(f"{table.name}: the rows stay in their file, and are not changed there.")
    return table.frame
