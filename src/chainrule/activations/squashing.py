"""Activations that press all of z into a bounded range: sigmoid, tanh, softmax, and the threshold units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule.activations.base import NOTHING, Activation
from chainrule.backprop import ops
from chainrule.engine.namespace import namespace
from chainrule.settings import check_number

__all__ = ["HardSigmoid", "Sigmoid", "Sign", "Softmax", "Step", "Tanh"]


@dataclass(frozen=True)
class Sigmoid(Activation):
    """a = σ(z) = 1/(1 + e^-z): a smooth threshold, read as a probability (lectures 000, 002, 003, 004).

    Derivative a(1 - a), at most ¼. Range (0, 1). For: bounded. Against: saturated neurons get no gradient,
    the outputs are always positive, and it costs an exponential. Use it for an output of independent yes/no
    answers, with binary cross-entropy; hidden layers learn faster with ReLU (lecture 003).

    Source: Rumelhart, Hinton and Williams (1986), "Learning representations by back-propagating errors".

    >>> import chainrule as cr
    >>> cr.activations.Sigmoid().derivative(0.0)
    0.25
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    saturates: ClassVar[str] = "both sides"
    source: ClassVar[str] = "Rumelhart, Hinton and Williams (1986)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.sigmoid(z)


@dataclass(frozen=True)
class Tanh(Activation):
    """a = tanh z = (e^z - e^-z)/(e^z + e^-z) = 2σ(2z) - 1 (lectures 000, 002, 003).

    Derivative 1 - a². Range (-1, 1). For: bounded and zero-centred. Against: saturated neurons get no
    gradient, and it costs an exponential.

    Source: LeCun et al. (1990), "Handwritten digit recognition with a back-propagation network".

    >>> import chainrule as cr
    >>> cr.activations.Tanh().derivative(0.0)
    1.0
    """

    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    saturates: ClassVar[str] = "both sides"
    zero_centred: ClassVar[bool] = True
    source: ClassVar[str] = "LeCun et al. (1990)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.tanh(z)


@dataclass(frozen=True)
class HardSigmoid(Activation):
    """a = min(max(0, z + 3), 6)/6: the sigmoid drawn with three straight lines.

    Derivative 1/6 for -3 < z < 3, else 0. Range [0, 1]. For: cheap. Against: outside of [-3, 3] the
    gradient is exactly 0. (Keras 2 and Courbariaux et al., 2015, use other slopes under the same name.)

    Source: Howard et al. (2019), "Searching for MobileNetV3".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.HardSigmoid()(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    saturates: ClassVar[str] = "both sides"
    source: ClassVar[str] = "Howard et al. (2019)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.hard_sigmoid(z)


@dataclass(frozen=True)
class Softmax(Activation):
    """aᵢ = e^zᵢ / Σⱼ e^zⱼ over the last axis: a probability distribution over classes (lecture 003).

    Derivative ∂aᵢ/∂zⱼ = aᵢ(δᵢⱼ - aⱼ), where δᵢⱼ is 1 for i = j and else 0 (the lecture's Qᵢ(δᵢⱼ - Qⱼ)): every
    output depends on every z, so `jacobian` has all of it and `derivative` its diagonal. Range (0, 1), sum 1.
    The output for one answer out of several, with categorical cross-entropy.

    Source: Bridle (1990), "Probabilistic interpretation of feedforward classification network outputs".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.Softmax()(np.array([0.0, 0.0, 1000.0]))
    array([0., 0., 1.])
    >>> cr.activations.Softmax().jacobian(np.array([0.0, 0.0]))
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    saturates: ClassVar[str] = "both sides"
    source: ClassVar[str] = "Bridle (1990)"
    elementwise: ClassVar[bool] = False
    distribution: ClassVar[bool] = True

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.softmax(z)

    def derivative(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        """∂aᵢ/∂zᵢ = aᵢ(1 - aᵢ), the diagonal of the `jacobian`, in the shape of z."""
        a = ops.softmax(z)
        return a * (1.0 - a)

    def jacobian(self, z: Any) -> Any:
        """∂aᵢ/∂zⱼ = aᵢ(δᵢⱼ - aⱼ): shape (..., classes) gives (..., classes, classes)."""
        a = ops.softmax(z)
        same = namespace(z).eye(a.shape[-1], dtype=a.dtype)
        return a[..., :, None] * (same - a[..., None, :])


@dataclass(frozen=True)
class Step(Activation):
    """a = 1 for z > 0, else 0: the perceptron's threshold (lectures 003, 004).

    Its true derivative is 0, so nothing would be learned ("what if it is not differentiable?", lecture 002).
    Backpropagation uses the straight-through estimate: 1 where |z| ≤ window, else 0. Values 0 and 1.

    Parameters
    ----------
    window : float
        How far from the threshold a neuron still learns; ``float("inf")`` for everywhere.

    Source: Rosenblatt (1958), "The perceptron"; Bengio, Léonard and Courville (2013), "Estimating or
    propagating gradients through stochastic neurons", for the estimate.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> step = cr.activations.Step(window=0.5)
    >>> z = np.array([-2.0, 0.25, 2.0])
    >>> step(z), step.derivative(z)
    (array([0., 1., 1.]), array([0., 1., 0.]))
    """

    window: float = 1.0

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    saturates: ClassVar[str] = "both sides"
    init: ClassVar[str] = "lecun_normal"
    source: ClassVar[str] = "Rosenblatt (1958); Bengio, Léonard and Courville (2013)"

    def __post_init__(self) -> None:
        check_number("Step", "window", self.window, 0.0, open_low=True, infinite=True)

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.step(z, self.window)


@dataclass(frozen=True)
class Sign(Activation):
    """a = 1 for z > 0, else -1: the threshold unit with outputs ±1, as in lecture 004's perceptron.

    As for `Step`, backpropagation takes the derivative as 1 where |z| ≤ window, else 0. Zero-centred.

    Parameters
    ----------
    window : float
        How far from the threshold a neuron still learns.

    Source: Courbariaux et al. (2016), "Binarized neural networks".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.Sign()(np.array([-2.0, 0.5]))
    array([-1.,  1.])
    """

    window: float = 1.0

    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    saturates: ClassVar[str] = "both sides"
    zero_centred: ClassVar[bool] = True
    init: ClassVar[str] = "lecun_normal"
    source: ClassVar[str] = "Courbariaux et al. (2016)"

    def __post_init__(self) -> None:
        check_number("Sign", "window", self.window, 0.0, open_low=True, infinite=True)

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.sign_step(z, self.window)
