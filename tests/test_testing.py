"""The public checks pass what is right and say what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.backprop import primitive
from chainrule.settings import is_ours
from chainrule.testing import check_activation, check_layer, check_loss, check_optimizer, check_primitive

X = np.random.default_rng(0).normal(size=(4, 3))


@pytest.fixture(autouse=True)
def _forget_new_names() -> Iterator[None]:
    """Classes of these tests leave the registries of names as they were."""
    families = (cr.Layer, cr.losses.Loss, cr.activations.Activation, cr.optimizers.Optimizer)
    before = [dict(family.registry) for family in families]
    yield
    for family, names in zip(families, before, strict=True):
        family.registry.clear()
        family.registry.update(names)


# --- operations -----------------------------------------------------------------------------------------------


def test_operations_and_compositions_pass() -> None:
    assert check_primitive(ops.softmax, X, axis=0)
    assert check_primitive(lambda x, w: [np.tanh(x @ w), {"sum": x.sum()}], X, np.ones((3, 2)))
    assert check_primitive(lambda p, x: x @ p["w"] + p["b"], {"w": np.ones((3, 2)), "b": np.zeros(2)}, X)
    assert check_primitive(lambda a, b: a * b, 2.0, 3.0)
    assert check_primitive(ops.gather, X, np.array([0, 2, 1, 1]), argnums=0)
    assert [row.path for row in check_primitive(ops.multiply, X, X).rows] == ["a", "b"]


def test_a_wrong_rule_fails_with_the_table() -> None:
    @primitive
    def doubled(xp: Any, x: Any) -> Any:
        return 2.0 * x

    doubled.derivatives(lambda y, x: 2.5)
    with pytest.raises(AssertionError, match=r"doubled: the gradient is not that of central(.|\n)*backpropagation"):
        check_primitive(doubled, X)


def test_mistakes_that_a_plain_sum_would_hide() -> None:
    """The gradient of Σ softmax is 0; a rule that gives 0 is still found, since every value has its own weight."""

    @primitive
    def lazy_softmax(xp: Any, x: Any) -> Any:
        e = xp.exp(x)
        return e / e.sum(axis=-1, keepdims=True)

    lazy_softmax.gradients(lambda g, y, x: 0.0 * g)
    with pytest.raises(AssertionError, match="lazy_softmax"):
        check_primitive(lazy_softmax, X)


def test_engines_that_differ_and_lost_float32_are_found() -> None:
    @primitive
    def two_faced(xp: Any, x: Any) -> Any:
        return x * (2.0 if xp is np else 2.001)

    two_faced.derivatives(lambda y, x: 2.0)
    with pytest.raises(AssertionError, match="two_faced: NumPy and JAX differ"):
        check_primitive(two_faced, X)
    with pytest.raises(AssertionError, match="float32 came in, float64 came out"):
        check_primitive(lambda x: x * np.ones(3), X)


# --- layers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale(cr.Layer, name="scale_of_test_testing"):
    start: float = 1.5

    def init(self, key: Any, shape: Any) -> Any:
        return {"scale": np.full(shape[-1:], self.start)}, {}, shape

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return np.tanh(x) * params["scale"], state


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Scale(), (3,)),
        (cr.Dropout(0.4), (5,)),
        (cr.BatchNorm(), (2, 2, 3)),
        (cr.Sequential(cr.Conv2D(2, 3), cr.MaxPool2D(2), cr.Flatten(), cr.Dense(3, "softmax")), (4, 4, 1)),
    ],
    ids=["own", "dropout", "batch_norm", "network"],
)
def test_layers_pass(layer: Any, shape: Any) -> None:
    check = check_layer(layer, shape)
    assert check.ok
    assert check.rows[-1].path == "x"
    assert len(check.rows) >= 2


def broken(**methods: Any) -> Any:
    return dataclass(frozen=True)(type("Broken", (Scale,), {"__annotations__": {}, **methods}))()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "shape": ({"init": lambda self, key, shape: ({}, {}, (7,)), "apply": lambda s, p, st, x, **_: (x, st)}, "declares"),
    "state": ({"apply": lambda s, p, st, x, **_: (x, {"new": np.ones(1)})}, "a state like that of init"),
    "keeps no float32": ({"apply": lambda s, p, st, x, **_: (x * np.ones(3), st)}, "float64 came out"),
    "its own randomness": (
        {"init": lambda self, key, shape: ({"w": np.random.default_rng().normal(size=3)}, {}, shape)},
        "same key",
    ),
    "a surrogate": ({"apply": lambda s, p, st, x, **_: (ops.step(x), st)}, "central differences"),
}


@pytest.mark.parametrize(("methods", "message"), WRONG.values(), ids=WRONG)
def test_broken_layers_fail_with_the_reason(methods: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_layer(broken(**methods), (3,))


def test_a_layer_that_is_not_frozen_is_found() -> None:
    class Loose(Scale):
        __hash__ = None  # type: ignore[assignment] # what @dataclass without frozen=True does

    with pytest.raises(AssertionError, match=r"not hashable.*frozen=True"):
        check_layer(Loose(), (3,))


def test_step_units_pass_without_the_comparison_of_gradients() -> None:
    assert check_layer(cr.Dense(3, "step"), (4,), gradients=False).rows == ()


# --- activations, losses, optimizers --------------------------------------------------------------------------


def ours(family: Any) -> list[str]:
    """The registered names of a family, but for those of other tests."""
    return sorted(name for name, cls in family.registry.items() if is_ours(cls))


@pytest.mark.parametrize("name", ours(cr.activations.Activation))
def test_every_activation_passes(name: str) -> None:
    check_activation(name, gradients=name not in ("step", "sign"))


@pytest.mark.parametrize("name", ours(cr.losses.Loss))
def test_every_loss_passes(name: str) -> None:
    assert check_loss(name)


@pytest.mark.parametrize("optimizer", [cr.SGD(0.1, 0.9, nesterov=True), cr.Adam(cr.schedules.Cosine(0.1))], ids=str)
def test_optimizers_pass(optimizer: Any) -> None:
    check_optimizer(optimizer)


def test_a_wrong_range_is_found() -> None:
    @dataclass(frozen=True)
    class Narrow(cr.activations.Activation):
        range: ClassVar[tuple[float, float]] = (-0.5, 0.5)

        def __call__(self, z: Any, params: Any = None) -> Any:
            return np.tanh(z)

    with pytest.raises(AssertionError, match="leave the declared range"):
        check_activation(Narrow())


def test_losses_that_break_their_promise_are_found() -> None:
    @dataclass(frozen=True)
    class OverTheBatch(cr.losses.Loss):
        def __call__(self, a: Any, y: Any) -> Any:
            return np.sum((a - y) ** 2, axis=1) - np.mean(a)

    with pytest.raises(AssertionError, match="depends on the other samples"):
        check_loss(OverTheBatch())

    @dataclass(frozen=True)
    class NoPair(cr.losses.Loss):
        pair: ClassVar[str | None] = "sigmoid"

        def __call__(self, a: Any, y: Any) -> Any:
            return np.sum((a - y) ** 2, axis=1)

        def from_logits(self, z: Any, y: Any) -> Any:
            return self(ops.sigmoid(z), y)

    with pytest.raises(AssertionError, match="δ must be a - y"):
        check_loss(NoPair())


def test_an_optimizer_that_goes_uphill_or_writes_in_place_is_found() -> None:
    @dataclass(frozen=True)
    class Uphill(cr.optimizers.Optimizer):
        def change(self, grads: Any, opt_state: Any, params: Any, *, lr: Any, step: Any) -> Any:
            return cr.tree.map(lambda g: lr * g, grads), opt_state

    with pytest.raises(AssertionError, match="did not lower it"):
        check_optimizer(Uphill())

    @dataclass(frozen=True)
    class InPlace(cr.optimizers.Optimizer):
        def update(self, grads: Any, opt_state: Any, params: Any, *, lr: Any, step: Any) -> Any:
            params["weight"] *= 0.9
            return params, opt_state

    with pytest.raises(AssertionError, match="changed arrays"):
        check_optimizer(InPlace())
