"""What is wrong with a search is said before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.tuning import choice, integer, log_uniform, search, uniform


def never(event: Any) -> None:
    raise AssertionError("something was trained")


def made(width: int, depth: int) -> cr.Layer:
    return cr.mlp([4, *[width] * depth, 3])


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"optimzer.lr": uniform(0, 1)}, "no setting 'optimzer.lr'; did you mean 'optimizer.lr'"),
        ({"learning_rate": uniform(0, 1)}, "no setting 'learning_rate'"),
        ({"lr": uniform(0, 1)}, "no setting 'lr'; did you mean 'optimizer.lr'"),
        ({"units": integer(1, 9)}, "no setting 'units'; did you mean 'net.layers.0.units'"),
        ({"batchsize": integer(1, 9)}, "no setting 'batchsize'; did you mean 'batch_size'"),
        ({"optimizer.momentum": uniform(0, 0.9)}, "Adam has no setting 'momentum'"),
        ({"optimizer.lrr": uniform(0, 0.9)}, "no setting 'lrr'; did you mean 'lr'"),
        ({"net.layers.0.unit": integer(1, 9)}, "no setting 'unit'; did you mean 'units'"),
        ({"net.layers.7.units": integer(1, 9)}, "has no setting '7'"),
        ({"batch_size": uniform(8, 64)}, r"'batch_size' is structural.*Use cr.integer\(8, 64\) or cr.choice"),
        ({"epochs": log_uniform(1, 64)}, "'epochs' is structural"),
        ({"net.layers.0.units": uniform(2, 9)}, "'net.layers.0.units' is structural"),
        ({"net.layers.0.activation": uniform(2, 9)}, "'net.layers.0.activation' is structural"),
        ({"optimizer": uniform(0, 1)}, "'optimizer' is structural"),
        ({"optimizer": integer(0, 1)}, r"'optimizer' is no number: use cr.choice"),
        ({"net.layers.0.activation": choice("relu", "tahn")}, "Unknown activation 'tahn'; did you mean 'tanh'"),
        ({"optimizer": choice("sgd", "adm")}, "Unknown optimizer 'adm'"),
        (
            {"optimizer.beta1": uniform(0.5, 1.5)},
            "a trial with optimizer.beta1=1.5 cannot be trained: Adam: beta1 must",
        ),
        ({"l2": uniform(-1.0, 1.0)}, "a trial with l2=-1.0 cannot be trained: .*l2 must be at least 0"),
        ({"net.layers.0.units": integer(0, 9)}, "a trial with net.layers.0.units=0 cannot be trained"),
        ({"seed": integer(0, 9)}, "'seed' cannot be searched: all trials have the same"),
        ({"validation": uniform(0.1, 0.5)}, "'validation' cannot be searched"),
        (
            {"optimizer": choice("adam", "sgd"), "optimizer.momentum": uniform(0, 0.9)},
            r"Ask for it only where it is used: space\['optimizer.momentum'\] = ….when",
        ),
        ({"loss.delta": uniform(0.1, 1.0)}, "loss is 'auto' here and has no settings"),
    ],
)
def test_a_space_that_does_not_fit(space: dict[str, Any], message: str, flowers: dict[str, Any]) -> None:
    with pytest.raises(ChainruleError, match=message):
        search(**flowers, space=space, trials=4, callbacks=never)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"width": integer(1, 9)}, "space lacks 'depth'"),
        ({"width": integer(1, 9), "depht": integer(1, 2), "depth": integer(1, 2)}, "did you mean 'depth'"),
        (
            {"width": integer(1, 9), "depth": integer(1, 2), "net.layers.0.units": integer(1, 9)},
            "the network is a function",
        ),
        ({"width": integer(1, 9).when("depth", 1), "depth": integer(1, 2)}, "give it a default"),
        ({"width": integer(0, 9), "depth": integer(1, 2)}, "a trial with depth=1, width=0|width=0, depth=1"),
    ],
)
def test_a_space_that_does_not_fit_the_function(space: dict[str, Any], message: str, flowers: dict[str, Any]) -> None:
    with pytest.raises(ChainruleError, match=message):
        search(**flowers | {"net": made}, space=space, trials=4, callbacks=never)


def test_a_function_that_returns_no_layer(flowers: dict[str, Any]) -> None:
    def net(width: int) -> Any:
        return [width]

    with pytest.raises(ChainruleError, match=r"returns a layer; net\(width=2\) gave \[2\]"):
        search(**flowers | {"net": net}, space={"width": integer(2, 3)})


def test_an_argument_of_the_function_must_not_be_called_like_a_setting(flowers: dict[str, Any]) -> None:
    def net(l2: float) -> cr.Layer:
        return cr.mlp([4, 3])

    with pytest.raises(ChainruleError, match="function of 'l2', which is a setting of fit, too"):
        search(**flowers | {"net": net}, space={"l2": uniform(0, 1)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trials": 0}, "trials must be a whole number of at least 1"),
        ({"trials": 2.5}, "trials must be a whole number"),
        ({"batch": 0}, "batch must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"max_epochs": 0}, "max_epochs must be"),
        ({"timeout": 0}, "timeout is a number of seconds above 0"),
        ({"sampler": "sobl"}, "Unknown sampler 'sobl'; did you mean 'sobol'"),
        ({"sampler": "grid", "trials": 1}, "grid has 2 points .* more than trials=1"),
        ({"sampler": "grid", "stages": "coarse_to_fine", "trials": 9}, "is a fixed list of points, for one stage"),
        ({"metric": "val_acuracy"}, "did you mean 'val_accuracy'"),
        ({"metric": "val_mae"}, "'val_mae' is not measured for classification"),
        ({"validation": 0.0}, "search compares trials on validation data"),
        ({"l2": 0.1}, "'l2' is in the space and given for all trials, too"),
        ({"seed": "a"}, "seed"),
        ({"epoch": 3}, "no setting 'epoch'; did you mean 'epochs'"),
        ({"test": True}, "there is none: give test"),
        ({"test": 0.2}, r"test is \(x, y\), a Dataset, or False; got float"),
        (
            {"space": {"loss": choice("cross_entropy", "quadratic")}, "metric": "val_loss"},
            "cannot be compared by 'val_loss'",
        ),
        ({"space": {"epochs": integer(1, 3)}, "stages": "halving"}, "'epochs' is shared out by stages"),
    ],
)
def test_a_search_that_cannot_be(settings: dict[str, Any], message: str, flowers: dict[str, Any]) -> None:
    with pytest.raises(ChainruleError, match=message):
        search(**flowers | {"space": {"l2": uniform(0, 1)}, "callbacks": never} | settings)
