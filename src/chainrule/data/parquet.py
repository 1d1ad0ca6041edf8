"""Rows of a Parquet file, by row groups."""

from __future__ import annotations

import bisect
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.rows import Source
from chainrule.errors import DataError, FileError, did_you_mean

Array = NDArray[Any]

#: So many row groups stay in memory: the end of one stretch of rows and the start of the next are often in the same.
MOST_GROUPS = 2


class ParquetRows(Source):
    """The numeric columns of a Parquet file but ``target``, which is read as a whole (`target`).

    A row group is read at once, so it should not be larger than what may be in memory.
    """

    def __init__(self, path: Path, target: str | None = None) -> None:
        self.path = path
        self.name = str(path)
        self.file = _open(path)
        schema = self.file.schema_arrow
        if target is not None and target not in schema.names:
            raise DataError(f"{path} has no column {target!r}{did_you_mean(target, schema.names)}")
        self.columns: list[str] = [name for name in schema.names if name != target]
        for name in self.columns:
            kind = schema.field(name).type
            if not _is_number(kind):
                raise DataError(
                    f"{path}: the column {name!r} holds {kind}; expected numbers only. Leave the column out, or turn "
                    "its categories into 0/1 columns."
                )
        kinds = [np.dtype(schema.field(name).type.to_pandas_dtype()) for name in self.columns]
        wide = any(kind.kind == "f" and kind.itemsize > 4 for kind in kinds)
        super().__init__((self.file.metadata.num_rows, len(self.columns)), np.dtype("float64" if wide else "float32"))
        groups = [self.file.metadata.row_group(i).num_rows for i in range(self.file.num_row_groups)]
        self.starts = [0, *np.cumsum(groups).tolist()]
        self.groups: dict[int, Array] = {}
        self.lock = threading.Lock()  # a Parquet reader is for one thread at a time

    def stored(self, start: int, stop: int) -> Array:
        first = max(0, bisect.bisect_right(self.starts, start) - 1)
        parts = []
        with self.lock:
            for i in range(first, len(self.starts) - 1):
                low, high = self.starts[i], self.starts[i + 1]
                if low >= stop:
                    break
                parts.append(self._group(i)[max(start - low, 0) : min(stop, high) - low])
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def _group(self, i: int) -> Array:
        """Return a row group as one array."""
        if i not in self.groups:
            while len(self.groups) >= MOST_GROUPS:
                del self.groups[next(iter(self.groups))]  # the one read first
            table = _read(self.path, lambda: self.file.read_row_group(i, columns=self.columns))
            values = np.empty((table.num_rows, len(self.columns)), self.dtype)
            for j, name in enumerate(self.columns):
                column = table.column(name)
                if column.null_count:
                    row = self.starts[i] + int(np.argmax(column.is_null().to_numpy()))
                    raise DataError(
                        f"{self.path} has {column.null_count:,} missing value{'s' * (column.null_count > 1)} in the "
                        f"column {name!r} of a row group; the first is in row {row}. Remove these rows, or fill the "
                        "gaps, before training."
                    )
                values[:, j] = column.to_numpy()
            self.groups[i] = values
        return self.groups[i]

    def target(self, name: str) -> Array:
        """Return a column as a whole."""
        column: Array = _read(self.path, lambda: self.file.read(columns=[name])).column(name).to_numpy()
        return column


def _open(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise FileError(f"{path}: reading Parquet files needs the package pyarrow: pip install pyarrow.") from None
    if not path.is_file():
        kind = "is a folder" if path.exists() else "does not exist"
        raise FileError(f"{path} {kind}; expected a Parquet file.")
    return _read(path, lambda: pyarrow.parquet.ParquetFile(path))


def _read(path: Path, read: Any) -> Any:
    """Return what a call of pyarrow gives; its own errors name neither the file nor what was expected."""
    import pyarrow

    try:
        return read()
    except (pyarrow.ArrowException, OSError) as error:
        raise FileError(f"{path} is a damaged Parquet file, or none: {error}") from None


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))
