"""Learning-rate schedules: large steps first, small ones to finish (lecture 003, "Learning rate decay").

A schedule is a recipe that gives the learning rate η after t epochs of a run of T: ``schedule(t, T)``. t is a
fraction inside an epoch, so the rate changes with every step. All settings that are times count epochs.
``SGD(lr=cr.schedules.Cosine(0.1))`` uses one.

Start with a large rate, to leave poor local minima and not to memorize noise, and decay it, to refine the
solution without oscillation (You et al., 2019, "How does learning rate decay help modern neural
networks?").
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backprop import ops
from chainrule.errors import SettingError
from chainrule.settings import Settings, check_number, find

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Inverse",
    "InverseSqrt",
    "Linear",
    "OneCycle",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "Warmup",
    "get",
]


def number(x: Any) -> Any:
    """NumPy's scalars as plain floats, which leave the data type of an array they meet as it is."""
    plain = isinstance(x, int | float | np.generic) or isinstance(x, np.ndarray) and x.ndim == 0
    return float(x) if plain else x


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
        """The learning rate after ``epoch`` epochs (fractions count) of a run of ``epochs``."""
        raise NotImplementedError(f"{type(self).__name__} needs a __call__(self, epoch, epochs).")

    def after_epoch(self, costs: Sequence[float]) -> Schedule | None:
        """The schedule to go on with, given the validation costs of all epochs so far; None for no change."""
        return None


@dataclass(frozen=True)
class Constant(Schedule):
    """η(t) = lr: no decay. A plain number means the same.

    >>> import chainrule as cr
    >>> cr.schedules.Constant(0.1)(5, 30)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        check_number("Constant", "lr", self.lr, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return self.lr


@dataclass(frozen=True)
class StepDecay(Schedule):
    """η(t) = lr · factor^⌊t / every⌋: constant, and multiplied by a factor now and then.

    Parameters
    ----------
    lr : float
        The rate at the start.
    factor : float
        What it is multiplied by, in (0, 1].
    every : float
        After how many epochs.

    Source: lecture 003, "Step decay".

    >>> import chainrule as cr
    >>> decay = cr.schedules.StepDecay(0.1, factor=0.5, every=10)
    >>> decay(9.9, 30), decay(10, 30), decay(20, 30)
    (0.1, 0.05, 0.025)
    """

    lr: float
    factor: float = 0.5
    every: float = 10.0

    def __post_init__(self) -> None:
        check_number("StepDecay", "lr", self.lr, 0.0)
        check_number("StepDecay", "factor", self.factor, 0.0, 1.0, open_low=True)
        check_number("StepDecay", "every", self.every, 0.0, open_low=True)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.lr * self.factor ** ops.floor(epoch / self.every))


@dataclass(frozen=True)
class Linear(Schedule):
    """η(t) = lr + (end - lr) · t/T: a straight line over the whole run.

    Source: lecture 003, "Linear decay".

    >>> import chainrule as cr
    >>> decay = cr.schedules.Linear(0.5)
    >>> decay(0, 10), decay(5, 10), decay(10, 10)
    (0.5, 0.25, 0.0)
    """

    lr: float
    end: float = 0.0

    def __post_init__(self) -> None:
        check_number("Linear", "lr", self.lr, 0.0)
        check_number("Linear", "end", self.end, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.lr + (self.end - self.lr) * _progress(epoch, epochs))


@dataclass(frozen=True)
class Polynomial(Schedule):
    """η(t) = end + (lr - end) · (1 - t/T)^power: like `Linear`, but faster at the start for a power above 1.

    Source: Chen et al. (2016), "DeepLab" (its "poly" policy, with power 0.9).

    >>> import chainrule as cr
    >>> cr.schedules.Polynomial(0.5, power=2.0)(5, 10)
    0.125
    """

    lr: float
    end: float = 0.0
    power: float = 2.0

    def __post_init__(self) -> None:
        check_number("Polynomial", "lr", self.lr, 0.0)
        check_number("Polynomial", "end", self.end, 0.0)
        check_number("Polynomial", "power", self.power, 0.0, open_low=True)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.end + (self.lr - self.end) * (1.0 - _progress(epoch, epochs)) ** self.power)


@dataclass(frozen=True)
class Exponential(Schedule):
    """η(t) = lr · e^(-rate·t): the same share is lost in every epoch (about ``rate`` of it).

    Source: lecture 003, "Exponential decay".

    >>> import chainrule as cr
    >>> round(cr.schedules.Exponential(1.0, rate=0.1)(10, 30), 4)
    0.3679
    """

    lr: float
    rate: float = 0.1

    def __post_init__(self) -> None:
        check_number("Exponential", "lr", self.lr, 0.0)
        check_number("Exponential", "rate", self.rate, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.lr * ops.exp(-self.rate * epoch))


@dataclass(frozen=True)
class Inverse(Schedule):
    """η(t) = lr / (1 + rate·t).

    Source: lecture 003, "Inverse"; Robbins and Monro (1951) show that it lets noisy descent converge.

    >>> import chainrule as cr
    >>> cr.schedules.Inverse(1.0, rate=0.1)(10, 30)
    0.5
    """

    lr: float
    rate: float = 0.1

    def __post_init__(self) -> None:
        check_number("Inverse", "lr", self.lr, 0.0)
        check_number("Inverse", "rate", self.rate, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.lr / (1.0 + self.rate * epoch))


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """η(t) = lr / √(1 + rate·t): slower than `Inverse`.

    Source: lecture 003, "Inverse sqrt".

    >>> import chainrule as cr
    >>> cr.schedules.InverseSqrt(1.0)(3, 30)
    0.5
    """

    lr: float
    rate: float = 1.0

    def __post_init__(self) -> None:
        check_number("InverseSqrt", "lr", self.lr, 0.0)
        check_number("InverseSqrt", "rate", self.rate, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(self.lr / ops.sqrt(1.0 + self.rate * epoch))


@dataclass(frozen=True)
class Cosine(Schedule):
    """η(t) = end + ½ (lr - end) (1 + cos(π t/T)): half a wave over the whole run.

    Source: Loshchilov and Hutter (2016), "SGDR: stochastic gradient descent with warm restarts" (no
    restarts here).

    >>> import chainrule as cr
    >>> decay = cr.schedules.Cosine(0.5)
    >>> decay(0, 10), round(decay(5, 10), 4), decay(10, 10)
    (0.5, 0.25, 0.0)
    """

    lr: float
    end: float = 0.0

    def __post_init__(self) -> None:
        check_number("Cosine", "lr", self.lr, 0.0)
        check_number("Cosine", "end", self.end, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return number(_half_wave(self.lr, self.end, _progress(epoch, epochs)))


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
        The share of the full rate to start with, in [0, 1].

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
        The share of the run that goes up, in (0, 1).
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
        done = _progress(epoch, epochs)
        up = _half_wave(start, self.peak, ops.minimum(done / self.rise, 1.0))
        down = _half_wave(self.peak, start / self.final_div, (done - self.rise) / (1.0 - self.rise))
        return number(ops.where(done < self.rise, up, down))


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """η is multiplied by a factor when the validation cost has not improved for some epochs.

    The rate stays ``lr`` while the schedule is called; after each epoch the training loop asks
    `after_epoch` with the costs so far, and goes on with the schedule it returns. What happens depends on
    the costs alone, so a resumed run makes the same decisions.

    Parameters
    ----------
    lr : float
        The rate now.
    factor : float
        What it is multiplied by, in (0, 1).
    patience : int
        After how many epochs without an improvement.
    min_lr : float
        The rate never goes below.
    cooldown : int
        For how many epochs after a reduction nothing is counted.
    threshold : float
        A cost has improved if it is below the best one by more than this share of it.
    judged : float
        How many epochs were judged before; set when the rate is reduced.

    Source: Keras' and PyTorch's callbacks of that name.

    >>> import chainrule as cr
    >>> plateau = cr.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=2)
    >>> plateau.after_epoch([1.0, 0.9, 0.95]) is None
    True
    >>> plateau.after_epoch([1.0, 0.9, 0.95, 0.91]).lr
    0.05
    """

    lr: float
    factor: float = 0.5
    patience: int = 5
    min_lr: float = 0.0
    cooldown: int = 0
    threshold: float = 1e-4
    judged: float = 0.0

    def __post_init__(self) -> None:
        check_number("ReduceOnPlateau", "lr", self.lr, 0.0)
        check_number("ReduceOnPlateau", "factor", self.factor, 0.0, 1.0, open_low=True)
        check_number("ReduceOnPlateau", "patience", self.patience, 1)
        check_number("ReduceOnPlateau", "min_lr", self.min_lr, 0.0)
        check_number("ReduceOnPlateau", "cooldown", self.cooldown, 0)
        check_number("ReduceOnPlateau", "threshold", self.threshold, 0.0)

    def __call__(self, epoch: Any, epochs: Any) -> Any:
        return self.lr

    def after_epoch(self, costs: Sequence[float]) -> ReduceOnPlateau | None:
        """The schedule with a smaller rate, if the costs of all epochs so far ask for it now, else None."""
        counted_from = int(self.judged) + (self.cooldown if self.judged else 0)
        best, waited = math.inf, 0
        for at, cost in enumerate(costs):
                if not math.isfinite(best) or cost < best - self.threshold * abs(best):
                best, waited = cost, 0
            elif at >= counted_from:
                waited += 1
        if waited < self.patience or self.lr <= self.min_lr:
            return None
        lr = max(self.lr * self.factor, self.min_lr)
        return dataclasses.replace(self, lr=lr, judged=float(len(costs)))


def get(given: Any) -> Schedule:
    """The schedule that was given: a number (a constant rate) or a recipe.

    >>> import chainrule as cr
    >>> cr.schedules.get(0.1)
    Constant(lr=0.1)
    """
    if not isinstance(given, Schedule | str):
        check_rate("Schedule", "lr", given)
        return Constant(given)
    return find(Schedule, given)


def rate_at(lr: Any, epoch: Any, epochs: Any) -> Any:
    """The learning rate at a time, from a number or a schedule."""
    return lr(epoch, epochs) if isinstance(lr, Schedule) else lr


def check_rate(owner: str, name: str, lr: Any) -> None:
    """Raise `SettingError` unless ``lr`` is a number that is not negative, or a schedule."""
    if isinstance(lr, Schedule):
        return
    if lr is None or callable(lr):
        raise SettingError(
            f"{owner}: {name} must be a number or a schedule such as cr.schedules.Cosine(0.1), got {lr!r}. "
            "A schedule of your own is a frozen dataclass derived from cr.schedules.Schedule."
        )
    check_number(owner, name, lr, 0.0)


def _progress(epoch: Any, epochs: Any) -> Any:
    """t/T, the share of the run that is done, between 0 and 1."""
    return ops.minimum(epoch / ops.maximum(epochs, 1e-9), 1.0)


def _half_wave(start: Any, end: Any, share: Any) -> Any:
    """From start to end along a cosine."""
    return end + (start - end) * 0.5 * (1.0 + ops.cos(math.pi * share))
