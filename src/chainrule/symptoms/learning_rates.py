"""Learning rates and schedules that are larger or smaller, in the form that they have."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from chainrule import optimizers
from chainrule.optimizers import SGD, AdaGrad, Optimizer, RMSProp
from chainrule.schedules import Schedule
from chainrule.schedules.base import rate_at

__all__ = ["peak_rate", "scaled_rate", "usual_rate"]

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


def usual_rate(optimizer: Optimizer) -> float | None:
    """Return a rate with which an optimizer often works on normalized inputs; None where that is not known.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.learning_rates import usual_rate
    >>> usual_rate(cr.Adam()), usual_rate(cr.SGD()), usual_rate(cr.SGD(momentum=0.9))
    (0.001, 0.1, 0.01)
    """
    if isinstance(optimizer, SGD):
        momentum = float(optimizer.momentum or 0.0)
        return rounded(0.1 * (1.0 - momentum))
    if isinstance(optimizer, AdaGrad):
        return 0.03
    if isinstance(optimizer, RMSProp | optimizers.Adam):
        return 0.001
    return 1.0 if isinstance(optimizer, optimizers.external.Optax) else None


def rounded(rate: float) -> float:
    """Return a number without the last digits that arithmetic leaves: 0.1 · 0.1 is 0.01."""
    return float(f"{rate:.6g}")
