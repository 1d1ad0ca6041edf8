"""The network as a computational graph: what is connected to what, with the value and the gradient at every node."""

from __future__ import annotations

import numpy as np

from chainrule.graph.trace import Graph
from chainrule.models.backprop_result import cost_graph
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
    return cost_graph(model.cost_of(recorded.recipe.loss), model.params, fixed.x[rows], fixed.y[rows])
