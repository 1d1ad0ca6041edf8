"""Passes of some rows at some stops, number by number: what the stepper of backpropagation shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.models.explain import ALL_PARAMETERS, OF_EACH, Pass, explain
from chainrule.training.recorded import Recorded
from chainrule.tree import leaves
from chainrule.views.derive.stops import affordable, forward_seconds

__all__ = ["SECONDS", "explain_at", "passes"]

#: Seconds that the passes may take, most of them for central differences.
SECONDS = 4.0


def explain_at(recorded: Recorded, row: int, step: int) -> Pass:
    """Return the pass of one of the fixed rows with the weights of a stop (`chainrule.Model.explain`), in float64."""
    network, fixed = recorded.network_at(step).wide(), recorded.fixed
    x, y = np.asarray(fixed.x[row : row + 1], np.float64), np.asarray(fixed.y[row : row + 1])
    y = y.astype(np.float64) if y.dtype.kind == "f" else y
    return explain(network.net, network.cost_of(recorded.recipe.loss, train=False), network.params, x, y)


def passes(recorded: Recorded, rows: Sequence[int] = (0,)) -> dict[int, tuple[Pass, ...]]:
    """Return for each affordable stop one pass of each of some fixed rows.

    Each pass has every z, a, δ and gradient, the terms of their sums, and central differences in float64 of all
    parameters up to 2,000, else of 64 of each array. Batch normalization takes its running statistics, for one row has
    no variance.
    """
    sizes = [leaf.size for leaf in leaves(recorded.model.params)]
    checked = sum(sizes) if sum(sizes) <= ALL_PARAMETERS else sum(min(size, OF_EACH) for size in sizes)
    seconds = 2 * checked * forward_seconds(recorded.model, 1) * max(1, len(rows))
    stops = affordable(recorded.stops, seconds, SECONDS)
    return {step: tuple(explain_at(recorded, row, step) for row in rows) for step in stops}
