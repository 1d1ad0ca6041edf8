"""Every layer and activation in an ONNX file predicts what it predicts here, by onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import tree
from chainrule.activations import Activation
from chainrule.errors import SettingError
from chainrule.export import OnnxCheck, check_onnx, converts, to_onnx
from chainrule.export.check import run_onnx
from chainrule.export.graph import CONVERTERS

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

PRECISIONS = pytest.mark.parametrize("precision", ["float32", "float64"])

#: What differs where nothing but rounding does. ONNX keeps settings such as a slope in float32, also in files that
#: compute in float64.
LIMITS = {"float32": 1e-5, "float64": 1e-7}

LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (cr.Dense(3, "tanh"), (4,)),
    (cr.Dense(3, bias=False), (2, 4)),
    (cr.Maxout(3, pieces=2), (4,)),
    (cr.Maxout(2, pieces=3, bias=False), (3, 4)),
    (cr.Conv2D(3, 3), (5, 4, 2)),
    (cr.Conv2D(2, (2, 3), stride=(2, 1), bias=False), (7, 5, 2)),
    (cr.Conv2D(2, 2, "glu", padding="valid", stride=2), (6, 5, 1)),
    (cr.Conv2D(2, 3, dilation=2), (6, 7, 2)),
    (cr.MaxPool2D(2), (5, 6, 2)),
    (cr.MaxPool2D(3, stride=1, padding="valid"), (5, 4, 1)),
    (cr.AvgPool2D(3, stride=2), (5, 6, 2)),
    (cr.AvgPool2D((1, 2), padding="valid"), (5, 5, 1)),
    (cr.GlobalAvgPool2D(), (3, 4, 2)),
    (cr.Flatten(), (2, 3, 2)),
    (cr.Reshape((3, -1)), (2, 6)),
    (cr.Activation("prelu"), (3, 2, 4)),
    (cr.Dropout(0.4), (3, 4)),
    (cr.BatchNorm(), (4,)),
    (cr.BatchNorm(eps=0.1), (3, 2, 2)),
    (cr.LayerNorm(), (3, 5)),
    (cr.layers.Embedding((5, 3)), (4,)),
    (cr.layers.Embedding((5,), (2,)), (1,)),
    (cr.Residual(cr.Dense(4, "tanh"), cr.LayerNorm()), (4,)),
    (cr.Residual(cr.Conv2D(3, 3, stride=2), shortcut=cr.Conv2D(3, 1, stride=2, bias=False)), (5, 4, 2)),
    (cr.Residual(cr.Conv2D(2, 3), cr.BatchNorm(), cr.Activation("relu")), (5, 4, 2)),
    (cr.Concat(cr.Conv2D(2, 1), cr.Conv2D(3, 3), cr.MaxPool2D(3, stride=1)), (4, 4, 2)),
    (cr.Concat(cr.Conv2D(2, 3), cr.Dense(2)), (4, 4, 2)),
    (cr.layers.Average(cr.Conv2D(2, 3), cr.Dense(2), cr.Sequential(cr.Conv2D(2, 1), cr.BatchNorm())), (4, 4, 2)),
    (cr.layers.Average(cr.Dense(3, "softmax")), (4,)),
    (cr.layers.Rescale(), (4, 3, 2)),
    (cr.Sequential(cr.Conv2D(2, 3), cr.layers.Rescale(), cr.MaxPool2D(2)), (4, 4, 2)),
    (cr.Sequential(cr.Dense(3, "tanh"), cr.Sequential(cr.BatchNorm(), cr.Dense(2))), (4,)),
    (cr.Sequential(), (4,)),
]


def model_of(net: Any, shape: tuple[int, ...], precision: str = "float32", **settings: Any) -> cr.Model:
    """A model none of whose values is what it starts with."""
    model = cr.Model(net, input_shape=shape, precision=precision, **settings)
    rng = np.random.default_rng(1)
    model.params = tree.map(lambda v: (v + 0.3 * rng.normal(size=v.shape)).astype(v.dtype), model.params)
    model.state = tree.map(lambda v: (v + 0.5 * rng.random(size=v.shape)).astype(v.dtype), model.state)
    return model


def samples(model: cr.Model, n: int) -> np.ndarray:
    x = np.random.default_rng(n).normal(size=(n, *model.input_shape))
    if isinstance(model.net[0] if len(model.net) else None, cr.layers.Embedding):
        x = np.abs(3 * x)  # codes, some between two and some beyond the last
    return x.astype(model.precision)


def check(model: cr.Model, opset: int = 18, sizes: tuple[int, ...] = (1, 7)) -> None:
    file = to_onnx(model, opset=opset)
    none = run_onnx(file, {"x": samples(model, 0)})
    assert next(iter(none.values())).shape == (0, *model.output_shape)
    for n in sizes:
        result = check_onnx(model, file, samples(model, n))
        assert result.ok
        assert result.max_difference < LIMITS[model.precision]


@PRECISIONS
@pytest.mark.parametrize(("net", "shape"), LAYERS, ids=str)
def test_a_layer_predicts_the_same(net: Any, shape: tuple[int, ...], precision: str) -> None:
    check(model_of(net, shape, precision))


@PRECISIONS
@pytest.mark.parametrize("name", sorted(Activation.registry))
def test_an_activation_predicts_the_same(name: str, precision: str) -> None:
    check(model_of(cr.Dense(6, name), (4,), precision))
    check(model_of(cr.Conv2D(4, 3, name), (5, 6, 2), precision))


@pytest.mark.parametrize(
    "activation",
    [
        cr.activations.LeakyReLU(0.3),
        cr.activations.ELU(0.5),
        cr.activations.Step(window=0.1),
        cr.activations.PReLU(0.1),
        cr.activations.Swish(2.0),
    ],
    ids=str,
)
def test_settings_of_activations_are_kept(activation: Any) -> None:
    check(model_of(cr.Dense(6, activation), (4,)))


def test_extreme_values_give_the_same() -> None:
    for name in Activation.registry:
        model = cr.Model(cr.Activation(name), input_shape=(2,))
        x = np.array([[-1e4, 1e4], [-90.0, 90.0], [0.0, -0.0]], np.float32)
        assert check_onnx(model, to_onnx(model), x).ok, name


def test_every_layer_and_activation_of_ours_is_written() -> None:
    ours = [cls for family in (cr.Layer, Activation) for cls in family.registry.values()]
    ours = [cls for cls in ours if cls.__module__.startswith("chainrule.")]
    assert [cls for cls in ours if cls not in CONVERTERS] == []
    tested = {type(inner) for net, _ in LAYERS for inner in (net, *getattr(net, "layers", ()))}
    assert {cls for cls in ours if issubclass(cls, cr.Layer)} <= tested


@pytest.mark.parametrize("opset", [18, 20, 22, 24, 26])
def test_a_network_in_newer_operations(opset: int) -> None:
    net = cr.Sequential(
        cr.Conv2D(4, 3, "gelu"),
        cr.AvgPool2D(2),
        cr.Residual(cr.Conv2D(4, 3), cr.BatchNorm(), cr.Activation("hard_swish")),
        cr.Flatten(),
        cr.LayerNorm(),
        cr.Dense(3, "softmax"),
    )
    check(model_of(net, (7, 6, 2)), opset)


@st.composite
def windows(draw: Any) -> tuple[Any, tuple[int, ...]]:
    """A convolution or a pooling of any size, stride, dilation and padding that fits the images."""
    kind = draw(st.sampled_from([cr.Conv2D, cr.MaxPool2D, cr.AvgPool2D]))
    size, stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4))), draw(st.tuples(*[st.integers(1, 4)] * 2))
    padding, dilation = draw(st.sampled_from(["same", "valid"])), 1
    settings = {"size": size, "stride": stride, "padding": padding}
    if kind is cr.Conv2D:
        dilation = draw(st.integers(1, 3))
        settings |= {"filters": draw(st.integers(1, 3)), "dilation": dilation, "bias": draw(st.booleans())}
    least = 1 if padding == "same" else 4 * dilation
    shape = (draw(st.integers(least, least + 8)), draw(st.integers(least, least + 8)), draw(st.integers(1, 3)))
    return kind(**settings), shape


@hypothesis_settings(max_examples=60)
@given(windows(), st.sampled_from(["float32", "float64"]), st.sampled_from([1, 7]))
def test_windows_of_any_kind_predict_the_same(made: tuple[Any, tuple[int, ...]], precision: str, n: int) -> None:
    check(model_of(*made, precision), sizes=(n,))


def test_images_are_turned_once_before_the_convolutions_and_once_after_them() -> None:
    net = cr.Sequential(
        cr.Conv2D(4, 3, "relu"),
        cr.BatchNorm(),
        cr.MaxPool2D(2),
        cr.Residual(cr.Conv2D(4, 3, "prelu"), cr.Dropout(0.2)),
        cr.Concat(cr.Conv2D(2, 1), cr.AvgPool2D(3, stride=1)),
        cr.Flatten(),
        cr.Dense(3),
    )
    kinds = [node.op_type for node in to_onnx(cr.Model(net, input_shape=(9, 9, 1))).graph.node]
    assert kinds.count("Transpose") == 2


@pytest.fixture
def custom() -> Iterator[Any]:
    """A layer and an activation of a user, who has not said how they are written."""

    @dataclass(frozen=True)
    class Halved(cr.Layer):
        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> tuple[Any, Any]:
            return x / 2.0, state

    @dataclass(frozen=True)
    class Cubed(Activation):
        def __call__(self, z: Any, params: Any = None) -> Any:
            return z**3

    yield SimpleNamespace(Halved=Halved, Cubed=Cubed)
    for kind in (Halved, Cubed):
        kind.registry.pop(kind.name)
        CONVERTERS.pop(kind, None)


def test_layers_and_activations_of_ones_own_can_be_registered(custom: Any) -> None:
    @converts(custom.Halved)
    def halved(graph: Any, layer: Any, params: Any, state: Any, x: Any) -> Any:
        return graph.add("Div", x, 2.0)

    @converts(custom.Cubed)
    def cubed(graph: Any, activation: Any, params: Any, z: Any) -> Any:
        return graph.add("Pow", z, 3.0)

    check(model_of(cr.Sequential(cr.Conv2D(2, 3), custom.Halved(), cr.Activation(custom.Cubed())), (4, 5, 1)))


def test_what_cannot_be_written_is_named_with_what_to_do(custom: Any) -> None:
    cases = [
        (cr.Sequential(cr.Dense(2), custom.Halved()), ["halved_1", "Halved", "converts(Halved)"]),
        (cr.Sequential(cr.Residual(custom.Halved())), ["residual_1/halved_1"]),
        (cr.Dense(2, custom.Cubed()), ["dense_1", "Cubed", "converts(Cubed)"]),
        (cr.Dense(2, lambda z: z * z), ["dense_1", "plain function", "frozen dataclass"]),
    ]
    for net, words in cases:
        with pytest.raises(SettingError) as error:
            to_onnx(cr.Model(net, input_shape=(3,)))
        assert [word for word in words if word not in str(error.value)] == []


def test_a_subclass_is_not_taken_for_its_parent() -> None:
    @dataclass(frozen=True)
    class OwnDense(cr.Dense):
        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> tuple[Any, Any]:
            return 0.0 * super().apply(params, state, x, key=key, train=train)[0], state

    try:
        with pytest.raises(SettingError, match="OwnDense"):
            to_onnx(cr.Model(OwnDense(2), input_shape=(3,)))
    finally:
        cr.Layer.registry.pop(OwnDense.name)


def test_only_layers_and_activations_can_be_registered() -> None:
    with pytest.raises(SettingError, match="class of a layer"):
        converts(cr.Dense(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("opset", [17, 99, "18", True])
def test_an_opset_that_cannot_be_written_is_refused(opset: Any) -> None:
    with pytest.raises(SettingError, match="opset must be a whole number from 18"):
        to_onnx(cr.Model(cr.Dense(2), input_shape=(3,)), opset=opset)


def test_a_wrong_file_does_not_pass_the_check() -> None:
    model = model_of(cr.Dense(3, "softmax"), (4,))
    other = cr.Model(cr.Dense(3, "softmax"), input_shape=(4,), seed=5)
    result = check_onnx(model, to_onnx(other))
    assert isinstance(result, OnnxCheck)
    assert not result.ok
    assert result.max_difference > 1e-2


def test_names_in_the_file_are_those_of_the_layers() -> None:
    net = cr.Sequential(cr.Dense(3, "relu"), cr.Residual(cr.Dense(3)), cr.Dense(2, "softmax"))
    graph = to_onnx(cr.Model(net, input_shape=(4,))).graph
    named = {constant.name for constant in graph.initializer}
    assert {"dense_1/weight", "residual_1/dense_1/bias", "dense_2/weight"} <= named
    assert len({node.name for node in graph.node}) == len(graph.node)


def test_values_go_through_the_file_unchanged() -> None:
    model = model_of(cr.Dense(1, bias=False), (3,))
    outputs = run_onnx(to_onnx(model), {"x": np.eye(3, dtype=np.float32)})["outputs"]
    assert np.array_equal(outputs, model.params["dense_1"]["weight"])
