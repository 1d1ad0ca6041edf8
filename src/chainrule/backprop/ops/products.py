"""Matrix products."""

from __future__ import annotations

from chainrule.backprop.ops.shaping import (
    broadcast_to,
    expand_dims,
    reshape,
    squeeze,
    sum_to_shape,
    swapaxes,
    transpose,
)
from chainrule.backprop.tensor import primitive, shape, variadic
from chainrule.errors import GradientError, ShapeError

__all__ = [
    "dot",
    "einsum",
    "matmul",
    "outer",
    "tensordot",
]


@primitive
def _matmul(xp, a, b):
    return xp.matmul(a, b)


# With y = a b and gradient g: a's gradient is g bᵀ and b's is aᵀ g (lecture 002), summed over repeated batches.
_matmul.gradients(
    lambda g, y, a, b: sum_to_shape(_matmul(g, swapaxes(b, -1, -2)), shape(a)),
    lambda g, y, a, b: sum_to_shape(_matmul(swapaxes(a, -1, -2), g), shape(b)),
)


def matmul(a, b):
    """Return the matrix product a b of the last two axes; first axes broadcast; vectors as in NumPy."""
    if len(shape(a)) < 1 or len(shape(b)) < 1:
        raise ShapeError(f"a @ b needs arrays with axes, got shapes {shape(a)} and {shape(b)}; use a * b.")
    row, column = len(shape(a)) == 1, len(shape(b)) == 1
    inner = shape(b)[0 if column else -2]
    if shape(a)[-1] != inner:
        raise ShapeError(
            f"a @ b: shapes {shape(a)} and {shape(b)} do not match: the last axis of a has {shape(a)[-1]}, "
            f"the {'only' if column else 'second last'} axis of b has {inner}."
        )
    y = _matmul(expand_dims(a, 0) if row else a, expand_dims(b, -1) if column else b)
    y = squeeze(y, -1) if column else y
    return squeeze(y, -1 if column else -2) if row else y


def dot(a, b):
    """Multiply as NumPy's dot does: the product of numbers, the inner product of vectors, else the matrix product."""
    if not shape(a) or not shape(b):
        return a * b
    if len(shape(b)) > 2:
        return tensordot(a, b, axes=([-1], [-2]))
    return matmul(a, b)


def outer(a, b):
    """Return all products of a value of a with a value of b."""
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


def tensordot(a, b, axes=2):
    """Sum of products over chosen axes of both arrays (NumPy's rules)."""
    if isinstance(axes, int):
        axes = (list(range(len(shape(a)) - axes, len(shape(a)))), list(range(axes)))
    of_a, of_b = ([ax] if isinstance(ax, int) else list(ax) for ax in axes)
    of_a, of_b = [i % len(shape(a)) for i in of_a], [i % len(shape(b)) for i in of_b]
    keep_a = [i for i in range(len(shape(a))) if i not in of_a]
    keep_b = [i for i in range(len(shape(b))) if i not in of_b]
    rows, columns = [shape(a)[i] for i in keep_a], [shape(b)[i] for i in keep_b]
    inner = 1
    for i in of_a:
        inner *= shape(a)[i]
    left = reshape(transpose(a, keep_a + of_a), (-1 if 0 not in shape(a) else _size(rows), inner))
    right = reshape(transpose(b, of_b + keep_b), (inner, -1 if 0 not in shape(b) else _size(columns)))
    return reshape(_matmul(left, right), (*rows, *columns))


def _size(lengths):
    n = 1
    for length in lengths:
        n *= length
    return n


@primitive
def _einsum(xp, *operands, subscripts):
    return xp.einsum(subscripts, *operands)


@variadic
def _einsum_gradient(g, y, *operands, subscripts, at):
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    others = [t for i, t in enumerate(terms) if i != at]
    reached = set(output).union(*others)
    present = "".join(i for i in terms[at] if i in reached)
    rest = [o for i, o in enumerate(operands) if i != at]
    part = _einsum(g, *rest, subscripts=f"{','.join([output, *others])}->{present}")
    # An index that only this operand has was summed away: every value along it gets the same gradient.
    part = expand_dims(part, tuple(i for i, c in enumerate(terms[at]) if c not in reached))
    return broadcast_to(part, shape(operands[at]))


_einsum.gradients(_einsum_gradient)


def einsum(subscripts, *operands):
    """Einstein summation with an explicit output, such as ``einsum("bij,jk->bik", x, w)``."""
    subscripts = subscripts.replace(" ", "")
    terms = subscripts.split("->")[0].split(",")
    if "->" not in subscripts or "." in subscripts or any(len(set(t)) < len(t) for t in terms):
        raise GradientError(
            f"einsum({subscripts!r}): write the output ('ij,jk->ik'), no '...', no index twice in one term."
        )
    return _einsum(*operands, subscripts=subscripts)
