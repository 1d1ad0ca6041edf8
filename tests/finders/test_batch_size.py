"""The noise of gradients against that of every single sample, and the rule that follows from it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engine import choose
from chainrule.errors import ChainruleError
from chainrule.finders import BatchSizes, find_batch_size
from chainrule.finders.batch_size import noise_scale
from chainrule.population import PopulationTrainer

RNG = np.random.default_rng(2)
X = RNG.normal(size=(200, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.7 * RNG.normal(size=(200, 1))).astype("float32")


@pytest.mark.parametrize("engine", ["numpy", "jax"])
@pytest.mark.parametrize("l2", [0.0, 50.0])
def test_the_noise_scale_is_that_of_the_single_samples(engine: str, l2: float) -> None:
    trainer = PopulationTrainer(cr.Dense(1), (X, Y), loss="quadratic", normalize=False, l2=l2, batch_size=10)
    member = trainer.add_members([{"seed": 3}])[0]
    weight, bias = (member.state.params["dense_1"][name].astype(float) for name in ("weight", "bias"))
    each = (X @ weight + bias - Y) * np.hstack([X, np.ones((len(X), 1))])
    all_ = each.mean(axis=0) + np.append(l2 / len(X) * weight, 0.0)
    expected = each.var(axis=0).sum() / (all_**2).sum()
    assert noise_scale(member, 4000, choose(engine)) == pytest.approx(expected, rel=0.1)


def test_noise_grows_and_layers_that_draw_numbers_add_to_it() -> None:
    settings: dict[str, Any] = {"epochs": 6, "sizes": [8], "optimizer": cr.SGD(0.05), "seeds": 4}
    result = find_batch_size(cr.Dense(1), (X, Y), **settings)
    assert result.noise.shape == (4, 7)
    after = np.median(result.noise, axis=0)
    assert after[-1] > 3 * after[0]
    members = [
        PopulationTrainer(net, (X, Y)).add_members([{"seed": 1}])[0]
        for net in (cr.Dense(1), cr.Sequential(cr.Dropout(0.5), cr.Dense(1)))
    ]
    plain, dropped = (noise_scale(member, 500, choose("numpy")) for member in members)
    assert dropped > plain


def made(noise: Any, seconds: dict[int, float], **rest: Any) -> BatchSizes:
    return BatchSizes(np.asarray(noise, float), seconds, **{"measured_with": 32, "samples": 1000} | rest)


def test_the_recommended_size_reaches_the_same_cost_soonest() -> None:
    noise = [[10.0, 200.0, 800.0], [10.0, 100.0, 400.0]]  # geometric means after the start: 400, 200
    seconds = {size: 1e-4 + size * 1e-6 for size in (16, 64, 256, 1024)}
    result = made(noise, seconds)
    assert result.largest == pytest.approx(math.sqrt(400 * 200))
    scale = result.largest
    expected = min((16, 64, 256), key=lambda size: (1 + scale / size) * seconds[size])
    assert result.recommended == expected
    assert result.relative_seconds(64) == pytest.approx((1 + scale / 64) * seconds[64])
    frame = result.to_pandas().set_index("batch_size")
    assert frame["relative_seconds"].min() == frame.loc[expected, "relative_seconds"] == 1.0
    assert frame.loc[16, "seconds_per_sample"] == pytest.approx(seconds[16] / 16)
    assert f"{expected} " in str(result)


def test_a_size_above_the_largest_useful_one_is_not_recommended() -> None:
    free = {16: 1e-4, 64: 1e-4, 256: 1e-4}  # seconds that do not depend on the size
    result = made([[1.0, 100.0], [1.0, 100.0]], free)
    assert result.recommended == 64
    assert made([[1.0, 4.0], [1.0, 4.0]], free).recommended == 16  # the smallest that was timed


def test_the_uncertainty_over_the_seeds_goes_into_the_recommendation() -> None:
    seconds = {16: 1e-4, 64: 1.01e-4, 256: 1.02e-4, 1024: 1.03e-4}
    result = made([[5.0, 100.0], [5.0, 200.0], [5.0, 400.0]], seconds)
    assert result.interval is not None
    assert result.interval[0] < 100
    assert result.interval[1] > 400
    assert result.recommended == 64
    assert result.recommended_between == (16, 1024)
    assert "(95 %: 16 to 1024)" in str(result)
    lost = made([[5.0, 100.0], [5.0, math.nan], [5.0, 400.0]], seconds)
    assert lost.largest == pytest.approx(200.0)


def test_the_rate_grows_with_the_size_up_to_the_noise_scale() -> None:
    result = made([[1.0, 1000.0], [1.0, 1000.0]], {32: 1.0})
    assert result.lr_factor(32) == 1
    assert result.lr_factor(64) == pytest.approx(2, rel=0.05)
    assert result.lr_factor(10**9) == pytest.approx(1 + 1000 / 32, rel=1e-4)


def test_the_sizes_are_timed() -> None:
    result = find_batch_size(cr.mlp([3, 64, 1], output="linear"), (X, Y), seeds=2, epochs=1, sizes=[100, 1, 500])
    assert list(result.seconds) == [1, 100, 200]  # not more than there are samples
    assert result.seconds[1] > 0
    assert result.seconds[200] > result.seconds[1] / 2
    chosen = find_batch_size(cr.Dense(1), (X, Y), seeds=2, epochs=1)
    assert all(size & (size - 1) == 0 for size in chosen.seconds)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batches": 2}, "batches must be a whole number of at least 8"),
        ({"sizes": []}, "sizes is a list of numbers"),
        ({"sizes": [0, 8]}, "sizes are at least 1"),
        ({"sizes": [8.5]}, "sizes are whole numbers"),
        ({"sizes": "8"}, "sizes is a list of numbers"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"seeds": 1}, "find_batch_size needs at least 2 seeds"),
        ({"early_stopping": True}, "has no use for early_stopping"),
        ({"optimizer": cr.SGD(1e30)}, "All members diverged"),
    ],
)
def test_bad_input(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        find_batch_size(cr.Dense(1), (X, Y), **{"seeds": 2, "epochs": 2, "sizes": [8]} | settings)
