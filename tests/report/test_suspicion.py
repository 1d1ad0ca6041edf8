"""When a score is called too good to be true: only where enough rows show that it is."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule import statistics
from chainrule.report.suspicion import too_good


def classes(right: int, rows: int, base: float, part: str = "test") -> dict[str, Any]:
    low, high = statistics.wilson(right, rows)
    return {
        "task": "binary",
        "part": part,
        "judged_rows": rows,
        "metrics": {"accuracy": right / rows},
        "interval": {"low": low, "high": high},
        "baselines": [{"value": base}],
    }


def numbers(r2: float | None, rows: int = 400) -> dict[str, Any]:
    return {"task": "regression", "part": "test", "judged_rows": rows, "outputs": [{"r2": r2}]}


@pytest.mark.parametrize(
    ("facts", "suspected"),
    [
        (classes(400, 400, 0.6), True),
        (classes(1999, 2000, 0.9), True),
        (classes(69, 69, 0.44), False),  # penguins: all right, and too few rows to wonder
        (classes(3190, 3200, 0.9), False),
        (classes(400, 400, 0.6, "training"), False),
        (classes(400, 400, 1.0), False),
        (numbers(0.998), True),
        (numbers(0.95), False),
        (numbers(0.998, 20), False),
        (numbers(None), False),
        (numbers(float("nan")), False),
    ],
)
def test_scores(facts: dict[str, Any], suspected: bool) -> None:
    assert (too_good(facts) is not None) == suspected
