"""How sure a figure is, and whether two of them differ by more than chance would make them."""

from __future__ import annotations

import math

import numpy as np

#: The share of intervals that hold the true value, and the deviations of a normal distribution that make it.
LEVEL, DEVIATIONS = 0.95, 1.959963984540054


def wilson(right: int, n: int) -> tuple[float, float]:
    """The interval of a share of which ``right`` of ``n`` were seen (Wilson, 1927): sound also near 0 and 1.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    >>> low, high = wilson(97, 100)
    >>> round(low, 3), round(high, 3)
    (0.915, 0.99)
    """
    if n < 1:
        return 0.0, 1.0
    share, z2 = right / n, DEVIATIONS**2
    centre = share + z2 / (2 * n)
    reach = DEVIATIONS * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (centre - reach) / (1 + z2 / n)), min(1.0, (centre + reach) / (1 + z2 / n))


def of_mean(values: np.ndarray) -> tuple[float, float] | None:
    """The interval of a mean by Student's t: mean ± t · deviation / √n; None for fewer than two values.

    >>> import numpy as np
    >>> low, high = of_mean(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    from scipy import stats

    values = np.asarray(values, np.float64)
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return None
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
    return float(values.mean()) - reach, float(values.mean()) + reach


def mcnemar(first: int, second: int) -> float:
    """How likely so unequal a share is by chance, of the rows on which only one of two classifiers is right.

    The exact test of McNemar (1947): under chance, each such row is a fair coin.

    >>> round(mcnemar(8, 2), 4)
    0.1094
    """
    from scipy import stats

    n = first + second
    return float(stats.binomtest(min(first, second), n, 0.5).pvalue) if n else 1.0
