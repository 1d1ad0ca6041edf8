"""The activation functions, as operations on arrays and traced values: ``cr.ops.gelu(z)``.

Each has its derivative below it. What is known about each (range, saturation, source) stands with the
settings of the same name in chainrule/activations/.
"""

from __future__ import annotations

import math

from chainrule.backprop.ops.arithmetic import erf, exp, maximum, tanh, where
from chainrule.backprop.ops.shaping import index, ones_like
from chainrule.backprop.tensor import primitive, shape
from chainrule.errors import ShapeError

__all__ = [
    "elu",
    "gelu",
    "gelu_sigmoid",
    "glu",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "linear",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "sign_step",
    "silu",
    "softplus",
    "step",
    "swish",
]

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def linear(z):
    """z."""
    return z


@primitive
def sigmoid(xp, z):
    """σ(z) = 1/(1 + e^-z), without overflow; derivative σ(1 - σ)."""
    e = xp.exp(-xp.abs(z))
    return xp.where(z >= 0, 1.0, e) / (1.0 + e)


sigmoid.derivatives(lambda y, z: y * (1.0 - y))


@primitive
def relu(xp, z):
    """max(0, z); derivative 1 for z > 0, else 0."""
    return xp.maximum(z, 0)


relu.derivatives(lambda y, z: z > 0)


@primitive
def relu6(xp, z):
    """min(max(0, z), 6); derivative 1 for 0 < z < 6, else 0."""
    return xp.clip(z, 0, 6)


relu6.derivatives(lambda y, z: (z > 0) & (z < 6))


@primitive
def leaky_relu(xp, z, slope=0.01):
    """z for z > 0, else slope·z; derivatives 1 or slope, and (for a learned slope) min(z, 0)."""
    return xp.where(z > 0, z, slope * z)


leaky_relu.derivatives(
    lambda y, z, slope=0.01: where(z > 0, ones_like(z), slope), lambda y, z, slope=0.01: where(z > 0, 0.0, z)
)

prelu = leaky_relu  # the same function; its slope is learned


@primitive
def elu(xp, z, alpha=1.0):
    """z for z > 0, else α(e^z - 1); derivatives 1 or α e^z, and e^z - 1 (of α)."""
    return xp.where(z > 0, z, alpha * xp.expm1(xp.minimum(z, 0)))


elu.derivatives(
    lambda y, z, alpha=1.0: where(z > 0, 1.0, alpha * exp(-maximum(-z, 0.0))),
    lambda y, z, alpha=1.0: where(z > 0, 0.0, exp(-maximum(-z, 0.0)) - 1.0),
)


def selu(z):
    """λ·elu(z, α) with λ = 1.0507… and α = 1.6733…, under which mean 0 and variance 1 are a fixed point."""
    return SELU_SCALE * elu(z, SELU_ALPHA)


@primitive
def softplus(xp, z):
    """ln(1 + e^z), without overflow; derivative σ(z)."""
    return xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))


softplus.derivatives(lambda y, z: sigmoid(z))


def gelu(z):
    """z·Φ(z), with Φ the normal distribution function: z/2·(1 + erf(z/√2))."""
    return 0.5 * z * (1.0 + erf(z * math.sqrt(0.5)))


def gelu_sigmoid(z):
    """z·σ(1.702 z), the quick approximation of `gelu`."""
    return z * sigmoid(1.702 * z)


def swish(z, beta=1.0):
    """z·σ(βz)."""
    return z * sigmoid(beta * z)


def silu(z):
    """z·σ(z): `swish` with β = 1."""
    return z * sigmoid(z)


def mish(z):
    """z·tanh(softplus(z))."""
    return z * tanh(softplus(z))


def hard_swish(z):
    """z·relu6(z + 3)/6."""
    return z * relu6(z + 3.0) / 6.0


def hard_sigmoid(z):
    """relu6(z + 3)/6."""
    return relu6(z + 3.0) / 6.0


def glu(z):
    """a·σ(b), where a and b are the halves of the last axis, which the result has half as long."""
    half, odd = divmod(shape(z)[-1], 2)
    if odd:
        raise ShapeError(f"GLU halves the last axis, so its length must be even; got shape {shape(z)}.")
    return index(z, (..., slice(None, half))) * sigmoid(index(z, (..., slice(half, None))))


@primitive
def step(xp, z, window=1.0):
    """1 for z > 0, else 0 (lecture 003's threshold neuron); NaN for NaN.

    Its derivative is 0 everywhere. So that a network with step units can learn, the straight-through estimator
    (Bengio et al., 2013) is used: the derivative is taken as 1 where |z| ≤ window, else 0.
    """
    return xp.where(xp.isnan(z), xp.nan, z > 0).astype(getattr(z, "dtype", float))


step.derivatives(lambda y, z, window=1.0: (z <= window) & (z >= -window))


@primitive
def sign_step(xp, z, window=1.0):
    """1 for z > 0, else -1; its surrogate derivative is that of `step`."""
    return xp.where(xp.isnan(z), xp.nan, xp.where(z > 0, 1.0, -1.0)).astype(getattr(z, "dtype", float))


sign_step.derivatives(lambda y, z, window=1.0: (z <= window) & (z >= -window))
