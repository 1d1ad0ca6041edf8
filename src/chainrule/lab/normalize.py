"""Batch normalization: which depths and learning rates it makes possible (lectures 000, 002 and 003)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.data import load
from chainrule.display.numbers import number, percent
from chainrule.draw.axes import Axis
from chainrule.draw.line import Level, Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, high, low, over, root, row
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, page, parameter
from chainrule.layers import Activation, BatchNorm, Dense, Layer, Sequential
from chainrule.optimizers import SGD
from chainrule.training import fit
from chainrule.training.run import Run
from chainrule.views.reel import Frame, Lesson, Reel

HIDDEN = ("sigmoid", "tanh", "relu")

#: What counts as learnt: this share of the training rows is right.
GOAL = 0.9


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page normalize."""

    activations: tuple[str, ...] = parameter(
        ("sigmoid",), "The activation of the hidden layers.", Named(HIDDEN), Choice("activation", "sigmoid")
    )
    depths: tuple[int, ...] = parameter(
        (1, 3, 6), "How many hidden layers there are.", Numeric(1, 12, whole=True), Choice("hidden layers", 3)
    )
    rates: tuple[float, ...] = parameter(
        (0.1, 0.3, 1.0, 3.0), "Learning rates of plain SGD.", Numeric(0, 100),
        Choice("learning rate η", 0.3, listed=False),
    )  # fmt: skip
    rows: int = parameter(600, "How many handwritten digits are learnt.", Numeric(50, 1797, whole=True))
    epochs: int = parameter(6, "How long each network is trained.", Numeric(1, 50, whole=True))
    width: int = parameter(30, "How many units a hidden layer has.", Numeric(2, 100, whole=True))
    seed: int = parameter(0, "The first weights follow from it.", Numeric(0, 10**6, whole=True))


@takes_settings(Settings)
def normalize(settings: Settings) -> Reel:
    """Return what batch normalization does to training at several depths and learning rates, as a page.

    Networks with and without it learn handwritten digits with plain SGD in batches of 30, by `chainrule.fit`.

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
    >>> reel = cr.lab.normalize(depths=4, rates=1, rows=100, epochs=1)
    >>> [series["name"] for series in reel.frames[0].figures[0].numbers["series"]]
    ['without', 'with batch normalization']
    """
    curves: dict[Any, tuple[Curve, Curve]] = {}
    for hidden in settings.activations:
        for depth in settings.depths:
            for rate in settings.rates:
                both = (train(normalized, hidden, depth, rate, settings) for normalized in (False, True))
                without, having = (measure(run) for run in both)
                curves[hidden, depth, rate] = (without, having)

    def frame(hidden: str, depth: int, rate: float) -> Frame:
        same_depth = [(each, curves[hidden, depth, each]) for each in settings.rates]
        return _frame(depth, rate, curves[hidden, depth, rate], same_depth)

    return page("normalize", settings, frame, LESSON)


def deep(normalized: bool, hidden: str = "sigmoid", depth: int = 4, width: int = 30) -> Layer:
    """Return a deep network; batch normalization comes before the activations, and its β replaces the bias."""
    layers: list[Any] = []
    for _ in range(depth):
        layers += [Dense(width, bias=False), BatchNorm(), Activation(hidden)] if normalized else [Dense(width, hidden)]
    return Sequential(*layers, Dense(10, "softmax"))


def train(normalized: bool, hidden: str, depth: int, rate: float, settings: Settings) -> Run:
    """Return a network that was trained on the digits."""
    digits = load("digits")
    x, y = digits.x.reshape(len(digits.x), -1)[: settings.rows], digits.y[: settings.rows]
    return fit(
        deep(normalized, hidden, depth, settings.width), (x, y), epochs=settings.epochs, optimizer=SGD(lr=rate),
        batch_size=30, seed=settings.seed, engine="numpy", progress=False,
    )  # fmt: skip


def epochs_to(run: Run, accuracy: float) -> int | None:
    """Return the first epoch with this accuracy on the training data; None if there is none."""
    return next((epoch for epoch, a in enumerate(run.history["accuracy"], 1) if a >= accuracy), None)


@dataclass(frozen=True)
class Curve:
    """How a network learnt: its accuracy in each epoch, and when it reached the goal."""

    accuracy: tuple[float, ...]
    reached: int | None


def measure(run: Run) -> Curve:
    """Return how a run learnt."""
    return Curve(tuple(float(a) for a in run.history["accuracy"]), epochs_to(run, GOAL))


NAMES = ("without", "with batch normalization")


def _frame(depth: int, rate: float, both: tuple[Curve, Curve], rates: list[tuple[float, tuple[Curve, Curve]]]) -> Frame:
    words = [
        f"{name}: {'not within' if curve.reached is None else 'in epoch'} "
        f"{len(curve.accuracy) if curve.reached is None else curve.reached}"
        f"{' epochs' if curve.reached is None else ''}"
        for name, curve in zip(NAMES, both, strict=True)
    ]
    text = f"When are {GOAL:.0%} of the training rows right? {words[0].capitalize()}; {words[1]}."
    epochs = list(range(1, len(both[0].accuracy) + 1))
    learning = line(
        "accuracy", "How it learns",
        [Series(name, epochs, [round(a, 4) for a in curve.accuracy]) for name, curve in zip(NAMES, both, strict=True)],
        Axis("epoch", whole=True), Axis("right training rows", percent=True, low=0, high=1),
        levels=[Level(GOAL, f"{GOAL:.0%}")], text=text,
    )  # fmt: skip
    ends = [
        Series(name, [each for each, _ in rates], [round(curves[i].accuracy[-1], 4) for _, curves in rates])
        for i, name in enumerate(NAMES)
    ]
    by_rate = line(
        "rates", f"In the last epoch, by learning rate, {depth} hidden layers", ends, Axis("learning rate η", log=True),
        Axis("right training rows", percent=True, low=0, high=1),
    )  # fmt: skip
    numbers = [(f"right in the last epoch, {name}", percent(curve.accuracy[-1], 1))
               for name, curve in zip(NAMES, both, strict=True)]  # fmt: skip
    return Frame((learning, by_rate), text, [("η", number(rate)), *numbers])


LESSON = Lesson(
    question="What does batch normalization make possible?",
    introduction="Networks learn handwritten digits with plain SGD, without and with batch normalization before each "
    "activation. Depth and learning rate are chosen.",
    equation=formula(
        high("x", "̂"), "=", over(row("x", "−", low("μ", "B")), root(row(high(low("σ", "B"), "2"), "+", "ε"))), ",",
        "  ", "y", "=", "γ", high("x", "̂"), "+", "β",
    ),
    look_for=(
        "One hidden layer: the inputs are normalized, which is enough; batch normalization gains nothing.",
        "Three sigmoid layers: without it none of the rates gets far in six epochs; with it all of them do.",
        "Six layers: without it nothing is learnt; with it rates from 0.1 to 1 do well.",
    ),
    claim="Batch normalization speeds up learning, improves the gradient flow, and allows higher learning rates and "
    "less careful initialization.",
    tested="the curves are those of cr.fit; the suite trains both networks again and compares them.",
    source="Lectures 000, 002 and 003; Ioffe and Szegedy, 2015.",
)  # fmt: skip
