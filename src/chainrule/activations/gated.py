"""Activations that multiply z by a gate between 0 and 1: GELU, Swish and their relatives, and GLU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.activations.base import NOTHING, Activation
from chainrule.backprop import ops
from chainrule.engine.namespace import namespace
from chainrule.settings import check_number

__all__ = ["GELU", "GLU", "GELUSigmoid", "HardSwish", "Mish", "SiLU", "Swish"]


@dataclass(frozen=True)
class GELU(Activation, name="gelu"):
    """a = z·Φ(z) = z/2·(1 + erf(z/√2)), Φ the normal distribution function (lecture 003).

    Derivative Φ(z) + z φ(z), with φ the normal density. Range [-0.17, ∞). For: a smoother ReLU, less
    saturated, the usual choice in Transformers. Against: not zero-centred, and erf is costly (see
    `GELUSigmoid`).

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """

    range: ClassVar[tuple[float, float]] = (-0.16997120747990369, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Hendrycks and Gimpel (2016)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.gelu(z)


@dataclass(frozen=True)
class GELUSigmoid(Activation, name="gelu_sigmoid"):
    """a = z·σ(1.702 z): the quick approximation of `GELU` (lecture 003).

    Derivative s + 1.702 z s(1 - s) with s = σ(1.702 z). Range [-0.164, ∞). At most 0.021 away from `GELU`.

    Source: Hendrycks and Gimpel (2016), "Gaussian error linear units".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.GELUSigmoid()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1542,  0.    ,  0.8458])
    """

    range: ClassVar[tuple[float, float]] = (-0.1636101896363536, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Hendrycks and Gimpel (2016)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.gelu_sigmoid(z)


@dataclass(frozen=True)
class SiLU(Activation, name="silu"):
    """a = z·σ(z): the sigmoid linear unit, `Swish` with β = 1 (lecture 003).

    Derivative s + z s(1 - s) with s = σ(z). Range [-0.278, ∞). For: smooth, more zero-centred than ReLU, less
    saturated. Against: costs an exponential.

    Source: Elfwing, Uchibe and Doya (2017), "Sigmoid-weighted linear units".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.SiLU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """

    range: ClassVar[tuple[float, float]] = (-0.2784645427610738, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Elfwing, Uchibe and Doya (2017)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.silu(z)


@dataclass(frozen=True)
class Swish(Activation):
    """a = z·σ(βz), where each unit learns its β (lecture 003).

    Derivative s + βz s(1 - s) with s = σ(βz); that of β is z² s(1 - s). Range [-0.278/β, ∞). β → 0 gives
    z/2, large β gives ReLU. Fixed to 1 it is `SiLU`.

    Parameters
    ----------
    start : float
        β before training.

    Source: Ramachandran, Zoph and Le (2017), "Searching for activation functions".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.Swish()(np.array([1.0, 1.0]), {"beta": np.array([1.0, 100.0])}).round(4)
    array([0.7311, 1.    ])
    """

    start: float = 1.0

    range: ClassVar[tuple[float, float]] = (-0.2784645427610738, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Ramachandran, Zoph and Le (2017)"

    def __post_init__(self) -> None:
        check_number("Swish", "start", self.start, 0.0)

    def parameters(self, units: int) -> dict[str, np.ndarray]:
        """``{"beta": ...}``, one number per unit."""
        return {"beta": namespace(self.start).full(units, self.start)}

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.swish(z, params.get("beta", self.start))


@dataclass(frozen=True)
class Mish(Activation):
    """a = z·tanh(ln(1 + e^z)) (lecture 003's table).

    Derivative t + z(1 - t²)σ(z) with t = tanh(softplus(z)). Range [-0.309, ∞). For: smooth, less saturated.
    Against: the most costly of its kind.

    Source: Misra (2019), "Mish: a self regularized non-monotonic activation function".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.Mish()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.3034,  0.    ,  0.8651])
    """

    range: ClassVar[tuple[float, float]] = (-0.30884341301725043, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Misra (2019)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.mish(z)


@dataclass(frozen=True)
class HardSwish(Activation, name="hard_swish"):
    """a = z·min(max(0, z + 3), 6)/6: `SiLU` with the `HardSigmoid` as its gate (lecture 003's table).

    Derivative 0 for z < -3, 1 for z > 3, between them (2z + 3)/6. Range [-0.375, ∞). For: cheap. Against:
    exactly no gradient for z < -3.

    Source: Howard et al. (2019), "Searching for MobileNetV3".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.HardSwish()(np.array([-4.0, -1.5, 4.0]))
    array([-0.   , -0.375,  4.   ])
    """

    range: ClassVar[tuple[float, float]] = (-0.375, np.inf)
    saturates: ClassVar[str] = "left"
    init: ClassVar[str] = "he_normal"
    source: ClassVar[str] = "Howard et al. (2019)"

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.hard_swish(z)


@dataclass(frozen=True)
class GLU(Activation, name="glu"):
    """a = u·σ(v), where u and v are the halves of the last axis: the gated linear unit (lecture 003's table).

    Derivatives σ(v) of u and u σ(v)(1 - σ(v)) of v. Range (-∞, ∞), zero-centred. A layer of n units
    computes 2n values z for it. For: the gradient of u is not squashed. Against: twice the weights.

    Source: Dauphin et al. (2016), "Language modeling with gated convolutional networks".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.activations.GLU()(np.array([[3.0, 4.0, 0.0, 100.0]]))
    array([[1.5, 4. ]])
    """

    zero_centred: ClassVar[bool] = True
    source: ClassVar[str] = "Dauphin et al. (2016)"
    pieces: ClassVar[int] = 2

    def __call__(self, z: Any, params: Mapping[str, Any] = NOTHING) -> Any:
        return ops.glu(z)
