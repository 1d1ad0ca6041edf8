"""Sliding windows and their adjoint, and the convolution made from them (see `lowering` for faster ones on JAX).

`windows` lays the patches that a sliding window sees beside each other; `fold` adds patches back to where they
were taken from. Both are linear and each is the other's transpose, so all three directions of a convolution
and the gradients of both poolings can be made from them.

Shapes: images (batch, height, width, channels); windows (batch, rows, columns, kh, kw, channels).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

Array = Any
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def positions(length: int, size: int, stride: int, dilation: int) -> int:
    """Return how many places a window has along one (padded) axis."""
    return max(0, (length - (size - 1) * dilation - 1) // stride + 1)


def resolve_padding(padding: Any, image: Pair, size: Pair, stride: Pair, dilation: Pair) -> Padding:
    """Return the border ((top, bottom), (left, right)) for "same", "valid", a number, or the pairs themselves.

    "same" gives ⌈length / stride⌉ positions; an odd border has its larger part at the end (as in TensorFlow).
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        pairs = []
        for length, k, s, d in zip(image, size, stride, dilation, strict=True):
            total = max(0, (-(-length // s) - 1) * s + (k - 1) * d + 1 - length)
            pairs.append((total // 2, total - total // 2))
        return pairs[0], pairs[1]
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    (top, bottom), (left, right) = padding
    return (int(top), int(bottom)), (int(left), int(right))


def windows(xp: ModuleType, x: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    """Return the patches under a sliding window: (n, h, w, c) to (n, rows, columns, kh, kw, c)."""
    if padding != ((0, 0), (0, 0)):
        x = xp.pad(x, ((0, 0), *padding, (0, 0)))
    (kh, kw), (sh, sw), (dh, dw) = size, stride, dilation
    rows, columns = positions(x.shape[1], kh, sh, dh), positions(x.shape[2], kw, sw, dw)
    if size == stride and dilation == (1, 1):  # side by side (pooling): a reshape moves nothing
        n, _, _, c = x.shape
        return x[:, : rows * kh, : columns * kw].reshape(n, rows, kh, columns, kw, c).swapaxes(2, 3)
    if xp is np:  # a view: no copy until someone reshapes it
        n, _, _, c = x.shape
        along_n, along_h, along_w, along_c = x.strides
        strides = (along_n, along_h * sh, along_w * sw, along_h * dh, along_w * dw, along_c)
        return np.lib.stride_tricks.as_strided(x, (n, rows, columns, kh, kw, c), strides, writeable=False)
    patches = [x[:, places(i, rows, sh, dh), places(j, columns, sw, dw)] for i in range(kh) for j in range(kw)]
    return xp.stack(patches, axis=3).reshape(x.shape[0], rows, columns, kh, kw, x.shape[3])


def fold(xp: ModuleType, patches: Array, image: Pair, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    """Add patches back to the places they were taken from; the transpose of `windows`."""
    n, rows, columns, kh, kw, c = patches.shape
    (sh, sw), (dh, dw), ((top, bottom), (left, right)) = stride, dilation, padding
    height, width = image[0] + top + bottom, image[1] + left + right
    if (kh, kw) == stride and dilation == (1, 1):
        side_by_side = patches.swapaxes(2, 3).reshape(n, rows * kh, columns * kw, c)
        rest = (height - rows * kh, width - columns * kw)
        out = xp.pad(side_by_side, ((0, 0), (0, rest[0]), (0, rest[1]), (0, 0))) if any(rest) else side_by_side
    elif xp is np:
        out = np.zeros((n, height, width, c), patches.dtype)
        for i in range(kh):
            for j in range(kw):
                out[:, places(i, rows, sh, dh), places(j, columns, sw, dw)] += patches[:, :, :, i, j]
    else:
        from jax import lax

        # Border and crop in one operation: cutting the sum afterwards would copy it.
        zero, none, out = xp.zeros((), patches.dtype), (0, 0, 0), None
        for i in range(kh):
            for j in range(kw):
                across = _border(i * dh - top, rows, sh, image[0]), _border(j * dw - left, columns, sw, image[1])
                part = lax.pad(patches[:, :, :, i, j], zero, (none, *across, none))
                out = part if out is None else out + part
        return out
    return out[:, top : height - bottom, left : width - right]


def places(at: int, count: int, stride: int, dilation: int) -> slice:
    """Return where the window's row (or column) ``at`` lies, over all its positions."""
    return slice(at * dilation, at * dilation + (count - 1) * stride + 1 if count else at * dilation, stride)


def _border(start: int, count: int, stride: int, length: int) -> tuple[int, int, int]:
    """Return the zeros (before, after, between) that put values at start, start + stride, ...; negative ones crop."""
    used = (count - 1) * stride + 1 if count else 0
    return start, length - start - used, stride - 1


def convolve(xp: ModuleType, x: Array, w: Array, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    """Slide the kernels w (kh, kw, c, filters) over x: (n, rows, columns, filters)."""
    kh, kw, c, filters = w.shape
    patches = windows(xp, x, (kh, kw), stride, dilation, padding)
    n, rows, columns = patches.shape[:3]
    return (patches.reshape(n * rows * columns, kh * kw * c) @ w.reshape(-1, filters)).reshape(
        n, rows, columns, filters
    )


def input_gradient(
    xp: ModuleType, g: Array, w: Array, image: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return what `convolve`'s output gradient g (n, rows, columns, filters) means for its image."""
    kh, kw, c, filters = w.shape
    n, rows, columns, _ = g.shape
    patches = g.reshape(-1, filters) @ w.reshape(-1, filters).T
    return fold(xp, patches.reshape(n, rows, columns, kh, kw, c), image, stride, dilation, padding)


def weight_gradient(
    xp: ModuleType, x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return what `convolve`'s output gradient g means for its kernels."""
    (kh, kw), filters, c = size, g.shape[3], x.shape[3]
    g = g.reshape(-1, filters)
    patches = windows(xp, x, size, stride, dilation, padding)
    return (patches.reshape(len(g), kh * kw * c).T @ g).reshape(*size, c, filters)
