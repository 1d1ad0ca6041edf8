"""The gradient check finds what is wrong, and reports it readably."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.backprop import primitive
from chainrule.errors import GradientError


@primitive
def wrong_cube(xp: Any, x: Any) -> Any:
    """x³ with a derivative that is one percent too large where x > 1."""
    return x * x * x


wrong_cube.derivatives(lambda y, x: 3 * x * x * np.where(x > 1, 1.01, 1.0))


def test_the_lectures_example() -> None:
    check = cr.check_gradient(lambda x, y, z: (x + y) * (y - z), 2.0, 1.0, 0.0)
    assert check.ok
    assert bool(check)
    assert check.max_relative_error < 1e-9
    assert [row.path for row in check.rows] == ["x", "y", "z"]
    assert [row.analytic for row in check.rows] == [1.0, 4.0, -3.0]
    np.testing.assert_allclose([row.numeric for row in check.rows], [1.0, 4.0, -3.0], rtol=1e-9)
    assert [row.shape for row in check.rows] == [(), (), ()]


def test_a_wrong_derivative_is_found_and_its_place_shown() -> None:
    x = np.array([[0.5, 0.9], [1.5, 0.2]])
    check = cr.check_gradient(lambda x: np.sum(wrong_cube(x)), x)
    assert not check
    (row,) = check.rows
    assert row.worst == (1, 0)
    assert row.analytic == pytest.approx(1.01 * 6.75)
    assert row.numeric == pytest.approx(6.75)
    assert row.error == pytest.approx(0.0675 / (6.75 * 2), rel=0.1)
    assert cr.check_gradient(lambda x: np.sum(wrong_cube(x)), x, tolerance=0.1)


def test_one_row_for_each_leaf_of_a_nested_argument() -> None:
    params = {"dense_1": {"weight": np.ones((3, 2)), "bias": np.zeros(2)}, "scales": (2.0, [np.ones(1)])}

    def cost(params: Any, x: Any) -> Any:
        dense = params["dense_1"]
        return np.sum(np.tanh(x @ dense["weight"] + dense["bias"])) * params["scales"][0] + params["scales"][1][0][0]

    check = cr.check_gradient(cost, params, np.ones((4, 3)))
    assert [row.path for row in check.rows] == [
        "params.dense_1.weight",
        "params.dense_1.bias",
        "params.scales.0",
        "params.scales.1.0",
        "x",
    ]
    assert check, check


def test_it_prints_a_table() -> None:
    good = cr.check_gradient(lambda x, y: x * y, 2.0, 3.0)
    lines = str(good).splitlines()
    assert lines[0].startswith("Gradient check ok: largest relative error")
    assert lines[1].split("  ")[1:2] == ["argument"]
    assert len(lines) == 4
    bad = repr(cr.check_gradient(lambda x, y: wrong_cube(x) * y, 2.0, 3.0))
    assert "FAILED" in bad
    assert [line[0] for line in bad.splitlines()[2:]] == ["!", " "]


@pytest.mark.parametrize("engine", [np.asarray, jnp.asarray])
def test_float32_is_checked_in_float64(engine: Any) -> None:
    x, w = engine(np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)), engine(np.ones((3, 2), np.float32))
    check = cr.check_gradient(lambda x, w: np.sum(np.exp(np.sin(x @ w))), x, w)
    assert check.max_relative_error < 1e-8


def test_argnums_choose_the_arguments() -> None:
    labels = np.array([0, 1])
    f = lambda z, labels: np.sum(ops.gather(z, labels) ** 2)
    z = np.arange(4.0).reshape(2, 2)
    assert [row.path for row in cr.check_gradient(f, z, labels, argnums=0).rows] == ["z"]
    three = lambda x, y, z: x * y * z
    assert [row.path for row in cr.check_gradient(three, 1.0, 2.0, 3.0, argnums=(-1, 0)).rows] == ["z", "x"]


def test_some_values_of_a_large_array() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return np.sum(x**3)

    check = cr.check_gradient(f, np.linspace(1, 2, 10_000), samples=7)
    assert check
    assert check.rows[0].checked == 7
    assert len(calls) == 2 + 2 * 7
    assert "7 of (10000,)" in str(check)
    assert cr.check_gradient(f, np.ones(3), samples=7).rows[0].checked == 3


def test_empty_arrays_and_gradients_of_zero_are_ok() -> None:
    check = cr.check_gradient(lambda x, y: np.sum(x) + 0 * y + 1e6, np.zeros((0, 3)), 1.0)
    assert check, check
    assert check.rows[0].checked == 0


def test_values_of_any_size() -> None:
    for scale in (1e-6, 1e-3, 1e3, 1e6):
        eps = 6e-6 * min(scale, 1.0)  # a function that changes on a small scale needs a small step
        x = np.array([0.3, 1.2]) * scale
        check = cr.check_gradient(lambda x, s=scale: np.sum(np.sin(x / s)) * s, x, eps=eps)
        assert check, check


def test_has_aux() -> None:
    assert cr.check_gradient(lambda x: (np.sum(x**2), {"seen": x}), np.ones(3), has_aux=True)


def test_what_is_not_finite_is_not_ok() -> None:
    with np.errstate(all="ignore"):
        check = cr.check_gradient(lambda x: np.sum(np.sqrt(x)), np.array([0.0, 1.0]))
    assert not check
    assert check.max_relative_error == np.inf
    assert check.rows[0].worst == (0,)


def test_a_surrogate_gradient_is_told_apart() -> None:
    assert not cr.check_gradient(lambda z: np.sum(ops.step(z)), np.array([0.5]))


def test_arguments_are_not_changed() -> None:
    x = np.array([1.0, 2.0])
    cr.check_gradient(lambda x: np.sum(x**2), x)
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.parametrize(
    ("f", "args", "message"),
    [
        (lambda x: x * 2, (np.ones(3),), r"returned shape \(3,\).*np\.sum"),
        (lambda x: "text", (1.0,), "returned 'text'"),
        (lambda x: np.sum(x), (np.ones(3, int),), r"argument x is an array of int64.*astype"),
        (lambda x, y: x, (1.0, "text"), r"argument y is 'text' \(str\).*argnums"),
        (lambda x: x["a"], ({"a": True},), r"argument x\.a is True"),
        (lambda x: np.sum(x.astype(np.float32)), (np.ones(3),), "returned float32"),
        (lambda: 1.0, (), "needs the arguments"),
    ],
)
def test_what_cannot_be_checked_is_an_error(f: Any, args: Any, message: str) -> None:
    with pytest.raises(GradientError, match=message):
        cr.check_gradient(f, *args)


def test_wrong_settings_are_errors() -> None:
    with pytest.raises(GradientError, match="argument 3"):
        cr.check_gradient(lambda x: x, 1.0, argnums=3)
    with pytest.raises(GradientError, match="eps"):
        cr.check_gradient(lambda x: x, 1.0, eps=0.0)
    with pytest.raises(GradientError, match="samples"):
        cr.check_gradient(lambda x: x, 1.0, samples=0)


def test_a_layer_that_keeps_float32_statistics_is_checked_in_float64() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), rng.integers(0, 3, 20)
    model = cr.Model(
        cr.Sequential(cr.Dense(8, "tanh"), cr.BatchNorm(), cr.layers.Rescale(), cr.Dense(3, "softmax")), (5,)
    )
    cost = cr.losses.CrossEntropy()
    for train in (True, False):

        def mean_cost(params: Any, train: bool = train) -> Any:
            return np.mean(cost(model.net.apply(params, model.state, x, key=None, train=train)[0], y))

        check = cr.check_gradient(mean_cost, model.params)
        assert check.ok
        assert check.max_relative_error < 1e-8


def test_a_kink_within_the_step_is_no_mistake() -> None:
    near = np.array([1e-6, -1e-6, 2.0])
    assert cr.check_gradient(lambda x: np.sum(ops.relu(x) * 3.0), near)
    assert not cr.check_gradient(lambda x: np.sum(ops.relu(x) * 3.0), np.zeros(3))  # there is no right one


def test_the_inputs_of_a_trained_float32_model_can_be_checked() -> None:
    """A model casts plain arrays to float32, and traced ones not: both values must come by the same way."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(50.0, 9.0, size=(30, 3)), rng.integers(0, 2, 30)
    net = cr.Sequential(cr.Dense(5, "tanh"), cr.BatchNorm(), cr.Dense(2, "softmax"))
    model = cr.fit(net, (x, y), epochs=2, engine="numpy", progress=False).model
    check = cr.check_gradient(lambda q: (model(q) ** 2).sum(), x[:5])
    assert check.ok
    assert check.max_relative_error < 1e-7
