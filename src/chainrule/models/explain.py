"""One pass forward and backward of one row, number by number: `Model.explain` gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import activations, tree
from chainrule.activations import Activation
from chainrule.backprop import Tensor
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.backprop.check import GradientCheck, check_gradient
from chainrule.display.numbers import number
from chainrule.display.text_table import text_table
from chainrule.errors import ShapeError
from chainrule.layers import Average, Concat, Conv2D, Dense, Residual, Sequential
from chainrule.models.linear_terms import Terms, bias_terms, index_of, linear_terms, passed_back, weight_terms
from chainrule.models.pass_html import pass_html
from chainrule.models.places import SHAPING, Place, activation_of, places
from chainrule.models.stage import Stage

Array = Any

#: Networks with more parameters have this many of each array compared with central differences.
ALL_PARAMETERS, OF_EACH = 2000, 64

#: What has no formula of its own in the lectures.
FROM_THE_GRAPH = "from the graph"


@dataclass(frozen=True, eq=False, repr=False)
class Pass:
    """One pass of one row (`Model.explain`): its stages from the input to the last gradient, and what checks them.

    Attributes
    ----------
    stages : in the order in which they are computed
    cost : the cost of the row
    check : the gradients beside central differences, every value that was compared
    ties : so many z are exactly 0 before an activation with a corner there, such as ReLU: for the parameters that move
        them a difference averages both sides of the corner, so it may differ from the gradient without a mistake
    """

    stages: tuple[Stage, ...]
    cost: float
    check: GradientCheck
    ties: int = 0

    @property
    def checked(self) -> int:
        """The number of parameters that were compared with central differences."""
        return sum(row.checked for row in self.check.rows)

    def __getitem__(self, at: int) -> Stage:
        return self.stages[at]

    def __len__(self) -> int:
        return len(self.stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __repr__(self) -> str:
        rows = [("step", "layer", "equation", "shape", "largest")]
        for stage in self.stages:
            value = np.asarray(stage.value)
            largest = number(float(value.flat[np.abs(value).argmax()])) if value.size else ""
            rows.append((stage.kind, stage.layer, stage.equation, str(value.shape), largest))
        return f"{text_table(rows, left=(0, 1, 2, 3))}\n{self.check!r}"

    def _repr_html_(self) -> str:
        """Return the pass for a notebook: its stages to open, each with numbers, the terms of a sum, and the check."""
        return pass_html(self.stages, self.check, self.ties)


def explain(net: Sequential, cost: Callable[..., Any], params: Any, x: Array, y: Array) -> Pass:
    """Return the pass of one row, of inputs and targets as the network gets them, in float64 (`Model.explain`).

    ``cost`` is what `Model.cost_of` gives with ``train=False``.
    """
    if len(x) != 1:
        raise ShapeError(f"One row is explained at a time, and there are {len(x)}: give x[i : i + 1], y[i : i + 1].")
    value, _, gradients, marks = value_grad_and_marks(cost, params, Tensor(x), Tensor(y))
    total = sum(leaf.size for leaf in tree.leaves(params))
    check = check_gradient(
        lambda params: cost(params, Tensor(x), Tensor(y))[0],
        params,
        samples=None if total <= ALL_PARAMETERS else OF_EACH,
        keep=True,
    )
    stages = _Stages(net, params, x, y, float(value), gradients, marks)
    return Pass((*stages.forward(), *stages.backward()), float(value), check, stages.ties())


class _Stages:
    """What is computed, and how, in the order of the pass."""

    def __init__(
        self, net: Sequential, params: Any, x: Array, y: Array, cost: float, gradients: Any, marks: dict[str, Any]
    ) -> None:
        self.params, self.x, self.y, self.cost, self.gradients, self.marks = params, x, y, cost, gradients, marks
        self.places = list(places(net))
        self.last = next((place for place in reversed(self.places) if not isinstance(place.layer, SHAPING)), None)

    def forward(self) -> Iterator[Stage]:
        """Yield input, z and a of each layer, and the cost."""
        yield Stage("", "input", "x", self.x[0])
        for place in self.places:
            layer, name = place.layer, place.name
            if isinstance(layer, SHAPING):
                continue
            if f"{name}/z" not in self.marks:
                yield Stage(name, "output", FROM_THE_GRAPH, self.marks[f"{name}/output"][0][0])
                continue
            values = self._parameters(name)
            if isinstance(layer, Dense | Conv2D) and "weight" in values:
                inputs = self._input(place)
                terms = linear_terms(layer, values, inputs)
                symbol = "∗" if isinstance(layer, Conv2D) else "·"
                source = "x" if inputs is self.x else "a"
                equation = f"z = {source} {symbol} W{' + b' if 'bias' in values else ''}"
                yield Stage(name, "z", equation, self.marks[f"{name}/z"][0][0], terms)
            else:
                yield Stage(name, "z", FROM_THE_GRAPH, self.marks[f"{name}/z"][0][0])
            function = activation_of(layer)
            equation = (
                FROM_THE_GRAPH if function is None else "a = z" if _is_linear(function) else f"a = {function.name}(z)"
            )
            yield Stage(name, "a", equation, self.marks[f"{name}/a"][0][0])
        yield Stage("", "cost", "C(a, y)", np.asarray(self.cost))

    def backward(self) -> Iterator[Stage]:
        """Yield δ and the gradients of each layer, from the last to the first."""
        for place in reversed(self.places):
            delta = self.marks.get(f"{place.name}/z", (None, None))[1]
            if delta is not None:
                yield self._delta(place, delta)
            elif f"{place.name}/z" not in self.marks and not isinstance(place.layer, SHAPING):
                reached = self.marks[f"{place.name}/output"][1]
                if reached is not None:
                    yield Stage(place.name, "gradient", "∂C/∂output, from the graph", reached[0])
            yield from self._of_parameters(place, delta)

    def _delta(self, place: Place, delta: Array) -> Stage:
        """Return the stage of a layer's δ = ∂C/∂z."""
        name, function = place.name, activation_of(place.layer)
        z, (a, reached) = self.marks[f"{name}/z"][0], self.marks[f"{name}/a"]
        kind = "BP1" if place is self.last else "BP2"
        if kind == "BP1" and reached is None:  # the loss takes z, and its rule for the pair is a - y
            target = _one_hot(self.y, a)
            equal = np.allclose(a - target, delta, rtol=1e-9, atol=1e-12)
            if not equal:
                return Stage(name, kind, f"δ {FROM_THE_GRAPH}", delta[0])

            def difference(*at: Any) -> Terms:
                return Terms(("a", "−y"), [[a[0][index_of(at)]], [-target[0][index_of(at)]]])

            return Stage(name, kind, "δ = a − y", delta[0], difference)
        if function is None or reached is None or not function.elementwise or function.pieces != 1:
            return Stage(name, kind, f"δ {FROM_THE_GRAPH}", delta[0])
        slope = function.derivative(z, self._parameters(name))
        following = self._only_reader(place)
        if following is not None and isinstance(following.layer, Dense) and delta.ndim == 2:
            behind = self.marks[f"{following.name}/z"][1]
            weight = self._parameters(following.name)["weight"]
            return Stage(name, kind, "δ = (W δ′) ⊙ f′(z)", delta[0], passed_back(weight, behind[0], slope[0]))
        equation = "δ = ∂C/∂a ⊙ f′(z)"

        def product(*at: Any) -> Terms:
            return Terms(("∂C/∂a · f′(z)",), [[reached[0][index_of(at)], slope[0][index_of(at)]]])

        return Stage(name, kind, equation, delta[0], product)

    def _of_parameters(self, place: Place, delta: Array | None) -> Iterator[Stage]:
        """Yield the stages of the gradients of a layer's parameters."""
        layer, name = place.layer, place.name
        gradients = dict(self._nested(self.gradients, name))
        if isinstance(layer, Residual | Concat | Average):  # those of the layers inside have stages of their own
            gradients = {"shortcut": gradients["shortcut"]} if "shortcut" in gradients else {}
        if isinstance(layer, Dense | Conv2D) and delta is not None:
            if "bias" in gradients:
                yield Stage(
                    name,
                    "BP3",
                    "∂C/∂b = δ" if delta.ndim == 2 else "∂C/∂b = Σ δ",
                    gradients.pop("bias"),
                    bias_terms(delta[0]),
                )
            if "weight" in gradients:
                source = self._input(place)
                conv = isinstance(layer, Conv2D)
                yield Stage(
                    name,
                    "BP4",
                    "∂C/∂W = x ∗ δ" if conv else "∂C/∂W = a δ",
                    gradients.pop("weight"),
                    weight_terms(layer, self._parameters(name), source, delta),
                )
        for path, gradient in tree.leaves_with_path(gradients):
            yield Stage(name, "gradient", f"∂C/∂{'.'.join(path)}, from the graph", gradient)

    def ties(self) -> int:
        """Count the values z at a corner of their activation."""
        count = 0
        for place in self.places:
            function, name = activation_of(place.layer), place.name
            if function is not None and function.elementwise and function.pieces == 1 and f"{name}/z" in self.marks:
                left, right = (function.derivative(np.full((1, 1), z), self._parameters(name)) for z in (-1e-9, 1e-9))
                corner = np.abs(np.asarray(left) - np.asarray(right)).max() > 1e-3
                count += int((np.asarray(self.marks[f"{name}/z"][0]) == 0).sum()) if corner else 0
        return count

    def _only_reader(self, place: Place) -> Place | None:
        """Return the one layer that takes a layer's output as it is, behind those that only shape; else None."""
        output = f"{place.name}/output"
        readers = [other for other in self.places if other.source == output]
        while len(readers) == 1 and isinstance(readers[0].layer, SHAPING):
            output = f"{readers[0].name}/output"
            readers = [other for other in self.places if other.source == output]
        return readers[0] if len(readers) == 1 else None

    def _input(self, place: Place) -> Array:
        """Return what a layer gets."""
        return self.marks[place.source][0] if place.source else self.x

    def _parameters(self, name: str) -> Any:
        return self._nested(self.params, name)

    @staticmethod
    def _nested(values: Any, name: str) -> Any:
        """Return the part of a tree that belongs to a layer."""
        for key in name.split("/"):
            values = values.get(key, {})
        return values


def _is_linear(function: Activation) -> bool:
    return function == activations.get(None)


def _one_hot(y: Array, a: Array) -> Array:
    """Return the target of a row in the shape of its outputs."""
    y = np.asarray(y)
    if y.shape == a.shape:
        return y.astype(np.float64)
    return np.eye(a.shape[-1])[y.astype(int)] if a.shape[-1] > 1 else y.astype(np.float64)[..., None]
