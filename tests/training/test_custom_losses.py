"""Losses, weights and settings of a user's own: what would silently give other numbers is an error or is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GradientError, ShapeError

rng = np.random.default_rng(0)
x = rng.normal(size=(60, 5))
labels = np.arange(60) % 10


def fit(net: Any, y: Any, **settings: Any) -> Any:
    return cr.fit(net, (x, y), **({"epochs": 1, "progress": False, "engine": "numpy"} | settings))


def test_a_function_gets_labels_as_rows_also_where_the_batch_is_as_large_as_the_output() -> None:
    squares = fit(cr.Dense(10, "softmax"), labels, batch_size=10, loss=lambda a, y: ((a - y) ** 2).sum(axis=1))
    named = fit(cr.Dense(10, "softmax"), labels, batch_size=10, loss="squared_error")
    assert squares.history["loss"] == pytest.approx(named.history["loss"], rel=1e-6)


def test_a_loss_class_must_give_one_cost_per_sample() -> None:
    @dataclass(frozen=True)
    class Wrong(cr.losses.Loss):
        def __call__(self, a: Any, y: Any) -> Any:
            return (a - y) ** 2

    try:
        with pytest.raises(ShapeError, match=r"Wrong must return one cost per sample, shape \(60,\).*\(60, 1\)"):
            fit(cr.Dense(1), x[:, :1], loss=Wrong(), batch_size=60)
    finally:
        del cr.losses.Loss.registry["wrong"]


def test_accuracy_does_not_depend_on_weights_but_the_cost_does() -> None:
    still = {"optimizer": cr.SGD(0.0), "class_weight": dict.fromkeys(range(10), 1.0) | {0: 100.0}}
    run = fit(cr.Dense(10, "softmax"), labels, **still)
    plain = run.evaluate(x, labels)
    assert run.history["accuracy"][0] == pytest.approx(plain["accuracy"])
    assert run.history["loss"][0] != pytest.approx(plain["loss"], rel=0.01)
    half = np.r_[np.ones(30), np.zeros(30)]
    seen = fit(cr.Dense(10, "softmax"), labels, optimizer=cr.SGD(0.0), sample_weight=half, normalize=False)
    assert seen.history["accuracy"][0] == pytest.approx(seen.evaluate(x[:30], labels[:30])["accuracy"])


def test_the_loss_follows_a_softmax_also_when_the_output_is_flattened() -> None:
    run = fit(cr.Sequential(cr.Dense(10, "softmax"), cr.Flatten()), labels)
    assert run.recipe.loss == cr.losses.CrossEntropy()


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_a_setting_that_decides_on_the_structure_is_named(engine: str) -> None:
    @dataclass(frozen=True)
    class Branches(cr.Layer):
        k: float = 1.0

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return (x * 2.0 if self.k > 0 else x), state

    net = cr.Sequential(Branches(), cr.Dense(10, "softmax"))
    try:
        if engine == "numpy":
            fit(net, labels)
        else:
            with pytest.raises(GradientError, match="annotate a setting that decides on the structure"):
                fit(net, labels, engine="jax")
    finally:
        del cr.Layer.registry["branches"]


def test_step_takes_its_settings_from_the_state() -> None:
    model = cr.Model(cr.Dense(10, "softmax"), (5,))
    recipe, state = cr.training.start(model, optimizer=cr.SGD(lr=0.1), samples=60, batch_size=60)
    changed = state.settings | {"recipe": state.settings["recipe"] | {"optimizer": {"lr": 0.0}}}
    batch = cr.training.Batch(x.astype("float32"), labels, np.ones(60, "float32"))
    still, metrics = cr.training.step(recipe, state._replace(settings=changed), batch)
    assert metrics.lr == 0.0
    assert np.array_equal(still.params["dense_1"]["weight"], model.params["dense_1"]["weight"])
