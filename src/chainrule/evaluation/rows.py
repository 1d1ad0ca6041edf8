"""Some of the rows of whatever holds them, and inputs as the matrix that a linear model takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.data import Stream
from chainrule.data.rows import Rows
from chainrule.models import Model


def take(x: Any, rows: np.ndarray) -> Any:
    """Return the rows with these numbers, which are in rising order, of an array, a table, or a file."""
    x = x.x if isinstance(x, Stream) else x
    if isinstance(x, Rows):
        return x[rows].read(0, len(rows))
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def matrix(model: Model, ready: Any, more: np.ndarray | None = None) -> Any:
    """Return inputs as `Model.prepare` gives them, as a matrix; each code of an embedded category is a column.

    ``more`` are further columns.
    """
    flat = np.asarray(ready.read(0, len(ready)) if isinstance(ready, Rows) else ready).reshape(len(ready), -1)
    embedded = _embedded(model)
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


def width(model: Model) -> int:
    """Return the number of columns of `matrix`."""
    return math.prod(model.input_shape) + sum(size - 1 for _, size in _embedded(model))


def _embedded(model: Model) -> tuple[tuple[str, int], ...]:
    """Return the columns of categories that come as codes, the last ones, and how many codes each has."""
    return () if model.preparation is None else model.preparation.embedded
