"""What the tests of the doctor share: a clock of the processor, and the references that several of them need."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from chainrule.doctor import clock
from chainrule.doctor.arms import Arm, ArmResult, Laboratory
from chainrule.doctor.cuts import Cut


@pytest.fixture(autouse=True)
def _clock_of_the_processor() -> Iterator[None]:
    """Budgets of these tests are in seconds of the processor: other work on the machine changes nothing."""
    clock.use(time.process_time)
    yield
    clock.use(time.monotonic)


@pytest.fixture(scope="session")
def trained_references() -> dict[Any, list[ArmResult]]:
    """What came of references, by all that they were trained on and by."""
    return {}


@pytest.fixture(autouse=True)
def _a_reference_is_trained_once(monkeypatch: pytest.MonkeyPatch, trained_references: dict[Any, Any]) -> None:
    """A reference depends on the network, the data and the cuts, which most tests have in common, and on no fault."""
    run = Laboratory.run

    def shared(
        self: Laboratory, arms: Sequence[Arm], cuts: Sequence[Sequence[Cut]], until: int | None = None
    ) -> list[ArmResult]:
        plain = isinstance(arms[0].data, tuple) and self.engine == "numpy"
        if not plain or {arm.name for arm in arms} != {"reference"}:
            return run(self, arms, cuts, until)
        key = (until, *(_key(arm, each) for arm, each in zip(arms, cuts, strict=True)))
        if key not in trained_references:
            trained_references[key] = run(self, arms, cuts, until)
        return [dataclasses.replace(result, arm=arm) for result, arm in zip(trained_references[key], arms, strict=True)]

    monkeypatch.setattr(Laboratory, "run", shared)


def _key(arm: Arm, cuts: Sequence[Cut]) -> Any:
    rows = [part.tobytes() for part in map(np.asarray, arm.data)]
    places = [(cut.seed, *(part.tobytes() for part in (cut.train, cut.stop, cut.judged))) for cut in cuts]
    return repr((arm.net, arm.settings, arm.changes, arm.without)), *rows, *places
