"""Our backpropagation inside JAX's transformations: jit, vmap, scan, and sharing of one program."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import chainrule as cr
from chainrule import ops


def make() -> tuple[dict[str, Any], Any, Any]:
    r = np.random.default_rng(0)
    params = {
        "conv": {"weight": r.normal(size=(3, 3, 1, 2)), "bias": np.zeros(2)},
        "norm": {"gamma": np.ones(2), "beta": np.zeros(2)},
        "dense": {"weight": r.normal(size=(18, 3)), "bias": r.normal(size=3)},
    }
    return params, r.normal(size=(4, 6, 6, 1)), np.eye(3)[r.integers(0, 3, 4)]


def cost(p: Any, x: Any, t: Any) -> Any:
    """A small network in NumPy's words and ours, with a term on the data alone."""
    z = ops.conv2d(x, p["conv"]["weight"]) + p["conv"]["bias"]
    z, _, _ = ops.batch_norm(z, p["norm"]["gamma"], p["norm"]["beta"])
    a = np.maximum(ops.max_pool2d(z), 0.0)
    z = a.reshape(len(a), -1) @ p["dense"]["weight"] + p["dense"]["bias"]
    return np.mean(ops.softmax_cross_entropy(z, t)) + 1e-3 * np.sum(np.log(1.0 + np.abs(x)))


def jax_cost(p: Any, x: Any, t: Any) -> Any:
    """The same, in JAX's words."""
    numbers = ("NHWC", "HWIO", "NHWC")
    z = lax.conv_general_dilated(x, p["conv"]["weight"], (1, 1), "SAME", dimension_numbers=numbers)
    z = z + p["conv"]["bias"]
    z = (z - z.mean((0, 1, 2))) / jnp.sqrt(z.var((0, 1, 2)) + 1e-5) * p["norm"]["gamma"] + p["norm"]["beta"]
    a = jax.nn.relu(lax.reduce_window(z, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"))
    z = a.reshape(len(a), -1) @ p["dense"]["weight"] + p["dense"]["bias"]
    return -jnp.mean(jnp.sum(t * jax.nn.log_softmax(z), -1)) + 1e-3 * jnp.sum(jnp.log(1.0 + jnp.abs(x)))


def assert_trees_close(a: Any, b: Any, tolerance: float) -> None:
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.linalg.norm(np.subtract(x, y)) <= tolerance * max(np.linalg.norm(y), 1e-3)


def test_a_network_has_jaxs_gradient_on_both_engines(x64: None) -> None:
    params, x, t = make()
    expected = jax.jit(jax.value_and_grad(jax_cost))(params, x, t)
    assert_trees_close(cr.value_and_grad(cost)(params, x, t), expected, 1e-10)
    assert_trees_close(jax.jit(cr.value_and_grad(cost))(params, x, t), expected, 1e-10)


def test_vmap_over_members(x64: None) -> None:
    """Each member has its own weights; the data is shared. As in a population."""
    params, x, t = make()
    scale = np.array([0.5, 1.0, 2.0])
    members = jax.tree.map(lambda w: np.stack([w * s for s in scale]), params)
    gradients = jax.jit(jax.vmap(cr.value_and_grad(cost), in_axes=(0, None, None)))(members, x, t)
    for i, s in enumerate(scale):
        alone = cr.value_and_grad(cost)(jax.tree.map(lambda w, s=s: w * s, params), x, t)
        assert_trees_close(jax.tree.map(lambda w, i=i: w[i], gradients), alone, 1e-10)


def test_scan_over_steps(x64: None) -> None:
    """Gradient descent as one program gives the weights of the loop in Python."""
    params, x, t = make()

    def step(p: Any, _: Any) -> Any:
        value, g = cr.value_and_grad(cost)(p, x, t)
        return jax.tree.map(lambda w, d: w - 0.1 * d, p, g), value

    looped, values = params, []
    for _ in range(5):
        looped, value = step(looped, None)
        values.append(value)
    scanned, costs = jax.jit(lambda p: lax.scan(step, p, length=5))(jax.tree.map(jnp.asarray, params))
    assert values[-1] < values[0]
    np.testing.assert_allclose(costs, values, rtol=1e-10)
    assert_trees_close(scanned, looped, 1e-9)


def test_every_random_draw_and_dropout_mask_is_the_same_compiled(x64: None) -> None:
    from chainrule import random

    def f(w: Any, key: Any) -> Any:
        keep = random.bernoulli(key, 0.5, w.shape)
        return np.sum(np.where(keep, w, 0.0) ** 2)

    w, key = np.arange(1.0, 21.0), random.key(3)
    expected = cr.grad(f)(w, key)
    assert 0 < np.count_nonzero(expected) < 20
    np.testing.assert_array_equal(jax.jit(cr.grad(f))(w, key), expected)


def test_second_derivative_inside_jit(x64: None) -> None:
    f = lambda x: np.sum(np.sin(x) * x**3)
    x = np.linspace(0.1, 2.0, 5)
    twice = lambda x: cr.grad(lambda x: np.sum(cr.grad(f)(x) ** 2))(x)
    np.testing.assert_allclose(jax.jit(twice)(x), twice(x), rtol=1e-11)


def test_arrays_stay_with_their_engine() -> None:
    x = jnp.ones(3)
    value, gradient = cr.value_and_grad(lambda x: np.sum(np.exp(x)))(x)
    assert isinstance(value, jax.Array)
    assert isinstance(gradient, jax.Array)
    unused = cr.grad(lambda x, y: np.sum(x), 1)(x, x)
    assert isinstance(unused, jax.Array)


def test_mixed_arrays_become_jaxs() -> None:
    gradient = cr.grad(lambda w, x: np.sum(np.tanh(x @ w)))(jnp.ones((3, 2)), np.ones((4, 3), np.float32))
    assert isinstance(gradient, jax.Array)
    assert gradient.dtype == np.float32


@pytest.mark.parametrize("name", ["positional", "named", "nested"])
def test_numpys_functions_take_what_is_not_differentiated(name: str) -> None:
    """Data and targets are arrays of JAX too, and inside jit NumPy could not read them."""
    f = lambda w, data: np.sum(w * np.exp(data["x"][0])) + np.mean(np.log(data["x"][0]))
    x = jnp.array([0.5, 1.5])
    call = {
        "positional": lambda w, x: cr.grad(lambda w, x: f(w, {"x": [x]}))(w, x),
        "named": lambda w, x: cr.grad(lambda w, *, x: f(w, {"x": [x]}))(w, x=x),
        "nested": lambda w, x: cr.grad(f)(w, {"x": [x]}),
    }[name]
    np.testing.assert_allclose(jax.jit(call)(jnp.ones(2), x), np.exp(x), rtol=1e-6)


def test_labels_and_keys_pass_as_they_are() -> None:
    def f(z: Any, labels: Any, key: Any) -> Any:
        assert isinstance(labels, jax.Array)
        assert isinstance(key, jax.Array)
        return np.mean(ops.softmax_cross_entropy(z, ops.one_hot(labels, 3)))

    z, labels = jnp.zeros((4, 3)), jnp.array([0, 1, 2, 1])
    gradient = jax.jit(cr.grad(f))(z, labels, jnp.array([0, 1], np.uint32))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-7)
    gathered = jax.jit(cr.grad(lambda z, labels: ops.sum(ops.gather(z, labels))))(z, labels)
    np.testing.assert_array_equal(gathered, np.eye(3)[np.asarray(labels)])


def test_a_numpy_table_is_read_at_traced_positions() -> None:
    table = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    f = lambda w, labels: np.sum(w * ops.index(table, labels))
    np.testing.assert_array_equal(jax.jit(cr.grad(f))(jnp.ones((2, 2)), jnp.array([2, 0])), table[[2, 0]])


def test_jaxs_own_gradient_agrees_through_ours(x64: None) -> None:
    """JAX can differentiate our backward pass: it is ordinary arithmetic to it."""
    f = lambda x: np.sum(np.tanh(x) ** 3)
    ours = lambda x: jnp.sum(cr.grad(f)(x) ** 2)
    theirs = lambda x: jnp.sum(jax.grad(lambda x: jnp.sum(jnp.tanh(x) ** 3))(x) ** 2)
    x = jnp.linspace(-1, 1, 5)
    np.testing.assert_allclose(jax.grad(ours)(x), jax.grad(theirs)(x), rtol=1e-10)
