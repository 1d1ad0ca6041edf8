"""Regularization that helps is found, and regularization that does not is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.finders import L2Range, find_l2

RNG = np.random.default_rng(3)
X = RNG.normal(size=(120, 40)).astype("float32")
Y = (X[:, :1] + RNG.normal(size=(120, 1))).astype("float32")  # one feature of 40 says something


def test_where_there_are_too_many_features_a_penalty_helps() -> None:
    result = find_l2(
        cr.Dense(1), (X[:60], Y[:60]), values=[30.0, 1.0, 3000.0, 0.0], seeds=6, validation=(X[60:], Y[60:]),
        metric="val_loss", optimizer=cr.Adam(0.05), epochs=60, progress=False,
    )  # fmt: skip
    assert result.values == (0.0, 1.0, 30.0, 3000.0)
    assert result.helps
    assert result.suggestion == result.best == 30.0
    assert "λ = 30 is better than λ = 0 by" in str(result)
    expected = [stats.ttest_rel(row, result.scores[0]).pvalue for row in result.scores[1:]]
    assert result.p[1:] == pytest.approx(tuple(holm(expected)))
    assert result.to_pandas()["mean"].to_numpy() == pytest.approx(result.scores.mean(axis=1))


def holm(p: list[float]) -> list[float]:
    order = np.argsort(p)
    raised = np.maximum.accumulate(np.minimum(1, np.array(p)[order] * np.arange(len(p), 0, -1)))
    return [float(raised[list(order).index(i)]) for i in range(len(p))]


def test_each_member_is_the_run_that_fit_gives() -> None:
    settings: dict[str, Any] = {"validation": 0.25, "epochs": 4, "optimizer": cr.SGD(0.02), "progress": False}
    result = find_l2(cr.Dense(1), (X, Y), values=[5.0], seeds=[4, 9], **settings)
    assert result.metric == "val_mae"
    for i, l2 in enumerate((0.0, 5.0)):
        alone = [cr.fit(cr.Dense(1), (X, Y), l2=l2, seed=seed, **settings) for seed in (4, 9)]
        assert result.scores[i] == pytest.approx([run.history["val_mae"][-1] for run in alone], rel=1e-5)


def test_without_evidence_it_says_so() -> None:
    result = find_l2(
        cr.Dense(3, "softmax"), cr.data.load("iris"), seeds=4, validation=0.3, epochs=5,
        optimizer=cr.SGD(0.1), progress=False,
    )  # fmt: skip
    assert (result.helps, result.suggestion) == (False, 0.0)
    assert "No evidence that λ helps" in str(result)
    assert result.values[0] == 0.0
    assert len(result.values) == 9
    n = 105  # training samples
    assert np.log10(np.array(result.values[1:]) / n) == pytest.approx(np.arange(-10, -2) / 2, abs=0.2)


def made(*rows: list[float], values: tuple[float, ...] = (0.0, 1.0, 10.0)) -> L2Range:
    return L2Range("val_accuracy", values, tuple(range(len(rows[0]))), np.array(rows))


def test_the_largest_that_is_not_worse_than_the_best_by_evidence() -> None:
    zero = [0.80, 0.81, 0.79, 0.80, 0.82]
    better, as_good = [0.90, 0.91, 0.90, 0.91, 0.92], [0.89, 0.92, 0.91, 0.90, 0.91]
    result = made(zero, better, as_good)
    assert (result.best, result.suggestion) == (1.0, 10.0)
    assert "the largest that was tried" in str(result)
    worse = [0.85, 0.86, 0.84, 0.86, 0.86]
    assert made(zero, better, worse).suggestion == 1.0
    more = made(zero, better, as_good, zero, values=(0.0, 1.0, 10.0, 100.0))
    assert more.suggestion == 10.0
    assert "no evidence that it is worse than the best mean, that of λ = 1" in str(more)


def test_members_that_diverge() -> None:
    nan = [math.nan] * 3
    result = made([0.5, 0.6, 0.55], nan, nan)
    assert (result.best, result.suggestion) == (0.0, 0.0)
    assert str(made(nan, nan, nan)).endswith("All members diverged: try a smaller learning rate.")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": None}, "find_l2 needs validation data"),
        ({"values": [-1.0]}, "values are at least 0"),
        ({"values": 3.0}, "values is a list of numbers"),
        ({"values": ["1"]}, "values is a list of numbers"),
        ({"values": [math.nan]}, "values are at least 0"),
        ({"l2": 1.0}, "find_l2 has no use for l2"),
        ({"metric": "mae"}, "metric='val_mae'"),
        ({"metric": "val_accuracy"}, "Unknown metric 'val_accuracy'"),
        ({"seeds": 1}, "find_l2 needs at least 2 seeds"),
    ],
)
def test_bad_input(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        find_l2(cr.Dense(1), (X, Y), **{"validation": 0.2, "epochs": 1, "progress": False} | settings)
