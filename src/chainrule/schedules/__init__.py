"""Learning-rate schedules: large steps first, small ones to finish (lecture 003, "Learning rate decay").

A schedule is a recipe that gives the learning rate η after t epochs of a run of T: ``schedule(t, T)``. t is a
fraction inside an epoch, so the rate changes with every step. All settings that are times count epochs.
``SGD(lr=cr.schedules.Cosine(0.1))`` uses one.

Start with a large rate, to leave poor local minima and not to memorize noise, and decay it, to refine the
solution without oscillation (You et al., 2019, "How does learning rate decay help modern neural
networks?").
"""

from __future__ import annotations

from typing import Any

from chainrule.schedules.base import Schedule, check_rate, rate_at
from chainrule.schedules.decay import (
    Constant,
    Cosine,
    Exponential,
    Inverse,
    InverseSqrt,
    Linear,
    Polynomial,
    StepDecay,
)
from chainrule.schedules.plateau import ReduceOnPlateau
from chainrule.schedules.rising import OneCycle, Ramp, Warmup
from chainrule.settings import find

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Inverse",
    "InverseSqrt",
    "Linear",
    "OneCycle",
    "Polynomial",
    "Ramp",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "Warmup",
    "get",
    "rate_at",
]


def get(schedule: Any) -> Schedule:
    """Return the schedule that a user gave: a number (a constant rate) or a recipe.

    >>> import chainrule as cr
    >>> cr.schedules.get(0.1)
    Constant(0.1)
    """
    if not isinstance(schedule, Schedule | str):
        check_rate("Schedule", "lr", schedule)
        return Constant(schedule)
    return find(Schedule, schedule)
