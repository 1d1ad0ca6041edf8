"""The perceptron's rule, mistake by mistake, and the bound on their number (lectures 003 and 004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.line import Mark, Series, line
from chainrule.draw.scatter import scatter
from chainrule.fields import takes_settings
from chainrule.lab.maps import points_at
from chainrule.lab.mathml import formula, high, over, row
from chainrule.lab.parameters import Choice, Numeric, Parameters, page, parameter
from chainrule.lectures.perceptron import Perceptron
from chainrule.views.reel import Control, Frame, Lesson, Reel

Array = np.ndarray

#: Points lie between −WIDEST and WIDEST, and the hyperplane that parts them leans like this.
WIDEST = 1.0
NORMAL, OFFSET = np.array([0.8, 0.6]), 0.15


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page perceptron."""

    gaps: tuple[float, ...] = parameter(
        (0.4, 0.1, 0.02, -0.5), "The width of the gap between the classes; below 0 they overlap.", Numeric(-1, 1),
        Choice("gap", 0.1),
    )  # fmt: skip
    rows: int = parameter(30, "How many points there are.", Numeric(4, 200, whole=True))
    mistakes: int = parameter(30, "How many mistakes are shown at most.", Numeric(1, 100, whole=True))
    seed: int = parameter(0, "The points follow from it.", Numeric(0, 10**6, whole=True))


@takes_settings(Settings)
def perceptron(settings: Settings) -> Reel:
    """Return how a perceptron learns to tell two classes apart, mistake by mistake, as a page.

    On a mistake, y θᵀx ≤ 0, θ ← θ + y x (`chainrule.Perceptron`). Where the classes are separable by a margin γ and no
    point is longer than R, there are at most (R/γ)² mistakes (Novikoff, 1962): after k of them k γ ≤ |θ| ≤ √k R.

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
    >>> reel = cr.lab.perceptron(gaps=0.4, rows=10)
    >>> reel.frames[-1].text.split(".")[0]
    'After 2 mistakes all 10 points are on their side'
    """
    ways = {gap: learn(*points(gap, settings.rows, settings.seed), settings.mistakes) for gap in settings.gaps}
    longest = max(len(way.thetas) for way in ways.values())

    def frame(gap: float, mistake: int) -> Frame:
        return _frame(ways[gap], mistake)

    steps = Control("mistakes", [str(i) for i in range(longest)])
    return page("perceptron", settings, frame, LESSON, steps)


def points(gap: float, rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Return points (rows, 2) on both sides of a line with a gap between them, and their classes 0 and 1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-WIDEST, WIDEST, (rows, 2))
    y = np.arange(rows) % 2
    beside = x @ NORMAL - OFFSET
    distance = gap / 2 + np.abs(beside) * (1 - gap / 2)
    return x + ((2 * y - 1) * distance - beside)[:, None] * NORMAL, y


@dataclass(frozen=True, eq=False)
class Way:
    """How a perceptron learnt.

    Attributes
    ----------
    x, y : the points (rows, 2) and their classes
    thetas : bias and weights at first and after each mistake, (mistakes + 1, 3)
    rows : the point of each mistake
    passes : in which pass each mistake was made, from 1
    done : whether the last pass that was made had no mistake
    separable : whether a line separates the classes
    longest : R, the length of the longest point with a 1 in front
    margin : γ, how far the nearest point is from the best hyperplane through 0; 0 where there is none
    """

    x: Array
    y: Array
    thetas: Array
    rows: list[int]
    passes: list[int]
    done: bool
    separable: bool | None
    longest: float
    margin: float

    @property
    def bound(self) -> float:
        """The most mistakes that can be made, (R/γ)²; infinite where nothing separates the classes."""
        return (self.longest / self.margin) ** 2 if self.margin else float("inf")


def learn(x: Array, y: Array, most: int) -> Way:
    """Return how a perceptron learns from points, one after the other, up to so many mistakes."""
    neuron = Perceptron()
    thetas, turn, done = [np.zeros(3)], 0, False
    mistakes: list[int] = []
    passes: list[int] = []
    while not done and len(mistakes) < most:
        turn, before = turn + 1, len(mistakes)
        for i in range(len(x)):
            neuron.partial_fit(x[i : i + 1], y[i : i + 1], classes=(0, 1))
            if neuron.mistakes[-1] and len(mistakes) < most:
                thetas.append(np.array([neuron.bias, *neuron.weights]))
                mistakes.append(i)
                passes.append(turn)
        done = len(mistakes) == before
    separable = Perceptron(passes=1).fit(x, y).separable
    extended = np.column_stack([np.ones(len(x)), x])
    margin = margin_of(extended * (2 * y - 1)[:, None]) if separable else 0.0
    longest = float(np.linalg.norm(extended, axis=1).max())
    return Way(x, y, np.array(thetas), mistakes, passes, done, separable, longest, margin)


def margin_of(signed: Array) -> float:
    """Return the largest γ for which some θ of length 1 has θᵀ(y x) ≥ γ for all points.

    The shortest θ with θᵀ(y x) ≥ 1 has the length 1/γ; it comes from a problem of least squares with weights of at
    least 0 (Lawson and Hanson, Solving Least Squares Problems, chapter 23).
    """
    from scipy.optimize import nnls

    columns = np.column_stack([signed, np.ones(len(signed))]).T
    goal = np.append(np.zeros(signed.shape[1]), 1.0)
    rest = columns @ nnls(columns, goal)[0] - goal
    return float(1 / np.linalg.norm(rest[:-1] / rest[-1]))


def _frame(way: Way, mistake: int) -> Frame:
    k = min(mistake, len(way.rows))
    theta = way.thetas[k]
    answers = theta[0] + way.x @ theta[1:] > 0
    wrong = answers != (way.y > 0)
    last = k == len(way.rows)
    if last and way.done:
        text = f"After {k} mistakes all {len(way.x)} points are on their side. It stops."
    else:
        text = f"After {k} mistakes {int(wrong.sum())} of {len(way.x)} points are on the wrong side."
        if last:
            text += " No line separates the classes: it never stops." if way.separable is False else " It goes on."
    drawn = [
        points_at(name, way.x[way.y == label], kind, label)
        for label, name, kind in ((0, "class 0", "circle"), (1, "class 1", "square"))
    ]
    if not last:
        drawn.append(points_at("next mistake", way.x[[way.rows[k]]], "cross", None))
    plane = scatter(
        "plane", "The points, and the line that parts them", drawn,
        Axis("x₁", low=-1.6, high=1.6), Axis("x₂", low=-1.6, high=1.6), lines=_border(theta), text=text,
    )  # fmt: skip
    counts = list(range(len(way.thetas)))
    lengths = np.linalg.norm(way.thetas, axis=1)
    curves = [
        Series("|θ|", counts, lengths.round(4).tolist()),
        Series("√k R: never above", counts, (np.sqrt(counts) * way.longest).round(4).tolist()),
    ]
    if way.margin:
        curves.append(Series("k γ: never below", counts, (np.array(counts) * way.margin).round(4).tolist()))
    proof = line(
        "length", "How long θ is after k mistakes", curves, Axis("mistakes k", whole=True, low=0), Axis("|θ|", low=0),
        marks=[Mark(k, "shown")],
        text=f"|θ| is {number(float(lengths[-1]))} after {len(way.rows)} mistakes, and at most "
        f"{number(float(np.sqrt(counts[-1]) * way.longest))}.",
    )  # fmt: skip
    numbers = [
        ("mistakes", str(k)),
        ("pass", str(way.passes[k - 1]) if k else "1"),
        ("bias b", number(float(theta[0]))),
        ("weights w₁, w₂", ", ".join(number(float(w)) for w in theta[1:])),
        ("R", number(way.longest)),
        ("γ", number(way.margin) if way.margin else "none"),
        ("mistakes at most, (R/γ)²", f"{int(way.bound):,}" if way.margin else "no bound"),
    ]
    return Frame((plane, proof), text, numbers)


def _border(theta: Array) -> list[Series]:
    """Return the line where b + w₁x₁ + w₂x₂ = 0, as far as it is in the picture."""
    b, w = theta[0], theta[1:]
    if not w.any():
        return []
    middle, along = -b * w / (w @ w), np.array([-w[1], w[0]]) / np.linalg.norm(w)
    steps = np.linspace(-4, 4, 161)[:, None] * along + middle
    inside = steps[(np.abs(steps) <= 1.6).all(axis=1)]
    return [Series("b + wᵀx = 0", *inside.round(3)[[0, -1]].T.tolist())] if len(inside) else []


LESSON = Lesson(
    question="How does a perceptron learn, and when does it stop?",
    introduction="One point after the other is shown to a threshold neuron. Where it is wrong, the point is added to "
    "its weights (or taken away), else nothing happens. Move the slider from mistake to mistake.",
    equation=formula(
        "y", high("θ", "T"), "x", "≤", "0", "⇒", "θ", "←", "θ", "+", "y", "x", ",", "  ", "k", "γ", "≤", "|", "θ", "|",
        "≤", "√", "k", "R", "⇒", "k", "≤", high(row("(", over("R", "γ"), ")"), "2"),
    ),
    look_for=(
        "Each mistake turns the line towards the point that was wrong; others may get wrong by it.",
        "Gap 0.4: a few mistakes are enough. The narrower the gap, the more there can be.",
        "The length of θ stays between both bounds; where they cross, no further mistake is possible.",
        "Gap −0.5: the classes overlap, a linear program proves that no line separates them, and it never stops.",
    ),
    claim="The online rule of the perceptron stops after finitely many mistakes if a hyperplane separates the classes, "
    "and never otherwise.",
    tested="the weights are those of cr.Perceptron; the suite checks the bound on the number of mistakes and on the "
    "length of θ, and the margin by another method.",
    source="Lectures 003 and 004; Rosenblatt, 1957; Novikoff, On convergence proofs for perceptrons, 1962.",
)  # fmt: skip
