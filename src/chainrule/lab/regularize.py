"""Overfitting, and what dropout, L2 and more rows do against it (lecture 003)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import load
from chainrule.display.numbers import number, percent
from chainrule.draw.axes import Axis
from chainrule.draw.figure import Figure
from chainrule.draw.images import images
from chainrule.draw.line import Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, high, low, over, row
from chainrule.lab.parameters import Choice, Numeric, Parameters, page, parameter
from chainrule.layers import Dense, Dropout, Layer, Sequential
from chainrule.optimizers import Adam
from chainrule.population.fit import fit_population
from chainrule.statistics import Summary, summary
from chainrule.training.run import Run
from chainrule.views.reel import Frame, Lesson, Reel

Array = np.ndarray

BATCH, RATE = 20, 0.003
#: Of the weights of the first layer those of so many units are shown.
UNITS = 8


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page regularize."""

    rows: tuple[int, ...] = parameter(
        (100, 1000), "How many handwritten digits are learnt.", Numeric(20, 1297, whole=True),
        Choice("training rows", 100),
    )  # fmt: skip
    dropout: tuple[float, ...] = parameter(
        (0.0, 0.5), "The share p of hidden units that is left out in each step.", Numeric(0, 0.9),
        Choice("dropout p", 0.0),
    )  # fmt: skip
    l2: tuple[float, ...] = parameter(
        (0.0, 0.3, 1.0), "The factor λ of L2 regularization.", Numeric(0, 100), Choice("λ", 0.0, listed=False)
    )
    seeds: int = parameter(5, "How many networks each curve is the mean of.", Numeric(1, 20, whole=True))
    steps: int = parameter(500, "How many steps each network is trained.", Numeric(50, 5000, whole=True))
    width: int = parameter(60, "How many units the hidden layer has.", Numeric(8, 200, whole=True))


@takes_settings(Settings)
def regularize(settings: Settings) -> Reel:
    """Return what dropout, L2 regularization and more rows do against overfitting, as a page.

    Networks 64-60-10 learn handwritten digits with Adam (η = 0.003) in batches of 20, several seeds of each
    setting as one population (`chainrule.fit_population`); 500 other digits are the validation data.

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
    >>> reel = cr.lab.regularize(rows=100, dropout=[0, 0.5], l2=0, seeds=2, steps=50)
    >>> [series["name"] for series in reel.frames[0].figures[0].numbers["series"]]
    ['training', 'validation']
    """
    learnt: dict[Any, Learnt] = {}
    for rows in settings.rows:
        learnt |= {(rows, *key): each for key, each in train(rows, settings).items()}
    most = max(each.highest for each in learnt.values())
    limit = max(float(np.abs(each.weights).max()) for each in learnt.values())

    def frame(rows: int, dropout: float, l2: float) -> Frame:
        return _frame(learnt[rows, dropout, l2], learnt.get((rows, 0.0, 0.0)), most, limit)

    return page("regularize", settings, frame, LESSON)


def network(width: int = 100, dropout: float = 0.0) -> Layer:
    """Return a network for digits with one hidden layer, and dropout after it."""
    return Sequential(Dense(width, "relu"), Dropout(dropout), Dense(10, "softmax"))


def digits() -> tuple[Array, Array]:
    """Return the small digits as rows, and which they are, in an order drawn by lot."""
    data = load("digits")
    order = random.permutation(random.key(0), len(data.x))
    return data.x.reshape(len(data.x), -1)[order], data.y[order]


@dataclass(frozen=True, eq=False)
class Learnt:
    """What networks that differ by their seed alone have learnt.

    Attributes
    ----------
    steps : steps done at the end of each epoch
    training, validation : the cost of each network in each epoch, (seeds, epochs)
    accuracy, val_accuracy : in the last epoch, over the seeds
    squares : the sum of squared weights, over the seeds
    weights : those of the first units of the first network, (units, 8, 8)
    """

    steps: list[int]
    training: Array
    validation: Array
    accuracy: Summary
    val_accuracy: Summary
    squares: Summary
    weights: Array

    @property
    def highest(self) -> float:
        """The highest cost of all."""
        return float(max(self.training.max(), self.validation.max()))


def train(rows: int, settings: Settings) -> dict[tuple[float, float], Learnt]:
    """Return networks that have learnt so many digits, by dropout and λ."""
    x, y = digits()
    each_epoch = -(-rows // BATCH)
    epochs = max(1, round(settings.steps / each_epoch))
    keys = [(p, l2) for p in settings.dropout for l2 in settings.l2]
    members = [{"seed": seed, "l2": l2, "net.layers.1.rate": p} for p, l2 in keys for seed in range(settings.seeds)]
    runs = fit_population(
        network(settings.width), (x[:rows], y[:rows]), members, validation=(x[-500:], y[-500:]), epochs=epochs,
        optimizer=Adam(lr=RATE), batch_size=BATCH, normalize=False, progress=False,
    )  # fmt: skip
    steps = [each_epoch * epoch for epoch in range(1, epochs + 1)]
    return {
        key: _learnt(steps, [runs[i * settings.seeds + seed] for seed in range(settings.seeds)])
        for i, key in enumerate(keys)
    }


def _learnt(steps: list[int], runs: list[Run]) -> Learnt:
    of = {name: np.array([run.history[name] for run in runs], float)
          for name in ("loss", "val_loss", "accuracy", "val_accuracy")}  # fmt: skip
    weights = [[np.asarray(layer["weight"]) for layer in run.model.params.values() if layer] for run in runs]
    squares = summary([float(sum(np.square(w).sum() for w in all_of)) for all_of in weights])
    first = weights[0][0].T[:UNITS].reshape(-1, 8, 8)
    right, right_of_new = (summary(of[name][:, -1].tolist()) for name in ("accuracy", "val_accuracy"))
    return Learnt(steps, of["loss"], of["val_loss"], right, right_of_new, squares, first)


def _frame(learnt: Learnt, plain: Learnt | None, most: float, limit: float) -> Frame:
    training, validation = (float(costs[:, -1].mean()) for costs in (learnt.training, learnt.validation))
    text = (
        f"Validation cost {number(validation, 3)}, {number(validation / training, 2)} times that of training; "
        f"{percent(learnt.val_accuracy.mean, 1)} of the validation rows are right."
    )
    if plain is not None and learnt is not plain:
        text += f" Without either: {number(float(plain.validation[:, -1].mean()), 3)}, and " \
                f"{percent(plain.val_accuracy.mean, 1)}."  # fmt: skip
    at = np.unique(np.linspace(0, len(learnt.steps) - 1, 40).round().astype(int))
    curves = [_band(name, learnt.steps, costs, at)
              for name, costs in (("training", learnt.training), ("validation", learnt.validation))]  # fmt: skip
    costs = line(
        "cost", "Cost over the steps", curves, Axis("step", low=0), Axis("cross-entropy", "nats", log=True, low=1e-3,
        high=max(3.0, most)), text=text,
        note="Means over the seeds, with the lowest and the highest; the training cost is that with dropout, and L2 is "
        "not in it.",
    )  # fmt: skip
    numbers = [
        ("training rows right", percent(learnt.accuracy.mean, 1)),
        ("validation rows right", f"{percent(learnt.val_accuracy.mean, 1)}{_spread(learnt.val_accuracy)}"),
        ("sum of squared weights", number(learnt.squares.mean, 3)),
        ("networks", str(learnt.val_accuracy.n)),
    ]
    return Frame((costs, _weights(learnt, limit)), text, numbers)


def _spread(values: Summary) -> str:
    return f" ± {100 * values.std:.1f}" if values.n > 1 else ""


def _band(name: str, steps: list[int], costs: Array, at: Array) -> Series:
    """Return the mean of some curves with their lowest and highest values."""
    lowest, mean, highest = (
        [float(f"{v:.4g}") for v in reduce(costs[:, at], axis=0)] for reduce in (np.min, np.mean, np.max)
    )
    return Series(name, [steps[i] for i in at], mean, lowest, highest)


def _weights(learnt: Learnt, limit: float) -> Figure:
    """Return what the first units look for, on one scale for the whole page, in steps of a seventh of it."""
    steps = np.round(learnt.weights / limit * 7) / 7 * limit
    return images(
        "weights", "Weights of the first eight hidden units", steps, columns=4, limit=limit,
        text=f"The largest weight is {number(float(np.abs(learnt.weights).max()), 3)}.",
        note=f"Below 0 orange, above 0 blue, up to {number(limit, 3)}, the largest of all on this page.",
    )  # fmt: skip


LESSON = Lesson(
    question="What helps against overfitting?",
    introduction="Networks 64-60-10 learn few or many handwritten digits. Dropout leaves hidden units out at random in "
    "each step; L2 adds the squares of the weights to the cost.",
    equation=formula(
        "C", "=", low("C", "0"), "+", over("λ", row("2", "n")), "∑", high("w", "2"), ",", "  ", "w", "←", "(", "1", "−",
        over(row("η", "λ"), "n"), ")", "w", "−", "η", over(row("∂", low("C", "0")), row("∂", "w")),
    ),
    look_for=(
        "100 rows, nothing against it: all training rows are right, and the validation cost is many times theirs.",
        "1,000 rows: both costs stay close; more data helps most.",
        "λ = 0.3: the weights get smaller, and the validation cost falls.",
        "Dropout: the training cost rises, and that of validation falls.",
        "With 1,000 rows neither of the two gains much.",
    ),
    claim="Huge numbers of parameters overfit; more training data, L2 regularization and dropout reduce it.",
    tested="five networks for each setting, with their lowest and highest curve; the suite trains one again alone.",
    source="Lecture 003; Srivastava et al., 2014 (dropout).",
)  # fmt: skip
