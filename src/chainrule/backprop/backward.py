"""The backward pass, and the gradients that users ask for: `grad` and `value_and_grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import ops
from chainrule.backprop.ops.shaping import sum_to_shape
from chainrule.backprop.tensor import Tensor, collect_marks, context, shape, unwrap, values_at
from chainrule.engine.namespace import namespace
from chainrule.errors import GradientError


def reachable(output: Tensor) -> list[Tensor]:
    """Return all tensors of the output's level that it was computed from, newest first (no recursion)."""
    tensors = {output.index: output}
    stack = [output]
    while stack:
        for a in stack.pop().args:
            if isinstance(a, Tensor) and a.level == output.level and a.index not in tensors:
                tensors[a.index] = a
                stack.append(a)
    return [tensors[i] for i in sorted(tensors, reverse=True)]


def backward(output: Tensor, seed: Any, *, keep: bool) -> dict[int, Any]:
    """Return the gradient of ``output`` for its inputs (``keep``: for every tensor), by the tensor's index.

    The chain rule, newest tensor first: when a tensor's turn comes, the gradients from all its uses have been
    added up. Nothing is stored on the tensors, so a second call gives the same result.
    """
    gradients: dict[int, Any] = {output.index: seed}
    take = gradients.get if keep else gradients.pop
    for node in reachable(output):
        if node.primitive is None or (g := take(node.index, None)) is None:
            continue
        plain = values_at(node.args, node.level)
        for position, a in enumerate(node.args):
            if isinstance(a, Tensor) and a.level == output.level:
                contribution = _to_argument(position, g, node, plain)
                if contribution is g and a.primitive is None:
                    contribution = ops.positive(g)  # a copy: what users get shares no memory
                if contribution is not None:
                    before = gradients.get(a.index)
                    gradients[a.index] = contribution if before is None else before + contribution
    return gradients


def _to_argument(position: int, g: Any, node: Tensor, plain: list[Any]) -> Any:
    """Return the gradient that one argument of a recorded tensor receives, in the argument's shape and data type.

    ``plain`` are the values of all its arguments.
    """
    assert node.primitive is not None
    rule = node.primitive.rule(position)
    if rule is None:
        return None
    want = getattr(plain[position], "dtype", None)
    if want is not None and want.kind in "biu":
        return None  # truth values and integers (a comparison, a position) do not change continuously
    if node.primitive.elementwise:
        local = rule(node.value, *plain, **node.kwargs)
        if not isinstance(local, int) or local != 1:  # a derivative of 1 costs nothing
            g = -g if isinstance(local, int) and local == -1 else g * local
        g = sum_to_shape(g, shape(plain[position]))
    else:
        g = rule(g, node.value, *plain, **node.kwargs)
    # Float32 weights on float64 data keep float32 gradients.
    have = getattr(g, "dtype", None)
    return g if want is None or have is None or want == have else ops.astype(g, want)


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns f's value and its gradient with respect to chosen arguments.

    Parameters
    ----------
    f
        Returns a single number (an array of shape ()), or with ``has_aux`` a pair of that and anything else.
        Written with operators, NumPy's functions and those of `cr.ops`.
    argnums
        The position of the argument, or several. An argument may be a number, an array, or any nesting of
        dict, list and tuple of them; its gradient has the same nesting.
    has_aux
        Return ``((value, aux), gradient)``.

    Raises
    ------
    GradientError
        If f's value is not a single number, or an argument is not made of floating-point numbers.

    Example
    -------
    >>> import chainrule as cr
    >>> f = lambda x, y, z: (x + y) * (y - z)
    >>> cr.value_and_grad(f, argnums=(0, 1, 2))(2.0, 1.0, 0.0)
    (3.0, (1.0, 4.0, -3.0))

    Source: lecture 003, "Backpropagation": the computational graph and its local derivatives.
    """
    several = not isinstance(argnums, int)
    chosen = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)

    @functools.wraps(f, assigned=("__name__", "__doc__"), updated=())
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for i in chosen:
            if not -len(args) <= i < len(args):
                raise GradientError(
                    f"argnums={argnums} asks for argument {i}, but the function was called with "
                    f"{len(args)} positional argument{'s' if len(args) != 1 else ''}."
                )
        value, aux, gradients, _ = _differentiate(f, args, kwargs, chosen, has_aux)
        answer = tuple(gradients) if several else gradients[0]
        return ((value, aux) if has_aux else value), answer

    return wrapped


def value_grad_and_marks(f: Callable[..., Any], *args: Any) -> tuple[Any, Any, Any, dict[str, tuple[Any, Any]]]:
    """Run ``f(*args) -> (value, aux)`` and return value, aux, the gradient of the first argument, and the marks.

    The marks are the intermediate values that layers named with `mark`, as {"layer/name": (value, gradient)} in
    the order of the forward pass; the gradient is None where none flows.
    """
    with collect_marks() as tensors:
        value, aux, (gradient,), gradients = _differentiate(f, args, {}, (0,), True)
    level = context.level + 1
    marks = {
        name: (_lower(t, level), gradients.get(t.index) if isinstance(t, Tensor) else None)
        for name, t in tensors.items()
    }
    return value, aux, gradient, marks


def _differentiate(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], chosen: tuple[int, ...], has_aux: bool
) -> tuple[Any, Any, list[Any], dict[int, Any]]:
    """Record f, run backward: value, aux, the gradient of each chosen argument, and all gradients by index."""
    level = context.enter()
    try:
        positions = {i % len(args) for i in chosen}
        inputs = [
            tree.map(functools.partial(_input, level=level, argument=i), a) if i in positions else _constants(a)
            for i, a in enumerate(args)
        ]
        result = f(*inputs, **{name: _constants(a) for name, a in kwargs.items()})
        if has_aux and not (isinstance(result, tuple | list) and len(result) == 2):
            raise GradientError(
                f"With has_aux=True the function must return a pair (value, aux); it returned {result!r}."
            )
        value, aux = result if has_aux else (result, None)
        gradients = _gradients_of(value, level, keep=bool(context.marks))  # marks are read afterwards
    except ValueError as error:
        # NumPy says "setting an array element with a sequence" where a traced number is put into a plain array.
        if isinstance(error.__cause__, GradientError):
            raise GradientError(
                "A traced value cannot be written into a plain array (a[i] = t): its gradient would be lost. Build the "
                "array of tensors: np.stack([...]), np.concatenate([...]) or np.where(mask, t, a)."
            ) from None
        raise
    finally:
        context.leave()
    chosen_gradients = [tree.map(functools.partial(_gradient_of_input, gradients), inputs[i], args[i]) for i in chosen]
    return _lower(value, level), tree.map(functools.partial(_lower, level=level), aux), chosen_gradients, gradients


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that returns the gradient of f; see `value_and_grad`.

    Gradients nest: ``cr.grad(cr.grad(f))`` is the second derivative. With ``has_aux`` it returns
    ``(gradient, aux)``.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.grad(lambda w: w**2)(3.0), cr.grad(cr.grad(lambda w: w**3))(2.0)
    (6.0, 12.0)
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f, assigned=("__name__", "__doc__"), updated=())
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def _input(leaf: Any, level: int, argument: int) -> Tensor:
    """Start recording at an input."""
    if isinstance(leaf, bool) or not (isinstance(leaf, int | float | Tensor) or hasattr(leaf, "dtype")):
        raise GradientError(
            f"A gradient needs numbers; argument {argument} contains {leaf!r} ({type(leaf).__name__}). "
            "Pass arrays (np.asarray(x, float)), or leave this argument out of argnums."
        )
    if hasattr(leaf, "dtype") and not is_floating(leaf.dtype):
        raise GradientError(
            f"A gradient needs floating-point numbers; argument {argument} contains an array of {leaf.dtype}. "
            "Convert it with .astype(float), or leave this argument out of argnums."
        )
    return Tensor(float(leaf) if isinstance(leaf, int) else leaf, level)


def is_floating(dtype: Any) -> bool:
    """Return whether a gradient can flow to values of a data type."""
    return getattr(dtype, "kind", "") == "f" or str(dtype) == "bfloat16"


def _constants(argument: Any) -> Any:
    """Return what is not differentiated. Arrays of JAX become tensors, so that NumPy's functions take them
    inside jit.
    """
    if isinstance(argument, np.ndarray | Tensor) or namespace(*tree.leaves(argument)) is np:
        return argument
    return tree.map(lambda a: Tensor(a) if namespace(a) is not np and is_floating(a.dtype) else a, argument)


def _gradients_of(value: Any, level: int, *, keep: bool) -> dict[int, Any]:
    if shape(value) != ():
        raise GradientError(
            f"A gradient is defined for a function that returns one number; it returned shape {shape(value)}. "
            "Add up or average the result, for example with np.sum(...) or np.mean(...)."
        )
    if not isinstance(value, Tensor):
        if not isinstance(unwrap(value), int | float) and not hasattr(value, "dtype"):
            raise GradientError(f"The function must return a number, it returned {value!r}.")
        return {}  # does not depend on the inputs
    if value.level != level:
        return {}
    return backward(value, _one_like(value.value), keep=keep)


def _one_like(value: Any) -> Any:
    plain = unwrap(value)
    return namespace(plain).ones((), plain.dtype) if hasattr(plain, "dtype") else 1.0


def _gradient_of_input(gradients: dict[int, Any], tensor: Tensor, argument: Any) -> Any:
    g = gradients.get(tensor.index)
    if g is None:  # no path leads from the output to this input
        g = 0.0 if isinstance(argument, int | float) else ops.zeros_like(argument)
    if isinstance(g, np.ndarray) and not g.flags.owndata:
        g = g.copy()  # a view may be read-only, or share its memory with another gradient
    return _number(g) if isinstance(argument, int | float) else g


def _lower(x: Any, level: int) -> Any:
    """Return the value of a tensor of this level; anything else as it is. Plain numbers stay plain."""
    while isinstance(x, Tensor) and x.level in (level, 0):
        x = x.value
    return _number(x)


def _number(x: Any) -> Any:
    """Turn NumPy's float64 scalars into Python's floats."""
    return float(x) if isinstance(x, np.float64) else x
