"""Activations that let positive z through as it is: ReLU and the functions that mend its left half."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.activations.base import NOTHING, Activation
from chainrule.backprop import ops
from chainrule.backprop.ops.activations import SELU_ALPHA, SELU_SCALE
from chainrule.engine.namespace import namespace
from chainrule.settings import check_number

__all__ = ["ELU", "SELU", "LeakyReLU", "PReLU", "ReLU", "ReLU6", "Softplus"]


@dataclass(frozen=True)
class ReLU(Activation, name="relu"):
    """a = max(0, z): the rectified linear unit, the first choice for hidden layers (lectures 000, 002, 003).

    Derivative 1 for z > 0, else 0 (also at 0). Range [0, ∞). For: no saturation for z > 0, very cheap, fast
    convergence. Against: a neuron with z < 0 on all data is dead (no gradient), and it is not zero-centred.

    Source: Nair and Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    range: ClassVar[tuple[float, float]] = (0.0, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Nair and Hinton (2010)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.relu(z)


@dataclass(frozen=True)
class LeakyReLU(Activation, name="leaky_relu"):
    """a = z for z > 0, else slope·z: ReLU without dead neurons (lectures 002, 003).

    Derivative 1 for z > 0, else slope. Range (-∞, ∞). For: does not saturate, more zero-centred than ReLU,
    very cheap. Against: one more number to choose (`PReLU` learns it).

    Source: Maas, Hannun and Ng (2013), "Rectifier nonlinearities improve neural network acoustic models".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    slope: float = 0.01

    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Maas, Hannun and Ng (2013)"

    def __post_init__(self) -> None:
        check_number("LeakyReLU", "slope", self.slope, 0.0)

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.leaky_relu(z, self.slope)


@dataclass(frozen=True)
class PReLU(Activation, name="prelu"):
    """a = z for z > 0, else slope·z, where each unit learns its slope (lecture 003).

    Derivative 1 for z > 0, else slope; that of the slope is min(z, 0). Range (-∞, ∞). For: does not
    saturate, and nobody has to choose the slope. Against: more parameters.

    Parameters
    ----------
    start : float
        The slope before training.

    Source: He et al. (2015), "Delving deep into rectifiers".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> prelu = cr.activations.PReLU()
    >>> prelu(np.array([-1.0, -1.0, 2.0]), {"slope": np.array([0.25, 0.5, 0.5])})
    array([-0.25, -0.5 ,  2.  ])
    """

    start: float = 0.25

    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "He et al. (2015)"

    def __post_init__(self) -> None:
        check_number("PReLU", "start", self.start, 0.0)

    def parameters(self, units: int) -> dict[str, np.ndarray]:
        """``{"slope": ...}``, one number per unit."""
        return {"slope": namespace(self.start).full(units, self.start)}

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.prelu(z, params.get("slope", self.start))


@dataclass(frozen=True)
class ELU(Activation, name="elu"):
    """a = z for z > 0, else α(e^z - 1): the exponential linear unit (lectures 002, 003).

    Derivative 1 for z > 0, else α e^z = a + α. Range (-α, ∞), which is (-1, ∞) by default. For: more
    zero-centred, less saturated than ReLU. Against: costs an exponential; saturates for very negative z.

    Source: Clevert, Unterthiner and Hochreiter (2015), "Fast and accurate deep network learning by
    exponential linear units".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.ELU()(np.array([-1.0, 2.0])).round(3)
    array([-0.632,  2.   ])
    """

    alpha: float = 1.0

    range: ClassVar[tuple[float, float]] = (-1.0, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Clevert, Unterthiner and Hochreiter (2015)"

    def __post_init__(self) -> None:
        check_number("ELU", "alpha", self.alpha, 0.0)

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.elu(z, self.alpha)


@dataclass(frozen=True)
class SELU(Activation, name="selu"):
    """a = λ·elu(z, α) with λ = 1.0507… and α = 1.6733…: layers keep mean 0 and variance 1 by themselves.

    Derivative λ for z > 0, else λα e^z. Range (-λα, ∞), about (-1.758, ∞). Zero-centred. For: trains deep
    plain networks without normalization. Against: only with weights from N(0, 1/n_in) (`lecun_normal`) and
    data of mean 0 and variance 1; ordinary dropout breaks it.

    Source: Klambauer et al. (2017), "Self-normalizing neural networks".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.SELU()(np.array([-1.0, 2.0])).round(3)
    array([-1.111,  2.101])
    """

    range: ClassVar[tuple[float, float]] = (-SELU_SCALE * SELU_ALPHA, np.inf)
    saturates: ClassVar[str] = "left"
    zero_centred: ClassVar[bool] = True
    init: ClassVar[str] = "lecun_normal"
    source: ClassVar[str] = "Klambauer et al. (2017)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.selu(z)


@dataclass(frozen=True)
class ReLU6(Activation, name="relu6"):
    """a = min(max(0, z), 6): ReLU with a ceiling, for arithmetic with few bits (lecture 003's table).

    Derivative 1 for 0 < z < 6, else 0. Range [0, 6]. For: bounded and cheap. Against: no gradient outside
    of (0, 6), not zero-centred.

    Source: Krizhevsky (2010), "Convolutional deep belief networks on CIFAR-10"; Howard et al. (2017),
    "MobileNets".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.ReLU6()(np.array([-1.0, 2.0, 9.0]))
    array([0., 2., 6.])
    """

    range: ClassVar[tuple[float, float]] = (0.0, 6.0)
    saturates: ClassVar[str] = "both sides"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Krizhevsky (2010)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.relu6(z)


@dataclass(frozen=True)
class Softplus(Activation):
    """a = ln(1 + e^z): a smooth ReLU, computed without overflow (lecture 003's table).

    Derivative σ(z). Range (0, ∞). For: smooth, and always positive (a rate, a variance). Against: costs an
    exponential and a logarithm, not zero-centred, saturates on the left.

    Source: Dugas et al. (2001), "Incorporating second-order functional knowledge for better option pricing".

    >>> import chainrule as cr
    >>> softplus = cr.activations.Softplus()
    >>> round(float(softplus(0.0)), 4), float(softplus(1000.0))
    (0.6931, 1000.0)
    """

    range: ClassVar[tuple[float, float]] = (0.0, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Dugas et al. (2001)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.softplus(z)
