"""How the weights start decides whether a deep network learns (lectures 000, 002, 003)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import activations
from chainrule import initializers as inits
from chainrule.data import Standardizer, load
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.fan import fan
from chainrule.draw.line import Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, low, over, row
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, page, parameter
from chainrule.layers import mlp
from chainrule.models import BackpropResult, Model
from chainrule.views.reel import Frame, Lesson, Reel

STARTS: dict[str, Any] = {
    "all 0": inits.Zeros(),
    "all 0.1": inits.Constant(0.1),
    "too small": inits.Normal(0.01),
    "Xavier": inits.GlorotNormal(),
    "He": inits.HeNormal(),
    "too large": inits.Normal(1.0),
}
HIDDEN = ("tanh", "relu", "sigmoid")
DEPTHS = (2, 4, 8)
ROWS = 200
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

#: What is smaller cannot be told from 0 in the drawing.
LEAST = 1e-14


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page initialization."""

    activations: tuple[str, ...] = parameter(
        HIDDEN, "The activation of the hidden layers.", Named(HIDDEN), Choice("activation", "tanh")
    )
    depths: tuple[int, ...] = parameter(
        DEPTHS, "How many hidden layers there are.", Numeric(2, 20, whole=True), Choice("hidden layers", 8)
    )
    starts: tuple[str, ...] = parameter(
        tuple(STARTS), "How the weights start.", Named(tuple(STARTS)),
        Choice("weights at the start", "too small", listed=False),
    )  # fmt: skip
    width: int = parameter(100, "How many units a hidden layer has.", Numeric(2, 300, whole=True))
    seed: int = parameter(0, "The weights follow from it.", Numeric(0, 10**6, whole=True))


@takes_settings(Settings)
def initialization(settings: Settings) -> Reel:
    """Return what six ways to start do to the values and gradients of a deep network, as a page.

    Activations a and δ = ∂C/∂z of all hidden layers on 200 handwritten digits before the first step, by
    `chainrule.Model.backprop` in float64. "too small" is N(0, 0.01²), "too large" N(0, 1), "Xavier" N(0, 2/(n_in +
    n_out)), "He" N(0, 2/n_in).

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
    >>> reel = cr.lab.initialization(activations="tanh", depths=4, starts="all 0")
    >>> reel.frames[0].text
    'No gradient reaches the first layer: it never learns.'
    """

    def frame(hidden: str, depth: int, start: str) -> Frame:
        return _frame(hidden, look(hidden, depth, settings.width, STARTS[start], settings.seed))

    return page("initialization", settings, frame, LESSON)


def look(hidden: str, depth: int, width: int, init: Any, seed: int) -> tuple[Model, BackpropResult]:
    """Return a network before its first step, and its pass forward and backward on the digits."""
    x, y = digits()
    model = Model(mlp([x.shape[1], *[width] * depth, 10], hidden=hidden, init=init), x.shape[1:], seed=seed,
                  precision="float64")  # fmt: skip
    return model, model.backprop(x[:ROWS], y[:ROWS])


def flat(hidden: str, z: Any) -> float:
    """Return the share of values where the activation's derivative is below 0.01: no gradient passes there."""
    return float(np.mean(np.abs(np.asarray(activations.get(hidden).derivative(z))) < 0.01))


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the handwritten digits as standardized rows, and which they are."""
    data = load("digits")
    x = data.x.reshape(len(data.x), -1)
    return Standardizer.fit(x)(x), data.y


def distinct(weight: np.ndarray) -> int:
    """Return how many neurons of a layer differ: distinct columns of its weights, up to rounding."""
    return len(np.unique(weight.round(9), axis=1).T)


def _frame(hidden: str, looked: tuple[Model, BackpropResult]) -> Frame:
    model, seen = looked
    depth = len(seen.a) - 1
    layers = range(1, depth + 1)
    a = [np.asarray(seen.a[i]) for i in range(depth)]
    sizes = [float(np.sqrt(np.mean(np.square(seen.delta[i])))) for i in range(depth)]
    values = np.array([np.quantile(v, SHARES) for v in a])
    highest = max(2.0, min(50.0, float(np.abs(values).max())))
    across = Axis("layer", whole=True, low=1, high=max(2, depth))
    factor = (sizes[0] / sizes[-1]) ** (1 / (depth - 1)) if sizes[-1] > 0 and sizes[0] > 0 else 0.0
    neurons = distinct(model.params["dense_1"]["weight"])
    text = _words(factor, sizes, neurons, [float(v.std()) for v in a])
    forward = fan(
        "a", "Forward: activations of each layer", list(layers), SHARES, np.clip(values, -highest, highest).round(5),
        across, Axis("a", low=-highest if values.min() < 0 else 0.0, high=highest),
        text=f"Deviation of the activations: {number(float(a[0].std()))} in the first, {number(float(a[-1].std()))} in "
        "the last hidden layer.",
    )  # fmt: skip
    backward = line(
        "delta", "Backward: size of δ in each layer",
        [Series("", list(layers), [float(f"{v:.4g}") if v > LEAST else None for v in sizes])],
        across, Axis("root mean square of δ", log=True, low=LEAST, high=1e3),
        text=f"δ changes by a factor of {number(factor)} from layer to layer towards the input." if factor
        else "No gradient reaches the first layer.",
    )  # fmt: skip
    numbers = [
        ("different neurons in layer 1", f"{neurons} of {seen.a[0].shape[1]}"),
        ("δ per layer, towards the input", f"× {number(factor)}" if factor else "0"),
        ("deviation of a, first and last layer", f"{number(float(a[0].std()))}, {number(float(a[-1].std()))}"),
        (
            "values where f′ < 0.01, first and last layer",
            f"{flat(hidden, seen.z[0]):.0%}, {flat(hidden, seen.z[depth - 1]):.0%}",
        ),
    ]
    return Frame((forward, backward), text, numbers)


def _words(factor: float, sizes: list[float], neurons: int, deviations: list[float]) -> str:
    """Return what is to be seen."""
    if sizes[0] == 0:
        return "No gradient reaches the first layer: it never learns."
    if neurons == 1:
        return (
            "All neurons of a layer are equal, get the same gradient, and stay equal: the layer counts as one neuron."
        )
    if factor < 0.5:
        return f"δ shrinks by a factor of {number(factor)} a layer towards the input: the first layers hardly learn."
    if factor > 2:
        return f"δ grows by a factor of {number(factor)} a layer towards the input: the first steps are far too long."
    if deviations[-1] < 0.1 * deviations[0]:
        return "The activations shrink on their way: the last layers hardly tell the rows apart."
    return "Activations and δ keep their size through the layers: all of them learn."


LESSON = Lesson(
    question="Why does it matter how the weights start?",
    introduction=f"A network on {ROWS} handwritten digits, before its first step: all weights 0, all 0.1, drawn from "
    "N(0, 0.01²) (too small), by the rules of Xavier Glorot and of He, and from N(0, 1) (too large).",
    equation=formula(
        "Var", "(", "w", ")", "=", over("2", row(low("n", "in"), "+", low("n", "out"))), "  ", "(", "Xavier", ")", ",",
        "  ", "Var", "(", "w", ")", "=", over("2", low("n", "in")), "  ", "(", "He", ")",
    ),
    look_for=(
        "All 0: no gradient reaches the first layer. All 0.1: all neurons are one neuron.",
        "Too small: activations and δ fall by orders of magnitude with every layer.",
        "Too large: tanh saturates; ReLU's values and δ explode.",
        "Xavier keeps both in range for tanh, He for ReLU.",
    ),
    claim="Equal weights stay equal; weights that are too small or too large make the signal vanish or explode; their "
    "variance should follow from the number of inputs (and outputs).",
    tested="values and δ are those of Model.backprop, which is compared with finite differences in float64.",
    source="Lectures 000, 002 and 003; Glorot and Bengio, 2010; He et al., 2015.",
)  # fmt: skip
