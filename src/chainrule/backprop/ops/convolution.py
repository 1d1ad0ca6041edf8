"""Convolution and pooling over images of shape (batch, height, width, channels)."""

from __future__ import annotations

import functools
import math

import numpy as np

from chainrule.backprop.ops.arithmetic import equal, where
from chainrule.backprop.ops.reductions import mean, sum
from chainrule.backprop.ops.shaping import pad
from chainrule.backprop.tensor import primitive, shape
from chainrule.engine import convolution as geometry
from chainrule.engine import lowering
from chainrule.errors import ShapeError

__all__ = [
    "avg_pool2d",
    "conv2d",
    "max_pool2d",
]

# A convolution is linear in the image and in the kernels, so its three directions are each other's derivatives.


@primitive
def _conv2d(xp, x, w, *, stride, dilation, padding):
    return lowering.convolve(xp, x, w, stride, dilation, padding)


@primitive
def _conv2d_to_input(xp, g, w, *, image, stride, dilation, padding):
    return lowering.input_gradient(xp, g, w, image, stride, dilation, padding)


@primitive
def _conv2d_to_weight(xp, x, g, *, size, stride, dilation, padding):
    return lowering.weight_gradient(xp, x, g, size, stride, dilation, padding)


_conv2d.gradients(
    lambda g, y, x, w, **s: _conv2d_to_input(g, w, image=shape(x)[1:3], **s),
    lambda g, y, x, w, **s: _conv2d_to_weight(x, g, size=shape(w)[:2], **s),
)
_conv2d_to_input.gradients(
    lambda u, y, g, w, *, image, **s: _conv2d(u, w, **s),
    lambda u, y, g, w, *, image, **s: _conv2d_to_weight(u, g, size=shape(w)[:2], **s),
)
_conv2d_to_weight.gradients(
    lambda u, y, x, g, *, size, **s: _conv2d_to_input(g, u, image=shape(x)[1:3], **s),
    lambda u, y, x, g, *, size, **s: _conv2d(x, u, **s),
)


def conv2d(x, w, stride=1, padding="same", dilation=1):
    """Slide kernels over images: y[n,i,j,f] = Σ_{a,b,c} x[n, i·s + a·d, j·s + b·d, c] · w[a,b,c,f].

    (A cross-correlation: like every framework, the kernel is not flipped.)

    Parameters
    ----------
    x : images (batch, height, width, channels)
    w : kernels (kh, kw, channels, filters)
    stride, dilation : a number, or one for each of height and width
    padding : "same" (⌈length/stride⌉ results), "valid" (no border), a number, or ((top, bottom), (left, right))
    """
    if len(shape(x)) != 4 or len(shape(w)) != 4 or shape(x)[3] != shape(w)[2]:
        raise ShapeError(
            "conv2d takes images (batch, height, width, channels) and kernels (kh, kw, channels, filters) with "
            f"the same number of channels; got {shape(x)} and {shape(w)}."
        )
    stride, dilation, size = pair(stride), pair(dilation), shape(w)[:2]
    padding = geometry.resolve_padding(padding, shape(x)[1:3], size, stride, dilation)
    check_fits("conv2d", shape(x), size, dilation, padding)
    return _conv2d(x, w, stride=stride, dilation=dilation, padding=padding)


@primitive
def _windows(xp, x, *, size, stride, dilation):
    return geometry.windows(xp, x, size, stride, dilation, ((0, 0), (0, 0)))


@primitive
def _fold(xp, patches, *, image, stride, dilation):
    return geometry.fold(xp, patches, image, stride, dilation, ((0, 0), (0, 0)))


_windows.gradients(
    lambda g, y, x, *, size, **s: _fold(g, image=shape(x)[1:3], **s),
)
_fold.gradients(
    lambda g, y, patches, *, image, **s: _windows(g, size=shape(patches)[3:5], **s),
)


@primitive
def _max_pool2d(xp, x, *, size, stride):
    patches = geometry.windows(xp, x, size, stride, (1, 1), ((0, 0), (0, 0)))
    return functools.reduce(xp.maximum, _each_place(patches, size))


@primitive
def _winner(xp, x, *, size, stride):
    """The number of the place under each window that has the largest value, the first of equal ones.

    Told place by place and not by which value equals the result: a compiled program may compute x anew, with another
    rounding, and where none is equal the gradient would be lost.
    """
    best, *others = _each_place(geometry.windows(xp, x, size, stride, (1, 1), ((0, 0), (0, 0))), size)
    at = xp.zeros(best.shape, np.int32)
    for number, value in enumerate(others, 1):
        at = xp.where(value > best, number, at)
        best = xp.maximum(best, value)
    return at


def _to_largest(g, y, x, *, size, stride):
    places = np.arange(math.prod(size), dtype=np.int32).reshape(*size, 1)
    chosen = equal(_winner(x, size=size, stride=stride)[:, :, :, None, None, :], places)
    spread = where(chosen, g[:, :, :, None, None, :], 0.0)
    return _fold(spread, image=shape(x)[1:3], stride=stride, dilation=(1, 1))


_max_pool2d.gradients(_to_largest)


def _each_place(patches, size):
    """Return the values at each place of the windows: a few whole-array operations, where a reduction would be slow."""
    return [patches[:, :, :, i, j] for i in range(size[0]) for j in range(size[1])]


def max_pool2d(x, size=2, stride=None, padding="same"):
    """Return the largest value under each window; of equal ones the first takes the gradient. The border never wins."""
    size, stride, border = _pooling("max_pool2d", x, size, stride, padding)
    if border != ((0, 0), (0, 0)):
        x = pad(x, ((0, 0), *border, (0, 0)), constant_values=-np.inf)
    return _max_pool2d(x, size=size, stride=stride)


def avg_pool2d(x, size=2, stride=None, padding="same"):
    """Return the mean value under each window; the border does not count."""
    size, stride, border = _pooling("avg_pool2d", x, size, stride, padding)
    if border == ((0, 0), (0, 0)):
        return mean(_windows(x, size=size, stride=stride, dilation=(1, 1)), axis=(3, 4))
    image = np.ones((1, *shape(x)[1:3], 1))
    counts = geometry.windows(np, image, size, stride, (1, 1), border).sum(axis=(3, 4))
    x = pad(x, ((0, 0), *border, (0, 0)))
    total = sum(_windows(x, size=size, stride=stride, dilation=(1, 1)), axis=(3, 4))
    return total * (1.0 / counts).astype(x.dtype)


def pair(value):
    """Return a number for both height and width, or one for each."""
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)


def check_fits(name, x_shape, size, dilation, padding):
    """Raise `ShapeError` if the window is larger than the image with its border."""
    for axis, (length, k, d, border) in enumerate(zip(x_shape[1:3], size, dilation, padding, strict=True)):
        if (k - 1) * d + 1 > length + border[0] + border[1]:
            raise ShapeError(
                f"{name}: a window of {k} (dilation {d}) does not fit into the image's "
                f"{('height', 'width')[axis]} of {length} (an image here has shape {tuple(x_shape[1:])}). "
                'Use a smaller window or padding="same".'
            )


def _pooling(name, x, size, stride, padding):
    if len(shape(x)) != 4:
        raise ShapeError(f"{name} takes images (batch, height, width, channels), got shape {shape(x)}.")
    size = pair(size)
    stride = pair(size if stride is None else stride)
    border = geometry.resolve_padding(padding, shape(x)[1:3], size, stride, (1, 1))
    check_fits(name, shape(x), size, (1, 1), border)
    for k, sides in zip(size, border, strict=True):
        if sides[0] >= k or sides[1] >= k:
            raise ShapeError(
                f"{name}: a window of {size} would lie on the border alone, which is {border}; the border must be "
                "smaller than the window."
            )
    return size, stride, border
