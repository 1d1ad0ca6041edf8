"""Operations whose parts are joined because the whole is more stable or faster than its parts."""

from __future__ import annotations

from chainrule.backprop.ops.activations import sigmoid
from chainrule.backprop.ops.arithmetic import sqrt
from chainrule.backprop.ops.reductions import log_softmax, mean, softmax, sum, var
from chainrule.backprop.ops.shaping import expand_dims, sum_to_shape
from chainrule.backprop.tensor import primitive, shape


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
def _batch_norm(xp, x, gamma, beta, eps, mean, variance):
    return (x - mean) * (gamma / xp.sqrt(variance + eps)) + beta


def _to_input(g, y, x, gamma, beta, eps, *_):
    axes = tuple(range(len(shape(x)) - 1))
    deviation = sqrt(var(x, axis=axes) + eps)
    xhat = (x - mean(x, axis=axes)) / deviation
    # The mean and the variance depend on x as well: their parts are the two means that are subtracted.
    centred = g - mean(g, axis=axes) - xhat * mean(g * xhat, axis=axes)
    return centred * (gamma / deviation)


def _to_gamma(g, y, x, gamma, beta, eps, *_):
    axes = tuple(range(len(shape(x)) - 1))
    return sum(g * (x - mean(x, axis=axes)) / sqrt(var(x, axis=axes) + eps), axis=axes)


_batch_norm.gradients(_to_input, _to_gamma, lambda g, y, *_: sum(g, axis=tuple(range(len(shape(g)) - 1))))


def batch_norm(x, gamma, beta, eps=1e-5):
    """Normalize each feature (last axis) over all other axes, then scale and shift: γ x̂ + β.

    x̂ = (x - μ) / √(σ² + ε) with the mean μ and the variance σ² (divided by n) of this batch (Ioffe and Szegedy,
    2015; lectures 000, 002, 003). Returns the result, μ and σ²; no gradient flows through the last two.
    """
    axes = tuple(range(len(shape(x)) - 1))
    plain = stop_gradient(x)
    mu, variance = mean(plain, axis=axes), var(plain, axis=axes)
    return _batch_norm(x, gamma, beta, eps, mu, variance), mu, variance


@primitive
def stop_gradient(xp, x):
    """x itself, through which no gradient flows.

    >>> import chainrule as cr
    >>> cr.grad(lambda x: x * cr.stop_gradient(x))(3.0)
    3.0
    """
    return x


__all__ = ["batch_norm", "sigmoid_cross_entropy", "softmax_cross_entropy", "stop_gradient"]
