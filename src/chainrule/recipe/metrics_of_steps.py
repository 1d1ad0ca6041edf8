"""The metrics of steps and blocks, summed, and as means under the names of the history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.data.rows import Rows
from chainrule.metrics import metric_of
from chainrule.recipe.state import Metrics, Recipe
from chainrule.recipe.step import Batch


def as_batch(x: Any, y: np.ndarray, weight: Any, precision: str) -> Batch:
    """Make arrays a batch in the precision of the run (labels stay integers), with a weight for every sample."""
    y = np.asarray(y, precision) if np.issubdtype(y.dtype, np.floating) else y
    weight = np.ones(len(x)) if weight is None else np.asarray(weight)
    return Batch(x if isinstance(x, Rows) else np.asarray(x, precision), y, weight.astype(precision))


def totals(sums: Any) -> list[float]:
    """Return sums over blocks (or steps), each as one number."""
    return [float(np.sum(v, dtype=np.float64)) for v in sums]


def added(parts: Iterable[Any]) -> list[float]:
    """Return sums over blocks (or steps) that came in parts, each as one number."""
    sums: list[float] = np.sum([totals(part) for part in parts], axis=0).tolist()
    return sums


def add_steps(sums: Sequence[float], metrics: Metrics) -> tuple[float, ...]:
    """Add the sums of some steps one after the other, so that where an epoch is cut changes no digit."""
    values = np.column_stack([np.asarray(v, np.float64) for v in metrics[:4]])
    return tuple(np.add.accumulate(np.vstack([sums, values]), axis=0)[-1].tolist())


def named_metrics(recipe: Recipe, cost: float, weight: float, score: float, number: float) -> dict[str, float]:
    """Return means under the names of the history: the loss (of weighted samples), accuracy or mae (of plain ones)."""
    return {"loss": cost / weight, metric_of(recipe.task).name: score / number}
