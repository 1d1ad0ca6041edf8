"""Losses for classes and yes/no answers: how improbable the network finds the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule.backprop import ops
from chainrule.backprop.tensor import shape
from chainrule.losses.base import Loss, array, output_axes, smallest, targets_like
from chainrule.settings import check_number

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "Hinge"]


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """C = -Σ [y ln a + (1 - y) ln(1 - a)], summed over the outputs of a sample (lectures 000, 003, 004).

    Each output is the probability of a yes; y is 0 or 1 (or between). With a sigmoid output δ = a - y: it
    does not depend on σ', so a saturated neuron that is wrong learns fast (lecture 003). `from_logits`
    computes that pair as max(z, 0) - zy + ln(1 + e^-|z|), without overflow.

    From the outputs alone, a and 1 - a are kept above the smallest normal number of their data type (1.2e-38
    for float32), so the cost is finite for a = 0 and 1; the gradient there is 0.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> loss = cr.losses.BinaryCrossEntropy()
    >>> loss(np.array([[0.5, 1.0]]), np.array([[1, 1]])).round(4)
    array([0.6931])
    >>> loss.from_logits(np.array([[-1000.0]]), np.array([[1]]))
    array([1000.])
    """

    pair: ClassVar[str | None] = "sigmoid"
    outputs: ClassVar[str] = "probabilities"

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        t, least = targets_like(a, y), smallest(a)
        yes, no = -ops.log(ops.clip(a, least, None)), -ops.log(ops.clip(1.0 - a, least, None))
        return ops.sum(t * yes + (1.0 - t) * no, axis=output_axes(a))

    def from_logits(self, z: Any, y: Any) -> Any:
        z = array(z)
        return ops.sum(ops.sigmoid_cross_entropy(z, targets_like(z, y)), axis=output_axes(z))


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """C = -Σ y ln a: categorical cross-entropy over the classes in the last axis (lectures 003, 004).

    y is a distribution (one-hot) or integer labels. With a softmax output δ = a - y. `from_logits` computes
    that pair from ln Σ e^z, without overflow. For outputs with more axes, (batch, …, classes), y is of the same
    shape or has labels (batch, …), and the costs of a sample (of its pixels, say) are summed. That is for a training
    loop of your own: `fit`, `Model.backprop` and `Model.evaluate` take one label, or one row, for each sample.

    From the outputs alone, a is kept above the smallest normal number of its data type (1.2e-38 for
    float32), so the cost is finite for a = 0; the gradient there is 0.

    Parameters
    ----------
    label_smoothing : float
        s in [0, 1]: the targets become (1 - s) y + s/k, so that the network is not driven to certainty
        (Szegedy et al., 2015, "Rethinking the Inception architecture").

    >>> import numpy as np
    >>> import chainrule as cr
    >>> loss = cr.losses.CrossEntropy()
    >>> loss(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([1, 0])).round(4)
    array([0.2877, 0.    ])
    >>> loss.from_logits(np.array([[0.0, 1000.0]]), np.array([0]))
    array([1000.])
    """

    label_smoothing: float = 0.0

    pair: ClassVar[str | None] = "softmax"
    outputs: ClassVar[str] = "distribution"

    def __post_init__(self) -> None:
        check_number("CrossEntropy", "label_smoothing", self.label_smoothing, 0.0, 1.0)

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        surprise = -ops.log(ops.clip(a, smallest(a), None))
        return ops.sum(self._targets(a, y) * surprise, axis=output_axes(a))

    def from_logits(self, z: Any, y: Any) -> Any:
        z = array(z)
        costs = ops.softmax_cross_entropy(z, self._targets(z, y))
        return ops.sum(costs, axis=output_axes(costs)) if len(shape(costs)) > 1 else costs

    def _targets(self, a: Any, y: Any) -> Any:
        t = targets_like(a, y)
        s = self.label_smoothing
        if isinstance(s, int | float) and s == 0.0:
            return t
        return ops.astype((1.0 - s) * t + s / shape(a)[-1], a.dtype)


@dataclass(frozen=True)
class Hinge(Loss):
    """C = Σ max(0, 1 - y a), summed over the outputs of a sample; y is ±1 (0 counts as -1).

    Outputs on the right side with a margin of 1 cost nothing. Integer labels for several outputs ask each
    class for itself: 1 for the label, -1 for the others. The output is linear or tanh.

    Source: Cortes and Vapnik (1995), "Support-vector networks".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.Hinge()(np.array([[0.5], [0.5], [2.0]]), np.array([1, -1, 1]))
    array([0.5, 1.5, 0. ])
    """

    outputs: ClassVar[str] = "signs"

    def __call__(self, a: Any, y: Any) -> Any:
        a = array(a)
        positive = targets_like(a, y) > 0
        return ops.sum(ops.relu(1.0 - ops.where(positive, a, -a)), axis=output_axes(a))
