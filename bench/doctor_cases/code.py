"""Layers and losses of a user's own: some right, some with a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import chainrule as cr
from chainrule.backprop import primitive


def clear(xp: Any, x: Any) -> Any:
    """Return x where it is above 0, else a tenth of it."""
    return xp.where(x > 0, x, 0.1 * x)


@primitive
def leaky_right(xp, x):  # type: ignore[no-untyped-def]
    """max(x, x/10) with its derivative."""
    return clear(xp, x)


leaky_right.derivatives(lambda y, x: cr.ops.where(x > 0, 1.0, 0.1))


@primitive
def leaky_half(xp, x):  # type: ignore[no-untyped-def]
    """max(x, x/10) with a derivative that is wrong where x is below 0."""
    return clear(xp, x)


leaky_half.derivatives(lambda y, x: cr.ops.where(x > 0, 1.0, -1.0))


@primitive
def leaky_sign(xp, x):  # type: ignore[no-untyped-def]
    """max(x, x/10) with the opposite derivative."""
    return clear(xp, x)


leaky_sign.derivatives(lambda y, x: cr.ops.where(x > 0, -1.0, -0.1))


@primitive
def square_wrong(xp, x):  # type: ignore[no-untyped-def]
    """x² / 2 with the derivative of another function."""
    return 0.5 * x * x


square_wrong.derivatives(lambda y, x: cr.ops.abs(x))


class Own(cr.Layer):
    """A layer without parameters."""

    random: ClassVar[bool] = False

    def function(self, x: Any) -> Any:
        raise NotImplementedError

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return self.function(x), state


@dataclass(frozen=True)
class LeakyRight(Own):
    def function(self, x: Any) -> Any:
        return leaky_right(x)


@dataclass(frozen=True)
class LeakyHalf(Own):
    def function(self, x: Any) -> Any:
        return leaky_half(x)


@dataclass(frozen=True)
class LeakySign(Own):
    def function(self, x: Any) -> Any:
        return leaky_sign(x)


@dataclass(frozen=True)
class SquareWrong(Own):
    def function(self, x: Any) -> Any:
        return square_wrong(x)


@dataclass(frozen=True)
class Cut(Own):
    """Hands on its input, and no gradient."""

    def function(self, x: Any) -> Any:
        return cr.stop_gradient(x)


@dataclass(frozen=True)
class Rounded(Own):
    """Rounds, so that the derivative is 0 everywhere."""

    step: float = 0.5

    def function(self, x: Any) -> Any:
        return cr.ops.round(x / self.step) * self.step


@dataclass(frozen=True)
class CutScale(cr.Layer):
    """A Dense layer that cuts the gradient of what comes into it."""

    units: int = 16
    random: ClassVar[bool] = False

    def init(self, key: Any, shape: Any) -> Any:
        return {"weight": np.eye(shape[-1])[:, : self.units]}, {}, (*shape[:-1], min(self.units, shape[-1]))

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return cr.stop_gradient(x) @ params["weight"], state


@dataclass(frozen=True)
class CentredOverBatch(Own):
    """Takes off the mean of the samples, not that of the features."""

    def function(self, x: Any) -> Any:
        return x - np.mean(x, axis=0, keepdims=True)


@dataclass(frozen=True)
class SoftmaxOverBatch(Own):
    """Normalizes over the samples instead of the features."""

    def function(self, x: Any) -> Any:
        e = np.exp(x - np.max(x, axis=0, keepdims=True))
        return e / np.sum(e, axis=0, keepdims=True) * 4.0


@dataclass(frozen=True)
class Neighbour(Own):
    """Adds the sample before in the batch."""

    share: float = 1.0

    def function(self, x: Any) -> Any:
        before = cr.ops.concatenate([x[-1:], x[:-1]], axis=0)
        return (1 - self.share) * x + self.share * before


@dataclass(frozen=True)
class Times(Own):
    """Multiplies by a constant."""

    factor: float = 1.0

    def function(self, x: Any) -> Any:
        return self.factor * x


@dataclass(frozen=True)
class Gate(cr.Layer):
    """x · sigmoid(a x + b) with a and b for each feature: right."""

    random: ClassVar[bool] = False

    def init(self, key: Any, shape: Any) -> Any:
        return {"a": np.ones(shape[-1:]), "b": np.zeros(shape[-1:])}, {}, shape

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return x * cr.ops.sigmoid(params["a"] * x + params["b"]), state


@dataclass(frozen=True)
class NormRows(Own):
    """Takes off the mean of each sample's features and divides by their deviation: right."""

    def function(self, x: Any) -> Any:
        centred = x - np.mean(x, axis=-1, keepdims=True)
        return centred / np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)


def cost_of(task: str, a: Any, y: Any) -> Any:
    """The usual cost of each sample: cross-entropy, or squared error."""
    if task == "classification":
        return -np.sum(y * np.log(a + 1e-7), axis=1)
    if task == "binary":
        return -np.sum(y * np.log(a + 1e-7) + (1 - y) * np.log(1 - a + 1e-7), axis=1)
    return np.sum((a - y) * (a - y), axis=1)


@dataclass(frozen=True)
class OwnLoss(cr.losses.Loss):
    """The usual cost, with what a subclass does to it."""

    task: str = "classification"

    def __call__(self, a: Any, y: Any) -> Any:
        return self.cost(a, cr.losses.targets_like(a, y))

    def cost(self, a: Any, y: Any) -> Any:
        return cost_of(self.task, a, y)


@dataclass(frozen=True)
class Smoothed(OwnLoss):
    """Label smoothing: right."""

    share: float = 0.05

    def cost(self, a: Any, y: Any) -> Any:
        return cost_of(self.task, a, y * (1 - self.share) + self.share / a.shape[1])


@dataclass(frozen=True)
class Focal(OwnLoss):
    """Lin et al. (2017): samples that are right already count less: right."""

    def cost(self, a: Any, y: Any) -> Any:
        p = np.sum(y * a, axis=1)
        return -(1 - p) * np.log(p + 1e-7)


@dataclass(frozen=True)
class LogCosh(OwnLoss):
    """log cosh(a − y): right."""

    def cost(self, a: Any, y: Any) -> Any:
        return np.sum(cr.ops.softplus(2 * (a - y)) - (a - y), axis=1)


@dataclass(frozen=True)
class Uphill(OwnLoss):
    """The cost with the wrong sign (bounded, so that it does not run away)."""

    def cost(self, a: Any, y: Any) -> Any:
        return 10 - cost_of(self.task, a, y)


@dataclass(frozen=True)
class Rolled(OwnLoss):
    """Takes the class before for the class; of numbers, the targets of the sample before."""

    def cost(self, a: Any, y: Any) -> Any:
        if self.task == "classification":
            return cost_of(self.task, a, cr.ops.concatenate([y[:, -1:], y[:, :-1]], axis=1))
        return cost_of(self.task, a, 1 - y if self.task == "binary" else -y)


@dataclass(frozen=True)
class Shifted(OwnLoss):
    """Takes the target of the sample before."""

    def cost(self, a: Any, y: Any) -> Any:
        return cost_of(self.task, a, cr.ops.concatenate([y[-1:], y[:-1]], axis=0))


@dataclass(frozen=True)
class BatchMean(OwnLoss):
    """Compares the mean output of the batch with the mean target."""

    def cost(self, a: Any, y: Any) -> Any:
        each = cost_of(self.task, np.mean(a, axis=0, keepdims=True), np.mean(y, axis=0, keepdims=True))
        return each + 0 * a[:, 0]


@dataclass(frozen=True)
class CutLoss(OwnLoss):
    """Reaches the outputs by a path that carries no gradient, but for a thousandth."""

    def cost(self, a: Any, y: Any) -> Any:
        return cost_of(self.task, cr.stop_gradient(a), y)


@dataclass(frozen=True)
class Scaled(OwnLoss):
    """The cost times a constant."""

    factor: float = 1.0

    def cost(self, a: Any, y: Any) -> Any:
        return self.factor * cost_of(self.task, a, y)
