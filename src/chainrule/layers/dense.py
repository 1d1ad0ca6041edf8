"""Fully connected layers."""

from __future__ import annotations

import dataclasses
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import activations, initializers
from chainrule.activations import Activation
from chainrule.backprop import mark, ops
from chainrule.checks import check_whole
from chainrule.errors import ShapeError
from chainrule.initializers import Initializer
from chainrule.layers.base import Layer, Params, Shape, State, activate
from chainrule.random import split


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer: z = x W + b, a = f(z) for inputs x (batch, …, in), W (in, units), b (units,).

    (Lectures 003 and 004 write z = W x + b for one sample as a column; lecture 002 the batch as here.)

    Parameters
    ----------
    units : number of neurons
    activation : name or object; None is linear
    init : initializer of W; "auto" chooses the one that fits the activation, which may also be an `Activation` layer
        that follows, with normalization, dropout, pooling or a reshape between them
    bias : whether there is a b
    bias_init : initializer of b
    inputs : the number of inputs, if it should be checked when the network is built

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Model(cr.Dense(2, "relu"), input_shape=(3,))
    >>> model.params["dense_1"]["weight"].shape, model(np.ones((5, 3))).shape
    ((3, 2), (5, 2))
    """

    units: int
    activation: str | Activation | None = None
    _: KW_ONLY
    init: str | Initializer = "auto"  # type: ignore[assignment]
    bias: bool = True
    bias_init: str | Initializer = "zeros"
    inputs: int | None = None

    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count(self, "units", self.units)
        activations.get(self.activation)
        initializers.get(self.init, self.activation)
        initializers.get(self.bias_init)

    def build(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        if not shape:
            raise ShapeError(
                f"{self} takes samples with features, but one sample here is a single number. "
                "Give x a feature axis: x[:, None]."
            )
        if self.inputs is not None and shape != (self.inputs,):
            raise ShapeError(
                f"{self} expects {self.inputs} inputs, but one sample here has shape {shape}"
                + (
                    f" ({int(np.prod(shape))} values). Flatten it: x.reshape(len(x), -1), or a Flatten() layer before."
                    if len(shape) > 1
                    else "."
                )
            )
        function = activations.get(self.activation)
        width = self.units * function.pieces
        weight_key, bias_key = split(key, 2)
        make = initializers.get(self.init, self.activation)
        params = {"weight": make(weight_key, (shape[-1], width), shape[-1], width)}
        if self.bias:
            params["bias"] = initializers.get(self.bias_init)(bias_key, (width,), shape[-1], width)
        params |= function.parameters(self.units)
        return params, {}, (*shape[:-1], self.units)

    def fit_init(self, activation: Activation | None) -> Layer:
        return fit_weights(self, activation)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        z = ops.matmul(x, params["weight"])
        z = z + params["bias"] if self.bias else z
        return activate(self.activation, params, z), state


@dataclass(frozen=True)
class Maxout(Layer):
    """The largest of several linear functions: a_j = max_k (x W + b)_jk (Goodfellow et al., 2013).

    ``units`` outputs, each the maximum of ``pieces`` products; W has shape (in, units · pieces).

    >>> import chainrule as cr
    >>> cr.Model(cr.Maxout(4, pieces=3), input_shape=(2,)).params["maxout_1"]["weight"].shape
    (2, 12)
    """

    units: int
    pieces: int = 2
    _: KW_ONLY
    init: str | Initializer = "he_normal"  # type: ignore[assignment]
    bias: bool = True

    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count(self, "units", self.units)
        check_count(self, "pieces", self.pieces)
        initializers.get(self.init)

    def build(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        width = self.units * self.pieces
        params = {"weight": initializers.get(self.init)(key, (shape[-1], width), shape[-1], self.units)}
        if self.bias:
            params["bias"] = np.zeros(width)
        return params, {}, (*shape[:-1], self.units)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        z = ops.matmul(x, params["weight"])
        z = mark(z + params["bias"] if self.bias else z, "z")
        pieces = ops.reshape(z, (*z.shape[:-1], self.units, self.pieces))
        return mark(ops.max(pieces, axis=-1), "a"), state


def fit_weights(layer: Any, activation: Activation | None) -> Any:
    """Resolve a layer's ``init="auto"`` for the activation that follows it, if it has none of its own."""
    if activation is None or layer.init != "auto" or activations.get(layer.activation) != activations.get(None):
        return layer
    return dataclasses.replace(layer, init=activation.init)


def check_count(layer: Layer, name: str, value: Any) -> None:
    """Raise `SettingError` unless a setting is a whole number of at least 1."""
    check_whole(f"{type(layer).__name__}: {name}", value)
