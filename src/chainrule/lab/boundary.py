"""The decision boundary: what a network answers where, and what each hidden unit sees, as it learns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.display.numbers import number, percent
from chainrule.errors import DataError, SettingError, unknown_name
from chainrule.experiments.commands import load_data
from chainrule.fields import Option, setting, takes_settings
from chainrule.lab.maps import answer_map, unit_maps, wrong_rows
from chainrule.lab.mathml import formula, high, row
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, Widths, page, parameter
from chainrule.lab.toys import SHAPES, toy
from chainrule.layers import mlp
from chainrule.optimizers import SGD, AdaGrad, Adam, RMSProp
from chainrule.training import fit
from chainrule.training.run import Run
from chainrule.views.derive.boundary import Boundary
from chainrule.views.derive.boundary import boundary as maps_of
from chainrule.views.derive.missing import Missing
from chainrule.views.reel import Control, Frame, Lesson, Reel

HIDDEN = ("tanh", "relu", "sigmoid", "silu", "linear")
OPTIMIZERS: dict[str, Any] = {
    "SGD": SGD(), "momentum 0.9": SGD(momentum=0.9), "AdaGrad": AdaGrad(), "RMSProp": RMSProp(), "Adam": Adam()
}  # fmt: skip

#: What is of use only without data of one's own, and only with it.
DRAWN, GIVEN = {"shapes": tuple(SHAPES), "noise": (0.1,), "rows": 200}, ("target", "columns")


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page boundary."""

    data: Dataset | str | Path | None = setting(
        None, "Data of one's own with classes: a name, a file or a `Dataset`; without it points are drawn.",
        Option("DATA", help="A data set by its name or file. [points that are drawn]", argument=True, complete="data"),
    )  # fmt: skip
    target: str | None = setting(None, "The column of a table that is to be predicted.", Option("COLUMN"))
    columns: str | None = setting(
        None, "Two inputs by their names, parted by a comma: the plane that is shown.",
        Option("NAME,NAME", "both inputs, or the first two principal components"),
    )  # fmt: skip
    shapes: tuple[str, ...] | None = parameter(
        None, "In which shapes points of two classes are drawn.", Named(tuple(SHAPES)), Choice("points", "moons"),
        without=DRAWN["shapes"],
    )  # fmt: skip
    noise: tuple[float, ...] | None = parameter(
        None, "The deviation of the noise on the points.", Numeric(0, 1), Choice("noise"), without=DRAWN["noise"]
    )
    rows: int | None = parameter(
        None, "How many points there are.", Numeric(10, 1000, whole=True), without=DRAWN["rows"]
    )
    hidden: tuple[tuple[int, ...], ...] = parameter(
        ((), (3,), (8,)), "The widths of the hidden layers.", Widths(6, 32), Choice("hidden layers", (8,))
    )
    activations: tuple[str, ...] = parameter(
        ("tanh",), "The activation of the hidden layers.", Named(HIDDEN), Choice("activation")
    )
    optimizers: tuple[str, ...] = parameter(
        ("Adam",), "How the weights are moved.", Named(tuple(OPTIMIZERS)), Choice("optimizer")
    )
    rates: tuple[float, ...] = parameter((0.1,), "Learning rates.", Numeric(0, 100), Choice("learning rate η"))
    l2: tuple[float, ...] = parameter((0.0,), "The factor λ of L2 regularization.", Numeric(0, 1000), Choice("λ"))
    epochs: int = parameter(40, "How long each network is trained.", Numeric(1, 500, whole=True))
    stops: int = parameter(9, "How many moments of the training can be chosen.", Numeric(1, 20, whole=True))
    seed: int = parameter(0, "Points and first weights follow from it.", Numeric(0, 10**6, whole=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in DRAWN if self.data is not None else GIVEN:
            if getattr(self, name) is not None:
                need = (
                    "is for points that are drawn, and there is data" if name in DRAWN else "is for data of one's own"
                )
                raise SettingError(f"{name} {need}: leave it out.")


@takes_settings(Settings)
def boundary(settings: Settings) -> Reel:
    """Return what networks answer where, and what each of their hidden units gives, step by step, as a page.

    Each network is trained by `chainrule.fit` in batches of 20; the maps are those of `chainrule.views.derive.boundary`
    from the weights that were recorded. Of data with more than two inputs the plane is that of two ``columns``, the
    others at their median, or of the first two principal components.

    Parameters
    ----------
    {settings}

    Raises
    ------
    DataError
        The data has no classes, or its samples are not rows of at least two numbers.
    SettingError
        A value is out of its bounds or has no effect, or there are more combinations than a page can have pictures.

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.boundary(shapes="circles", hidden=[(), (8,)], stops=2, rows=60, epochs=20)
    >>> [control.label for control in reel.controls], len(reel.frames)
    (['hidden layers', 'moment of training'], 4)
    """
    dataset = None if settings.data is None else _loaded(settings.data, settings.target)
    if dataset is None:
        missing = {name: value for name, value in DRAWN.items() if getattr(settings, name) is None}
        settings = replace(settings, **missing)  # type: ignore[arg-type]
    columns = None if dataset is None else _places(dataset, settings.columns)
    seen: dict[Any, Boundary] = {}

    def frame(shape: Any, noise: Any, *rest: Any) -> Frame:
        hidden, activation, optimizer, rate, l2, at = rest
        if (key := (shape, noise, *rest[:-1])) not in seen:
            data = dataset or _drawn(shape, settings.rows or 0, noise, settings.seed)
            net = _network(data, hidden, activation)
            run = _train(net, data, replace(OPTIMIZERS[optimizer], lr=rate), l2, settings)
            maps = boundary_of(run, columns, settings.stops)
            seen[key] = maps if dataset else replace(maps, axes=("x₁", "x₂"))
        return _frame(seen[key], at)

    stops = Control("moment of training", [str(i) for i in range(settings.stops)], start=settings.stops - 1)
    return page("boundary", settings, frame, LESSON, stops)


def boundary_of(run: Run, columns: tuple[int, int] | None, stops: int) -> Boundary:
    """Return the maps of a run that was recorded, at so many of its stops: the first, the last and some between."""
    assert run.recorded is not None
    seen = maps_of(run.recorded, columns)
    if isinstance(seen, Missing):
        raise DataError(f"There is no plane to draw. {seen.why}")
    at = np.linspace(len(seen.stops) - 1, 0, stops).round().astype(int)[::-1]
    return replace(
        seen, stops=tuple(seen.stops[i] for i in at), answers=seen.answers[at], maps=seen.maps[at],
        point_answers=seen.point_answers[at],
    )  # fmt: skip


def _drawn(shape: str, rows: int, noise: float, seed: int) -> Dataset:
    """Return points of a shape as a data set."""
    return Dataset.from_arrays(shape, *toy(shape, rows, noise, seed), feature_names=("x₁", "x₂"))


def _loaded(data: Dataset | str | Path, target: str | None) -> Dataset:
    """Return data of one's own, if it has classes and rows of numbers."""
    if isinstance(data, Dataset) and target is not None:
        raise SettingError("target is for a table, and the data is a Dataset, which has its targets: leave it out.")
    dataset = data if isinstance(data, Dataset) else load_data(str(data), target)
    if dataset.task != "classification":
        raise DataError(f"The page boundary is about classes, and {dataset.name} has numbers to predict.")
    if dataset.x.ndim != 2 or dataset.x.shape[1] < 2:
        raise DataError(
            f"The page boundary needs rows of at least two numbers, and a sample of {dataset.name} has the shape "
            f"{dataset.x.shape[1:]}."
        )
    return dataset


def _places(dataset: Dataset, columns: str | None) -> tuple[int, int] | None:
    """Return the places of two inputs by their names."""
    if columns is None:
        return None
    names = list(dataset.feature_names or [f"x{i}" for i in range(dataset.x.shape[1])])
    chosen = [name.strip() for name in columns.split(",")]
    for name in chosen:
        if name not in names:
            raise unknown_name("input", name, names)
    if len(set(chosen)) != 2:
        raise SettingError(f"columns are two different inputs, parted by a comma, got {columns!r}.")
    return names.index(chosen[0]), names.index(chosen[1])


def _network(data: Dataset, hidden: tuple[int, ...], activation: str) -> Any:
    """Return a network for classes: one sigmoid output for two of them, else softmax."""
    count = len(data.classes or ())
    outputs, output = (1, "sigmoid") if count == 2 else (count, "softmax")
    return mlp([data.x.shape[1], *hidden, outputs], hidden=activation, output=output)


def _train(net: Any, data: Dataset, optimizer: Any, l2: float, settings: Settings) -> Run:
    return fit(
        net, data, optimizer=optimizer, l2=l2, epochs=settings.epochs, batch_size=20, seed=settings.seed,
        engine="numpy", record="light", progress=False,
    )  # fmt: skip


def _frame(seen: Boundary, at: int) -> Frame:
    wrong = wrong_rows(seen, at)
    text = f"After {seen.stops[at]:,} steps {int(wrong.sum()):,} of {len(wrong):,} rows are answered wrong."
    if not seen.units:
        text += " Without a hidden layer the boundary is straight."
    numbers = [("steps", f"{seen.stops[at]:,}"), ("right rows", percent(1 - float(wrong.mean()), 1))]
    if seen.explained is not None:
        numbers.append(("variance in this plane", percent(seen.explained, 1)))
    sure = seen.point_answers[at]
    sure = np.maximum(sure, 1 - sure) if sure.shape[1] == 1 else sure
    numbers.append(("mean probability of its answers", number(float(sure.max(axis=1).mean()), 3)))
    units = unit_maps(seen, at)
    return Frame([answer_map(seen, at, text), *([units] if units else [])], text, numbers)


LESSON = Lesson(
    question="What does a network answer where, and what do its hidden units see?",
    introduction="Points of several classes, and what a network answers on the whole plane, from its first weights on. "
    "Below, what each hidden unit gives: the answer is made of these.",
    equation=formula(
        "a", "=", "σ", "(", high("w", "L"), high("a", row("L", "−", "1")), "+", high("b", "L"), ")", ",", "  ",
        high("a", "l"), "=", "f", "(", high("w", "l"), high("a", row("l", "−", "1")), "+", high("b", "l"), ")",
    ),
    look_for=(
        "No hidden layer: the boundary is a straight line, which cannot part any of these shapes.",
        "Three units: each bends its own line; the answer follows the best combination of three of them.",
        "Eight units: moons, circles and xor are parted; the spirals need more units and more steps.",
        "At first the units hardly differ; while the cost falls they turn to where the classes meet.",
    ),
    claim="A network with one hidden layer can form any boundary if it has enough units; a single neuron only a plane.",
    tested="the maps are what the network predicts with the weights that were recorded; the suite compares them with "
    "Model.predict_proba, and the crosses with its wrong answers.",
    source="Lectures 000 and 003.",
)  # fmt: skip
