"""Layers without parameters: shapes and activations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule import activations
from chainrule.activations import Activation as ActivationFunction
from chainrule.backprop import ops
from chainrule.checks import is_whole
from chainrule.errors import SettingError, ShapeError
from chainrule.layers.base import Layer, Params, Shape, State, activate


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of a sample in one axis: (batch, h, w, c) becomes (batch, h·w·c).

    >>> import chainrule as cr
    >>> cr.Model(cr.Flatten(), input_shape=(7, 7, 64)).output_shape
    (3136,)
    """

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        return {}, {}, (math.prod(shape),)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:]))), state


@dataclass(frozen=True)
class Reshape(Layer):
    """The values of a sample in another shape (one length may be -1).

    >>> import chainrule as cr
    >>> cr.Model(cr.Reshape((28, 28, 1)), input_shape=(784,)).output_shape
    (28, 28, 1)
    """

    shape: tuple[int, ...]

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shape = self.shape
        whole = isinstance(shape, tuple) and all(map(is_whole, shape))
        if not whole or not shape or any(n < 1 and n != -1 for n in shape):
            raise SettingError(
                "Reshape: shape must be a tuple of whole numbers of at least 1 (one of them may be -1), such as "
                f"Reshape((28, 28, 1)); got {shape!r}."
            )

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        known = math.prod(n for n in self.shape if n != -1)
        free = self.shape.count(-1)
        size = math.prod(shape)
        if free > 1 or (size % max(known, 1) if free else size != known):
            raise ShapeError(f"{self}: {size} values of a sample of shape {shape} do not fit.")
        return {}, {}, tuple(size // max(known, 1) if n == -1 else n for n in self.shape)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        shape = self.init(None, x.shape[1:])[2]
        return ops.reshape(x, (x.shape[0], *shape)), state


@dataclass(frozen=True)
class Activation(Layer):
    """An activation as a layer of its own, such as after a normalization: a = f(z).

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.Model(cr.Activation("relu"), input_shape=(2,)).predict(np.array([[-1.0, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    activation: str | ActivationFunction

    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        activations.get(self.activation)

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        function = activations.get(self.activation)
        if shape[-1] % function.pieces:
            raise ShapeError(f"{self} halves the features, but one sample has shape {shape}.")
        units = shape[-1] // function.pieces
        return function.parameters(units), {}, (*shape[:-1], units)

    def next_activation(self, activation: ActivationFunction | None) -> ActivationFunction | None:
        return activations.get(self.activation)

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        return activate(self.activation, params, x), state
