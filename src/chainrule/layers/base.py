"""What a layer is: a recipe with two functions, one that makes its values and one that applies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule import activations
from chainrule.activations import Activation
from chainrule.backprop import mark
from chainrule.errors import ShapeError
from chainrule.settings import Settings

Array = Any
Params = dict[str, Any]
State = dict[str, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Layer(Settings, family="layer"):
    """A frozen dataclass of settings; its values (parameters, running statistics) live outside of it.

    A layer of your own defines `init` and `apply`, both pure, and needs no backward:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import chainrule as cr
    >>> @dataclass(frozen=True)
    ... class Scale(cr.Layer):
    ...     start: float = 1.0
    ...     def init(self, key, shape):               # shape of one sample -> parameters, state, output shape
    ...         return {"scale": np.full(shape[-1:], self.start)}, {}, shape
    ...     def apply(self, params, state, x, *, key, train):   # -> output, new state
    ...         return x * params["scale"], state
    >>> cr.Model(cr.Sequential(Scale(2.0)), input_shape=(3,)).predict(np.ones((1, 3)))
    array([[2., 2., 2.]], dtype=float32)

    Values are made in float64 by NumPy and cast by the model. A parameter named ``weight`` is regularized (L1, L2,
    weight decay); others are not. ``apply`` gets traced values: use operators, NumPy's functions and `cr.ops`.
    A layer that draws random numbers while training gets its key in ``apply`` if ``random`` is True; ``key`` is None
    where none are to be drawn (predictions, and `Model.backprop`).
    """

    #: Whether ``apply`` uses ``key``. Keys cost time, so layers that do not say so.
    random: ClassVar[bool] = True
    #: Whether an activation behind the layer acts on what comes into it, but for place and scale (normalization,
    #: dropout, pooling, reshaping): weights before it are then initialized for that activation.
    transparent: ClassVar[bool] = False
    #: How many of the last features of a sample are codes of categories (tokens), which `fit` never standardizes; more
    #: than there are means all.
    codes: ClassVar[int] = 0

    def init(self, key: Array, shape: Shape) -> tuple[Params, State, Shape]:
        """Return parameters, state and output shape for inputs of a shape (of one sample, without the batch)."""
        return {}, {}, shape

    def build(self, key: Array, shape: Shape) -> tuple[Params, State, Shape]:
        """Return what the library calls: `init`. A layer that has a *setting* named ``init`` defines this instead."""
        return self.init(key, shape)

    def fit_init(self, activation: Activation | None) -> Layer:
        """Return the layer with ``init="auto"`` resolved for the activation that its output meets, or None."""
        return self

    def next_activation(self, activation: Activation | None) -> Activation | None:
        """Return the activation that what comes into the layer meets, given the one that its output meets."""
        return activation if self.transparent else None

    def apply(self, params: Params, state: State, x: Array, *, key: Array | None, train: bool) -> tuple[Array, State]:
        """Return the output for a batch, and the new state. ``train`` is False for predictions."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply().")


def activate(activation: Any, params: Params, z: Array) -> Array:
    """Apply an activation; ``z`` and the result ``a`` get their names in the layer that is being applied."""
    return mark(activations.get(activation)(mark(z, "z"), params), "a")


def require_axes(layer: Layer, shape: Shape, axes: int, what: str) -> None:
    """Raise `ShapeError` unless one sample has the number of axes that the layer works on."""
    if len(shape) != axes:
        raise ShapeError(f"{layer} takes {what}, but one sample here has shape {shape}.")


__all__ = ["Layer", "activate", "require_axes"]
