"""What one forward and backward pass leaves to see: `Model.backprop` gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.errors import unknown_name
from chainrule.graph.trace import Graph, trace

Array = Any


class PerLayer(dict[str, Array]):
    """One array per layer, by the layer's name or by its number: ``delta["dense_2"]``, ``delta[-1]``."""

    def __missing__(self, key: str) -> Array:
        raise unknown_name("layer", key, self)

    def __getitem__(self, key: str | int) -> Array:
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


@dataclass(frozen=True)
class BackpropResult:
    """One forward and backward pass (BP1–BP4 of lecture 003), as `Model.backprop` returns it.

    Attributes
    ----------
    loss : float
        The mean cost of the samples.
    z, a, delta : arrays (batch, …) for each layer
        Before and after the activation, and δ = ∂C_x/∂z with C_x the cost of the sample itself. By the layer's
        name or its number: ``pass_.delta["dense_2"]``, ``pass_.delta[-1]`` (δᴸ).
    grads : the gradient of the mean cost for every parameter, nested like ``model.params``
    """

    loss: float
    z: PerLayer
    a: PerLayer
    delta: PerLayer
    grads: dict[str, Any]


def backprop(cost: Callable[..., Any], params: Any, x: Array, y: Array) -> BackpropResult:
    """Go forward and backward for inputs and targets as the network gets them: what `Model.backprop` returns.

    ``cost`` is what `Model.cost_of` gives: the summed cost of the batch.
    """
    value, _, grads, marks = value_grad_and_marks(cost, params, Tensor(x), Tensor(y))
    named = {kind: {n.rsplit("/", 1)[0]: v for n, v in marks.items() if n.endswith(f"/{kind}")} for kind in ("z", "a")}
    n = len(x)
    return BackpropResult(
        loss=float(value) / n,
        z=PerLayer({layer: v for layer, (v, _) in named["z"].items()}),
        a=PerLayer({layer: v for layer, (v, _) in named["a"].items()}),
        delta=PerLayer({layer: g for layer, (_, g) in named["z"].items()}),
        grads=tree.map(lambda g: g / n, grads),
    )


def cost_graph(cost: Callable[..., Any], params: Any, x: Array, y: Array) -> Graph:
    """Return the graph of the mean cost of samples as the network gets them: what `Model.trace` returns.

    ``cost`` is what `Model.cost_of` gives: the summed cost of the batch.
    """

    def mean_cost(params: Any, x: Any, y: Any) -> Any:
        return cost(params, x, y)[0] / len(x)

    return trace(mean_cost, argnums=0)(params, x, y)
