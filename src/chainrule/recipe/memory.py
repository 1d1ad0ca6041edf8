"""What does not fit in memory, and what would."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from chainrule import tree
from chainrule.errors import DataError, SettingError
from chainrule.memory import check_memory, format_bytes, free_memory, is_out_of_memory

Array = Any


#: Weights that take fewer bytes are not counted: looking what is free takes time, too.
LARGE = 1 << 24

#: How often a network lies in memory while it trains: weights, gradients, two moments, and the weights that are kept.
COPIES = 5

#: What a network takes besides (its settings, its history, the order of its data), in bytes.
BESIDES = 10_000


def check_room(params: Any, networks: int = 1) -> None:
    """Raise `SettingError` if there is no room to train networks with so many weights."""
    weights = sum(leaf.nbytes for leaf in tree.leaves(params))
    if networks == 1 and weights < LARGE:
        return
    what = f"Training keeps {COPIES} copies of the weights, which take {format_bytes(weights)}"
    if networks > 1:
        what = f"{networks:,} networks" + (f" of {format_bytes(weights)} of weights each" if weights else "")
    check_memory(
        what,
        float(networks) * (COPIES * weights + (BESIDES if networks > 1 else 0)),
        "Ask for fewer networks, or smaller ones." if networks > 1 else "Ask for fewer units.",
        SettingError,
    )


def has_room(values: Any) -> bool:
    """Return whether there is room for a copy of these arrays, and as much again."""
    needed = sum(leaf.nbytes for leaf in tree.leaves(values) if hasattr(leaf, "nbytes"))
    free = free_memory() if needed >= LARGE else None
    return free is None or 2 * needed < free


@contextlib.contextmanager
def fitting_data(x: Array) -> Iterator[None]:
    """Say what to do if there is no room for data that is put where the engine works."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise DataError(
            f"The data does not fit in the memory of the device: x of shape {tuple(x.shape)} takes "
            f"{format_bytes(x.nbytes)}. Read it from a file while it trains: np.save('x.npy', x), then "
            "cr.fit(net, cr.data.stream('x.npy', y), ...)."
        ) from error


@contextlib.contextmanager
def fitting_step(params: Any, batch_size: int, micro_batches: int) -> Iterator[None]:
    """Say what to do if there is no room for what the steps run inside compute."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        smaller = max(1, batch_size // 2)
        raise SettingError(
            f"A training step does not fit in the memory of the device, with batches of {batch_size} samples and "
            f"{format_bytes(sum(leaf.nbytes for leaf in tree.leaves(params)))} of parameters. Try micro_batches="
            f"{2 * micro_batches} (the same result, a part of the batch at a time) or batch_size={smaller}; if it is "
            "the data that takes the memory, cr.fit(net, cr.data.stream('x.npy', y), ...) reads it from a file."
        ) from error
