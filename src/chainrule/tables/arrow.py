"""Tables in Parquet files and in the memory of libraries that speak Arrow's protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError, DataError, FileError
from chainrule.tables.column_names import check_names

__all__ = ["arrow_frame", "arrow_names", "as_read", "import_pyarrow", "open_parquet", "parquet_frames"]

_PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__")


def import_pyarrow(what: str) -> Any:
    """Return the package pyarrow; the `FileError` without it says what needs it."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise FileError(f"{what}: this needs the package pyarrow: pip install pyarrow.") from None
    return pyarrow


def _open(pyarrow: Any, stream: Any) -> Any:
    return pyarrow.parquet.ParquetFile(stream, page_checksum_verification=True)


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file; pyarrow's errors, which name neither the file nor what was expected, become ours."""
    pyarrow = import_pyarrow(str(path))
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty; expected a Parquet file.")
    try:
        with path.open("rb") as stream, _open(pyarrow, stream) as file:
            yield file
    except ChainruleError:
        raise
    except Exception as error:  # damaged files make pyarrow stumble in many ways, also out of memory
        raise FileError(f"{path} is a damaged Parquet file, or none: {str(error) or type(error).__name__}") from None


def parquet_frames(path: Path, most: int | None, nrows: int | None) -> Iterator[Any]:
    """Yield the rows as frames of at most so many rows each; without a number as a single one."""
    pyarrow = import_pyarrow(str(path))
    with open_parquet(path) as file:
        names = arrow_names(file.schema_arrow, str(path))
        if not file.metadata.num_rows:
            raise DataError(f"{path} has columns but no rows.")
        if most is None and nrows is None:
            yield as_read(arrow_frame(file.read(columns=list(names)), str(path)), str(path))
        elif most is None:
            first: list[Any] = []
            for batch in file.iter_batches(batch_size=min(nrows or 1, 65_536), columns=list(names)):
                first.append(batch)
                if sum(map(len, first)) >= (nrows or 1):
                    break
            table = pyarrow.Table.from_batches(first).slice(0, nrows)
            yield as_read(arrow_frame(table, str(path)), str(path))
        else:
            for batch in file.iter_batches(batch_size=most, columns=list(names)):
                table = pyarrow.Table.from_batches([batch])
                yield as_read(arrow_frame(table, str(path)), str(path))


def arrow_names(schema: Any, where: str) -> tuple[str, ...]:
    """Return the names of the columns, without the row index that pandas writes."""
    return check_names([name for name in schema.names if not _PANDAS_INDEX.fullmatch(name)], where)


def arrow_frame(table: Any, where: str) -> Any:
    """Return an Arrow table as a data frame, whatever pandas may have noted in it."""
    names = arrow_names(table.schema, where)
    table = table.select(list(names))
    table.validate(full=True)
    return table.to_pandas(ignore_metadata=True).set_axis([name.strip() for name in names], axis=1)


def as_read(frame: Any, where: str) -> Any:
    """Return a frame with text as column names, and rows counted from 0."""
    names = check_names([str(name).strip() for name in frame.columns], where)
    if not len(frame):
        raise DataError(f"{where} has columns but no rows.")
    return frame.reset_index(drop=True).set_axis(list(names), axis=1)
