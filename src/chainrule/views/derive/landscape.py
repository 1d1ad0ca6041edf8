"""The cost around the path of the weights, on a plane through the last stop: how rough is the way?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.backprop import Tensor
from chainrule.backprop.tensor import unwrap
from chainrule.checks import check_name
from chainrule.optimizers import is_weight
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops
from chainrule.views.derive.stops import BUDGET, affordable, affordable_rows, forward_seconds

__all__ = ["PLANES", "Landscape", "landscape"]

Array = np.ndarray

PLANES = ("path", "random")

#: The grid has between so many points a side.
FEWEST, MOST = 9, 19

#: So much is shown beyond the path, as a share of its width.
MARGIN = 0.2


@dataclass(frozen=True, eq=False)
class Landscape:
    """The cost on a plane through the weights of the last stop.

    Attributes
    ----------
    plane : "path" (the first two principal components of the path) or "random" (two filter-normalized directions)
    stops : steps done
    path : where the stops lie on the plane, in units of the distance of weights; the last one at (0, 0): (stops, 2)
    off : the distance of each stop from the plane: off² + |path|² = distance²
    distance : of each stop from the last one
    loss : the true cost at each stop
    plane_loss : the cost at the stop's place on the plane
    explained : of "path" the share of the sum of squared distances that lies in the plane; None for "random"
    x, y : the grid's coordinates, (n,)
    grid : the cost at each point, (n, n): ``grid[i, j]`` at (x[j], y[i])
    rows : how many rows the cost is the mean of
    """

    plane: str
    stops: tuple[int, ...]
    path: Array
    off: Array
    distance: Array
    loss: Array
    plane_loss: Array
    explained: float | None
    x: Array
    y: Array
    grid: Array
    rows: int


def landscape(recorded: Recorded, plane: str = "path") -> Landscape | Missing:
    """Return the mean cost of the fixed training rows on a plane through the last weights, and the path on it.

    With w the weights of a stop and w* the last ones, "path" is spanned by the first two principal components of w −
    w*; "random" by two random directions, scaled filter by filter to the length of the weights (biases stay), the
    second one made orthogonal to the first. The cost is that of training mode without dropout; the layers' own state
    (of batch normalization) is the last one. Rows and points of the grid are fewer where that would take long.

    Parameters
    ----------
    recorded : what the run recorded
    plane : "path" or "random"

    Source: Li et al., "Visualizing the loss landscape of neural nets" (2018). A plane shows little of what is beside
    it: compare ``loss`` with ``plane_loss``, and see ``off``.
    """
    check_name("plane", plane, PLANES)
    if not recorded.stops:
        return without_stops(recorded)
    training = ~np.asarray(recorded.fixed.is_validation, bool)
    rows = np.flatnonzero(training if training.any() else np.ones_like(training))
    rows = affordable_rows(recorded.model, rows, FEWEST**2 + 2 * len(recorded.stops))
    seconds = forward_seconds(recorded.model, len(rows))
    stops = affordable(recorded.stops, 2 * seconds, BUDGET / 2)
    cost, end = _cost_of_weights(recorded, rows)
    last = _flat(end)
    offsets = np.stack([_flat(recorded.network_at(step).params) - last for step in stops])
    if not np.isfinite(offsets).all():
        return Missing("Some of the weights that were recorded are not finite.")
    if len(stops) < 2 or not offsets.any():
        return Missing("The weights did not move, so there is no path to draw.")
    directions, explained = _principal(offsets, end) if plane == "path" else (_random(end), None)
    path = offsets @ directions.T
    path[-1] = 0.0
    off = np.sqrt(np.square(offsets - path @ directions).sum(axis=1))
    side = int(np.clip(np.sqrt(BUDGET / seconds), FEWEST, MOST))
    x, y = (_axis(path[:, axis], _reach(end, plane), side) for axis in (0, 1))
    grid = np.array([[cost(last + a * directions[0] + b * directions[1]) for a in x] for b in y])
    if not np.isfinite(grid).any():
        return Missing("The cost is nowhere finite around the last weights.")
    return Landscape(
        plane=plane,
        stops=stops,
        path=path,
        off=off,
        distance=np.sqrt(np.square(offsets).sum(axis=1)),
        loss=np.array([cost(last + offset) for offset in offsets]),
        plane_loss=np.array([cost(last + place @ directions) for place in path]),
        explained=explained,
        x=x,
        y=y,
        grid=grid,
        rows=len(rows),
    )


def _cost_of_weights(recorded: Recorded, rows: Array) -> tuple[Callable[[Array], float], Any]:
    """Return the mean cost of some fixed rows as a function of all parameters in one array, and the last parameters."""
    network, fixed = recorded.network_at(recorded.stops[-1]), recorded.fixed
    x, y, weight = Tensor(fixed.x[rows]), Tensor(fixed.y[rows]), np.asarray(fixed.weight[rows], np.float64)
    costs_of, shapes = network.cost_of(recorded.recipe.loss), network.params

    def cost(flat: Array) -> float:
        parts = iter(np.split(flat, np.cumsum([leaf.size for leaf in tree.leaves(shapes)])[:-1]))
        params = tree.map(lambda leaf: Tensor(next(parts).reshape(leaf.shape).astype(leaf.dtype)), shapes)
        with np.errstate(all="ignore"):  # far from the path costs overflow
            costs = np.asarray(unwrap(costs_of(params, x, y)[1]), np.float64)
            return float((costs * weight).sum() / weight.sum())

    return cost, network.params


def _flat(params: Any) -> Array:
    """Return all parameters in one array of float64."""
    return np.concatenate([np.asarray(leaf, np.float64).reshape(-1) for leaf in tree.leaves(params)])


def _principal(offsets: Array, end: Any) -> tuple[Array, float]:
    """Return the first two principal components of the path, (2, parameters), and the share that they explain.

    Of the matrix of distances among the stops, which is small, not of the weights. Where the path is a line, the second
    direction is a random one.
    """
    values, vectors = np.linalg.eigh(offsets @ offsets.T)
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    second = vectors[:, 1] @ offsets if values[1] > 1e-20 * values[0] else _random(end)[1]
    directions = _orthonormal(vectors[:, 0] @ offsets, second)
    for direction in directions:  # of the two signs the one that makes the path come from the right and from above
        direction *= 1.0 if offsets[0] @ direction >= 0 else -1.0
    inside = np.square(offsets @ directions.T).sum()
    return directions, float(inside / np.square(offsets).sum())


def _random(end: Any) -> Array:
    """Return two random directions: of each unit's weights as long as these, of biases and the like 0."""
    directions = []
    for number in range(2):
        parts = []
        for at, (path, leaf) in enumerate(tree.leaves_with_path(end)):
            part = np.zeros(leaf.shape)
            if is_weight(path):
                draw = random.normal(random.fold_in(random.key(number), at), leaf.shape, np.float64)
                axes = tuple(range(leaf.ndim - 1))
                length = np.sqrt(np.square(draw).sum(axis=axes))
                part = draw * np.sqrt(np.square(leaf, dtype=np.float64).sum(axis=axes)) / np.where(length, length, 1)
            parts.append(part.reshape(-1))
        directions.append(np.concatenate(parts))
    return _orthonormal(*directions)


def _orthonormal(first: Array, second: Array) -> Array:
    """Return two directions as orthogonal ones of length 1, made so twice, for rounding."""
    first = first / max(np.linalg.norm(first), 1e-300)
    for _ in range(2):
        second = second - (first @ second) * first
        second = second / max(np.linalg.norm(second), 1e-300)
    return np.stack([first, second])


def _reach(end: Any, plane: str) -> float:
    """Return how far a plane of random directions is shown at least: the length of the weights."""
    weights = [leaf for path, leaf in tree.leaves_with_path(end) if is_weight(path)]
    return float(np.sqrt(sum(np.square(w, dtype=np.float64).sum() for w in weights))) if plane == "random" else 0.0


def _axis(places: Array, reach: float, side: int) -> Array:
    """Return the coordinates of the grid along an axis: the whole path and a margin, with 0 among them if it can be."""
    low, high = min(float(places.min()), -reach), max(float(places.max()), reach)
    width = (high - low) or 1.0
    return np.linspace(low - MARGIN * width, high + MARGIN * width, side)
