"""Too small, right, too large: polynomials of rising degree on a few noisy points (lecture 003)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display.numbers import number
from chainrule.draw.axes import Axis
from chainrule.draw.line import Mark, Series, line
from chainrule.draw.scatter import Points, scatter
from chainrule.fields import takes_settings
from chainrule.lab.mathml import formula, high, low, over, row
from chainrule.lab.parameters import Choice, Numeric, Parameters, page, parameter
from chainrule.layers import Dense
from chainrule.models import Model
from chainrule.views.reel import Frame, Lesson, Reel

Array = np.ndarray

#: The points lie between −WIDEST and WIDEST.
WIDEST = 2.0
GRID = np.linspace(-WIDEST, WIDEST, 201)
LOSS = "quadratic"


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page capacity."""

    rows: tuple[int, ...] = parameter(
        (10, 20, 100), "How many points there are to learn from.", Numeric(2, 1000, whole=True), Choice("rows", 20)
    )
    noise: tuple[float, ...] = parameter(
        (0.0, 0.3), "The deviation of the noise on their targets.", Numeric(0, 2), Choice("noise", 0.3)
    )
    l2: tuple[float, ...] = parameter(
        (0.0, 0.01), "The factor λ of L2 regularization.", Numeric(0, 100), Choice("λ", 0)
    )
    degrees: tuple[int, ...] = parameter(
        tuple(range(16)), "Degrees of the polynomial.", Numeric(0, 30, whole=True),
        Choice("degree", 3, listed=False),
    )  # fmt: skip
    seed: int = parameter(0, "The points follow from it.", Numeric(0, 10**6, whole=True))


@takes_settings(Settings)
def capacity(settings: Settings) -> Reel:
    """Return what a model learns that has too few, enough or too many weights, as a page.

    A linear neuron whose inputs are the first Legendre polynomials of x; its weights are where the gradient of the cost
    C = 1/(2n) Σ (y − a)² + λ/(2n) Σ w² is 0, and `chainrule.Model.backprop` says how far from 0 it is there.

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
    >>> reel = cr.lab.capacity(rows=20, noise=0.3, l2=0, degrees=[1, 7, 15])
    >>> [frame.text.split(":")[0] for frame in reel.frames]
    ['Degree 1', 'Degree 7', 'Degree 15']
    """
    fits: dict[Any, list[Fit]] = {}

    def frame(rows: int, noise: float, l2: float, degree: int) -> Frame:
        x, y = sample(rows, noise, settings.seed)
        if (rows, noise, l2) not in fits:
            fits[rows, noise, l2] = [fit_polynomial(x, y, each, l2) for each in settings.degrees]
        return _frame(x, y, fits[rows, noise, l2], settings.degrees.index(degree))

    return page("capacity", settings, frame, LESSON)


def target(x: Array) -> Array:
    """Return sin 3x, the function that is to be learnt."""
    return np.sin(3 * x)


def sample(rows: int, noise: float, seed: int = 0) -> tuple[Array, Array]:
    """Return some places x and the target there, with noise."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-WIDEST, WIDEST, rows))
    return x, target(x) + noise * rng.normal(size=rows)


def features(x: Array, degree: int) -> Array:
    """Return the Legendre polynomials of x from degree 1 on: (rows, degree), or one column of 0 for degree 0."""
    values = np.polynomial.legendre.legvander(np.asarray(x) / WIDEST, degree)[:, 1:]
    return values if degree else np.zeros((len(values), 1))


@dataclass(frozen=True, eq=False)
class Fit:
    """A polynomial that was fitted: its model, its mean absolute errors, and the length of the gradient there."""

    degree: int
    model: Model
    training: float
    true: float
    gradient: float

    def __call__(self, x: Array) -> Array:
        """Return what it answers."""
        return self.model.predict(features(x, self.degree))


def fit_polynomial(x: Array, y: Array, degree: int, l2: float = 0.0) -> Fit:
    """Return the neuron whose cost on some points is lowest; of several such, that of the smallest weights."""
    inputs = features(x, degree)
    design = np.column_stack([np.ones(len(x)), inputs])
    penalty = np.sqrt(l2) * np.eye(design.shape[1])[1:]  # the bias is free
    theta = np.linalg.lstsq(np.concatenate([design, penalty]), np.append(y, np.zeros(len(penalty))), rcond=None)[0]
    params = {"dense_1": {"weight": theta[1:, None], "bias": theta[:1]}}
    model = Model(Dense(1), inputs.shape[1:], params=params, precision="float64")
    gradient = model.backprop(inputs, y, loss=LOSS).grads["dense_1"]
    slope = np.append(np.asarray(gradient["weight"])[:, 0] + l2 / len(x) * theta[1:], gradient["bias"])
    training = model.evaluate(inputs, y)["mae"]
    true = model.evaluate(features(GRID, degree), target(GRID))["mae"]
    return Fit(degree, model, training, true, float(np.linalg.norm(slope)))


def _frame(x: Array, y: Array, fits: list[Fit], at: int) -> Frame:
    chosen = fits[at]
    errors = [each.true for each in fits]
    best = fits[int(np.argmin(errors))]
    if chosen is best:
        words = "No other degree here comes nearer to the curve."
    else:
        words = (
            f"Degree {best.degree}, with {'more' if best.degree > chosen.degree else 'fewer'} weights, comes nearest."
        )
    text = (
        f"Degree {chosen.degree}: off by {number(chosen.training, 2)} on the rows it has seen, and by "
        f"{number(chosen.true, 2)} from the true curve. {words}"
    )
    answers = chosen(GRID)
    curves = [
        Series("the true curve", GRID.round(3).tolist(), target(GRID).round(3).tolist()),
        Series("the model", GRID.round(3).tolist(), answers.round(3).tolist()),
    ]
    fitted = scatter(
        "fit", "What it answers", [Points("rows", x.round(3).tolist(), y.round(3).tolist())],
        Axis("x", low=-WIDEST, high=WIDEST), Axis("y", low=-3, high=3), lines=[_within(curve) for curve in curves],
        text=text,
    )  # fmt: skip
    by_degree = line(
        "errors", "Error by degree",
        [
            Series(name, [each.degree for each in fits], [float(f"{v:.4g}") if v > LEAST else None for v in values])
            for name, values in (("on these rows", [each.training for each in fits]), ("from the true curve", errors))
        ],
        Axis("degree", whole=True), Axis("mean absolute error", log=True, low=LEAST, high=100),
        marks=[Mark(chosen.degree, "shown")],
    )  # fmt: skip
    weights = chosen.model.params["dense_1"]["weight"]
    numbers = [
        ("weights and bias", str((weights.size if chosen.degree else 0) + 1)),
        ("rows", str(len(x))),
        ("mean absolute error on these rows", number(chosen.training)),
        ("from the true curve", number(chosen.true)),
        ("largest weight", number(float(np.abs(weights).max()))),
        ("length of the gradient there", f"{chosen.gradient:.1e}"),
    ]
    return Frame((fitted, by_degree), text, numbers)


#: What is smaller cannot be told from 0 in the drawing.
LEAST = 1e-3


def _within(curve: Series) -> Series:
    """Return a curve without what lies outside of the picture."""
    return Series(curve.name, curve.x, [v if v is not None and abs(v) <= 3 else None for v in curve.y])


LESSON = Lesson(
    question="How many weights does a model need?",
    introduction="Points of the curve sin 3x, with noise, are to be learnt by a polynomial: a linear neuron "
    "whose inputs are x, x², x³ and so on (as Legendre polynomials), with the weights of lowest cost.",
    equation=formula(
        "a", "=", "b", "+", low("w", "1"), low("P", "1"), "(", "x", ")", "+", "…", "+", low("w", "d"), low("P", "d"),
        "(", "x", ")", ",", "  ", "C", "=", over("1", row("2", "n")), "∑", high(row("(", "y", "−", "a", ")"), "2"),
        "+", over("λ", row("2", "n")), "∑", high("w", "2"),
    ),
    look_for=(
        "Degrees 0 to 4: too few weights; both errors are large, and 100 rows do not help (underfitting).",
        "20 rows, noise 0.3, degree 15: it goes almost through every row, and is far off between them (overfitting).",
        "100 rows: the same degree does little harm; what is too many weights depends on the number of rows.",
        "λ = 0.01: the weights stay small, and with degree 14 or 15 the error from the curve falls.",
        "Without noise more weights come ever nearer to the curve, as long as there are more rows than weights.",
    ),
    claim="Too many parameters for too little data overfit: the training error falls on while new data is predicted "
    "worse. More data, fewer parameters or regularization help.",
    tested="the weights are where the gradient that backpropagation gives is 0 up to rounding (its length stands on "
    "the page), and the suite recomputes the errors.",
    source="Lecture 003; Bishop, Pattern Recognition and Machine Learning, section 1.1.",
)  # fmt: skip
