"""Tables in text files (CSV and its relatives), every cell as text; whatever cannot be read right is refused.

The rules for text files:

- **Endings**: .csv, .tsv, .tab and .txt, each also with .gz.
- **Encoding**: UTF-8, or UTF-16 or UTF-32 if the file begins with their mark (BOM); another one on request only.
- **Separator**: whichever of ``, ; tab |`` gives all of the first rows as many cells as there are column names.
- **First line**: the column names. If the first name alone is empty, that column is the row index which pandas writes.
- **Cells**: text without the spaces around it. An empty cell is missing; which texts stand for missing values, too
  (`chainrule.tables.columns.MISSING`), is inferred with the kinds of the columns. A cell in double quotes may hold
  separators, line breaks and, doubled, quotes.
- **Blank lines** do not count. Every other line has one cell for each column, or the file is refused.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from chainrule.errors import DataError, FileError
from chainrule.tables.column_names import check_names

__all__ = ["ENDINGS", "SEPARATORS", "TextFile"]

ENDINGS = (".csv", ".tsv", ".tab", ".txt")

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}

#: Cells that are made into a frame at once.
CELLS = 2_000_000

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

#: The separator is inferred from so many lines and characters.
SAMPLE_LINES, SAMPLE_CHARACTERS = 50, 1 << 16

#: What a column without a name is called that stands before all others: the row numbers that pandas writes.
INDEX = "index"

_STATED = re.compile(r"sep=(.)\s*")  # a first line with which spreadsheets tell the separator


class TextFile:
    """A text file, with its encoding, its separator and its column names; rules at the top of this file."""

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
        mark = separator or (stated[1] if stated else None)
        self.separator = _known_separator(mark) if mark else self._infer_separator(sample, whole)
        names = [cell.strip().lstrip("\ufeff") for cell in next(self._lines())[1]]
        if not names[0] and len(names) > 1 and INDEX not in names:
            names[0] = INDEX
        self.names = check_names(names, str(path))

    def frames(self, most: int | None, nrows: int | None) -> Iterator[Any]:
        """Yield the rows as frames of at most so many rows each."""
        rows = self._rows()
        size = most or max(1, min(65_536, CELLS // len(self.names)))
        done = 0
        while block := list(itertools.islice(rows, size if nrows is None else min(size, nrows - done))):
            done += len(block)
            yield self._frame(block)
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
        """Yield the rows, each with one cell for each column."""
        width = len(self.names)
        lines = self._lines()
        next(lines)
        for line, row in lines:
            if len(row) == width:
                yield row
            elif any(cell.strip() for cell in row) or len(row) > 1:
                raise FileError(self._ragged(line, len(row)))

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield all that is not blank, with the line in which it begins: first the names, then the rows."""
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
                    raise FileError(f"{self.path}, line {line:,}: {_explain(error)}.") from None
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
        characters = 0
        for line in self._text(stream):
            if len(lines) >= SAMPLE_LINES or (characters > SAMPLE_CHARACTERS and len(lines) > 1):
                return lines, False
            lines.append(line)
            characters += len(line)
        return lines, True

    def _infer_separator(self, sample: list[str], whole: bool) -> str:
        """Return the separator with which every row has as many cells as there are names."""
        widths = {mark: _widths(sample, mark, whole) for mark in SEPARATORS}
        fit = [mark for mark, counts in widths.items() if counts and counts[0] > 1 and len(set(counts)) == 1]
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

    def _ragged(self, line: int, cells: int) -> str:
        width = len(self.names)
        text = f"{self.path}, line {line:,}, has {cells:,} cell{'s' * (cells != 1)}; expected {width:,}, "
        text += f"one for each column name (separated by {SEPARATORS[self.separator]})."
        if cells > width:
            text += " A cell that holds the separator must be in double quotes."
        return text

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """Raise what may go wrong while reading as errors that say where."""
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


def _explain(error: csv.Error) -> str:
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
