"""The ONNX graph that is being written, and the table of what writes each layer and activation."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from chainrule import activations
from chainrule.activations import Activation, FunctionActivation
from chainrule.errors import SettingError
from chainrule.layers import Layer

Shape = tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Value:
    """A value in the graph.

    Attributes
    ----------
    name : in the file
    shape : of one sample, as layers see it: images are (height, width, channels)
    channels_first : whether the file holds (batch, channels, height, width) instead of (batch, height, width, channels)
    """

    name: str
    shape: Shape = ()
    channels_first: bool = False


@dataclass(frozen=True)
class Converter:
    """What writes a layer or an activation, and whether it takes images in either layout."""

    write: Callable[..., Value]
    any_layout: bool


#: What writes each layer and each activation. Subclasses are not looked up by their parents: they compute other things.
CONVERTERS: dict[type, Converter] = {}


def converts(kind: type, *, any_layout: bool = False) -> Callable[[F], F]:
    """Register what writes a layer (or an activation) to ONNX; for layers of your own.

    A layer's function gets ``(graph, layer, params, state, x)`` and an activation's ``(graph, activation, params, z)``;
    both return the `Value` that ``graph.add`` gave. Arrays and numbers among the inputs become constants of the file.
    With ``any_layout`` the function also gets images with their channels first (see `Value`).

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule.export import converts, to_onnx
    >>> @dataclass(frozen=True)
    ... class Double(cr.Layer):
    ...     def apply(self, params, state, x, *, key, train):
    ...         return 2.0 * x, state
    >>> @converts(Double)
    ... def double(graph, layer, params, state, x):
    ...     return graph.add("Mul", x, 2.0)
    >>> written = to_onnx(cr.Model(Double(), input_shape=(3,)))
    >>> [node.op_type for node in written.graph.node]
    ['Mul', 'Identity']
    >>> _ = cr.Layer.registry.pop("double")
    """
    if not (isinstance(kind, type) and issubclass(kind, Layer | Activation)):
        raise SettingError(f"converts() takes the class of a layer or an activation, got {kind!r}.")

    def register(function: F) -> F:
        CONVERTERS[kind] = Converter(function, any_layout)
        return function

    return register


class Graph:
    """Collects the nodes and constants of an ONNX graph.

    Parameters
    ----------
    precision : "float32" or "float64", in which the network computes
    """

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._where: list[str] = []
        self._taken: dict[str, int] = {}
        self._known: dict[tuple[str, Shape, bytes], Value] = {}

    @property
    def double(self) -> bool:
        """Whether the network computes in float64, for which onnxruntime lacks a few operations."""
        return self.precision == "float64"

    def in_double(self) -> Graph:
        """Return the same graph, in which floating constants are float64."""
        other = copy.copy(self)
        other.precision = "float64"
        return other

    def reserve(self, name: str) -> str:
        """Reserve the name of an input of the file, which nothing else gets."""
        self._taken[name] = 1
        return name

    def add(
        self,
        op: str,
        *inputs: Any,
        shape: Shape | None = None,
        first: bool | None = None,
        domain: str = "",
        **settings: Any,
    ) -> Value:
        """Add a node; inputs that are no `Value` become constants.

        The result has the shape (of one sample) and the layout of the first input, unless others are given.
        """
        from onnx import helper

        values = [value if isinstance(value, Value) else self.constant(value) for value in inputs]
        name = self.name(op)
        self.nodes.append(helper.make_node(op, [v.name for v in values], [name], name=name, domain=domain, **settings))
        like = values[0]
        return Value(name, like.shape if shape is None else shape, like.channels_first if first is None else first)

    def constant(self, data: Any, name: str | None = None, dtype: Any = None) -> Value:
        """Add a constant to the file. Floating numbers get the network's precision, unless a dtype is given."""
        from onnx import numpy_helper

        array = np.asarray(data)
        if dtype is None:
            dtype = {"f": self.precision, "i": "int64", "u": "int64"}.get(array.dtype.kind, array.dtype)
        array = array.astype(object if array.dtype.kind == "U" else dtype)
        key = str(array.dtype), array.shape, repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
        if name is None and key in self._known:
            return self._known[key]
        value = Value(self.name(name or "constant"), array.shape)
        self.constants.append(numpy_helper.from_array(np.asarray(array, order="C"), value.name))
        if name is None:  # the same number, or shape, is written once
            self._known[key] = value
        return value

    def name(self, last: str) -> str:
        """Return a name that is not taken yet, after the layer that is being written: "dense_1/weight"."""
        full = "/".join([*self._where, last])
        count = self._taken[full] = self._taken.get(full, 0) + 1
        return full if count == 1 else self.name(f"{last}_{count}")

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Let names begin with this one inside a with block."""
        self._where.append(name)
        try:
            yield
        finally:
            self._where.pop()

    def layer(self, layer: Layer, params: Any, state: Any, x: Value) -> Value:
        """Write a layer with its values."""
        converter = CONVERTERS.get(type(layer))
        if converter is None:
            kind = type(layer).__name__
            raise SettingError(
                f"{'/'.join(self._where) or kind}: {kind} is a layer of your own, and nothing is registered that "
                "writes it to ONNX. Register a function before exporting: @cr.export.converts("
                f"{kind}), then def {layer.name}(graph, layer, params, state, x): return graph.add(...)."
            )
        return converter.write(self, layer, params, state, x if converter.any_layout else self.channels_last(x))

    def activation(self, activation: Any, params: Any, z: Value) -> Value:
        """Write an activation with its learned values."""
        function = activations.get(activation)
        converter = CONVERTERS.get(type(function))
        if converter is None:
            kind = type(function).__name__
            if isinstance(function, FunctionActivation):
                raise SettingError(
                    f"{'/'.join(self._where)}: a plain function cannot be written to ONNX. Make it a frozen dataclass "
                    "(see cr.activations.Activation) and register a function that writes it with @cr.export.converts."
                )
            raise SettingError(
                f"{'/'.join(self._where)}: {kind} is an activation of your own, and nothing is registered that writes "
                f"it to ONNX. Register a function before exporting: @cr.export.converts({kind}), then "
                f"def {function.name}(graph, activation, params, z): return graph.add(...)."
            )
        return converter.write(self, function, params, z if converter.any_layout else self.channels_last(z))

    def channels_first(self, x: Value) -> Value:
        """Return images as (batch, channels, height, width), for the operations of ONNX."""
        return x if x.channels_first else self.add("Transpose", x, perm=[0, 3, 1, 2], first=True)

    def channels_last(self, x: Value) -> Value:
        """Return images as (batch, height, width, channels), as our layers have them."""
        return self.add("Transpose", x, perm=[0, 2, 3, 1], first=False) if x.channels_first else x

    def same_layout(self, values: list[Value]) -> list[Value]:
        """Return values in one layout: channels first if all are, else last."""
        return values if all(v.channels_first for v in values) else [self.channels_last(v) for v in values]

    def per_feature(self, numbers: Any, x: Value, name: str | None = None) -> Value:
        """Return one number for each feature (or channel) of x, as a constant that broadcasts with it."""
        array = np.asarray(numbers)
        return self.constant(array.reshape(-1, 1, 1) if x.channels_first else array, name)

    def features(self, x: Value, start: int, stop: int) -> Value:
        """Return some of the features (or channels) of x."""
        shape = (*x.shape[:-1], stop - start)
        return self.add("Slice", x, [start], [stop], [feature_axis(x)], shape=shape)

    def cast(self, x: Value, dtype: Any) -> Value:
        """Write x in another dtype."""
        from onnx import helper

        return self.add("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def feature_axis(x: Value) -> int:
    """Return the axis of the features or channels, in the file."""
    return 1 if x.channels_first else len(x.shape)
