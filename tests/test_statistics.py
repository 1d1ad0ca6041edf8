"""Intervals and tests against SciPy, and what is said of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from chainrule.errors import ChainruleError
from chainrule.statistics import (
    Summary,
    format_to_uncertainty,
    holm,
    levels,
    mcnemar,
    mean_interval,
    paired,
    percent,
    summary,
    wilson,
)

RNG = np.random.default_rng(0)
SAMPLES = [RNG.normal(0.9, 0.01, n) for n in (2, 3, 10, 100)]


@pytest.mark.parametrize("values", SAMPLES, ids=len)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_a_summary_is_scipys(values: np.ndarray, confidence: float) -> None:
    result = summary(values, confidence)
    low, high = stats.t.interval(confidence, len(values) - 1, values.mean(), stats.sem(values))
    assert (result.low, result.high) == pytest.approx((low, high), rel=1e-12)
    assert (result.mean, result.std) == pytest.approx((values.mean(), values.std(ddof=1)), rel=1e-12)
    assert mean_interval(values, confidence) == pytest.approx((low, high), rel=1e-12)
    assert result.values == tuple(values)


def test_values_that_are_no_numbers_are_counted_apart() -> None:
    result = summary([0.5, math.nan, 0.7, math.inf])
    assert (result.n, result.failed, result.mean) == (2, 2, pytest.approx(0.6))
    assert math.isnan(result.values[1])
    assert str(result).endswith("n=2, 2 failed)")
    lost = summary([math.nan, math.nan])
    assert math.isnan(lost.mean)
    assert str(lost) == "no value (n=0, 2 failed)"
    alone = summary([0.25])
    assert alone.mean == 0.25
    assert math.isnan(alone.std)
    assert math.isnan(alone.low)
    assert str(alone) == "0.25 (n=1)"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (Summary(0.93124, 0.00412, 0.92801, 0.93444, (1.0,) * 8), "0.9312 ± 0.0041 (95 %: 0.9280 to 0.9344, n=8)"),
        (summary([5.0, 5.0, 5.0]), "5.0000 ± 0.0000 (95 %: 5.0000 to 5.0000, n=3)"),
        (summary([10.0, 30.0, 20.0], 0.9), "20 ± 10 (90 %: 3 to 37, n=3)"),
        (summary([-0.001, 0.001, 0.0]), "0.0000 ± 0.0010 (95 %: -0.0025 to 0.0025, n=3)"),
        (summary([1e-9, 3e-9]), "2e-09 ± 1.41e-09 (95 %: -1.07e-08 to 1.47e-08, n=2)"),
    ],
)
def test_a_summary_shows_as_many_digits_as_it_has(result: Summary, text: str) -> None:
    assert str(result) == text


@pytest.mark.parametrize("n", [2, 5, 50])
def test_paired_differences_are_scipys(n: int) -> None:
    a, b = RNG.normal(0.9, 0.02, n), RNG.normal(0.91, 0.02, n)
    result, theirs = paired(a, b), stats.ttest_rel(a, b)
    interval = theirs.confidence_interval(0.95)
    assert result.p == pytest.approx(theirs.pvalue, rel=1e-10)
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert (result.mean, result.n) == (pytest.approx((a - b).mean(), rel=1e-10), n)


def test_equal_values_have_no_deviation_at_all() -> None:
    result = summary([0.1064] * 20)  # their sum divided by 20 is not 0.1064 in floating point
    assert (result.mean, result.std, result.low, result.high) == (0.1064, 0.0, 0.1064, 0.1064)


def test_pairs_of_which_one_failed_are_left_out() -> None:
    a, b = np.array([0.9, math.nan, 0.8, 0.7, 0.6]), np.array([0.8, 0.9, math.inf, 0.65, 0.4])
    both = [0, 3, 4]
    assert paired(a, b) == paired(a[both], b[both])
    assert paired(a, b).n == 3
    one = paired([0.5, math.nan], [0.4, 0.3])
    assert (one.n, one.mean) == (1, pytest.approx(0.1))
    assert math.isnan(one.p)
    assert math.isnan(paired([math.nan], [1.0]).mean)


def test_differences_without_variance() -> None:
    same = paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    for n in (2, 6):
        shifted = paired(np.arange(n) / 10 + 0.1, np.arange(n) / 10)  # equal up to rounding
        assert shifted.p == pytest.approx(stats.binomtest(n, n).pvalue)
        assert shifted.mean == pytest.approx(0.1)
        assert math.isnan(shifted.low)


@pytest.mark.parametrize("p", [[0.01, 0.04, 0.03], [0.5, 0.001], [0.2], [0.9, 0.9, 0.9], [0.04] * 5])
def test_holm_is_the_definition(p: list[float]) -> None:
    """Holm's adjusted p is the largest Bonferroni p over the nested sets of the hypotheses that are left."""
    expected = [max(min(1.0, sum(r >= q for r in p) * q) for q in p if q <= p_value) for p_value in p]
    tied = len(set(p)) < len(p)
    assert holm(p) == pytest.approx([min(1.0, len(p) * q) for q in p] if tied else expected)


def test_holm_leaves_out_what_was_not_asked() -> None:
    result = holm([math.nan, 0.02, 0.03])
    assert math.isnan(result[0])
    assert result[1:] == [0.04, 0.04]


@pytest.mark.parametrize("seed", range(20))
def test_intervals_leave_zero_out_exactly_where_holm_rejects(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [rng.normal(shift, 1.0, 6) for shift in rng.uniform(-2.5, 2.5, 5)]
    zero = np.zeros(6)
    p = [paired(sample, zero).p for sample in samples]
    rejected = [raised < 0.05 for raised in holm(p)]
    outside = []
    for sample, level in zip(samples, levels(p), strict=True):
        result = paired(sample, zero, level)
        outside.append(not result.low <= 0 <= result.high)
    assert outside == rejected


def test_mcnemar_and_wilson_are_scipys() -> None:
    assert mcnemar(8, 2) == pytest.approx(stats.binomtest(2, 10).pvalue)
    assert mcnemar(0, 0) == 1.0
    share = stats.binomtest(97, 100).proportion_ci(method="wilson")
    assert wilson(97, 100) == pytest.approx((share.low, share.high))


def test_figures_of_one_kind_have_the_same_decimals() -> None:
    assert format_to_uncertainty(0.5, 0.25, scale=0.01) == ["0.500", "0.250"]
    assert format_to_uncertainty(-1e-6, scale=0.01) == ["0.000"]
    assert format_to_uncertainty(math.nan, 1.0, scale=math.nan) == ["nan", "1.0000"]
    assert percent(0.95) == "95 %"


@pytest.mark.parametrize("confidence", [0, 1, 95, "0.95", True, math.nan])
def test_a_confidence_is_a_share(confidence: object) -> None:
    with pytest.raises(ChainruleError, match=r"confidence .*above 0 and below 1"):
        summary([1.0, 2.0], confidence)  # type: ignore[arg-type]


def test_pairs_are_pairs() -> None:
    with pytest.raises(ChainruleError, match="as many first as second"):
        paired([1.0, 2.0], [1.0])
