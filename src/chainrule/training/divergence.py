"""When the cost becomes NaN or infinite: at which step, and in which layer first."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.engine import Engine
from chainrule.recipe.state import Metrics, Recipe, State, filled
from chainrule.recipe.step import Batch, evaluate, step_key

_PLACES = {"z": "before its activation", "a": "after its activation", "output": "at its output"}


def first_bad_step(metrics: Metrics) -> int | None:
    """Return the number (from 0) of the first step in a chunk whose cost is not finite."""
    bad = np.flatnonzero(~np.isfinite(np.asarray(metrics.cost)))
    return int(bad[0]) if len(bad) else None


def locate_nonfinite(recipe: Recipe, state: State, batch: Batch, engine: Engine) -> tuple[str, str]:
    """Return where in a step a value is first not finite: the layer, and the same in more words."""
    recipe = filled(recipe, state.settings)
    state = state._replace(**engine.fetch({"params": state.params, "model_state": state.model_state, "key": state.key}))
    state = state._replace(step=int(np.asarray(state.step)))
    key = step_key(recipe, state, 0)

    def cost(params: Any) -> tuple[Any, None]:
        batch_ = Batch(*map(np.asarray, batch))
        costs, _, _ = evaluate(recipe, params, state.model_state, batch_, key=key, train=True)
        return (costs if isinstance(costs, Tensor) else Tensor(costs)).sum(), None

    with np.errstate(all="ignore"):
        value, _, gradients, marks = value_grad_and_marks(cost, state.params)
    places = [(name.rpartition("/"), v, g) for name, (v, g) in marks.items()]
    for (layer, _, kind), v, _ in places:
        if not np.all(np.isfinite(v)):
            return layer, f"{layer} ({_PLACES.get(kind, kind)})"
    if not np.isfinite(value):
        largest = max((float(np.max(np.abs(v), initial=0.0)) for _, v, _ in places[-1:]), default=0.0)
        return "loss", f"the loss (the network's outputs are finite, but as large as {largest:.2g})"
    for (layer, _, kind), _, g in reversed(places):  # the backward pass goes from the last layer to the first
        if g is not None and not np.all(np.isfinite(g)):
            return layer, f"{layer} (the gradient {_PLACES.get(kind, kind)})"
    for path, g in tree.leaves_with_path(gradients):
        if not np.all(np.isfinite(g)):
            return "/".join(path[:-1]), f"{'/'.join(path[:-1])} (the gradient of its {path[-1]})"
    return "optimizer", "the optimizer's step (the gradients are finite, the new weights are not)"
