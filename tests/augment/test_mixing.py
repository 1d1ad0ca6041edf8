"""Mixup and swap: who is mixed with whom, how much, and what it does to the cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule import augment, losses, random
from chainrule.augment.mixing import partners, smaller_part
from chainrule.backprop.tensor import unwrap
from chainrule.models import Model
from chainrule.recipe.state import recipe_of
from chainrule.recipe.step import evaluate
from chainrule.training import Batch

rng = np.random.default_rng(0)
x = rng.normal(size=(9, 4))
KEY = random.key(3)
PRESENT = np.array([1, 1, 0, 1, 1, 1, 1, 0, 0.0])


@pytest.mark.parametrize("seed", range(20))
def test_partners_are_others_that_are_present(seed: int) -> None:
    partner = partners(random.key(seed), 9, PRESENT)
    there = np.flatnonzero(PRESENT)
    assert sorted(partner[there]) == there.tolist()  # each once
    assert (partner[there] != there).all()
    assert np.array_equal(partner[PRESENT == 0], np.flatnonzero(PRESENT == 0))


def test_every_other_sample_is_as_likely() -> None:
    partner = np.array([partners(random.key(seed), 5)[0] for seed in range(2000)])
    assert stats.chisquare(np.bincount(partner, minlength=5)[1:]).pvalue > 0.01


def test_a_single_sample_is_its_own_partner() -> None:
    assert partners(KEY, 1).tolist() == [0]
    assert partners(KEY, 3, np.array([0, 1, 0.0])).tolist() == [0, 1, 2]


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.4, 1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_share_follows_the_beta_distribution(alpha: float, dtype: str) -> None:
    u = ((np.arange(4000) + 0.5) / 4000).astype(dtype)
    # min(λ, 1 - λ) is below s with the probability 2 F(s); its quantile at u is that of λ at u/2
    wanted = stats.beta(alpha, alpha).ppf(u / 2)
    np.testing.assert_allclose(smaller_part(u, alpha), wanted, atol=2e-3)


def test_mixup_blends_inputs_with_a_partner() -> None:
    mixed, blend = augment.Mixup(1.0).apply(x, KEY, PRESENT)
    assert blend is not None
    fraction = blend.fraction[:, None]
    np.testing.assert_allclose(mixed, fraction * x + (1 - fraction) * x[blend.partner], rtol=1e-12)
    assert np.array_equal(mixed[PRESENT == 0], x[PRESENT == 0])  # samples that only fill up: untouched, and in nobody
    assert ((blend.fraction >= 0.5) & (blend.fraction <= 1)).all()


LABELS = rng.integers(0, 3, size=9).astype(np.int32)
WEIGHT = np.array([1, 2, 0, 0.5, 1, 3, 1, 0, 0.0])


def cost_of(loss: Any, y: np.ndarray, output: str, units: int, weight: np.ndarray) -> tuple[Any, Any, Any]:
    model = Model(cr.Dense(units, output), (4,), seed=1, precision="float64")
    task = "classification" if y.ndim == 1 else "regression"
    made = recipe_of(model, loss, task=task, augment=augment.Mixup(1.0))
    mixed, _, _ = evaluate(made, model.params, model.state, Batch(x, y, weight), key=KEY, train=True)
    key = random.fold_in(KEY, 1)
    inputs, blend = augment.Mixup(1.0).apply(x, key, (weight > 0).astype(float))
    return np.asarray(unwrap(mixed)), model.predict_proba(inputs), blend


def test_the_cost_is_that_of_the_blended_target_where_the_loss_is_linear_in_it() -> None:
    costs, a, blend = cost_of("cross_entropy", LABELS, "softmax", 3, np.ones(9))
    one_hot = np.eye(3)[LABELS]
    fraction = blend.fraction[:, None]
    wanted = losses.CrossEntropy()(a, fraction * one_hot + (1 - fraction) * one_hot[blend.partner])
    np.testing.assert_allclose(costs, wanted, rtol=1e-10)


@pytest.mark.parametrize(
    ("loss", "output", "y"),
    [
        ("cross_entropy", "softmax", LABELS),
        ("binary_cross_entropy", "sigmoid", np.eye(3)[LABELS]),
        ("quadratic", "linear", rng.normal(size=(9, 3))),
        ("huber", "linear", rng.normal(size=(9, 3))),
        ("hinge", "linear", np.eye(3)[LABELS]),
        (lambda a, y: np.abs(a - y).max(axis=1), "linear", LABELS),
    ],
)
def test_the_cost_is_both_costs_with_the_weight_of_each(loss: Any, output: str, y: np.ndarray) -> None:
    costs, a, blend = cost_of(loss, y, output, 3, WEIGHT)
    function = losses.get(loss)
    cost, other = function(a, y) * WEIGHT, function(a, y[blend.partner]) * WEIGHT[blend.partner]
    np.testing.assert_allclose(costs * WEIGHT, blend.fraction * cost + (1 - blend.fraction) * other, rtol=1e-10)
    np.testing.assert_allclose(costs[WEIGHT == 0], function(a, y)[WEIGHT == 0], rtol=1e-10)


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_a_network_learns_with_mixup_and_a_last_batch_that_is_filled_up(engine: str) -> None:
    rows = rng.normal(size=(90, 5))
    sides = (rows[:, 0] > rows[:, 1]).astype(int)
    settings: dict[str, Any] = {"epochs": 15, "batch_size": 16, "engine": engine, "progress": False}
    run = cr.fit(cr.Dense(2, "softmax"), (rows, sides), augment="mixup:0.4", optimizer=cr.SGD(1.0), **settings)
    assert run.evaluate(rows, sides)["accuracy"] > 0.95


def test_targets_can_be_blended_once() -> None:
    with pytest.raises(cr.errors.SettingError, match="use mixup only once"):
        augment.get("mixup,mixup").apply(x, KEY)


def test_mixup_goes_with_others_in_any_order() -> None:
    images = rng.normal(size=(6, 8, 8, 1))
    for spelled in ("mixup,shift:1,noise", "shift:1,mixup,noise"):
        mixed, blend = augment.get(spelled).apply(images, KEY)
        assert mixed.shape == images.shape
        assert blend is not None


def test_swap_takes_features_from_other_rows() -> None:
    many = np.arange(4000.0).reshape(1000, 4)
    mixed = augment.Swap(0.3)(many, KEY)
    changed = mixed != many
    assert 0.27 < changed.mean() < 0.33
    assert np.array_equal(mixed % 4, many % 4)  # each number stays in its column
    rows, partner = mixed // 4, partners(random.split(KEY)[1], 1000)
    assert np.array_equal(rows[changed], np.broadcast_to(partner[:, None], rows.shape)[changed])


def test_swap_never_takes_from_a_sample_that_only_fills_up() -> None:
    mixed, _ = augment.Swap(1.0).apply(x, KEY, PRESENT)
    there = PRESENT > 0
    assert np.array_equal(np.unique(mixed[there], axis=0), np.unique(x[there], axis=0))
    assert np.array_equal(mixed[~there], x[~there])
