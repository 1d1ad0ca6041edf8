"""One node of a computational graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chainrule.graph.values import setting, shorten, summary


@dataclass(frozen=True, eq=False)
class Node:
    """One node of a computational graph.

    Attributes
    ----------
    index : int
        Its place in the order of computation, from 0.
    op : str
        ``"input"``, ``"constant"`` or the operation: ``"multiply"``.
    label : str
        An input's name (``x``, ``params['w']``); a constant's value, or its name if it is an argument; the
        name that a layer gave to the value (``z``, ``a``); otherwise empty.
    inputs : tuple of int
        The nodes that it is computed from, in the operation's order.
    shape, dtype
        Of the value.
    value
        The number or array.
    gradient
        The derivative of the graph's result with respect to this value, in its shape. Zero for an input on
        which the result does not depend, None where none is defined (constants, truth values, integers)
        or none flows back (behind `stop_gradient`).
    local : tuple
        For each input, the local derivative: of this value with respect to that input. None where there is
        none, where the operation is not elementwise, and for more than 16 values.
    contributions : tuple
        For each input, what flows back along this edge: local derivative × gradient. An input's gradient is
        the sum over all edges that leave it. None where no gradient flows.
    scope : tuple of str
        The layers it was computed in, outermost first.
    settings : dict
        The operation's settings, such as ``axis``.
    formula : str
        The operation in words.
    """

    index: int
    op: str
    label: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: Any
    value: Any
    gradient: Any = None
    local: tuple[Any, ...] = ()
    contributions: tuple[Any, ...] = ()
    scope: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    formula: str = ""

    def __repr__(self) -> str:
        gradient = "" if self.gradient is None else f", gradient {summary(self.gradient)}"
        return f"<Node {expression(self)}: {summary(self.value)}{gradient}>"


def expression(node: Node) -> str:
    """Return how a node was made: ``input x``, ``constant``, ``z = add(#3, #4)``, ``sum(#5, axis=0)``."""
    if node.op == "input":
        return f"input {shorten(node.label, 80)}"
    if node.op == "constant":
        return f"constant {shorten(node.label, 80)}" if node.label != summary(node.value) else "constant"
    inside = [f"#{i}" for i in node.inputs] + [f"{k}={setting(v)}" for k, v in node.settings.items()]
    return f"{shorten(node.label)} = " * bool(node.label) + f"{node.op}({', '.join(inside)})"
