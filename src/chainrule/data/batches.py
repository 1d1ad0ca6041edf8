"""Mini-batches: the order of the samples in an epoch, and how it is cut (lectures 000, 003, 004)."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from chainrule import random
from chainrule.engine.namespace import namespace
from chainrule.errors import DataError, SettingError

__all__ = ["batch_order", "batches"]

Array = Any


def batch_order(key: Array, n: int, shuffle: bool = True) -> Array:
    """Return the indices 0 … n-1 in the order of an epoch, int32: shuffled by the key, or as they come.

    >>> from chainrule import random
    >>> from chainrule.data import batch_order
    >>> batch_order(random.key(0), 4, shuffle=False)
    array([0, 1, 2, 3], dtype=int32)
    >>> sorted(batch_order(random.key(0), 4).tolist())
    [0, 1, 2, 3]
    """
    if n < 1:
        raise DataError(f"There are {n} samples to put in order; at least one is needed.")
    if shuffle:
        return random.permutation(key, n)
    return namespace(key).arange(n, dtype=np.int32)


def batches(order: Array, batch_size: int) -> Array:
    """Return the order cut into batches, one row for each: shape (⌈n / batch_size⌉, batch_size).

    A last batch that is too short is filled up from the start of the order; whoever trains on it gives these samples
    the weight 0. So all batches have one shape, and no sample is left out.

    >>> import numpy as np
    >>> from chainrule.data import batches
    >>> batches(np.arange(5), 2).tolist()
    [[0, 1], [2, 3], [4, 0]]
    """
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if size < 1 or isinstance(batch_size, bool):
        raise SettingError(f"batch_size is a whole number of samples, at least 1; got {batch_size!r}.")
    steps = -(-len(order) // size)
    return np.resize(order, (steps, size))  # repeats from the start
