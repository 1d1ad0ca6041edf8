"""A few moments of a run that are kept, so that it can be looked at when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import stratified_split
from chainrule.data.rows import Rows
from chainrule.recipe.state import State
from chainrule.recipe.step import Batch

#: So many rows are kept, or fewer where they would take more bytes.
ROWS, BYTES = 256, 1 << 26

#: Rows of a file are read in so many stretches.
STRETCHES = 8


@dataclass(frozen=True, eq=False)
class Recordings:
    """What a run keeps of itself, as NumPy arrays: three moments, and some of its rows.

    Nothing is measured for it while the run trains.

    Attributes
    ----------
    first : the state before the first step
    early : the state after the first epoch; None where that is missing: of a run that went on from a later checkpoint,
        of a member of a population, or where there was no memory for it
    last : the state after the last step, with the optimizer's moments; of a run that diverged, that before the step in
        which a value was not finite (of a member of a population, before that epoch)
    rows : at most 256 training rows, drawn at random, as the network gets them
    held_out : likewise of the validation rows; None where there are none
    nonfinite : of a run that diverged, the layer where a value was first not finite, where that is known

    >>> import chainrule as cr
    >>> run = cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, progress=False)
    >>> recordings = run.recordings
    >>> recordings.first.step, recordings.early.step, recordings.last.step, recordings.rows.x.shape
    (0, 5, 10, (150, 4))
    """

    first: State
    early: State | None
    last: State
    rows: Batch
    held_out: Batch | None = None
    nonfinite: str = ""


def some_rows(
    data: Batch, most: int = ROWS, key: Any = 0, *, most_bytes: int = BYTES, stratify: bool = False
) -> tuple[np.ndarray, Batch]:
    """Return the numbers of some rows of data, in rising order, and these rows; of a file some stretches.

    Parameters
    ----------
    most, most_bytes : so many rows, or fewer where their inputs would take more bytes; one at least
    key : what the draw follows from, a seed; with ``stratify`` a key of `chainrule.random`
    stratify : draw them in proportion to the classes
    """
    n = len(data.x)
    row_bytes = max(1, int(np.prod(data.x.shape[1:])) * data.x.dtype.itemsize)
    size = min(n, max(1, min(most, most_bytes // row_bytes)))
    if isinstance(data.x, Rows):
        at, x = _stretches(data.x, size)
    else:
        if size == n:
            at = np.arange(n)
        elif stratify:
            at = stratified_split(data.y, size / n, key)[1]
        else:
            at = np.sort(np.random.default_rng(key).choice(n, size, replace=False))
        x = np.asarray(data.x[at])
    return at, Batch(x, np.asarray(data.y)[at], np.asarray(data.weight)[at])


def _stretches(rows: Rows, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of some rows of a file, and the rows."""
    length = -(-size // STRETCHES)
    starts = np.unique(np.linspace(0, max(0, len(rows) - length), STRETCHES).astype(int) // length * length)
    parts = [(start, min(start + length, len(rows))) for start in starts.tolist()]
    at = np.concatenate([np.arange(*part) for part in parts])
    return at, np.concatenate([rows.read(*part) for part in parts])
