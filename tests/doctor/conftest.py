"""Budgets of these tests are in seconds of the processor: other work on the machine changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from chainrule.doctor import clock


@pytest.fixture(autouse=True)
def _clock_of_the_processor() -> Iterator[None]:
    clock.use(time.process_time)
    yield
    clock.use(time.monotonic)
