"""The range test of learning rates: against `fit`, and against a problem whose largest rate is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.finders import LrRange, find_lr

RNG = np.random.default_rng(1)
X = RNG.normal(size=(96, 3)).astype("float32")
Y = (X @ [[2.0], [-1.0], [0.5]] + 1).astype("float32")


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_the_costs_are_those_of_fit_with_a_rate_that_grows(engine: str) -> None:
    net, steps = cr.Sequential(cr.Dense(8, "tanh"), cr.Dropout(0.2), cr.Dense(1)), 24
    result = find_lr(net, (X, Y), seeds=[3, 4], low=1e-4, high=0.1, steps=steps, batch_size=16, engine=engine)
    assert result.rates[[0, -1]] == pytest.approx([1e-4, 0.1])
    # fit gives its last step a rate a little below the ramp's highest one
    ramp = cr.schedules.Ramp(1e-4, 1e-4 * 1000 ** (steps / (steps - 1)))
    for seed, costs in zip((3, 4), result.costs, strict=True):
        run = cr.fit(
            net, (X, Y), optimizer=cr.Adam(ramp), epochs=4, batch_size=16, seed=seed, record_steps=True,
            engine=engine, progress=False,
        )  # fmt: skip
        assert run.history.steps["lr"] == pytest.approx(list(result.rates), rel=1e-4)
        assert run.history.steps["loss"] == pytest.approx(list(costs), rel=1e-4)


def test_the_suggestion_is_below_the_largest_rate_that_converges() -> None:
    """Gradient descent on a quadratic cost converges for rates below 2 / (its largest curvature)."""
    ones = np.hstack([X, np.ones((len(X), 1))])
    curvature = np.linalg.eigvalsh(ones.T @ ones / len(X)).max()
    result = find_lr(
        cr.Dense(1), (X, Y), loss="quadratic", optimizer="sgd", batch_size=len(X), normalize=False,
        low=1e-3, high=100.0, steps=400,
    )  # fmt: skip
    assert result.suggestion is not None
    assert result.diverges_from is not None
    assert result.interval is not None
    assert result.suggestion < result.interval[1] < 2 / curvature < result.diverges_from < 20 / curvature
    assert result.suggestion > 0.05 / curvature
    assert f"Start with a learning rate of {result.suggestion:.2g} (95 %: " in str(result)
    assert not np.isfinite(result.costs[:, -1]).all() or result.costs[:, -1].min() > result.costs[:, 0].max()


def ranged(costs: Any, **rest: Any) -> LrRange:
    costs = np.asarray(costs, float)
    return LrRange("SGD", tuple(range(len(costs))), np.geomspace(1e-4, 1.0, costs.shape[1]), costs, **rest)


def valley(lowest: float, steps: int = 200) -> np.ndarray:
    """A cost that falls to a rate, and rises after it."""
    rates = np.geomspace(1e-4, 1.0, steps)
    return 1 - 0.9 * np.exp(-(np.log10(rates / lowest) ** 2))


def test_the_suggestion_is_the_geometric_mean_over_the_seeds_with_its_interval() -> None:
    result = ranged([valley(0.01), valley(0.04)])
    assert result.suggestions == pytest.approx((0.0025, 0.01), rel=0.05)
    assert result.suggestion == pytest.approx(0.005, rel=0.05)
    low, high = result.interval  # type: ignore[misc]
    assert math.sqrt(low * high) == pytest.approx(result.suggestion)
    assert low < min(result.suggestions) < max(result.suggestions) < high
    frame = result.to_pandas()
    assert frame["lr"].tolist() == pytest.approx(result.rates.tolist())
    assert frame["cost"].to_numpy() == pytest.approx(result.smoothed.mean(axis=0))
    assert (frame["low"] <= frame["cost"]).all()


def test_a_run_that_diverges_does_not_reach_back() -> None:
    wild = valley(0.01)
    wild[150:160], wild[160:] = 1e30, math.nan
    result = ranged([wild, wild * 1.01])
    assert result.suggestion == pytest.approx(0.0025, rel=0.05)
    assert result.diverges_from is not None
    assert result.diverges_from == pytest.approx(result.rates[150], rel=0.6)


def test_costs_that_do_not_fall_suggest_nothing() -> None:
    flat = ranged(1 + 0.02 * RNG.normal(size=(4, 200)))
    assert flat.suggestion is None
    assert flat.interval is None
    assert flat.diverges_from is None
    assert str(flat).startswith("No learning rate from 0.0001 to 1 made the cost fall within 200 steps (SGD, 4 seeds).")
    nothing = ranged(np.full((2, 50), math.nan))
    assert (nothing.suggestion, nothing.diverges_from) == (None, None)
    rising = ranged(np.geomspace(1, 100, 200) * [[1.0], [1.01]])
    assert rising.suggestion is None
    assert rising.diverges_from is not None
    assert "on it rises" in str(rising)


def test_a_seed_whose_cost_did_not_clearly_fall_is_left_out_and_said() -> None:
    noise = 0.02 * RNG.normal(size=(3, 200))
    result = ranged([valley(0.01) + noise[0], 1 + noise[1], valley(0.04) + noise[2]])
    assert result.fell == (True, False, True)
    assert result.suggestion == pytest.approx(0.005, rel=0.4)
    assert "3 seeds, for 1 of which the cost did not clearly fall" in str(result)


def test_costs_that_still_fall_at_the_end_ask_for_a_larger_range() -> None:
    assert "a larger high" in str(ranged([valley(1.0), valley(1.0)]))
    assert "did not rise again" in str(ranged([valley(0.4), valley(0.4)]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"low": 1.0, "high": 0.1}, "from a low rate to a higher one, got low=1.0 and high=0.1"),
        ({"low": 0.1, "high": 0.1}, "from a low rate to a higher one"),
        ({"low": 0.0}, "low must be above 0"),
        ({"high": math.inf}, "high must be above 0 and finite"),
        ({"high": "1"}, "high must be a number"),
        ({"steps": 10}, "steps must be a whole number of at least 20"),
        ({"steps": 50.0}, "steps must be a whole number"),
        ({"seeds": 1}, "find_lr needs at least 2 seeds"),
        ({"epochs": 3}, "find_lr has no use for epochs"),
        ({"early_stopping": True}, "no use for early_stopping"),
        ({"optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"batchsize": 3}, "no setting 'batchsize'"),
        ({"confidence": 2}, "confidence must be a fraction"),
    ],
)
def test_bad_input(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        find_lr(cr.Dense(1), (X, Y), **settings)
