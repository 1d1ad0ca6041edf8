"""Tables from files and from the data frames of other libraries; whatever cannot be read right is refused.

Text files are read with every cell as text: what a column is, is told later and from the training rows alone
(`chainrule.tables.infer`). The rules for text files:

- **Endings**: .csv, .tsv, .tab and .txt, each also with .gz.
- **Encoding**: UTF-8, or UTF-16 or UTF-32 if the file begins with their mark (BOM); another one on request only.
- **Separator**: whichever of ``, ; tab |`` gives all of the first rows as many cells as there are column names.
- **First line**: the column names. If the first name alone is empty, that column is the row index which pandas writes.
- **Cells**: text without the spaces around it. An empty cell is missing; which texts stand for missing values, too
  (`chainrule.tables.columns.MISSING`), is told with the kinds of the columns. A cell in double quotes may hold
  separators, line breaks and, doubled, quotes.
- **Blank lines** do not count. Every other line has one cell for each column, or the file is refused.
"""

from __future__ import annotations

import codecs
import collections
import csv
import gzip
import io
import itertools
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from chainrule.errors import ChainruleError, DataError, FileError
from chainrule.files import as_path

__all__ = ["ENDINGS", "as_frame", "is_table", "read_chunks", "read_table", "table_columns"]

TEXT = (".csv", ".tsv", ".tab", ".txt")
PARQUET = (".parquet", ".pq")

#: What table files are called.
ENDINGS = (*TEXT, *(ending + ".gz" for ending in TEXT), *PARQUET)

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}

#: Cells that are made into a frame at once.
CELLS = 2_000_000

#: Wider tables are refused: each column would be an input of the network.
MOST_COLUMNS = 200_000

#: Beyond so many columns, cells stay in one block of objects: a frame of many small arrays is slow.
MANY_COLUMNS = 2_000

_MARKS = (  # UTF-32 first: its mark for little-endian begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)

_OTHERS = {  # how files of other kinds begin, whatever their name says
    b"PAR1": "is a Parquet file; rename it to end in .parquet",
    b"PK\x03\x04": "is a zip or a spreadsheet; save the table as CSV",
    b"\x1f\x8b": "is compressed with gzip; rename it to end in .gz",
    b"\xd0\xcf\x11\xe0": "is an old spreadsheet; save the table as CSV",
    b"%PDF": "is a PDF; save the table as CSV",
    b"\x89PNG": "is a picture",
    b"SQLi": "is a database; export the table as CSV",
}

#: The separator is told from so many lines and characters.
SAMPLE_LINES, SAMPLE_LETTERS = 50, 1 << 16

#: What a column without a name is called that stands before all others: the row numbers that pandas writes.
INDEX = "index"

_STATED = re.compile(r"sep=(.)\s*")  # a first line with which spreadsheets tell the separator
_PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__")


def is_table(path: str | Path) -> bool:
    """Return whether a file of this name is read as a table.

    >>> is_table("people.csv.gz"), is_table("digits.npz")
    (True, False)
    """
    return str(path).lower().endswith(ENDINGS)


def read_table(
    source: Any, *, nrows: int | None = None, encoding: str | None = None, separator: str | None = None
) -> Any:
    """A table as a pandas data frame with unique column names and at least one row.

    Parameters
    ----------
    source
        The path of a text file (rules above) or a Parquet file, a pandas data frame, or a table of pyarrow or another
        library that speaks its protocol. Cells of text files are text or None; all others keep their types. A data
        frame gets new row numbers from 0.
    nrows
        Read only so many rows.
    encoding
        Of a text file that is not UTF-8, such as ``"cp1252"`` (Windows, western Europe) or ``"latin-1"``.
    separator
        Of a text file, if it cannot be told.

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
        return _own(frame.iloc[:nrows], "The data frame" if isinstance(source, pd.DataFrame) else "The table")
    path = _path(source)
    if path.suffix.lower() in PARQUET:
        (frame,) = _parquet_frames(path, None, nrows)
        return frame
    frames = list(_TextFile(path, encoding, separator).frames(None, nrows))
    if len(frames) == 1:
        return frames[0]
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs.update(frames[0].attrs)
    return whole


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
    table = _pyarrow(f"A {type(x).__name__} as a table").table(x)
    return _arrow_frame(table, "The table")


def read_chunks(
    path: str | Path, rows: int = 10_000, *, encoding: str | None = None, separator: str | None = None
) -> Iterator[Any]:
    """The frames of `read_table`, of at most so many rows each: for files larger than memory.

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
    found = _path(path)
    if found.suffix.lower() in PARQUET:
        return _parquet_frames(found, rows, None)
    return _TextFile(found, encoding, separator).frames(rows, None)


def table_columns(path: str | Path, *, encoding: str | None = None, separator: str | None = None) -> tuple[str, ...]:
    """The names of the columns of a file, without reading its rows.

    >>> import pathlib, tempfile
    >>> from chainrule.tables.read import table_columns
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "numbers.csv")
    >>> _ = path.write_text("x|y\\n1|2\\n")
    >>> table_columns(path)
    ('x', 'y')
    >>> folder.cleanup()
    """
    found = _path(path)
    if found.suffix.lower() in PARQUET:
        with _parquet(found) as file:
            return _arrow_names(file.schema_arrow, str(found))
    return _TextFile(found, encoding, separator).names


def _path(source: Any) -> Path:
    """Return the path of a file that is there and is called like a table."""
    if not isinstance(source, str | os.PathLike):
        hint = " For a dict of columns: pandas.DataFrame(it)." if isinstance(source, dict) else ""
        raise DataError(
            f"Expected the path of a table, a pandas data frame or a pyarrow table, got {type(source).__name__}.{hint}"
        )
    given = os.fspath(source)
    if not isinstance(given, str) or not given.strip():
        raise FileError(f"Expected the path of a table, got {given!r}.")
    path = as_path(given)
    read = f"Read are files that end in {', '.join(ENDINGS)}."
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
        raise FileError(f"{path} {kind}; expected a table. {read}")
    if not is_table(path):
        hint = " Save the spreadsheet as CSV." if path.suffix.lower() in (".xlsx", ".xls", ".ods") else ""
        raise FileError(f"{path} has the ending {path.suffix!r}, which is not read as a table.{hint} {read}")
    return path


def _checked(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Column names, each of which is there and occurs once."""
    if not names:
        raise DataError(f"{where} has no columns.")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{where} has {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
    empty = [str(i) for i, name in enumerate(names, 1) if not name]
    if empty:
        at_end = " (is there a separator at the end of the line?)" if empty == [str(len(names))] else ""
        which = f"column {empty[0]} has" if len(empty) == 1 else f"columns {_listed(empty)} have"
        raise DataError(f"{where}: {which} no name{at_end}; give each column a name.")
    if len(set(names)) < len(names):
        twice = [name for name, count in collections.Counter(names).items() if count > 1]
        raise DataError(f"{where} has more than one column called {_listed(twice)}; each name must occur once.")
    return tuple(names)


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(name if len(name) <= 60 else name[:57] + "..." for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


# Text files


class _TextFile:
    """A text file, with its encoding, its separator and its column names."""

    def __init__(self, path: Path, encoding: str | None, separator: str | None) -> None:
        self.path = path
        self.encoding = self._encoding() if encoding is None else _known_encoding(encoding)
        with self._problems(), self._open() as stream:
            sample, whole = self._sample(stream)
        stated = _STATED.fullmatch(sample[0]) if sample else None
        self.skipped = 1 if stated else 0  # lines before the names
        sample = sample[self.skipped :]
        if not any(line.strip() for line in sample):
            raise FileError(f"{path} is empty; expected a line of column names, then rows.")
        given = separator or (stated[1] if stated else None)
        self.separator = _known_separator(given) if given else self._tell_separator(sample, whole)
        names = [cell.strip().lstrip("\ufeff") for cell in next(self._lines())[1]]
        if not names[0] and len(names) > 1 and INDEX not in names:
            names[0] = INDEX
        self.names = _checked(names, str(path))

    def frames(self, most: int | None, nrows: int | None) -> Iterator[Any]:
        """The rows as frames of at most so many rows each."""
        rows = self._rows()
        size = most or max(1, min(65_536, CELLS // len(self.names)))
        done = 0
        while found := list(itertools.islice(rows, size if nrows is None else min(size, nrows - done))):
            done += len(found)
            yield self._frame(found)
        if not done:
            raise DataError(f"{self.path} has column names but no rows.")

    def _frame(self, rows: list[list[str]]) -> Any:
        import pandas as pd

        if len(self.names) > MANY_COLUMNS:
            cells = np.empty((len(rows), len(self.names)), object)
            for i, row in enumerate(rows):
                cells[i] = _stripped(row)
            frame = pd.DataFrame(cells, columns=list(self.names), dtype=object)
        else:
            columns = zip(*rows, strict=True)
            arrays = {
                name: pd.array(_stripped(cells), dtype="str") for name, cells in zip(self.names, columns, strict=True)
            }
            frame = pd.DataFrame(arrays)
        frame.attrs["separator"] = self.separator
        return frame

    def _rows(self) -> Iterator[list[str]]:
        """The rows, each with one cell for each column."""
        width = len(self.names)
        lines = self._lines()
        next(lines)
        for line, row in lines:
            if len(row) == width:
                yield row
            elif any(cell.strip() for cell in row) or len(row) > 1:
                raise FileError(self._ragged(line, len(row)))

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """All that is not blank, with the line in which it begins: first the names, then the rows."""
        with self._problems(), self._open() as stream:
            text = itertools.islice(self._text(stream), self.skipped, None)
            reader = csv.reader(text, delimiter=self.separator, strict=True, skipinitialspace=True)
            while True:
                line = reader.line_num + self.skipped + 1
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise FileError(f"{self.path}, line {line:,}: {_explained(error)}.") from None
                if row:
                    yield line, row

    def _text(self, stream: TextIO) -> Iterator[str]:
        for number, line in enumerate(stream, 1):
            if "\0" in line:
                hint = " Is it UTF-16? Then say encoding='utf-16-le'." if number == 1 else ""
                raise FileError(f"{self.path}, line {number:,}, holds NUL characters, so it is no text file.{hint}")
            yield line

    def _sample(self, stream: TextIO) -> tuple[list[str], bool]:
        """Return the first lines, and whether these are all."""
        lines: list[str] = []
        letters = 0
        for line in self._text(stream):
            if len(lines) >= SAMPLE_LINES or (letters > SAMPLE_LETTERS and len(lines) > 1):
                return lines, False
            lines.append(line)
            letters += len(line)
        return lines, True

    def _tell_separator(self, sample: list[str], whole: bool) -> str:
        """Return the separator with which every row has as many cells as there are names."""
        widths = {mark: _widths(sample, mark, whole) for mark in SEPARATORS}
        fit = [mark for mark, found in widths.items() if found and found[0] > 1 and len(set(found)) == 1]
        tab_first = ".tsv" in self.path.name.lower() or ".tab" in self.path.name.lower()
        if tab_first and "\t" in fit:
            return "\t"
        if len(fit) > 1:
            kinds = " or ".join(f"{SEPARATORS[mark]} (separator={mark!r})" for mark in fit)
            raise FileError(f"{self.path}: the separator may be {kinds}; say which.")
        if fit:
            return fit[0]
        # Nothing fits: one column, or rows that are too long or too short, which reading them will tell.
        most = max(SEPARATORS, key=lambda mark: len(sample[0].split(mark)))
        return most if most in sample[0] else "\t" if tab_first else ","

    def _ragged(self, line: int, found: int) -> str:
        width = len(self.names)
        text = f"{self.path}, line {line:,}, has {found:,} cell{'s' * (found != 1)}; expected {width:,}, "
        text += f"one for each column name (separated by {SEPARATORS[self.separator]})."
        if found > width:
            text += " A cell that holds the separator must be in double quotes."
        return text

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """What may go wrong while reading, as errors that say where."""
        try:
            try:
                yield
            except UnicodeError:
                raise FileError(self._undecodable()) from None  # which reads, too
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileError(f"{self.path} is a damaged or truncated gzip file: {error}") from None
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}.") from None

    def _open_bytes(self) -> Any:
        return gzip.open(self.path) if self.path.suffix.lower() == ".gz" else self.path.open("rb")

    def _open(self) -> TextIO:
        return io.TextIOWrapper(self._open_bytes(), encoding=self.encoding, newline="")

    def _encoding(self) -> str:
        with self._problems(), self._open_bytes() as file:
            start = file.read(4)
        if not start:
            raise FileError(f"{self.path} is empty; expected a line of column names, then rows.")
        for signature, kind in _OTHERS.items():
            if start.startswith(signature):
                raise FileError(f"{self.path} {kind}.")
        return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")

    def _undecodable(self) -> str:
        """Return where the text cannot be decoded, and what to do."""
        if not self.encoding.startswith("utf-8"):
            return f"{self.path} is not {self.encoding} throughout: it is damaged, truncated or of another encoding."
        with self._open_bytes() as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError as error:
                    where = f"line {number:,}, byte {error.start + 1:,} ({line[error.start]:#04x})"
                    return (
                        f"{self.path}, {where}, is not UTF-8. Save the file as UTF-8 (in spreadsheets: CSV UTF-8), or "
                        "say its encoding: encoding='cp1252' for western European Windows, 'latin-1', 'utf-16'."
                    )
        return f"{self.path} is not UTF-8 throughout."


def _known_encoding(name: str) -> str:
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        raise DataError(f"There is no text encoding {name!r}; expected 'utf-8', 'cp1252', 'latin-1', ...") from None
    return name


def _known_separator(mark: str) -> str:
    mark = {"\\t": "\t", "tab": "\t"}.get(mark, mark)  # as they are typed on a command line
    if mark not in SEPARATORS:
        known = ", ".join(map(repr, SEPARATORS))
        raise DataError(f"{mark!r} is not read as a separator; expected one of {known}.")
    return mark


def _widths(sample: list[str], separator: str, whole: bool) -> list[int] | None:
    """Return how many cells each row of the sample has; None if its quotes do not fit the separator."""
    reader = csv.reader(sample, delimiter=separator, strict=True, skipinitialspace=True)
    widths = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row) or len(row) > 1:
                widths.append(len(row))
    except csv.Error:
        if whole or reader.line_num < len(sample):
            return None  # not merely a row that goes on after the sample
    return widths


def _explained(error: csv.Error) -> str:
    text = str(error)
    if "end of data" in text:
        return "a double quote is opened in this row and not closed"
    if "field limit" in text:
        most = f"{csv.field_size_limit():,}"
        return f"a cell has more than {most} characters. Is a double quote not closed? Longer texts are not read"
    if "expected after" in text:
        return "a cell goes on after its closing quote; a quote inside a quoted cell is written twice"
    return text


def _stripped(cells: Sequence[str]) -> list[str | None]:
    return [cell.strip() or None for cell in cells]


# Parquet and Arrow


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise FileError(f"{what}: this needs the package pyarrow: pip install pyarrow.") from None
    return pyarrow


def _opened(pyarrow: Any, stream: Any) -> Any:
    return pyarrow.parquet.ParquetFile(stream, page_checksum_verification=True)


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    """A Parquet file; pyarrow's errors, which name neither the file nor what was expected, as ours."""
    pyarrow = _pyarrow(str(path))
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty; expected a Parquet file.")
    try:
        with path.open("rb") as stream, _opened(pyarrow, stream) as file:
            yield file
    except ChainruleError:
        raise
    except Exception as error:  # damaged files make pyarrow stumble in many ways, also out of memory
        raise FileError(f"{path} is a damaged Parquet file, or none: {str(error) or type(error).__name__}") from None


def _parquet_frames(path: Path, most: int | None, nrows: int | None) -> Iterator[Any]:
    """The rows as frames of at most so many rows each; without a number as a single one."""
    pyarrow = _pyarrow(str(path))
    with _parquet(path) as file:
        names = _arrow_names(file.schema_arrow, str(path))
        if not file.metadata.num_rows:
            raise DataError(f"{path} has columns but no rows.")
        if most is None and nrows is None:
            yield _own(_arrow_frame(file.read(columns=list(names)), str(path)), str(path))
        elif most is None:
            first: list[Any] = []
            for batch in file.iter_batches(batch_size=min(nrows or 1, 65_536), columns=list(names)):
                first.append(batch)
                if sum(map(len, first)) >= (nrows or 1):
                    break
            table = pyarrow.Table.from_batches(first).slice(0, nrows)
            yield _own(_arrow_frame(table, str(path)), str(path))
        else:
            for batch in file.iter_batches(batch_size=most, columns=list(names)):
                table = pyarrow.Table.from_batches([batch])
                yield _own(_arrow_frame(table, str(path)), str(path))


def _arrow_names(schema: Any, where: str) -> tuple[str, ...]:
    """Return the names of the columns, without the row index that pandas writes."""
    return _checked([name for name in schema.names if not _PANDAS_INDEX.fullmatch(name)], where)


def _arrow_frame(table: Any, where: str) -> Any:
    names = _arrow_names(table.schema, where)
    table = table.select(list(names))
    table.validate(full=True)
    return table.to_pandas(ignore_metadata=True).set_axis([name.strip() for name in names], axis=1)


def _own(frame: Any, where: str) -> Any:
    """Return a frame with text as column names, and rows counted from 0."""
    names = _checked([str(name).strip() for name in frame.columns], where)
    if not len(frame):
        raise DataError(f"{where} has columns but no rows.")
    return frame.reset_index(drop=True).set_axis(list(names), axis=1)
