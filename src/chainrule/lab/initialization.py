"""How the weights start decides whether a deep network learns (lectures 000, 002, 003)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import initializers as inits
from chainrule.data import Standardizer, load
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.fan import fan
from chainrule.draw.line import Series, line
from chainrule.lab.mathml import formula, low, over, row
from chainrule.layers import mlp
from chainrule.models import Model
from chainrule.views.reel import Control, Frame, Lesson, Reel, reel

STARTS: dict[str, Any] = {
    "all 0": inits.Zeros(),
    "all 0.1": inits.Constant(0.1),
    "N(0, 0.01²): too small": inits.Normal(0.01),
    "Xavier, N(0, 2/(n_in + n_out))": inits.GlorotNormal(),
    "He, N(0, 2/n_in)": inits.HeNormal(),
    "N(0, 1): too large": inits.Normal(1.0),
}
HIDDEN = ("tanh", "relu", "sigmoid")
DEPTHS = (2, 4, 8)
WIDTH, ROWS = 100, 200
SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

#: What is smaller cannot be told from 0 in the drawing.
LEAST = 1e-14


def initialization(starts: Mapping[str, Any] = STARTS, seed: int = 0) -> Reel:
    """Return what six ways to start do to the values and gradients of a deep network, as a page.

    Activations a and δ = ∂C/∂z of all hidden layers on 200 handwritten digits before the first step, by
    `chainrule.Model.backprop` in float64.

    Parameters
    ----------
    starts
        Initializers to choose from, by what they are called.
    seed
        The weights follow from it.

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.initialization(starts={"all 0": cr.initializers.Zeros()})
    >>> reel.frames[0].text
    'No gradient reaches the first layer: it never learns.'
    """

    def frame(hidden: int, depth: int, start: int) -> Frame:
        init = list(starts.values())[start]
        return _frame(HIDDEN[hidden], DEPTHS[depth], init, seed)

    controls = (
        Control("activation", HIDDEN, names=True),
        Control("hidden layers", [str(depth) for depth in DEPTHS], start=2, names=True),
        Control("weights at the start", list(starts), start=len(starts) // 2 - 1 if len(starts) > 1 else 0),
    )
    return reel("initialization", controls, frame, LESSON)


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    digits = load("digits")
    x = digits.x.reshape(len(digits.x), -1)
    return Standardizer.fit(x)(x)[:ROWS], digits.y[:ROWS]


def distinct(weight: np.ndarray) -> int:
    """Return how many neurons of a layer differ: distinct columns of its weights, up to rounding."""
    return len(np.unique(weight.round(9), axis=1).T)


def _frame(hidden: str, depth: int, init: Any, seed: int) -> Frame:
    x, y = _digits()
    model = Model(mlp([x.shape[1], *[WIDTH] * depth, 10], hidden=hidden, init=init), x.shape[1:], seed=seed,
                  precision="float64")  # fmt: skip
    seen = model.backprop(x, y)
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
    flat = [float(np.mean(np.abs(np.asarray(_derivative(hidden)(seen.z[i]))) < 0.01)) for i in range(depth)]
    numbers = [
        ("different neurons in layer 1", f"{neurons} of {WIDTH}"),
        ("δ per layer, towards the input", f"× {number(factor)}" if factor else "0"),
        ("deviation of a, first and last layer", f"{number(float(a[0].std()))}, {number(float(a[-1].std()))}"),
        ("values where f′ < 0.01, first and last layer", f"{flat[0]:.0%}, {flat[-1]:.0%}"),
    ]
    return Frame((forward, backward), text, numbers)


def _derivative(hidden: str) -> Any:
    from chainrule import activations

    return activations.get(hidden).derivative


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
    introduction=f"A network of layers with {WIDTH} units each, on {ROWS} handwritten digits, before its first step.",
    equation=formula(
        "Var", "(", "w", ")", "=", over("2", row(low("n", "in"), "+", low("n", "out"))), "  ", "(", "Xavier", ")", ",",
        "  ", "Var", "(", "w", ")", "=", over("2", low("n", "in")), "  ", "(", "He", ")",
    ),
    look_for=(
        "All 0: no gradient reaches the first layer. All 0.1: all neurons are one neuron.",
        "N(0, 0.01²): activations and δ fall by orders of magnitude with every layer.",
        "N(0, 1): tanh saturates; ReLU's values and δ explode.",
        "Xavier keeps both in range for tanh, He for ReLU.",
    ),
    claim="Equal weights stay equal; weights that are too small or too large make the signal vanish or explode; their "
    "variance should follow from the number of inputs (and outputs).",
    tested="values and δ are those of Model.backprop, which is compared with finite differences in float64.",
    source="Lectures 000, 002 and 003; Glorot and Bengio, 2010; He et al., 2015.",
)  # fmt: skip
