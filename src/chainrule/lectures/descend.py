"""Gradient descent on any function, with the path it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import optimizers, tree
from chainrule.backprop import value_and_grad
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series, line
from chainrule.draw.notebook import cell
from chainrule.schedules import rate_at


@dataclass(frozen=True)
class Descent:
    """The path of a descent: ``points`` (steps + 1 of them, nested like the start), ``values`` f at each."""

    points: list[Any]
    values: np.ndarray

    @property
    def end(self) -> Any:
        """The last point."""
        return self.points[-1]

    @property
    def diverged(self) -> bool:
        """Whether f is larger at the end than at the start, or no longer finite."""
        return not np.isfinite(self.values[-1]) or bool(self.values[-1] > self.values[0])

    def _repr_html_(self) -> str:
        """Return the path for a notebook: the value at each step, and for a function of one number the points."""
        steps = Axis("step", whole=True, low=0.0)
        figures = [
            line("descent", "Value at each step", [Series("f", *_finite(self.values))], steps, Axis("f", log=None))
        ]
        points = [np.asarray(point) for point in self.points if not isinstance(point, dict)]
        if len(points) == len(self.points) and points[0].size <= 3:
            coordinates = np.array([point.ravel() for point in points])
            names = [f"w{'₀₁₂'[i]}" if coordinates.shape[1] > 1 else "w" for i in range(coordinates.shape[1])]
            series = [Series(name, *_finite(coordinates[:, i])) for i, name in enumerate(names)]
            figures.append(line("points", "Where it is", series, steps, Axis("w")))
        return cell("Diverged." if self.diverged else None, *figures)


def _finite(values: np.ndarray) -> tuple[range, list[float | None]]:
    return range(len(values)), [float(v) if np.isfinite(v) else None for v in values]


def descend(f: Any, start: Any, optimizer: Any = "sgd", steps: int = 100) -> Descent:
    """Minimize f by gradient descent from a starting point, and keep the path.

    w ← w - η ∇f(w) for plain SGD; any other optimizer in place of it. This is the loop of the lectures' pictures: L(w)
    = w² with η = 0.125 and with too large an η (000), the paths of the optimizers on a surface (000, 003).

    Parameters
    ----------
    f : a function of one argument (a number, an array or a tree) that returns a number
    start : the first point
    optimizer : name or object; its schedule's epochs are steps here
    steps : number of steps

    >>> import chainrule as cr
    >>> path = cr.descend(lambda w: w**2, 2.0, cr.SGD(lr=0.125), steps=3)
    >>> [float(w) for w in path.points]
    [2.0, 1.5, 1.125, 0.84375]
    >>> cr.descend(lambda w: w**2, 2.0, cr.SGD(lr=1.1), steps=10).diverged
    True
    """
    recipe = optimizers.get(optimizer)
    point = tree.map(lambda v: np.asarray(v, float), start)
    opt_state = recipe.init(point)
    step_value = value_and_grad(f)
    points, values = [point], []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, steps + 1):
            value, gradient = step_value(point)
            values.append(value)
            lr = rate_at(recipe.lr, step - 1, steps)
            point, opt_state = recipe.update(gradient, opt_state, point, lr=lr, step=step)
            points.append(point)
        values.append(step_value(point)[0])
    return Descent(points, np.array(values, float))
