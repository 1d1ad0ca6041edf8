"""Hold out a part of the training data for validation (lecture 003)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import random
from chainrule.checks import is_number
from chainrule.data.check import check_target
from chainrule.errors import DataError

__all__ = ["stratified_split"]


def stratified_split(
    y: Any, fraction: float, key: Any, stratify: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return indices for training and for validation, both in rising order, with the classes in the same shares.

    The validation part has ``round(n * fraction)`` rows. Each class gives its share of them, rounded so that
    the sum is right; a class with two members or more is in both parts wherever the sizes allow it, and a
    class with one member is in the training part. Which rows are chosen depends on the key and the labels
    alone, and is the same on every engine.

    Parameters
    ----------
    y
        Labels (n,), or rows (n, k) of zeros and ones: each different row counts as a class. Floating numbers
        other than 0 and 1 are no classes; they are split without.
    fraction
        The fraction of the rows for validation, between 0 and 1.
    key
        A key of `chainrule.random`.
    stratify
        False: take the rows without looking at the classes.

    Raises
    ------
    DataError
        A fraction outside (0, 1), or one with which a part would be empty.

    Examples
    --------
    >>> from chainrule import random
    >>> from chainrule.data import stratified_split
    >>> train, validation = stratified_split(["a"] * 6 + ["b"] * 3, 1 / 3, random.key(0))
    >>> len(train), len(validation), sum(validation < 6)
    (6, 3, np.int64(2))
    """
    target = check_target(y)
    n = len(target)
    size = _validation_size(n, fraction)
    # The place of each row in a random order: within its class, the first ones are chosen.
    order = np.asarray(random.permutation(np.asarray(key), n))
    flags = bool(((target == 0) | (target == 1)).all())
    if not stratify or (target.dtype.kind == "f" and not flags):
        chosen = order[:size]
    else:
        labels = _class_numbers(target)
        counts = np.bincount(labels)
        shuffled = labels[order]
        sizes = _rows_per_class(counts, size, first=np.unique(shuffled, return_index=True)[1])
        by_class = order[np.argsort(shuffled, kind="stable")]
        place_in_class = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = by_class[place_in_class < np.repeat(sizes, counts)]
    in_validation = np.zeros(n, np.bool_)
    in_validation[chosen] = True
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)


def _validation_size(n: int, fraction: float) -> int:
    if not is_number(fraction) or not 0 < fraction < 1:
        raise DataError(
            f"The validation fraction is a number between 0 and 1, got {fraction!r}. For m of the {n:,} rows "
            f"give m / {n}, for data of your own the pair (x, y)."
        )
    size = int(n * float(fraction) + 0.5)
    if not 0 < size < n:
        empty = "validation" if size == 0 else "training"
        raise DataError(
            f"A validation fraction of {fraction:g} leaves no rows for {empty}: of {n:,} "
            f"{'row' if n == 1 else 'rows'} it takes {size:,}."
            + (f" Give at least {1 / n:.3g} and at most {1 - 1 / n:.3g}." if n > 1 else "")
        )
    return size


def _class_numbers(target: NDArray[Any]) -> NDArray[np.intp]:
    axis = 0 if target.ndim > 1 else None
    numbers: NDArray[np.intp] = np.unique(target, axis=axis, return_inverse=True)[1]
    return np.reshape(numbers, len(target))  # NumPy 2.0 gave it one axis more


def _rows_per_class(counts: NDArray[np.intp], size: int, first: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return how many rows of each class are for validation: ``size`` in all, close to ``size * counts / n``.

    Equal claims are settled by ``first``, the place of the first member of each class in the random order.
    """
    low = np.minimum(counts - 1, 1)
    if low.sum() > size:  # fewer rows than classes: not every class can be in the validation part
        low = np.zeros_like(low)
    # So many rows may be wanted that classes with one member must give theirs, or all classes everything.
    limits = (np.maximum(counts - 1, 0), np.maximum(counts - 1, 1), counts)
    high = next(limit for limit in limits if limit.sum() >= size)
    exact = size * counts / counts.sum()
    sizes: NDArray[np.intp] = np.clip(np.floor(exact).astype(counts.dtype), low, high)
    while (gap := size - int(sizes.sum())) != 0:
        # One more (or one less) for the classes that are furthest below (above) their exact share.
        free = np.flatnonzero(sizes < high if gap > 0 else sizes > low)
        distance = (exact - sizes)[free] * np.sign(gap)
        chosen = free[np.lexsort((first[free], -distance))[: abs(gap)]]
        sizes[chosen] += np.sign(gap)
    return sizes
