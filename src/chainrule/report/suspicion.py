"""Whether the score of a table's network is too good to be true, and what to look at then.

- Classes: the network tells at least `SCORE` of what the most frequent class leaves open, and the 95 % interval of its
  accuracy (Wilson) lies wholly above `SURE` of it, so that a few rows prove nothing;
- numbers: R² of at least `SCORE` on at least `ROWS` rows.

Rows that were trained on prove nothing either way. Networks on pictures do reach such scores; few honest tables allow
them (Kaufman et al., "Leakage in data mining", 2012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["look_at", "too_good"]

SCORE, SURE, ROWS = 0.99, 0.95, 30


def too_good(evaluation: Mapping[str, Any]) -> str | None:
    """Return what the score is, if it is too good to be true for a table; None: it is not.

    Parameters
    ----------
    evaluation
        What `chainrule.evaluation.gather` returns.
    """
    rows = f"{evaluation['judged_rows']:,} {evaluation['part']} rows"
    if evaluation["part"] == "training":
        return None
    if evaluation["task"] == "regression":
        r2 = [output["r2"] for output in evaluation["outputs"]]
        if evaluation["judged_rows"] < ROWS or any(value is None or not value >= SCORE for value in r2):
            return None
        return f"R² is {int(1e4 * min(r2)) / 1e4:.4f} on {rows}"
    if evaluation["task"] == "multilabel" or evaluation["interval"] is None:
        return None
    score, low, base = (
        evaluation["metrics"]["accuracy"],
        evaluation["interval"]["low"],
        evaluation["baselines"][0]["value"],
    )
    if base >= 1 or (score - base) / (1 - base) < SCORE or (low - base) / (1 - base) < SURE:
        return None
    return f"{int(1e4 * score) / 1e2:.2f} % of {rows} are right, and the most frequent class is {100 * base:.2f} %"


def look_at(score: str, strongest: Sequence[tuple[str, float]]) -> str:
    """Say what to look at where a score is too good.

    >>> look_at("R² is 0.9980 on 3,295 test rows", [("registered", 0.931), ("hour", 0.41)])
    'R² is 0.9980 on 3,295 test rows, which few honest tables allow. What tells most of the target alone: registered \
(93 %), hour (41 %). Is it known before the target is? Are rows of one thing in several parts (--group), or later ones \
among those trained on (--time)?'
    """
    names = ", ".join(f"{name} ({100 * power:.0f} %)" for name, power in strongest if power > 0)
    first = f" What tells most of the target alone: {names}." if names else ""
    return (
        f"{score}, which few honest tables allow.{first} Is it known before the target is? Are rows of one thing in "
        "several parts (--group), or later ones among those trained on (--time)?"
    )
