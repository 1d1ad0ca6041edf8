"""The ratio of two arms' errors: its figure, and what its interval holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.doctor.ratio import DRAWS, Ratio, draws, error_ratio, ratio_draws


def judged(errors: list[list[float]]) -> np.ndarray:
    """Errors of members that were judged on rows of their own, one after the other."""
    n = sum(map(len, errors))
    matrix, start = np.full((len(errors), n), np.nan), 0
    for row, values in zip(matrix, errors, strict=True):
        row[start : start + len(values)] = values
        start += len(values)
    return matrix


def test_the_ratio_is_that_of_summed_errors_with_half_a_row_added() -> None:
    control, arm = judged([[1, 1, 0, 0], [1, 0, 0, 0]]), judged([[1, 0, 0, 0], [0, 0, 0, 0]])
    assert error_ratio(control, arm).value == pytest.approx(3.5 / 1.5)


def test_rows_that_are_judged_twice_count_once() -> None:
    control = judged([[1, 1, 0, 0], [1, 0, 0, 0]])
    twice = np.concatenate([control, control])
    assert error_ratio(twice, twice * 0.0).value == pytest.approx(error_ratio(control, control * 0.0).value)


def test_the_same_errors_are_no_difference() -> None:
    control = judged([[1, 1, 0, 0], [1, 0, 0, 0]])
    ratio = error_ratio(control, control)
    assert ratio.log == 0.0
    assert ratio.low <= 0.0 <= ratio.high
    assert ratio.p >= 0.5


def test_few_wrong_rows_decide_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = [np.zeros(30) for _ in range(5)]
    control = [row.copy() for row in rows]
    control[int(rng.integers(5))][:2] = 1.0  # 2 wrong rows of 150 against none
    ratio = error_ratio(judged([row.tolist() for row in control]), judged([row.tolist() for row in rows]))
    assert ratio.value == pytest.approx(5.0)
    assert ratio.low <= 0.0


def test_an_error_that_is_ten_times_larger_in_each_member_is_certain() -> None:
    control = [[1.0] * 18 + [0.0] * 12] * 5
    arm = [[1.0] * k + [0.0] * (30 - k) for k in (0, 4, 1, 3, 2)]
    ratio = error_ratio(judged(control), judged(arm))
    assert ratio.low > math.log(3)
    assert ratio.p < 1e-4


def test_members_that_fail_now_and_then_are_seen() -> None:
    """Three of five fail: by as many members again it is sure."""

    def ratio(members: int) -> Ratio:
        control = [[1.0] * (27 if bad else 2) + [0.0] * (3 if bad else 28) for bad in (1, 1, 0, 1, 0) * 2]
        return error_ratio(judged(control[:members]), judged([[1.0] * 2 + [0.0] * 28] * members))

    assert ratio(5).value > 5
    assert ratio(5).p < 0.05
    assert ratio(10).low > 0.0


def test_weights_make_a_rare_class_count() -> None:
    control, arm = judged([[1, 1, 0, 0, 0, 0, 0, 0]] * 1), judged([[0, 0, 1, 1, 1, 0, 0, 0]] * 1)
    weights = np.array([2, 2, *[2 / 3] * 6])
    assert error_ratio(control, arm).log < 0 < error_ratio(control, arm, weights=weights).log


def test_draws_have_every_row_once_on_average() -> None:
    counts = draws(40)
    assert counts.shape == (DRAWS, 40)
    assert (counts.sum(axis=1) == 40).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(40), abs=0.1)
    assert len(ratio_draws(judged([[1, 0]]), judged([[0, 0]]))) == DRAWS


@pytest.mark.parametrize(("rate", "spread"), [(0.05, 0.0), (0.2, 0.05)])
def test_intervals_hold_the_truth_and_healthy_runs_raise_no_alarm(rate: float, spread: float) -> None:
    """Two arms of the same error rate, whose rows are alike in part: 95 % intervals hold R = 1."""
    rng = np.random.default_rng(1)
    held = alarms = 0
    for _ in range(150):
        members = []
        for _ in range(5):
            shared, both = rng.random(30), rng.random(30) < 0.5
            rates = np.clip(rate + spread * rng.normal(size=2), 0, 1)
            members.append([np.where(both, shared, rng.random(30)) < r for r in rates])
        control, arm = (judged([m[i].astype(float).tolist() for m in members]) for i in (0, 1))
        ratio = error_ratio(control, arm)
        held += ratio.low <= 0.0 <= ratio.high
        alarms += ratio.value >= 1.2 and ratio.low > 0.0
    assert held >= 0.93 * 150
    assert alarms <= 0.05 * 150


def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(2)
    seen = 0
    for _ in range(60):
        control, arm = (judged((rng.random((5, 120)) < rate).astype(float).tolist()) for rate in (0.3, 0.18))
        seen += error_ratio(control, arm).low > 0.0
    assert seen >= 55
