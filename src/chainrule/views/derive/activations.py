"""What the units of each layer give: the spread of a, and units that give the same for every row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.activations import Activation
from chainrule.models.places import activation_of, places
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops
from chainrule.views.derive.stops import look_back

__all__ = ["QUANTILES", "Activations", "activations"]

Array = np.ndarray

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

#: Bins of a histogram, and the most values of a layer that are sorted (of more, evenly spread ones are taken).
BINS, MOST_VALUES = 30, 1 << 17

#: A unit sits at an end where it is beyond this share of the way from the middle of its range.
END = 0.97


@dataclass(frozen=True, eq=False)
class Activations:
    """The values a of each layer on the fixed rows at each stop.

    Attributes
    ----------
    stops : steps done
    layers : their names, in the order of the pass
    quantiles : of a over rows and units, (layers, stops, 7): 0, 5, 25, 50, 75, 95 and 100 %
    silent : the share of units that are 0 on every row (of ReLU: that never fire), (layers, stops)
    saturated : the share of units that on every row are beyond 0.97 of the way to an end of their range, likewise; 0
        where the range has no two ends
    counts : how many of the values lie in each of 30 bins between the smallest and the largest, (layers, stops, 30)

    ``silent`` and ``saturated`` are NaN for the last layer, whose values are answers, and where a unit's value depends
    on other units (softmax).
    """

    stops: tuple[int, ...]
    layers: tuple[str, ...]
    quantiles: Array
    silent: Array
    saturated: Array
    counts: Array

    @property
    def idle(self) -> Array:
        """The share of units that are silent or saturated: they tell nothing about a row, (layers, stops)."""
        return self.silent + self.saturated

    def edges(self, layer: int, at: int = -1) -> Array:
        """Return the 31 edges of the bins of a layer at a stop."""
        low, high = self.quantiles[layer, at, [0, -1]]
        return np.linspace(low, high, BINS + 1)


def activations(recorded: Recorded) -> Activations | Missing:
    """Return quantiles, histograms and idle units of every layer's a, at each stop.

    A unit of a convolution counts as silent or saturated where it is on all rows at all places. One pass over the fixed
    rows at each stop, in training mode without dropout, and one sort per layer; fewer stops where that would take long.
    """
    if not recorded.stops:
        return without_stops(recorded)
    functions = {place.name: activation_of(place.layer) for place in places(recorded.model.net)}
    layers: tuple[str, ...] = ()
    steps, columns = [], []
    for step, result in look_back(recorded):
        layers = tuple(result.a)
        steps.append(step)
        last = layers[-1] if layers else None
        columns.append([_of_layer(a, None if name == last else functions.get(name)) for name, a in result.a.items()])
    if not layers:
        return Missing("The network has no layer with an activation.")
    quantiles, silent, saturated, counts = (
        np.array([[layer[part] for layer in column] for column in columns]).swapaxes(0, 1) for part in range(4)
    )
    return Activations(tuple(steps), layers, quantiles, silent, saturated, counts)


def _of_layer(a: Array, function: Activation | None) -> tuple[Array, float, float, Array]:
    """Return quantiles, the shares of silent and of saturated units, and the histogram."""
    units = a.reshape(-1, a.shape[-1])
    values = units[:: max(1, a.size // MOST_VALUES)].reshape(-1).astype(np.float64)
    values.sort()
    places = np.array(QUANTILES) * (len(values) - 1)
    quantiles = np.interp(places, np.arange(len(values)), values)
    finite = np.isfinite(quantiles).all()
    edges = np.linspace(values[0], values[-1], BINS + 1) if finite else np.full(BINS + 1, np.nan)
    counts = np.diff(np.searchsorted(values, edges[1:-1]), prepend=0, append=len(values)) if finite else np.zeros(BINS)
    if function is None or not function.elementwise:
        return quantiles, np.nan, np.nan, counts
    silent = (units == 0).all(axis=0)
    low, high = function.range
    saturated = np.zeros_like(silent)
    if np.isfinite([low, high]).all():
        saturated = (np.abs(units - (low + high) / 2) > END * (high - low) / 2).all(axis=0) & ~silent
    return quantiles, float(silent.mean()), float(saturated.mean()), counts
