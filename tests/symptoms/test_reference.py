"""The reference is the user's network with a default recipe, whatever the network is made of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule.run_settings import FitSettings
from chainrule.symptoms.reference import reference


@dataclass(frozen=True)
class Doubled(cr.Layer):
    """A right layer of a user's own."""

    def apply(self, params, state, x, *, key, train):
        return x * 2.0, state


def net_of(net, task="classification", **rest):
    return reference(net, task, **rest).net


def test_a_bad_recipe_becomes_the_default_one():
    net = cr.Sequential(
        cr.Dense(8, "step", init="zeros", bias=False),
        cr.BatchNorm(momentum=0.0, eps=1.0),
        cr.Dropout(0.9),
        cr.Dense(8, "softmax", bias_init=cr.initializers.Constant(5.0)),
        cr.Dense(8),
        cr.Dense(3, "sigmoid", init=cr.initializers.Normal(9.0)),
    )
    assert net_of(net) == cr.Sequential(
        cr.Dense(8, "relu"), cr.BatchNorm(), cr.Dense(8, "relu"), cr.Dense(8, "relu"), cr.Dense(3, "softmax")
    )


def test_settings_of_an_activation_are_its_own():
    net = cr.Sequential(cr.Dense(4, cr.activations.LeakyReLU(90.0)), cr.Dense(4, lambda z: z * 0), cr.Dense(1))
    assert net_of(net, "regression") == cr.Sequential(cr.Dense(4, "leaky_relu"), cr.Dense(4, "relu"), cr.Dense(1))


@pytest.mark.parametrize(
    ("task", "output"),
    [("classification", "softmax"), ("binary", "sigmoid"), ("multilabel", "sigmoid"), ("regression", None)],
)
def test_the_output_follows_from_the_task(task, output):
    assert net_of(cr.mlp([4, 8, 3], output="tanh"), task)[-1].activation == output


def test_the_output_as_a_layer_of_its_own():
    net = cr.Sequential(cr.Conv2D(4, 1), cr.GlobalAvgPool2D(), cr.Activation("sigmoid"))
    assert net_of(net) == cr.Sequential(cr.Conv2D(4, 1), cr.GlobalAvgPool2D(), cr.Activation("softmax"))


def test_a_network_that_cannot_end_so_gets_an_output():
    net = cr.Sequential(cr.Dense(4, "relu"), cr.Residual(cr.Dense(4)))
    assert net_of(net)[-1] == cr.Activation("softmax")


def test_linear_layers_before_an_activation_stay_and_so_does_the_end_of_a_residual():
    block = cr.Residual(cr.Dense(8), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(8), shortcut=cr.Dense(8))
    net = cr.Sequential(cr.Dense(8), cr.BatchNorm(), cr.Activation("tanh"), block, cr.Dense(3, "softmax"))
    assert net_of(net) == net


def test_deep_sigmoids_become_relu_and_few_do_not():
    assert [layer.activation for layer in net_of(cr.mlp([4, *[8] * 10, 3], hidden="sigmoid"))][:2] == ["relu", "relu"]
    assert net_of(cr.mlp([4, 8, 3], hidden="sigmoid"))[0].activation == "sigmoid"
    assert net_of(cr.mlp([4, *[8] * 10, 3], hidden="tanh"))[0].activation == "tanh"


def test_layers_of_a_users_own_stay_and_are_named():
    net = cr.Sequential(cr.Sequential(Doubled(), cr.Dense(8)), Doubled(), cr.Dense(3, "softmax"))
    answer = reference(net, "classification")
    assert answer.net == net
    assert sorted(answer.custom) == ["doubled_1", "sequential_1/doubled_1"]


def test_the_settings_are_default_and_what_is_no_recipe_stays():
    bad = FitSettings(
        optimizer=cr.SGD(lr=90.0),
        loss="quadratic",
        l2=100.0,
        augment="noise:9",
        batch_size=1000,
        epochs=3,
        normalize=False,
        class_weight="balanced",
        early_stopping=True,
        validation=0.2,
        seed=7,
        precision="float64",
    )
    settings = reference(cr.mlp([4, 8, 3]), "classification", bad, rows=120).settings
    assert (settings.optimizer, settings.loss, settings.l2, settings.augment) == (cr.Adam(), "auto", 0.0, None)
    assert (settings.batch_size, settings.epochs, settings.normalize) == (16, 75, True)
    assert (settings.class_weight, settings.early_stopping, settings.precision) == (None, None, "float32")
    assert (settings.validation, settings.seed) == (0.2, 7)
    assert not settings.normalize_target
    assert reference(cr.mlp([4, 8, 1]), "regression", bad).settings.normalize_target


def test_no_batch_of_one_row_reaches_batch_normalization():
    net = cr.Sequential(cr.Dense(8), cr.BatchNorm(), cr.Dense(3, "softmax"))
    assert reference(net, "classification", rows=113).settings.batch_size == 17


IMAGE = (
    cr.Reshape((4, 4, 1)),
    cr.Conv2D(4, 3, "sign", padding="valid", bias=False),
    cr.MaxPool2D(2, stride=1),
    cr.AvgPool2D(1),
    cr.Residual(cr.Conv2D(4, 3), cr.LayerNorm(1.0), shortcut=cr.Conv2D(4, 1)),
    cr.Concat(cr.Conv2D(2, 1), cr.Dropout(0.5), cr.Average(cr.Conv2D(2, 1, "relu"), cr.Conv2D(2, 3))),
    cr.Rescale(),
    Doubled(),
    cr.Flatten(),
)
TABLE = (cr.Embedding((3,), (4,)), cr.Maxout(6, 2, bias=False), cr.Dense(6, "glu"), cr.Dense(6, "prelu"))


@pytest.mark.parametrize("layers", [IMAGE, TABLE], ids=["image", "table"])
@pytest.mark.parametrize("task", ["classification", "binary", "regression"])
def test_every_layer_of_the_package_trains_as_a_reference(layers, task):
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(40, 15)), rng.integers(0, 3, 40)])
    y = {"classification": rng.integers(0, 3, 40), "binary": rng.integers(0, 2, 40), "regression": rng.normal(size=40)}
    net = cr.Sequential(*layers, cr.Dense(3 if task == "classification" else 1, "tanh"))
    answer = reference(net, task, rows=40)
    assert answer.custom == (("doubled_1",) if layers is IMAGE else ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = cr.fit(
            answer.net,
            (x, y[task]),
            epochs=1,
            normalize_target=answer.settings.normalize_target,
            progress=False,
            engine="numpy",
        )
    assert run.model.target.task == task
    assert np.isfinite(run.history["loss"][-1])


def test_a_model_gives_its_network():
    model = cr.Model(cr.Dense(3, "softmax"), input_shape=(4,))
    assert net_of(model) == cr.Sequential(cr.Dense(3, "softmax"))
