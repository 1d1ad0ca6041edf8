"""What `fit` says about data and settings that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, SettingError, ShapeError, UnknownNameError

rng = np.random.default_rng(0)
x = rng.normal(size=(20, 4))
y = np.arange(20) % 3
NET = cr.mlp([4, 5, 3])


def fit(net: Any = NET, data: Any = (x, y), **settings: Any) -> Any:
    return cr.fit(net, data, **({"epochs": 1, "engine": "numpy", "progress": False} | settings))


def hole(value: float) -> np.ndarray:
    wrong = x.copy()
    wrong[3, 2] = wrong[5, 0] = value
    return wrong


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (x, r"takes the data as \(x, y\) or a Dataset, got ndarray"),
        ((x,), r"takes the data as \(x, y\)"),
        ((x, y, y), r"takes the data as \(x, y\)"),
        (None, r"takes the data as \(x, y\).*NoneType"),
        ((x, y[:19]), "x has 20 rows and y has 19"),
        ((x[:0], y[:0]), "x is empty"),
        ((x[:, :0], y), "x is empty"),
        ((hole(np.nan), y), "not finite: 2 NaN, the first .* row 3, column 2"),
        ((hole(np.inf), y), "not finite: 2 infinite, the first .* row 3, column 2"),
        ((x[:, 0], y), r"x has shape \(20,\).*x\.reshape\(-1, 1\)"),
        ((x, np.where(np.arange(20) == 4, 3, y)), r"label 3 in row 4 \(1 of 20.*labels 0 to 2"),
        ((x, y + 0.5), "must be a whole number"),
        ((x, np.where(y == 0, np.nan, 1.0)), "not finite"),
        ((x, ["a", "b"] * 10), r"y has 2 classes \('a', 'b'\) and the output layer 3 units; 2 units are needed"),
        ((x, np.ones((20, 2))), "2 columns and the output layer 3 units"),
        ((x, np.full((20, 3), 0.5)), "adds up to 1.5"),
        ((x, [1, "a"] * 10), "y mixes"),
        ((x, [None] * 20), "missing"),
    ],
)
def test_data(data: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        fit(data=data)


@pytest.mark.parametrize(
    ("net", "data", "says"),
    [
        (NET, (x[:, :3], y), r"dense_1: .*expects 4 inputs, but one sample here has shape \(3,\)"),
        (cr.Conv2D(3, 3), (x, y), r"conv2d_1: .*\(4,\)"),
        (cr.Model(NET, (4,)), (x[:, :3], y), r"\(samples, 4\), got \(20, 3\)"),
    ],
)
def test_shapes(net: Any, data: Any, says: str) -> None:
    with pytest.raises(ShapeError, match=says):
        fit(net, data)


def test_outputs_that_cannot_tell_the_classes_apart() -> None:
    with pytest.raises(DataError, match=r"One softmax unit .*write Dense\(1, 'sigmoid'\)"):
        fit(cr.Dense(1, "softmax"), (x, y > 0))
    with pytest.raises(DataError, match="only one class"):
        fit(cr.Dense(1, "sigmoid"), (x, ["a"] * 20))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": "all"}, "batch_size must be a whole number"),
        ({"micro_batches": 0}, "micro_batches must be a whole number"),
        ({"l2": -0.1}, "l2 must be at least 0, got -0.1"),
        ({"l1": float("nan")}, "l1 must be at least 0, got nan"),
        ({"l2": "small"}, "l2 must be a number"),
        ({"seed": -1}, "A seed is an integer"),
        ({"validation": True}, r"a fraction such as 0\.2, or the pair \(x, y\); got True"),
        ({"optimizer": cr.SGD}, r"Got the class SGD; call it: SGD\(\)"),
        ({"optimizer": 0.1}, "Expected a name or an object for the optimizer, got 0.1"),
        ({"loss": "binary_cross_entropy", "net": cr.Dense(3)}, "needs outputs between 0 and 1.*'linear'"),
        ({"loss": "cross_entropy", "net": cr.Dense(3, "sigmoid")}, "probabilities with sum 1.*'sigmoid'"),
        ({"loss": "hinge", "net": cr.Dense(3, "softmax")}, "hinge"),
        ({"net": [cr.Dense(3)]}, r"fit trains a layer.*got \["),
        ({"net": "mlp"}, "fit trains a layer"),
    ],
)
def test_settings(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        fit(**settings)


@pytest.mark.parametrize("fraction", [1.5, 1, -0.1, float("nan"), 0.001, 0.999])
def test_fractions_for_validation(fraction: float) -> None:
    with pytest.raises(DataError, match="fraction"):
        fit(validation=fraction)


@pytest.mark.parametrize(
    ("validation", "says"),
    [
        (x, r"validation is a fraction such as 0\.2, \(x, y\) or a Dataset, got ndarray"),
        ((x[:, :3], y), r"Training samples have shape \(4,\), validation samples \(3,\)"),
        ((x, y + 1), "not among the classes of the training data: 3"),
        ((x[:0], y[:0]), "empty"),
        ((hole(np.nan), y), "not finite"),
        ("0.2", "validation is a fraction"),
    ],
)
def test_validation_data(validation: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        fit(validation=validation)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optimizer": "adm"}, "Unknown optimizer 'adm'; did you mean 'adam'"),
        ({"loss": "crossentropy"}, "Unknown loss 'crossentropy'; did you mean 'cross_entropy'"),
        ({"engine": "jacks"}, "Unknown engine 'jacks'"),
        ({"precision": "float16"}, "Unknown precision 'float16'"),
    ],
)
def test_names(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UnknownNameError, match=says):
        fit(**settings)


def test_a_layer_whose_settings_can_change() -> None:
    @dataclass(frozen=True)
    class Listed(cr.Layer, name="listed_of_test_bad_input"):
        factors: Any = None

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return x, state

    with pytest.raises(SettingError, match=r"must not change, but one is a list.*Use a tuple"):
        fit(cr.Sequential(Listed([1, 2]), cr.Dense(3, "softmax")))
    del cr.Layer.registry["listed_of_test_bad_input"]


def test_a_loss_of_ones_own_that_returns_a_wrong_shape() -> None:
    with pytest.raises(ShapeError, match=r"one cost per sample, shape \(20,\).*returned shape \(20, 3\)"):
        fit(loss=lambda a, t: a, batch_size=20)


def test_everything_is_a_value_error() -> None:
    assert issubclass(ChainruleError, ValueError)
    with pytest.raises(ValueError, match="epochs"):
        fit(epochs=0)


def test_numpy_numbers_are_taken_for_counts_and_fractions() -> None:
    run = fit(epochs=np.int64(2), batch_size=np.int32(8), validation=np.float32(0.25))
    assert len(run.history) == 2
    assert "val_loss" in run.history.columns
