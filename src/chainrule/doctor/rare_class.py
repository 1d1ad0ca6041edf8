"""Whether a rare class is given up, which the accuracy hides: tried by letting all classes count alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display.numbers import percent
from chainrule.doctor.arms import REFUSALS, ArmResult, fixed_arm
from chainrule.doctor.ratio import error_ratio
from chainrule.doctor.trials import MATERIAL, Trials
from chainrule.symptoms.data.parts import ROWS_OF_CLASS
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.fixes import fixes_for

__all__ = ["rare_class_finding"]

#: How many times larger the largest class is where another may be given up.
UNEVEN = 3.0

#: A class is given up of which so few rows are found, and it is restored where so many more of them are.
GIVEN_UP, RESTORED = 0.25, 0.3

#: Of a class with too few rows to tell what helps: no more are found, and surely fewer than of others.
HALF_LOST, SURE = 0.5, 0.001


def rare_class_finding(trials: Trials) -> Finding | None:
    """Return an alarm where the rows of a rare class are given up, and are found when all classes count alike.

    Statistic: the recall of the rarest class in the control (at most .25) and with ``class_weight="balanced"`` (.3 more
    at least), and the ratio of the errors of both where every class counts alike.

    Null: a class that is learnt though it is rare is not given up; and where the inputs do not tell it from others,
    the ratio (1.2 at least) cannot be told from 1. Of ten rows and fewer no trial can tell that: where no more than
    half of them are found it is enough that more of the other classes are (Fisher's exact test, .001).

    Source: He and Garcia (2009), "Learning from imbalanced data"; Fisher (1935) for the test.
    """
    rows, weights = trials.rows, trials.rows.class_weights
    if rows.labels is None or weights is None or rows.imbalance <= UNEVEN:
        return None
    fix = next(iter(fixes_for("imbalance", trials.subject)), None)
    if fix is None or trials.comparison is None:
        return None
    control = trials.comparison.control
    classes, counts = np.unique(rows.labels[rows.rows], return_counts=True)
    of_rarest = rows.labels == classes[counts.argmin()]
    hits = recall(control, of_rarest)
    few = counts.min() <= ROWS_OF_CLASS and hits <= HALF_LOST and _chance(control, of_rarest) < SURE
    if not (few or hits <= GIVEN_UP):  # NaN where none of its rows was judged
        return None
    try:
        (even,) = trials.laboratory.run([fixed_arm(trials.control, "imbalance", fix)], [trials.cuts], trials.until)
    except REFUSALS:
        return None
    restored = recall(even, of_rarest)
    ratio = error_ratio(control.errors, even.errors, trials.confidence, weights)
    helps = hits <= GIVEN_UP and restored >= hits + RESTORED and ratio.value >= MATERIAL and ratio.low > 0.0
    if not (helps or few):
        return None
    name = rows.y.reshape(len(rows.y), -1)[of_rarest.argmax()]
    label = name[0].item() if len(name) == 1 else int(name.argmax())
    low, high = ratio.interval
    right, of_others, evenly = (percent(share, 0) for share in (hits, recall(control, ~of_rarest), restored))
    text = (
        f"The class {label!r} ({counts.min():,} of {counts.sum():,} rows) is given up: {right} of its rows are "
        f"found (of all others {of_others}), {evenly} where all classes count alike (mean error of the classes: ratio "
        f"{ratio.value:.2f}, {low:.2f} to {high:.2f})."
    )
    if not helps:
        text += " They are too few to tell whether that helps."
    evidence = (
        Evidence("rows of the rarest class that are found", hits, HALF_LOST if few else GIVEN_UP, 1.0),
        Evidence("the same where all classes count alike", restored),
        Evidence("ratio of the mean errors of classes", ratio.value, None, MATERIAL, ratio.p),
    )
    return Finding("classes", "alarm", text, "target", evidence, ("imbalance",))


def recall(result: ArmResult, of_class: np.ndarray[Any, Any]) -> float:
    """Return the share of a class's rows that are found; NaN where none was judged."""
    errors = result.errors[:, of_class]
    return 1.0 - float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


def _chance(result: ArmResult, of_rarest: np.ndarray[Any, Any]) -> float:
    """Return how likely so few rows of the rarest class are found if they are found as often as others (Fisher)."""
    from scipy.stats import fisher_exact

    judged = np.isfinite(result.errors).any(axis=0)
    counts = np.array([np.sum(judged & rows) for rows in (of_rarest, ~of_rarest)])
    hits = np.rint(counts * [recall(result, rows) for rows in (of_rarest, ~of_rarest)]).astype(int)
    return float(fisher_exact(np.column_stack([hits, counts - hits]), alternative="less").pvalue)
