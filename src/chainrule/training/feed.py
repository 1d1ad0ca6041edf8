"""How the samples of an epoch reach the program that trains on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from chainrule import random
from chainrule.data import batch_order, batches
from chainrule.engine import Engine
from chainrule.training.step import Batch

Array = Any

#: Samples evaluated at once: bounds the memory that activations take.
EVALUATION_BLOCK = 512


class Piece(NamedTuple):
    """Some steps' samples where the engine works on them.

    Attributes
    ----------
    data : samples of shape (n, …) if there is an order, else (steps, batch, …)
    order : the samples of each step as positions in ``data``, (steps, batch), or None
    samples : how many of the positions, row by row, are samples; the rest fills the last batch up and does not count
    steps : number of steps
    """

    data: Batch
    order: Array | None
    samples: int
    steps: int


class Feed(Protocol):
    """Training data, epoch by epoch."""

    samples: int
    batch_size: int

    def epoch(self, number: int) -> Iterator[Piece]:
        """The pieces of an epoch (from 1), in an order that follows from the run's key and the number alone."""
        ...


class Resident:
    """Training data that lies where the engine works, as a whole; an epoch is an order of its rows."""

    def __init__(self, data: Batch, batch_size: int, key: Array, engine: Engine) -> None:
        self.samples, self.batch_size = len(data.x), min(batch_size, len(data.x))
        self.key, self.engine = key, engine
        self.data = engine.place(data)

    def epoch(self, number: int) -> Iterator[Piece]:
        order = batches(batch_order(random.fold_in(self.key, number), self.samples), self.batch_size)
        yield Piece(self.data, self.engine.place(order), self.samples, len(order))


def batch_of(piece: Piece, step: int, engine: Engine) -> Batch:
    """The samples of one step of a piece, as NumPy arrays."""
    if piece.order is None:
        return Batch(*(engine.fetch(a[step]) for a in piece.data))
    rows = engine.fetch(piece.order)[step]
    x, y, weight = (engine.fetch(a[rows]) for a in piece.data)
    here = step * len(rows) + np.arange(len(rows)) < piece.samples
    return Batch(x, y, weight * here)


def blocks_of(data: Batch, size: int = EVALUATION_BLOCK) -> Batch:
    """Data cut into blocks for evaluation, (blocks, size, …); the last one is filled up with weight 0."""
    n = len(data.x)
    size = min(size, n)
    count = -(-n // size)
    filled = Batch(*(np.resize(a, (count * size, *a.shape[1:])) if n % size else a for a in data))
    weight = np.where(np.arange(count * size) < n, filled.weight, 0).astype(data.weight.dtype)
    return Batch(*(a.reshape(count, size, *a.shape[1:]) for a in filled._replace(weight=weight)))
