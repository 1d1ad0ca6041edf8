"""Backpropagation of one row, number by number, at several moments of a run (lecture 003)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.data import load
from chainrule.display.markup import Html
from chainrule.display.numbers import number
from chainrule.errors import DataError
from chainrule.fields import Option, setting, takes_settings
from chainrule.files import as_path
from chainrule.lab.mathml import formula, high, low, row
from chainrule.lab.parameters import Numeric, Parameters, page, parameter
from chainrule.layers import mlp
from chainrule.training import fit
from chainrule.training.recorded import Recorded
from chainrule.training.run import Run
from chainrule.views.derive.passes import explain_at, passes
from chainrule.views.reel import Control, Frame, Lesson, Reel


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of the page backprop."""

    run: Run | str | Path | None = setting(
        None,
        'A `Run` that was recorded (``fit(record="light")``), or the folder of one; without it a small network, '
        "4-6-5-3, that is trained on the irises.",
        Option("RUN", help="A run's folder. [a small network]", argument=True, complete="runs"),
    )
    rows: int = parameter(3, "How many rows can be chosen.", Numeric(1, 8, whole=True))
    stops: int = parameter(10, "How many moments of the training can be chosen.", Numeric(1, 20, whole=True))


@takes_settings(Settings)
def backprop(settings: Settings) -> Reel:
    """Return the forward and backward pass of a few rows at some moments of a run, as a page.

    Every z, a, δ and gradient with its equation (BP1 to BP4 of lecture 003), the terms of its sum, and beside each
    gradient the central difference, all in float64 by `chainrule.Model.explain`.

    Parameters
    ----------
    {settings}

    Raises
    ------
    DataError
        The run recorded nothing.
    FileError
        The folder holds no recording.

    Example
    -------
    >>> import chainrule as cr
    >>> run = cr.fit(cr.mlp([4, 3, 3]), cr.data.load("iris"), epochs=2, record="light", progress=False)
    >>> reel = cr.lab.backprop(run=run, stops=2)
    >>> dict(reel.frames[0].numbers)["gradients that agree with differences"]
    '27 of 27'
    """
    run = settings.run
    if run is None:
        run = fit(mlp([4, 6, 5, 3], hidden="tanh"), load("iris"), epochs=30, record="light", progress=False)
    recorded = recorded_of(run)
    rows = _some_rows(recorded, settings.rows)
    affordable = sorted(passes(recorded, rows[:1]))
    at = np.linspace(len(affordable) - 1, 0, settings.stops).round().astype(int)  # the last one always
    stops = [affordable[i] for i in np.unique(at)]

    def frame(which: int, stop: int) -> Frame:
        shown = explain_at(recorded, rows[which], stops[stop])
        checked = sum(row.checked for row in shown.check.rows)
        agree = sum(row.checked for row in shown.check.rows if row.error <= shown.check.tolerance)
        text = f"After {stops[stop]:,} steps this row costs {number(shown.cost)}."
        numbers = [
            ("cost of the row", number(shown.cost)),
            ("gradients that agree with differences", f"{agree:,} of {checked:,}"),
            ("largest relative error", f"{shown.check.max_relative_error:.1e}"),
        ]
        return Frame((), text, numbers, Html(shown._repr_html_()))

    names = [
        f"{'validation' if recorded.fixed.is_validation[i] else 'training'} row {recorded.fixed.numbers[i]}"
        for i in rows
    ]
    controls = (
        Control("row", names, names=True),
        Control("steps of training", [f"{stop:,}" for stop in stops], start=len(stops) - 1),
    )
    return page("backprop", settings, frame, LESSON, *controls)


def recorded_of(run: Run | str | Path) -> Recorded:
    """Return what a run recorded of its training; raises `DataError` where it recorded nothing."""
    recorded = run.recorded if isinstance(run, Run) else Recorded.read(as_path(run))
    if recorded is None:
        raise DataError('The run recorded nothing of its training: train it with record="light".')
    return recorded


def _some_rows(recorded: Recorded, count: int) -> list[int]:
    """Return fixed rows of different classes, where there are classes, else the first ones."""
    y = np.asarray(recorded.fixed.y)
    if y.ndim == 1 and y.dtype.kind in "iu":
        first = [int(np.flatnonzero(y == label)[0]) for label in np.unique(y)]
    else:
        first = []
    return list(dict.fromkeys([*first, *range(len(y))]))[:count]


LESSON = Lesson(
    question="Where does each gradient come from?",
    introduction="One row goes forward through the network and its error goes back. Open a stage to see its numbers, "
    "and the sum that makes the largest of them; beside each gradient stands what the slope of the cost is when the "
    "parameter is moved a little to both sides.",
    equation=formula(
        high("δ", "L"), "=", low("∇", "a"), "C", "⊙", "σ′", "(", high("z", "L"), ")", ",", "  ", high("δ", "l"), "=",
        "(", high(row("(", high("w", row("l", "+", "1")), ")"), "T"), high("δ", row("l", "+", "1")), ")", "⊙", "σ′",
        "(", high("z", "l"), ")", ",", "  ", "∂", "C", "/", "∂", high("b", "l"), "=", high("δ", "l"), ",", "  ", "∂",
        "C", "/", "∂", high("w", "l"), "=", high("a", row("l", "−", "1")), high("δ", "l"),
    ),
    look_for=(
        "BP1: with softmax and cross-entropy δ of the output is simply a − y.",
        "BP2: δ of a layer is the weighted sum of the δ behind it, times the slope of its own activation.",
        "BP3 and BP4: the gradient of a bias is δ itself, that of a weight is δ times what came in.",
        "Move the slider from the start to the end of training: the cost of a row and its δ shrink together.",
    ),
    claim="Four equations give every gradient of a network in one pass backwards.",
    tested="each gradient on this page is compared with its central difference in float64; it says how many agree.",
    source="Lecture 003; Nielsen, Neural Networks and Deep Learning, chapter 2.",
)  # fmt: skip
