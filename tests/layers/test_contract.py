"""What every layer keeps to. A layer in `CASES` comes under all of these tests; one without a case fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.models.forward import forward

KEY = cr.random.key(7)


@dataclass(frozen=True)
class Case:
    """A layer, the shape of one sample, and its formula written with JAX: (params, x) -> output in training."""

    layer: Any
    shape: tuple[int, ...]
    formula: Callable[[Any, Any], Any]

    def __str__(self) -> str:
        return f"{self.layer} on {self.shape}"


def conv(stride: int = 1, padding: str = "SAME", dilation: int = 1) -> Callable[[Any, Any], Any]:
    def formula(p: Any, x: Any) -> Any:
        from jax import lax

        return lax.conv_general_dilated(
            x,
            p["weight"],
            (stride, stride),
            padding,
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ) + p.get("bias", 0.0)

    return formula


def pool(kind: str, size: int, stride: int, padding: str) -> Callable[[Any, Any], Any]:
    def formula(p: Any, x: Any) -> Any:
        import jax.numpy as jnp
        from jax import lax

        window, strides = (1, size, size, 1), (1, stride, stride, 1)
        if kind == "max":
            return lax.reduce_window(x, -np.inf, lax.max, window, strides, padding)
        total = lax.reduce_window(x, 0.0, lax.add, window, strides, padding)
        return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, window, strides, padding)

    return formula


def batch_norm(p: Any, x: Any) -> Any:
    import jax.numpy as jnp

    axes = tuple(range(x.ndim - 1))
    return p["gamma"] * (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + 1e-5) + p["beta"]


def layer_norm(p: Any, x: Any) -> Any:
    import jax

    return p["gamma"] * jax.nn.standardize(x, axis=-1, epsilon=1e-5) + p["beta"]


def jax_tanh(x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.tanh(x)


def concatenated(*parts: Any) -> Any:
    import jax.numpy as jnp

    return jnp.concatenate(parts, axis=-1)


def dropped(p: Any, x: Any) -> Any:
    """The layer's own mask; that it is the right one is shown in test_layers.py."""
    layer = cr.layers.Dropout(0.4)
    mask, _ = layer.apply({}, {}, np.ones(x.shape), key=KEY, train=True)
    return x * (mask > 0) / 0.6


def embedding(p: Any, x: Any) -> Any:
    import jax.numpy as jnp

    first, second = (jnp.clip(jnp.rint(x[:, 2 + j]), 0, n - 1).astype(int) for j, n in enumerate((2, 3)))
    return jnp.concatenate([x[:, :2], p["column_1"]["weight"][first], p["column_2"]["weight"][second]], axis=1)


CASES = [
    Case(cr.Dense(3, "tanh"), (4,), lambda p, x: jax_tanh(x @ p["weight"] + p["bias"])),
    Case(cr.Dense(3, bias=False), (2, 4), lambda p, x: x @ p["weight"]),
    Case(cr.Conv2D(3, 3), (5, 4, 2), conv()),
    Case(cr.Conv2D(2, 3, stride=2, bias=False), (6, 5, 2), conv(2)),
    Case(cr.Conv2D(2, 2, padding="valid", stride=2), (6, 5, 1), conv(2, "VALID")),
    Case(cr.Conv2D(2, 3, dilation=2), (6, 6, 2), conv(1, "SAME", 2)),
    Case(cr.Conv2D(2, (1, 3), "tanh", padding="valid"), (3, 5, 2), lambda p, x: jax_tanh(conv(1, "VALID")(p, x))),
    Case(cr.MaxPool2D(2), (4, 6, 2), pool("max", 2, 2, "SAME")),
    Case(cr.MaxPool2D(3, stride=2), (5, 6, 2), pool("max", 3, 2, "SAME")),
    Case(cr.MaxPool2D(3, stride=1, padding="valid"), (5, 4, 1), pool("max", 3, 1, "VALID")),
    Case(cr.AvgPool2D(2), (4, 6, 2), pool("avg", 2, 2, "SAME")),
    Case(cr.AvgPool2D(3, stride=2), (5, 6, 2), pool("avg", 3, 2, "SAME")),
    Case(cr.AvgPool2D(2, padding="valid"), (5, 5, 1), pool("avg", 2, 2, "VALID")),
    Case(cr.GlobalAvgPool2D(), (3, 4, 2), lambda p, x: x.mean(axis=(1, 2))),
    Case(cr.Flatten(), (2, 3, 2), lambda p, x: x.reshape(len(x), 12)),
    Case(cr.Reshape((3, -1)), (2, 6), lambda p, x: x.reshape(len(x), 3, 4)),
    Case(cr.layers.Embedding((2, 3), (4, 2)), (4,), embedding),
    Case(cr.Activation("tanh"), (2, 3), lambda p, x: jax_tanh(x)),
    Case(cr.Maxout(3, pieces=2), (4,), lambda p, x: (x @ p["weight"] + p["bias"]).reshape(len(x), 3, 2).max(-1)),
    Case(cr.Dropout(0.4), (3, 4), dropped),
    Case(cr.BatchNorm(), (4,), batch_norm),
    Case(cr.BatchNorm(momentum=0.5), (3, 2, 2), batch_norm),
    Case(cr.LayerNorm(), (3, 5), layer_norm),
    Case(
        cr.Residual(cr.Dense(4, "tanh"), cr.LayerNorm()),
        (4,),
        lambda p, x: x + layer_norm(p["layer_norm_1"], jax_tanh(x @ p["dense_1"]["weight"] + p["dense_1"]["bias"])),
    ),
    Case(
        cr.Residual(cr.Conv2D(3, 3, stride=2), shortcut=cr.Conv2D(3, 1, stride=2, bias=False)),
        (5, 4, 2),
        lambda p, x: conv(2)(p["shortcut"], x) + conv(2)(p["conv2d_1"], x),
    ),
    Case(
        cr.Concat(cr.Conv2D(2, 1), cr.Conv2D(3, 3), cr.MaxPool2D(3, stride=1)),
        (4, 4, 2),
        lambda p, x: concatenated(conv()(p["conv2d_1"], x), conv()(p["conv2d_2"], x), pool("max", 3, 1, "SAME")(p, x)),
    ),
    Case(
        cr.layers.Average(cr.Dense(3, "tanh"), cr.Sequential(cr.BatchNorm(), cr.Dropout(0.0), cr.Dense(3, bias=False))),
        (4,),
        lambda p, x: (
            (
                jax_tanh(x @ p["dense_1"]["weight"] + p["dense_1"]["bias"])
                + batch_norm(p["sequential_1"]["batch_norm_1"], x) @ p["sequential_1"]["dense_1"]["weight"]
            )
            / 2
        ),
    ),
    Case(cr.layers.Rescale(), (3, 2, 4), lambda p, x: x),  # with other numbers: tests/models/test_ensemble.py
    Case(
        cr.Sequential(cr.Dense(3, "tanh"), cr.Sequential(cr.BatchNorm(), cr.Dense(2))),
        (4,),
        lambda p, x: (
            batch_norm(p["sequential_1"]["batch_norm_1"], jax_tanh(x @ p["dense_1"]["weight"] + p["dense_1"]["bias"]))
            @ p["sequential_1"]["dense_1"]["weight"]
            + p["sequential_1"]["dense_1"]["bias"]
        ),
    ),
]

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def built(case: Case, dtype: str = "float64") -> tuple[Any, Any, tuple[int, ...]]:
    """Parameters (none of them zero, so that every gradient shows) and state of a case."""
    params, state, shape = case.layer.build(KEY, case.shape)
    rng = np.random.default_rng(1)
    params = tree.map(lambda v: (v + 0.1 * rng.normal(size=v.shape)).astype(dtype), params)
    return params, tree.map(lambda v: np.asarray(v, dtype), state), shape


def samples(case: Case, n: int, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, *case.shape)).astype(dtype)


def run(case: Case, params: Any, state: Any, x: Any, train: bool) -> tuple[Any, Any]:
    return forward(case.layer, params, state, x, key=KEY if train else None, train=train)


def test_every_layer_has_a_case() -> None:
    ours = {cls for cls in cr.Layer.registry.values() if cls.__module__.startswith("chainrule.")}
    assert {type(case.layer) for case in CASES} == ours


@each_case
@pytest.mark.parametrize("train", [True, False])
def test_output_has_the_declared_shape_and_stays_float32(case: Case, train: bool) -> None:
    import jax

    params, state, shape = built(case, "float32")
    for n in (5, 1, 0):
        if train and n < 2 and "BatchNorm" in str(case):
            continue  # no samples have no mean, and a single value has no variance
        x = samples(case, n, "float32")
        out, new = run(case, params, state, x, train)
        traced = jax.eval_shape(lambda p, s, v: run(case, p, s, v, train), params, state, x)
        for result in (out, new), traced:
            assert result[0].shape == (n, *shape)
            assert all(leaf.dtype == np.float32 for leaf in tree.leaves(list(result)))
            assert tree.map(np.shape, result[1]) == tree.map(np.shape, state)


def cost_of(case: Case, state: Any, like: np.ndarray) -> tuple[Callable[[Any, Any], Any], np.ndarray]:
    """A number that depends on every output in a way of its own, and the factors of the outputs."""
    weights = np.random.default_rng(3).normal(size=like.shape)

    def cost(params: Any, x: Any) -> Any:
        out, _ = case.layer.apply(params, state, x, key=KEY, train=True)
        return (out * weights).sum()

    return cost, weights


def central_differences(f: Callable[[], float], leaf: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """df/d(leaf), each value moved to both sides in place."""
    gradient = np.zeros_like(leaf)
    for at in np.ndindex(leaf.shape):
        before = leaf[at]
        leaf[at] = before + step
        above = f()
        leaf[at] = before - step
        gradient[at] = (above - f()) / (2 * step)
        leaf[at] = before
    return gradient


@each_case
def test_gradients_equal_central_differences(case: Case) -> None:
    params, state, shape = built(case)
    x = samples(case, 3)
    cost, _ = cost_of(case, state, np.zeros((3, *shape)))
    gradients = cr.grad(cost, argnums=(0, 1))(params, x)
    for leaf, gradient in zip(tree.leaves([params, x]), tree.leaves(list(gradients)), strict=True):
        expected = central_differences(lambda: float(cost(params, x)), leaf)
        scale = max(1e-3, float(np.abs(expected).max()))
        assert np.abs(gradient - expected).max() / scale < 1e-6


@each_case
def test_both_engines_and_the_formula_of_jax_agree(case: Case, x64: None) -> None:
    import jax

    params, state, shape = built(case)
    x = samples(case, 4)
    cost, weights = cost_of(case, state, np.zeros((4, *shape)))

    def ours(p: Any, v: Any) -> Any:
        return *run(case, p, state, v, True), run(case, p, state, v, False)[0], cr.grad(cost, argnums=(0, 1))(p, v)

    def theirs(p: Any, v: Any) -> Any:
        witness = jax.grad(lambda p, v: (case.formula(p, v) * weights).sum(), argnums=(0, 1))
        return case.formula(p, v), witness(p, v)

    (on_jax, witness) = jax.jit(lambda p, v: (ours(p, v), theirs(p, v)))(params, x)
    on_numpy = ours(params, x)
    assert_close(on_numpy, on_jax, 1e-11)
    assert_close([on_numpy[0], on_numpy[3]], list(witness), 1e-10)


def assert_close(first: Any, second: Any, tolerance: float) -> None:
    """Two trees agree, relative to the largest value of each leaf."""
    second = dict(tree.leaves_with_path(second))
    assert second
    for path, a in tree.leaves_with_path(first):
        b = np.asarray(second[path])
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0.0) <= tolerance * max(1e-3, float(np.abs(b).max(initial=0.0))), path


@each_case
def test_recipes_are_frozen_and_hashable_and_can_be_written(case: Case) -> None:
    layer = case.layer
    again = cr.Layer.from_dict(json.loads(json.dumps(layer.to_dict())))
    assert again == layer
    assert hash(again) == hash(layer)
    assert repr(again) == repr(layer)
    if fields(layer):
        name = fields(layer)[0].name
        with pytest.raises(FrozenInstanceError):
            setattr(layer, name, getattr(layer, name))


@each_case
def test_the_same_key_gives_the_same_values_and_another_key_others(case: Case) -> None:
    first, again = case.layer.build(KEY, case.shape)[0], case.layer.build(KEY, case.shape)[0]
    other = case.layer.build(cr.random.key(8), case.shape)[0]
    assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(first), tree.leaves(again), strict=True))
    assert all(leaf.dtype == np.float64 for leaf in tree.leaves(first))
    for path, weight in tree.leaves_with_path(first):
        if path[-1] == "weight":
            assert not np.array_equal(weight, dict(tree.leaves_with_path(other))[path])
