"""A look at a run: what it says of layers, parameters and the next step is what they do, and nothing is changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optax
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.symptoms.look import LayerLook, Look, look

rng = np.random.default_rng(0)
x = rng.normal(size=(400, 6)).astype("float32")
labels = (x[:, 0] > x[:, 1]).astype(int)


def looks(run: cr.Run, batch_size: int | None = 32) -> tuple[Look, Look]:
    """The looks at the first and the last state of a run."""
    recordings = run.recordings
    assert recordings is not None
    states = (recordings.first, recordings.last)
    first, last = (look(run.recipe, state, recordings.rows, batch_size=batch_size) for state in states)
    return first, last


def fit(net: Any, **settings: Any) -> cr.Run:
    fixed: dict[str, Any] = {"epochs": 1, "engine": "numpy", "progress": False}
    return cr.fit(net, (x, labels), **(fixed | settings))


def of(seen: Look, name: str) -> LayerLook:
    return next(layer for layer in seen.layers if layer.name == name)


@pytest.mark.parametrize(("rate", "kappa", "alignment"), [(0.01, 0.005, 1.0), (1.0, 0.5, None), (3.0, 1.5, -1.0)])
def test_kappa_is_that_of_a_parabola(rate: float, kappa: float, alignment: float | None) -> None:
    """C = w²/2: a step of rate η has κ = η/2: ½ leads to the minimum, above 1 it leads uphill."""
    ones = np.ones((8, 1), "float32")
    run = cr.fit(
        cr.Dense(1, bias=False, init="ones"), (ones, np.zeros(8)), optimizer=cr.SGD(rate), epochs=1, batch_size=8,
        normalize=False, loss="quadratic", progress=False, engine="numpy",
    )  # fmt: skip
    seen, _ = looks(run, 8)
    assert seen.kappa == pytest.approx(kappa, rel=1e-4)
    if alignment is not None:
        assert seen.alignment == pytest.approx(alignment)


def test_the_update_is_that_of_the_next_step() -> None:
    run = fit(cr.Dense(1, "sigmoid"), batch_size=400, optimizer=cr.Adam(0.03))
    assert run.recordings is not None
    rows = run.recordings.rows
    recipe, first = run.recipe, run.recordings.first
    seen = look(recipe, first, rows)
    after, _ = cr.training.step(recipe, first, rows)
    (weight,) = [p for p in seen.parameters if p.name.endswith("weight")]
    moved = tree.leaves(after.params)[0] - tree.leaves(first.params)[0]
    assert weight.update == pytest.approx(float(np.sqrt(np.mean(moved**2))), rel=1e-5)
    assert seen.lr == 0.03


def test_what_layers_do() -> None:
    dead = cr.Sequential(cr.Dense(8, "relu", bias_init=cr.initializers.get("zeros")), cr.Dense(1, "sigmoid"))
    run = fit(dead, batch_size=32)
    assert run.recordings is not None
    state = run.recordings.first
    params = {**state.params, "dense_1": {**state.params["dense_1"], "bias": np.full(8, -50.0, "float32")}}
    seen = look(run.recipe, state._replace(params=params), run.recordings.rows)
    assert of(seen, "dense_1/a").dead == 1.0
    assert [p.gradient == 0.0 for p in seen.parameters if p.name.startswith("dense_1")] == [True, True]
    params["dense_1"] = {"weight": np.full((6, 8), 30.0, "float32"), "bias": np.zeros(8, "float32")}
    seen = look(run.recipe, state._replace(params=params), run.recordings.rows)
    assert of(seen, "dense_1/z").likeness == pytest.approx(1.0)


def test_saturated_units_are_flat() -> None:
    first, _ = looks(
        fit(cr.Sequential(cr.Dense(8, "sigmoid", init=cr.initializers.Normal(300.0)), cr.Dense(1, "sigmoid")))
    )
    layer = of(first, "dense_1/a")
    assert layer.flat is not None
    assert layer.flat > 0.9


def test_dropout_and_augmentation_are_left_out_but_of_the_step() -> None:
    net = cr.Sequential(cr.Dense(16, "tanh"), cr.Dropout(0.5), cr.Dense(1, "sigmoid"))
    first, last = looks(fit(net, augment="noise:0.5"))
    assert first.cost == pytest.approx(first.prediction_cost, rel=1e-6)
    assert last.cost_error == pytest.approx(0.0, abs=1e-6)
    assert last.kappa is not None


def test_batch_normalization_with_stale_averages_has_two_costs() -> None:
    net = cr.Sequential(
        cr.Dense(16, init=cr.initializers.Normal(9.0)),
        cr.BatchNorm(momentum=0.9999),
        cr.Activation("relu"),
        cr.Dense(1, "sigmoid"),
    )
    _, last = looks(fit(net, epochs=10, optimizer=cr.SGD(0.5)))
    assert abs(last.cost - last.prediction_cost) > 4 * last.cost_error


@dataclass(frozen=True)
class Pulled(cr.optimizers.Optimizer):
    """A user's own optimizer."""

    pull: float = 0.5

    def change(self, grads: Any, opt_state: Any, params: Any, *, lr: Any, step: Any) -> Any:
        return cr.tree.map(lambda g, w: -lr * (g + self.pull * w), grads, params), opt_state


@pytest.mark.parametrize("optimizer", [Pulled(0.1), optax.lion(1e-3), cr.AdamW(0.01, weight_decay=0.1)])
def test_every_optimizer(optimizer: Any) -> None:
    first, last = looks(
        fit(cr.Sequential(cr.Dense(4, "relu"), cr.Dense(1, "sigmoid")), optimizer=optimizer, engine="auto")
    )
    for seen in (first, last):
        assert seen.skipped == ""
        assert all(p.update is not None and p.update > 0 for p in seen.parameters if p.name.endswith("weight"))
        assert seen.kappa is not None


@dataclass(frozen=True)
class OnlyJax(cr.Layer):
    """A user's own layer that works on arrays of JAX only."""

    scales: tuple[float, ...] = field(default=(1.0,))

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        if isinstance(getattr(x, "value", x), np.ndarray):
            raise TypeError("no arrays of NumPy")
        return x * self.scales[0], state


def test_a_layer_that_needs_jax() -> None:
    run = fit(cr.Sequential(cr.Dense(4, "relu"), cr.Dense(1, "sigmoid")))
    assert run.recordings is not None
    import dataclasses

    net = cr.Sequential(cr.Dense(4, "relu"), cr.Dense(1, "linear"), OnlyJax())
    recipe = dataclasses.replace(run.recipe, net=net)
    settings = run.recordings.first.settings
    seen = look(
        recipe, run.recordings.first._replace(settings=settings | {"recipe": {**settings["recipe"], "net": {}}}),
        run.recordings.rows,
    )  # fmt: skip
    assert np.isfinite(seen.cost)


def test_what_is_not_finite_is_named() -> None:
    run = fit(cr.Sequential(cr.Dense(4, "relu"), cr.Dense(1, "sigmoid")))
    assert run.recordings is not None
    first = run.recordings.first
    assert look(run.recipe, first, run.recordings.rows).nonfinite == ""
    params = {**first.params, "dense_2": {**first.params["dense_2"], "weight": np.full((4, 1), np.nan, "float32")}}
    assert look(run.recipe, first._replace(params=params), run.recordings.rows).nonfinite == "dense_2/weight"
    params = {**first.params, "dense_1": {**first.params["dense_1"], "weight": np.full((6, 4), 3e38, "float32")}}
    assert look(run.recipe, first._replace(params=params), run.recordings.rows).nonfinite == "dense_1/z"


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_it_changes_nothing_and_is_plain(engine: str) -> None:
    net = cr.Sequential(cr.Conv2D(4, 3, "relu"), cr.BatchNorm(), cr.Flatten(), cr.Dropout(0.1), cr.Dense(2, "softmax"))
    images = rng.normal(size=(60, 6, 6, 1)).astype("float32")
    run = cr.fit(net, (images, labels[:60]), epochs=1, engine=engine, l2=0.1, progress=False)
    assert run.recordings is not None
    before = tree.map(np.array, run.recordings.last)
    one, other = (look(run.recipe, run.recordings.last, run.recordings.rows) for _ in range(2))
    assert one == other
    for a, b in zip(tree.leaves(before), tree.leaves(run.recordings.last), strict=True):
        assert np.array_equal(a, b)
    assert Look.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert [p.name for p in one.parameters if p.penalty > 0] == ["conv2d_1/weight", "dense_1/weight"]


def test_a_gate_of_step_units() -> None:
    """The lectures' gates are right, so there is nothing to learn: no gradient, and no step."""
    gate = cr.networks.gate("and", "step")
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    batch = cr.training.Batch(corners, np.array([[0], [0], [0], [1]], "float32"), np.ones(4, "float32"))
    recipe, state = cr.training.start(gate, "quadratic", cr.SGD(0.1), samples=4, batch_size=4, task="binary")
    seen = look(recipe, state, batch)
    assert (seen.cost, seen.score) == (0.0, 1.0)
    assert all(p.gradient == 0.0 and p.update == 0.0 for p in seen.parameters)
    assert (seen.kappa, seen.alignment) == (None, None)
