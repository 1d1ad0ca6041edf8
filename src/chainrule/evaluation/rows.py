"""Some of the rows of whatever holds them: an array, rows in a file, or a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.data import Stream
from chainrule.data.rows import Rows

#: Numbers that are worked on at once.
BLOCK = 2**22


def opened(x: Any) -> Any:
    """Return the rows themselves, of a stream too."""
    return x.x if isinstance(x, Stream) else x


def take(x: Any, rows: np.ndarray) -> Any:
    """Return the rows with these numbers, which are in rising order."""
    if isinstance(x, Rows):
        return x[rows].read(0, len(rows))
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def blocks(x: Any, values: int) -> Iterator[tuple[int, int]]:
    """Where blocks begin and end, for rows that need so many numbers each."""
    step = max(1, BLOCK // max(1, values))
    for start in range(0, len(x), step):
        yield start, min(start + step, len(x))


def stretch(x: Any, start: int, stop: int) -> Any:
    """Return the rows from ``start`` to before ``stop``."""
    if isinstance(x, Rows):
        return x.read(start, stop)
    return x.iloc[start:stop] if hasattr(x, "iloc") else x[start:stop]


def matrix(model: Any, ready: Any, more: np.ndarray | None = None) -> Any:
    """Return inputs as `Model.prepare` gives them, as a matrix; each code of an embedded category as a column of its
    own.

    ``more`` are further columns.
    """
    flat = np.asarray(stretch(ready, 0, len(ready))).reshape(len(ready), -1)
    embedded = getattr(getattr(model, "preparation", None), "embedded", ())
    if not embedded:
        return flat if more is None else np.hstack([flat, more])
    from scipy import sparse

    plain = flat.shape[1] - len(embedded)
    parts = [sparse.csr_matrix(flat[:, :plain])]
    for column, (_, size) in enumerate(embedded, plain):
        codes = np.clip(flat[:, column].astype(np.intp), 0, size - 1)
        ones = np.ones(len(codes), flat.dtype)
        parts.append(sparse.csr_matrix((ones, (np.arange(len(codes)), codes)), (len(codes), size)))
    if more is not None:
        parts.append(sparse.csr_matrix(more))
    return sparse.hstack(parts, "csr")


def width(model: Any) -> int:
    """Return columns of `matrix`."""
    embedded = getattr(getattr(model, "preparation", None), "embedded", ())
    return math.prod(model.input_shape) + sum(size - 1 for _, size in embedded)
