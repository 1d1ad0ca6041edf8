"""Gradient flow: where on the way back δ dies or explodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops
from chainrule.views.derive.stops import look_back

__all__ = ["Flow", "flow", "rms"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Flow:
    """The size of δ in each layer at each stop.

    Attributes
    ----------
    stops : steps done
    layers : their names, in the order of the pass forward
    rms : root of the mean square of δ = ∂C_x/∂z over the fixed rows and the units, (layers, stops); 0 where none
        arrives
    """

    stops: tuple[int, ...]
    layers: tuple[str, ...]
    rms: Array

    def factor(self, at: int = -1) -> float | None:
        """Return by what δ is multiplied from a layer to the one before it, at a stop: the geometric mean.

            (rms δ of the first layer / rms δ of the last)^(1 / (layers - 1))

        None with fewer than two layers, or where one of the two is 0 or not finite.
        """
        first, last = self.rms[0, at], self.rms[-1, at]
        if len(self.layers) < 2 or not (0 < first < np.inf and 0 < last < np.inf):
            return None
        return float((first / last) ** (1 / (len(self.layers) - 1)))


def flow(recorded: Recorded) -> Flow | Missing:
    """Return the root of the mean square of δ = ∂C_x/∂z, for each layer with a z and each stop.

    C_x is the cost of one row. One pass over the fixed rows at each stop, in training mode without dropout; fewer stops
    where that would take long.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    if not recorded.stops:
        return without_stops(recorded)
    layers: tuple[str, ...] = ()
    steps, columns = [], []
    for step, result in look_back(recorded):
        layers = tuple(result.delta)
        steps.append(step)
        columns.append([rms(delta) for delta in result.delta.values()])
    if not layers:
        return Missing("The network has no layer with values before an activation.")
    return Flow(tuple(steps), layers, np.array(columns).T)


def rms(values: Array | None) -> float:
    """Return the root of the mean square in float64; a value is not lost because its square is too small."""
    return 0.0 if values is None else float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
