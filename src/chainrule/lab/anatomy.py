"""What an optimizer makes of the gradients of one weight, step by step (lectures 000 and 003)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import load
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.line import Mark, Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, low, over, root, row
from chainrule.lab.optimizers import OPTIMIZERS
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, page, parameter
from chainrule.layers import Dense, Sequential
from chainrule.models import Model
from chainrule.models.backprop_result import backprop
from chainrule.optimizers import SGD
from chainrule.views.derive.flow import rms
from chainrule.views.reel import Control, Frame, Lesson, Reel

BUSY, RARE, BIAS = "of a busy input", "of a rare input", "a bias of the output"

#: The weights whose gradients are looked at.
WEIGHTS = (BUSY, RARE, BIAS)

#: Adam's first step is η long with any gradient, AdamW's differs by its decay alone: one of the two is enough.
SHOWN = tuple(name for name in OPTIMIZERS if name != "AdamW")

#: Positions of the slider over the steps.
PLACES = 25

#: What optimizers remember of a weight, by its name in their state.
REMEMBERED = {"velocity": "velocity v", "mean": "mean m", "square": "square s"}


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page anatomy."""

    optimizers: tuple[str, ...] = parameter(
        ("SGD", "momentum 0.9", "AdaGrad", "Adam"),
        "The optimizers that get the gradients.",
        Named(SHOWN),
        Choice("optimizer", "Adam"),
    )
    weights: tuple[str, ...] = parameter(WEIGHTS, "The weights to look at.", Named(WEIGHTS), Choice("weight", BUSY))
    steps: int = parameter(100, "How many steps are looked at.", Numeric(10, 300, whole=True))
    seed: int = parameter(
        0, "What the first weights and the batches are drawn with.", Numeric(0, 2**31 - 1, whole=True)
    )


@dataclass(frozen=True)
class Replay:
    """What an optimizer makes of some gradients g of one weight.

    Attributes
    ----------
    steps : (w before − w after) / η, one for each gradient
    remembered : what it remembers after each, by its name
    """

    steps: np.ndarray
    remembered: dict[str, np.ndarray]


@takes_settings(Settings)
def anatomy(settings: Settings) -> Reel:
    """Return what optimizers make of the same gradients of one weight, as a page with a slider over the steps.

    A network of 16 hidden units learns digits by `SGD`, and the gradients of three of its parameters are written down:
    of a pixel that is often bright, of one that seldom is, and of a bias. Each optimizer then gets these gradients
    through its own ``update``, with η = 1 (lectures 000 and 003).

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
    >>> reel = cr.lab.anatomy(optimizers="Adam", weights="of a busy input", steps=10)
    >>> reel.frames[0].numbers[0]
    ('step 1: gradient g', '0.001993')
    """
    recorded = gradients(settings.steps, settings.seed)
    made = {
        optimizer: {weight: replay(optimizer, g) for weight, g in recorded.items()} for optimizer in settings.optimizers
    }
    places = sorted({round(at) for at in np.linspace(1, settings.steps, PLACES)})

    def frame(optimizer: str, weight: str, place: int) -> Frame:
        return _frame(optimizer, weight, recorded, made[optimizer], places[place])

    slider = Control("step", [str(at) for at in places], len(places) // 2)
    return page("anatomy", settings, frame, LESSON, slider)


@functools.cache
def gradients(steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the gradients of three parameters of a network that learns digits, one for each step of `SGD`.

    The weight of an input is that to the hidden unit where its gradients are largest.
    """
    digits = load("digits")
    x, y = digits.x.reshape(-1, 64).astype(np.float64) / 16, np.asarray(digits.y)
    model = Model(Sequential(Dense(16, "relu"), Dense(10, "softmax")), (64,), seed=seed, precision="float64")
    cost, params, sgd = model.cost_of("cross_entropy"), model.params, SGD(lr=0.2)
    order = np.random.default_rng(seed).integers(0, len(x), (steps, 32))
    several = []
    for step, rows in enumerate(order, 1):
        grads = backprop(cost, params, x[rows], model.encode(y[rows])).grads
        several.append((grads["dense_1"]["weight"], grads["dense_2"]["bias"]))
        params, _ = sgd.update(grads, {}, params, lr=sgd.lr, step=step)
    weights, biases = (np.array(values) for values in zip(*several, strict=True))
    bright = (x > 0).mean(axis=0)
    chosen = {BUSY: int(bright.argmax()), RARE: int(np.abs(bright - 0.02).argmin())}
    largest = {name: int(np.square(weights[:, pixel]).mean(axis=0).argmax()) for name, pixel in chosen.items()}
    return {name: weights[:, pixel, largest[name]] for name, pixel in chosen.items()} | {BIAS: biases[:, 0]}


def replay(optimizer: str, values: Sequence[float] | np.ndarray) -> Replay:
    """Return what an optimizer makes of these gradients of a weight that starts at 0, with η = 1."""
    how = OPTIMIZERS[optimizer]
    params: Any = {"value": np.zeros(1)}
    state = how.init(params)
    steps, remembered = [], []
    for step, g in enumerate(values, 1):
        after, state = how.update({"value": np.array([float(g)])}, state, params, lr=1.0, step=step)
        steps.append(float((params["value"] - after["value"])[0]))
        remembered.append({name: float(value["value"][0]) for name, value in state.items()})
        params = after
    names = remembered[0]
    return Replay(np.array(steps), {name: np.array([those[name] for those in remembered]) for name in names})


def _frame(optimizer: str, weight: str, recorded: dict[str, np.ndarray], replays: dict[str, Replay], at: int) -> Frame:
    g, made = recorded[weight], replays[weight]
    numbers = range(1, len(g) + 1)
    axis = Axis("step", whole=True, low=1, high=len(g))
    here = [Mark(float(at), f"step {at}")]
    roots = {"square": ("root of the square, √s", np.sqrt)}
    series = [Series("gradient g", numbers, _rounded(g))]
    for name, values in made.remembered.items():
        label, change = roots.get(name, (REMEMBERED[name], np.asarray))
        series.append(Series(label, numbers, _rounded(change(values))))
    what = line("gradient", "What arrives, and what is remembered of it", series, axis, Axis("g"), marks=here)
    step = line(
        "step", "What is made of it: the step, in units of η",
        [Series("(w before − w after) / η", numbers, _rounded(made.steps))], axis, Axis("step / η"), marks=here,
    )  # fmt: skip
    before = rms(recorded[BUSY]) / rms(recorded[RARE])
    after = rms(replays[BUSY].steps) / rms(replays[RARE].steps)
    shown = [(f"step {at}: gradient g", number(g[at - 1]))]
    shown += [(f"{REMEMBERED[name]} after it", number(values[at - 1])) for name, values in made.remembered.items()]
    shown += [
        ("the step, in units of η", number(made.steps[at - 1])),
        ("rms of g, of all steps", number(rms(g))),
        ("rms of the steps, in units of η", number(rms(made.steps))),
    ]
    text = (
        f"Gradients of the busy input are {before:.3g} times as large as those of the rare one; the steps that "
        f"{optimizer} makes of them {after:.3g} times."
    )
    return Frame((what, step), text, shown)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.3g}") for value in values]


LESSON = Lesson(
    question="What does an optimizer make of a gradient?",
    introduction="A network learns digits, and the gradients of three of its parameters are written down, one for each "
    "step. Every optimizer gets the same ones, with the learning rate η = 1, and makes steps of them.",
    equation=formula(
        low("m", "t"), "=", "β₁", low("m", row("t", "−", "1")), "+", "(", "1", "−", "β₁", ")", "g", ",", "  ",
        low("s", "t"), "=", "β₂", low("s", row("t", "−", "1")), "+", "(", "1", "−", "β₂", ")", "g", "²", ",", "  ",
        "step", "=", "η", over("m̂", row(root("ŝ"), "+", "ε")),
    ),
    look_for=(
        "SGD: the step is the gradient. The weight of the rare input hardly moves, since its gradient is mostly 0.",
        "Momentum: the velocity adds up what points the same way, up to 10 times a gradient with 0.9.",
        "AdaGrad: s only grows, so the steps become smaller and smaller even where the gradients do not.",
        "Adam: in the first step m̂/√ŝ is ±1 whatever the gradient is; later the rare input moves about as far as the "
        "busy one, long after its gradient was there, too.",
    ),
    claim="Optimizers that divide by the size of the gradient give every weight a step size of its own; the weights of "
    "rare features learn as well.",
    tested="each step is Optimizer.update of the recorded gradients; the suite computes the formulas anew.",
    source="Lectures 000 and 003; Duchi, Hazan and Singer, 2011 (AdaGrad); Kingma and Ba, 2015 (Adam).",
)  # fmt: skip
