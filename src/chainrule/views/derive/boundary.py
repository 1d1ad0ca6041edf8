"""What the network answers where: maps of the answer and of every unit over two directions of the inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.backprop.tensor import collect_marks, unwrap
from chainrule.errors import SettingError
from chainrule.models import Model
from chainrule.models.forward import forward
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing, without_stops
from chainrule.views.derive.stops import affordable, forward_seconds

__all__ = ["MOST_MAPS", "Boundary", "boundary"]

Array = np.ndarray

MOST_MAPS = 48

#: Points of a map along each axis.
SIDE = 40

#: Seconds that the maps may take.
SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class Boundary:
    """Maps over a plane of the inputs, as predictions see it: without dropout, with the statistics of training.

    Attributes
    ----------
    plane : "inputs" (there are just two), "columns" (two of them, the others at their median) or "components" (the
        first two principal components of the fixed rows, all other directions held at 0)
    axes : what the two directions are called
    explained : of "components" the share of the variance that lies in the plane; else None
    x, y : coordinates along the two directions, in the inputs' own unit where they are inputs, else standardized: (n,)
    stops : steps done
    answers : what is predicted at each point, in the unit of the target, (stops, outputs, n, n): ``[..., i, j]`` at
        (x[j], y[i])
    units : the units that have maps, as "dense_1 · 3"
    maps : what each of them gives, (stops, units, n, n)
    points : where the fixed rows lie, (rows, 2)
    truths : their targets
    point_answers : what the network gives for these rows themselves, (stops, rows, outputs)
    task, classes, threshold : what the outputs mean (`chainrule.data.Target`), and above which value a yes is answered
    """

    plane: str
    axes: tuple[str, str]
    explained: float | None
    x: Array
    y: Array
    stops: tuple[int, ...]
    answers: Array
    units: tuple[str, ...]
    maps: Array
    points: Array
    truths: Array
    point_answers: Array
    task: str
    classes: tuple[Any, ...]
    threshold: float


@dataclass(frozen=True, eq=False)
class _Plane:
    """Two directions of the inputs: what is called how, and the inputs at a place on it."""

    name: str
    axes: tuple[str, str]
    explained: float | None
    origin: Array
    directions: Array
    points: Array
    unit: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.0), (0.0, 1.0))


def boundary(recorded: Recorded, columns: tuple[int, int] | None = None) -> Boundary | Missing:
    """Return maps of the answer and of up to 48 units over two directions of the inputs, at each stop.

    Two inputs are the plane themselves. Of more, two columns are (``columns``, the others at their median), or the
    first two principal components of the fixed rows. Of more than 48 units those whose maps differ most at the last
    stop are taken, of convolutions none. Fewer stops where that would take long.

    Parameters
    ----------
    recorded : what the run recorded
    columns : the places of two inputs, from 0; None chooses as above

    Raises
    ------
    SettingError
        For columns that are no inputs.
    """
    if not recorded.stops:
        return without_stops(recorded)
    inputs = math.prod(recorded.model.input_shape)
    if inputs < 2:
        return Missing("There is one input: two are needed for a map.")
    if recorded.model.net.codes:
        return Missing("The inputs hold codes of categories, between which there is nothing to draw.")
    plane = _plane(recorded, columns)
    x, y = (_axis(plane.points[:, axis]) for axis in (0, 1))
    across, up = np.meshgrid(x, y)
    grid = plane.origin + np.stack([across.ravel(), up.ravel()], axis=1) @ plane.directions
    shape = (-1, *recorded.model.input_shape)
    grid, rows = grid.reshape(shape).astype(recorded.fixed.x.dtype), recorded.fixed.x
    seconds = forward_seconds(recorded.model, len(grid) + len(rows))
    stops = affordable(recorded.stops, seconds, SECONDS)
    units = _units(recorded.network_at(stops[-1]), grid)
    target = recorded.model.target
    answers, maps, point_answers = [], [], []
    for step in stops:
        network = recorded.network_at(step)
        answer, values = _predict(network, grid)
        chosen = [values[layer][:, unit] for layer, unit in units]
        answers.append(target.undo(answer).T.reshape(-1, SIDE, SIDE))
        maps.append(np.array(chosen).reshape(-1, SIDE, SIDE))
        point_answers.append(target.undo(_predict(network, rows)[0]))
    (x_mean, x_unit), (y_mean, y_unit) = plane.unit
    return Boundary(
        plane=plane.name,
        axes=plane.axes,
        explained=plane.explained,
        x=x * x_unit + x_mean,
        y=y * y_unit + y_mean,
        stops=stops,
        answers=np.array(answers),
        units=tuple(f"{layer} · {unit}" for layer, unit in units),
        maps=np.array(maps),
        points=plane.points * [x_unit, y_unit] + [x_mean, y_mean],
        truths=np.asarray(target.undo(recorded.fixed.y)),
        point_answers=np.array(point_answers),
        task=target.task,
        classes=target.classes or (),
        threshold=recorded.model.threshold,
    )


def _plane(recorded: Recorded, columns: tuple[int, int] | None) -> _Plane:
    """Return the two directions, by the rule of `boundary`."""
    rows = np.asarray(recorded.fixed.x, np.float64).reshape(len(recorded.fixed.x), -1)
    size = rows.shape[1]
    if columns is None and size == 2:
        columns = (0, 1)
    if columns is None:
        centre = rows.mean(axis=0)
        _, lengths, directions = np.linalg.svd(rows - centre, full_matrices=False)
        directions = directions[:2] * np.sign(directions[:2].sum(axis=1, keepdims=True) + 1e-12)
        total = np.square(lengths).sum()
        explained = float(np.square(lengths[:2]).sum() / total) if total else 1.0
        axes = ("first principal component", "second principal component")
        return _Plane("components", axes, explained, centre, directions, (rows - centre) @ directions.T)
    if len(set(columns)) != 2 or not all(0 <= at < size for at in columns):
        raise SettingError(f"columns are two different places of inputs from 0 to {size - 1}; got {columns}.")
    first, second = columns
    origin = np.median(rows, axis=0)
    origin[[first, second]] = 0.0
    directions = np.zeros((2, size))
    directions[0, first] = directions[1, second] = 1.0
    name = "inputs" if size == 2 else "columns"
    names = recorded.model.inputs.feature_names
    axes = (names[first], names[second]) if names is not None and len(names) == size else (f"x{first}", f"x{second}")
    unit = (_unit(recorded.model, first), _unit(recorded.model, second))
    return _Plane(name, axes, None, origin, directions, rows[:, [first, second]], unit)


def _unit(model: Model, at: int) -> tuple[float, float]:
    """Return mean and deviation that bring an input back to its own unit, where these two do."""
    probes = np.zeros((3, math.prod(model.input_shape)))
    probes[:, at] = (-1, 0, 1)
    low, middle, high = model.inputs.undo(probes.reshape(3, *model.input_shape)).reshape(3, -1)[:, at].tolist()
    return (middle, high - middle) if math.isclose(high - middle, middle - low, rel_tol=1e-6) else (0.0, 1.0)


def _axis(values: Array) -> Array:
    """Return the coordinates of a map along one direction: all rows and a tenth of their width more on both sides."""
    low, high = float(values.min()), float(values.max())
    margin = 0.1 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, SIDE)


def _predict(network: Model, x: Array) -> tuple[Array, dict[str, Array]]:
    """Return the outputs, (rows, outputs), and the values a of each layer of units, as predictions compute them."""
    with collect_marks() as marks, np.errstate(all="ignore"):
        out, _ = forward(network.net, network.params, tree.map(Tensor, network.state), Tensor(x))
    values = {name.removesuffix("/a"): np.asarray(unwrap(v)) for name, v in marks.items() if name.endswith("/a")}
    out = np.asarray(unwrap(out))
    return out.reshape(len(out), -1), {name: value for name, value in values.items() if value.ndim == 2}


def _units(network: Model, grid: Array) -> list[tuple[str, int]]:
    """Return the hidden units that get maps: all, or those that differ most over the map."""
    values = list(_predict(network, grid)[1].items())[:-1]
    units = [(name, unit) for name, value in values for unit in range(value.shape[1])]
    if len(units) <= MOST_MAPS:
        return units
    differences = np.concatenate([value.std(axis=0) / (np.abs(value).max() or 1.0) for _, value in values])
    return [units[at] for at in np.sort(np.argsort(-differences, kind="stable")[:MOST_MAPS])]
