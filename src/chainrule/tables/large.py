"""Tables that are large for this machine's memory: read in pieces, twice.

The first pass keeps the target and the columns by which the rows are split, of all rows, and a sample of whole rows,
drawn by lot. What the columns are, and what is learnt of them, is told from the training rows of the sample; the split
is that of `Table.prepare`. The second pass prepares the rows and writes them to scratch files, in the order of the
table, which are then mapped into memory: `fit` streams such inputs. Targets stay in memory.

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
from chainrule.tables.preparation import Preprocessor
from chainrule.tables.read import is_table, read_chunks
from chainrule.tables.split import Split
from chainrule.tables.table import SPLIT_NAMES, PreparedTable, SplitSpec, Table
from chainrule.tables.target import TargetColumn, target_column

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["LargeTable", "is_large"]

Array = np.ndarray[Any, Any]

#: A file is large if its text takes more than this share of the machine's memory: as a data frame it takes several
#: times as much. A compressed file or Parquet file is taken for so many times its size, and where a system does not
#: tell its memory, it is taken for so many bytes.
SHARE, PACKED, MEMORY = 0.1, 5, 2**33

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
    packed = str(source).lower().endswith((".gz", ".parquet", ".pq"))
    return size * (PACKED if packed else 1) > SHARE * _memory()


@dataclass(frozen=True, eq=False)
class LargeTable(Table):
    """A `Table` whose rows stay in its file; `frame` holds the first ones only. `Table.read` gives it.

    Attributes
    ----------
    path : the file
    encoding, separator : of its text, where they cannot be told
    """

    path: Path = Path()
    encoding: str | None = None
    separator: str | None = None

    def pair(self) -> tuple[DataFrame, Any]:
        """Not to be had: only the first rows are in memory."""
        raise DataError(f"{self.name} is read in pieces: evaluate it with chainrule evaluate, or some of its rows.")

    def __len__(self) -> int:
        raise TypeError(f"How many rows {self.path} has is not known before it is read.")

    def _others(self, rows: Any, frame: DataFrame) -> DataFrame:
        """Return the first rows of the file, with all columns."""
        return self.frame.drop(columns=self.target)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"LargeTable({self.name!r}: {len(self.frame.columns):,} columns, target {self.target!r})"

    def _prepare(
        self, division: SplitSpec, components: int | float | None, preparation: Preprocessor | None, key: Any
    ) -> PreparedTable:
        """As of a table in memory; the inputs are memory-mapped, and ``features`` is None."""
        asked = [target_column(self.frame.columns, name, what="column") for name in division.columns]
        names = [n for n in self.frame.columns if n in (self.target, *asked) or n.strip().lower() in SPLIT_NAMES]
        narrow, sample = self._first_pass(names)
        notes = [
            f"{self.path.name} is large for this machine's memory, so it is read in pieces while it trains. Rows from "
            "distant places of the file do not mix: shuffle it once if it is sorted by class or time."
        ]
        target = None if preparation is None else preparation.target
        target, found, kept, rows = self._divide(narrow, division, key, notes, target)
        at, parts = kept.index.to_numpy(), (rows.train, rows.validation, rows.test)
        place = kept.index.get_indexer(sample.index)  # of each row of the sample among those with a target
        sample, place = sample[place >= 0], place[place >= 0]
        sample = sample.drop(columns=[name for name in names if name not in kept.columns])
        train, validation, test = (np.flatnonzero(np.isin(place, part)) for part in parts)
        looked_at = Split(train, validation, test)
        if len(sample) < len(kept):
            notes.append(
                f"The columns are told from {len(looked_at.train):,} of the {len(rows.train):,} training rows, drawn "
                "by lot, and so are leaks and rows that occur twice."
            )
        preparation = self._learn(sample, looked_at, found[place], target, preparation, components, notes)
        inputs = self._second_pass(preparation, [at[part] for part in parts])
        data = self._dataset(inputs, found, rows, preparation, notes)
        return PreparedTable(data, preparation.columns, rows, None, data.notes, len(looked_at.train))

    def prepare_rows(self, *_: Any, **__: Any) -> PreparedTable:
        """Not for a table that stays in its file."""
        raise self._not_in_memory()

    def targets(self, *_: Any, **__: Any) -> tuple[TargetColumn, Array, Array]:
        """Not for a table that stays in its file."""
        raise self._not_in_memory()

    def _not_in_memory(self) -> DataError:
        return DataError(
            f"{self.path.name} is large for this machine's memory, and folds and other choices of rows need the table "
            "in memory. Take a sample of its rows as a data frame, or train on one split of it with fit."
        )

    def _chunks(self) -> Iterator[tuple[int, DataFrame]]:
        """The rows, some at a time, with the number of the first."""
        start = 0
        rows = max(1, min(65_536, CHUNK_CELLS // len(self.frame.columns)))
        for frame in read_chunks(self.path, rows, encoding=self.encoding, separator=self.separator):
            yield start, frame.set_axis(range(start, start + len(frame)))
            start += len(frame)

    def _first_pass(self, names: list[str]) -> tuple[DataFrame, DataFrame]:
        """Return some columns of all rows; and a sample of whole rows, which is halved by lot whenever it is
        too large.
        """
        import pandas as pd

        most = min(SAMPLE, max(1, SAMPLE_CELLS // len(self.frame.columns)))
        rng, share = np.random.default_rng(0), 1.0
        narrow: list[DataFrame] = []
        sample: list[tuple[DataFrame, Array]] = []
        for _, frame in self._chunks():
            narrow.append(frame[names].copy())
            lot = rng.random(len(frame))
            sample.append((frame[lot < share], lot[lot < share]))
            while sum(len(lots) for _, lots in sample) > most:
                share /= 2
                sample = [(some[lots < share], lots[lots < share]) for some, lots in sample]
        found = pd.concat(narrow), pd.concat([some for some, _ in sample])
        for whole in found:
            whole.attrs.update(self.frame.attrs)
        return found

    def _second_pass(self, preparation: Preprocessor, parts: Sequence[Array]) -> Iterator[Array | None]:
        """The inputs of the rows with these numbers in the file, in rising order, for each part."""
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


def _memory() -> int:
    """Return the bytes of memory that this machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return MEMORY
