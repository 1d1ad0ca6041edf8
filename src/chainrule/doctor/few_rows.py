"""Whether there are too few rows: tried by training on half of them, and beside always the same answer."""

from __future__ import annotations

import numpy as np

from chainrule.doctor.arms import REFUSALS
from chainrule.doctor.cuts import cut_rows, halved
from chainrule.doctor.judge import constant_errors
from chainrule.doctor.ratio import Ratio, error_ratio
from chainrule.doctor.trials import MATERIAL, Trials
from chainrule.symptoms.data.parts import ROWS
from chainrule.symptoms.evidence import Evidence, Finding

__all__ = ["few_rows_finding"]

#: Where always the same answer is so many times as bad, much is learnt, though more rows would teach still more: it is
#: 1.2 to 2.3 of too few rows, 9 and more of a hundred that are enough (wine).
LEARNT = 4.0

#: Rounds of members besides those of the comparison.
ROUNDS = 2


def few_rows_finding(trials: Trials) -> Finding | None:
    """Return an alarm where few rows are too few: half of them teach less, or all of them next to nothing.

    Statistic: of fewer than 50 rows for each class (or number), the ratio of the errors of the control trained on half
    of its rows and on all; and that of always the same answer and the control.

    Null: where rows are enough, as many again change nothing, and the first ratio cannot be told from 1. An alarm where
    it is 1.2 at least and surely above 1, since twice the rows may then be expected to help as much again (Cortes et
    al., 1994, learning curves fall as powers of the number of rows), and the second is below 4: where much is learnt
    already few rows are no fault. Or where the second is not surely above 1.
    """
    rows, comparison = trials.rows, trials.comparison
    assert comparison is not None
    answers = 1 if rows.labels is None else max(2, len(np.unique(rows.labels[rows.rows])))
    if len(rows.rows) >= ROWS * answers:
        return None
    control, cuts = comparison.control, list(trials.cuts)
    try:
        if trials.has_room(4 * ROUNDS * len(cuts)):  # so few rows need many members
            more = cut_rows(rows, ROUNDS * len(cuts), trials.seed + 20_000)
            control = control.joined(trials.laboratory.run([trials.control], [more], trials.until)[0])
            cuts += more
        halves = [halved(cut, rows) for cut in cuts]
        (half,) = trials.laboratory.run([trials.control], [halves], trials.until)
    except REFUSALS:
        return None
    constant = np.full_like(control.errors, np.nan)
    for errors, cut in zip(constant, cuts, strict=True):
        errors[cut.judged] = constant_errors(rows, cut)
    beside = error_ratio(constant, control.errors, trials.confidence, trials.weights)
    curve = error_ratio(half.errors, control.errors, trials.confidence, trials.weights)
    falls = curve.value >= MATERIAL and curve.low > 0.0 and beside.value < LEARNT
    nothing = beside.low <= 0.0
    if not (falls or nothing):
        return None
    why = "more would help" if falls else "hardly anything is learnt of them"
    text = (
        f"There are only {len(rows.rows):,} rows, and {why}: trained on half of them the error is {_ratio(curve)} "
        f"times as large, and that of always the same answer {_ratio(beside)} times ({len(cuts)} members)."
    )
    evidence = (
        Evidence("rows for each class", len(rows.rows) / answers, float(ROWS), None, None, "rows"),
        Evidence("error of half of the rows over that of all", curve.value, None, MATERIAL, curve.p),
        Evidence("error of always the same answer over that of the run", beside.value, 1.0, None),
    )
    return Finding("classes", "alarm", text, "rows", evidence, ("too_little_data",))


def _ratio(ratio: Ratio) -> str:
    low, high = ratio.interval
    return f"{ratio.value:.2f} ({low:.2f} to {high:.2f})"
