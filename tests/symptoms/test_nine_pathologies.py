"""The lectures' nine pathologies: each is named with its cause by the diagnosis of its run, and healthy runs are not.

Why a cause is the right one: a cause is right when its fix restores what was lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DivergedError
from chainrule.initializers import Constant, Normal

DIGITS = cr.data.load("digits")
X, Y = DIGITS.x.reshape(len(DIGITS.x), -1)[:600], np.asarray(DIGITS.y)[:600]


def fit(net: Any, data: Any = (X, Y), **settings: Any) -> cr.Run:
    fixed: dict[str, Any] = {"epochs": 4, "optimizer": cr.SGD(0.1), "engine": "numpy", "progress": False}
    try:
        return cr.fit(net, data, **(fixed | settings))
    except DivergedError as error:
        run: cr.Run = error.run  # type: ignore[assignment]
        return run


def net(*hidden: cr.Layer, **output: Any) -> cr.Layer:
    return cr.Sequential(*hidden, cr.Dense(10, "softmax", **output))


def regression() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 5))
    return x, 10 * x[:, 0] + x[:, 1] ** 2 + rng.normal(size=400)


PATHOLOGIES: dict[str, tuple[Any, dict[str, Any], tuple[str, ...]]] = {
    # Weights of 0: equal units get equal gradients and stay equal (lecture 000). First weights drawn at random cure it.
    "all weights zero": (net(cr.Dense(20, "sigmoid", init="zeros"), init="zeros"), {}, ("init",)),
    "all weights zero, relu": (net(cr.Dense(20, "relu", init="zeros"), init="zeros"), {}, ("init",)),
    "all weights the same": (net(cr.Dense(20, "tanh", init=Constant(0.2)), init=Constant(0.2)), {}, ("init",)),
    # A gradient that is a product of weights of 1e-6 is 1e-6 as large.
    "too small": (net(cr.Dense(20, "sigmoid", init=Normal(1e-6)), init=Normal(1e-6)), {}, ("init",)),
    "too small, relu": (net(cr.Dense(20, "relu", init=Normal(1e-6)), init=Normal(1e-6)), {"epochs": 2}, ("init",)),
    # z is some hundreds, where the sigmoid is flat.
    "saturated": (net(cr.Dense(20, "sigmoid", init=Normal(100.0))), {}, ("init",)),
    # z is below 0 for every row: the biases are at fault, and zeros cure it.
    "dead relu": (net(cr.Dense(20, "relu", bias_init=Constant(-10.0))), {}, ("init",)),
    # Inputs that are all 0 tell nothing about the targets, whatever is trained: no change of the recipe can help.
    "zero inputs": (net(cr.Dense(20, "relu")), {"data": (np.zeros_like(X), Y)}, ("labels_unrelated",)),
    # The backward pass of a step unit lets gradients through within its window only, and its biases are far from that.
    "a step unit far from its window": (net(cr.Dense(20, "step", bias_init=Constant(-20.0))), {}, ("init",)),
    # A sigmoid passes at most ¼ of the gradient: with ReLU, or with fewer layers, the same network learns.
    "ten deep sigmoid layers": (net(*[cr.Dense(20, "sigmoid") for _ in range(10)]), {}, ("activation", "too_deep")),
    # fit refuses inputs that are NaN; a run becomes NaN by its steps, and a smaller rate cures that.
    "nan": (cr.mlp([5, 20, 1], output="linear"), {"optimizer": cr.SGD(100.0), "data": regression()}, ("lr_high",)),
}


@pytest.mark.parametrize("name", list(PATHOLOGIES))
def test_its_cause_is_named_first(name: str) -> None:
    network, settings, causes = PATHOLOGIES[name]
    diagnosis = fit(network, **settings).diagnosis
    assert diagnosis.alarm
    assert diagnosis.causes[0].name in causes
    assert {cause.name for cause in diagnosis.causes[:3]} & {*causes}


@pytest.mark.parametrize("name", [name for name in PATHOLOGIES if name not in ("nan", "zero inputs")])
def test_what_is_to_be_changed_cures_it(name: str) -> None:
    network, settings, _ = PATHOLOGIES[name]
    run = fit(network, **settings)
    fix = run.diagnosis.causes[0].fix
    assert fix is not None
    cured = fit(fix.changes.get("net", network), epochs=12)
    assert cured.metrics["accuracy"] > 0.5


def rare() -> tuple[np.ndarray, np.ndarray]:
    x, y = regression()
    return x, (y > np.quantile(y, 0.95)).astype(int)


IMAGES = (DIGITS.x[:400].reshape(400, 8, 8, 1), Y[:400])
ADAM = {"optimizer": cr.Adam(0.01)}
HEALTHY: dict[str, tuple[Any, dict[str, Any]]] = {
    "relu": (net(cr.Dense(32, "relu")), {}),
    "tanh with Adam": (net(cr.Dense(32, "tanh"), cr.Dense(32, "tanh")), ADAM),
    "sigmoid": (net(cr.Dense(30, "sigmoid")), {"optimizer": cr.SGD(1.0), "epochs": 6}),
    "dropout": (net(cr.Dense(64, "relu"), cr.Dropout(0.5)), ADAM | {"validation": 0.2}),
    "batch norm": (net(cr.Dense(32), cr.BatchNorm(), cr.Activation("relu")), ADAM),
    "linear": (net(), ADAM),
    "a convolutional network": (
        net(cr.Conv2D(8, 3, "relu"), cr.MaxPool2D(2), cr.Flatten()), ADAM | {"data": IMAGES},
    ),
    "numbers": (cr.mlp([5, 32, 1], output="linear"), ADAM | {"data": regression(), "normalize_target": True}),
    "a rare class": (cr.mlp([5, 16, 1], output="sigmoid"), ADAM | {"data": rare(), "epochs": 10}),
    "AdamW with a schedule": (
        net(cr.Dense(32, "gelu")), {"optimizer": cr.AdamW(cr.schedules.Cosine(0.01), weight_decay=0.01)},
    ),
    "few epochs": (net(cr.Dense(32, "relu")), ADAM | {"epochs": 1}),
    "last weights of zero": (net(cr.Dense(32, "relu"), init="zeros"), ADAM),
    "augmented, with L2": (net(cr.Dense(64, "relu")), ADAM | {"augment": "noise:0.1", "l2": 0.1}),
    "residual": (net(cr.Dense(32, "relu"), cr.Residual(cr.Dense(32, "relu"), cr.Dense(32))), ADAM),
}  # fmt: skip


@pytest.mark.parametrize("name", list(HEALTHY))
def test_healthy_runs_give_no_alarm(name: str) -> None:
    network, settings = HEALTHY[name]
    diagnosis = fit(network, **settings).diagnosis
    assert not diagnosis.alarm, str(diagnosis)
    assert diagnosis.causes == ()
    assert not any("could not be looked at" in finding.text for finding in diagnosis.findings)
