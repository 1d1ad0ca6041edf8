"""Random numbers from an explicit key, the same on every engine.

The generator is Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011): a keyed bijection of a counter. Element i of a draw is a function of the key and i alone, so the
same key gives the same bits with NumPy and JAX, on one device or many, alone or in a population, and after
a resume. A key is a uint32 array of shape (2,); no function here changes it. Derive a new key for each use
with `fold_in` or `split`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.checks import is_whole
from chainrule.engine.namespace import namespace
from chainrule.errors import SettingError
from chainrule.memory import check_numbers

__all__ = ["bernoulli", "bits", "fold_in", "key", "normal", "permutation", "split", "uniform"]

Array = Any

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def key(seed: int) -> Array:
    """Return the key of a seed (any integer from 0 to 2**64 - 1).

    >>> from chainrule import random
    >>> random.key(7)
    array([0, 7], dtype=uint32)
    """
    if not is_whole(seed) or not 0 <= int(seed) < 2**64:
        raise SettingError(f"A seed is an integer from 0 to 2**64 - 1, got {seed!r}.")
    return np.array([int(seed) >> 32, int(seed) & 0xFFFFFFFF], np.uint32)


def threefry(key: Array, counter0: Array, counter1: Array) -> tuple[Array, Array]:
    """Encrypt the counters (two uint32 arrays of one shape) with the key: two arrays of random bits."""
    k0, k1 = key[0], key[1]
    schedule = (k0, k1, k0 ^ k1 ^ np.uint32(0x1BD11BDA))
    x0, x1 = counter0 + k0, counter1 + k1
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))
            x1 = x1 ^ x0
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def fold_in(key: Array, number: Any) -> Array:
    """Return a new key from a key and an integer (a layer's index, a step; it may be traced)."""
    xp = namespace(key, number)
    word = xp.asarray(number).astype(xp.uint32)[None]
    x0, x1 = threefry(key, word, xp.ones_like(word))
    return xp.concatenate([x0, x1])


def split(key: Array, n: int = 2) -> Array:
    """Return ``n`` new keys, as an array of shape (n, 2)."""
    xp = namespace(key)
    counter = xp.arange(n, dtype=xp.uint32)
    x0, x1 = threefry(key, counter, xp.zeros_like(counter))
    return xp.stack([x0, x1], axis=1)


def bits(key: Array, shape: Sequence[int] = ()) -> Array:
    """Return uniform random 32-bit words of a shape."""
    xp = namespace(key)
    n = math.prod(shape)
    half = (n + 1) // 2
    counter = xp.arange(half, dtype=xp.uint32)
    # 2 in the high word keeps these counters apart from those of `split` (0) and `fold_in` (1).
    x0, x1 = threefry(key, counter, xp.full_like(counter, 2))
    return xp.concatenate([x0, x1])[:n].reshape(tuple(shape))


def uniform(key: Array, shape: Sequence[int] = (), low: Any = 0.0, high: Any = 1.0, dtype: Any = np.float32) -> Array:
    """Return uniform numbers in [low, high): 24 random bits for float32, 53 for float64.

    From 0 to 1 they are exact multiples of 2^-24 or 2^-53; scaled to other limits, rounding can give ``high``.
    """
    xp = namespace(key)
    if xp is np:
        check_numbers(math.prod(shape))
    if np.dtype(dtype) == np.float64:
        shape = tuple(shape)
        words = bits(key, (2, *shape))
        upper = (words[0] >> np.uint32(5)).astype(dtype)
        lower = (words[1] >> np.uint32(6)).astype(dtype)
        unit = (upper * 67108864.0 + lower) * 2.0**-53
    else:
        unit = (bits(key, shape) >> np.uint32(8)).astype(dtype) * xp.asarray(2.0**-24, dtype)
    return unit * (high - low) + low


def normal(key: Array, shape: Sequence[int] = (), dtype: Any = np.float32) -> Array:
    """Return standard normal numbers, by the Box-Muller transform."""
    xp = namespace(key)
    radius_key, angle_key = split(key, 2)
    radius = xp.sqrt(-2.0 * xp.log1p(-uniform(radius_key, shape, dtype=dtype)))
    return radius * xp.cos(2.0 * math.pi * uniform(angle_key, shape, dtype=dtype))


def bernoulli(key: Array, probability: Any, shape: Sequence[int] = ()) -> Array:
    """Return True with a probability (a number, or a traced value): a boolean array."""
    return uniform(key, shape) < probability


def permutation(key: Array, n: int) -> Array:
    """Return the integers 0 … n-1 in random order: the order of n random words (ties keep their order)."""
    xp = namespace(key)
    words = bits(key, (n,))
    if xp is np:  # sorting word and place as one number gives the same order, in less time than a stable argsort
        places = np.sort(words.astype(np.uint64) << np.uint64(32) | np.arange(n, dtype=np.uint64))
        return (places & np.uint64(0xFFFFFFFF)).astype(np.int32)
    return xp.argsort(words, stable=True).astype(xp.int32)
