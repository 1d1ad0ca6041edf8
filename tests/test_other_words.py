"""What those who come from Keras, PyTorch or scikit-learn write first: an error that says how it is written here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.sources import TABLES
from chainrule.errors import FileError, KeywordError, SettingError, ShapeError
from chainrule.estimators import NetClassifier, NetRegressor
from chainrule.tables.read import ENDINGS

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
LABELS = np.arange(24) % 3


def fit(net: Any = None, data: Any = (X, LABELS), **more: Any) -> cr.Run:
    net = cr.Dense(3, "softmax") if net is None else net
    return cr.fit(net, data, **{"epochs": 1, "engine": "numpy", "progress": False} | more)


@pytest.mark.parametrize(
    ("call", "word", "instead"),
    [
        (fit, "lr", "write optimizer=cr.Adam(lr=…)"),
        (fit, "learning_rate", "write optimizer=cr.Adam(lr=…)"),
        (fit, "max_iter", "write epochs=…"),
        (fit, "validation_split", "write validation=…"),
        (fit, "verbose", "write progress=…"),
        (fit, "metrics", "leave it out; accuracy"),
        (fit, "x", "fit(net, (x, y))"),
        (fit, "batchsize", "did you mean 'batch_size'"),
        (cr.Dense, "input_shape", "leave it out; the shape"),
        (cr.Dense, "kernel_initializer", "write init=…"),
        (cr.Dense, "use_bias", "write bias=…"),
        (cr.Dense, "unit", "did you mean 'units'"),
        (cr.Conv2D, "kernel_size", "write size=…"),
        (cr.Conv2D, "strides", "write stride=…"),
        (cr.MaxPool2D, "pool_size", "write size=…"),
        (cr.Dropout, "p", "write rate=…"),
        (cr.Sequential, "name", "leave it out; layers are called by their kind"),
        (cr.Adam, "learning_rate", "write lr=…"),
        (cr.Adam, "beta_1", "write beta1=…"),
        (cr.Adam, "clipnorm", "write clip_norm=…"),
        (cr.EarlyStopping, "restore_best_weights", "write restore_best=…"),
        (cr.schedules.Cosine, "initial_learning_rate", "write lr=…"),
        (cr.activations.LeakyReLU, "alpha", "write slope=…"),
        (NetClassifier, "hidden_layer_sizes", "write hidden=…"),
        (NetRegressor, "alpha", "write l2=…"),
        (NetRegressor, "solver", "write optimizer=…"),
        (cr.Model(cr.Dense(3), input_shape=(4,)).predict, "verbose", "leave it out"),
    ],
)
def test_an_argument_by_another_name(call: Callable[..., Any], word: str, instead: str) -> None:
    with pytest.raises(TypeError) as caught:  # as Python has it, and one of ours
        call(**{word: 1})
    assert isinstance(caught.value, KeywordError)
    assert f"has no setting '{word}'" in str(caught.value)
    assert instead in str(caught.value)


def test_each_of_several_is_named_and_the_call_is_called_by_its_name() -> None:
    with pytest.raises(KeywordError, match=r"Conv2D has no setting 'kernel_size': write size=…\. Conv2D .* 'strides'"):
        cr.Conv2D(filters=3, kernel_size=3, strides=2)  # type: ignore[call-arg]
    with pytest.raises(KeywordError, match="NetClassifier has no setting"):
        NetClassifier(max_iter=3)
    with pytest.raises(SettingError, match="optimizer 'adam' has no setting 'learning_rate': write lr=…"):
        cr.optimizers.Optimizer.from_dict({"type": "adam", "learning_rate": 0.1})


def test_inputs_and_targets_are_one_pair() -> None:
    with pytest.raises(KeywordError, match=r"fit takes net, data without names.*one pair, \(x, y\)"):
        cr.fit(cr.Dense(3, "softmax"), X, LABELS)  # type: ignore[misc]


@pytest.mark.parametrize("call", [cr.fit_population, cr.cross_validate])
def test_populations_too(call: Any) -> None:
    with pytest.raises(KeywordError, match="'learning_rate': write optimizer="):
        call(cr.Dense(3, "softmax"), (X, LABELS), 2, learning_rate=0.1, progress=False)


def test_help_still_shows_the_settings() -> None:
    assert list(inspect.signature(cr.Dense).parameters)[:2] == ["units", "activation"]
    assert "validation" in inspect.signature(cr.fit).parameters
    assert "hidden" in NetClassifier().get_params()


class Undecorated(cr.Layer):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return x * self.factor, state


@dataclass(frozen=True)
class Frozen(cr.Layer):
    factor: float

    def __init__(self, factor: float) -> None:
        self.factor = factor  # type: ignore[misc]


class Annotated(cr.Layer):
    factor: float = 1.0


@pytest.mark.parametrize("layer", [Undecorated, Frozen, Annotated])
def test_a_layer_of_ones_own_says_how_settings_are_declared(layer: Any) -> None:
    name = layer.__name__
    with pytest.raises(SettingError, match=rf"(?s)settings of {name} .*@dataclass\(frozen=True\).*class {name}"):
        layer(2.0)
    assert cr.Layer.registry.pop(layer.name) is layer


def test_images_into_a_dense_layer_need_flatten() -> None:
    for net in (cr.Dense(3, "softmax"), cr.Sequential(cr.Dense(8, "relu"), cr.Dense(1, "sigmoid"))):
        with pytest.raises(ShapeError, match=r"add cr\.Flatten\(\)"):
            fit(net, (X.reshape(24, 2, 2, 1), (LABELS > 0).astype(int)))


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize("labels", [LABELS, np.array(["a", "b", "c"])[LABELS], np.eye(3)[LABELS]])
def test_classes_need_outputs_that_tell_them_apart(activation: Any, labels: Any) -> None:
    with pytest.raises(SettingError, match=r'Dense\(3, "softmax"\).*loss="quadratic"'):
        fit(cr.Dense(3, activation), (X, labels))
    assert fit(cr.Dense(3, activation), (X, labels), loss="quadratic").history["accuracy"][0] >= 0


def test_yes_and_no_are_classes_and_counts_are_numbers() -> None:
    for labels in (LABELS > 0, (LABELS > 0).astype(int)):
        with pytest.raises(SettingError, match=r'Dense\(1, "sigmoid"\)'):
            fit(cr.Dense(1), (X, labels))
    several = np.column_stack([LABELS > 0, LABELS > 1, LABELS > -1]).astype(int)
    with pytest.raises(SettingError, match=r'Dense\(3, "sigmoid"\)'):
        fit(cr.Dense(3), (X, several))
    for numbers in (LABELS, (LABELS > 0).astype(float)):
        assert "mae" in fit(cr.Dense(1), (X, numbers)).history.columns
    assert "mae" in fit(cr.Dense(1), (X, LABELS > 0), loss="quadratic").history.columns


def test_a_model_of_numbers_goes_on_with_numbers_that_are_0_and_1() -> None:
    counts = fit(cr.Dense(1), (X, LABELS)).model
    assert "mae" in fit(counts, (X, (LABELS > 0).astype(int))).history.columns


def test_a_table_is_not_read_by_load(tmp_path: Any) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match=r"cr\.Table\.read\(.*x\.csv', target="):
        cr.data.load(tmp_path / "x.csv")
    assert {ending.removesuffix(".gz") for ending in ENDINGS} == set(TABLES)
