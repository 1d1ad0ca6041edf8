"""What a schedule is, and the small formulas that several share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.backprop import ops
from chainrule.errors import SettingError
from chainrule.settings import Settings, check_number

__all__ = ["Schedule", "check_rate", "half_wave", "number", "progress", "rate_at"]


class Schedule(Settings, family="schedule"):
    """Base of the schedules. A new one is a frozen dataclass with ``__call__(epoch, epochs)``.

    The call gets plain numbers on the NumPy engine and traced values on JAX, so it is written with `cr.ops`
    or NumPy's functions and without ``if`` on the time.

    Example
    -------
    >>> from dataclasses import dataclass
    >>> import chainrule as cr
    >>> @dataclass(frozen=True)
    ... class Halves(cr.schedules.Schedule):
    ...     lr: float
    ...     def __call__(self, epoch, epochs):
    ...         return self.lr * 0.5**epoch
    >>> Halves(0.1)(2, 10)
    0.025
    >>> _ = cr.schedules.Schedule.registry.pop("halves")
    """

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        """Return the learning rate after ``epoch`` epochs (fractions count) of a run of ``epochs``."""
        raise NotImplementedError(f"{type(self).__name__} needs a __call__(self, epoch, epochs).")

    def after_epoch(self, costs: Sequence[float]) -> Schedule | None:
        """Return the schedule to go on with, given the validation costs of all epochs so far; None for no change."""
        return None


def rate_at(lr: Any, epoch: Any, epochs: Any) -> Any:
    """Return the learning rate at a time, from a number or a schedule.

    >>> import chainrule as cr
    >>> cr.schedules.rate_at(0.1, 5, 10), cr.schedules.rate_at(cr.schedules.Linear(0.1), 5, 10)
    (0.1, 0.05)
    """
    return lr(epoch, epochs) if isinstance(lr, Schedule) else lr


def check_rate(owner: str, name: str, lr: Any) -> None:
    """Raise `SettingError` unless ``lr`` is a number of at least 0, or a schedule."""
    if isinstance(lr, Schedule):
        return
    if lr is None or callable(lr):
        raise SettingError(
            f"{owner}: {name} must be a number or a schedule such as cr.schedules.Cosine(0.1), got {lr!r}. "
            "A schedule of your own is a frozen dataclass derived from cr.schedules.Schedule."
        )
    check_number(owner, name, lr, 0.0)


def number(x: Any) -> Any:
    """Return NumPy's scalars as plain floats, which leave the data type of an array they meet as it is."""
    if isinstance(x, np.ndarray) and x.ndim:
        return x
    return float(x) if isinstance(x, int | float | np.generic | np.ndarray) else x


def progress(epoch: Any, epochs: Any) -> Any:
    """t/T, the fraction of the run that is done, between 0 and 1."""
    return ops.minimum(epoch / ops.maximum(epochs, 1e-9), 1.0)


def half_wave(start: Any, end: Any, fraction: Any) -> Any:
    """Go from start to end along a cosine: where it is after a fraction of the way."""
    return end + (start - end) * 0.5 * (1.0 + ops.cos(math.pi * fraction))
