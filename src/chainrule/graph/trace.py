"""`trace`: the computational graph of a function, with the value and the gradient at every node."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import ops
from chainrule.backprop.backward import (
    _constants,
    _gradient_of_input,
    _gradients_of,
    _input,
    _lower,
    _to_argument,
    is_floating,
    reachable,
)
from chainrule.backprop.tensor import Primitive, Tensor, collect_marks, context, shape, unwrap, values_at
from chainrule.errors import GradientError
from chainrule.files import write_atomic
from chainrule.graph import text
from chainrule.graph.node import Node
from chainrule.graph.values import summary

SMALL = 16  # up to so many values, a node keeps its local derivatives


@dataclass(frozen=True, eq=False)
class Graph:
    """A computational graph, made by `trace`. ``print`` it, or draw it with `to_html` and `to_dot`.

    Attributes
    ----------
    nodes : list of Node
        In order of computation: every input, and all that the result was computed from.
    output : Node
        The node of the result.
    value
        The result.
    gradients
        One entry per argument, in the nesting of the arguments, as `value_and_grad` gives them; None for what
        is not differentiated. Without the tuple if ``argnums`` is one number; None with ``gradient=False``.
    name : str
        The function's name.
    """

    nodes: list[Node]
    output: Node
    value: Any
    gradients: Any
    name: str = ""

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes with the result {summary(self.value)}>"

    def __str__(self) -> str:
        return text.table(self.nodes, self._headline)

    def to_dot(self) -> str:
        """Return the graph in Graphviz's language, with the layers as clusters.

        >>> import chainrule as cr
        >>> print(cr.trace(lambda x: x + 1.0)(2.0).to_dot().splitlines()[0])
        digraph "computational graph" {
        """
        return text.dot(self.nodes, backward=self.gradients is not None)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return a page with the graph as a picture: in each box its value and its gradient. Works offline.

        Returns the page, and writes it to ``path`` if given. A layer is one box that leads to a picture of its
        inside; every box leads to all of its numbers, in the list below. It needs no scripts. A graph of layers
        goes from top to bottom, another from left to right where it is up to 900 px wide. Above 400 boxes,
        operations in a row are folded into one; above 2,000 nodes the insides are left out, and the page says so.

        >>> import chainrule as cr
        >>> page = cr.trace(lambda x: x + 1.0)(2.0).to_html()
        >>> "<svg" in page and "<script" not in page
        True
        """
        from chainrule.graph.html import page

        content = page(*self._picture)
        if path is not None:
            write_atomic(path, content)
        return content

    def _repr_html_(self) -> str:
        from chainrule.graph.html import fragment

        return fragment(*self._picture)

    @property
    def _headline(self) -> str:
        return text.headline(self.nodes, self.output, self.name)

    @property
    def _picture(self) -> tuple[list[Node], Node, str, bool]:
        """What `chainrule.graph.html` draws."""
        return self.nodes, self.output, self._headline, self.gradients is not None


def trace(
    f: Callable[..., Any], argnums: int | Sequence[int] | None = None, gradient: bool = True
) -> Callable[..., Graph]:
    """Return a function that returns the computational graph of f at the arguments it is called with.

    Parameters
    ----------
    f
        Returns a single number, or any array with ``gradient=False``. Written as for `value_and_grad`.
    argnums
        The positions of the arguments that are the graph's inputs, all positional arguments by default. They
        may be nested as for `value_and_grad`. By default, what can have no gradient (text, integer arrays) is
        a constant; when named in ``argnums`` it is an error. Keyword arguments are constants.
    gradient
        Run the backward pass too. Without it, the graph has the forward values alone.

    Raises
    ------
    GradientError
        If f's value is not a single number (and ``gradient`` is true), if a chosen argument is not made of
        floating-point numbers, or inside of ``jax.jit`` and ``jax.vmap``, where values are not known.

    Example
    -------
    >>> import chainrule as cr
    >>> def f(x, y, z):
    ...     return (x + y) * (y - z)
    >>> g = cr.trace(f)(2.0, 1.0, 0.0)
    >>> g.value, g.gradients
    (3.0, (1.0, 4.0, -3.0))
    >>> print(g)
    Computational graph of f: 6 nodes, the result is #5.
    #  node              shape  value  gradient  local derivatives
    0  input x           ()     2      1
    1  input y           ()     1      4
    2  input z           ()     0      -3
    3  add(#0, #1)       ()     3      1         #0: 1, #1: 1
    4  subtract(#1, #2)  ()     1      3         #1: 1, #2: -1
    5  multiply(#3, #4)  ()     3      1         #3: 1, #4: 3

    y is used twice, so its gradient is the sum over both ways: 1·1 + 3·1 = 4.

    Source: lecture 003, "Backpropagation in computational graph".
    """

    @functools.wraps(f, assigned=("__name__", "__doc__"), updated=())
    def wrapped(*args: Any, **kwargs: Any) -> Graph:
        chosen = _positions(argnums, len(args))
        names = _argument_names(f, len(args))
        labels = [_labels(name, a) for name, a in zip(names, args, strict=True)]
        level = context.enter()
        try:
            inputs = [_constants(a) for a in args]
            for i in chosen:
                start = functools.partial(_start, level=level, argument=i, lenient=argnums is None)
                inputs[i] = tree.map(start, args[i])
            with collect_marks() as marks:
                result = f(*inputs, **{name: _constants(a) for name, a in kwargs.items()})
            if context.marks:  # somebody outside collects too
                context.marks[-1].update(marks)
            if gradient and shape(result) != ():
                raise GradientError(
                    f"A gradient is defined for a function that returns one number; it returned shape "
                    f"{shape(result)}. Sum or average the result, for example with np.mean(...), or look at "
                    "the forward values alone with cr.trace(f, gradient=False)."
                )
            if not gradient and not (isinstance(result, Tensor | int | float) or hasattr(result, "dtype")):
                raise GradientError(
                    f"trace needs a function that returns one number or one array; it returned a "
                    f"{type(result).__name__}. Return the part to look at: cr.trace(lambda *a: f(*a)[0])."
                )
            gradients = _gradients_of(result, level, keep=True) if gradient else None
        finally:
            context.leave()
        builder = _Builder(level, gradients, marks)
        builder.name(inputs, labels)
        builder.name(list(kwargs.values()), [_labels(name, a) for name, a in kwargs.items()])
        output = builder.build(result)
        of_arguments = None
        if gradients is not None:
            several = [_gradients_like(gradients, inputs[i], args[i]) for i in chosen]
            of_arguments = several[0] if isinstance(argnums, int) else tuple(several)
        name = getattr(f, "__name__", type(f).__name__)
        return Graph(builder.nodes, output, _lower(result, level), of_arguments, "" if name == "<lambda>" else name)

    return wrapped


class _Builder:
    """Turns tensors into nodes, in order of computation."""

    def __init__(self, level: int, gradients: dict[int, Any] | None, marks: dict[str, Tensor]) -> None:
        self.level = level
        self.gradients = gradients
        self.nodes: list[Node] = []
        self.inputs: list[Tensor] = []
        self.labels: dict[int, str] = {}  # of inputs and marked values, by the tensor's index
        self.array_labels: dict[int, str] = {}  # of arguments that are constants, by id
        self.place: dict[int, int] = {}  # of tensors, by index
        self.place_of_array: dict[int, int] = {}  # of constant arrays, by id
        self.alive: list[Any] = []  # so that the ids stay theirs
        for name, marked in marks.items():
            x: Any = marked
            while isinstance(x, Tensor) and x.level != level:
                x = x.value
            if isinstance(x, Tensor):
                label = name.rsplit("/", 1)[-1]  # a value may be marked twice: z and a of a linear layer
                names = self.labels[x.index].split(", ") if x.index in self.labels else []
                self.labels[x.index] = ", ".join(dict.fromkeys([*names, label]))

    def name(self, arguments: list[Any], labels: list[Any]) -> None:
        """Remember which tensors are inputs, and what arguments are called."""
        for leaf, label in zip(tree.leaves(arguments), tree.leaves(labels), strict=True):
            if isinstance(leaf, Tensor) and leaf.level == self.level:
                self.inputs.append(leaf)
                self.labels[leaf.index] = label
            elif hasattr(leaf, "dtype"):
                self.array_labels[id(unwrap(leaf))] = label
                self.alive.append(leaf)

    def build(self, result: Any) -> Node:
        """Make all nodes and return that of the result."""
        traced = isinstance(result, Tensor) and result.level == self.level
        tensors = {t.index: t for t in (*self.inputs, *(reachable(result) if traced else ()))}
        for i in sorted(tensors):
            self._add_tensor(tensors[i])
        return self.nodes[self.place[result.index] if traced else self._add_constant(result)]

    def _add_tensor(self, t: Tensor) -> None:
        # (position, node) of each argument; None (a clip without a limit) is not drawn.
        edges = [(p, self._place_of(a)) for p, a in enumerate(t.args) if a is not None]
        value = _known(t.value)
        gradients = self.gradients or {}
        local, contributions = [], []
        plain = values_at(t.args, t.level)
        with np.errstate(all="ignore"):
            for p, _ in edges:
                flows = self._is_ours(t.args[p]) and _is_floating(t.args[p])
                local.append(_local_derivative(t, p) if flows else None)
                back = _to_argument(p, gradients[t.index], t, plain) if flows and t.index in gradients else None
                contributions.append(_plain(back))
        self.place[t.index] = self._append(
            value,
            op=t.primitive.name.lstrip("_") if t.primitive else "input",
            label=self.labels.get(t.index, ""),
            inputs=tuple(i for _, i in edges),
            gradient=self._gradient(t, value),
            local=tuple(local),
            contributions=tuple(contributions),
            scope=t.scope,
            settings=t.kwargs,
            formula=_formula(t.primitive),
        )

    def _add_constant(self, a: Any) -> int:
        value = _known(a)
        label = self.array_labels.get(id(unwrap(a))) or summary(value)
        return self._append(value, op="constant", label=label, inputs=())

    def _append(self, value: Any, **rest: Any) -> int:
        dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
        self.nodes.append(Node(index=len(self.nodes), shape=shape(value), dtype=dtype, value=value, **rest))
        return len(self.nodes) - 1

    def _place_of(self, a: Any) -> int:
        if self._is_ours(a):
            return self.place[a.index]
        if not hasattr(a, "dtype"):
            return self._add_constant(a)  # each use of a number is a node of its own
        array = unwrap(a)
        if id(array) not in self.place_of_array:
            self.place_of_array[id(array)] = self._add_constant(array)
            self.alive.append(array)
        return self.place_of_array[id(array)]

    def _is_ours(self, a: Any) -> bool:
        return isinstance(a, Tensor) and a.level == self.level

    def _gradient(self, t: Tensor, value: Any) -> Any:
        if self.gradients is None or not _is_floating(value):
            return None
        if t.primitive is not None and t.index not in self.gradients:
            return None  # it is behind an operation that lets no gradient through
        return _plain(_gradient_of_input(self.gradients, t, value))


def _local_derivative(t: Tensor, position: int) -> Any:
    """Return dy/dx of an elementwise operation for one of its arguments, in the shape of y."""
    assert t.primitive is not None
    rule = t.primitive.rule(position)
    if rule is None or not t.primitive.elementwise or t.size > SMALL:
        return None
    local = np.asarray(unwrap(rule(unwrap(t.value), *(unwrap(a) for a in t.args), **t.kwargs)), float)
    full = np.broadcast_to(local, t.shape)
    return float(full) if t.shape == () else full


def _plain(x: Any) -> Any:
    """Return the array inside; NumPy's float64 scalars as Python's floats."""
    x = unwrap(x)
    return float(x) if isinstance(x, np.float64) else x


def _known(x: Any) -> Any:
    """Return the plain array, or an error if JAX knows its shape only."""
    x = _plain(x)
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(x, jax.core.Tracer):
        raise GradientError(
            "trace shows the value at every node, but inside of jax.jit, jax.vmap and lax.scan values are "
            "not known. Call cr.trace(f)(...) outside, on plain arrays."
        )
    return x


def _is_floating(x: Any) -> bool:
    return is_floating(x.dtype) if hasattr(x, "dtype") else isinstance(x, float)


def _formula(p: Primitive | None) -> str:
    """Return the first line of the operation's docstring."""
    if p is None:
        return ""
    description = p.__doc__ or getattr(getattr(ops, p.name.lstrip("_"), None), "__doc__", None) or ""
    return description.strip().split("\n")[0]


def _start(leaf: Any, level: int, argument: int, lenient: bool) -> Any:
    """Return an input; what cannot be one stays as it is, if lenient."""
    _known(leaf)
    try:
        return _input(leaf, level, argument)
    except GradientError:
        if lenient:
            return leaf
        raise


def _gradients_like(gradients: dict[int, Any], inputs: Any, arguments: Any) -> Any:
    def one(leaf: Any, argument: Any) -> Any:
        return _gradient_of_input(gradients, leaf, argument) if isinstance(leaf, Tensor) else None

    return tree.map(one, inputs, arguments)


def _positions(argnums: int | Sequence[int] | None, count: int) -> tuple[int, ...]:
    if argnums is None:
        return tuple(range(count))
    chosen = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
    for i in chosen:
        if not -count <= i < count:
            raise GradientError(
                f"argnums={argnums} asks for argument {i}, but the function was called with "
                f"{count} positional argument{'s' if count != 1 else ''}."
            )
    return tuple(i % count for i in chosen)


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the first positional parameters, from the signature."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # some functions written in C have none
        parameters = []
    if isinstance(f, Primitive):
        parameters = parameters[1:]  # the array library
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "arguments")
    return names + [f"{rest}[{i}]" for i in range(count - len(names))]


def _labels(name: str, argument: Any) -> Any:
    """Return the path to every leaf, as Python would write it, in the nesting of the argument."""
    if isinstance(argument, dict):
        return {k: _labels(f"{name}[{k!r}]", v) for k, v in argument.items()}
    if isinstance(argument, tuple) and hasattr(argument, "_fields"):
        return [_labels(f"{name}.{k}", v) for k, v in zip(argument._fields, argument, strict=True)]
    if isinstance(argument, list | tuple):
        return [_labels(f"{name}[{i}]", v) for i, v in enumerate(argument)]
    return name if argument is not None else None
