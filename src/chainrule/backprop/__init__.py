"""Backpropagation: primitives with their local derivatives, tensors that remember, the backward pass."""

from chainrule.backprop import ops
from chainrule.backprop.backward import grad, value_and_grad
from chainrule.backprop.tensor import Primitive, Tensor, collect_marks, mark, primitive, scope

__all__ = [
    "Primitive",
    "Tensor",
    "collect_marks",
    "grad",
    "mark",
    "ops",
    "primitive",
    "scope",
    "value_and_grad",
]
