"""Every activation: its derivative, its declared facts, both engines. A new one is tested by existing."""

from __future__ import annotations

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import chainrule as cr
from chainrule import activations, random
from chainrule.activations import Activation
from chainrule.settings import values, with_values

MEMBERS = sorted(set(Activation.registry.values()), key=lambda cls: cls.name)
SURROGATE = {"step", "sign"}  # their derivative is a stated estimate, not that of the function
SMOOTH = [cls for cls in MEMBERS if cls.name not in SURROGATE]

#: The same functions, written by others or once more from the papers.
WITNESS = {
    "elu": jax.nn.elu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "gelu_sigmoid": lambda z: z / (1 + jnp.exp(-1.702 * z)),
    "glu": jax.nn.glu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_swish": jax.nn.hard_swish,
    "leaky_relu": jax.nn.leaky_relu,
    "linear": lambda z: z,
    "mish": jax.nn.mish,
    "prelu": lambda z: jnp.maximum(0, z) + 0.25 * jnp.minimum(0, z),
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "selu": jax.nn.selu,
    "sigmoid": jax.nn.sigmoid,
    "sign": lambda z: jnp.where(z > 0, 1.0, -1.0),
    "silu": jax.nn.silu,
    "softmax": jax.nn.softmax,
    "softplus": jax.nn.softplus,
    "step": lambda z: jnp.heaviside(z, 0.0),
    "swish": jax.nn.swish,
    "tanh": jnp.tanh,
}
KINKS = np.array([-3.0, 0.0, 3.0, 6.0])


def draw(seed, shape):
    """Values from -8 to 8 that keep away from the places where a derivative jumps."""
    z = random.uniform(random.key(seed), shape, -8.0, 8.0, np.float64)
    nearest = KINKS[np.abs(z[..., None] - KINKS).argmin(-1)]
    return np.where(np.abs(z - nearest) < 1e-3, nearest + 0.01, z)


def ids(cls):
    return cls.name


@pytest.mark.parametrize("cls", SMOOTH, ids=ids)
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), max_size=2), st.sampled_from([2, 4]))
def test_gradient_equals_central_differences(cls, seed, front, units):
    f, z = cls(), draw(seed, (*front, units))
    w = random.normal(random.key(seed + 1), f(z).shape, np.float64)
    gradient = cr.grad(lambda t: (f(t) * w).sum())(z)
    h, numeric = 1e-5, np.zeros_like(z)
    for i in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[i] += h
        down[i] -= h
        numeric[i] = ((f(up) - f(down)) * w).sum() / (2 * h)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("cls", [cls for cls in SMOOTH if cls.elementwise], ids=ids)
def test_derivative_equals_central_differences(cls):
    f = cls()
    z = draw(3, (50, 2))
    h = 1e-5
    if f.pieces == 1:
        numeric = (f(z + h) - f(z - h)) / (2 * h)
    else:  # each half of the values acts on the outputs through one place
        steps = [np.array([h, 0.0]), np.array([0.0, h])]
        numeric = np.concatenate([(f(z + s) - f(z - s)) / (2 * h) for s in steps], axis=1)
    np.testing.assert_allclose(f.derivative(z), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_values_and_gradients_equal_an_independent_formula(cls, x64):
    f, z = cls(), draw(4, (20, 4))
    witness = WITNESS[cls.name]
    np.testing.assert_allclose(f(z), witness(jnp.asarray(z)), rtol=1e-10, atol=1e-13)
    if cls.name in SURROGATE:
        return
    w = random.normal(random.key(5), f(z).shape, np.float64)
    gradient = cr.grad(lambda t: (f(t) * w).sum())(z)
    expected = jax.grad(lambda t: (witness(t) * w).sum())(jnp.asarray(z))
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_both_engines_agree_and_float32_stays(cls):
    f, z = cls(), draw(6, (8, 4)).astype(np.float32)
    on_jax = jax.jit(f.__call__)(jnp.asarray(z))
    assert f(z).dtype == np.float32 == on_jax.dtype
    np.testing.assert_allclose(f(z), on_jax, rtol=2e-6, atol=1e-6)
    there = jax.jit(f.derivative)(jnp.asarray(z))
    assert f.derivative(z).dtype == np.float32 == there.dtype
    np.testing.assert_allclose(f.derivative(z), there, rtol=1e-5, atol=1e-6)
    assert f(z.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_empty_batch_and_extreme_values(cls):
    f = cls()
    assert f(np.zeros((0, 4))).shape == (0, 4 // f.pieces)
    z = np.array([[-1e4, 1e4, -1e4, 1e4]], np.float32)
    assert np.isfinite(f(z)).all()
    assert np.isfinite(f.derivative(z)).all()


@pytest.mark.parametrize("engine", ["numpy", "jax"])
@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_what_is_not_a_number_stays_none(cls, engine):
    """A NaN that became 0 or 1 would hide a broken network."""
    z = np.full((1, 2), np.nan, np.float32)
    z = z if engine == "numpy" else jnp.asarray(z)
    assert np.isnan(np.asarray(cls()(z))).all()


def line(f, z):
    """Outputs along a line of values: of the first unit, with all others at 0."""
    full = np.zeros((len(z), 2))
    full[:, 0] = z
    return full if f.pieces == 2 or not f.elementwise else z[:, None]


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_declared_range_is_the_range(cls):
    f = cls()
    z = np.concatenate([np.linspace(-50, 50, 200_001), [-1e5, 1e5]])
    a = f(line(f, z))[:, 0]
    low, high = f.range
    assert a.min() >= low - 1e-8
    assert a.max() <= high + 1e-8
    assert a.min() <= (low + 1e-6 if np.isfinite(low) else -100)
    assert a.max() >= (high - 1e-6 if np.isfinite(high) else 100)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_declared_saturation(cls):
    f = cls()
    left, right = np.abs(f.derivative(line(f, np.array([-50.0, 50.0])))[:, 0]) < 1e-12
    sides = {(True, True): "both sides", (True, False): "left", (False, True): "right", (False, False): "no"}
    assert f.saturates == sides[bool(left), bool(right)]


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_declared_centre(cls):
    f = cls()
    a = f(random.normal(random.key(0), (100_000, 2), np.float64))
    assert f.zero_centred == (abs(a.mean()) < 0.02)


@pytest.mark.parametrize("cls", MEMBERS, ids=ids)
def test_what_it_says_about_itself(cls):
    f = cls()
    cr.initializers.get(f.init)
    assert f.source
    assert f.name in Activation.registry
    total = f(draw(8, (5, 4))).sum(axis=-1)
    assert f.distribution == np.allclose(total, 1.0)


@pytest.mark.parametrize("cls", [cls for cls in MEMBERS if values(cls())], ids=ids)
def test_continuous_settings_may_be_traced(cls):
    f, z = cls(), jnp.asarray(draw(9, (3, 4)), jnp.float32)
    traced = jax.jit(lambda v, z: with_values(f, v)(z))(values(f), z)
    np.testing.assert_allclose(traced, f(z), rtol=1e-6, atol=1e-7)


def test_softmax_jacobian_is_that_of_the_lecture():
    softmax, z = activations.Softmax(), draw(10, (2, 3))
    jacobian = softmax.jacobian(z)
    q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    for i in range(3):
        for j in range(3):
            np.testing.assert_allclose(jacobian[:, i, j], q[:, i] * ((i == j) - q[:, j]), atol=1e-14)
        row = cr.grad(lambda t, i=i: softmax(t)[:, i].sum())(z)
        np.testing.assert_allclose(jacobian[:, i, :], row, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(softmax.derivative(z), np.diagonal(jacobian, axis1=1, axis2=2))
    assert softmax.jacobian(z.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(("cls", "low"), [(activations.Step, 0.0), (activations.Sign, -1.0)])
def test_threshold_units_learn_through_the_straight_through_estimate(cls, low):
    z = np.array([-0.6, -0.5, 0.0, 0.1, 0.5, 0.6])
    unit = cls(window=0.5)
    np.testing.assert_array_equal(unit(z), np.where(z > 0, 1.0, low))
    np.testing.assert_array_equal(unit.derivative(z), [0, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(cls(window=float("inf")).derivative(z), np.ones(6))


@pytest.mark.parametrize(
    ("f", "name", "formula"),
    [
        (activations.PReLU(), "slope", lambda z, p: np.minimum(z, 0)),
        (
            activations.Swish(),
            "beta",
            lambda z, p: z * z / (1 + np.exp(-p * z)) * (1 - 1 / (1 + np.exp(-p * z))),
        ),
    ],
    ids=["prelu", "swish"],
)
def test_learned_parameters_one_per_unit(f, name, formula):
    z = draw(11, (6, 3))
    start = f.parameters(3)
    assert {k: v.shape for k, v in start.items()} == {name: (3,)}
    np.testing.assert_allclose(f(z, start), f(z))
    params = {name: np.array([0.1, 0.5, 2.0])}
    per_unit = [f(z[:, i], {name: params[name][i]}) for i in range(3)]
    np.testing.assert_allclose(f(z, params), np.stack(per_unit, axis=1))
    gradient = cr.grad(lambda p: f(z, p).sum())(params)[name]
    np.testing.assert_allclose(gradient, formula(z, params[name]).sum(axis=0), rtol=1e-10)
    numeric = (f(z + 1e-5, params) - f(z - 1e-5, params)) / 2e-5
    np.testing.assert_allclose(f.derivative(z, params), numeric, rtol=1e-6, atol=1e-9)


def test_only_two_have_parameters():
    learned = {cls.name for cls in MEMBERS if cls().parameters(2)}
    assert learned == {"prelu", "swish"}


def test_settings_change_the_function():
    z = np.array([-1.0, 2.0])
    np.testing.assert_allclose(activations.LeakyReLU(0.3)(z), [-0.3, 2.0])
    np.testing.assert_allclose(activations.ELU(2.0)(z), [2 * np.expm1(-1.0), 2.0])
    np.testing.assert_allclose(activations.PReLU(0.5)(z), [-0.5, 2.0])
    assert activations.Swish(start=2.0).parameters(2)["beta"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("relu", "relu"),
        ("Leaky ReLU", "leaky_relu"),
        ("hard-swish", "hard_swish"),
        (None, "linear"),
        (activations.Tanh(), "tanh"),
    ],
)
def test_get(given, name):
    assert activations.get(given).name == name


def test_get_takes_a_plain_function():
    f = activations.get(np.sin)
    z = np.array([0.0, 1.0])
    np.testing.assert_allclose(f(z), np.sin(z))
    np.testing.assert_allclose(f.derivative(z), np.cos(z))
    assert f == activations.get(np.sin)
    assert f.parameters(3) == {}
    with pytest.raises(ValueError, match="cannot be written to a file"):
        f.to_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: activations.get("rellu"), r"Unknown activation 'rellu'; did you mean 'relu'\?"),
        (lambda: activations.get(3), "Expected a name or an object for the activation"),
        (lambda: activations.get(activations.ReLU), r"Got the class ReLU; call it: ReLU\(\)"),
        (lambda: activations.get("function_activation"), "Unknown activation"),
        (lambda: activations.LeakyReLU(-0.1), "LeakyReLU: slope must be at least 0, got -0.1"),
        (lambda: activations.LeakyReLU("0.1"), "LeakyReLU: slope must be a number"),
        (lambda: activations.ELU(float("nan")), "ELU: alpha"),
        (lambda: activations.Step(0.0), "Step: window must be above 0"),
        (lambda: activations.GLU()(np.zeros((2, 3))), r"must be even; got shape \(2, 3\)"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
