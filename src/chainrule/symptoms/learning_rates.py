"""Learning rates and schedules that are larger or smaller, in the form that they have."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from chainrule import optimizers
from chainrule.optimizers import SGD, AdaGrad, Optimizer, RMSProp
from chainrule.schedules import Schedule, Warmup
from chainrule.schedules.base import rate_at

__all__ = ["nominal_rate", "peak_rate", "scaled_rate", "usual_rate"]

#: The settings of schedules that are rates.
RATES = ("lr", "end", "min_lr", "peak", "low", "high", "schedule")


def peak_rate(optimizer: Optimizer, epochs: int) -> float:
    """Return the largest learning rate of a run of so many epochs.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.learning_rates import peak_rate
    >>> peak_rate(cr.SGD(lr=cr.schedules.OneCycle(0.5)), epochs=10)
    0.5
    """
    lr = optimizer.lr
    if not isinstance(lr, Schedule):
        return float(lr)
    peak = getattr(lr, "peak", None)
    times = np.linspace(0.0, epochs, 401)
    seen = max(float(np.asarray(rate_at(lr, float(time), float(epochs)))) for time in times)
    return float(peak) if peak is not None and seen <= peak else seen


def nominal_rate(optimizer: Optimizer, epochs: int) -> float:
    """Return the learning rate that a schedule leads up to, also where the run ends before.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.learning_rates import nominal_rate, peak_rate
    >>> slow = cr.SGD(lr=cr.schedules.Warmup(0.5, epochs=100.0))
    >>> peak_rate(slow, epochs=10), nominal_rate(slow, epochs=10)
    (0.05, 0.5)
    """
    lr = optimizer.lr
    while isinstance(lr, Warmup):
        lr = lr.schedule
    return peak_rate(dataclasses.replace(optimizer, lr=lr), epochs)


def scaled_rate(lr: Any, factor: float) -> Any:
    """Return a learning rate times a factor; a schedule in its form, None for one whose rates are not known.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.learning_rates import scaled_rate
    >>> scaled_rate(0.5, 0.1), scaled_rate(cr.schedules.Cosine(0.5, end=0.1), 0.1)
    (0.05, Cosine(0.05, 0.01))
    """
    if not isinstance(lr, Schedule):
        return rounded(float(lr) * factor)
    changes = {
        field.name: scaled_rate(value, factor)
        for field in dataclasses.fields(lr)  # type: ignore[arg-type]
        if field.name in RATES and isinstance(value := getattr(lr, field.name), int | float | Schedule)
    }
    if not changes or None in changes.values():
        return None
    return dataclasses.replace(lr, **changes)  # type: ignore[type-var]


def usual_rate(optimizer: Optimizer, steps: int = 5000) -> float | None:
    """Return a rate with which an optimizer often works on normalized inputs; None where that is not known.

    A step of Adam (and of RMSProp) moves each weight by about the rate, and weights have to move by about 5 in all: so
    a run of few steps needs more, from 0.001 to 0.01.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.learning_rates import usual_rate
    >>> usual_rate(cr.Adam(), steps=10_000), usual_rate(cr.Adam(), steps=1_000)
    (0.001, 0.005)
    >>> usual_rate(cr.SGD(), steps=1_000), usual_rate(cr.SGD(momentum=0.9), steps=1_000)
    (0.1, 0.01)
    """
    if isinstance(optimizer, SGD):
        momentum = float(optimizer.momentum or 0.0)
        return rounded(0.1 * max(0.1, 1.0 - momentum))
    if isinstance(optimizer, AdaGrad):
        return 0.03
    if isinstance(optimizer, RMSProp | optimizers.Adam):
        return float(f"{min(0.01, max(0.001, 5.0 / max(steps, 1))):.1g}")
    return 1.0 if isinstance(optimizer, optimizers.external.Optax) else None


def rounded(rate: float) -> float:
    """Return a number without the last digits that arithmetic leaves: 0.1 · 0.1 is 0.01."""
    return float(f"{rate:.6g}")
