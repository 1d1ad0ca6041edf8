"""What does not fit in memory, and what would."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from chainrule import tree
from chainrule.errors import DataError, SettingError

Array = Any


@contextlib.contextmanager
def fitting_data(x: Array) -> Iterator[None]:
    """Inside, data is put where the engine works; if there is no room for it, the error says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise DataError(
            f"The data does not fit in the memory of the device: x of shape {tuple(x.shape)} takes {_size(x.nbytes)}. "
            "Read it from a file while it trains: np.save('x.npy', x), then "
            "cr.fit(net, cr.data.stream('x.npy', y), ...)."
        ) from error


@contextlib.contextmanager
def fitting_step(params: Any, batch_size: int, micro_batches: int) -> Iterator[None]:
    """Inside, steps are run; if there is no room for what they compute, the error says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        smaller = max(1, batch_size // 2)
        raise SettingError(
            f"A training step does not fit in the memory of the device, with batches of {batch_size} samples and "
            f"{_size(sum(leaf.nbytes for leaf in tree.leaves(params)))} of parameters. Try micro_batches="
            f"{2 * micro_batches} (the same result, a part of the batch at a time) or batch_size={smaller}; if it is "
            "the data that takes the memory, cr.fit(net, cr.data.stream('x.npy', y), ...) reads it from a file."
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Whether NumPy or JAX (whose error is a RuntimeError) had no room."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()


def _size(count: float) -> str:
    """A number of bytes in words.

    >>> _size(3_932_160_000)
    '3.9 GB'
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
