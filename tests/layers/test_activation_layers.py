"""Every activation inside layers: learned parameters, gradients, both engines, and the initializer chosen for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import initializers, tree
from chainrule.models.forward import forward

NAMES = sorted(n for n, c in cr.activations.Activation.registry.items() if c.__module__.startswith("chainrule."))
SURROGATES = ("sign", "step")
x = np.random.default_rng(5).normal(size=(6, 3))
factors = np.random.default_rng(6).normal(size=(6, 4))


def net(name: str) -> cr.Sequential:
    """A dense layer with the activation, and the activation as a layer of its own."""
    return cr.Sequential(cr.Dense(8, name), cr.Activation(name))


def built(name: str) -> tuple[Any, Any]:
    layer = net(name)
    params, _, shape = layer.build(cr.random.key(3), (3,))
    rng = np.random.default_rng(2)
    assert shape == ((4,) if name == "glu" else (8,))
    return layer, tree.map(lambda v: v + 0.1 * rng.normal(size=v.shape), params)


def cost(layer: Any, params: Any, v: Any) -> Any:
    out, _ = layer.apply(params, {}, v, key=None, train=True)
    return (out[:, :4] * factors).sum()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in SURROGATES])
def test_gradients_of_weights_and_of_learned_parameters_equal_central_differences(name: str) -> None:
    layer, params = built(name)
    gradients = cr.grad(lambda p: cost(layer, p, x))(params)
    for leaf, gradient in zip(tree.leaves(params), tree.leaves(gradients), strict=True):
        expected = np.zeros_like(leaf)
        for at in np.ndindex(leaf.shape):
            before, step = leaf[at], 1e-6
            leaf[at] = before + step
            above = cost(layer, params, x)
            leaf[at] = before - step
            expected[at] = (above - cost(layer, params, x)) / (2 * step)
            leaf[at] = before
        assert np.abs(gradient - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max())


def test_both_engines_agree_for_every_activation(x64: None) -> None:
    import jax

    all_built = {name: built(name) for name in NAMES}

    def everything(params: Any, v: Any) -> Any:
        return {
            name: (
                forward(layer, params[name], {}, v)[0],
                cr.grad(lambda p, layer=layer: cost(layer, p, v))(params[name]),
            )
            for name, (layer, _) in all_built.items()
        }

    params = {name: p for name, (_, p) in all_built.items()}
    ours, theirs = everything(params, x), jax.jit(everything)(params, x)
    for path, a in tree.leaves_with_path(ours):
        b = np.asarray(dict(tree.leaves_with_path(theirs))[path])
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12, err_msg="/".join(path))


@pytest.mark.parametrize(("name", "learned"), [("prelu", 8), ("swish", 8)])
def test_an_activation_that_learns_has_one_parameter_for_each_unit(name: str, learned: int) -> None:
    dense = cr.Model(cr.Dense(8, name), (3,)).params["dense_1"]
    assert sum(leaf.size for key, leaf in dense.items() if key not in ("weight", "bias")) == learned
    conv = cr.Model(cr.Conv2D(5, 3, name), (4, 4, 2)).params["conv2d_1"]
    assert [leaf.shape for key, leaf in conv.items() if key not in ("weight", "bias")] == [(5,)]


def test_glu_takes_two_values_for_each_unit() -> None:
    model = cr.Model(cr.Sequential(cr.Conv2D(4, 3, "glu"), cr.Flatten(), cr.Dense(3, "glu")), (5, 5, 2))
    assert model.params["conv2d_1"]["weight"].shape == (3, 3, 2, 8)
    assert model.params["dense_1"]["weight"].shape == (100, 6)
    assert model.output_shape == (3,)


@pytest.mark.parametrize("name", NAMES)
def test_auto_takes_the_initializer_that_fits_the_activation(name: str) -> None:
    fits = cr.activations.get(name).init
    auto, named = cr.Dense(40, name), cr.Dense(40, name, init=fits)
    key = cr.random.key(1)
    assert np.array_equal(auto.build(key, (30,))[0]["weight"], named.build(key, (30,))[0]["weight"])
    assert initializers.get("auto", name) == initializers.get(fits)


@pytest.mark.parametrize(
    ("activation", "variance"),
    [("relu", 2 / 400), ("selu", 1 / 400), ("tanh", 2 / (400 + 300)), ("sigmoid", 2 / (400 + 300)), (None, 2 / 700)],
)
def test_the_variance_of_weights_chosen_by_auto(activation: str | None, variance: float) -> None:
    weight = cr.Dense(300, activation).build(cr.random.key(2), (400,))[0]["weight"]
    assert weight.var() == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean()) < 4 * np.sqrt(variance / weight.size)


def test_fan_in_of_a_convolution_counts_the_window() -> None:
    weight = cr.Conv2D(64, 5, "relu").build(cr.random.key(2), (9, 9, 16))[0]["weight"]
    assert weight.var() == pytest.approx(2 / (5 * 5 * 16), rel=0.05)
