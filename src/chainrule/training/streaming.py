"""Data that is read from a file while it is used: for training in random order, for evaluation as it comes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data.rows import Rows
from chainrule.engine import Engine
from chainrule.errors import SettingError
from chainrule.recipe.memory import fitting_data
from chainrule.recipe.step import Batch
from chainrule.training.loader import BLOCK_BYTES, EVALUATION_BLOCK, Chunk, blocks_of, prefetch

Array = Any


class StreamingLoader:
    """Training data whose inputs are read from a file, a block at a time, while the one before is trained on.

    A block is a stretch of the file; all have the same number of rows, but the last may be shorter. The blocks of an
    epoch come in random order. Within a block of K full batches, sample j of every batch comes from lane j, the rows jK
    to (j + 1)K - 1, each lane in a random order of its own; rows left over make the last, short batch. So a share of
    the columns of all batches needs one stretch of the file only, and what a batch consists of depends on the key, the
    epoch, and the sizes of data, batch and block alone.

    Parameters
    ----------
    data : ``x`` is `Rows`, ready for the network; targets and weights are arrays
    share : (index, count): read and give only the index-th of count equal shares of every batch; None: this process's
    block_bytes : of the inputs of a block, which has one batch at least
    """

    def __init__(
        self,
        data: Batch,
        batch_size: int,
        key: Array,
        engine: Engine,
        share: tuple[int, int] | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.samples, self.batch_size = len(data.x), min(batch_size, len(data.x))
        self.data, self.key, self.engine = data, key, engine
        columns = engine.local(self.batch_size)
        if share is not None:
            index, count = share
            if self.batch_size % count:
                raise SettingError(f"A batch of {self.batch_size} samples cannot be shared equally by {count}.")
            columns = slice(self.batch_size * index // count, self.batch_size * (index + 1) // count)
        self.first, self.last = columns.start or 0, columns.stop
        #: Steps that a block has room for.
        self.steps = max(
            1, min(block_bytes // (self.batch_size * row_bytes(data.x)), -(-self.samples // self.batch_size))
        )

        self.shuffled = f"blocks of {self.steps} batches"

    def epoch(self, number: int, skip: int = 0) -> Iterator[Chunk]:
        return prefetch(self._chunks(random.fold_in(self.key, number), skip))

    def _chunks(self, key: Array, skip: int) -> Iterator[Chunk]:
        rows, before = self.steps * self.batch_size, 0
        for i in random.permutation(key, -(-self.samples // rows)).tolist():
            start, stop = i * rows, min((i + 1) * rows, self.samples)
            steps = -(-(stop - start) // self.batch_size)
            if before + steps > skip:
                yield self._chunk(random.fold_in(key, i), start, stop)._replace(before=before)
            before += steps

    def _chunk(self, key: Array, start: int, stop: int) -> Chunk:
        """Return the batches of the rows from ``start`` to before ``stop``."""
        full, rest = divmod(stop - start, self.batch_size)
        shape = (self.steps, self.last - self.first)
        x, y, weight = (np.zeros((*shape, *a.shape[1:]), a.dtype) for a in self.data)
        rows = np.full(shape, -1)
        if full:
            low, high = start + self.first * full, start + self.last * full
            within = np.argsort(random.bits(key, (self.batch_size, full)), axis=1)[self.first : self.last]
            order = (within + full * np.arange(len(within))[:, None]).T  # positions from the row ``low`` on
            # "clip" (no position is outside) lets it write to x itself, which "raise" would not.
            np.take(self.data.x.read(low, high), order, axis=0, out=x[:full], mode="clip")
            y[:full], weight[:full] = self.data.y[low:high][order], self.data.weight[low:high][order]
            rows[:full] = low + order
        if rest:
            at = np.resize(np.arange(rest), self.batch_size)[self.first : self.last]  # filled up with the same rows
            low = stop - rest
            x[full] = self.data.x.read(low, stop)[at]
            y[full], weight[full] = self.data.y[low:stop][at], self.data.weight[low:stop][at]
            present = max(0, rest - self.first)
            weight[full, present:] = 0.0
            rows[full, :present] = low + at[:present]
        return Chunk(self.engine.put(Batch(x, y, weight), sharded=True), None, full + (rest > 0), rows=rows)


class StreamedBlocks:
    """Data for evaluation that is read from a file, as many placed blocks at a time, whenever it is iterated over."""

    def __init__(self, data: Batch, engine: Engine, block_bytes: int = BLOCK_BYTES) -> None:
        self.data, self.engine = data, engine
        self.size = -(-min(EVALUATION_BLOCK, len(data.x)) // engine.shards) * engine.shards
        self.count = max(1, min(block_bytes // (self.size * row_bytes(data.x)), -(-len(data.x) // self.size)))

    def __len__(self) -> int:
        return -(-len(self.data.x) // (self.size * self.count))

    def __iter__(self) -> Iterator[Batch]:
        return prefetch(self._parts())

    def _parts(self) -> Iterator[Batch]:
        x, y, weight = self.data
        rows = self.size * self.count
        for start in range(0, len(x), rows):
            stop = min(start + rows, len(x))
            part = Batch(x.read(start, stop), y[start:stop], weight[start:stop])
            yield _put(blocks_of(part, self.size, self.count), self.engine)


def evaluated(data: Batch, engine: Engine) -> Iterable[Batch]:
    """Return data as blocks for evaluation: placed once where it is in memory or small, else read each time."""
    if not isinstance(data.x, Rows):
        with fitting_data(data.x):
            return [_put(blocks_of(data, shards=engine.shards), engine)]
    blocks = StreamedBlocks(data, engine)
    return blocks if len(blocks) > 1 else list(blocks)


def row_bytes(rows: Any) -> int:
    """Return the size of one row."""
    return math.prod(rows.shape[1:]) * rows.dtype.itemsize


def _put(blocks: Batch, engine: Engine) -> Batch:
    columns = engine.local(blocks.x.shape[1])
    placed: Batch = engine.put(Batch(*(a[:, columns] for a in blocks)), sharded=True)
    return placed
