"""What is measured of a network: its names, and which way is better."""

from __future__ import annotations

from chainrule.errors import unknown_name

#: Metrics and whether smaller is better.
SMALLER_IS_BETTER = {"loss": True, "accuracy": False, "mae": True}


def smaller_is_better(column: str) -> bool:
    """Return whether a metric is a cost (loss, mae) and not a score (accuracy)."""
    name = column.removeprefix("val_")
    if name not in SMALLER_IS_BETTER:
        raise unknown_name("metric", column, [*SMALLER_IS_BETTER, *(f"val_{m}" for m in SMALLER_IS_BETTER)])
    return SMALLER_IS_BETTER[name]
