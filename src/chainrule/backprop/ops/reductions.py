"""Sums, means, extremes and variance over axes. ``axis`` is None (all), a number or a tuple."""

from __future__ import annotations

import functools
import math

from chainrule.backprop.ops.arithmetic import equal, exp, logical_or, sqrt
from chainrule.backprop.ops.shaping import (
    astype,
    broadcast_to,
    expand_dims,
    flip,
    moveaxis,
    ones_like,
    reshape,
    stack,
)
from chainrule.backprop.tensor import primitive, shape
from chainrule.errors import GradientError

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "cumsum",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "prod",
    "softmax",
    "std",
    "sum",
    "var",
]


def axes_of(axis, ndim):
    """Return the axes that ``axis`` names, as a tuple of non-negative numbers."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple | list) else (axis,)))


def count(x, axis):
    """Return how many values of x one result of a reduction is made from."""
    return math.prod(shape(x)[a] for a in axes_of(axis, len(shape(x))))


def spread(g, x, axis, keepdims):
    """Give a reduced array the axes of x back, so that it broadcasts against x."""
    if keepdims or axis is None:
        return g
    return expand_dims(g, axes_of(axis, len(shape(x))))


@primitive
def sum(xp, x, axis=None, *, keepdims=False):
    """Σ x; the gradient goes to every term."""
    return xp.asarray(x).sum(axis=axis, keepdims=keepdims)  # the method is faster than np.sum


sum.gradients(lambda g, y, x, axis=None, *, keepdims=False: broadcast_to(spread(g, x, axis, keepdims), shape(x)))


@primitive
def mean(xp, x, axis=None, *, keepdims=False):
    """Σ x / n; every term receives 1/n of the gradient."""
    return xp.asarray(x).mean(axis=axis, keepdims=keepdims)


mean.gradients(
    lambda g, y, x, axis=None, *, keepdims=False: broadcast_to(
        spread(g, x, axis, keepdims) / max_int(count(x, axis), 1), shape(x)
    )
)


def max_int(a, b):
    """Return the larger of two plain integers (`max` is the reduction here)."""
    return a if a > b else b


@primitive
def max(xp, x, axis=None, *, keepdims=False):
    """The largest value; equal largest values share the gradient."""
    return xp.asarray(x).max(axis=axis, keepdims=keepdims)


@primitive
def min(xp, x, axis=None, *, keepdims=False):
    """The smallest value; equal smallest values share the gradient."""
    return xp.asarray(x).min(axis=axis, keepdims=keepdims)


@primitive
def _first(xp, x, *, axis, position):
    """Whether a value is where argmax or argmin stands: true for exactly one value along the axes."""
    axes = axes_of(axis, x.ndim)
    last = range(-len(axes), 0)
    moved = xp.moveaxis(x, axes, last)
    rows = moved.reshape(*moved.shape[: x.ndim - len(axes)], math.prod(x.shape[a] for a in axes))
    chosen = getattr(xp, position)(rows, axis=-1)[..., None] == xp.arange(rows.shape[-1])
    return xp.moveaxis(chosen.reshape(moved.shape), last, axes)


def _to_extremes(position, g, y, x, axis=None, *, keepdims=False):
    # A compiled program may compute x anew, with another rounding, and then no value equals y: the first one has it.
    chosen = logical_or(equal(x, spread(y, x, axis, keepdims)), _first(x, axis=axis, position=position))
    return spread(g, x, axis, keepdims) * chosen / sum(astype(chosen, y.dtype), axis=axis, keepdims=True)


max.gradients(functools.partial(_to_extremes, "argmax"))
min.gradients(functools.partial(_to_extremes, "argmin"))


@primitive
def var(xp, x, axis=None, *, ddof=0, keepdims=False):
    """The variance Σ (x - x̄)² / (n - ddof); derivative 2 (x - x̄) / (n - ddof)."""
    return xp.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


var.gradients(
    lambda g, y, x, axis=None, *, ddof=0, keepdims=False: (
        spread(g, x, axis, keepdims)
        * (2.0 / max_int(count(x, axis) - ddof, 1))
        * (x - mean(x, axis=axis, keepdims=True))
    )
)


def std(x, axis=None, *, ddof=0, keepdims=False):
    """Return the standard deviation, √var."""
    return sqrt(var(x, axis=axis, ddof=ddof, keepdims=keepdims))


@primitive
def prod(xp, x, axis=None, *, keepdims=False):
    """Π x; the derivative is the product of the other factors (computed without dividing by x)."""
    return xp.prod(x, axis=axis, keepdims=keepdims)


def _to_factors(g, y, x, axis=None, *, keepdims=False):
    axes = axes_of(axis, len(shape(x)))
    remaining = [a for a in range(len(shape(x))) if a not in axes]
    front = [shape(x)[a] for a in remaining]
    # The reduced axes become one last axis; `others[i]` is the product of all factors but the i-th.
    flat = reshape(moveaxis(x, axes, tuple(range(-len(axes), 0))), (*front, count(x, axis)))
    n = shape(flat)[-1]
    before = cumprod_exclusive(flat)
    after = flip(cumprod_exclusive(flip(flat, -1)), -1)
    others = reshape(before * after if n else flat, (*front, *(shape(x)[a] for a in axes)))
    others = moveaxis(others, tuple(range(-len(axes), 0)), axes)
    return spread(g, x, axis, keepdims) * others


prod.gradients(_to_factors)


def cumprod_exclusive(x):
    """Along the last axis: the product of all values before each."""
    if not shape(x)[-1]:
        return x
    results = [ones_like(x[..., 0])]
    for i in range(shape(x)[-1] - 1):
        results.append(results[-1] * x[..., i])
    return stack(results, axis=-1)


@primitive
def cumsum(xp, x, axis=None):
    """Running sums along an axis; a term receives the gradients of all sums it is part of."""
    return xp.cumsum(x, axis=axis)


cumsum.gradients(
    lambda g, y, x, axis=None: (
        reshape(flip(cumsum(flip(g, 0), axis=0), 0), shape(x))
        if axis is None
        else flip(cumsum(flip(g, axis), axis=axis), axis)
    )
)


@primitive
def logsumexp(xp, x, axis=None, *, keepdims=False):
    """ln Σ e^x without overflow; its derivative is the softmax."""
    largest = xp.max(x, axis=axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    y = xp.log(xp.sum(xp.exp(x - largest), axis=axis, keepdims=True)) + largest
    return y if keepdims else xp.squeeze(y, axis=axis)


logsumexp.gradients(
    lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims) * exp(x - spread(y, x, axis, keepdims))
)


@primitive
def softmax(xp, x, axis=-1):
    """e^xᵢ / Σⱼ e^xⱼ; derivative yᵢ (δᵢⱼ - yⱼ) (lecture 003)."""
    e = xp.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


softmax.gradients(lambda g, y, x, axis=-1: y * (g - sum(g * y, axis=axis, keepdims=True)))


def log_softmax(x, axis=-1):
    """ln softmax(x) = x - ln Σ e^x, without overflow."""
    return x - logsumexp(x, axis=axis, keepdims=True)


def norm(x, ord=None, axis=None, keepdims=False):
    """Return the Euclidean length √Σx² over axes (all by default)."""
    if ord is not None and not (ord == 2 and isinstance(axis, int)):
        raise GradientError(f"norm is the Euclidean length √Σx² here; got ord={ord!r}.")
    return sqrt(sum(x * x, axis=axis, keepdims=keepdims))


@primitive
def argmax(xp, x, axis=None, *, keepdims=False):
    """The position of the largest value; no gradient."""
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@primitive
def argmin(xp, x, axis=None, *, keepdims=False):
    """The position of the smallest value; no gradient."""
    return xp.argmin(x, axis=axis, keepdims=keepdims)


@primitive
def any(xp, x, axis=None, *, keepdims=False):
    """Whether any value holds; no gradient."""
    return xp.any(x, axis=axis, keepdims=keepdims)


@primitive
def all(xp, x, axis=None, *, keepdims=False):
    """Whether all values hold; no gradient."""
    return xp.all(x, axis=axis, keepdims=keepdims)
