"""A cost that becomes NaN or infinite stops the run, says where, and keeps the last good weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import random, tree
from chainrule.data import batch_order
from chainrule.errors import DivergedError
from chainrule.outcome import Outcome
from chainrule.recipe.prepared_run import SHUFFLE

rng = np.random.default_rng(0)
x = rng.normal(size=(40, 3))
target = x @ [1.0, 2.0, 3.0]
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


def diverge(net: Any, engine: str, data: Any = (x, target), **settings: Any) -> DivergedError:
    fixed = {"epochs": 60, "batch_size": 10, "progress": False, "normalize": False, "engine": engine}
    with pytest.raises(DivergedError) as caught:
        cr.fit(net, data, **(fixed | settings))
    return caught.value


def finite(values: Any) -> bool:
    return all(np.all(np.isfinite(leaf)) for leaf in tree.leaves(values))


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(cr.Layer.registry)
    yield
    cr.Layer.registry.clear()
    cr.Layer.registry.update(before)


@engines
def test_linear_regression_with_a_learning_rate_far_too_large(engine: str) -> None:
    error = diverge(cr.Dense(1), engine, optimizer=cr.SGD(1e6))
    assert 2 <= error.step <= 8
    assert error.layer == "loss"
    assert f"at step {error.step} (epoch {len(error.run.history) + 1}), first in the loss" in str(error)
    assert "smaller learning rate" in str(error)
    assert "clip_norm" in str(error)
    assert error.run.outcome == Outcome.at_divergence(error.step, len(error.run.history) + 1)
    assert finite(error.run.model.params)
    assert np.all(np.isfinite(error.run.model.predict(x)))
    assert error.run.engine == engine


def test_the_weights_are_those_from_before_the_step() -> None:
    """The same run, stopped just before by hand, has them too."""
    settings = {"optimizer": cr.SGD(1e4), "batch_size": 40}  # one step an epoch
    error = diverge(cr.Dense(1), "numpy", **settings)
    again = cr.fit(
        cr.Dense(1), (x, target), epochs=error.step - 1, normalize=False, engine="numpy", progress=False, **settings
    )
    assert len(error.run.history) == error.step - 1
    for a, b in zip(tree.leaves(error.run.model.params), tree.leaves(again.model.params), strict=True):
        assert np.array_equal(a, b)


@engines
def test_the_weights_are_those_from_before_a_step_within_an_epoch(engine: str) -> None:
    """With equal samples it does not matter whether an epoch has four steps or one."""
    equal = np.repeat(x[:1], 40, axis=0), np.repeat(target[:1], 40)
    one, four = (diverge(cr.Dense(1), engine, equal, optimizer=cr.SGD(130.0), batch_size=n) for n in (40, 10))
    assert one.step == four.step
    assert (four.step - 1) % 4 != 0  # it is not the first step of an epoch
    assert len(four.run.history) == (four.step - 1) // 4
    for a, b in zip(tree.leaves(four.run.model.params), tree.leaves(one.run.model.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)


@engines
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_bad_gradient_within_an_epoch_is_found_where_it_was(engine: str, seed: int, registry: None) -> None:
    @dataclass(frozen=True)
    class Length(cr.Layer):
        """|wx|, as a root: its derivative by w is 0/0 for x = 0, its value there is fine."""

        def init(self, key: Any, shape: Any) -> Any:
            return {"w": np.ones(shape)}, {}, shape

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return ((params["w"] * x) ** 2) ** 0.5, state

    inputs = np.arange(8.0)[:, None]  # the sample 0 is the bad one
    order = batch_order(random.fold_in(random.fold_in(random.key(seed), SHUFFLE), 1), 8)
    at = order.tolist().index(0) + 1
    error = diverge(Length(), engine, (inputs, inputs), batch_size=1, seed=seed, optimizer=cr.SGD(1e-3))
    assert error.step == at
    assert error.layer == "length_1"
    assert finite(error.run.model.params)


@engines
def test_a_layer_that_makes_nan_is_named(engine: str, registry: None) -> None:
    @dataclass(frozen=True)
    class Root(cr.Layer):
        """NaN for negative inputs."""

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return x**0.5, state

    net = cr.Sequential(cr.Dense(4, "tanh"), Root(), cr.Dense(1))
    error = diverge(net, engine)
    assert error.step == 1
    assert error.layer == "root_1"
    assert "first in root_1 (at its output)" in str(error)
    assert len(error.run.history) == 0
    start = cr.Model(net, (3,)).params
    for a, b in zip(tree.leaves(error.run.model.params), tree.leaves(start), strict=True):
        assert np.array_equal(a, b)


@engines
def test_nan_that_only_training_makes_is_found(engine: str, registry: None) -> None:
    @dataclass(frozen=True)
    class Bad(cr.Layer):
        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return (x / (x - x) if train else x), state

    error = diverge(cr.Sequential(cr.Dense(4), cr.Sequential(Bad(), cr.Dense(1))), engine)
    assert error.layer == "sequential_1/bad_1"


@engines
def test_a_gradient_that_is_not_finite_shows_before_the_cost_does(engine: str, registry: None) -> None:
    @dataclass(frozen=True)
    class Cusp(cr.Layer):
        """Its value at 0 is 0, its derivative there is infinite."""

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return (x * x) ** 0.5, state

    net = cr.Sequential(cr.Dense(3), cr.Dense(2, init="zeros"), Cusp(), cr.Dense(1, init="ones", bias_init="ones"))
    error = diverge(net, engine, optimizer=cr.SGD(0.01))
    assert error.step == 1
    assert error.layer == "dense_2"  # where the gradient arrives first on its way back
    assert "dense_2 (the gradient" in str(error)
    assert finite(error.run.model.params)


@engines
@pytest.mark.parametrize("steps", [1, 2])
def test_weights_that_are_not_finite_after_the_last_step_of_an_epoch(engine: str, steps: int) -> None:
    """The cost of the epoch is finite, the weights after it are not: no model with NaN is returned."""
    data = (x * 1e20, target * 1e10)  # costs fit into float32, steps of this size do not
    error = diverge(cr.Dense(1, init="zeros"), engine, data, optimizer=cr.SGD(1e20), epochs=1, batch_size=40 // steps)
    assert error.step == 1
    assert finite(error.run.model.params)
    assert error.layer == "optimizer"
    assert "the new weights are not" in str(error)


def test_the_folder_keeps_the_last_good_weights(tmp_path: Path) -> None:
    error = diverge(cr.Dense(1), "numpy", optimizer=cr.SGD(1e4), out=tmp_path / "run", batch_size=40)
    saved = cr.load_model(tmp_path / "run" / "model.safetensors")
    assert finite(saved.params)
    for a, b in zip(tree.leaves(saved.params), tree.leaves(error.run.model.params), strict=True):
        assert np.array_equal(a, b)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(error.run.history) == error.step - 1


def test_clipping_the_gradient_keeps_such_a_run_finite() -> None:
    run = cr.fit(
        cr.Dense(1),
        (x, target * 1e6),
        optimizer=cr.SGD(1e3, clip_norm=1.0),
        epochs=5,
        engine="numpy",
        normalize=False,
        progress=False,
    )
    assert finite(run.model.params)
