"""Whether the order of a column's numbers tells anything of the target: a test by permutation.

The test is Neyman's smooth test with an adaptive order (Fan, 1996, "Test of significance based on wavelet thresholding
and Neyman's truncation", JASA 91): the target is projected on cosines of the column's ranks u in (0, 1),

    S_j = (2 / n) Σ_k (Σ_i cos(π j u_i) t_ik)²,   T = max over m of (S_1 + … + S_m - m K) / √(2 m K),

where t_i holds K standardized features of row i's target: an indicator for each class, or of numbers the rank and its
squared distance from the middle rank (the spread, which changes where a column acts differently in different groups).
Slow waves see trends, faster ones seasons and bands. Under the hypothesis that the column carries nothing, every order
of the targets is equally likely: so T is compared with that of `PERMUTATIONS` random orders, and
p = (1 + orders that give at least T) / (1 + orders). The rate of false alarms at p ≤ `LEVEL` is therefore `LEVEL`, at
any number of rows, whatever the distributions and ties are (Phipson and Smyth, 2010). What is seen only together with
other columns, and leaves location and spread alone, is not found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL", "association", "evenly"]

Array = NDArray[Any]

#: An association is taken for real from this p-value on.
LEVEL = 0.01

#: Random orders, cosines, rows that are looked at, and classes (the most frequent ones).
PERMUTATIONS, WAVES, ROWS, CLASSES = 499, 32, 2_000, 20


def association(x: Any, target_values: Any) -> float:
    """Return the p-value of the hypothesis that the numbers x tell nothing of the target; see the top of this file.

    Parameters
    ----------
    x
        A number for each row, NaN where it is missing (these rows are left aside). Of more than `ROWS` rows, so many
        evenly spread ones are looked at.
    target_values
        Classes, numbers (of at most `CLASSES` different ones each is a class), or rows of several numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tables.association import association
    >>> x = np.arange(200)
    >>> y = np.random.default_rng(0).choice(["a", "b"], 200)
    >>> association(x, y) > 0.01, association(x, np.where(abs(x - 100) < 50, "a", y))
    (True, 0.002)
    """
    x, targets = np.asarray(x, np.float64), np.asarray(target_values)
    rows = np.flatnonzero(~np.isnan(x))
    rows = rows[evenly(len(rows), ROWS)]
    features = _features(targets[rows])
    n = len(rows)
    if n < 4 or not features.shape[1]:
        return 1.0
    u = (_ranks(x[rows]) + 0.5) / n
    waves = np.cos(np.pi * np.outer(np.arange(1, min(WAVES, n // 4) + 1), u))
    orders = np.arange(1, len(waves) + 1) * features.shape[1]

    def statistic(features: Array) -> float:
        sums = np.cumsum(2 / n * ((waves @ features) ** 2).sum(axis=1))
        return float(np.max((sums - orders) / np.sqrt(2 * orders)))

    rng = np.random.default_rng(0)
    observed = statistic(features) - 1e-9  # sums of the same numbers in another order differ in the last bits
    as_large = sum(statistic(features[rng.permutation(n)]) >= observed for _ in range(PERMUTATIONS))
    return (1 + as_large) / (1 + PERMUTATIONS)


def evenly(n: int, most: int) -> Array:
    """Return the numbers of at most so many of n rows, evenly spread.

    >>> evenly(9, 3).tolist()
    [0, 4, 8]
    """
    return np.unique(np.linspace(0, n - 1, most).astype(int)) if n > most else np.arange(n)


def _features(targets: Array) -> Array:
    """Return standardized features of the target, (rows, features), without those that are the same in all rows."""
    columns = targets[:, None] if targets.ndim == 1 else targets.reshape(len(targets), -1)
    parts: list[Array] = []
    for column in columns.T:
        values = column.astype(str) if column.dtype.kind == "O" else column
        distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
        if values.dtype.kind not in "iuf" or len(distinct) <= CLASSES:
            parts += [codes.ravel() == code for code in np.argsort(-counts, kind="stable")[:CLASSES]]
        else:
            ranks = _ranks(values)
            parts += [ranks, (ranks - ranks.mean()) ** 2]
    features = np.array(parts, np.float64).reshape(len(parts), len(targets)).T
    features = features - features.mean(axis=0) if len(features) else features
    std = np.sqrt((features**2).mean(axis=0)) if len(features) else np.zeros(len(parts))
    return features[:, std > 0] / std[std > 0]


def _ranks(values: Array) -> Array:
    """Return ranks from 0; equal values share the mean of theirs."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Array = ends - (counts + 1) / 2
    return middles[codes.ravel()]
