"""Schedules that start at their largest rate and only go down (lecture 003), and the constant one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.backprop import ops
from chainrule.schedules.base import Schedule, half_wave, number, progress
from chainrule.settings import check_number

__all__ = ["Constant", "Cosine", "Exponential", "Inverse", "InverseSqrt", "Linear", "Polynomial", "StepDecay"]


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
        return number(self.lr + (self.end - self.lr) * progress(epoch, epochs))


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
        return number(self.end + (self.lr - self.end) * (1.0 - progress(epoch, epochs)) ** self.power)


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
        return number(half_wave(self.lr, self.end, progress(epoch, epochs)))
