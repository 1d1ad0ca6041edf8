"""`Model.backprop` against BP1 to BP4 of lecture 003, written out by hand.

For layer l with z = a_prev W + b and a = f(z), and C_x the cost of one sample (samples are rows):

    BP1  δ_L = ∂C_x/∂a · f'(z_L)                  (a - y for the three pairs)
    BP2  δ_l = (δ_{l+1} W_{l+1}ᵀ) · f'(z_l)
    BP3  ∂C/∂b_l = 1/n Σ_x δ_l
    BP4  ∂C/∂W_l = 1/n Σ_x a_{l-1}ᵀ δ_l
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.backprop import primitive
from chainrule.data import Standardizer
from chainrule.errors import DataError, SettingError, ShapeError, UnknownNameError

rng = np.random.default_rng(0)
x = rng.normal(size=(7, 4))
labels = np.array([0, 1, 2, 2, 1, 0, 1])
one_hot = np.eye(3)[labels]
NAMES = ("dense_1", "dense_2", "dense_3")


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def by_hand(params: Any, x: np.ndarray, y: np.ndarray, output: str, loss: str) -> dict[str, Any]:
    """z, a, δ and gradients of a three-layer network with sigmoid hidden layers."""
    w = [params[name]["weight"] for name in NAMES]
    b = [params[name]["bias"] for name in NAMES]
    z, a = [], [x]
    for layer in range(3):
        z.append(a[-1] @ w[layer] + b[layer])
        a.append(
            {"sigmoid": sigmoid, "softmax": softmax, "linear": lambda v: v}[output if layer == 2 else "sigmoid"](z[-1])
        )
    out = a[3]
    if loss == "quadratic":
        cost = 0.5 * np.sum((out - y) ** 2, axis=1)
        last = (out - y) * (out * (1 - out) if output == "sigmoid" else 1.0)
    elif loss == "binary_cross_entropy":
        cost = -np.sum(y * np.log(out) + (1 - y) * np.log(1 - out), axis=1)
        last = out - y
    else:
        cost = -np.sum(y * np.log(out), axis=1)
        last = out - y
    delta = [last]  # BP1
    for layer in (1, 0):
        delta.insert(0, (delta[0] @ w[layer + 1].T) * a[layer + 1] * (1 - a[layer + 1]))  # BP2
    n = len(x)
    return {
        "loss": cost.mean(),
        "z": z,
        "a": a[1:],
        "delta": delta,
        "bias": [d.sum(axis=0) / n for d in delta],  # BP3
        "weight": [a[i].T @ delta[i] / n for i in range(3)],  # BP4
    }


PAIRS = [
    ("sigmoid", "quadratic", one_hot),
    ("sigmoid", "binary_cross_entropy", one_hot),
    ("softmax", "cross_entropy", labels),
    ("softmax", "cross_entropy", one_hot),
    ("linear", "quadratic", rng.normal(size=(7, 3))),
]


@pytest.mark.parametrize(("output", "loss", "y"), PAIRS)
def test_everything_equals_the_four_equations_by_hand(output: str, loss: str, y: np.ndarray) -> None:
    net = cr.mlp([4, 5, 6, 3], hidden="sigmoid", output=output, bias_init="normal")
    model = cr.Model(net, (4,), seed=3, precision="float64")
    result = model.backprop(x, y, loss=loss)
    rows = one_hot if y.ndim == 1 else y
    expected = by_hand(model.params, x, rows, output, loss)
    assert result.loss == pytest.approx(expected["loss"], rel=1e-12)
    for i, name in enumerate(NAMES):
        for kind in ("z", "a", "delta"):
            np.testing.assert_allclose(getattr(result, kind)[name], expected[kind][i], rtol=1e-12, atol=1e-14)
        for kind in ("weight", "bias"):
            np.testing.assert_allclose(result.grads[name][kind], expected[kind][i], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("output", "loss", "y"), [p for p in PAIRS if p[:2] != ("sigmoid", "quadratic")])
def test_the_three_pairs_give_a_minus_y(output: str, loss: str, y: np.ndarray) -> None:
    model = cr.Model(cr.mlp([4, 3], output=output), (4,), precision="float64")
    result = model.backprop(x, y, loss=loss)
    rows = one_hot if y.ndim == 1 else y
    np.testing.assert_allclose(result.delta[-1], result.a[-1] - rows, rtol=1e-12, atol=1e-15)


def test_other_pairs_follow_the_plain_chain_rule() -> None:
    """Quadratic cost on softmax: δ_i = Σ_j (a_j - y_j) a_j (δ_ij - a_i)."""
    model = cr.Model(cr.Dense(3, "softmax"), (4,), precision="float64")
    result = model.backprop(x, one_hot, loss="quadratic")
    a = result.a[0]
    jacobian = a[:, :, None] * (np.eye(3) - a[:, None, :])
    np.testing.assert_allclose(result.delta[0], np.einsum("nj,nji->ni", a - one_hot, jacobian), rtol=1e-11, atol=1e-15)


def test_a_saturated_wrong_neuron_learns_slowly_by_quadratic_cost_only() -> None:
    model = cr.Model(cr.Dense(1, "sigmoid"), (1,), params={"dense_1": {"weight": [[2.0]], "bias": [2.0]}})
    slow = model.backprop([[1.0]], [[0.0]], loss="quadratic").delta[0]
    fast = model.backprop([[1.0]], [[0.0]], loss="binary_cross_entropy").delta[0]
    assert slow.item() == pytest.approx(0.98201 * 0.98201 * 0.01799, rel=1e-3)
    assert fast.item() == pytest.approx(0.98201, rel=1e-4)


def test_layers_are_found_by_name_and_by_number() -> None:
    model = cr.Model(cr.mlp([4, 5, 3]), (4,))
    result = model.backprop(x, labels)
    assert list(result.delta) == list(result.z) == list(result.a) == ["dense_1", "dense_2"]
    assert result.delta["dense_2"] is result.delta[1]
    assert result.delta[-1] is result.delta[1]
    assert result.delta["dense_1"].shape == (7, 5)
    with pytest.raises(UnknownNameError, match="Unknown layer 'dense_9'; did you mean 'dense_"):
        result.delta["dense_9"]


def test_the_standardizer_comes_first() -> None:
    scale = Standardizer.fit(x * 5 + 3)
    plain = cr.Model(cr.mlp([4, 5, 3]), (4,), precision="float64")
    scaled = cr.Model(cr.mlp([4, 5, 3]), (4,), precision="float64", standardizer=scale)
    first, second = plain.backprop(scale(x), labels), scaled.backprop(x, labels)
    assert first.loss == second.loss
    for a, b in zip(tree.leaves(first.grads), tree.leaves(second.grads), strict=True):
        assert np.array_equal(a, b)


def test_the_gradients_are_those_that_training_follows() -> None:
    net = cr.mlp([4, 5, 3])
    before = cr.Model(net, (4,), seed=1, precision="float64")
    run = cr.fit(before, (x, labels), optimizer=cr.SGD(lr=0.5), epochs=1, batch_size=7, normalize=False, progress=False)
    gradients = before.backprop(x, labels).grads
    for w, g, after in zip(*(tree.leaves(t) for t in (before.params, gradients, run.model.params)), strict=True):
        np.testing.assert_allclose(after, w - 0.5 * g, rtol=1e-12, atol=1e-15)


def test_a_convolutional_network_against_jax(x64: None) -> None:
    import jax
    import jax.numpy as jnp
    from jax import lax

    net = cr.Sequential(
        cr.Conv2D(3, 3, "relu"), cr.MaxPool2D(2), cr.BatchNorm(), cr.Flatten(), cr.Dropout(0.5), cr.Dense(3, "softmax")
    )
    model = cr.Model(net, (6, 4, 1), precision="float64")
    images = rng.normal(size=(7, 6, 4, 1))
    result = model.backprop(images, labels)

    def parts(params: Any) -> tuple[Any, Any]:
        c, n, d = params["conv2d_1"], params["batch_norm_1"], params["dense_1"]
        dims = ("NHWC", "HWIO", "NHWC")
        z = lax.conv_general_dilated(images, c["weight"], (1, 1), "SAME", dimension_numbers=dims) + c["bias"]
        a = lax.reduce_window(jax.nn.relu(z), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
        axes = (0, 1, 2)
        a = n["gamma"] * (a - a.mean(axes)) / jnp.sqrt(a.var(axes) + 1e-5) + n["beta"]
        return z, a.reshape(7, -1) @ d["weight"] + d["bias"]

    def cost(params: Any) -> Any:
        return -jnp.sum(jax.nn.log_softmax(parts(params)[1]) * one_hot) / 7

    value, gradients = jax.jit(jax.value_and_grad(cost))(model.params)
    z, logits = jax.jit(parts)(model.params)
    assert result.loss == pytest.approx(float(value), rel=1e-12)
    np.testing.assert_allclose(result.z["conv2d_1"], z, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(result.z["dense_1"], logits, rtol=1e-11, atol=1e-13)
    assert result.delta["conv2d_1"].shape == (7, 6, 4, 3)
    for path, expected in tree.leaves_with_path(gradients):
        got = dict(tree.leaves_with_path(result.grads))[path]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_names_inside_nested_networks() -> None:
    net = cr.Sequential(
        cr.Residual(cr.Dense(4, "tanh")), cr.Sequential(cr.Dense(5, "relu"), cr.Sequential(cr.Dense(3, "softmax")))
    )
    result = cr.Model(net, (4,), precision="float64").backprop(x, labels)
    last = "sequential_1/sequential_1/dense_1"
    assert list(result.z) == list(result.a) == ["residual_1/dense_1", "sequential_1/dense_1", last]
    np.testing.assert_allclose(result.a[last].sum(axis=1), 1.0)
    np.testing.assert_allclose(result.delta[last], result.a[last] - one_hot, atol=1e-15)


def test_labels_and_losses_that_do_not_fit() -> None:
    model = cr.Model(cr.mlp([4, 3]), (4,))
    with pytest.raises(DataError, match=r"label 3 in row 2"):
        model.backprop(x, [0, 1, 3, 2, 1, 0, 1])
    with pytest.raises(SettingError, match="sigmoid"):
        cr.Model(cr.Dense(3, "sigmoid"), (4,)).backprop(x, labels, loss="cross_entropy")
    with pytest.raises(ShapeError, match=r"\(samples, 4\), got \(7, 3\)"):
        model.backprop(x[:, :3], labels)
    with pytest.raises(DataError, match="7 rows and y has 6"):
        model.backprop(x, labels[:6])


class TestCheckGradient:
    """`Model.check_gradient`: the gradients of `backprop` beside central differences."""

    def test_a_float32_model_with_normalization_rescaling_and_dropout_is_right(self) -> None:
        rng = np.random.default_rng(0)
        net = cr.Sequential(
            cr.Dense(6, "tanh"), cr.BatchNorm(), cr.layers.Rescale(), cr.Dropout(0.5), cr.Dense(3, "softmax")
        )
        model = cr.Model(net, (4,))
        x, y = rng.normal(size=(12, 4)).astype(np.float32), rng.integers(0, 3, 12)
        check = model.check_gradient(x, y)
        assert check.ok
        assert check.max_relative_error < 1e-8
        assert [row.path for row in check.rows] == [
            *("params.dense_1.weight", "params.dense_1.bias", "params.batch_norm_1.gamma", "params.batch_norm_1.beta"),
            *("params.dense_2.weight", "params.dense_2.bias"),
        ]
        assert [row.checked for row in check.rows] == [24, 6, 6, 6, 18, 3]
        # They are the gradients of backprop, which is in the model's own precision.
        grads = model.backprop(x, y).grads
        for row in check.rows:
            _, layer, name = row.path.split(".")
            assert grads[layer][name][row.worst] == pytest.approx(row.analytic, rel=1e-4, abs=1e-7)
        assert {leaf.dtype for leaf in tree.leaves([model.params, model.state])} == {np.dtype(np.float32)}

    def test_a_trained_model_scales_inputs_and_targets_as_in_training(self) -> None:
        rng = np.random.default_rng(1)
        x = 1000 + 50 * rng.normal(size=(40, 2))
        net = cr.Sequential(cr.Dense(4, "relu"), cr.BatchNorm(), cr.Dense(1))
        settings = {"normalize_target": True, "epochs": 2, "engine": "numpy", "progress": False}
        model = cr.fit(net, (x, 5e6 + x @ [3.0, -1.0]), **settings).model
        assert model.check_gradient(x, 5e6 + x @ [3.0, -1.0])
        assert model.check_gradient(x, 5e6 + x @ [3.0, -1.0], loss="huber", samples=3).rows[0].checked == 3

    def test_a_wrong_derivative_is_found_in_its_layer(self) -> None:
        @primitive
        def wrong(xp: Any, z: Any) -> Any:
            return xp.tanh(z)

        wrong.derivatives(lambda y, z: 1.01 * (1.0 - y * y))
        net = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(4, wrong), cr.Dense(2, "softmax"))
        check = cr.Model(net, (3,)).check_gradient(np.random.default_rng(2).normal(size=(8, 3)), np.arange(8) % 2)
        assert not check
        bad = [row.path for row in check.rows if row.error > check.tolerance]
        assert bad == ["params.dense_1.weight", "params.dense_1.bias", "params.dense_2.weight", "params.dense_2.bias"]
