"""Data too large for memory: features that stay in a file and are read block by block while training goes on."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.check import check_features, check_pair, check_target
from chainrule.data.parquet import ParquetRows
from chainrule.data.rows import ArrayRows, NpyRows, Rows
from chainrule.errors import DataError, FileError, SettingError
from chainrule.files import as_path

__all__ = ["Stream", "stream"]

Array = NDArray[Any]

_PARQUET = (".parquet", ".pq")


class Stream:
    """Features that are read when they are needed, and targets in memory; see `stream`.

    Attributes
    ----------
    x : `chainrule.data.rows.Rows`
    y : targets, or None
    """

    def __init__(self, x: Rows, y: Array | None = None) -> None:
        if y is not None and len(x) != len(y):
            raise DataError(f"x has {len(x):,} rows and y has {len(y):,}: every row of x needs exactly one target.")
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        what = "no targets" if self.y is None else f"targets {self.y.dtype}"
        return f"Stream({len(self):,} samples of shape {self.x.shape[1:]}, {self.x.dtype}, {what})"


def stream(x: Any, y: Any = None, *, target: str | None = None) -> Stream:
    """Return data for `fit` whose features are larger than memory: they are read in blocks, one ahead.

    The blocks of an epoch come in random order, and so do the samples within a block; but samples of different blocks
    (about 64 MB each) do not mix. So a file should not be sorted by class or time: shuffle it once when it is written.

    Parameters
    ----------
    x
        The path of an ``.npy`` file (rows of numbers, as `numpy.save` writes them) or of a Parquet file (numeric
        columns, in row groups of moderate size), or an array, mostly a `numpy.memmap`.
    y
        Targets, which are kept in memory: an array, or the path of an ``.npy`` file. None for data to predict.
    target
        The name of the column that holds them, in a Parquet file.

    Returns
    -------
    Stream
        For `fit` (as ``data`` or ``validation``), `Run.evaluate` and `Model.predict`. A `numpy.memmap` given to them
        as x is streamed too.

    Raises
    ------
    FileError
        A file is missing, damaged, of another kind, or not stored row by row.
    DataError
        Text columns, no such column, lengths that differ. Values that are not finite are found when they are read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import chainrule as cr
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "x.npy")
    >>> digits = cr.data.load("digits")
    >>> np.save(path, digits.x.reshape(-1, 64))
    >>> data = cr.data.stream(path, digits.y)
    >>> data
    Stream(1,797 samples of shape (64,), float32, targets int32)
    >>> run = cr.fit(cr.Dense(10, "softmax"), data, optimizer=cr.SGD(lr=0.1), epochs=5, progress=False)
    >>> run.evaluate(data)["accuracy"] > 0.9
    True
    >>> folder.cleanup()
    """
    if isinstance(x, str | os.PathLike):
        path = as_path(x)
        if path.suffix.lower() in _PARQUET:
            if target is not None and y is not None:
                raise SettingError(f"Give the targets as y, or as the column target={target!r}, not both.")
            table = ParquetRows(path, target)
            return Stream(table, check_target(table.target(target)) if target is not None else _targets(y))
        rows: Rows = NpyRows(path)
    else:
        rows = ArrayRows(x if isinstance(x, np.memmap) else check_features(x))
    if target is not None:
        raise SettingError(f"target={target!r} names a column of a Parquet file; of an array, give the targets as y.")
    return Stream(rows, _targets(y))


def as_stream(x: Any, y: Any = None) -> Stream | None:
    """Return the stream that data is: a `Stream` itself, or a memory-mapped x with its targets; None for other data."""
    if isinstance(x, Stream):
        return x if y is None else Stream(x.x, _targets(y))
    return stream(x, y) if isinstance(x, np.memmap) else None


def open_pair(x: Any, y: Any) -> tuple[Any, Array]:
    """Return x and y, checked, one target for each row; x is `chainrule.data.rows.Rows` if it is to be streamed."""
    data = as_stream(x, y)
    if data is None:
        return check_pair(x, y)
    if data.y is None:
        raise DataError("The stream has no targets: give them too, as in cr.data.stream('x.npy', y).")
    return data.x, data.y


def _targets(y: Any) -> Array | None:
    """Return targets as an array in memory."""
    if y is None:
        return None
    if not isinstance(y, str | os.PathLike):
        return check_target(y)
    path = as_path(y)
    if not path.is_file():
        raise FileError(f"{path} does not exist; expected an .npy file with the targets.")
    try:
        return check_target(np.lib.format.open_memmap(path, mode="r").copy())
    except ValueError as error:
        if isinstance(error, DataError):
            raise DataError(f"{path}: {error}") from None
        raise FileError(f"{path} is not an .npy file of numbers or text: {error}") from None
