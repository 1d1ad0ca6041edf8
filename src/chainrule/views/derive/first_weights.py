"""What the units of the first layer look for: their weights, as pictures or by column."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chainrule.layers import Conv2D
from chainrule.models.backprop_result import backprop
from chainrule.models.places import places
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops
from chainrule.views.derive.stops import BOTH_WAYS, affordable_rows

__all__ = ["MOST_UNITS", "FirstWeights", "first_weights"]

Array = np.ndarray

MOST_UNITS = 32


@dataclass(frozen=True, eq=False)
class FirstWeights:
    """The weights of the first layer's units, at the start and at the end of the run.

    Attributes
    ----------
    layer : its name
    units : which units, those with the largest weights first; at most 32
    in_all : units that the layer has
    pictures : whether the weights of a unit are a picture, (height, width, channels); else one number for each input
    inputs : what the inputs are called, where they are no picture
    stops : steps done
    over : the weights at each stop, (stops, units, …)
    start, now, change, gradient : (units, …): before the first step, at the last stop, the difference of the two, and
        ∂C/∂w of the mean cost of the fixed rows at the last stop
    """

    layer: str
    units: tuple[int, ...]
    in_all: int
    pictures: bool
    inputs: tuple[str, ...]
    stops: tuple[int, ...]
    over: Array
    start: Array
    now: Array
    change: Array
    gradient: Array


def first_weights(recorded: Recorded) -> FirstWeights | Missing:
    """Return start, end, change and gradient of the weights of the first layer, for the 32 units of largest norm."""
    if not recorded.stops:
        return without_stops(recorded)
    names = [place for place in places(recorded.model.net) if "weight" in _at(recorded.model.params, place.name)]
    if not names:
        return Missing("The network has no weights.")
    layer, name = names[0].layer, names[0].name
    network = recorded.network_at(recorded.stops[-1])
    rows = affordable_rows(network, np.arange(len(recorded.fixed.x)), BOTH_WAYS)
    x, y = recorded.fixed.x[rows], recorded.fixed.y[rows]
    with np.errstate(all="ignore"):  # a run that diverged is looked at as well
        result = backprop(network.cost_of(recorded.recipe.loss), network.params, x, y)
    copies = [_at(recorded.read_snapshot(stop).params, name)["weight"] for stop in recorded.stops]
    gradient = _at(result.grads, name)["weight"]
    shape = recorded.model.input_shape
    values = [np.moveaxis(np.asarray(array, np.float64), -1, 0) for array in (*copies, gradient)]
    is_flat_picture = len(shape) in (2, 3) and values[0].shape[1:] == (math.prod(shape),)
    if is_flat_picture:
        values = [array.reshape(-1, *(shape if len(shape) == 3 else (*shape, 1))) for array in values]
    now = values[-2]
    norms = np.sqrt(np.square(now).reshape(len(now), -1).sum(axis=1))
    units = np.argsort(-norms, kind="stable")[:MOST_UNITS]
    *moments, gradient = (array[units] for array in values)
    start, now = moments[0], moments[-1]
    pictures = isinstance(layer, Conv2D) or is_flat_picture
    called = recorded.model.inputs.feature_names
    inputs = () if pictures else tuple(called) if called is not None and len(called) == start.shape[1] else None
    inputs = tuple(f"x{i}" for i in range(start.shape[1])) if inputs is None else inputs
    chosen = tuple(int(unit) for unit in units)
    stops, over = recorded.stops, np.stack(moments)
    return FirstWeights(name, chosen, len(norms), pictures, inputs, stops, over, start, now, now - start, gradient)


def _at(params: object, name: str) -> dict[str, Array]:
    """Return the part of a tree that belongs to a layer; {} if it has none."""
    for key in name.split("/"):
        params = params.get(key, {}) if isinstance(params, dict) else {}
    return params if isinstance(params, dict) else {}
