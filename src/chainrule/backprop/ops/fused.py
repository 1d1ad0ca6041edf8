"""Operations whose parts are joined because the whole is more stable or faster than its parts."""

from __future__ import annotations

import math

from chainrule.backprop.ops.activations import sigmoid
from chainrule.backprop.ops.arithmetic import maximum, sqrt
from chainrule.backprop.ops.reductions import log_softmax, softmax, sum
from chainrule.backprop.ops.shaping import expand_dims, reshape, sum_to_shape
from chainrule.backprop.tensor import primitive, shape

__all__ = [
    "batch_norm",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "stop_gradient",
]


@primitive
def softmax_cross_entropy(xp, z, t):
    """-Σᵢ tᵢ ln softmax(z)ᵢ over the last axis; the gradient of z is a - t with a = softmax(z) (lecture 003).

    z are the values before the softmax, t the targets as probabilities (rows that sum to 1; for other rows
    the gradient is a Σt - t). Shape (..., classes) gives (...).
    """
    largest = z.max(axis=-1, keepdims=True)
    log_sum = xp.log(xp.exp(z - largest).sum(axis=-1, keepdims=True))
    return (t * (log_sum + largest - z)).sum(axis=-1)


softmax_cross_entropy.gradients(
    lambda g, y, z, t: sum_to_shape(expand_dims(g, -1) * (softmax(z) * sum(t, axis=-1, keepdims=True) - t), shape(z)),
    lambda g, y, z, t: sum_to_shape(-expand_dims(g, -1) * log_softmax(z), shape(t)),
)


@primitive
def sigmoid_cross_entropy(xp, z, t):
    """-t ln σ(z) - (1 - t) ln(1 - σ(z)), elementwise; the gradient of z is a - t with a = σ(z) (lecture 003).

    Computed as max(z, 0) - z t + ln(1 + e^-|z|), which neither overflows nor takes the logarithm of 0.
    """
    return xp.maximum(z, 0) - z * t + xp.log1p(xp.exp(-xp.abs(z)))


sigmoid_cross_entropy.derivatives(lambda y, z, t: sigmoid(z) - t, lambda y, z, t: -z)


@primitive
def _batch_norm(xp, x, gamma, beta, eps, mean, variance, *weight):
    return (x - mean) * (gamma / xp.sqrt(variance + eps)) + beta


def _statistics(x, weight=None):
    """Return each value's share in the mean, the mean and the variance of each feature."""
    axes = _all_but_last(x)
    if weight is None:
        n = math.prod(shape(x)[:-1])
        share = 1.0 / max(n, 1)
        mu = sum(x, axis=axes) * share
        centred = x - mu
        return share, mu, sum(centred * centred, axis=axes) * share
    total = maximum(sum(weight), 1e-12) * math.prod(shape(x)[1:-1])  # a batch of weight 0 has mean and variance 0
    share = reshape(weight / total, (-1, *[1] * (len(shape(x)) - 1)))
    mu = sum(x * share, axis=axes)
    centred = x - mu
    return share, mu, sum(centred * centred * share, axis=axes)


def _all_but_last(x):
    return tuple(range(len(shape(x)) - 1))


# The rules compute the statistics again, so that second derivatives see how they depend on x; XLA finds them equal to
# those of the forward pass, and the sums equal to each other, and computes each once.


def _to_input(g, y, x, gamma, beta, eps, mean, variance, *weight):
    share, mu, squares = _statistics(x, *weight)
    std = sqrt(squares + eps)
    xhat = (x - mu) / std
    axes = _all_but_last(x)
    # The mean and the variance depend on x as well: their parts are the two sums that are subtracted.
    return (g - share * (sum(g, axis=axes) + xhat * sum(g * xhat, axis=axes))) * (gamma / std)


def _to_gamma(g, y, x, gamma, beta, eps, mean, variance, *weight):
    _, mu, squares = _statistics(x, *weight)
    return sum(g * ((x - mu) / sqrt(squares + eps)), axis=_all_but_last(x))


_batch_norm.gradients(_to_input, _to_gamma, lambda g, y, *_: sum(g, axis=_all_but_last(g)))


def batch_norm(x, gamma, beta, eps=1e-5, weight=None):
    """Normalize each feature (last axis) over all other axes, then scale and shift: γ x̂ + β.

    x̂ = (x - μ) / √(σ² + ε) with the mean μ and the variance σ² (divided by n) of this batch (Ioffe and Szegedy,
    2015; lectures 000, 002, 003). With the weight w of each sample, μ = Σ w x / Σ w and σ² = Σ w (x - μ)² / Σ w:
    samples of weight 0 do not enter. Returns the result, μ and σ²; no gradient flows through the last two, and
    none to the weights.
    """
    weights = () if weight is None else (stop_gradient(weight),)
    _, mu, variance = _statistics(stop_gradient(x), *weights)
    return _batch_norm(x, gamma, beta, eps, mu, variance, *weights), mu, variance


@primitive
def stop_gradient(xp, x):
    """x itself, through which no gradient flows.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x * cr.stop_gradient(x))(3.0)
    3.0
    """
    return x
