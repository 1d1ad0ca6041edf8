"""A neuron that is very wrong and learns slowly: quadratic cost against cross-entropy (lecture 003)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.activations import Sigmoid
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, low, row
from chainrule.lab.parameters import Choice, Numeric, Parameters, page, parameter
from chainrule.layers import Dense
from chainrule.models import Model
from chainrule.optimizers import SGD
from chainrule.training import fit
from chainrule.views.reel import Frame, Lesson, Reel

X, Y = np.array([[1.0]]), np.array([0])
COSTS = {"quadratic": "quadratic", "cross-entropy": "binary_cross_entropy"}


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page slow."""

    biases: tuple[float, ...] = parameter(
        (0.9, 2.0), "The bias before the first step.", Numeric(-10, 10), Choice("bias b", 2.0)
    )
    weights: tuple[float, ...] = parameter(
        (0.6, 1.0, 1.5, 2.0, 3.0), "The weight before the first step.", Numeric(-10, 10),
        Choice("weight w", 2.0, listed=False),
    )  # fmt: skip
    rate: float = parameter(0.15, "The learning rate η.", Numeric(0, 10))
    epochs: int = parameter(300, "How long the neuron learns.", Numeric(1, 1000, whole=True))


@takes_settings(Settings)
def slow(settings: Settings) -> Reel:
    """Return one sigmoid neuron that shall learn to answer 0 for the input 1, with both costs, as a page.

    δ = (a − y) σ′(z) for the quadratic cost, δ = a − y for cross-entropy: the first vanishes where the neuron is
    saturated (lecture 003).

    Parameters
    ----------
    {settings}

    Raises
    ------
    SettingError
        A value is out of its bounds.

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.slow(weights=2, biases=2, epochs=20)
    >>> reel.frames[0].numbers[0]
    ('first answer', '0.982')
    """

    def frame(b: float, w: float) -> Frame:
        runs = {name: train(w, b, loss, settings.rate, settings.epochs) for name, loss in COSTS.items()}
        return _frame((w, b), runs, settings.epochs)

    return page("slow", settings, frame, LESSON)


def train(w: float, b: float, loss: str, rate: float = 0.15, epochs: int = 300) -> dict[str, Any]:
    """Return how a neuron with these first values learns: answer, cost, first δ, and when half the cost was gone."""
    params = {"dense_1": {"weight": [[w]], "bias": [b]}}
    model = Model(Dense(1, "sigmoid"), input_shape=(1,), params=params)
    first = model.backprop(X, Y, loss=loss)
    answers: list[float] = []

    def watch(event: Any) -> None:
        neuron = event.state.params["dense_1"]
        answers.append(float(Sigmoid()(neuron["weight"] + neuron["bias"])[0, 0]))

    run = fit(
        model, (X, Y), loss=loss, optimizer=SGD(lr=rate), epochs=epochs, normalize=False, engine="numpy",
        progress=False, callbacks=[watch],
    )  # fmt: skip
    cost = [*run.history["loss"]]
    half = next((epoch for epoch, c in enumerate(cost) if c < cost[0] / 2), None)
    answer = float(first.a[-1][0, 0])
    return {"answers": [answer, *answers], "cost": cost, "delta": float(first.delta[-1][0, 0]), "half": half}


def _frame(start: tuple[float, float], runs: dict[str, dict[str, Any]], epochs: int) -> Frame:
    every = max(1, epochs // 75)
    answers = line(
        "answer", "What the neuron answers (right: 0)",
        [
            Series(name, range(0, epochs + 1, every), [round(v, 4) for v in run["answers"][::every]])
            for name, run in runs.items()
        ],
        Axis("epoch", low=0, high=epochs), Axis("answer a", low=0, high=1),
    )  # fmt: skip
    cost = line(
        "cost", "The cost, as a share of the first",
        [
            Series(name, range(0, epochs, every), [round(v / run["cost"][0], 4) for v in run["cost"][::every]])
            for name, run in runs.items()
        ],
        Axis("epoch", low=0, high=epochs), Axis("cost / first cost", low=0, high=1),
    )  # fmt: skip
    words = ", ".join(
        f"with the {name} cost after {run['half']} epochs" if run["half"] is not None
        else f"with the {name} cost not within {epochs} epochs"
        for name, run in runs.items()
    )  # fmt: skip
    numbers = [("first answer", number(runs["quadratic"]["answers"][0]))]
    numbers += [(f"first δ, {name}", number(run["delta"])) for name, run in runs.items()]
    numbers += [(f"last answer, {name}", number(run["answers"][-1])) for name, run in runs.items()]
    return Frame((answers, cost), f"From w = {start[0]:g}, b = {start[1]:g} half of the cost is gone {words}.", numbers)


LESSON = Lesson(
    question="Why does a neuron that is very wrong learn slowly?",
    introduction="One sigmoid neuron shall answer 0 for the input 1. The larger its weight and bias are at the start, "
    "the more wrong it is at first.",
    equation=formula(
        low("δ", "quadratic"), "=", "(", "a", "−", "y", ")", "σ′", "(", "z", ")", ",", "  ",
        low("δ", row("cross", "‑", "entropy")), "=", "a", "−", "y",
    ),
    look_for=(
        "From w = 0.6, b = 0.9 both costs do well.",
        "From w = b = 2 the answer is 0.98: with the quadratic cost nothing seems to happen for 150 epochs.",
        "The first δ tells why: σ′(z) is almost 0 where the neuron is saturated; cross-entropy's δ does not have it.",
    ),
    claim="With the quadratic cost a saturated output neuron learns slowly although it is very wrong; cross-entropy "
    "cures it.",
    tested="δ and the curves are those of Model.backprop and cr.fit; the suite recomputes both formulas.",
    source="Lecture 003; Nielsen, Neural Networks and Deep Learning, chapter 3.",
)  # fmt: skip
