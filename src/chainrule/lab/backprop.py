"""Backpropagation of one row, number by number, at several moments of a run (lecture 003)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.data import load
from chainrule.display.markup import Html
from chainrule.display.numbers import number
from chainrule.errors import DataError
from chainrule.files import as_path
from chainrule.lab.mathml import formula, high, low, row
from chainrule.layers import mlp
from chainrule.training import fit
from chainrule.training.recorded import Recorded
from chainrule.training.run import Run
from chainrule.views.derive.passes import explain_at, passes
from chainrule.views.reel import Control, Frame, Lesson, Reel, reel

#: So many rows and moments can be chosen.
ROWS, STOPS = 3, 10


def backprop(run: Run | str | Path | None = None) -> Reel:
    """Return the forward and backward pass of three rows at up to ten moments of a run, as a page.

    Every z, a, δ and gradient with its equation (BP1 to BP4 of lecture 003), the terms of its sum, and beside each
    gradient the central difference, all in float64 by `chainrule.Model.explain`.

    Parameters
    ----------
    run
        A `Run` that was recorded (``fit(record="light")``), or the folder of one. None: a small network, 4-6-5-3, that
        is trained on the irises.

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
    >>> reel = cr.lab.backprop(run)
    >>> dict(reel.frames[0].numbers)["gradients that agree with differences"]
    '27 of 27'
    """
    if run is None:
        run = fit(mlp([4, 6, 5, 3], hidden="tanh"), load("iris"), epochs=30, record="light", progress=False)
    recorded = run.recorded if isinstance(run, Run) else Recorded.read(as_path(run))
    if recorded is None:
        raise DataError('The run recorded nothing of its training: train it with record="light".')
    rows = _some_rows(recorded)
    affordable = sorted(passes(recorded, rows[:1]))
    stops = [affordable[i] for i in np.unique(np.linspace(0, len(affordable) - 1, STOPS).round().astype(int))]

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
    return reel("backprop", controls, frame, LESSON)


def _some_rows(recorded: Recorded) -> list[int]:
    """Return fixed rows of different classes, where there are classes, else the first ones."""
    y = np.asarray(recorded.fixed.y)
    if y.ndim == 1 and y.dtype.kind in "iu":
        first = [int(np.flatnonzero(y == label)[0]) for label in np.unique(y)]
    else:
        first = list(range(len(y)))
    return first[:ROWS]


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
