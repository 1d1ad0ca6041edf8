"""How the samples of an epoch reach the program that trains on them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from chainrule import random
from chainrule.data import batch_order, batches
from chainrule.engine import Engine
from chainrule.recipe.memory import fitting_data
from chainrule.recipe.step import Batch

Array = Any

#: Samples evaluated at once: bounds the memory that activations take.
EVALUATION_BLOCK = 512

#: About so many bytes are put in order at once: large enough for few calls, small beside a computer's memory.
BLOCK_BYTES = 64 * 2**20


class Chunk(NamedTuple):
    """Some steps' samples where the engine works on them.

    Attributes
    ----------
    data : targets and weights (steps, batch, …); inputs likewise, or as they lie, (n, …), if there is an order
    order : for each step the rows of its inputs, (steps, batch), or None
    steps : how many steps to run; there may be room for more
    before : steps of the epoch that come before it
    rows : the numbers of the samples among the training data, (steps, batch), in NumPy's memory; -1 for those that only
        fill a batch up

    Samples that only fill a batch up have the weight 0.
    """

    data: Batch
    order: Array | None
    steps: int
    before: int = 0
    rows: np.ndarray | None = None


class Loader(Protocol):
    """Training data, epoch by epoch.

    ``shuffled`` says what is put in order, which is part of what the order depends on.
    """

    samples: int
    batch_size: int
    shuffled: str

    def epoch(self, number: int, skip: int = 0) -> Iterator[Chunk]:
        """Yield the chunks of an epoch (from 1), in an order that follows from the run's key and the number alone.

        Those that lie within the first ``skip`` steps, which are done, are left out.
        """
        ...


class InMemoryLoader:
    """Training data whose inputs lie where the engine works, as a whole; an epoch is an order of their rows.

    With several devices each has all inputs, and the order of its part of every batch.
    """

    shuffled = "all samples"

    def __init__(self, data: Batch, batch_size: int, key: Array, engine: Engine) -> None:
        self.samples, self.batch_size = len(data.x), min(batch_size, len(data.x))
        self.key, self.engine = key, engine
        with fitting_data(data.x):
            self.x, self.y, self.weight = engine.put(data.x), data.y, data.weight

    def epoch(self, number: int, skip: int = 0) -> Iterator[Chunk]:
        order = batches(batch_order(random.fold_in(self.key, number), self.samples), self.batch_size)
        y, weight = self.y[order], self.weight[order]
        weight.reshape(-1)[self.samples :] = 0.0
        rows = order.copy()
        rows.reshape(-1)[self.samples :] = -1
        order, y, weight = self.engine.put((order, y, weight), sharded=True)
        yield Chunk(Batch(self.x, y, weight), order, len(order), rows=rows)


class HostLoader:
    """Training data that is put in order on the host, some steps at a time, the next ones while these train.

    The order is that of `InMemoryLoader`. Each process of a run reads only its columns of every batch.
    """

    shuffled = "all samples"

    def __init__(
        self, data: Batch, batch_size: int, key: Array, engine: Engine, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self.samples, self.batch_size = len(data.x), min(batch_size, len(data.x))
        self.key, self.engine, self.data = key, engine, data
        self.columns = engine.local(self.batch_size)
        sample_bytes = sum(a.dtype.itemsize * int(np.prod(a.shape[1:])) for a in data) * (
            self.columns.stop - (self.columns.start or 0)
        )
        self.room = max(1, block_bytes // sample_bytes)  # steps in a block

    def epoch(self, number: int, skip: int = 0) -> Iterator[Chunk]:
        order = batches(batch_order(random.fold_in(self.key, number), self.samples), self.batch_size)
        counts = np.arange(order.size).reshape(order.shape) < self.samples
        yield from prefetch(self._chunks(order[:, self.columns], counts[:, self.columns], skip))

    def _chunks(self, order: np.ndarray, counts: np.ndarray, skip: int) -> Iterator[Chunk]:
        room = min(self.room, len(order))
        for first in range(skip // room * room, len(order), room):
            steps = min(room, len(order) - first)
            at = np.resize(order[first : first + steps], (room, order.shape[1]))  # all blocks have one shape
            x, y, weight = (a[at] for a in self.data)
            weight[:steps] *= counts[first : first + steps]
            rows = np.where(counts[first : first + steps], at[:steps], -1)
            yield Chunk(Batch(*self.engine.put((x, y, weight), sharded=True)), None, steps, first, rows)


def prefetch(chunks: Iterator[Any]) -> Iterator[Any]:
    """Make the next chunk in a thread while the one before it is used.

    An error while making one is raised when its turn comes. If the caller stops early, the thread ends with the chunk
    that it is at.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="chainrule-prefetch") as thread:
        coming = thread.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = thread.submit(next, chunks, None)
            yield chunk


def batch_of(chunk: Chunk, step: int, engine: Engine) -> Batch:
    """Return the samples of one step of a chunk, as NumPy arrays."""
    x, y, weight = chunk.data
    x = x[step] if chunk.order is None else x[chunk.order[step]]
    return Batch(*engine.fetch((x, y[step], weight[step])))


def blocks_of(data: Batch, size: int = EVALUATION_BLOCK, count: int | None = None, shards: int = 1) -> Batch:
    """Cut data into blocks for evaluation, (blocks, size, …), filled up with weight 0 (to ``count`` blocks if given).

    Their size is a multiple of ``shards``.
    """
    n = len(data.x)
    if count is None:
        size = -(-min(size, n) // shards) * shards
        count = -(-n // size)
    total = count * size
    filled = Batch(*(np.resize(a, (total, *a.shape[1:])) if n < total else a for a in data))
    weight = np.where(np.arange(total) < n, filled.weight, 0).astype(data.weight.dtype)
    return Batch(*(a.reshape(count, size, *a.shape[1:]) for a in filled._replace(weight=weight)))
