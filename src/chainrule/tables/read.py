"""Tables from files and from the data frames of other libraries.

Text files are read with every cell as text (`chainrule.tables.text_file` has the rules): what a column is, is inferred
later and from the training rows alone (`chainrule.tables.infer`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.errors import DataError, FileError
from chainrule.files import as_path
from chainrule.tables import arrow, text_file
from chainrule.tables.text_file import TextFile

__all__ = ["ENDINGS", "as_frame", "is_table", "read_chunks", "read_table", "table_columns"]

PARQUET = (".parquet", ".pq")

#: What table files are called.
ENDINGS = (*text_file.ENDINGS, *(f"{ending}.gz" for ending in text_file.ENDINGS), *PARQUET)


def is_table(path: str | Path) -> bool:
    """Return whether a file of this name is read as a table.

    >>> is_table("people.csv.gz"), is_table("digits.npz")
    (True, False)
    """
    return str(path).lower().endswith(ENDINGS)


def read_table(
    source: Any, *, nrows: int | None = None, encoding: str | None = None, separator: str | None = None
) -> Any:
    """Read a table as a pandas data frame with unique column names and at least one row.

    Parameters
    ----------
    source
        The path of a text file (rules in `chainrule.tables.text_file`) or a Parquet file, a pandas data frame, or a
        table of pyarrow or another library that speaks its protocol. Cells of text files are text or None; all others
        keep their types. A data frame gets new row numbers from 0.
    nrows
        Read only so many rows.
    encoding
        Of a text file that is not UTF-8, such as ``"cp1252"`` (Windows, western Europe) or ``"latin-1"``.
    separator
        Of a text file, if it cannot be inferred.

    Raises
    ------
    FileError
        The file is missing, empty, damaged, of another kind, or a line has too many or too few cells.
    DataError
        There are no rows, or column names are missing or occur twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from chainrule.tables.read import read_table
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "pets.csv")
    >>> _ = path.write_text("name;weight\\nRex;30,5\\nTom;\\n")
    >>> read_table(path).to_dict("list")
    {'name': ['Rex', 'Tom'], 'weight': ['30,5', nan]}
    >>> folder.cleanup()
    """
    import pandas as pd

    if nrows is not None and nrows < 1:
        raise DataError(f"nrows is the number of rows to read; expected 1 or more, got {nrows}.")
    if (frame := as_frame(source)) is not None:
        return arrow.as_read(frame.iloc[:nrows], "The data frame" if isinstance(source, pd.DataFrame) else "The table")
    path = _path(source)
    if path.suffix.lower() in PARQUET:
        (frame,) = arrow.parquet_frames(path, None, nrows)
        return frame
    frames = list(TextFile(path, encoding, separator).frames(None, nrows))
    if len(frames) == 1:
        return frames[0]
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs.update(frames[0].attrs)
    return whole


def has_named_columns(x: Any) -> bool:
    """Return whether it is a table in memory, by its look: arrays must not cost the import of pandas."""
    return hasattr(x, "columns") or hasattr(x, "column_names")


def as_frame(x: Any) -> Any:
    """Return a table in memory as a pandas data frame whose column names are text without spaces around it; None for
    others.

    Tables are pandas data frames, and what has named columns and speaks Arrow's protocol: tables of pyarrow, frames of
    polars, relations of DuckDB.

    >>> import pyarrow as pa
    >>> from chainrule.tables.read import as_frame
    >>> as_frame(pa.table({"age": [31, 44]})).to_dict("list")
    {'age': [31, 44]}
    >>> as_frame([[31], [44]]) is None
    True

    Raises `DataError` for column names that are missing or occur twice, and `FileError` if pyarrow is not installed.
    """
    import pandas as pd

    if isinstance(x, pd.DataFrame):
        if x.columns.nlevels > 1:
            levels = x.columns.nlevels
            raise DataError(f"The data frame has column names of {levels} levels; expected one name for each.")
        names = [str(name).strip() for name in x.columns]
        return x if names == x.columns.tolist() else x.set_axis(names, axis=1)
    if not hasattr(x, "__arrow_c_stream__") or not any(hasattr(x, name) for name in ("columns", "column_names")):
        return None
    table = arrow.import_pyarrow(f"A {type(x).__name__} as a table").table(x)
    return arrow.arrow_frame(table, "The table")


def read_chunks(
    path: str | Path, rows: int = 10_000, *, encoding: str | None = None, separator: str | None = None
) -> Iterator[Any]:
    """Yield the frames of `read_table`, of at most so many rows each: for files larger than memory.

    >>> import pathlib, tempfile
    >>> from chainrule.tables.read import read_chunks
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "numbers.csv")
    >>> _ = path.write_text("x,y\\n1,2\\n3,4\\n5,6\\n")
    >>> [len(frame) for frame in read_chunks(path, rows=2)]
    [2, 1]
    >>> folder.cleanup()
    """
    if rows < 1:
        raise DataError(f"rows is the number of rows of a chunk; expected 1 or more, got {rows}.")
    file = _path(path)
    if file.suffix.lower() in PARQUET:
        return arrow.parquet_frames(file, rows, None)
    return TextFile(file, encoding, separator).frames(rows, None)


def table_columns(path: str | Path, *, encoding: str | None = None, separator: str | None = None) -> tuple[str, ...]:
    """Return the names of the columns of a file, without reading its rows.

    >>> import pathlib, tempfile
    >>> from chainrule.tables.read import table_columns
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "numbers.csv")
    >>> _ = path.write_text("x|y\\n1|2\\n")
    >>> table_columns(path)
    ('x', 'y')
    >>> folder.cleanup()
    """
    path = _path(path)
    if path.suffix.lower() in PARQUET:
        with arrow.open_parquet(path) as file:
            return arrow.arrow_names(file.schema_arrow, str(path))
    return TextFile(path, encoding, separator).names


def _path(source: Any) -> Path:
    """Return the path of a file that is there and is called like a table."""
    if not isinstance(source, str | os.PathLike):
        hint = " For a dict of columns: pandas.DataFrame(it)." if isinstance(source, dict) else ""
        raise DataError(
            f"Expected the path of a table, a pandas data frame or a pyarrow table, got {type(source).__name__}.{hint}"
        )
    text = os.fspath(source)
    if not isinstance(text, str) or not text.strip():
        raise FileError(f"Expected the path of a table, got {text!r}.")
    path = as_path(text)
    read = f"Read are files that end in {', '.join(ENDINGS)}."
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
        raise FileError(f"{path} {kind}; expected a table. {read}")
    if not is_table(path):
        hint = " Save the spreadsheet as CSV." if path.suffix.lower() in (".xlsx", ".xls", ".ods") else ""
        raise FileError(f"{path} has the ending {path.suffix!r}, which is not read as a table.{hint} {read}")
    return path
