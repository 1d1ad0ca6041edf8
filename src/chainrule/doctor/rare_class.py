"""Whether a rare class is given up, which the accuracy hides: tried by letting all classes count alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display.numbers import percent
from chainrule.doctor.arms import REFUSALS, ArmResult, fixed_arm
from chainrule.doctor.ratio import error_ratio
from chainrule.doctor.trials import MATERIAL, Trials
from chainrule.symptoms.data.parts import RARE, ROWS_OF_CLASS
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.fixes import fixes_for

__all__ = ["rare_class_finding"]

#: How many times larger the largest class is where another may be given up.
UNEVEN = 3.0

#: A class is given up of which so few rows are found, and it is restored where so many more of them are.
GIVEN_UP, RESTORED = 0.25, 0.3


def rare_class_finding(trials: Trials) -> Finding | None:
    """Return an alarm where the rows of a rare class are given up, and are found when all classes count alike.

    Statistic: the recall of the rarest class in the control (at most .25) and with ``class_weight="balanced"`` (.3 more
    at least), and the ratio of the errors of both where every class counts alike.

    Null: a class that is learnt though it is rare is not given up; and where the inputs do not tell it from others,
    the ratio (1.2 at least) cannot be told from 1. Of fewer than ten rows no trial can tell that: where they are less
    than a tenth of an even share, too, that they are given up is enough.

    Source: He and Garcia (2009), "Learning from imbalanced data".
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
    if not hits <= GIVEN_UP:  # NaN where none of its rows was judged
        return None
    try:
        (even,) = trials.laboratory.run([fixed_arm(trials.control, "imbalance", fix)], [trials.cuts], trials.until)
    except REFUSALS:
        return None
    restored = recall(even, of_rarest)
    ratio = error_ratio(control.errors, even.errors, trials.confidence, weights)
    helps = restored >= hits + RESTORED and ratio.value >= MATERIAL and ratio.low > 0.0
    few = counts.min() < ROWS_OF_CLASS and counts.min() * len(counts) < RARE * counts.sum()
    if not (helps or few):
        return None
    name = rows.y.reshape(len(rows.y), -1)[of_rarest.argmax()]
    label = name[0].item() if len(name) == 1 else int(name.argmax())
    text = (
        f"The class {label!r} ({counts.min():,} of {counts.sum():,} rows) is given up: {percent(hits, 0)} of its rows "
        f"are found, {percent(restored, 0)} where all classes count alike (mean error of the classes: ratio "
        f"{ratio.value:.2f}, {ratio.interval[0]:.2f} to {ratio.interval[1]:.2f})."
    )
    if not helps:
        text += " They are too few to tell whether that helps."
    evidence = (
        Evidence("rows of the rarest class that are found", hits, GIVEN_UP, 1.0),
        Evidence("the same where all classes count alike", restored),
        Evidence("ratio of the mean errors of classes", ratio.value, None, MATERIAL, ratio.p),
    )
    return Finding("classes", "alarm", text, "target", evidence, ("imbalance",))


def recall(result: ArmResult, of_class: np.ndarray[Any, Any]) -> float:
    """Return the share of a class's rows that are found; NaN where none was judged."""
    errors = result.errors[:, of_class]
    return 1.0 - float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")
