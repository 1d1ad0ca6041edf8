"""Activation functions with their derivatives (lectures 002 and 003)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import activations as functions
from chainrule.display.numbers import number, percent
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, low, over, row
from chainrule.lab.parameters import Choice, Named, Parameters, page, parameter
from chainrule.views.reel import Frame, Lesson, Reel

#: Every activation that acts on one value, with the settings that are shown.
SHOWN: dict[str, Any] = {
    "sigmoid": functions.Sigmoid(),
    "tanh": functions.Tanh(),
    "ReLU": functions.ReLU(),
    "leaky ReLU with slope 0.01": functions.LeakyReLU(0.01),
    "leaky ReLU with slope 0.1": functions.LeakyReLU(0.1),
    "leaky ReLU with slope 0.3": functions.LeakyReLU(0.3),
    "ReLU6": functions.ReLU6(),
    "ELU with α = 0.5": functions.ELU(0.5),
    "ELU with α = 1": functions.ELU(1.0),
    "SELU": functions.SELU(),
    "softplus": functions.Softplus(),
    "GELU": functions.GELU(),
    "GELU by a sigmoid": functions.GELUSigmoid(),
    "SiLU": functions.SiLU(),
    "swish with β = 2": functions.Swish(2.0),
    "Mish": functions.Mish(),
    "hard swish": functions.HardSwish(),
    "hard sigmoid": functions.HardSigmoid(),
    "linear": functions.Linear(),
    "step": functions.Step(),
    "sign": functions.Sign(),
}

WIDEST = 5.0


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page activations."""

    functions: tuple[str, ...] = parameter(
        tuple(SHOWN), "The functions to choose from.", Named(tuple(SHOWN)), Choice("activation", "sigmoid")
    )


@takes_settings(Settings)
def activations(settings: Settings) -> Reel:
    """Return every activation function of one value with its derivative as a page.

    The derivative is the one that backpropagation uses (`chainrule.activations.Activation.derivative`).

    Parameters
    ----------
    {settings}

    Raises
    ------
    SettingError
        There is no such function.

    Example
    -------
    >>> import chainrule as cr
    >>> reel = cr.lab.activations()
    >>> reel.frames[0].numbers[0]
    ('range', '0 to 1')
    """

    return page("activations", settings, lambda name: _frame(name, SHOWN[name]), LESSON)


def _frame(name: str, function: Any) -> Frame:
    z = np.round(np.linspace(-WIDEST, WIDEST, 201), 3)
    a, slope = function(z), function.derivative(z)
    small = float(np.mean(np.abs(slope) < 0.05))
    where = {"both sides": "on both sides", "left": "for very negative z", "right": "for large z"}.get(
        function.saturates
    )
    text = f"{name}: its derivative is at most {number(float(slope.max()))}"
    text += f", and goes to 0 {where}: a neuron there stops learning." if where else "; it goes to 0 nowhere."
    if isinstance(function, functions.Step | functions.Sign):
        text = (
            f"{name}: its true derivative is 0, so nothing before it would learn. What is drawn is the stand-in that "
        )
        text += f"backpropagation uses: 1 for |z| up to {number(function.window)}."
    axis = Axis("z", low=-WIDEST, high=WIDEST)
    curve = line(
        "activation", "The function a = f(z)", [Series("", z.tolist(), [round(float(v), 5) for v in a])], axis,
        Axis("a", low=-2, high=5), text=f"{name} goes from {number(float(a[0]))} to {number(float(a[-1]))}.",
    )  # fmt: skip
    derivative = line(
        "derivative", "Its derivative f′(z): what passes backwards",
        [Series("", z.tolist(), [round(float(v), 5) for v in slope])], axis, Axis("f′(z)", low=-0.3, high=1.3),
        text=text,
    )  # fmt: skip
    ends = [("−∞" if math.isinf(v) and v < 0 else "∞" if math.isinf(v) else number(v)) for v in function.range]
    numbers = [
        ("range", f"{ends[0]} to {ends[1]}"),
        ("mean for z from N(0, 1)", "0" if function.zero_centred else "not 0"),
        ("f′(0)", number(float(function.derivative(np.array([0.0]))[0]))),
        ("largest f′", number(float(slope.max()))),
        ("z in −5 … 5 with |f′| < 0.05", percent(small)),
        ("after 10 layers at most", number(float(slope.max()) ** 10)),
        ("initial weights", function.init),
    ]
    if function.source:
        numbers.append(("source", function.source))
    return Frame((curve, derivative), text, numbers)


LESSON = Lesson(
    question="What does an activation function pass on?",
    introduction="Forward a neuron gives f(z); backward it multiplies what comes back by f′(z). Where f′ is 0, nothing "
    "in front of it learns.",
    equation=formula(
        over(row("∂", "C"), row("∂", "z")), "=", over(row("∂", "C"), row("∂", "a")), "f′", "(", "z", ")", ",", "  ",
        low("σ′", "max"), "=", "0.25", "⇒", "0.25", "¹⁰", "≈", "10", "⁻⁶",
    ),
    look_for=(
        "Sigmoid: f′ is at most 0.25, so ten layers leave at most a millionth of the gradient.",
        "Tanh: f′(0) = 1, but it saturates on both sides, too; its values are centred on 0.",
        "ReLU: f′ is 1 or 0: a unit that is negative for all rows is dead; leaky ReLU keeps a little slope.",
        "Step and sign: the true f′ is 0; backpropagation needs a stand-in (the straight-through estimate).",
    ),
    claim="Saturated neurons stop learning; outputs that are not centred on 0 push all weights of a neuron of the next "
    "layer the same way; ReLU does neither for z > 0, and is the first choice for hidden layers.",
    tested="every derivative is compared with finite differences in float64 and with jax.grad.",
    source="Lectures 002 and 003.",
)  # fmt: skip
