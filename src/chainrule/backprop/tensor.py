"""Tensors: arrays that remember how they were computed, and the backward pass over that memory.

A `Primitive` is one operation: a forward formula on plain arrays and, for each argument, a *rule* that turns
the gradient of the output into the gradient of that argument. Calling a primitive on a `Tensor` records a new
tensor that points to its arguments. The backward pass walks these pointers from the output to the inputs, newest
first (see backward.py), and adds up the gradients that arrive at a tensor from all its uses.

Derivatives nest (a gradient of a gradient): each `grad` in progress has a *level*. A primitive works on the
tensors of the highest level among its arguments and calls itself on their values, which may be tensors of a
lower level. The rules are written with primitives too, so they are recorded for the lower levels.
Level 0 records nothing: it marks values on which NumPy's functions should reach our primitives.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.engine.namespace import namespace
from chainrule.errors import GradientError, did_you_mean

Array = Any
Rule = Callable[..., Any]

_counter = itertools.count()

#: Operations by the name of NumPy's function; ops/ fills it.
table: dict[str, Callable[..., Any]] = {}

#: Functions in the table that are methods of arrays too.
METHODS = frozenset(
    "all any argmax argmin clip copy cumsum diagonal dot flatten max mean min prod ravel repeat round squeeze "
    "std sum swapaxes take trace var".split()
)


class _Context(threading.local):
    """What the thread is doing: the gradients in progress, and the layer that is being applied."""

    level = 0
    scope: tuple[str, ...] = ()
    marks: tuple[dict[str, Tensor], ...] = ()
    #: Tensors on the left of += and the like, by their index: NumPy would have changed them, here they stay.
    overwritten: dict[int, Tensor] | None = None

    def enter(self) -> int:
        """Begin a gradient: its level."""
        self.level += 1
        return self.level

    def leave(self) -> None:
        """End it."""
        self.level -= 1
        if self.level == 0:
            self.overwritten = None


context = _Context()


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Have tensors that are recorded inside carry ``name`` (of a layer) as part of their place in the network."""
    outer = context.scope
    context.scope = (*outer, name)
    try:
        yield
    finally:
        context.scope = outer


@contextlib.contextmanager
def collect_marks() -> Iterator[dict[str, Tensor]]:
    """Collect what `mark` names inside, as a dict from "layer/name" to the tensor, in order."""
    marks: dict[str, Tensor] = {}
    context.marks = (*context.marks, marks)
    try:
        yield marks
    finally:
        context.marks = context.marks[:-1]


def mark(x: Any, name: str) -> Any:
    """Give an intermediate value a name (``z``, ``a``) in the layer that is being applied, and return it.

    Whoever runs the network inside `collect_marks` can read the value and, after the backward pass, its
    gradient. Costs nothing otherwise.
    """
    if context.marks:
        context.marks[-1]["/".join((*context.scope, name))] = x
    return x


class Tensor:
    """An array that was recorded, with the primitive and the arguments that made it.

    Attributes
    ----------
    value
        The array (of NumPy or JAX), or a tensor of a lower level.
    level : int
        The gradient in progress that this tensor belongs to; 0 records nothing.
    primitive, args, kwargs
        How it was computed; ``primitive`` is None for an input.
    index : int
        Counts all tensors made: an argument always has a smaller index than its result.
    """

    __slots__ = ("args", "index", "kwargs", "level", "primitive", "scope", "value")
    __array_priority__ = 1000

    def __init__(
        self,
        value: Any,
        level: int = 0,
        primitive: Primitive | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.value = value
        self.level = level
        self.primitive = primitive
        self.args = args
        self.kwargs = kwargs or {}
        self.scope = context.scope
        self.index = next(_counter)

    def __repr__(self) -> str:
        origin = f" by {self.primitive.name}" if self.primitive else ""
        return f"Tensor({self.value!r}{origin})"

    @property
    def shape(self) -> tuple[int, ...]:
        return getattr(self.value, "shape", ())

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> Any:
        return self.value.dtype if hasattr(self.value, "dtype") else np.dtype(type(unwrap(self)))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("A tensor of shape () has no length.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        try:
            return bool(self.value)
        except Exception as problem:
            if "Tracer" not in type(problem).__name__:
                raise
            raise GradientError(
                "`if` needs a value that is known, but inside a compiled program values and continuous settings "
                "(annotated with float) are not. Choose with np.where(condition, a, b), or annotate a setting that "
                "decides on the structure with int or bool."
            ) from None

    # Operators and methods call the primitive of that name (see ops/); NumPy's functions do the same.

    def __add__(self, other: Any) -> Any:
        return table["add"](self, other)

    def __radd__(self, other: Any) -> Any:
        return table["add"](other, self)

    def __sub__(self, other: Any) -> Any:
        return table["subtract"](self, other)

    def __rsub__(self, other: Any) -> Any:
        return table["subtract"](other, self)

    def __mul__(self, other: Any) -> Any:
        return table["multiply"](self, other)

    def __rmul__(self, other: Any) -> Any:
        return table["multiply"](other, self)

    def __truediv__(self, other: Any) -> Any:
        return table["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return table["divide"](other, self)

    def __pow__(self, other: Any) -> Any:
        return table["power"](self, other)

    def __rpow__(self, other: Any) -> Any:
        return table["power"](other, self)

    def __matmul__(self, other: Any) -> Any:
        return table["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return table["matmul"](other, self)

    def __floordiv__(self, other: Any) -> Any:
        return table["floor_divide"](self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return table["floor_divide"](other, self)

    def __mod__(self, other: Any) -> Any:
        return table["remainder"](self, other)

    def __rmod__(self, other: Any) -> Any:
        return table["remainder"](other, self)

    # In place, as far as it is right: the name on the left gets a new tensor (see `_Context.overwritten`).

    def __iadd__(self, other: Any) -> Any:
        return self._replaced(self + other)

    def __isub__(self, other: Any) -> Any:
        return self._replaced(self - other)

    def __imul__(self, other: Any) -> Any:
        return self._replaced(self * other)

    def __itruediv__(self, other: Any) -> Any:
        return self._replaced(self / other)

    def __ipow__(self, other: Any) -> Any:
        return self._replaced(self**other)

    def __imatmul__(self, other: Any) -> Any:
        return self._replaced(self @ other)

    def _replaced(self, new: Any) -> Any:
        if self.level > 0 and self.shape:  # a number of NumPy is not changed by +=, either
            context.overwritten = context.overwritten or {}
            context.overwritten[self.index] = self
        return new

    def __lt__(self, other: Any) -> Any:
        return table["less"](self, other)

    def __le__(self, other: Any) -> Any:
        return table["less_equal"](self, other)

    def __gt__(self, other: Any) -> Any:
        return table["greater"](self, other)

    def __ge__(self, other: Any) -> Any:
        return table["greater_equal"](self, other)

    def __and__(self, other: Any) -> Any:
        return table["logical_and"](self, other)

    def __or__(self, other: Any) -> Any:
        return table["logical_or"](self, other)

    __rand__, __ror__ = __and__, __or__

    def __eq__(self, other: object) -> Any:
        return table["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        return table["not_equal"](self, other)

    def __neg__(self) -> Any:
        return table["negative"](self)

    def __pos__(self) -> Any:
        return table["positive"](self)

    def __abs__(self) -> Any:
        return table["absolute"](self)

    def __invert__(self) -> Any:
        return table["logical_not"](self)

    def __getitem__(self, key: Any) -> Any:
        return table["index"](self, key)

    @property
    def T(self) -> Any:
        return table["transpose"](self)

    def reshape(self, *shape: Any) -> Any:
        return table["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        return table["transpose"](self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any) -> Any:
        return table["astype"](self, dtype)

    def __getattr__(self, name: str) -> Any:
        """Return methods of an array that are functions of NumPy too: ``t.sum(axis=0)`` is ``np.sum(t, axis=0)``."""
        if name in METHODS:
            return functools.partial(table[name], self)
        raise AttributeError(
            f"A traced tensor has no {name!r}. It has the methods {', '.join(sorted(METHODS))}, "
            "reshape, transpose, astype, and takes NumPy's functions and those of cr.ops."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if kwargs.get("out") is not None:
            raise GradientError(
                f"A traced value cannot be written into a plain array (a += t, np.{name}(..., out=a)): its gradient "
                f"would be lost. Make a new array: a = a + t, or a = np.{name}(...)."
            )
        if method != "__call__":
            raise GradientError(
                f"np.{name}.{method} is not recorded; call np.{name}(...) plainly, or use a function of cr.ops."
            )
        return _reach(ufunc.__name__, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _reach(func.__name__, args, kwargs)

    __hash__ = object.__hash__

    # Leaving the graph silently would make a gradient wrong, so it is an error that says what to do.

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise GradientError(
            "A traced tensor cannot become a plain array: its gradient would be lost. Build arrays of tensors with "
            "np.stack or np.concatenate, read a plain array at traced positions with cr.ops.index(a, t), and look at "
            "the values with t.value."
        )

    def __float__(self) -> float:
        raise GradientError(
            "float(t) of a traced tensor would lose its gradient. Use NumPy's functions instead of math's "
            "(np.exp(t), not math.exp(t)); read the number with float(t.value)."
        )

    __int__ = __float__

    def __setitem__(self, key: Any, value: Any) -> None:
        raise GradientError(
            "A traced tensor cannot be written in place (t[i] = v). Build a new one: "
            "np.where(mask, v, t), np.concatenate([...]) or np.stack([...])."
        )


class Primitive:
    """One operation: a forward formula with its local derivatives beside it.

    Made with `primitive`. ``forward(xp, *args, **kwargs)`` gets the array library and plain arrays. Positional
    arguments may be differentiated; keyword arguments are settings.
    """

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward
        self.name = forward.__name__
        self.__name__ = self.name
        self.__doc__ = forward.__doc__
        self.__module__ = forward.__module__
        self.__wrapped__ = forward
        self.rules: tuple[Rule | None, ...] = ()
        #: The one rule for every argument, if the operation takes any number of arguments.
        self.variadic: Rule | None = None
        #: Whether a rule takes (y, *args) and gives dy/dx elementwise, or takes (g, y, *args).
        self.elementwise = False

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def derivatives(self, *rules: Rule | None) -> None:
        """Set the rules of an elementwise operation with broadcasting: dy/dx of each argument, from (y, *args)."""
        self.rules, self.elementwise = rules, True

    def gradients(self, *rules: Rule | None) -> None:
        """Set the rules of any operation: the gradient of each argument from (g, y, *args), g the output's gradient.

        An operation with any number of arguments has a single rule, made with `variadic`; it gets ``at=``, the
        argument's position.
        """
        self.rules = rules
        self.variadic = rules[0] if getattr(rules[0], "variadic", False) else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for v in kwargs.values():
            if isinstance(v, Tensor):
                args, kwargs = self._in_position(args, kwargs)
                break
        level = -1
        for a in args:
            if isinstance(a, Tensor) and a.level > level:
                level = a.level
        if level < 0:
            return self.forward(namespace(*args), *args, **kwargs)
        if context.overwritten is not None:
            _check_current(args)
        value = self(*values_at(args, level), **kwargs)
        if level == 0:
            return Tensor(value)
        return Tensor(value, level, self, args, kwargs)

    def _in_position(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Move arguments given by name to their position: only there a gradient flows to them."""
        bound = inspect.signature(self.forward).bind(np, *args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.kwargs.items():
            if isinstance(value, Tensor):
                raise GradientError(
                    f"{self.name}: {name}= is a setting, to which no gradient flows; got {value!r}. "
                    f"Give a plain number ({name}=t.value)."
                )
        return bound.args[1:], bound.kwargs

    def rule(self, position: int) -> Rule | None:
        """Return the rule for the argument at a position, or None if no gradient flows to it."""
        if self.variadic is not None:
            return functools.partial(self.variadic, at=position)
        return self.rules[position] if position < len(self.rules) else None


def primitive(forward: Callable[..., Any]) -> Primitive:
    """Make an operation from its forward formula; add ``.derivatives(...)`` or ``.gradients(...)`` below it.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.backprop import primitive
    >>> @primitive
    ... def cube(xp, x):
    ...     return x * x * x
    >>> cube.derivatives(lambda y, x: 3 * x * x)
    >>> cr.grad(cube)(2.0)
    12.0
    """
    return Primitive(forward)


def variadic(rule: Rule) -> Rule:
    """Mark a rule that serves every argument of an operation with any number of arguments (gets ``at=``)."""
    rule.variadic = True  # type: ignore[attr-defined]
    return rule


def values_at(args: tuple[Any, ...], level: int) -> list[Any]:
    """Return the arguments of a primitive as the level below sees them: tensors of the level by their values."""
    return [a.value if isinstance(a, Tensor) and a.level in (level, 0) else a for a in args]


def _check_current(args: tuple[Any, ...]) -> None:
    """Raise `GradientError` if a tensor is used that NumPy would have changed in place since."""
    if any(isinstance(a, Tensor) and a.index in (context.overwritten or {}) for a in args):
        raise GradientError(
            "A traced array that was changed in place (y += t, y *= t, ...) is used again by another name. NumPy would "
            "have changed it under all its names; a traced one stays, so the result would be another. Write y = y + t, "
            "and use y where you mean the new values."
        )


def _reach(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the operation that has the name of NumPy's function."""
    if name not in table:
        raise GradientError(
            f"np.{name} has no derivative here{did_you_mean(name, table)} "
            "Make one with chainrule.backprop.primitive, or compute it outside of the gradient."
        )
    try:
        return table[name](*args, **kwargs)
    except TypeError as problem:
        raise GradientError(
            f"np.{name} on a traced tensor does not take these arguments ({problem}). "
            f"Use cr.ops.{name}; see help(cr.ops.{name})."
        ) from problem


def unwrap(x: Any) -> Any:
    """Return the plain array inside a tensor of any level."""
    while isinstance(x, Tensor):
        x = x.value
    return x


def shape(x: Any) -> tuple[int, ...]:
    """Return the shape of an array, a tensor or a number."""
    return getattr(x, "shape", ())
