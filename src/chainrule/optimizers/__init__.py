"""Optimizers: how a gradient becomes a change of the weights (lectures 000, 003).

An optimizer is a recipe. What it remembers from step to step (its state) is a plain tree that is passed in and
returned: ``params, opt_state = optimizer.update(grads, opt_state, params, lr=0.1, step=1)``. The lines are
the same for NumPy and JAX arrays, traced or not, and keep the parameters' data type.

Symbols: w the parameters, g their gradient, η the learning rate, t the step, counted from 1.
"""

from __future__ import annotations

from typing import Any

from chainrule.optimizers.adaptive import AdaGrad, Adam, AdamW, RMSProp
from chainrule.optimizers.base import Optimizer, clip_by_global_norm, global_norm, is_weight
from chainrule.optimizers.descent import SGD
from chainrule.optimizers.external import Optax
from chainrule.settings import find

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Optax",
    "Optimizer",
    "RMSProp",
    "clip_by_global_norm",
    "get",
    "global_norm",
    "is_weight",
]


def get(optimizer: Any) -> Optimizer:
    """Return the optimizer that a user gave: a name, a recipe, or an optax transformation.

    >>> import chainrule as cr
    >>> cr.optimizers.get("adam").beta2
    0.999
    """
    if not isinstance(optimizer, type | Optimizer) and hasattr(optimizer, "init") and hasattr(optimizer, "update"):
        return Optax(optimizer)
    return find(Optimizer, optimizer)
