"""A command is killed, or fails, at its operations on files one after the other: it goes on to the same bits, complete.

In the suite at one operation of each kind on each file; `make test-slow` takes every one, with both faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from faults import Operation
from walk import SCENARIOS, Scenario, everywhere, in_folder, walk

scenarios = pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])


@scenarios
def test_a_fault_at_one_operation_of_each_kind(scenario: Scenario, tmp_path: Path) -> None:
    def some(seen: Sequence[Operation]) -> list[tuple[int, str]]:
        last = {operation: at for at, operation in enumerate(seen)}
        replaced = {operation.file for operation in seen if operation.kind == "replace"}

        def chosen(operation: Operation) -> bool:
            if scenario.name != "train":
                return operation.kind in ("replace", "unlink", "mkdir")
            # Files that appear whole all do so by the same four operations, of which two leave something else behind.
            appears = operation.file.removesuffix(".part") in replaced
            return not appears or operation.kind not in ("create", "fsync")

        places = sorted(at for operation, at in last.items() if chosen(operation))
        return [(at, ("crash", "error")[i % 2]) for i, at in enumerate(places)]

    with in_folder(tmp_path):
        assert walk(scenario, some) == {}


@pytest.mark.slow
@scenarios
def test_a_second_fault_while_it_goes_on(scenario: Scenario, tmp_path: Path) -> None:
    def pairs(seen: Sequence[Operation]) -> list[tuple[int, str, int]]:
        random = np.random.default_rng(0)
        places = random.integers(0, len(seen), (20, 2)).tolist()
        return [(at, ("crash", "error")[i % 2], again) for i, (at, again) in enumerate(places)]

    with in_folder(tmp_path):
        assert walk(scenario, pairs) == {}


@pytest.mark.slow
@scenarios
def test_a_fault_at_every_operation(scenario: Scenario, tmp_path: Path) -> None:
    with in_folder(tmp_path):
        assert walk(scenario, everywhere) == {}
