"""The cost around the path of the weights: how rough is the way? (lecture 000)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import load
from chainrule.display.numbers import number, percent
from chainrule.draw.axes import Axis
from chainrule.draw.field import Path as Way
from chainrule.draw.field import field
from chainrule.draw.line import Mark, Series, line
from chainrule.errors import DataError, SettingError
from chainrule.fields import Option, setting, takes_settings
from chainrule.lab.backprop import recorded_of
from chainrule.lab.boundary import OPTIMIZERS
from chainrule.lab.mathml import formula, high, low
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, Widths, page, parameter
from chainrule.layers import mlp
from chainrule.training import fit
from chainrule.training.recorded import Recorded
from chainrule.training.run import Run
from chainrule.views.derive.landscape import PLANES, Landscape
from chainrule.views.derive.landscape import landscape as around
from chainrule.views.derive.missing import Missing
from chainrule.views.reel import Control, Frame, Lesson, Reel

#: What is of use only without a run of one's own.
TRAINED: dict[str, Any] = {
    "hidden": ((8,), (8, 8, 8, 8)), "optimizers": ("SGD", "Adam"), "rate": 0.1, "epochs": 30, "seed": 0
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page landscape."""

    run: Run | str | Path | None = setting(
        None,
        'A `Run` that was recorded (``fit(record="light")``), or the folder of one; without it small networks are '
        "trained on the irises.",
        Option("RUN", help="A run's folder. [small networks]", argument=True, complete="runs"),
    )  # fmt: skip
    planes: tuple[str, ...] = parameter(
        PLANES, "The plane: the main directions of the path, or random ones.", Named(PLANES), Choice("plane", "path")
    )
    hidden: tuple[tuple[int, ...], ...] | None = parameter(
        None, "The widths of the hidden layers.", Widths(10, 64), Choice("hidden layers", (8,)),
        without=TRAINED["hidden"],
    )  # fmt: skip
    optimizers: tuple[str, ...] | None = parameter(
        None, "How the weights are moved.", Named(tuple(OPTIMIZERS)), Choice("optimizer", "SGD"),
        without=TRAINED["optimizers"],
    )  # fmt: skip
    rate: float | None = parameter(None, "The learning rate.", Numeric(0, 100), without=TRAINED["rate"])
    epochs: int | None = parameter(
        None, "How long each network is trained.", Numeric(1, 500, whole=True), without=TRAINED["epochs"]
    )
    seed: int | None = parameter(
        None, "The first weights follow from it.", Numeric(0, 10**6, whole=True), without=TRAINED["seed"]
    )
    stops: int = parameter(10, "How many moments of the training can be chosen.", Numeric(2, 20, whole=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.run is not None:
            for name in TRAINED:
                if getattr(self, name) is not None:
                    raise SettingError(
                        f"{name} is for networks that are trained here, and there is a run: leave it out."
                    )


@takes_settings(Settings)
def landscape(settings: Settings) -> Reel:
    """Return the cost around the path of the weights of a run, or of small networks, as a page.

    The plane goes through the last weights; it has the first two principal components of the path, or two random
    directions of the length of the weights, filter by filter (`chainrule.views.derive.landscape`). Beside it stand the
    true costs of the path, which lies off the plane by the distance that is printed.

    Parameters
    ----------
    {settings}

    Raises
    ------
    DataError
        The run recorded nothing, or its weights did not move.
    SettingError
        A value is out of its bounds or has no effect.

    Example
    -------
    >>> import chainrule as cr
    >>> run = cr.fit(cr.mlp([4, 3, 3]), cr.data.load("iris"), epochs=2, record="light", progress=False)
    >>> reel = cr.lab.landscape(run=run, planes="path", stops=2)
    >>> reel.frames[-1].numbers[0]
    ('steps', '10')
    """
    if settings.run is None:
        missing = {name: value for name, value in TRAINED.items() if getattr(settings, name) is None}
        settings = replace(settings, **missing)
    recordings: dict[Any, Recorded] = {}
    seen: dict[Any, Landscape] = {}

    def frame(plane: str, hidden: Any, optimizer: Any, at: int) -> Frame:
        if (hidden, optimizer) not in recordings:
            recordings[hidden, optimizer] = recorded_of(settings.run or train(hidden, optimizer, settings))
        if (plane, hidden, optimizer) not in seen:
            seen[plane, hidden, optimizer] = _around(recordings[hidden, optimizer], plane)
        land = seen[plane, hidden, optimizer]
        places = np.linspace(0, len(land.stops) - 1, settings.stops).round().astype(int)
        return _frame(land, int(places[at]))

    moments = Control("moment of training", [str(i) for i in range(settings.stops)], start=settings.stops - 1)
    return page("landscape", settings, frame, LESSON, moments)


def train(hidden: tuple[int, ...], optimizer: str, settings: Settings) -> Run:
    """Return a small network that was trained on the irises and recorded."""
    return fit(
        mlp([4, *hidden, 3], hidden="tanh"), load("iris"), optimizer=replace(OPTIMIZERS[optimizer], lr=settings.rate),
        epochs=settings.epochs or 0, seed=settings.seed or 0, engine="numpy", record="light", progress=False,
    )  # fmt: skip


def _around(recorded: Recorded, plane: str) -> Landscape:
    """Return the cost on a plane through the last weights."""
    land = around(recorded, plane)
    if isinstance(land, Missing):
        raise DataError(f"There is no landscape to draw. {land.why}")
    return land


def _frame(land: Landscape, at: int) -> Frame:
    half_x, half_y = (float(axis[1] - axis[0]) / 2 for axis in (land.x, land.y))
    x = Axis(_direction(land, 1), low=float(land.x[0]) - half_x, high=float(land.x[-1]) + half_x)
    y = Axis(_direction(land, 2), low=float(land.y[0]) - half_y, high=float(land.y[-1]) + half_y)
    loss = float(land.loss[at])
    text = (
        f"After {land.stops[at]:,} steps the cost is {number(loss)}; at the same place of the plane it is "
        f"{number(float(land.plane_loss[at]))}, and the weights are {number(float(land.off[at]), 2)} off the plane."
    )
    path = land.path[: at + 1].round(4)
    surface = field(
        "landscape", "The cost on the plane, and the path of the weights", land.grid, x, y,
        paths=[Way("path", *path.T.tolist())], marks=[(0.0, 0.0, "the last weights")], log=True, text=text,
    )  # fmt: skip
    names = ("true cost of the path", "cost at its place on the plane")
    costs = line(
        "costs", "Is the plane right about the path?",
        [
            Series(name, list(land.stops), [_positive(v) for v in values])
            for name, values in zip(names, (land.loss, land.plane_loss), strict=True)
        ],
        Axis("step", whole=True), Axis("cost", log=True), marks=[Mark(land.stops[at], "shown")],
    )  # fmt: skip
    numbers = [
        ("steps", f"{land.stops[at]:,}"),
        ("true cost", number(loss)),
        ("cost on the plane", number(float(land.plane_loss[at]))),
        ("distance from the last weights", number(float(land.distance[at]))),
        ("of it off the plane", number(float(land.off[at]))),
        ("rows", f"{land.rows:,}"),
    ]
    if land.explained is not None:
        numbers.append(("squared distances in this plane", percent(land.explained, 1)))
    return Frame((surface, costs), text, numbers)


def _direction(land: Landscape, which: int) -> str:
    return f"{'principal component' if land.plane == 'path' else 'random direction'} {which}"


def _positive(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) and value > 0 else None


LESSON = Lesson(
    question="How rough is the way to a minimum?",
    introduction="The cost as a function of all weights cannot be drawn. A plane through the last weights can: the "
    "cost at each of its points, and where the weights were in the course of training, projected onto it.",
    equation=formula(
        "f", "(", "α", ",", "β", ")", "=", "C", "(", high("w", "*"), "+", "α", low("d", "1"), "+", "β", low("d", "2"),
        ")",
    ),
    look_for=(
        "Path: the main directions of the path hold almost all of it; random ones hardly any: there it is a dot.",
        "Compare the true cost with that on the plane: where they differ, the picture is not of the way that was gone.",
        "Four layers: far from the path the cost is higher and less regular than with one.",
        "SGD goes along the slope; Adam takes steps of one size in all directions, and bends.",
    ),
    claim="The shape of the cost around a minimum depends on the architecture, and can be seen on planes through it.",
    tested="the suite evaluates the recorded weights again: the true costs are theirs, off² + in-plane² = distance², "
    "and the last stop lies at (0, 0).",
    source="Lecture 000; Li et al., Visualizing the loss landscape of neural nets, 2018.",
)  # fmt: skip
