"""Every loss: gradient, independent formulas, fused pairs, targets of any kind, and what it refuses."""

from __future__ import annotations

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sklearn.metrics
from hypothesis import given, settings

import chainrule as cr
from chainrule import activations, losses, random
from chainrule.backprop import Tensor
from chainrule.losses import Loss
from chainrule.settings import is_ours, values, with_values

MEMBERS = sorted(filter(is_ours, set(Loss.registry.values())), key=lambda cls: cls.name)  # other tests have their own
PAIRS = [cls for cls in MEMBERS if cls.pair is not None]

#: The cost of each sample, written by others or once more from the lectures; t are in the outputs' shape.
WITNESS = {
    "binary_cross_entropy": lambda a, t: -jnp.sum(t * jnp.log(a) + (1 - t) * jnp.log(1 - a), axis=1),
    "cross_entropy": lambda a, t: -jnp.sum(t * jnp.log(a), axis=1),
    "hinge": lambda a, t: optax.losses.hinge_loss(a, t).sum(axis=1),
    "huber": lambda a, t: optax.losses.huber_loss(a, t, delta=1.0).mean(axis=1),
    "mean_absolute_error": lambda a, t: jnp.abs(a - t).mean(axis=1),
    "mean_squared_error": lambda a, t: optax.losses.squared_error(a, t).mean(axis=1),
    "quadratic": lambda a, t: optax.losses.l2_loss(a, t).sum(axis=1),
    "squared_error": lambda a, t: optax.losses.squared_error(a, t).sum(axis=1),
}


def ids(cls):
    return cls.name


def draw(cls, seed, batch=5, k=3):
    """Outputs and targets that the loss is made for, away from the places where its derivative jumps."""
    z = random.normal(random.key(seed), (batch, k), np.float64)
    u = random.uniform(random.key(seed + 1), (batch, k), dtype=np.float64)
    if cls.outputs == "distribution":
        return cr.ops.softmax(z), np.eye(k)[u.argmax(axis=1)]
    if cls.outputs == "probabilities":
        return 0.05 + 0.9 * cr.ops.sigmoid(z), (u > 0.5).astype(float)
    if cls.outputs == "signs":
        t = np.where(u > 0.5, 1.0, -1.0)
        return np.where(np.abs(1 - z * t) < 1e-3, 0.0, z), t
    t = 4 * u - 2
    kink = np.minimum(np.abs(z - t), np.abs(np.abs(z - t) - 1))
    return np.where(kink < 1e-3, t + 0.5, z), t


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_gradient_equals_central_differences(cls, seed, batch, k):
    loss, (a, y) = cls(), draw(cls, seed, batch, k)
    actual = cr.grad(lambda a: loss(a, y).sum())(a)
    h, numeric = 1e-6, np.zeros_like(a)
    for i in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[i] += h
        down[i] -= h
        numeric[i] = (loss(up, y).sum() - loss(down, y).sum()) / (2 * h)
    np.testing.assert_allclose(actual, numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_cost_and_gradient_equal_an_independent_formula(cls, x64):
    loss, (a, y) = cls(), draw(cls, 7)
    witness = WITNESS[cls.name]
    costs = loss(a, y)
    assert costs.shape == (5,)
    np.testing.assert_allclose(costs, witness(jnp.asarray(a), y), rtol=1e-10)
    actual = cr.grad(lambda a: loss(a, y).mean())(a)
    expected = jax.grad(lambda a: witness(a, y).mean())(jnp.asarray(a))
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-14)


def test_means_equal_scikit_learn():
    for name, metric in {
        "mse": sklearn.metrics.mean_squared_error,
        "mae": sklearn.metrics.mean_absolute_error,
    }.items():
        a, y = draw(losses.MeanSquaredError, 3)
        np.testing.assert_allclose(losses.get(name)(a, y).mean(), metric(y, a), rtol=1e-12)
    a, y = draw(losses.CrossEntropy, 3)
    labels = y.argmax(axis=1)
    log_loss = sklearn.metrics.log_loss(labels, a, labels=range(3))
    np.testing.assert_allclose(losses.CrossEntropy()(a, labels).mean(), log_loss, rtol=1e-12)
    a, y = draw(losses.BinaryCrossEntropy, 3, k=1)
    log_loss = sklearn.metrics.log_loss(y, a, labels=[0, 1])
    np.testing.assert_allclose(losses.BinaryCrossEntropy()(a, y).mean(), log_loss, rtol=1e-12)
    a, y = draw(losses.Hinge, 3, k=1)
    np.testing.assert_allclose(losses.Hinge()(a, y).mean(), sklearn.metrics.hinge_loss(y, a), rtol=1e-12)


# --- the lectures' pairs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", PAIRS, ids=ids)
def test_pairs_give_delta_a_minus_y_fused_and_unfused(cls):
    loss, activation = cls(), activations.get(cls.pair)
    z = random.normal(random.key(1), (6, 4), np.float64)
    y = draw(cls, 2, 6, 4)[1]
    apart = cr.value_and_grad(lambda z: loss(activation(z), y).sum())(z)
    fused = cr.value_and_grad(lambda z: loss.from_logits(z, y).sum())(z)
    np.testing.assert_allclose(fused[0], apart[0], rtol=1e-12)
    np.testing.assert_allclose(fused[1], activation(z) - y, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(apart[1], activation(z) - y, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(loss.from_logits(z, y), loss(activation(z), y), rtol=1e-10)


def test_the_pairs_are_those_of_the_lecture():
    assert {cls.pair: cls.name for cls in PAIRS} == {
        "linear": "quadratic",
        "sigmoid": "binary_cross_entropy",
        "softmax": "cross_entropy",
    }


@pytest.mark.parametrize("cls", [cls for cls in MEMBERS if cls.pair is None], ids=ids)
def test_losses_without_a_pair_say_so(cls):
    with pytest.raises(ValueError, match=f"'{cls.name}' is not joined with an output activation"):
        cls().from_logits(np.zeros((1, 1)), np.zeros((1, 1)))


def test_saturated_neuron_learns_slowly_with_quadratic_cost_only():
    """Lecture 003: where σ(4) = 0.98 but 0 is wanted, δ has the factor σ' = 0.018 under the quadratic cost."""
    z, y = np.array([[4.0]]), np.array([[0.0]])
    a = cr.ops.sigmoid(z)
    slow = cr.grad(lambda z: losses.Quadratic()(cr.ops.sigmoid(z), y).sum())(z)
    fast = cr.grad(lambda z: losses.BinaryCrossEntropy()(cr.ops.sigmoid(z), y).sum())(z)
    np.testing.assert_allclose(slow, a * a * (1 - a), rtol=1e-12)
    np.testing.assert_allclose(fast, a, rtol=1e-12)
    assert fast > 50 * slow


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls", [losses.CrossEntropy, losses.BinaryCrossEntropy], ids=ids)
def test_certainty_is_finite(cls, dtype):
    a, y = np.array([[0.0, 1.0]], dtype), np.array([[1.0, 0.0]], dtype)
    cost, gradient = cr.value_and_grad(lambda a: cls()(a, y).sum())(a)
    assert np.isfinite(cost)
    assert cost > 50
    assert np.isfinite(gradient).all()
    assert cls()(a, 1 - y) == 0.0
    z = np.array([[-1e4, 1e4]], dtype)
    cost, gradient = cr.value_and_grad(lambda z: cls().from_logits(z, y).sum())(z)
    np.testing.assert_allclose(cost, 2e4)
    np.testing.assert_allclose(gradient, [[-1.0, 1.0]])


def test_label_smoothing():
    z, labels = random.normal(random.key(1), (6, 4), np.float64), np.array([0, 1, 2, 3, 0, 1])
    loss = losses.CrossEntropy(label_smoothing=0.1)
    t = 0.9 * np.eye(4)[labels] + 0.1 / 4
    expected = -(t * np.log(cr.ops.softmax(z))).sum(axis=1)
    np.testing.assert_allclose(loss.from_logits(z, labels), expected, rtol=1e-12)
    np.testing.assert_allclose(loss(cr.ops.softmax(z), labels), expected, rtol=1e-12)


# --- targets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_integer_labels_are_one_hot_rows(cls):
    a, _ = draw(cls, 4, 4, 3)
    labels = np.array([2, 0, 1, 1])
    rows = np.eye(3)[labels]
    for kind in (np.int64, np.int32, np.uint8):
        np.testing.assert_allclose(cls()(a, labels.astype(kind)), cls()(a, rows))
    assert np.array_equal(losses.targets_like(a, labels), rows)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_one_output_takes_a_vector_of_targets(cls):
    a, y = draw(cls, 5, 4, 1)
    np.testing.assert_array_equal(cls()(a, y[:, 0]), cls()(a, y))


def test_labels_for_each_position_are_summed_over_the_positions_and_not_taken_by_fit():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 5, (2, 3, 4))
    loss = losses.CrossEntropy()
    by_position = optax.losses.softmax_cross_entropy_with_integer_labels(jnp.asarray(z), jnp.asarray(y))
    np.testing.assert_allclose(loss.from_logits(z, y), by_position.sum(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(loss(cr.ops.softmax(z), y), loss.from_logits(z, y))
    with pytest.raises(cr.ChainruleError, match=r"y has shape \(2, 3, 4\); expected one value"):
        cr.fit(cr.Dense(5, "softmax"), (rng.normal(size=(2, 3, 4, 1)), y), progress=False)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_outputs_with_more_axes_give_one_cost_per_sample(cls):
    a, y = draw(cls, 6, 24, 3)
    apart = cls()(a, y).reshape(4, 6)
    mean = "mean" in cls.name or cls.name == "huber"
    expected = apart.mean(axis=1) if mean else apart.sum(axis=1)
    a, y = a.reshape(4, 2, 3, 3), y.reshape(4, 2, 3, 3)
    np.testing.assert_allclose(cls()(a, y), expected, rtol=1e-12)
    if cls.pair:
        assert cls().from_logits(a, y).shape == (4,)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_both_engines_float32_and_traced_targets(cls):
    loss, (a, y) = cls(), draw(cls, 8)
    a, y = a.astype(np.float32), y.astype(np.float32)
    there = jax.jit(lambda v, a, y: with_values(loss, v)(a, y))(values(loss), jnp.asarray(a), jnp.asarray(y))
    assert loss(a, y).dtype == there.dtype == np.float32
    np.testing.assert_allclose(loss(a, y), there, rtol=2e-6, atol=1e-6)
    assert loss(a, y.astype(np.float64)).dtype == np.float32
    labels = np.array([0, 1, 2, 0, 1])
    traced = jax.jit(loss.__call__)(jnp.asarray(a), jnp.asarray(labels))
    np.testing.assert_allclose(loss(a, labels), traced, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(loss(Tensor(a), Tensor(labels)).value, loss(a, labels))


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_empty_batch(cls):
    assert cls()(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((4, 2)), r"shape \(4, 3\), but the targets \(4, 2\).*shape \(4,\).*have 2 units"),
        (np.zeros((5, 3)), r"shape \(4, 3\), but the targets \(5, 3\): there must be one target per sample"),
        (np.zeros(4), r"targets \(4,\) of float64.*y\.astype\(int\)"),
        (np.zeros((4, 1), int), r"targets \(4, 1\).*y\[\.\.\., 0\]"),
        (np.array([0, 1, 2, 3]), r"3 outputs, so labels are 0 to 2; found labels from 0 to 3"),
        (np.array([0, 1, 2, -1]), r"found labels from -1 to 2"),
    ],
)
def test_targets_that_do_not_fit(cls, y, message):
    a, _ = draw(cls, 9, 4, 3)
    with pytest.raises(ValueError, match=message):
        cls()(a, y)


# --- choosing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "target", "name"),
    [
        ("softmax", "classification", "cross_entropy"),
        ("sigmoid", "binary", "binary_cross_entropy"),
        ("sigmoid", None, "binary_cross_entropy"),
        ("sigmoid", "regression", "quadratic"),
        (None, "regression", "quadratic"),
        ("relu", "regression", "quadratic"),
    ],
)
def test_auto_follows_the_output_and_the_target(activation, target, name):
    activation = activations.get(activation)
    chosen = losses.auto(activation, target)
    assert chosen.name == name
    losses.check_output(chosen, activation)


@pytest.mark.parametrize(
    ("loss", "activation", "message"),
    [
        (
            "cross_entropy",
            "sigmoid",
            "sum 1, but those of 'sigmoid' are not. Use loss='binary_cross_entropy'",
        ),
        ("cross_entropy", None, "End the network with 'softmax'.*loss='quadratic' for numbers"),
        ("binary_cross_entropy", "relu", "between 0 and 1, but those of 'relu' are between 0 and inf"),
        ("binary_cross_entropy", "tanh", "are between -1 and 1. End the network with 'softmax'"),
        ("hinge", "sigmoid", "from -1 to 1 or beyond, but those of 'sigmoid' are between 0 and 1"),
    ],
)
def test_a_loss_that_does_not_fit_the_output(loss, activation, message):
    with pytest.raises(cr.errors.SettingError, match=message):
        losses.check_output(losses.get(loss), activations.get(activation))


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        ("cross_entropy", "softmax"),
        ("cross_entropy", lambda z: z),
        ("binary_cross_entropy", "softmax"),
        ("binary_cross_entropy", "hard_sigmoid"),
        ("hinge", None),
        ("hinge", "tanh"),
        ("quadratic", "sigmoid"),
        ("huber", "relu"),
        (lambda a, y: a - y, "step"),
    ],
)
def test_losses_that_fit_the_output(loss, activation):
    losses.check_output(losses.get(loss), activations.get(activation))


def test_a_plain_function_is_a_loss():
    a, y = draw(losses.Quadratic, 1)
    per_sample = losses.get(lambda a, y: np.sum(np.abs(a - y) ** 3, axis=1))
    np.testing.assert_allclose(per_sample(a, y), (np.abs(a - y) ** 3).sum(axis=1))
    actual = cr.grad(lambda a: per_sample(a, y).sum())(a)
    np.testing.assert_allclose(actual, 3 * (a - y) ** 2 * np.sign(a - y), rtol=1e-10)

    squares = losses.get(lambda a, y: ((a - y) ** 2).sum(axis=1))  # labels reach it as rows with a single 1
    np.testing.assert_array_equal(squares(a, np.arange(5) % 3), ((a - np.eye(3)[np.arange(5) % 3]) ** 2).sum(axis=1))

    for wrong, what in (
        (lambda a, y: a - y, r"shape \(5, 3\)"),
        (lambda a, y: np.mean((a - y) ** 2), r"shape \(\)"),
        (lambda a, y: None, "None"),
    ):
        with pytest.raises(ValueError, match=rf"one cost per sample, shape \(5,\); it returned {what}"):
            losses.get(wrong)(a, y)
    with pytest.raises(ValueError, match="cannot be written to a file"):
        per_sample.to_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.get("crossentropy"), r"Unknown loss 'crossentropy'; did you mean 'cross_entropy'\?"),
        (lambda: losses.get(losses.Huber), r"Got the class Huber; call it: Huber\(\)"),
        (lambda: losses.get(None), "Expected a name or an object for the loss"),
        (lambda: losses.Huber(0.0), "Huber: delta must be above 0"),
        (lambda: losses.CrossEntropy(1.5), "CrossEntropy: label_smoothing must be at least 0 and at most 1"),
        (lambda: losses.Quadratic()(1.0, 1.0), "A loss needs a batch of outputs"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
