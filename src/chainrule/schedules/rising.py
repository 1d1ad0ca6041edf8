"""Schedules that rise: a warm-up before another schedule, the one-cycle policy, and the ramp of a range test."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.backprop import ops
from chainrule.errors import SettingError
from chainrule.schedules.base import Schedule, check_rate, half_wave, number, progress, rate_at
from chainrule.settings import check_number

__all__ = ["OneCycle", "Ramp", "Warmup"]


@dataclass(frozen=True)
class Warmup(Schedule):
    """The rate rises on a line for a time w, then another schedule runs over the rest of the run.

    η(t) = s(0, T - w) · (start + (1 - start) t/w) for t < w, then s(t - w, T - w).

    Parameters
    ----------
    schedule : float or Schedule
        s, what comes after; a number for a constant rate.
    epochs : float
        w, how long the rise takes.
    start : float
        The fraction of the full rate to start with, in [0, 1].

    Source: Goyal et al. (2017), "Accurate, large minibatch SGD".

    >>> import chainrule as cr
    >>> rate = cr.schedules.Warmup(cr.schedules.Linear(0.5), epochs=2)
    >>> rate(0, 12), rate(1, 12), rate(2, 12), rate(7, 12)
    (0.0, 0.25, 0.5, 0.25)
    """

    schedule: float | Schedule
    epochs: float = 1.0
    start: float = 0.0

    def __post_init__(self) -> None:
        check_rate("Warmup", "schedule", self.schedule)
        check_number("Warmup", "epochs", self.epochs, 0.0, open_low=True)
        check_number("Warmup", "start", self.start, 0.0, 1.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        rise = self.start + (1.0 - self.start) * ops.minimum(epoch / self.epochs, 1.0)
        after = ops.maximum(epoch - self.epochs, 0.0)  # 0 during the rise, where s(0, T - w) is wanted
        return number(rise * rate_at(self.schedule, after, epochs - self.epochs))

    def after_epoch(self, costs: Sequence[float]) -> Schedule | None:
        inner = self.schedule.after_epoch(costs) if isinstance(self.schedule, Schedule) else None
        return None if inner is None else dataclasses.replace(self, schedule=inner)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to a peak and down again in half waves: from peak/div to the peak, then to peak/(div·final_div).

    Parameters
    ----------
    peak : float
        The largest rate.
    rise : float
        The fraction of the run that goes up, in (0, 1).
    div, final_div : float
        How many times smaller than the peak the start is, and than the start the end.

    Source: Smith and Topin (2017), "Super-convergence"; the numbers are those of PyTorch and optax.

    >>> import chainrule as cr
    >>> cycle = cr.schedules.OneCycle(1.0)
    >>> [round(cycle(t, 10), 6) for t in (0, 3, 10)]
    [0.04, 1.0, 4e-06]
    """

    peak: float
    rise: float = 0.3
    div: float = 25.0
    final_div: float = 1e4

    def __post_init__(self) -> None:
        check_number("OneCycle", "peak", self.peak, 0.0)
        check_number("OneCycle", "rise", self.rise, 0.0, 1.0, open_low=True)
        if isinstance(self.rise, int | float) and self.rise >= 1.0:
            raise SettingError("OneCycle: rise must be below 1, so that time is left to come down; got 1.")
        check_number("OneCycle", "div", self.div, 1.0)
        check_number("OneCycle", "final_div", self.final_div, 1.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        start = self.peak / self.div
        done = progress(epoch, epochs)
        up = half_wave(start, self.peak, ops.minimum(done / self.rise, 1.0))
        down = half_wave(self.peak, start / self.final_div, (done - self.rise) / (1.0 - self.rise))
        return number(ops.where(done < self.rise, up, down))


@dataclass(frozen=True)
class Ramp(Schedule):
    """η(t) = low · (high/low)^(t/T): by the same factor in every step, through all sizes from low to high.

    Not to train with, but to see which rates a network can be trained with: `cr.find_lr`.

    Source: Smith (2017), "Cyclical learning rates for training neural networks", section 3.3 (there on a line).

    >>> import chainrule as cr
    >>> ramp = cr.schedules.Ramp(0.001, 10.0)
    >>> [round(ramp(t, 4), 6) for t in range(5)]
    [0.001, 0.01, 0.1, 1.0, 10.0]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check_number("Ramp", "low", self.low, 0.0, open_low=True)
        check_number("Ramp", "high", self.high, 0.0, open_low=True)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.low * (self.high / self.low) ** progress(epoch, epochs))
