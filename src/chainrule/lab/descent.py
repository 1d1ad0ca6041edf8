"""Gradient descent on a curve: what the learning rate does (lectures 000 and 004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.line import Mark, Series, line
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, high, over, row
from chainrule.lab.parameters import Choice, Named, Numeric, Parameters, page, parameter
from chainrule.lectures.descend import Descent, descend
from chainrule.optimizers import SGD
from chainrule.views.reel import Frame, Lesson, Reel

#: Where `two_valleys` is lowest, and the ridge that parts it from its other valley, at 2.1.
MINIMUM, RIDGE = -2.352, 0.255

#: Learning rates from 0.001 to 1.2.
RATES = (
    *(0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    *(0.9, 0.95, 1.0, 1.05, 1.1, 1.2),
)


def square(w: Any) -> Any:
    """Return w²: convex, lowest at 0."""
    return w**2


def two_valleys(w: Any) -> Any:
    """Return 0.1 w⁴ − w² + 0.5 w: lowest at −2.35, with a second valley at 2.1."""
    return 0.1 * w**4 - w**2 + 0.5 * w


CURVES = {"w²": (square, 0.0), "two valleys": (two_valleys, MINIMUM)}
WIDEST = 5.0  # of what is drawn, to both sides


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page descent."""

    curves: tuple[str, ...] = parameter(
        tuple(CURVES), "The curves to descend on.", Named(tuple(CURVES)), Choice("curve", "w²")
    )
    momenta: tuple[float, ...] = parameter(
        (0.0, 0.9), "Momentum; 0 is plain descent.", Numeric(0, 0.99), Choice("momentum α", 0.0)
    )
    starts: tuple[float, ...] = parameter(
        (-3.0, 2.0, 4.0), "Where the descent starts.", Numeric(-WIDEST, WIDEST), Choice("start w", 2.0)
    )
    rates: tuple[float, ...] = parameter(
        RATES, "Learning rates.", Numeric(0, 10), Choice("learning rate η", 0.125, listed=False)
    )
    steps: int = parameter(60, "How many steps are done.", Numeric(1, 300, whole=True))


@takes_settings(Settings)
def descent(settings: Settings) -> Reel:
    """Return gradient descent on two curves as a page: learning rate, momentum and start are chosen.

    w ← w − η ∂L/∂w by `chainrule.descend`. On L(w) = w² each step multiplies w by 1 − 2η, so it arrives for η below 1
    and moves away for η above 1 (lectures 000 and 004).

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
    >>> reel = cr.lab.descent(curves="w²", momenta=0, starts=2, rates=[0.125, 1.1])
    >>> reel.frames[0].text
    'From w = 2 the descent arrives at the minimum.'
    """

    def frame(curve: str, momentum: float, start: float, rate: float) -> Frame:
        f, lowest = CURVES[curve]
        return _frame(
            curve, f, lowest, start, descend(f, start, SGD(lr=rate, momentum=momentum or None), settings.steps)
        )

    return page("descent", settings, frame, LESSON)


def outcome(path: Descent, lowest: float) -> str:
    """Return in words where a descent led; ``lowest`` is the place of the minimum."""
    end = float(path.end)
    if not np.isfinite(end) or abs(end) > WIDEST:
        return "moves away"
    if path.diverged:
        return "moves away"
    if abs(end - lowest) < 0.01:
        return "arrives at the minimum"
    if path.points[1] == path.points[0]:
        return "does not move"
    if path.values[-1] == path.values[0]:
        return "jumps to and fro for ever"
    valley = "" if lowest == 0 else " in the valley of the minimum" if end < RIDGE else " in the other valley"
    last = abs(float(path.points[-1]) - float(path.points[-2]))
    return f"{'is still on its way' if last > 1e-4 else 'stays'}{valley}"


def _frame(name: str, f: Any, lowest: float, start: float, path: Descent) -> Frame:
    w, values = np.array([float(point) for point in path.points]), path.values
    places = np.linspace(-WIDEST, WIDEST, 101)
    heights = f(places)
    top = float(heights.max())
    seen = (np.abs(w) <= WIDEST) & (values <= top)
    seen &= np.cumprod(seen).astype(bool)  # from where it leaves the picture on, nothing is drawn
    at = [round(float(v), 5) for v in w]
    drawn = [round(float(v), 5) if there else None for v, there in zip(values, seen, strict=True)]
    words = outcome(path, lowest)
    gone = "" if seen.all() else f" It leaves the picture at step {int(np.argmin(seen))}."
    on_curve = line(
        "curve",
        "Each step on the curve",
        [
            Series("the curve", [round(float(v), 2) for v in places], [round(float(v), 4) for v in heights]),
            Series("steps", at, drawn),
        ],
        Axis("w", low=-WIDEST, high=WIDEST),
        Axis("L(w)", low=float(heights.min()), high=top),
        marks=[Mark(round(lowest, 3), "minimum")],
        text=f"On {name}, from w = {number(start)}, the descent {words}.{gone}",
    )
    above = values - float(f(np.float64(lowest)))
    cost = line(
        "cost",
        "How far above the minimum",
        [Series("", range(len(values)), [float(f"{v:.4g}") if 1e-8 <= v <= 1e3 else None for v in above])],
        Axis("step", whole=True, low=0, high=len(values) - 1),
        Axis("L(w) − lowest", log=True, low=1e-8, high=1e3),
        text=f"L is {number(above[0])} above its lowest value at first, and {number(above[-1])} at the end.",
    )
    numbers = [(f"w after {i} steps", number(w[i])) for i in dict.fromkeys((0, 1, 2, 3, len(w) - 1)) if i < len(w)]
    factor = [("w changes by a factor of", number(w[1] / w[0]))] if f is square and w[0] else []
    return Frame((on_curve, cost), f"From w = {number(start)} the descent {words}.{gone}", numbers + factor)


LESSON = Lesson(
    question="What does the learning rate do?",
    introduction="Gradient descent, w ← w − η·∂L/∂w, from one start. The curve with two valleys is "
    "L(w) = 0.1 w⁴ − w² + 0.5 w, lowest at −2.35.",
    equation=formula("w", "←", "w", "−", "η", over(row("∂", "L"), row("∂", "w")), ",", "  ", "v", "←", "α", "v", "−",
                     over(row("∂", "L"), row("∂", "w")), "  ", "(", "momentum", ")", ",", "  ", "L", "=",
                     high("w", 2), "⇒", "w", "←", "(", "1", "−", "2", "η", ")", "w"),
    look_for=(
        "On L(w) = w² with η = 0.125 every step takes a quarter of the way: 2, 1.5, 1.125, 0.844.",
        "At η = 0.5 one step is enough; between 0.5 and 1 w changes its side with every step and still arrives.",
        "At η = 1 it jumps to and fro for ever; above 1 each step leads further away.",
        "With two valleys, a start at 4 or 2 ends in the wrong one; momentum 0.9 carries it over the ridge.",
    ),
    claim="With a small enough learning rate gradient descent goes to a minimum, which need not be the lowest; too "
    "large a rate makes every step worse.",
    tested="each path is that of cr.descend; the suite compares it with w·(1 − 2η)ᵗ, which is the path on w² exactly.",
    source="Lectures 000 and 004.",
)  # fmt: skip
