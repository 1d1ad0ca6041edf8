"""Operations that move values without changing them. Their gradients move the other way."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from chainrule.backprop.tensor import Tensor, primitive, shape, table, unwrap, variadic
from chainrule.engine.namespace import namespace
from chainrule.errors import GradientError, ShapeError

__all__ = [
    "astype",
    "broadcast_to",
    "concatenate",
    "diagonal",
    "expand_dims",
    "flatten",
    "flip",
    "gather",
    "hstack",
    "index",
    "moveaxis",
    "one_hot",
    "ones_like",
    "pad",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take",
    "take_along_axis",
    "tile",
    "trace",
    "transpose",
    "vstack",
    "zeros_like",
]

# --- shape --------------------------------------------------------------------------------------------------


@primitive
def _reshape(xp, x, *, shape):
    return xp.reshape(x, shape)


_reshape.gradients(lambda g, y, x, **_: _reshape(g, shape=shape(x)))


def reshape(x, shape, order="C"):
    """Return the same values in another shape (one length may be -1)."""
    if order != "C":
        raise GradientError(f"reshape keeps the order of rows (order='C'), got {order!r}; transpose first.")
    return _reshape(x, shape=(shape,) if isinstance(shape, int) else tuple(shape))


@primitive
def _transpose(xp, x, *, axes):
    return xp.transpose(x, axes)


_transpose.gradients(lambda g, y, x, *, axes: _transpose(g, axes=tuple(np.argsort(axes).tolist())))


def transpose(x, axes=None):
    """Put the axes in another order; reversed by default."""
    n = len(shape(x))
    return _transpose(x, axes=tuple(a % n for a in axes) if axes is not None else tuple(reversed(range(n))))


@primitive
def _swapaxes(xp, x, *, axis1, axis2):
    return xp.swapaxes(x, axis1, axis2)


_swapaxes.gradients(lambda g, y, x, *, axis1, axis2: _swapaxes(g, axis1=axis1, axis2=axis2))


def swapaxes(x, axis1, axis2):
    """Exchange two axes."""
    return _swapaxes(x, axis1=axis1, axis2=axis2)


def moveaxis(x, source, destination):
    """Move axes to new places; the others keep their order."""
    n = len(shape(x))
    source = [a % n for a in ([source] if isinstance(source, int) else source)]
    destination = [a % n for a in ([destination] if isinstance(destination, int) else destination)]
    order = [a for a in range(n) if a not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return transpose(x, order)


def expand_dims(x, axis):
    """Insert axes of length 1."""
    old = shape(x)
    if isinstance(axis, int):
        axis = axis % (len(old) + 1)
        return _reshape(x, shape=(*old[:axis], 1, *old[axis:]))
    n = len(old) + len(axis)
    axes, lengths = {a % n for a in axis}, iter(old)
    return _reshape(x, shape=tuple(1 if i in axes else next(lengths) for i in range(n)))


def squeeze(x, axis=None):
    """Remove axes of length 1."""
    old = shape(x)
    axes = (
        {i for i, n in enumerate(old) if n == 1}
        if axis is None
        else {a % len(old) for a in ([axis] if isinstance(axis, int) else axis)}
    )
    return reshape(x, tuple(n for i, n in enumerate(old) if i not in axes))


def ravel(x, order="C"):
    """Return all values in one axis."""
    return reshape(x, (-1,), order)


flatten = ravel


@primitive
def _broadcast_to(xp, x, *, shape):
    return xp.broadcast_to(x, shape)


_broadcast_to.gradients(lambda g, y, x, **_: sum_to_shape(g, shape(x)))


def broadcast_to(x, shape):
    """Repeat along axes of length 1, and along new first axes."""
    return _broadcast_to(x, shape=tuple(shape))


def sum_to_shape(g, target):
    """Undo broadcasting: a value that was used at many places receives the sum of their gradients."""
    have = shape(g)
    if have == target:
        return g
    extra = len(have) - len(target)
    if have[extra:] == target:
        return table["sum"](g, axis=tuple(range(extra)))
    axes = tuple(i for i in range(len(have)) if i < extra or target[i - extra] != have[i])
    return _reshape(table["sum"](g, axis=axes, keepdims=True), shape=target)


@primitive
def _astype(xp, x, *, dtype):
    return xp.asarray(x).astype(dtype)


_astype.gradients(lambda g, y, x, **_: _astype(g, dtype=x.dtype) if hasattr(x, "dtype") else g)


def astype(x, dtype):
    """Return the same values in another data type."""
    return _astype(x, dtype=np.dtype(dtype))


# --- joining ------------------------------------------------------------------------------------------------


@primitive
def _concatenate(xp, *arrays, axis):
    return xp.concatenate(arrays, axis=axis)


@variadic
def _piece(g, y, *arrays, axis, at):
    axis = axis % len(shape(g))
    start = sum(shape(a)[axis] for a in arrays[:at])
    return index(g, (*[slice(None)] * axis, slice(start, start + shape(arrays[at])[axis])))


_concatenate.gradients(_piece)


def concatenate(arrays, axis=0):
    """Join arrays along an axis they have; with axis None, all their values."""
    arrays = [a if hasattr(a, "shape") else np.asarray(a) for a in arrays]
    return _concatenate(*(arrays if axis is not None else map(ravel, arrays)), axis=axis or 0)


def stack(arrays, axis=0):
    """Join arrays along a new axis."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis=axis)


def vstack(arrays):
    """Join along the first axis; vectors become rows."""
    return concatenate([a if len(shape(a)) > 1 else reshape(a, (1, -1)) for a in arrays], axis=0)


def hstack(arrays):
    """Join along the second axis (the first for vectors; numbers become vectors)."""
    arrays = [a if shape(a) else reshape(a, (1,)) for a in arrays]
    return concatenate(arrays, axis=1 if len(shape(arrays[0])) > 1 else 0)


# --- indexing -----------------------------------------------------------------------------------------------


def _plain_key(key):
    """Return an index without tensors: integers and masks have no gradient."""
    if isinstance(key, tuple):
        return tuple(_plain_key(k) for k in key)
    if isinstance(key, list):
        return np.asarray([unwrap(k) for k in key]) if key else np.zeros(0, int)
    return unwrap(key) if isinstance(key, Tensor) else key


def _with_key(xp, key):
    """Return the array library of an index that contains arrays of JAX, also if the indexed array is NumPy's."""
    return namespace(*key) if xp is np and isinstance(key, tuple) else namespace(key) if xp is np else xp


def _is_basic(key):
    """Return whether an index names each value at most once (numbers, slices, None, ...; no arrays)."""
    keys = key if isinstance(key, tuple) else (key,)
    return all(k is None or k is Ellipsis or isinstance(k, int | slice) for k in keys)


@primitive
def _index(xp, x, *, key):
    return _with_key(xp, key).asarray(x)[key]


_index.gradients(lambda g, y, x, *, key: _scatter_add(g, key=key, shape=shape(x)))


def index(x, key):
    """x[key], with numbers, slices, None, ..., integer arrays or a mask."""
    return _index(x, key=_plain_key(key))


@primitive
def _scatter_add(xp, g, *, key, shape):
    xp = _with_key(xp, key)
    if xp is not np:
        return xp.zeros(shape, g.dtype).at[key].add(g)
    out = np.zeros(shape, np.asarray(g).dtype)
    if _is_basic(key):
        out[key] = g
    else:
        np.add.at(out, key, g)  # a value that was read twice receives both gradients
    return out


_scatter_add.gradients(lambda g, y, x, *, key, shape: _index(g, key=key))


def take(x, indices, axis=None):
    """Return values at integer positions along an axis (of the flattened array by default)."""
    if axis is None:
        return index(ravel(x), indices)
    return index(x, (*[slice(None)] * (axis % len(shape(x))), indices))


def take_along_axis(x, indices, axis=-1):
    """Take for each place of ``indices`` the value of x at that position along the axis (NumPy's rules)."""
    x_shape, axis = shape(x), axis % len(shape(x))
    key = [np.arange(n).reshape(tuple(-1 if i == a else 1 for i in range(len(x_shape)))) for a, n in enumerate(x_shape)]
    key[axis] = indices
    return index(x, tuple(key))


def gather(x, indices):
    """Take from each row of the last axis the value at one position: out[i] = x[i, indices[i]]."""
    return squeeze(take_along_axis(x, expand_dims(indices, -1), axis=-1), axis=-1)


@primitive
def _one_hot(xp, labels, *, classes, dtype):
    return (xp.expand_dims(xp.asarray(labels), -1) == xp.arange(classes)).astype(dtype)


def one_hot(labels, classes, dtype=np.float32):
    """Integer labels as rows with a single 1: shape (...) becomes (..., classes). No gradient."""
    return _one_hot(labels, classes=int(classes), dtype=dtype)


def diagonal(x):
    """Return the diagonal of a matrix."""
    n = np.arange(min(shape(x)))
    return index(x, (n, n))


def trace(x):
    """Return the sum of the diagonal of a matrix."""
    return table["sum"](diagonal(x))


# --- padding, flipping, repeating ---------------------------------------------------------------------------


@primitive
def _pad(xp, x, *, widths, value):
    return xp.pad(x, widths, mode="constant", constant_values=value)


_pad.gradients(
    lambda g, y, x, *, widths, value: _index(
        g, key=tuple(slice(low, low + n) for (low, _), n in zip(widths, shape(x), strict=True))
    )
)


def pad(x, pad_width, mode="constant", constant_values=0.0):
    """Add a border of a constant: ``pad_width`` is a number, (before, after), or one pair per axis."""
    if mode != "constant":
        raise GradientError(f"np.pad: only mode='constant' has a derivative here, got {mode!r}.")
    widths = np.broadcast_to(np.asarray(pad_width, int), (len(shape(x)), 2))
    return _pad(x, widths=tuple((int(a), int(b)) for a, b in widths), value=constant_values)


@primitive
def _flip(xp, x, *, axis):
    return xp.flip(x, axis)


_flip.gradients(lambda g, y, x, *, axis: _flip(g, axis=axis))


def flip(x, axis=None):
    """Reverse the order along an axis, or along all."""
    return _flip(x, axis=axis)


@primitive
def _roll(xp, x, *, shift, axis):
    return xp.roll(x, shift, axis)


_roll.gradients(
    lambda g, y, x, *, shift, axis: _roll(
        g, shift=tuple(map(operator.neg, shift)) if isinstance(shift, tuple) else -shift, axis=axis
    )
)


def roll(x, shift, axis=None):
    """Shift values along an axis; what falls off one end enters at the other."""
    return _roll(x, shift=shift, axis=axis)


def repeat(x, repeats, axis=None):
    """Repeat each value ``repeats`` times in a row."""
    if axis is None:
        x, axis = ravel(x), 0
    return take(x, np.repeat(np.arange(shape(x)[axis]), repeats), axis=axis)


def tile(x, reps):
    """Return the whole array repeated."""
    reps = (reps,) if isinstance(reps, int) else tuple(reps)
    n = max(len(reps), len(shape(x)))
    old = (1,) * (n - len(shape(x))) + shape(x)
    reps = (1,) * (n - len(reps)) + reps
    pairs = [(r, s) for r, s in zip(reps, old, strict=True)]
    split = reshape(x, tuple(v for _, s in pairs for v in (1, s)))
    wide = broadcast_to(split, tuple(v for pair in pairs for v in pair))
    return reshape(wide, tuple(math.prod(pair) for pair in pairs))


def split(x, sections, axis=0):
    """Cut along an axis into a list of parts: a number of equal ones, or at a list of positions."""
    axis = axis % len(shape(x))
    n = shape(x)[axis]
    if isinstance(sections, int):
        if n % sections:
            raise ShapeError(f"An axis of length {n} does not split into {sections} equal parts.")
        sections = range(n // sections, n, n // sections) if n else [0] * (sections - 1)
    cuts, front = [0, *sections, n], [slice(None)] * axis
    return [index(x, (*front, slice(a, b))) for a, b in itertools.pairwise(cuts)]


# --- constants like another array ---------------------------------------------------------------------------


@primitive
def zeros_like(xp, x):
    """Zeros in the shape of x."""
    return xp.zeros_like(x)


@primitive
def ones_like(xp, x):
    """Ones in the shape of x."""
    return xp.ones_like(x)
