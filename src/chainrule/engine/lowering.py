"""How the three directions of a convolution become matrix products on JAX, and the rule that picks one.

XLA's own convolution is best on GPU and TPU. On the CPU it is good forward in most shapes, and its weight
gradient inside a loop is a hundred times slower than a matrix product. The lowerings:

- native: XLA's convolution (not for the weight gradient on the CPU).
- columns: every patch becomes a row, then one product (im2col).
- split: the kernel's columns are unrolled on one side of the product and its rows on the other, so that the
  temporaries are kh + kw times as large as the image, not kh · kw times.
- shifts: a sum of products, one for each place of the kernel.
- fold (input gradient): one product, whose patches are added back (col2im).
- winograd: columns unrolled as in split, and Winograd's algorithm along the height: four rows of results take six
  products instead of twelve. For kernels of height 3 without stride or dilation; others are split (or native).

Every lowering supports every stride, dilation and padding. ``bench/lowering.py`` measures them, and its results
are where the bounds in `choose` come from.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.engine import convolution
from chainrule.engine.convolution import Array, Padding, Pair, places, positions
from chainrule.errors import unknown_name

DIRECTIONS = ("forward", "input", "weight")

#: Numbers of the images in one block of winograd: its temporaries stay in the cache, and both cores have work.
BLOCK_VALUES = 2**18

_forced: ContextVar[tuple[str | None, ...]] = ContextVar("lowering", default=(None, None, None))
_platform: ContextVar[str | None] = ContextVar("platform", default=None)


def choose(direction: str, platform: str, kernels: tuple[int, ...], stride: Pair) -> str:
    """Return the lowering of a direction: "forward", "input" (its gradient) or "weight".

    Parameters
    ----------
    platform : as JAX names it: "cpu", "gpu", "tpu"
    kernels : their shape (kh, kw, channels, filters)
    """
    forced = _forced.get()[DIRECTIONS.index(direction)]
    if forced is not None:
        return forced
    if platform != "cpu":
        return "native"
    *size, channels, filters = kernels
    patch, small, steps = math.prod(size) * channels, size == [1, 1], stride != (1, 1)
    winograd = size[0] == 3 and not steps
    if direction == "forward":
        if patch <= 32 or small or steps:
            return "shifts" if channels == 1 and not steps else "columns"
        if channels < 32:
            return "native"
        return "winograd" if winograd else "split"
    if direction == "input":
        if patch <= 32 or small or steps:
            return "fold"
        if channels < 32 or not winograd:
            return "native"
        return "winograd" if filters <= channels else "fold"
    if patch <= 16 or small:
        return "columns"
    if steps:
        return "shifts"
    return "winograd" if winograd and patch > 32 else "split"


@contextlib.contextmanager
def lowering(forward: str | None = None, input: str | None = None, weight: str | None = None) -> Iterator[None]:  # noqa: A002
    """Have convolutions on JAX inside this block use the named lowerings; None leaves the choice to the rule.

    >>> from chainrule.engine.lowering import choose, lowering
    >>> with lowering(forward="columns"):
    ...     choose("forward", "cpu", (3, 3, 64, 64), (1, 1))
    'columns'
    """
    names = (forward, input, weight)
    for direction, name in zip(DIRECTIONS, names, strict=True):
        if name is not None and name not in LOWERINGS[direction]:
            raise unknown_name(f"{direction} lowering", name, tuple(LOWERINGS[direction]))
    token = _forced.set(names)
    try:
        yield
    finally:
        _forced.reset(token)


@contextlib.contextmanager
def on(platform: str) -> Iterator[None]:
    """Say that programs traced inside this block will run on that platform: "cpu", "gpu" or "tpu"."""
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def current() -> tuple[str | None, ...]:
    """Return what `lowering` asks for here. Whoever keeps compiled programs must keep them by this as well."""
    return _forced.get()


# The three directions, with the arguments of their namesakes in `chainrule.engine.convolution`.


def convolve(xp: ModuleType, x: Array, w: Array, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    """Slide the kernels w (kh, kw, c, filters) over x: (n, rows, columns, filters)."""
    if xp is np:
        return convolution.convolve(xp, x, w, stride, dilation, padding)
    return _pick("forward", w.shape, stride)(xp, x, w, stride, dilation, padding)


def input_gradient(
    xp: ModuleType, g: Array, w: Array, image: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return what `convolve`'s output gradient g (n, rows, columns, filters) means for its image."""
    if xp is np:
        return convolution.input_gradient(xp, g, w, image, stride, dilation, padding)
    return _pick("input", w.shape, stride)(xp, g, w, image, stride, dilation, padding)


def weight_gradient(
    xp: ModuleType, x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return what `convolve`'s output gradient g means for its kernels."""
    if xp is np:
        return convolution.weight_gradient(xp, x, g, size, stride, dilation, padding)
    return _pick("weight", (*size, x.shape[3], g.shape[3]), stride)(xp, x, g, size, stride, dilation, padding)


def _pick(direction: str, kernels: tuple[int, ...], stride: Pair) -> Any:
    import jax

    platform = _platform.get() or jax.default_backend()
    return LOWERINGS[direction][choose(direction, platform, kernels, stride)]


# Forward.


def _native(xp: ModuleType, x: Array, w: Array, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    from jax import lax

    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, w, stride, padding, rhs_dilation=dilation, dimension_numbers=numbers)


def _split(xp: ModuleType, x: Array, w: Array, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    """Return one product of the rows of pixels with all rows of the kernel; its kh parts, shifted, are added."""
    (kh, kw, c, filters), (above_below, left_right) = w.shape, padding
    parts = wide(xp, x, kw, stride[1], dilation[1], left_right) @ w.transpose(1, 2, 0, 3).reshape(kw * c, kh * filters)
    # The border above and below is zero before and after the product, so it is added after.
    parts = xp.pad(parts, ((0, 0), above_below, (0, 0), (0, 0)))
    rows = positions(parts.shape[1], kh, stride[0], dilation[0])
    at = [places(i, rows, stride[0], dilation[0]) for i in range(kh)]
    return _total([parts[:, at[i], :, i * filters : (i + 1) * filters] for i in range(kh)])


def _winograd(xp: ModuleType, x: Array, w: Array, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    if not _suits_winograd(w.shape[0], x, stride, dilation):
        return _split(xp, x, w, stride, dilation, padding)
    (_, kw, c, filters), (above_below, left_right) = w.shape, padding
    rows = x.shape[1] + sum(above_below) - 2
    tiles = -(-rows // 4)
    kernels = [kernel.reshape(kw * c, filters) for kernel in _combined(_KERNEL_ROWS, list(w))]
    shares = xp.asarray(_RESULT_ROWS, x.dtype)[:, :, None, None]

    def results(x: Array) -> Array:
        parts = []
        for seen, kernel in zip(_seen_rows(xp, x, above_below[0], tiles), kernels, strict=True):
            pixels = wide(xp, seen, kw, 1, 1, left_right)
            parts.append((flat(pixels) @ kernel).reshape(len(x), tiles, 1, pixels.shape[2], filters))
        y = _total([shares[:, a] * part for a, part in enumerate(parts)])
        return y.reshape(len(x), 4 * tiles, *y.shape[3:])[:, :rows]

    return _in_blocks(xp, results, x)


def _shifts(xp: ModuleType, x: Array, w: Array, stride: Pair, dilation: Pair, padding: Padding) -> Array:
    return _total([pixels @ w[i, j] for i, j, pixels in _each_place(xp, x, w.shape[:2], stride, dilation, padding)])


# The gradient of the image.


def _native_to_input(
    xp: ModuleType, g: Array, w: Array, image: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return a convolution of the spread gradient with the flipped kernels."""
    from jax import lax

    border = _border_of_gradient(g, w, image, stride, dilation, padding)
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        g, w[::-1, ::-1].swapaxes(2, 3), (1, 1), border, stride, dilation, dimension_numbers=numbers
    )


def _winograd_to_input(
    xp: ModuleType, g: Array, w: Array, image: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return the same convolution of the gradient with the flipped kernels."""
    if not _suits_winograd(w.shape[0], g, stride, dilation):
        return _native_to_input(xp, g, w, image, stride, dilation, padding)
    border = _border_of_gradient(g, w, image, stride, dilation, padding)
    return _winograd(xp, g, w[::-1, ::-1].swapaxes(2, 3), stride, dilation, border)


def _border_of_gradient(g: Array, w: Array, image: Pair, stride: Pair, dilation: Pair, padding: Padding) -> Padding:
    """Return the border with which a convolution of the spread gradient has the image's size; negative: it is cut."""
    border = []
    for length, count, k, s, d, (before, _) in zip(
        image, g.shape[1:3], w.shape[:2], stride, dilation, padding, strict=True
    ):
        border.append(((k - 1) * d - before, length + before - (count - 1) * s - 1))
    return border[0], border[1]


# The gradient of the kernels.


def _native_to_weight(
    xp: ModuleType, x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return a convolution of the images with the gradient as kernels: channels as batch, batch as channels."""
    from jax import lax

    border = []
    for length, count, k, s, d, (before, _) in zip(
        x.shape[1:3], g.shape[1:3], size, stride, dilation, padding, strict=True
    ):
        border.append((before, (k - 1) * d + (count - 1) * s + 1 - length - before))
    numbers = ("CHWN", "IHWO", "HWNC")
    return lax.conv_general_dilated(x, g, dilation, border, rhs_dilation=stride, dimension_numbers=numbers)


def _split_to_weight(
    xp: ModuleType, x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return the images unrolled along the width, the gradient along the height: one product (kw·c) by (kh·filters)."""
    from jax import lax

    (kh, kw), c, filters = size, x.shape[3], g.shape[3]
    height, rows, above = x.shape[1], g.shape[1], padding[0][0]
    moved, zero = [], xp.zeros((), g.dtype)
    for i in range(kh):  # each row of the gradient beside the row of pixels that row i of the kernel saw
        before = i * dilation[0] - above
        border = (before, height - before - (rows - 1) * stride[0] - 1, stride[0] - 1)
        none = (0, 0, 0)
        moved.append(lax.pad(g, zero, (none, border, none, none)))
    pixels = wide(xp, x, kw, stride[1], dilation[1], padding[1])
    return (flat(pixels).T @ flat(beside(xp, moved))).reshape(kw, c, kh, filters).transpose(2, 0, 1, 3)


def _winograd_to_weight(
    xp: ModuleType, x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    """Return the transpose of `_winograd` in its kernels."""
    if not _suits_winograd(size[0], x, stride, dilation):
        return _split_to_weight(xp, x, g, size, stride, dilation, padding)
    kw, c, filters = size[1], x.shape[3], g.shape[3]
    tiles = -(-g.shape[1] // 4)

    def products(x: Array, g: Array) -> Array:
        """Return the gradient of each of the six kernels."""
        g = xp.pad(g, ((0, 0), (0, 4 * tiles - g.shape[1]), (0, 0), (0, 0)))
        asked = _combined(_RESULT_ROWS.T, [g[:, i::4] for i in range(4)])
        seen = [wide(xp, rows, kw, 1, 1, padding[1]) for rows in _seen_rows(xp, x, padding[0][0], tiles)]
        return xp.stack([flat(p).T @ flat(a) for p, a in zip(seen, asked, strict=True)])

    of_kernels = _sum_over_blocks(xp, products, x, g)
    return xp.stack(_combined(_KERNEL_ROWS.T, list(of_kernels))).reshape(*size, c, filters)


def _shifts_to_weight(
    xp: ModuleType, x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Array:
    products = [flat(p).T @ flat(g) for _, _, p in _each_place(xp, x, size, stride, dilation, padding)]
    return xp.stack(products).reshape(*size, x.shape[3], g.shape[3])


# Winograd's algorithm for four neighbouring results of three weights, with the points 0, 1, -1, 1/2, -2 and infinity,
# whose rounding is small (Lavin and Gray, 2016; Barabasz et al., 2020): y = R [(K w) * (P x)], for six pixels x.

_PIXEL_ROWS = np.array(
    [
        [1, -1.5, -2, 1.5, 1, 0],
        [0, -1, 0.5, 2.5, 1, 0],
        [0, 1, -2.5, 0.5, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 0.5, -1, -0.5, 1, 0],
        [0, 1, -1.5, -2, 1.5, 1],
    ]
)
_KERNEL_ROWS = np.array([[15, 0, 0], [5, 5, 5], [-5, 5, -5], [-16, -8, -4], [1, -2, 4], [0, 0, 15]]) / 15
_RESULT_ROWS = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 0.5, -2, 0], [0, 1, 1, 0.25, 4, 0], [0, 1, -1, 0.125, -8, 1]])


def _suits_winograd(kh: int, x: Array, stride: Pair, dilation: Pair) -> bool:
    """Return whether Winograd's way is open: its sums and differences of pixels need more digits than 16 bits have."""
    return kh == 3 and stride == dilation == (1, 1) and x.dtype.itemsize >= 4


def _seen_rows(xp: ModuleType, x: Array, above: int, tiles: int) -> list[Array]:
    """Return P x for every fourth row: six arrays (n, tiles, w, c)."""
    from jax import lax

    none, zero = (0, 0, 0), xp.zeros((), x.dtype)
    x = lax.pad(x, zero, (none, (above, 4 * tiles + 2 - above - x.shape[1], 0), none, none))
    return _combined(_PIXEL_ROWS, [x[:, i : i + 4 * tiles - 3 : 4] for i in range(6)])


def _combined(matrix: np.ndarray, parts: list[Array]) -> list[Array]:
    """Return matrix · parts: for each row of the matrix, the sum of the parts with its weights."""
    return [_total([float(s) * part for s, part in zip(row, parts, strict=True) if s]) for row in matrix]


# Blocks of samples keep the temporaries in the cache, and what a loop is given is stored first: otherwise XLA would
# compute the operation before the convolution again for each of the six arrays. A block goes across the batch, so that
# devices that share the batch share each block.


def _blocks(x: Array, *others: Array) -> list[Array]:
    """Cut arrays into blocks: each gets the shape (samples of a block, blocks, …)."""
    n, least = len(x), max(2, -(-x.size // BLOCK_VALUES))
    blocks = next((k for k in range(least, 2 * least) if n % k == 0), 1)
    return [a.reshape(n // blocks, blocks, *a.shape[1:]) for a in (x, *others)]


def _in_blocks(xp: ModuleType, f: Any, x: Array) -> Array:
    """Return f(x), for each sample on its own."""
    import jax
    from jax import lax

    (parts,) = _blocks(x)
    shape = jax.eval_shape(f, parts[:, 0]).shape

    def put(i: Array, y: Array) -> Array:
        return lax.dynamic_update_index_in_dim(y, f(lax.dynamic_index_in_dim(parts, i, 1, keepdims=False)), i, 1)

    empty = xp.zeros((shape[0], parts.shape[1], *shape[1:]), x.dtype)
    return lax.fori_loop(0, parts.shape[1], put, empty).reshape(len(x), *shape[1:])


def _sum_over_blocks(xp: ModuleType, f: Any, x: Array, g: Array) -> Array:
    """Return f(x, g), a sum over samples."""
    import jax
    from jax import lax

    parts = _blocks(x, g)
    sum_of_block = jax.eval_shape(f, *(a[:, 0] for a in parts))

    def add(i: Array, total: Array) -> Array:
        return total + f(*(lax.dynamic_index_in_dim(a, i, 1, keepdims=False) for a in parts))

    return lax.fori_loop(0, parts[0].shape[1], add, xp.zeros(sum_of_block.shape, sum_of_block.dtype))


# What the lowerings are made of.


def flat(x: Array) -> Array:
    """Return all pixels as rows of a matrix. (XLA would copy to contract three axes; contracting one, it does not.)"""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def wide(xp: ModuleType, x: Array, kw: int, stride: int, dilation: int, border: Pair) -> Array:
    """Lay each pixel beside the kw - 1 to its right that the kernel sees: (n, h, w, c) to (n, h, columns, kw · c)."""
    from jax import lax

    none, zero = (0, 0, 0), xp.zeros((), x.dtype)
    x = lax.pad(x, zero, (none, none, (*border, 0), none))  # the border may be negative
    columns = positions(x.shape[2], kw, stride, dilation)
    return beside(xp, [x[:, :, places(j, columns, stride, dilation)] for j in range(kw)])


def beside(xp: ModuleType, parts: list[Array]) -> Array:
    """Concatenate along the channels. XLA fuses a sum of padded arrays into one loop, but not a concatenation."""
    from jax import lax

    none, zero = (0, 0, 0), xp.zeros((), parts[0].dtype)
    c, last = parts[0].shape[-1], len(parts) - 1
    return _total([lax.pad(p, zero, (none, none, none, (i * c, (last - i) * c, 0))) for i, p in enumerate(parts)])


def _each_place(
    xp: ModuleType, x: Array, size: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> Iterator[tuple[int, int, Array]]:
    """Yield the pixels under each place (i, j) of the kernel, over all its positions."""
    x = xp.pad(x, ((0, 0), *padding, (0, 0)))
    rows = positions(x.shape[1], size[0], stride[0], dilation[0])
    columns = positions(x.shape[2], size[1], stride[1], dilation[1])
    for i in range(size[0]):
        for j in range(size[1]):
            yield i, j, x[:, places(i, rows, stride[0], dilation[0]), places(j, columns, stride[1], dilation[1])]


def _total(parts: list[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


LOWERINGS: dict[str, dict[str, Any]] = {
    "forward": {
        "native": _native,
        "columns": convolution.convolve,
        "split": _split,
        "shifts": _shifts,
        "winograd": _winograd,
    },
    "input": {"native": _native_to_input, "fold": convolution.input_gradient, "winograd": _winograd_to_input},
    "weight": {
        "native": _native_to_weight,
        "columns": convolution.weight_gradient,
        "split": _split_to_weight,
        "shifts": _shifts_to_weight,
        "winograd": _winograd_to_weight,
    },
}
