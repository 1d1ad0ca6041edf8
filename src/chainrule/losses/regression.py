"""Losses for numbers: how far the outputs are from the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule.backprop import ops
from chainrule.losses.base import Loss, array, output_axes, targets_like
from chainrule.settings import check_number

__all__ = ["Huber", "MeanAbsoluteError", "MeanSquaredError", "Quadratic", "SquaredError"]


@dataclass(frozen=True)
class SquaredError(Loss):
    """C = ‖a - y‖² = Σ (a - y)², summed over the outputs of a sample (lecture 000).

    ∂C/∂a = 2(a - y). (000 prints 2(y - ŷ) in its derivation, with y the network's output there.) Any output.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.SquaredError()(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    array([10.])
    """

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        return ops.sum(ops.square(a - targets_like(a, y)), axis=output_axes(a))


@dataclass(frozen=True)
class Quadratic(Loss):
    """C = ½ ‖a - y‖², summed over the outputs of a sample: 003's quadratic cost is its mean over the samples.

    ∂C/∂a = a - y, which with a linear output is δ. With a sigmoid output δ = (a - y) σ'(z), so that a
    saturated neuron learns slowly even when it is wrong (lecture 003): use `BinaryCrossEntropy` there.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.Quadratic()(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    array([5.])
    """

    pair: ClassVar[str | None] = "linear"

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        return 0.5 * ops.sum(ops.square(a - targets_like(a, y)), axis=output_axes(a))

    def from_logits(self, z: Any, y: Any) -> Any:
        return self(z, y)


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """C = 1/k Σ (a - y)², averaged over the k outputs of a sample, as in Keras and scikit-learn. Also "mse".

    ∂C/∂a = 2(a - y)/k. Any output.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.MeanSquaredError()(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    array([5.])
    """

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        return ops.mean(ops.square(a - targets_like(a, y)), axis=output_axes(a))


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """C = 1/k Σ |a - y|, averaged over the k outputs of a sample. Also "mae".

    ∂C/∂a = sign(a - y)/k: outliers pull no harder than other samples. Any output.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.MeanAbsoluteError()(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    array([2.])
    """

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        return ops.mean(ops.absolute(a - targets_like(a, y)), axis=output_axes(a))


@dataclass(frozen=True)
class Huber(Loss):
    """Quadratic near the target, linear far from it; averaged over the k outputs of a sample.

    With r = |a - y|: ½ r² for r ≤ δ, else δ (r - ½ δ). ∂C/∂a is a - y, limited to ±δ, over k. Any output.

    Parameters
    ----------
    delta : float
        δ, where the line begins, in units of the target.

    Source: Huber (1964), "Robust estimation of a location parameter".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.Huber()(np.array([[0.5], [3.0]]), np.array([[0.0], [0.0]]))
    array([0.125, 2.5  ])
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        check_number("Huber", "delta", self.delta, 0.0, open_low=True)

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        r = ops.absolute(a - targets_like(a, y))
        near = ops.minimum(r, self.delta)
        return ops.mean(near * (r - 0.5 * near), axis=output_axes(a))
