"""optax's transformations as optimizers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.engine.namespace import namespace
from chainrule.errors import SettingError
from chainrule.optimizers.base import Optimizer, Tree
from chainrule.schedules.base import Schedule

__all__ = ["Optax"]


@dataclass(frozen=True)
class Optax(Optimizer):
    """An optax transformation as an optimizer; `get` makes it, so the transformation itself can be given.

    Works on JAX arrays only (``engine="jax"``), and cannot be written to a file or checkpoint as settings:
    optax's transformations are functions. ``lr`` is a factor on the steps they make, 1 by default.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        Anything with optax's ``init(params)`` and ``update(grads, state, params)``; one that needs the cost as well
        (``optax.lbfgs``) is refused when training starts.

    >>> import optax
    >>> import chainrule as cr
    >>> type(cr.optimizers.get(optax.lion(1e-3))).__name__
    'Optax'
    """

    transformation: Any
    lr: float | Schedule = dataclasses.field(default=1.0, kw_only=True)

    def init(self, params: Tree) -> dict[str, Tree]:
        state = self.transformation.init(params)
        self._check_update(state, params)
        return {"optax": state}

    def _check_update(self, state: Any, params: Tree) -> None:
        """Raise `SettingError` for one whose update takes more than gradients, state and parameters."""
        from jax import eval_shape

        try:
            eval_shape(lambda grads, state: self.transformation.update(grads, state, grads), params, state)
        except TypeError as error:
            raise SettingError(
                f"This optax transformation needs more than the gradient of a step ({error}): optax.lbfgs, say, "
                "evaluates the cost again to search along a line. Give one whose update takes gradients, state and "
                "parameters alone, such as optax.adam(1e-3), or one of chainrule's own optimizers "
                f"({', '.join(sorted(Optimizer.registry))})."
            ) from None

    def change(
        self, grads: Tree, opt_state: dict[str, Tree], params: Tree, *, lr: Any, step: Any
    ) -> tuple[Tree, dict[str, Tree]]:
        if namespace(*tree.leaves(params)) is np:
            raise SettingError(
                "An optax transformation works on JAX arrays: train with engine='jax', or use one of "
                f"chainrule's own optimizers ({', '.join(sorted(Optimizer.registry))})."
            )
        steps, state = self.transformation.update(grads, opt_state["optax"], params)
        return tree.map(lambda d: lr * d, steps), {"optax": state}

    def to_dict(self) -> dict[str, Any]:
        """Raise an error, always: a file holds names and numbers, and a transformation is made of functions."""
        raise SettingError(
            "An optax transformation cannot be written to a file. Use one of chainrule's own optimizers "
            f"({', '.join(sorted(Optimizer.registry))}) where settings are saved."
        )


del Optimizer.registry[Optax.name]  # it has no settings that a file could hold
