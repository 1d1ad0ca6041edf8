"""Where the rows of a table are: in memory, or in a file that is read in pieces.

A `Table` asks its source, whichever it is: for some columns of all rows and whole rows to learn from (`read`), then for
the inputs that a fitted `Preprocessor` makes of the rows of each part (`inputs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from chainrule.files import as_path
from chainrule.tables.cells import coded
from chainrule.tables.large import HEAD, FileSource, is_large
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.read import read_table

if TYPE_CHECKING:
    from pandas import DataFrame, Index

__all__ = ["InMemorySource", "TableSource", "open_source"]

Array = np.ndarray[Any, Any]


class TableSource(Protocol):
    """Where the rows of a `Table` are. ``len(source)`` is their number, a `TypeError` where it is not known."""

    @property
    def head(self) -> DataFrame:
        """The first rows, with all columns; of rows in memory all of them."""

    @property
    def in_memory(self) -> bool:
        """Whether all rows are in memory."""

    @property
    def frame(self) -> DataFrame:
        """All rows, as they were read; a `DataError` where they are not in memory."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how it is read, as sentences."""

    def __len__(self) -> int: ...

    def read(self, columns: Sequence[str]) -> tuple[DataFrame, DataFrame]:
        """Return at least these columns of all rows, and whole rows to learn from: all of them, or a sample.

        Both are indexed by the numbers of the rows in the table.
        """

    def beside(self, rows: Index) -> DataFrame:
        """Return whole rows, those with these numbers if they are at hand, to see how the file is written."""

    def inputs(
        self, preparation: Preprocessor, parts: Sequence[Array], whole_rows: DataFrame
    ) -> Iterator[Array | None]:
        """Yield for each part the inputs of the rows with these numbers, None for an empty part.

        ``whole_rows`` are those that `read` gave, which need not be read again.
        """


@dataclass(frozen=True, eq=False)
class InMemorySource:
    """The rows of a data frame."""

    frame: DataFrame

    @property
    def head(self) -> DataFrame:
        """All rows."""
        return self.frame

    @property
    def in_memory(self) -> bool:
        """Whether all rows are in memory: they are."""
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing is to be said."""
        return ()

    def __len__(self) -> int:
        return len(self.frame)

    def read(self, columns: Sequence[str]) -> tuple[DataFrame, DataFrame]:
        """Return all columns of all rows, twice; the second time with each different text of a column once."""
        return self.frame, coded(self.frame)

    def beside(self, rows: Index) -> DataFrame:
        """Return the rows with these numbers."""
        return self.frame.loc[rows]

    def inputs(
        self, preparation: Preprocessor, parts: Sequence[Array], whole_rows: DataFrame
    ) -> Iterator[Array | None]:
        """Yield the inputs of each part, None for an empty one."""
        for rows in parts:
            yield preparation(whole_rows.iloc[rows]) if len(rows) else None


def open_source(data: Any, *, encoding: str | None = None, separator: str | None = None) -> TableSource:
    """Return the rows of a file or a data frame: in memory, unless the file is too large for that (`is_large`)."""
    if is_large(data):
        head = read_table(data, nrows=HEAD, encoding=encoding, separator=separator)
        return FileSource(as_path(data), head, encoding, separator)
    return InMemorySource(read_table(data, encoding=encoding, separator=separator))
