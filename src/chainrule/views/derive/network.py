"""The network as a computational graph: what is connected to what, with the value and the gradient at every node."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.trace import Graph, trace
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops
from chainrule.views.derive.stops import BOTH_WAYS, affordable_rows

__all__ = ["network"]


def network(recorded: Recorded, step: int | None = None) -> Graph | Missing:
    """Return the computational graph of the mean cost of the fixed rows, at a stop, by default the last.

    In training mode without dropout, as in `chainrule.Model.trace`; of large networks fewer rows are taken.
    """
    if not recorded.stops:
        return without_stops(recorded)
    fixed = recorded.fixed
    model = recorded.network_at(recorded.stops[-1] if step is None else step)
    rows = affordable_rows(model, np.arange(len(fixed.x)), BOTH_WAYS)
    cost = model.cost_of(recorded.recipe.loss)

    def mean_cost(params: Any, x: Any, y: Any) -> Any:
        return cost(params, x, y)[0] / len(x)

    return trace(mean_cost, argnums=0)(model.params, fixed.x[rows], fixed.y[rows])
