"""What an activation function is: a formula, what is known about it, and the parameters it may learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from chainrule.backprop import ops
from chainrule.backprop.backward import grad
from chainrule.settings import Settings

__all__ = ["Activation", "FunctionActivation", "Linear"]

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, repr=False)
class Activation(Settings, family="activation"):
    """Base of the activation functions: a = f(z), from the values z before it to the outputs a of a layer.

    A new one is a frozen dataclass with a ``__call__`` written with `cr.ops` or NumPy's functions. It needs
    no derivative of its own, and once the class exists its name works wherever an activation is asked for.

    Attributes
    ----------
    range : (float, float)
        The values it can take (with its default settings).
    saturates : str
        Where its derivative goes to 0, so that a neuron there stops learning: ``"both sides"``, ``"left"``
        (for z → -∞), ``"right"`` or ``"no"``.
    zero_centred : bool
        Whether its mean is 0 when z is drawn from N(0, 1). Where it is not, all weights of a neuron of the
        next layer are pushed in the same direction (lecture 002).
    init : str
        The name of the initializer that keeps the variance of the signal for it.
    source : str
        The paper it comes from.
    pieces : int
        How many values z it takes for each output (2 for `GLU`).
    elementwise : bool
        Whether each z acts on one output only (not so for `Softmax`).
    distribution : bool
        Whether its outputs are positive and sum to 1.

    Example
    -------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import chainrule as cr
    >>> @dataclass(frozen=True)
    ... class Bump(cr.activations.Activation):
    ...     width: float = 1.0
    ...     def __call__(self, z, params={}):
    ...         return np.exp(-(z / self.width) ** 2)
    >>> cr.activations.get("bump").derivative(np.array([0.0, 1.0])).round(3)
    array([-0.   , -0.736])
    >>> _ = cr.activations.Activation.registry.pop("bump")
    """

    range: ClassVar[tuple[float, float]] = (-np.inf, np.inf)
    saturates: ClassVar[str] = "no"
    zero_centred: ClassVar[bool] = False
    init: ClassVar[str] = "glorot_uniform"
    source: ClassVar[str] = ""
    pieces: ClassVar[int] = 1
    elementwise: ClassVar[bool] = True
    distribution: ClassVar[bool] = False

    def parameters(self, units: int) -> dict[str, np.ndarray]:
        """Return the starting values of what it learns, for a number of units: ``{}`` for most."""
        return {}

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        """Return the outputs for values z (arrays or traced), with learned parameters if it has any."""
        raise NotImplementedError(f"{type(self).__name__} needs a __call__(self, z, params).")

    def derivative(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        """da/dz at each z, by backpropagation, in the shape of z."""
        return grad(lambda t: ops.sum(self(t, params)))(z)


@dataclass(frozen=True)
class Linear(Activation):
    """a = z: no activation; what ``None`` means. The output for regression (lecture 003).

    Derivative 1. Range (-∞, ∞), zero-centred, never saturates. Layers with nothing else between them are
    together one linear layer.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.Linear().derivative(np.array([-3.0, 3.0]))
    array([1., 1.])
    """

    zero_centred: ClassVar[bool] = True
    source: ClassVar[str] = "lecture 003"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.linear(z)


@dataclass(frozen=True)
class FunctionActivation(Activation):
    """A plain function of z as an activation; `get` makes it. Nothing is known about its range.

    It cannot be written to a file, since files hold names and never code. For that, write a frozen dataclass
    (see `Activation`).

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.get(lambda z: z**3).derivative(2.0)
    12.0
    """

    function: Callable[[Any], Any]

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return self.function(z)


del Activation.registry[FunctionActivation.name]  # a function has no name that a file could hold
