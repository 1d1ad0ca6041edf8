"""The clock of the budget. A benchmark on a machine with other work on it may count the processor's seconds instead."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["now", "use"]

_clock: Callable[[], float] = time.monotonic


def now() -> float:
    """Return seconds of the clock that budgets are counted by."""
    return _clock()


def use(clock: Callable[[], float]) -> None:
    """Count budgets by another clock, such as `time.process_time`."""
    global _clock
    _clock = clock
