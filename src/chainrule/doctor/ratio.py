"""How many times smaller an arm's error is than the control's, and how sure that is."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from chainrule.statistics import LEVEL

__all__ = ["Ratio", "draws", "error_ratio", "ratio_draws"]

Array = np.ndarray

#: Added to the summed errors of both: with no or few wrong rows a ratio means little. Errors are in units of a wrong
#: row, or of a row on which always the same answer is given.
GUARD = 0.5

#: With so many wrong rows in each member logs of their ratios can be trusted.
MANY = 5.0

#: An end of an interval of log R is no farther than this from log R.
FARTHEST = 3.0

#: Samples of the rows (Efron, 1979).
DRAWS = 2000


@dataclass(frozen=True)
class Ratio:
    """log R, R = error of the control / error of the arm, paired by row: above 0 the arm is better.

    Attributes
    ----------
    log : log R over all rows
    low, high : its interval: the wider of that by resampled rows and that by Student's t over members
    p : how likely a log R so large is by chance if there is no difference: the larger of both (one-sided)
    members : log R of each member

    >>> import numpy as np
    >>> from chainrule.doctor.ratio import error_ratio
    >>> control, arm = np.full((4, 40), np.nan), np.full((4, 40), np.nan)
    >>> for fold in range(4):  # each member is judged on ten rows
    ...     control[fold, 10 * fold : 10 * fold + 10] = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    ...     arm[fold, 10 * fold : 10 * fold + 10] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    >>> ratio = error_ratio(control, arm)
    >>> round(ratio.value, 2), ratio.low > 0
    (3.67, True)
    """

    log: float
    low: float
    high: float
    p: float
    members: tuple[float, ...]

    @property
    def value(self) -> float:
        """R itself."""
        return math.exp(self.log)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of R."""
        return math.exp(self.low), math.exp(self.high)


def error_ratio(control: Array, arm: Array, confidence: float = LEVEL, weights: Array | None = None) -> Ratio:
    """Return the ratio of the errors of two arms whose members were judged on the same rows.

    log R = log((Σ e + ½) / (Σ e' + ½)), with e and e' a row's mean error over the members that judged it.

    Parameters
    ----------
    control, arm
        (members, n): the error of each member on each row, NaN where it was not judged; the same in both.
    weights
        How much a row counts (n,), with the mean 1 over the rows that are judged; None: all alike.
    """
    weights = np.ones(control.shape[1]) if weights is None else weights
    logs = ratio_draws(control, arm, weights)
    first, second = _row_means(control) * weights, _row_means(arm) * weights
    log = _log_ratio(first.sum(), second.sum())
    tail = 50 * (1 - confidence)
    low, high = (float(np.percentile(logs, at)) for at in (tail, 100 - tail))
    sums = np.stack([np.nansum(errors * weights, axis=1) for errors in (control, arm)])
    members = tuple(_log_ratio(a, b) for a, b in sums.T)
    p = _normal_tail(log, float(logs.std()))
    if sums.shape[1] > 1:
        if sums.min() >= MANY:
            ends, p_members = _of_logs(log, np.array(members), confidence)
        else:
            ends, p_members = _fieller(sums, confidence), _tail(sums[0] - sums[1])
        low, high, p = min(low, ends[0]), max(high, ends[1]), max(p, p_members)
    return Ratio(log, min(low, log), max(high, log), p, members)


def _of_logs(log: float, members: Array, confidence: float) -> tuple[tuple[float, float], float]:
    """Return the interval of log R by Student's t over the members' log R, around that of all rows; and its p value.

    An error that is a hundred times larger in one member than in the next then counts as what it is, twice as far away.
    """
    from scipy import stats

    count = len(members)
    reach = float(stats.t.ppf(0.5 + confidence / 2, count - 1)) * float(members.std(ddof=1)) / math.sqrt(count)
    return (log - reach, log + reach), _tail(members)


def _fieller(sums: Array, confidence: float) -> tuple[float, float]:
    """Return the interval of log R by Student's t over members of which some have few wrong rows: logs would make much
    of one row more. It is every r that the paired differences e − r·e' allow.

    (ē − r·ē')² ≤ t² · var(e − r·e') / members, a quadratic inequality in r. Where ē' may be 0 there is no upper end; it
    then is `FARTHEST` away, as is a lower end of 0.

    Source: Fieller (1954), "Some problems in interval estimation".
    """
    from scipy import stats

    count = sums.shape[1]
    quantile = float(stats.t.ppf(0.5 + confidence / 2, count - 1))
    covariance = np.cov(sums) * quantile**2 / count
    first, second = sums.mean(axis=1) + GUARD / count
    log = math.log(first / second)
    a, b, c = second**2 - covariance[1, 1], first * second - covariance[0, 1], first**2 - covariance[0, 0]
    root = math.sqrt(max(0.0, b * b - a * c))
    low, high = log - FARTHEST, log + FARTHEST
    if c > 0 and b > 0:
        low = max(low, math.log(max(c / (b + root), 1e-300)))  # (b − root) / a, without cancellation
    if a > 0 and b > 0:
        high = min(high, math.log((b + root) / a))
    return low, high


def ratio_draws(control: Array, arm: Array, weights: Array | None = None) -> Array:
    """Return log R of each of `DRAWS` samples of the rows (DRAWS,)."""
    weights = np.ones(control.shape[1]) if weights is None else weights
    judged = np.isfinite(control).any(axis=0)
    both = np.stack([(_row_means(e) * weights)[judged] for e in (control, arm)], axis=1)
    sums = draws(int(judged.sum())) @ both.astype(np.float32)
    logs: Array = np.log((sums[:, 0] + GUARD) / (sums[:, 1] + GUARD))
    return logs


@functools.lru_cache(maxsize=2)
def draws(n: int) -> Array:
    """Return how often each of n rows is in each of `DRAWS` samples with replacement (DRAWS, n), float32."""
    rng = np.random.default_rng(0)
    counts = np.empty((DRAWS, n), np.float32)
    for draw in counts:
        draw[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    counts.setflags(write=False)
    return counts


def _row_means(errors: Array) -> Array:
    """Return the mean error of each row over the members that judged it (n,); 0 of rows that none did."""
    judged = np.isfinite(errors)
    means: Array = np.where(judged, errors, 0.0).sum(axis=0) / np.maximum(judged.sum(axis=0), 1)
    return means


def _log_ratio(control: float, arm: float) -> float:
    return math.log((float(control) + GUARD) / (float(arm) + GUARD))


def _normal_tail(mean: float, deviation: float) -> float:
    from scipy import stats

    if deviation <= 1e-12:
        return 0.5 if mean <= 0 else 0.0
    return float(stats.norm.sf(mean / deviation))


def _tail(differences: Array) -> float:
    """Return the one-sided p value of a mean difference above 0, by Student's t."""
    from scipy import stats

    deviation, count = float(differences.std(ddof=1)), len(differences)
    if deviation <= 1e-12:
        return 0.5**count if differences.mean() > 0 else 1.0
    return float(stats.t.sf(differences.mean() / (deviation / math.sqrt(count)), count - 1))
