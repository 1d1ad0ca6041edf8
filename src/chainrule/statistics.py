"""How sure a figure is, and whether two of them differ by more than chance would make them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.checks import check_fraction
from chainrule.errors import SettingError
from chainrule.metrics import Metric

#: The fraction of intervals that hold the true value, and the deviations of a normal distribution that make it.
LEVEL, DEVIATIONS = 0.95, 1.959963984540054


@dataclass(frozen=True)
class Summary:
    """Several measurements of one thing (one per seed, or per fold), summed up by `summary`.

    Attributes
    ----------
    mean : the mean of the values that are finite; NaN if none is
    deviation : their standard deviation (divided by n - 1); NaN for fewer than two
    low, high : the interval that holds the true mean in ``confidence`` of all such experiments, by Student's t
    values : all values, in the order given, also those that failed
    confidence : 0.95 unless told otherwise
    n, failed : how many values are finite, and how many are not (a member that diverged has NaN)

    >>> from chainrule.statistics import summary
    >>> print(summary([0.93, 0.94, 0.92, 0.95]))
    0.935 ± 0.013 (95 %: 0.914 to 0.956, n=4)
    >>> print(summary([0.93, float("nan"), 0.92]))
    0.9250 ± 0.0071 (95 %: 0.8615 to 0.9885, n=2, 1 failed)
    """

    mean: float
    std: float
    low: float
    high: float
    values: tuple[float, ...] = field(repr=False)
    confidence: float = LEVEL

    @property
    def n(self) -> int:
        """How many values are finite."""
        return sum(map(math.isfinite, self.values))

    @property
    def failed(self) -> int:
        """How many values are not finite: members that diverged."""
        return len(self.values) - self.n

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        if self.n == 0:
            return f"no value (n=0{failed})"
        if self.n == 1:
            return f"{self.mean:.4g} (n=1{failed})"
        mean, std, low, high = format_to_uncertainty(self.mean, self.std, self.low, self.high, scale=self.std)
        return f"{mean} ± {std} ({percent(self.confidence)}: {low} to {high}, n={self.n}{failed})"

    def format(self, metric: Metric) -> str:
        """Return the mean and standard deviation of values of a metric, and the interval of the mean.

        >>> from chainrule.metrics import METRICS
        >>> summary([0.9, 0.91, 0.92]).format(METRICS["accuracy"])
        '91.00 % ± 1.00 % (95 % interval of the mean: 88.52 % to 93.48 %)'
        """
        mean = metric.format(self.mean)
        if self.n < 2:
            return mean
        low, high = (metric.format(metric.clip(value)) for value in (self.low, self.high))
        level = f"{percent(self.confidence)} interval of the mean"
        return f"{mean} ± {metric.format_spread(self.std)} ({level}: {low} to {high})"


def summary(values: Iterable[float], confidence: float = LEVEL) -> Summary:
    """Return mean, standard deviation and the t interval of the mean: mean ± t(n − 1) · std / √n (Student, 1908).

    Values that are not finite are kept and counted in ``failed``; the figures are those of the others.

    >>> from chainrule.statistics import summary
    >>> scores = summary([1.0, 2.0, 3.0])
    >>> scores.mean, scores.std, round(scores.low, 2), round(scores.high, 2)
    (2.0, 1.0, -0.48, 4.48)
    """
    check_confidence(confidence)
    numbers = tuple(float(value) for value in values)
    finite = np.array([value for value in numbers if math.isfinite(value)])
    mean, std = _mean(finite), _std(finite)
    low, high = mean_interval(finite, confidence) or (math.nan, math.nan)
    return Summary(mean, std, low, high, numbers, confidence)


def mean_interval(values: np.ndarray | Sequence[float], confidence: float = LEVEL) -> tuple[float, float] | None:
    """Return the interval of a mean by Student's t: mean ± t · std / √n; None for fewer than two values.

    >>> import numpy as np
    >>> low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    from scipy import stats

    values = np.asarray(values, np.float64)
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return None
    mean, error = _mean(values), _std(values) / math.sqrt(n)
    low, high = stats.t.interval(confidence, n - 1, mean, error) if error else (mean, mean)
    return float(low), float(high)


def _mean(values: np.ndarray) -> float:
    """Return the mean; of equal values exactly their value, NaN of none."""
    return float(np.clip(values.mean(), values.min(), values.max())) if len(values) else math.nan


def _std(values: np.ndarray) -> float:
    """Return the standard deviation (divided by n − 1); of equal values exactly 0, NaN for fewer than two."""
    if len(values) < 2:
        return math.nan
    return float(values.std(ddof=1)) if values.min() < values.max() else 0.0


@dataclass(frozen=True)
class Difference:
    """By how much first − second differs from zero, over pairs (the same seed, the same fold).

    Attributes
    ----------
    mean : the mean of the differences of the pairs in which both are finite; NaN if there is none
    low, high : its interval by Student's t; NaN for fewer than two pairs, or if all differ by exactly the same
    p : how likely a mean so far from zero is by chance alone, if there is no difference; NaN for fewer than two pairs
    n : the number of pairs in which both are finite
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


def paired(first: Sequence[float], second: Sequence[float], confidence: float = LEVEL) -> Difference:
    """Return the paired difference first − second with its t interval and two-sided p value (Student, 1908).

    t = mean(d) / (std(d) / √n) with d = first − second. Where all differences are the same the standard deviation is
    zero and t means nothing: p is then that of the sign test, 2 · 0.5ⁿ (1 where they are all zero).

    >>> from chainrule.statistics import paired
    >>> difference = paired([0.95, 0.96, 0.94, 0.97], [0.93, 0.95, 0.93, 0.94])
    >>> [round(getattr(difference, name), 4) for name in ("mean", "low", "high", "p")]
    [0.0175, 0.0023, 0.0327, 0.0354]
    """
    check_confidence(confidence)
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise SettingError(f"Paired differences need as many first as second values, got {a.shape} and {b.shape}.")
    both = np.isfinite(a) & np.isfinite(b)
    differences = a[both] - b[both]
    n = len(differences)
    mean = float(differences.mean()) if n else math.nan
    bounds = mean_interval(differences, confidence)
    if bounds is None:
        return Difference(mean, math.nan, math.nan, math.nan, n)
    std = float(differences.std(ddof=1))
    size = float(np.abs(np.concatenate([a[both], b[both]])).max())
    if std <= 1e-12 * size:  # the same in every pair, up to rounding
        same = abs(mean) <= 1e-12 * size
        return Difference(0.0, 0.0, 0.0, 1.0, n) if same else Difference(mean, math.nan, math.nan, 2 * 0.5**n, n)
    from scipy import stats

    return Difference(mean, *bounds, float(stats.ttest_rel(a[both], b[both]).pvalue), n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Raise the p values of several questions asked at once, so that they hold together (Holm, 1979).

    Sorted from small to large, the i-th of m (from 0) is multiplied by m − i, and none is smaller than one before
    it. Below 0.05 in any of them by chance alone happens in at most 5 % of all experiments. NaN stays NaN, and is
    a question that was not asked.

    >>> from chainrule.statistics import holm
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = _in_order(p_values)
    raised = [math.nan] * len(p_values)
    largest = 0.0
    for before, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - before) * p_values[i]))
        raised[i] = largest
    return raised


def levels(p_values: Sequence[float], confidence: float = LEVEL) -> list[float]:
    """Return the confidence of each interval, so that it leaves zero out exactly where `holm`'s p is below 1 −
    confidence.

    That of the i-th smallest p value (from 0) of m is 1 − α/(m − i) while these are rejected; all others share that of
    the first that is not. α = 1 − confidence.

    Source: Serlin (1993), "Confidence intervals and the scientific method: a case for Holm on the range".

    >>> from chainrule.statistics import levels
    >>> [round(level, 4) for level in levels([0.001, 0.2, 0.03])]
    [0.9833, 0.975, 0.975]
    """
    order, chance = _in_order(p_values), 1 - confidence
    confidences = [confidence] * len(p_values)
    rejected = 0
    for before, i in enumerate(order):
        if rejected == before and (len(order) - before) * p_values[i] < chance:
            rejected += 1
        confidences[i] = 1 - chance / (len(order) - min(before, rejected))
    return confidences


def _in_order(p_values: Sequence[float]) -> list[int]:
    """Return positions of the p values that are numbers, from the smallest on."""
    return sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])


def wilson(count: int, n: int) -> tuple[float, float]:
    """Return the interval of a fraction of which ``count`` of ``n`` were seen (Wilson, 1927): sound also near 0 and 1.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    >>> low, high = wilson(97, 100)
    >>> round(low, 3), round(high, 3)
    (0.915, 0.99)
    """
    if n < 1:
        return 0.0, 1.0
    p, z2 = count / n, DEVIATIONS**2
    centre = p + z2 / (2 * n)
    reach = DEVIATIONS * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (centre - reach) / (1 + z2 / n)), min(1.0, (centre + reach) / (1 + z2 / n))


def mcnemar(first: int, second: int) -> float:
    """Return how likely so unequal a number is by chance, of the rows on which only one of two classifiers is right.

    The exact test of McNemar (1947): under chance, each such row is a fair coin.

    >>> round(mcnemar(8, 2), 4)
    0.1094
    """
    from scipy import stats

    n = first + second
    return float(stats.binomtest(min(first, second), n, 0.5).pvalue) if n else 1.0


def check_confidence(confidence: float) -> None:
    """Raise `SettingError` unless this is a fraction that an interval can hold: above 0 and below 1."""
    check_fraction("confidence", confidence, note=", such as 0.95")


def percent(fraction: float) -> str:
    """Return a fraction in percent, with as many digits as it has.

    >>> percent(0.95), percent(0.999)
    ('95 %', '99.9 %')
    """
    return f"{100 * fraction:.10g} %"


def format_to_uncertainty(*figures: float, scale: float) -> list[str]:
    """Return figures with as many decimals as show two digits of ``scale``, what they are uncertain by.

    >>> format_to_uncertainty(0.93124, 0.92801, scale=0.0041), format_to_uncertainty(1234.5, scale=40)
    (['0.9312', '0.9280'], ['1234'])
    >>> format_to_uncertainty(0.5, scale=0.0)
    ['0.5000']
    """
    if not math.isfinite(scale) or scale <= 0:
        return [f"{figure:.4f}" if 1e-3 <= abs(figure) < 1e4 or figure == 0 else f"{figure:.4g}" for figure in figures]
    if scale < 1e-7 or max(map(abs, figures)) >= 1e7:
        return [f"{figure:.3g}" for figure in figures]
    decimals = max(0, 1 - math.floor(math.log10(scale)))
    return [f"{figure:z.{decimals}f}" for figure in figures]
