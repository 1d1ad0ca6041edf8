"""The stops that a view looks at, and one pass at each of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.models import BackpropResult, Model
from chainrule.models.backprop_result import backprop
from chainrule.training.recorded import Recorded

__all__ = ["BOTH_WAYS", "BUDGET", "affordable", "affordable_rows", "forward_seconds", "look_back"]

#: Seconds that one view may take, by the estimate below: from sizes alone, so that it shows the same on every machine.
BUDGET = 0.8

#: What one core of NumPy does in a second: multiplications and additions, values that everything else writes; and the
#: seconds that a pass takes whatever its size (bench: MLPs and a CNN on MNIST, within a third of the measured times).
FLOPS, VALUES, CALL = 4e10, 1.5e8, 4e-4

#: A pass forward and backward takes so many times one forward.
BOTH_WAYS = 4.0

#: Rows that are looked at however long it takes.
FEWEST_ROWS = 32


def forward_seconds(model: Model, rows: float) -> float:
    """Return about how long one pass forward takes for so many rows, on one core: an estimate from sizes."""
    work = model.work()
    return CALL + rows * (work.flops / FLOPS + work.values / VALUES)


def affordable_rows(model: Model, rows: np.ndarray, passes: float, budget: float = BUDGET) -> np.ndarray:
    """Return as many of the rows, evenly among them, as so many passes forward can take; at least 32."""
    each = forward_seconds(model, 1) - CALL
    most = max(FEWEST_ROWS, int((budget / passes - CALL) / max(each, 1e-12)))
    return rows[:: max(1, -(-len(rows) // most))]


def affordable(stops: tuple[int, ...], seconds_each: float, budget: float = BUDGET) -> tuple[int, ...]:
    """Return as many stops as fit into the budget, evenly among all, always with the first and the last.

    >>> affordable((0, 1, 2, 4, 8, 16), 0.5, budget=1.5)
    (0, 2, 16)
    """
    most = int(np.clip(budget / seconds_each, 2, len(stops))) if len(stops) > 2 else len(stops)
    at = np.unique(np.linspace(0, len(stops) - 1, most).round().astype(int))
    return tuple(stops[i] for i in at)


def look_back(recorded: Recorded) -> Iterator[tuple[int, BackpropResult]]:
    """Yield a stop and the pass forward and backward there, of as many fixed rows and stops as are affordable."""
    fixed, model = recorded.fixed, recorded.model
    rows = affordable_rows(model, np.arange(len(fixed.x)), BOTH_WAYS * len(recorded.stops))
    x, y = fixed.x[rows], fixed.y[rows]
    for step in affordable(recorded.stops, BOTH_WAYS * forward_seconds(model, len(rows))):
        network = recorded.network_at(step)
        with np.errstate(all="ignore"):  # a run that diverged is looked at as well
            yield step, backprop(network.cost_of(recorded.recipe.loss), network.params, x, y)
