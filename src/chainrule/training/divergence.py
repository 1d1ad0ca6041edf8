"""When the cost becomes NaN or infinite: at which step, and in which layer first."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.engine import Engine
from chainrule.training.epoch import Programs, filled
from chainrule.training.state import Metrics, Recipe, State
from chainrule.training.step import Batch, evaluate


def first_bad_step(metrics: Metrics) -> int | None:
    """The number (from 0) of the first step in a chunk whose cost is not finite."""
    bad = np.flatnonzero(~np.isfinite(np.asarray(metrics.cost)))
    return int(bad[0]) if len(bad) else None


def replay(
    program: Programs, state: State, data: Batch, order: np.ndarray, steps: int, batch_size: int
) -> State:
    """The state after some steps of a chunk, from the state before it: the last good weights.

    The same samples in the same order give the same numbers again, so nothing had to be kept.
    """
    if not steps:
        return state
    end, _ = program.train(state, data, program.engine.place(order[: steps * batch_size]))
    return end._replace(settings=state.settings)  # type: ignore[no-any-return]


def blame(recipe: Recipe, state: State, batch: Batch, engine: Engine) -> str:
    """The first place where a value is not finite: inputs, weights, a layer's forward or backward pass."""
    recipe = filled(recipe, state.settings)
    params, layers = engine.fetch(state.params), engine.fetch(state.layers)
    for path, leaf in tree.leaves_with_path(params):
        if not np.all(np.isfinite(leaf)):
            return f"the parameter {'.'.join(path)}"

    def cost(params: Any, layers: Any) -> tuple[Any, None]:
        costs, _, _ = evaluate(recipe, params, layers, Batch(*map(np.asarray, batch)), train=False)
        return (costs if isinstance(costs, Tensor) else Tensor(costs)).sum(), None

    with np.errstate(all="ignore"):
        _, _, gradients, marks = value_grad_and_marks(cost, params, layers)
    for name, (value, _) in marks.items():
        if not np.all(np.isfinite(value)):
            layer, _, kind = name.rpartition("/")
            what = {"z": "before its activation", "a": "after its activation"}.get(kind, kind)
            return f"{layer} ({what})"
    for path, leaf in tree.leaves_with_path(gradients):
        if not np.all(np.isfinite(leaf)):
            return f"the gradient of {'.'.join(path)}"
    return "the loss"
