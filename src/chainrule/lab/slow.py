"""A neuron that is very wrong and learns slowly: quadratic cost against cross-entropy (lecture 003)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.activations import Sigmoid
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series, line
from chainrule.lab.mathml import formula, low, row
from chainrule.layers import Dense
from chainrule.models import Model
from chainrule.optimizers import SGD
from chainrule.training import fit
from chainrule.views.reel import Control, Frame, Lesson, Reel, reel

X, Y = np.array([[1.0]]), np.array([0])
STARTS = ((0.6, 0.9), (1.0, 1.0), (1.5, 1.5), (2.0, 2.0), (2.5, 2.5), (3.0, 3.0))
COSTS = {"quadratic": "quadratic", "cross-entropy": "binary_cross_entropy"}
RATE, EPOCHS = 0.15, 300


def slow(starts: Sequence[tuple[float, float]] = STARTS) -> Reel:
    """Return one sigmoid neuron that shall learn to answer 0 for the input 1, with both costs, as a page.

    δ = (a − y) σ′(z) for the quadratic cost, δ = a − y for cross-entropy: the first vanishes where the neuron is
    saturated (lecture 003).

    Parameters
    ----------
    starts
        Weight and bias of the neuron before the first step, to choose from.

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.slow([(2.0, 2.0)])
    >>> reel.frames[0].numbers[0]
    ('first answer', '0.982')
    """

    def frame(start: int) -> Frame:
        w, b = starts[start]
        return _frame((w, b), {name: train(w, b, loss) for name, loss in COSTS.items()})

    values = [f"w = {w:g}, b = {b:g}" for w, b in starts]
    return reel("slow", [Control("start", values)], frame, LESSON)


def train(w: float, b: float, loss: str) -> dict[str, Any]:
    """Return how a neuron with these first values learns: answer, cost, first δ, and when half the cost was gone."""
    params = {"dense_1": {"weight": [[w]], "bias": [b]}}
    model = Model(Dense(1, "sigmoid"), input_shape=(1,), params=params)
    first = model.backprop(X, Y, loss=loss)
    answers: list[float] = []

    def watch(event: Any) -> None:
        neuron = event.state.params["dense_1"]
        answers.append(float(Sigmoid()(neuron["weight"] + neuron["bias"])[0, 0]))

    run = fit(
        model, (X, Y), loss=loss, optimizer=SGD(lr=RATE), epochs=EPOCHS, normalize=False, engine="numpy",
        progress=False, callbacks=[watch],
    )  # fmt: skip
    cost = [*run.history["loss"]]
    half = next((epoch for epoch, c in enumerate(cost) if c < cost[0] / 2), None)
    answer = float(first.a[-1][0, 0])
    return {"answers": [answer, *answers], "cost": cost, "delta": float(first.delta[-1][0, 0]), "half": half}


def _frame(start: tuple[float, float], runs: dict[str, dict[str, Any]]) -> Frame:
    answers = line(
        "answer", "What the neuron answers (right: 0)",
        [
            Series(name, range(0, EPOCHS + 1, 4), [round(v, 4) for v in run["answers"][::4]])
            for name, run in runs.items()
        ],
        Axis("epoch", low=0, high=EPOCHS), Axis("answer a", low=0, high=1),
    )  # fmt: skip
    cost = line(
        "cost", "The cost, as a share of the first",
        [
            Series(name, range(0, EPOCHS, 4), [round(v / run["cost"][0], 4) for v in run["cost"][::4]])
            for name, run in runs.items()
        ],
        Axis("epoch", low=0, high=EPOCHS), Axis("cost / first cost", low=0, high=1),
    )  # fmt: skip
    words = ", ".join(
        f"with the {name} cost after {run['half']} epochs" if run["half"] is not None
        else f"with the {name} cost not within {EPOCHS} epochs"
        for name, run in runs.items()
    )  # fmt: skip
    numbers = [("first answer", number(runs["quadratic"]["answers"][0]))]
    numbers += [(f"first δ, {name}", number(run["delta"])) for name, run in runs.items()]
    numbers += [(f"last answer, {name}", number(run["answers"][-1])) for name, run in runs.items()]
    return Frame((answers, cost), f"From w = {start[0]:g}, b = {start[1]:g} half of the cost is gone {words}.", numbers)


LESSON = Lesson(
    question="Why does a neuron that is very wrong learn slowly?",
    introduction=f"One sigmoid neuron shall answer 0 for the input 1, with η = {RATE}. The further right the slider, "
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
