"""Logic gates: what one neuron can decide, and what needs a hidden layer (lectures 003 and 004)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chainrule.display.numbers import number
from chainrule.fields import takes_settings
from chainrule.lab.boundary import boundary_of
from chainrule.lab.maps import answer_map, true_classes, unit_maps, wrong_rows
from chainrule.lab.mathml import formula, high, row
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, page, parameter
from chainrule.layers import mlp
from chainrule.lectures.networks import GATES
from chainrule.lectures.perceptron import Perceptron
from chainrule.optimizers import Adam
from chainrule.training import fit
from chainrule.training.run import Run
from chainrule.views.derive.boundary import Boundary
from chainrule.views.reel import Control, Frame, Lesson, Reel

Array = np.ndarray

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
TRUTHS = {
    "AND": X.all(axis=1).astype(int),
    "OR": X.any(axis=1).astype(int),
    "NAND": 1 - X.all(axis=1).astype(int),
    "NOR": 1 - X.any(axis=1).astype(int),
    "XOR": X.sum(axis=1) % 2,
    "XNOR": 1 - X.sum(axis=1) % 2,
}
LEARNERS = ("one neuron", "two layers")
EPOCHS = 200


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page gates."""

    gates: tuple[str, ...] = parameter(
        tuple(TRUTHS), "The functions of two inputs to learn.", Named(tuple(TRUTHS)), Choice("gate", "XOR")
    )
    learners: tuple[str, ...] = parameter(
        LEARNERS, "One threshold neuron by the perceptron's rule, or a trained network 2-2-1.", Named(LEARNERS),
        Choice("learner", "one neuron"),
    )  # fmt: skip
    moments: int = parameter(12, "How many moments of the learning can be chosen.", Numeric(2, 20, whole=True))
    seed: int = parameter(0, "The first weights of the network follow from it.", Numeric(0, 10**6, whole=True))


@takes_settings(Settings)
def gates(settings: Settings) -> Reel:
    """Return how one neuron and a network of two layers learn the logic gates, as a page.

    The neuron learns by the perceptron's rule (`chainrule.Perceptron`), one pass over the four rows at each moment; the
    network 2-2-1 with SiLU and sigmoid is trained by `chainrule.fit` with Adam, 200 epochs.

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
    >>> reel = cr.lab.gates(gates="AND", learners="one neuron", moments=8)
    >>> reel.frames[-1].text
    'After 7 passes all four rows are right.'
    """
    seen: dict[tuple[str, str], Boundary] = {}
    for gate in settings.gates:
        if "one neuron" in settings.learners:
            seen[gate, "one neuron"] = passes_of_neuron(TRUTHS[gate], settings.moments)
        if "two layers" in settings.learners:
            maps = boundary_of(train(TRUTHS[gate], settings.seed), None, settings.moments)
            seen[gate, "two layers"] = replace(maps, axes=("x₁", "x₂"))

    def frame(gate: str, learner: str, moment: int) -> Frame:
        return _frame(gate, learner, seen[gate, learner], moment)

    moments = Control("moment", [str(i) for i in range(settings.moments)], start=settings.moments - 1)
    return page("gates", settings, frame, LESSON, moments)


def train(y: Array, seed: int = 0) -> Run:
    """Return a network 2-2-1 that has learnt a function of two inputs from its four samples."""
    net = mlp([2, 2, 1], hidden="silu", output="sigmoid")
    return fit(
        net, (X, y), optimizer=Adam(lr=0.1), epochs=EPOCHS, batch_size=4, seed=seed, engine="numpy", record="light",
        progress=False,
    )  # fmt: skip


def passes_of_neuron(y: Array, moments: int) -> Boundary:
    """Return the maps of a threshold neuron before it has learnt and after each pass of the perceptron's rule."""
    neuron, places = Perceptron(), np.linspace(-0.4, 1.4, 40)
    grid = np.stack([part.ravel() for part in np.meshgrid(places, places)], axis=1)
    thetas = [np.zeros(3)]
    for _ in range(moments - 1):
        neuron.partial_fit(X, y, classes=(0, 1))
        thetas.append(np.array([neuron.bias, *neuron.weights]))
    z = np.array([theta[0] + grid @ theta[1:] for theta in thetas])
    rows = np.array([theta[0] + X @ theta[1:] for theta in thetas])
    side = len(places)
    return Boundary(
        plane="inputs", axes=("x₁", "x₂"), explained=None, x=places, y=places, stops=tuple(range(moments)),
        answers=(z > 0).astype(float).reshape(moments, 1, side, side), units=(),
        maps=np.zeros((moments, 0, side, side)),
        points=X.astype(float), truths=y, point_answers=(rows > 0).astype(float)[:, :, None], task="binary",
        classes=(0, 1), threshold=0.5,
    )  # fmt: skip


def _frame(gate: str, learner: str, seen: Boundary, at: int) -> Frame:
    wrong = int(wrong_rows(seen, at).sum())
    done = seen.stops[at]
    one, several = ("pass", "passes") if learner == "one neuron" else ("step", "steps")
    rows = "all four rows are right" if not wrong else f"{wrong} of the four rows {'is' if wrong == 1 else 'are'} wrong"
    text = f"After {done} {one if done == 1 else several} {rows}."
    if learner == "one neuron" and gate in ("XOR", "XNOR"):
        text += " No line separates them, so it never stops."
    units = unit_maps(seen, at)
    order = [int(np.flatnonzero((np.round(seen.points) == x).all(axis=1))[0]) for x in X]
    answers = seen.point_answers[at][order, 0]
    numbers = [(f"{a} {gate} {b}", f"{number(float(answer), 3)} (right: {true_classes(seen)[i]})")
               for (a, b), answer, i in zip(X.tolist(), answers, order, strict=True)]  # fmt: skip
    if learner == "one neuron" and gate.lower() in GATES:
        bias, *weights = GATES[gate.lower()]
        numbers.append(("weights of lecture 004: b, w₁, w₂", ", ".join(number(w) for w in (bias, *weights))))
    return Frame([answer_map(seen, at, text), *([units] if units else [])], text, numbers)


LESSON = Lesson(
    question="What can one neuron decide, and what needs a hidden layer?",
    introduction="Two inputs that are 0 or 1, and what shall be answered. A threshold neuron learns by the "
    "perceptron's rule, pass by pass; a network with two hidden neurons is trained by backpropagation.",
    equation=formula(
        "neuron", ":", "  ", "b", "+", high("w", "T"), "x", ">", "0", ",", "  ", "network", ":", "  ", "σ", "(",
        high("w", "2"), "f", "(", high("w", "1"), "x", "+", high("b", "1"), ")", "+", high("b", "2"), ")", ",", "  ",
        row("f", "(", "z", ")", "=", "z", "σ", "(", "z", ")"),
    ),
    look_for=(
        "AND, OR, NAND, NOR: one line is enough, and the neuron stops changing once it is there.",
        "XOR and XNOR: whatever the line, a row is on the wrong side; the neuron goes round in circles.",
        "Two layers: each hidden neuron bends its own line; the output neuron combines them.",
    ),
    claim="A neuron can compute AND, OR and NOT; XOR needs at least one hidden layer.",
    tested="that no line separates XOR is proved by a linear program (Perceptron.separable), and that the network "
    "learns all six gates is checked; bench/results/xor.md counts the seeds that succeed at XOR.",
    source="Lectures 003 and 004; Minsky and Papert, Perceptrons, 1969.",
)  # fmt: skip
