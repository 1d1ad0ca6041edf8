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
    data : targets and weights (steps, batch, …); inputs likewise, or as they lie, (n, …), if there is an order
    order : for each step the rows of its inputs, (steps, batch), or None
    steps : how many steps to run; there may be room for more

    Samples that only fill a batch up have the weight 0.
    """

    data: Batch
    order: Array | None
    steps: int


class Feed(Protocol):
    """Training data, epoch by epoch."""

    samples: int
    batch_size: int

    def epoch(self, number: int) -> Iterator[Piece]:
        """The pieces of an epoch (from 1), in an order that follows from the run's key and the number alone."""
        ...


class Resident:
    """Training data whose inputs lie where the engine works, as a whole; an epoch is an order of their rows."""

    def __init__(self, data: Batch, batch_size: int, key: Array, engine: Engine) -> None:
        self.samples, self.batch_size = len(data.x), min(batch_size, len(data.x))
        self.key, self.engine = key, engine
        self.x, self.y, self.weight = engine.place(data.x), data.y, data.weight

    def epoch(self, number: int) -> Iterator[Piece]:
        order = batches(batch_order(random.fold_in(self.key, number), self.samples), self.batch_size)
        y, weight = self.y[order], self.weight[order]
        weight.reshape(-1)[self.samples :] = 0.0
        order, y, weight = self.engine.place((order, y, weight))
        yield Piece(Batch(self.x, y, weight), order, len(order))


def batch_of(piece: Piece, step: int, engine: Engine) -> Batch:
    """The samples of one step of a piece, as NumPy arrays."""
    x, y, weight = piece.data
    x = x[step] if piece.order is None else x[piece.order[step]]
    return Batch(*engine.fetch((x, y[step], weight[step])))


def blocks_of(data: Batch, size: int = EVALUATION_BLOCK) -> Batch:
    """Data cut into blocks for evaluation, (blocks, size, …); the last one is filled up with weight 0."""
    n = len(data.x)
    size = min(size, n)
    count = -(-n // size)
    filled = Batch(*(np.resize(a, (count * size, *a.shape[1:])) if n % size else a for a in data))
    weight = np.where(np.arange(count * size) < n, filled.weight, 0).astype(data.weight.dtype)
    return Batch(*(a.reshape(count, size, *a.shape[1:]) for a in filled._replace(weight=weight)))
