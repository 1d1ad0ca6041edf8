"""Tables that are large for this machine's memory: read in pieces, twice.

The first pass keeps the target and the columns by which the rows are split, of all rows, and a sample of whole rows,
drawn by lot. What the columns are, and what is learnt of them, is inferred from the training rows of the sample; the
split is that of a table in memory. The second pass prepares the rows and writes them to scratch files, in the order of
the table, which are then mapped into memory: `fit` streams such inputs. Targets stay in memory.

The scratch files lie in the cache folder and have no name, so that the system removes them when they are no longer
used, however the run ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import DataError, FileError
from chainrule.files import as_path, cache_folder
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.read import is_table, read_chunks

if TYPE_CHECKING:
    from pandas import DataFrame, Index

__all__ = ["FileSource", "is_large"]

Array = np.ndarray[Any, Any]

#: A file is large if its text takes more than this fraction of the machine's memory: as a data frame it takes several
#: times as much.
LARGE_FRACTION = 0.1

#: A compressed file or Parquet file is taken for so many times its size.
COMPRESSION = 5

#: The bytes of memory of a machine whose system does not tell.
USUAL_MEMORY = 2**33

#: The sample has at most so many rows, and cells; and so many cells are read at once.
SAMPLE, SAMPLE_CELLS, CHUNK_CELLS = 200_000, 20_000_000, 1_000_000

#: Rows that tell the columns of the file.
HEAD = 100


def is_large(source: Any) -> bool:
    """Return whether a source is the path of a table that is large for this machine's memory.

    >>> is_large("people.csv")  # there is no such file
    False
    """
    if not isinstance(source, str | os.PathLike) or not is_table(os.fspath(source)):
        return False
    try:
        size = as_path(source).stat().st_size
    except (OSError, ValueError):
        return False
    compressed = str(source).lower().endswith((".gz", ".parquet", ".pq"))
    return size * (COMPRESSION if compressed else 1) > LARGE_FRACTION * _memory()


@dataclass(frozen=True, eq=False)
class FileSource:
    """The rows of a file, read in pieces; see `chainrule.tables.source.TableSource`.

    Attributes
    ----------
    path : the file
    head : its first rows
    encoding, separator : of its text, where they cannot be inferred
    """

    path: Path
    head: DataFrame
    encoding: str | None = None
    separator: str | None = None

    @property
    def in_memory(self) -> bool:
        """Whether all rows are in memory: they are not."""
        return False

    @property
    def frame(self) -> DataFrame:
        """Not to be had: only the first rows are in memory."""
        raise DataError(
            f"{self.path.name} is large for this machine's memory, so it is read in pieces; folds and other choices of "
            "rows need all of them in memory. Take a sample of its rows as a data frame, train on one split of it with "
            "fit, or evaluate it with chainrule evaluate."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """That it is read in pieces, and what follows from that."""
        return (
            f"{self.path.name} is large for this machine's memory, so it is read in pieces while it trains. Rows from "
            "distant places of the file do not mix: shuffle it once if it is sorted by class or time.",
        )

    def __len__(self) -> int:
        raise TypeError(f"How many rows {self.path} has is not known before it is read.")

    def __bool__(self) -> bool:
        return True

    def read(self, columns: Sequence[str]) -> tuple[DataFrame, DataFrame]:
        """Return some columns of all rows; and a sample of whole rows, which is halved by lot whenever it is
        too large.
        """
        import pandas as pd

        most = min(SAMPLE, max(1, SAMPLE_CELLS // len(self.head.columns)))
        rng, fraction = np.random.default_rng(0), 1.0
        narrow: list[DataFrame] = []
        sample: list[tuple[DataFrame, Array]] = []
        for _, frame in self._chunks():
            narrow.append(frame[[*columns]].copy())
            lots = rng.random(len(frame))
            sample.append((frame[lots < fraction], lots[lots < fraction]))
            while sum(len(lots) for _, lots in sample) > most:
                fraction /= 2
                sample = [(rows[lots < fraction], lots[lots < fraction]) for rows, lots in sample]
        whole, whole_rows = pd.concat(narrow), pd.concat([rows for rows, _ in sample])
        for frame in (whole, whole_rows):
            frame.attrs.update(self.head.attrs)
        return whole, whole_rows

    def beside(self, rows: Index) -> DataFrame:
        """Return the first rows of the file."""
        return self.head

    def inputs(
        self, preparation: Preprocessor, parts: Sequence[Array], whole_rows: DataFrame
    ) -> Iterator[Array | None]:
        """Yield the inputs of each part, mapped into memory from a scratch file.

        The numbers of the rows are in rising order. The file is read once more: the sample has not all of its rows.
        """
        # A piece of a column in which nothing can be read is no reason to stop: its other pieces may be fine.
        preparation = replace(preparation, lenient=preparation.inputs)
        columns = [column for column in preparation.columns if column.use]
        folder, width = cache_folder(), len(preparation.feature_names)
        with contextlib.ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                files = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in parts]
                for start, frame in self._chunks():
                    for rows, file in zip(parts, files, strict=True):
                        low, high = np.searchsorted(rows, (start, start + len(frame)))
                        if low < high:
                            piece = frame.iloc[rows[low:high] - start]
                            file.write(preparation(piece, columns).tobytes())
                for file in files:
                    file.flush()
            except OSError as error:
                size = 4e-9 * width * sum(map(len, parts))
                raise FileError(
                    f"Could not write the prepared rows of {self.path} to {folder}: {error.strerror or error}. They "
                    f"take {size:.1f} GB; XDG_CACHE_HOME names another place for them."
                ) from None
            for rows, file in zip(parts, files, strict=True):
                yield np.memmap(file, np.float32, "r", shape=(len(rows), width)) if len(rows) else None

    def _chunks(self) -> Iterator[tuple[int, DataFrame]]:
        """Yield the rows, some at a time, with the number of the first."""
        start = 0
        rows = max(1, min(65_536, CHUNK_CELLS // len(self.head.columns)))
        for frame in read_chunks(self.path, rows, encoding=self.encoding, separator=self.separator):
            yield start, frame.set_axis(range(start, start + len(frame)))
            start += len(frame)


def _memory() -> int:
    """Return the bytes of memory that this machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return USUAL_MEMORY
