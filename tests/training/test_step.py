"""The training step: what it computes, and that it runs under jit, scan and vmap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, tree
from chainrule.recipe.state import filled, start_settings
from chainrule.recipe.step import add_penalty, step
from chainrule.training import Batch, Recipe, State

rng = np.random.default_rng(0)
x = rng.normal(size=(8, 3))
y = np.arange(8, dtype=np.int32) % 2
WEIGHTED = Batch(x, y, np.linspace(0.5, 1.5, 8))
NET = cr.Sequential(cr.Dense(4, "tanh"), cr.Dropout(0.25), cr.Dense(2))


def recipe(net: Any = NET, **changes: Any) -> Recipe:
    settings = {"loss": losses.get("cross_entropy"), "optimizer": cr.SGD(0.1, momentum=0.9), "fused": True}
    return Recipe(net=net, **(settings | changes))


def start(made: Recipe, seed: int = 0) -> State:
    model = cr.Model(made.net, (3,), seed=seed, precision="float64")
    return State(
        params=model.params,
        model_state=model.state,
        opt_state=made.optimizer.init(model.params),
        step=0,
        key=cr.random.key(5),
        settings=start_settings(made, samples=80, batch_size=8, epochs=4),
    )


def assert_close(first: Any, second: Any) -> None:
    """The leaves of the same name agree (JAX sorts the keys of dicts)."""
    second = dict(tree.leaves_with_path(second))
    for path, a in tree.leaves_with_path(first):
        np.testing.assert_allclose(a, second.pop(path), rtol=1e-10, atol=1e-14)
    assert not second


def test_a_step_does_not_change_the_state_it_gets() -> None:
    made = recipe()
    state = start(made)
    before = tree.map(np.copy, state.params)
    after, metrics = step(made, state, WEIGHTED)
    assert state.step == 0
    assert after.step == 1
    for a, b in zip(tree.leaves(state.params), tree.leaves(before), strict=True):
        assert np.array_equal(a, b)
    again, _ = step(made, state, WEIGHTED)
    for a, b in zip(tree.leaves(after.params), tree.leaves(again.params), strict=True):
        assert np.array_equal(a, b)
    assert metrics.weight == pytest.approx(8.0)


def test_the_cost_is_the_weighted_mean() -> None:
    made = recipe(cr.Sequential(cr.Dense(2)), optimizer=cr.SGD(1.0))
    state = start(made)
    after, metrics = step(made, state, WEIGHTED)
    w, b = state.params["dense_1"]["weight"], state.params["dense_1"]["bias"]
    z = x @ w + b
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    costs = -np.log(p[np.arange(8), y])
    assert metrics.cost == pytest.approx(np.sum(costs * WEIGHTED.weight), rel=1e-12)
    assert metrics.score == pytest.approx(np.sum(p.argmax(axis=1) == y))
    delta = (p - np.eye(2)[y]) * WEIGHTED.weight[:, None] / WEIGHTED.weight.sum()
    np.testing.assert_allclose(after.params["dense_1"]["weight"], w - x.T @ delta, rtol=1e-12)
    np.testing.assert_allclose(after.params["dense_1"]["bias"], b - delta.sum(axis=0), rtol=1e-12)


def test_penalties_are_those_of_the_lecture_and_for_weights_only() -> None:
    """λ₁/n Σ|w| has the gradient λ₁/n sign w, and λ₂/(2n) Σw² has λ₂/n w; n is the size of the training set."""
    params = {
        "dense_1": {"weight": np.array([[2.0, -3.0]]), "bias": np.array([5.0])},
        "batch_norm_1": {"gamma": np.array([7.0]), "beta": np.array([7.0])},
    }
    zero = tree.map(np.zeros_like, params)
    gradient = add_penalty(zero, params, l1=0.4, l2=0.6, samples=10.0)
    np.testing.assert_allclose(gradient["dense_1"]["weight"], [[0.04 + 0.12, -0.04 - 0.18]], rtol=1e-12)
    assert gradient["dense_1"]["bias"] == 0.0
    assert gradient["batch_norm_1"] == zero["batch_norm_1"]
    assert add_penalty(zero, params, 0.0, 0.0, 10.0) is zero


def test_l2_shrinks_weights_as_weight_decay_does() -> None:
    """w ← (1 - ηλ/n) w - η ∂C₀/∂w."""
    made = recipe(cr.Sequential(cr.Dense(2)), optimizer=cr.SGD(0.5), l2=4.0)
    plain = recipe(cr.Sequential(cr.Dense(2)), optimizer=cr.SGD(0.5))
    state = start(made)
    with_l2, without = step(made, state, WEIGHTED)[0], step(plain, start(plain), WEIGHTED)[0]
    w = state.params["dense_1"]["weight"]
    expected = without.params["dense_1"]["weight"] - 0.5 * 4.0 / 80 * w
    np.testing.assert_allclose(with_l2.params["dense_1"]["weight"], expected, rtol=1e-12)
    assert np.array_equal(with_l2.params["dense_1"]["bias"], without.params["dense_1"]["bias"])


@pytest.mark.parametrize("parts", [2, 3, 8, 20])
def test_micro_batches_add_up_to_the_whole_batch(parts: int) -> None:
    net = cr.Sequential(cr.Dense(4, "tanh"), cr.LayerNorm(), cr.Dense(2))
    whole, divided = recipe(net), recipe(net, micro_batches=parts)
    (a, seen), (b, also) = step(whole, start(whole), WEIGHTED), step(divided, start(divided), WEIGHTED)
    for one, other in zip(tree.leaves(a.params), tree.leaves(b.params), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)
    for one, other in zip(tree.leaves(seen), tree.leaves(also), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert seen.costs.shape == WEIGHTED.weight.shape


def test_a_batch_whose_samples_have_no_weight_changes_nothing_but_momentum() -> None:
    made = recipe(optimizer=cr.SGD(0.1))
    state = start(made)
    after, metrics = step(made, state, Batch(x, y, np.zeros(8)))
    for a, b in zip(tree.leaves(state.params), tree.leaves(after.params), strict=True):
        assert np.array_equal(a, b)
    assert metrics.cost == 0.0


def test_dropout_differs_from_step_to_step() -> None:
    made = recipe(optimizer=cr.SGD(0.0))
    state = start(made)
    costs = set()
    for _ in range(4):
        state, metrics = step(made, state, WEIGHTED)
        costs.add(float(metrics.cost))
    assert len(costs) == 4


def test_under_jit_and_scan_it_is_the_same_as_step_by_step(x64: None) -> None:
    import jax
    from jax import lax

    made = recipe()
    state = start(made)
    expected, costs = state, []
    for _ in range(3):
        expected, metrics = step(made, expected, WEIGHTED)
        costs.append(float(metrics.cost))

    @jax.jit
    def three(state: State) -> Any:
        return lax.scan(lambda s, _: step(made, s, Batch(*map(jax.numpy.asarray, WEIGHTED))), state, None, length=3)

    end, metrics = three(tree.map(jax.numpy.asarray, state))
    np.testing.assert_allclose(metrics.cost, costs, rtol=1e-12)
    assert_close(end.params, expected.params)


def test_under_vmap_each_member_has_weights_and_settings_of_its_own(x64: None) -> None:
    import jax
    import jax.numpy as jnp

    made = recipe()
    states = []
    for seed, (rate, dropout, l2) in enumerate([(0.1, 0.25, 0.0), (0.5, 0.0, 1.0), (0.01, 0.6, 3.0)]):
        state = start(made, seed)
        settings = state.settings["recipe"]
        settings["optimizer"]["lr"], settings["net"]["layers"]["1"]["rate"], settings["l2"] = rate, dropout, l2
        states.append(state)
    together = tree.map(lambda *leaves: jnp.stack([jnp.asarray(v) for v in leaves]), *states)

    @jax.jit
    @jax.vmap
    def all_at_once(state: State) -> Any:
        batch = Batch(*map(jnp.asarray, WEIGHTED))
        return step(filled(made, state.settings), state, batch)

    after, metrics = all_at_once(together)
    for member, state in enumerate(states):
        alone, seen = step(filled(made, state.settings), state, WEIGHTED)
        assert float(metrics.cost[member]) == pytest.approx(float(seen.cost), rel=1e-11)
        assert float(metrics.lr[member]) == state.settings["recipe"]["optimizer"]["lr"]
        assert_close(tree.map(lambda v, member=member: v[member], after.params), alone.params)
