"""The numerical gradient: simple, approximate, extremely slow (lecture 003). Backpropagation's witness."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.backprop.backward import is_floating, value_and_grad
from chainrule.backprop.tensor import Primitive, Tensor, unwrap
from chainrule.checks import is_number
from chainrule.display.text_table import text_table
from chainrule.draw.notebook import cell, table
from chainrule.errors import GradientError

Array = Any

#: The step for a value x is EPS · max(1, |x|). The cube root of float64's precision balances the two errors
#: of a central difference: what is left of f's third derivative (∝ eps²), and rounding (∝ 1/eps).
EPS = float(np.finfo(np.float64).eps) ** (1 / 3)

#: Gradients below this times max(1, |f|) are compared absolutely: central differences do not resolve them.
FLOOR = 1e-4

#: Where the two differ, the step is made so many times smaller: it rarely holds the kink that the first one held.
SMALLER = 32

#: The columns of a comparison.
HEAD = ("", "argument", "shape", "relative error", "worst at", "backpropagation", "numerical")


@dataclass(frozen=True)
class GradientRow:
    """The comparison for one argument, or for one leaf of a nested argument.

    Attributes
    ----------
    path : str
        The argument's name and the keys that lead to the leaf: ``params.dense_1.weight``.
    shape : tuple of int
        The leaf's shape.
    checked : int
        How many of its values were compared.
    error : float
        ‖a - n‖ / max(‖a‖ + ‖n‖, floor): a is the gradient by backpropagation, n the numerical one; see
        `check_gradient`. Infinite if either is not finite.
    worst : tuple of int
        The index at which |a - n| is largest.
    analytic, numeric : float
        Both gradients at that index.
    places, gradients, differences : arrays (checked,), or None
        With ``keep=True`` every value that was compared: its position in the flattened leaf, the gradient by
        backpropagation, and the central difference.
    """

    path: str
    shape: tuple[int, ...]
    checked: int
    error: float
    worst: tuple[int, ...]
    analytic: float
    numeric: float
    places: Array | None = field(default=None, repr=False, compare=False)
    gradients: Array | None = field(default=None, repr=False, compare=False)
    differences: Array | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """What `check_gradient` found; true if no relative error is above the tolerance. Prints as a table."""

    rows: tuple[GradientRow, ...]
    tolerance: float

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of all rows."""
        return max((row.error for row in self.rows), default=0.0)

    @property
    def ok(self) -> bool:
        """Whether the largest relative error is within the tolerance."""
        return self.max_relative_error <= self.tolerance

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table([HEAD, *self._cells()], range(len(HEAD)))}"

    def _repr_html_(self) -> str:
        """Return the comparison for a notebook, as a table: ✓ for what agrees."""
        rows = [(mark or "✓", *cells) for mark, *cells in self._cells()]
        return cell(self._title(), table(HEAD, rows))

    def _title(self) -> str:
        verdict = "ok" if self.ok else "FAILED"
        title = f"Gradient check {verdict}: largest relative error {self.max_relative_error:.1e}"
        return f"{title} (tolerance {self.tolerance:g})"

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                "" if row.error <= self.tolerance else "!",
                row.path,
                str(row.shape) if row.checked == math.prod(row.shape) else f"{row.checked} of {row.shape}",
                f"{row.error:.1e}",
                str(row.worst) if row.checked else "",
                f"{row.analytic:.9g}" if row.checked else "",
                f"{row.numeric:.9g}" if row.checked else "",
            )
            for row in self.rows
        ]


def check_gradient(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] | None = None,
    eps: float = EPS,
    tolerance: float = 1e-6,
    has_aux: bool = False,
    samples: int | None = None,
    keep: bool = False,
) -> GradientCheck:
    """Compare f's gradient by backpropagation with central differences (f(x + h) - f(x - h)) / 2h.

    Everything is computed in float64 by NumPy, whatever the data type of the arguments. For each argument
    (each leaf of a nested one), with a the gradient by backpropagation, n the one by differences, and ‖·‖ the
    root mean square over its values, the relative error is

        ‖a - n‖ / max(‖a‖ + ‖n‖, 1e-4 · max(1, |f|))

    so a difference below 1e-10 · max(1, |f|), which central differences cannot resolve, counts as none. Two
    evaluations of f for each value: simple, approximate, extremely slow; use small arrays, or ``samples``.

    Where the two differ by more than the tolerance, the difference is taken again with a step 32 times smaller, and the
    nearer one counts: a kink that the first step crossed (a ReLU close to 0) is no mistake. Exactly at a kink
    (`maximum` at a tie) the difference quotient averages both sides, and step units have a surrogate gradient on
    purpose: there, a difference is no mistake either.

    Parameters
    ----------
    f
        As for `value_and_grad`: returns one number, or with ``has_aux`` a pair of that and anything else.
    args
        Its arguments: numbers, arrays, or any nesting of dict, list and tuple of them.
    argnums
        Which arguments to check, by position; all by default.
    eps
        The step h is ``eps · max(1, |x|)``, by default with eps = 6e-6. Give a smaller one for an f that changes
        much within a small fraction of 1.
    tolerance
        The largest relative error that is ok.
    samples
        Check only so many values of each array: half of them where the gradient is largest, the others drawn at random
        (the same on every call). All by default.
    keep
        Keep every value that was compared, not only the worst: ``row.places``, ``row.gradients``,
        ``row.differences``.

    Raises
    ------
    GradientError
        If f's value is not a single number of float64, or an argument is not made of floating-point numbers.

    Example
    -------
    >>> import chainrule as cr
    >>> check = cr.check_gradient(lambda x, y, z: (x + y) * (y - z), 2.0, 1.0, 0.0)
    >>> check.ok, [round(row.analytic, 6) for row in check.rows]
    (True, [1.0, 4.0, -3.0])

    Source: lecture 003, "Numerical gradient".
    """
    if eps <= 0 or (samples is not None and samples < 1):
        raise GradientError(f"eps must be above 0 and samples at least 1; got {eps} and {samples}.")
    chosen = _positions(argnums, len(args))
    names = _names(f, len(args))
    for i in chosen:
        _check_floating(names[i], args[i])
    inputs = [_as_float64(a) for a in args]

    def value(*arguments: Any) -> float:
        # As tensors, so that f takes the same way as under its gradient (a model casts plain arrays to its precision).
        result = f(*(tree.map(Tensor, a) if i in chosen else a for i, a in enumerate(arguments)))
        return _number(result[0] if has_aux else result)

    at = value(*inputs)
    _, gradients = value_and_grad(f, argnums=chosen, has_aux=has_aux)(*inputs)
    floor = FLOOR * max(1.0, abs(at) if math.isfinite(at) else 1.0)
    rows = []
    for i, gradient in zip(chosen, gradients, strict=True):
        leaves = zip(tree.leaves_with_path(inputs[i]), tree.leaves(gradient), strict=True)
        for number, ((path, leaf), analytic) in enumerate(leaves):

            def moved(new: Array, i: int = i, number: int = number) -> float:
                return value(*inputs[:i], _replace_leaf(inputs[i], number, new), *inputs[i + 1 :])

            name = ".".join((names[i], *path))
            rows.append(_compare(name, leaf, analytic, moved, eps, samples, floor, tolerance, keep))
    return GradientCheck(tuple(rows), tolerance)


def _compare(
    path: str,
    leaf: Array,
    gradient: Array,
    moved: Callable[[Array], float],
    eps: float,
    samples: int | None,
    floor: float,
    tolerance: float,
    keep: bool,
) -> GradientRow:
    """Return one row: walk over the leaf's values, move each up and down, and see how f changes."""
    shape, size = np.shape(leaf), np.size(leaf)
    if not size:
        return GradientRow(path, shape, 0, 0.0, (), 0.0, 0.0)

    def difference(place: int, eps: float) -> float:
        ends = []
        for sign in (1.0, -1.0):
            new = np.array(leaf, np.float64)
            new.flat[place] += sign * eps * max(1.0, abs(new.flat[place]))
            ends.append((new.flat[place], moved(new if isinstance(leaf, np.ndarray) else float(new))))
        (high, above), (low, below) = ends
        return (above - below) / (high - low)  # the step that was really taken, after rounding

    analytic = np.asarray(gradient, np.float64).reshape(-1)
    places = np.arange(size) if samples is None or samples >= size else _some(analytic, samples)
    analytic = analytic[places]
    numeric = np.array([difference(place, eps) for place in places.tolist()])
    for k in np.flatnonzero(np.abs(analytic - numeric) > tolerance * np.maximum(np.abs(analytic + numeric), floor)):
        again = difference(int(places[k]), eps / SMALLER)
        if abs(analytic[k] - again) < abs(analytic[k] - numeric[k]):
            numeric[k] = again
    apart = np.where(np.isfinite(analytic) & np.isfinite(numeric), np.abs(analytic - numeric), np.inf)
    worst = int(np.argmax(apart))
    error = math.inf
    if math.isfinite(apart[worst]):
        error = _rms(apart) / max(_rms(analytic) + _rms(numeric), floor)
    index = tuple(int(j) for j in np.unravel_index(places[worst], shape))
    pairs = (places, analytic, numeric) if keep else (None, None, None)
    return GradientRow(path, shape, len(places), error, index, float(analytic[worst]), float(numeric[worst]), *pairs)


def _some(gradient: Array, samples: int) -> Array:
    """Return some places in rising order: half of them where the gradient is largest, the others drawn at random."""
    size = np.nan_to_num(np.abs(gradient), nan=np.inf)
    largest = np.argsort(-size, kind="stable")[: samples // 2]
    others = random.permutation(random.key(0), len(gradient))
    others = others[~np.isin(others, largest)][: samples - len(largest)]
    return np.sort(np.concatenate([largest, others]))


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(x * x)))


def _number(result: Any) -> float:
    """Return f's value as a number of float64."""
    result = unwrap(result)
    shape = getattr(result, "shape", ())
    if shape != ():
        raise GradientError(
            f"check_gradient needs a function that returns one number; it returned shape {shape}. Add up the "
            "result, lambda *args: np.sum(f(*args)), or use cr.testing.check_primitive(f, *args)."
        )
    if not isinstance(result, int | float) and not hasattr(result, "dtype"):
        raise GradientError(f"check_gradient needs a function that returns a number; it returned {result!r}.")
    if getattr(result, "dtype", np.float64) != np.float64:
        raise GradientError(
            f"All arguments are float64, but the function returned {result.dtype}: it contains arrays or "
            "casts of another type, in which a numerical gradient is too coarse. Make them float64."
        )
    return float(result)


def _check_floating(name: str, argument: Any) -> None:
    """Raise unless all leaves are numbers or floating-point arrays."""
    for path, leaf in tree.leaves_with_path(argument):
        if is_number(leaf) or is_floating(getattr(leaf, "dtype", None)):
            continue
        what = f"an array of {leaf.dtype}" if hasattr(leaf, "dtype") else f"{leaf!r} ({type(leaf).__name__})"
        raise GradientError(
            f"A gradient needs floating-point numbers; argument {'.'.join((name, *path))} is {what}. Convert "
            "it (.astype(float)), or leave it out: argnums=(0, 1) checks the first two arguments only."
        )


def _as_float64(argument: Any) -> Any:
    """Return all floating-point arrays (of NumPy or JAX) as NumPy's, in float64. Numbers become floats."""

    def convert(leaf: Any) -> Any:
        if is_number(leaf):
            return float(leaf)
        return np.asarray(leaf).astype(np.float64) if is_floating(getattr(leaf, "dtype", None)) else leaf

    return tree.map(convert, argument)


def _replace_leaf(argument: Any, number: int, new: Any) -> Any:
    """Return the argument with one leaf, counted in order, replaced."""
    new_leaves = iter([new if i == number else leaf for i, leaf in enumerate(tree.leaves(argument))])
    return tree.map(lambda _: next(new_leaves), argument)


def _positions(argnums: int | Sequence[int] | None, count: int) -> tuple[int, ...]:
    chosen = range(count) if argnums is None else [argnums] if isinstance(argnums, int) else argnums
    for i in chosen:
        if not -count <= i < count:
            raise GradientError(f"argnums={argnums} asks for argument {i}, but there are {count}.")
    if not chosen:
        raise GradientError("check_gradient needs the arguments of the function: check_gradient(f, x, y).")
    return tuple(i % count for i in chosen)


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """Return the names of f's positional arguments, where they can be known."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    if isinstance(inspect.unwrap(f, stop=lambda g: isinstance(g, Primitive)), Primitive):
        parameters = parameters[1:]  # the array library
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"argument {i}" for i in range(count)]
