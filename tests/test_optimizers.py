"""Every optimizer against optax over 100 steps, on both engines; pure, in the parameters' data type, traceable."""

from __future__ import annotations

import copy

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import chainrule as cr
from chainrule import optimizers, schedules, tree
from chainrule.optimizers import Optimizer
from chainrule.settings import structure, values, with_values

LR = 0.05
STEPS = 100


def start(xp=np, dtype=np.float64):
    """Parameters in every kind of nesting, some of them weights."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: xp.asarray(rng.normal(size=shape), dtype)
    return {
        "dense_1": {"weight": draw(3, 4), "bias": draw(4)},
        "blocks": [({"weight": draw(2, 2)}, draw(5))],
    }


def gradient(params, step):
    """That of a bumpy valley, another one in each step, as mini-batches give."""
    return tree.map(lambda w: 2.0 * w + cr.ops.sin(3.0 * w + step) + 0.1 * step, params)


def train(optimizer, params, steps=STEPS, lr=LR):
    opt_state = optimizer.init(params)
    for step in range(1, steps + 1):
        rate = lr(step) if callable(lr) else lr
        params, opt_state = optimizer.update(gradient(params, step), opt_state, params, lr=rate, step=step)
    return params


def train_optax(transformation, params, steps=STEPS):
    state = transformation.init(params)

    @jax.jit
    def update(grads, state, params):
        updates, state = transformation.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for step in range(1, steps + 1):
        params, state = update(gradient(params, step), state, params)
    return params


def weights_only(params):
    return tree.map_with_path(lambda path, _: path[-1] == "weight", params)


def decayed(transformation, decay=0.1):
    return optax.chain(optax.add_decayed_weights(decay, mask=weights_only), transformation)


def clipped(transformation, limit=3.0):
    return optax.chain(optax.clip_by_global_norm(limit), transformation)


#: optax's options: RMSProp has ε inside of the root by default there, AdaGrad always, so that ε is made too small
#: to matter. optax's RMSProp puts the learning rate into the momentum (SGD's form "step"), which is the same as
#: long as the rate is constant.
PAIRS = {
    "sgd": (optimizers.SGD(), optax.sgd(LR)),
    "sgd momentum": (optimizers.SGD(momentum=0.9), optax.sgd(LR, momentum=0.9)),
    "sgd nesterov": (
        optimizers.SGD(momentum=0.9, nesterov=True),
        optax.sgd(LR, momentum=0.9, nesterov=True),
    ),
    "sgd step form": (optimizers.SGD(momentum=0.9, form="step"), optax.sgd(LR, momentum=0.9)),
    "sgd step form nesterov": (
        optimizers.SGD(momentum=0.9, nesterov=True, form="step"),
        optax.sgd(LR, momentum=0.9, nesterov=True),
    ),
    "sgd decay": (optimizers.SGD(weight_decay=0.1), decayed(optax.sgd(LR))),
    "sgd clip": (optimizers.SGD(clip_norm=3.0), clipped(optax.sgd(LR))),
    "sgd all": (
        optimizers.SGD(momentum=0.9, nesterov=True, weight_decay=0.1, clip_norm=3.0),
        clipped(decayed(optax.sgd(LR, momentum=0.9, nesterov=True))),
    ),
    "adagrad": (
        optimizers.AdaGrad(initial=0.1, eps=1e-30),
        optax.adagrad(LR, initial_accumulator_value=0.1, eps=1e-30),
    ),
    "adagrad from 0": (
        optimizers.AdaGrad(eps=1e-30, weight_decay=0.1),
        decayed(optax.adagrad(LR, initial_accumulator_value=0.0, eps=1e-30)),
    ),
    "rmsprop": (
        optimizers.RMSProp(decay=0.95, eps=1e-3),
        optax.rmsprop(LR, decay=0.95, eps=1e-3, eps_in_sqrt=False),
    ),
    "rmsprop momentum": (
        optimizers.RMSProp(momentum=0.8, clip_norm=3.0),
        clipped(optax.rmsprop(LR, decay=0.9, eps=1e-8, eps_in_sqrt=False, momentum=0.8)),
    ),
    "adam": (optimizers.Adam(), optax.adam(LR)),
    "adam all": (
        optimizers.Adam(beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.1, clip_norm=3.0),
        clipped(decayed(optax.adam(LR, b1=0.8, b2=0.95, eps=1e-3))),
    ),
    "adamw": (optimizers.AdamW(), optax.adamw(LR, weight_decay=0.01, mask=weights_only)),
    "adamw all": (
        optimizers.AdamW(beta1=0.8, weight_decay=0.3, clip_norm=3.0),
        clipped(optax.adamw(LR, b1=0.8, weight_decay=0.3, mask=weights_only)),
    ),
}
MEMBERS = {name: ours for name, (ours, _) in PAIRS.items()}
every_member = pytest.mark.parametrize("optimizer", MEMBERS.values(), ids=MEMBERS)


def test_every_optimizer_is_compared():
    ours = {kind for kind in Optimizer.registry.values() if kind.__module__.startswith("chainrule.")}
    assert {type(optimizer) for optimizer, _ in PAIRS.values()} == ours


def assert_close(a, b, rtol, atol=0.0):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
def test_equals_optax_over_100_steps(ours, theirs, x64):
    expected = train_optax(theirs, start(jnp, jnp.float64))
    assert_close(train(ours, start()), expected, 1e-10)
    update = jax.jit(ours.update)
    params = start(jnp, jnp.float64)
    opt_state = ours.init(params)
    for step in range(1, STEPS + 1):
        params, opt_state = update(gradient(params, step), opt_state, params, lr=LR, step=step)
    assert_close(params, expected, 1e-10)


@every_member
def test_engines_agree_in_float32_and_the_data_type_stays(optimizer):
    params = start(np, np.float32)
    there = start(jnp, jnp.float32)
    opt_state, their_state = optimizer.init(params), optimizer.init(there)
    update = jax.jit(lambda v, g, m, p, lr, step: with_values(optimizer, v).update(g, m, p, lr=lr, step=step))
    for step in range(1, STEPS + 1):
        g = tree.map(lambda w: w.astype(np.float32), gradient(params, step))
        params, opt_state = optimizer.update(g, opt_state, params, lr=np.float64(LR), step=np.int64(step))
        there, their_state = update(values(optimizer), g, their_state, there, LR, step)
    for leaf in tree.leaves((params, opt_state, there, their_state)):
        assert leaf.dtype == np.float32
    assert_close(params, there, 1e-5, 1e-6)


@every_member
def test_nothing_given_is_changed(optimizer):
    params = start()
    opt_state = optimizer.init(params)
    for step in (1, 2):
        grads = gradient(params, step)
        before = copy.deepcopy((params, opt_state, grads))
        new, new_opt_state = optimizer.update(grads, opt_state, params, lr=LR, step=step)
        again, _ = optimizer.update(grads, opt_state, params, lr=LR, step=step)
        assert_close((params, opt_state, grads), before, 0.0)
        assert_close(new, again, 0.0)
        params, opt_state = new, new_opt_state


@every_member
def test_everything_may_be_traced_and_differ_over_members(optimizer):
    """A scan over steps inside a vmap over members, each with its own settings and learning rate."""
    params = start(jnp, jnp.float32)
    lrs = jnp.array([0.01, 0.05])
    factors = jnp.array([1.0, 0.9])
    taken = {k: v * factors for k, v in values(optimizer).items() if k != "lr"}
    bare = structure(optimizer)

    def run(taken, lr):
        member = with_values(bare, taken)

        def step(carry, count):
            params, opt_state = carry
            return member.update(gradient(params, count), opt_state, params, lr=lr, step=count), None

        return jax.lax.scan(step, (params, member.init(params)), jnp.arange(1, 6))[0][0]

    together = jax.jit(jax.vmap(run))(taken, lrs)
    for i in range(2):
        alone = with_values(optimizer, {k: float(v[i]) for k, v in taken.items()})
        expected = train(alone, start(np, np.float32), 5, float(lrs[i]))
        assert_close(jax.tree.map(lambda x, i=i: x[i], together), expected, 2e-5, 1e-6)


@every_member
def test_float32_parameters_stay_float32_beside_float64_scalars(optimizer, x64):
    params = start(jnp, jnp.float32)
    opt_state = optimizer.init(params)
    update = jax.jit(lambda v, g, lr, step: with_values(optimizer, v).update(g, opt_state, params, lr=lr, step=step))
    scalars = jax.tree.map(jnp.asarray, values(optimizer))
    updated = jax.eval_shape(update, scalars, gradient(params, 1), jnp.asarray(LR), jnp.asarray(1))
    assert {leaf.dtype for leaf in tree.leaves(updated)} == {np.dtype(np.float32)}


@every_member
def test_zero_gradient_is_no_division_by_zero(optimizer):
    params = start()
    zero = tree.map(np.zeros_like, params)
    new, _ = optimizer.update(zero, optimizer.init(params), params, lr=LR, step=1)
    bias = new["dense_1"]["bias"]
    np.testing.assert_array_equal(bias, params["dense_1"]["bias"])
    assert np.isfinite(new["dense_1"]["weight"]).all()


# --- momentum -----------------------------------------------------------------------------------------------


def test_forms_of_momentum_are_those_of_the_lectures():
    """v ← αv - g, w ← w + ηv (000) and Δ ← βΔ - ηg, w ← w + Δ (003), with a rate that changes."""
    rate = lambda step: 0.1 if step < 5 else 0.01
    w1 = w2 = 1.0
    v = delta = 0.0
    for step in range(1, 11):
        v = 0.9 * v - 2 * w1
        w1 = w1 + rate(step) * v
        delta = 0.9 * delta - rate(step) * 2 * w2
        w2 = w2 + delta
    weights = {}
    for form in ("velocity", "step"):
        sgd = optimizers.SGD(momentum=0.9, form=form)
        params = {"w": np.array([1.0])}
        opt_state = sgd.init(params)
        for step in range(1, 11):
            params, opt_state = sgd.update({"w": 2 * params["w"]}, opt_state, params, lr=rate(step), step=step)
        weights[form] = params["w"][0]
    assert weights["velocity"] == pytest.approx(w1, rel=1e-12)
    assert weights["step"] == pytest.approx(w2, rel=1e-12)
    assert abs(w1 - w2) > 0.01  # so the form matters when the rate changes


def test_a_schedule_acts_as_in_optax(x64):
    cosine = schedules.Cosine(0.1)
    theirs = train_optax(optax.sgd(optax.cosine_decay_schedule(0.1, STEPS), 0.9), start(jnp, jnp.float64))
    ours = optimizers.SGD(cosine, 0.9)
    rate = lambda step: ours.learning_rate((step - 1) / 10, STEPS / 10)
    assert_close(train(ours, start(), lr=rate), theirs, 1e-10)


def test_moments_are_only_what_is_needed():
    params = start()
    assert optimizers.SGD().init(params) == {}
    assert set(optimizers.SGD(momentum=0.9).init(params)) == {"velocity"}
    assert set(optimizers.Adam().init(params)) == {"mean", "square"}
    assert set(optimizers.RMSProp(momentum=0.9).init(params)) == {"square", "velocity"}


def test_lecture_000_descends_a_parabola():
    """L(w) = w² with η = 0.125: w shrinks by a quarter in each step; with η > 1 it grows (lecture 000)."""

    def descend(lr):
        w = {"w": np.array([2.0])}
        for step in range(1, 11):
            w, _ = optimizers.SGD().update({"w": 2 * w["w"]}, {}, w, lr=lr, step=step)
        return w["w"][0]

    assert descend(0.125) == pytest.approx(2.0 * 0.75**10, rel=1e-12)
    assert abs(descend(1.1)) > 10


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_adams_first_step_has_the_length_of_the_learning_rate(scale):
    """Whatever the gradient, since the moments are corrected with t = 1 (Kingma and Ba), in float32 too."""
    params = {"w": jnp.zeros(3, jnp.float32)}
    grads = {"w": scale * jnp.array([1.0, -2.0, 3.0], jnp.float32)}
    adam = optimizers.Adam(eps=1e-12)
    new, _ = jax.jit(adam.update)(grads, adam.init(params), params, lr=0.1, step=1)
    np.testing.assert_allclose(new["w"], [-0.1, 0.1, -0.1], rtol=1e-6)


def test_adam_with_beta_0_is_a_plain_sign_step():
    params = {"w": np.array([1.0, 1.0])}
    adam = optimizers.Adam(beta1=0.0, beta2=0.0, eps=1e-12)
    new, _ = adam.update({"w": np.array([5.0, -0.1])}, adam.init(params), params, lr=0.1, step=3)
    np.testing.assert_allclose(new["w"], [0.9, 1.1])
    one, zero = {"w": jnp.ones(1)}, {"w": jnp.zeros(1)}
    traced = jax.jit(
        lambda beta: optimizers.Adam(beta1=beta, beta2=beta, eps=1e-12).update(
            one, {"mean": zero, "square": zero}, one, lr=0.1, step=1
        )
    )
    np.testing.assert_allclose(traced(0.0)[0]["w"], [0.9], rtol=1e-5)
    for beta in (0.0, 0.5):
        there, _ = jax.jit(optimizers.Adam(beta1=beta, beta2=beta, eps=1e-12).update)(
            one, {"mean": zero, "square": zero}, one, lr=0.1, step=1
        )
        np.testing.assert_allclose(there["w"], [0.9], rtol=1e-5)


# --- weight decay and clipping ------------------------------------------------------------------------------


def test_weight_decay_acts_on_weights_alone():
    for optimizer in (optimizers.SGD(weight_decay=0.5), optimizers.AdamW(weight_decay=0.5)):
        params = start()
        zero = tree.map(np.zeros_like, params)
        new, _ = optimizer.update(zero, optimizer.init(params), params, lr=0.1, step=1)
        for (path, before), (_, after) in zip(tree.leaves_with_path(params), tree.leaves_with_path(new), strict=True):
            factor = 0.95 if path[-1] == "weight" else 1.0
            np.testing.assert_allclose(after, factor * before, rtol=1e-12)


def test_global_norm_and_clipping():
    grads = {"a": np.array([3.0, 0.0]), "b": [np.array([[4.0]])]}
    assert optimizers.global_norm(grads) == 5.0
    clipped_to_1 = optimizers.clip_by_global_norm(grads, 1.0)
    assert optimizers.global_norm(clipped_to_1) == pytest.approx(1.0, rel=1e-15)
    np.testing.assert_allclose(clipped_to_1["b"][0], [[0.8]])
    assert_close(optimizers.clip_by_global_norm(grads, 5.0), grads, 0.0)
    assert_close(optimizers.clip_by_global_norm(grads, 100.0), grads, 0.0)
    zero = tree.map(np.zeros_like, grads)
    assert_close(optimizers.clip_by_global_norm(zero, 1.0), zero, 0.0)
    small = tree.map(lambda g: g.astype(np.float32), grads)
    assert {g.dtype for g in tree.leaves(optimizers.clip_by_global_norm(small, 1.0))} == {np.dtype(np.float32)}


# --- optax itself -------------------------------------------------------------------------------------------


def test_an_optax_transformation_is_an_optimizer(x64):
    ours = optimizers.get(optax.lion(LR))
    params = start(jnp, jnp.float64)
    expected = train_optax(optax.lion(LR), params)
    opt_state = ours.init(params)
    update = jax.jit(ours.update)
    for step in range(1, STEPS + 1):
        params, opt_state = update(gradient(params, step), opt_state, params, lr=1.0, step=step)
    assert_close(params, expected, 1e-12)
    assert ours.learning_rate(0, 1) == 1.0
    assert hash(structure(ours)) == hash(structure(ours))


def test_an_optax_transformation_needs_jax_and_no_file():
    ours = optimizers.get(optax.adam(LR))
    params = start()
    with pytest.raises(ValueError, match=r"train with engine='jax', or use one of.*adamw"):
        ours.update(params, ours.init(params), params, lr=1.0, step=1)
    with pytest.raises(ValueError, match="cannot be written to a file"):
        ours.to_dict()


@pytest.mark.parametrize("make", [optax.lbfgs, lambda: optax.contrib.reduce_on_plateau(), optax.polyak_sgd])
def test_an_optax_transformation_that_needs_the_cost_is_refused(make):
    with pytest.raises(ValueError, match=r"needs more than the gradient.*value.*optax\.adam"):
        optimizers.get(make()).init({"weight": np.ones((2, 3), np.float32)})


# --- what is given ------------------------------------------------------------------------------------------


def test_get():
    assert optimizers.get("SGD") == optimizers.SGD()
    assert optimizers.get("adamw") == optimizers.AdamW(weight_decay=0.01)
    adam = optimizers.Adam(0.1)
    assert optimizers.get(adam) is adam


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.get("adamm"), r"Unknown optimizer 'adamm'; did you mean 'adam(w)?'\?"),
        (lambda: optimizers.get(optimizers.Adam), r"Got the class Adam; call it: Adam\(\)"),
        (lambda: optimizers.get(0.1), "Expected a name or an object for the optimizer"),
        (lambda: cr.SGD(lr="fast"), "SGD: lr must be a number, got 'fast'"),
        (lambda: cr.SGD(lr=schedules.Cosine), "SGD: lr must be a number or a schedule"),
        (lambda: cr.SGD(momentum=1.0), "SGD: momentum must be at least 0 and below 1, got 1.0"),
        (lambda: cr.SGD(momentum=-0.1), "SGD: momentum must be at least 0"),
        (lambda: cr.SGD(nesterov=True), r"nesterov=True needs a momentum; write SGD\(lr, momentum=0.9"),
        (lambda: cr.SGD(form="stepp"), r"SGD: unknown form 'stepp'; did you mean 'step'\?"),
        (lambda: cr.SGD(weight_decay=-1.0), "SGD: weight_decay must be at least 0"),
        (lambda: cr.SGD(clip_norm=0.0), "SGD: clip_norm must be above 0"),
        (lambda: cr.Adam(beta1=1.0), "Adam: beta1 must be at least 0 and below 1, got 1.0"),
        (lambda: cr.AdamW(beta2=1.5), "AdamW: beta2 must be at least 0 and below 1, got 1.5"),
        (lambda: cr.Adam(eps=0.0), "Adam: eps must be above 0"),
        (lambda: cr.RMSProp(decay=1), "RMSProp: decay must be at least 0 and below 1"),
        (lambda: cr.RMSProp(momentum=2.0), "RMSProp: momentum"),
        (lambda: cr.AdaGrad(initial=-1.0), "AdaGrad: initial must be at least 0"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
