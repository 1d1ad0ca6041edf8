"""Samples that stay in a file until they are needed: read a stretch of rows at a time."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.check import check_finite, float_dtype, kind_of, to_float
from chainrule.errors import DataError, FileError

Array = NDArray[Any]

#: Numbers read and converted at once (float32: 1 MB, so that they stay in the cache).
CHUNK = 2**18


class Rows:
    """The rows of a table or the images of a set, (n, …), wherever they are.

    Attributes
    ----------
    shape : (n, features), or (n, height, width, channels)
    dtype : of what `read` gives: float32 or float64
    pixels : whether they are stored as unsigned bytes
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixels: bool = False

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Array) -> Rows:
        """Return some of the rows: their numbers, in rising order."""
        return Chosen(self, rows)

    def read(self, start: int, stop: int) -> Array:
        """Return the rows from ``start`` to before ``stop``, as finite floating numbers; others are a `DataError`."""
        raise NotImplementedError

    def stretches(self, values: int = CHUNK) -> Iterator[tuple[int, int]]:
        """Yield where to begin and end so as to read everything, about so many values at a time."""
        step = max(1, values // math.prod(self.shape[1:]))
        for start in range(0, len(self), step):
            yield start, min(start + step, len(self))


class Source(Rows):
    """Rows as they are stored. A source defines `stored`; reading turns that into numbers and checks them."""

    name = "x"
    columns: list[str] | None = None

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if len(shape) < 2 or 0 in shape:
            raise DataError(
                f"{self.name} has shape {shape}; expected at least one sample in rows: (n, features), or (n, height, "
                "width, channels)."
            )
        if dtype.kind not in "biuf":
            raise DataError(f"{self.name} holds {kind_of(dtype)}; expected numbers.")
        self.shape, self.dtype = shape, np.dtype(float_dtype(dtype))
        self.pixels = dtype == np.uint8

    def stored(self, start: int, stop: int) -> Array:
        """Return the rows as they are stored."""
        raise NotImplementedError

    def read(self, start: int, stop: int) -> Array:
        rows = to_float(self.stored(start, stop), self.name, self.columns)
        check_finite(rows, self.name, self.columns, start)
        return rows


class ArrayRows(Source):
    """Rows of an array; of a memory-mapped one, the pages that were read do not stay in memory."""

    def __init__(self, array: Array) -> None:
        super().__init__(array.shape, array.dtype)
        self.array = array
        mapped = getattr(array, "_mmap", None)
        # A page of a copy-on-write mapping may hold what the user has written to it and nobody else has.
        self.mapped = mapped if hasattr(mapped, "madvise") and getattr(array, "mode", "c") != "c" else None

    def stored(self, start: int, stop: int) -> Array:
        rows = np.array(self.array[start:stop], subok=False)
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_DONTNEED)
        return rows


class NpyRows(Source):
    """Rows of the array in an ``.npy`` file, read from the file and not mapped: a mapping's pages count as memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        shape, by_column, dtype, self.offset = _header(path)
        if dtype.hasobject:
            raise FileError(
                f"{path} holds Python objects, which are never loaded. Save numbers: np.save(path, x.astype('float32'))"
            )
        if by_column and len(shape) > 1:
            raise FileError(
                f"{path} is stored column by column (Fortran order), and samples are read row by row. Save it as "
                "np.save(path, np.ascontiguousarray(x))."
            )
        super().__init__(shape, dtype)
        self.kind, self.row = dtype, math.prod(shape[1:])
        needed, size = self.offset + shape[0] * self.row * dtype.itemsize, path.stat().st_size
        if size < needed:
            raise FileError(f"{path} is truncated: an array of shape {shape} takes {needed:,} bytes, it has {size:,}.")

    def stored(self, start: int, stop: int) -> Array:
        count, offset = (stop - start) * self.row, self.offset + start * self.row * self.kind.itemsize
        try:
            values = np.fromfile(self.path, self.kind, count, offset=offset)
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}.") from None
        if len(values) < count:
            raise FileError(f"{self.path} has become shorter while it was read.")
        return values.reshape(stop - start, *self.shape[1:])


class Chosen(Rows):
    """Some rows of others, in rising order."""

    def __init__(self, rows: Rows, at: Array) -> None:
        self.rows, self.at = rows, at
        self.shape, self.dtype, self.pixels = (len(at), *rows.shape[1:]), rows.dtype, rows.pixels
        self.reach = max(1, CHUNK // math.prod(self.shape[1:]))

    def read(self, start: int, stop: int) -> Array:
        at = self.at[start:stop]
        values = np.empty((len(at), *self.shape[1:]), self.dtype)
        i = 0
        while i < len(at):  # a bounded stretch of the file at a time, and none where no row is chosen
            j = int(np.searchsorted(at, at[i] + self.reach))
            values[i:j] = self.rows.read(int(at[i]), int(at[j - 1]) + 1)[at[i:j] - at[i]]
            i = j
        return values


class Ready(Rows):
    """Rows as a network takes them: what ``finish`` makes of a stretch of them, in the network's precision."""

    def __init__(self, rows: Rows, finish: Callable[[Array], Array], dtype: Any) -> None:
        self.rows, self.finish = rows, finish
        self.shape, self.dtype = rows.shape, np.dtype(dtype)
        self.step = max(1, CHUNK // math.prod(self.shape[1:]))

    def read(self, start: int, stop: int) -> Array:
        values = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for i in range(start, stop, self.step):
            j = min(i + self.step, stop)
            values[i - start : j - start] = self.finish(self.rows.read(i, j))
        return values


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read shape, whether columns come first, kind of number, and where the values begin, of an ``.npy`` file."""
    if not path.is_file():
        kind = "is a folder" if path.exists() else "does not exist"
        raise FileError(f"{path} {kind}; expected an .npy file.")
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(0)
            if start[:2] == b"PK":
                raise FileError(
                    f"{path} is an .npz archive, from which single rows cannot be read. Save the array by itself: "
                    "np.save('x.npy', x); or load everything: cr.data.load(path)."
                )
            if start[:6] != b"\x93NUMPY":
                raise FileError(
                    f"{path} is not an .npy file: expected it to start with 93 4e 55 4d 50 59, found "
                    f"{start[:6].hex(' ') or 'an empty file'}. Write it with np.save(path, x)."
                )
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            return (*read(file), file.tell())
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path} has a damaged header: {error}") from None
