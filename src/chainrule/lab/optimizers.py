"""Optimizers side by side on surfaces (lectures 000 and 003)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.field import Path, field
from chainrule.draw.line import Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, low, over, root, row
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, page, parameter
from chainrule.lectures.descend import Descent, descend
from chainrule.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp
from chainrule.views.reel import Frame, Lesson, Reel


def bowl(w: Any) -> Any:
    """Return the height of the surface at w."""
    return 0.5 * (0.1 * w[0] ** 2 + 10 * w[1] ** 2)


def beale(w: Any) -> Any:
    """Return the height of the surface at w."""
    x, y = w[0], w[1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def saddle(w: Any) -> Any:
    """Return the height of the surface at w."""
    return w[0] ** 2 - w[1] ** 2 + 0.25 * w[1] ** 4 + 1


def rosenbrock(w: Any) -> Any:
    """Return the height of the surface at w."""
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def plateau(w: Any) -> Any:
    """Return the height of the surface at w."""
    distance = w[0] ** 2 + w[1] ** 2
    return distance / (1 + distance)


class Surface(NamedTuple):
    """A function of two weights: what it is like, where the paths start, the edges of what is drawn, and its minima."""

    f: Any
    text: str
    start: tuple[float, float]
    edges: tuple[float, float, float, float]
    minima: list[tuple[float, float]]


SURFACES: dict[str, Surface] = {
    "bowl": Surface(
        bowl,
        "A long valley, 100 times as steep across as along; lowest at (0, 0).",
        (8.0, 1.0),
        (-10, 10, -2, 2),
        [(0, 0)],
    ),
    "Beale": Surface(
        beale,
        "Beale's function: steep walls and a flat, bent floor; lowest at (3, 0.5).",
        (1.0, 1.5),
        (-1, 4.5, -1.5, 2.5),
        [(3, 0.5)],
    ),
    "saddle": Surface(
        saddle,
        "A saddle at (0, 0), between two minima at (0, ±√2); the start is almost on its ridge.",
        (1.5, 1e-3),
        (-2, 2, -2, 2),
        [(0, 2**0.5), (0, -(2**0.5))],
    ),
    "Rosenbrock": Surface(
        rosenbrock,
        "Rosenbrock's function: a bent valley whose floor is almost flat; lowest at (1, 1).",
        (-1.5, 1.5),
        (-2, 2, -1, 3),
        [(1, 1)],
    ),
    "plateau": Surface(
        plateau,
        "A plain that is flat far from its one hole at (0, 0): the gradient almost vanishes there.",
        (-3.0, 2.0),
        (-4, 4, -4, 4),
        [(0, 0)],
    ),
}

OPTIMIZERS: dict[str, Any] = {
    "SGD": SGD(),
    "momentum 0.9": SGD(momentum=0.9),
    "Nesterov 0.9": SGD(momentum=0.9, nesterov=True),
    "AdaGrad": AdaGrad(),
    "RMSProp": RMSProp(),
    "Adam": Adam(),
    "AdamW": AdamW(weight_decay=0.01),  # also pulls towards (0, 0)
}

RATES = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
CELLS = 64

#: A path is drawn by points that are at least this share of the picture apart.
APART = 1 / 200


def walk(f: Any, start: tuple[float, float], optimizer: Any, steps: int) -> Descent:
    """Return the descent from a point; it is called a weight, so that weight decay acts on it."""
    return descend(lambda p: f(p["weight"]), {"weight": np.array(start)}, optimizer, steps)


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page optimizers."""

    surfaces: tuple[str, ...] = parameter(
        tuple(SURFACES), "The surfaces to descend on.", Named(tuple(SURFACES)), Choice("surface", "bowl")
    )
    rates: tuple[float, ...] = parameter(
        RATES, "Learning rates.", Numeric(0, 10), Choice("learning rate η", 0.1, listed=False)
    )
    steps: int = parameter(100, "How many steps each optimizer does.", Numeric(1, 300, whole=True))


@takes_settings(Settings)
def optimizers(settings: Settings) -> Reel:
    """Return seven optimizers on five surfaces as a page: surface and learning rate are chosen, paths can be hidden.

    Each path is that of `chainrule.descend` with the optimizer's own update (lecture 003).

    Parameters
    ----------
    {settings}

    Raises
    ------
    SettingError
        A value is out of its bounds, or there are more combinations than a page can have pictures.

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.optimizers(surfaces=["bowl", "saddle"], rates=0.1)
    >>> reel.controls[0].values, len(reel.frames)
    (['bowl', 'saddle'], 2)
    """

    def frame(surface: str, rate: float) -> Frame:
        at, steps = SURFACES[surface], settings.steps
        paths = {name: walk(at.f, at.start, replace(how, lr=rate), steps) for name, how in OPTIMIZERS.items()}
        return _frame(at, paths, steps)

    return page("optimizers", settings, frame, LESSON, series=tuple(OPTIMIZERS))


def arrival(path: Descent) -> int | None:
    """Return the step from which on the value stays below 0.01 (the lowest is 0 on all surfaces), or None."""
    above = np.flatnonzero(~(path.values < 0.01))  # NaN counts as above
    last = int(above[-1]) if len(above) else -1
    return last + 1 if last < len(path.values) - 1 else None


def _frame(surface: Surface, paths: dict[str, Descent], steps: int) -> Frame:
    left, right, bottom, top = surface.edges
    x, y = (np.linspace(a, b, CELLS + 1)[:-1] + (b - a) / CELLS / 2 for a, b in ((left, right), (bottom, top)))
    points = {name: np.array([point["weight"] for point in path.points]) for name, path in paths.items()}
    arrivals = {name: arrival(path) for name, path in paths.items()}
    there = [f"{name} after {step} steps" for name, step in arrivals.items() if step is not None]
    text = f"Arrived: {', '.join(there)}." if there else f"None arrives within {steps} steps."
    over_it = field(
        "paths",
        surface.text,
        surface.f(np.array(np.meshgrid(x, y))),
        Axis("w₀", low=left, high=right),
        Axis("w₁", low=bottom, high=top),
        paths=[Path(name, *_shorter(way, right - left, top - bottom)) for name, way in points.items()],
        marks=[(a, b, "minimum") for a, b in surface.minima],
        log=True,
        text=f"Paths over the surface. {text}",
    )
    values = {name: [_seen(v) for v in path.values] for name, path in paths.items()}
    cost = line(
        "value",
        "The value at each step",
        [Series(name, range(0, steps + 1, 2), those[::2]) for name, those in values.items()],
        Axis("step", low=0, high=steps),
        Axis("f(w₀, w₁)", log=True, low=1e-6, high=1e3),
        text=f"The value of the surface over the steps. {text}",
    )
    ends = [(f"{name} ends at", f"({number(way[-1, 0])}, {number(way[-1, 1])})") for name, way in points.items()]
    return Frame((over_it, cost), text, ends)


def _shorter(way: np.ndarray, width: float, height: float) -> tuple[list[float], list[float]]:
    """Return a path as it is drawn: without points that lie on the one before, up to where it is no longer finite."""
    drawn = [way[0]]
    for point in way[1:]:
        if not np.isfinite(point).all():
            break
        if np.abs((point - drawn[-1]) / (width, height)).max() >= APART:
            drawn.append(point)
    x, y = ([float(f"{point[i]:.4g}") for point in drawn] for i in (0, 1))
    return x, y


def _seen(value: float) -> float | None:
    return float(f"{value:.4g}") if 1e-12 < value < 1e6 else None


LESSON = Lesson(
    question="Which optimizer takes which way?",
    introduction="All start at the same place. The learning rate is the same for all that are shown; the best "
    "rate of each is another one, which is why no single position of the slider is fair to all.",
    equation=formula(
        "Adam", ":", "  ", "w", "←", "w", "−", "η",
        over(low("m", "t"), row(root(low("v", "t")), "+", "ε")), ",", "  ", low("m", "t"), "=", "β₁",
        low("m", row("t", "−", "1")), "+", "(", "1", "−", "β₁", ")", "g", ",", "  ", low("v", "t"), "=", "β₂",
        low("v", row("t", "−", "1")), "+", "(", "1", "−", "β₂", ")", "g", "²",
    ),
    look_for=(
        "Bowl: plain SGD zigzags across the valley where η is close to 0.2, and creeps along it where η is small.",
        "Saddle: SGD stays on the ridge for long; those that divide by the size of the gradient leave it at once.",
        "Plateau: steps of SGD and momentum are proportional to a gradient that almost vanishes; Adam's are not.",
        "Beale and Rosenbrock: momentum overshoots the bend and comes back; AdaGrad gets slower with every step.",
    ),
    claim="Momentum keeps going where gradients agree and damps where they change their sign; AdaGrad, RMSProp and "
    "Adam give every weight a step size of its own.",
    tested="the updates are compared with those of optax and PyTorch, and the minima with their known places.",
    source="Lectures 000 and 003; Kingma and Ba, 2015 (Adam, here without the correction of the first steps).",
)  # fmt: skip
