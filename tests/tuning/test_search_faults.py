"""A search that is interrupted at any operation goes on to what it would have been: here some of them, in turn.

All of them are walked over by ``python tests/tuning/search_faults.py``, see bench/results/search_interrupted.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuning.search_faults import CRASH, DATABASE, ERROR, JOURNAL, fault, whole

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system copies no processes")


@pytest.mark.parametrize(("study", "kind", "points"), [(JOURNAL, CRASH, 5), (JOURNAL, ERROR, 3), (DATABASE, CRASH, 2)])
def test_a_fault_at_any_operation_changes_nothing_in_the_end(
    study: str, kind: str, points: int, tmp_path: Path
) -> None:
    count, expected = whole(tmp_path / "whole", study)
    assert expected["positions"] == {0: 1, 1: 1, 2: 1}
    wrong = {}
    for i in range(points):
        at = 1 + round((i + 0.5) * (count - 1) / points)
        if message := fault(tmp_path / str(at), study, at, kind, expected):
            wrong[at] = message
    assert wrong == {}
