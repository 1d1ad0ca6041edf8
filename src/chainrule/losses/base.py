"""What a loss is: the cost of each sample, from the network's outputs and the targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.backprop import ops
from chainrule.backprop.tensor import Tensor, shape, unwrap
from chainrule.engine.namespace import namespace
from chainrule.errors import DataError, SettingError, ShapeError
from chainrule.settings import Settings

__all__ = ["FunctionLoss", "Loss", "targets_like"]


class Loss(Settings, family="loss"):
    """Base of the losses. A new one is a frozen dataclass with ``__call__(a, y)``.

    A loss gives one cost per sample; whoever calls it averages over the batch. So 003's C = 1/n Σ C_x is the
    mean of what is returned here, and where 000 and 004 sum over the samples, their learning rate is n times
    smaller for the same step.

    Attributes
    ----------
    pair : str or None
        The output activation with which the gradient of the values z before it is δ = a - y (lecture 003's
        three pairs). `from_logits` then joins the two, which is faster and stays exact where a saturates.
    outputs : str
        What the network's outputs must be: ``"any"``, ``"probabilities"`` (each in [0, 1]),
        ``"distribution"``
        (they also sum to 1) or ``"signs"`` (they reach from -1 to 1).

    Example
    -------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import chainrule as cr
    >>> @dataclass(frozen=True)
    ... class LogCosh(cr.losses.Loss):
    ...     def __call__(self, a, y):
    ...         return np.sum(np.log(np.cosh(a - cr.losses.targets_like(a, y))), axis=1)
    >>> cr.losses.get("log_cosh")(np.array([[0.0], [1.0]]), np.array([0.0, 0.0])).round(3)
    array([0.   , 0.434])
    >>> _ = cr.losses.Loss.registry.pop("log_cosh")
    """

    pair: ClassVar[str | None] = None
    outputs: ClassVar[str] = "any"

    def __call__(self, a: Any, y: Any) -> Any:
        """Return the cost of each sample, shape (batch,).

        Parameters
        ----------
        a
            The network's outputs, shape (batch, outputs) or with more axes.
        y
            The targets, in the same shape, or integer labels without the last axis (see `targets_like`).
        """
        raise NotImplementedError(f"{type(self).__name__} needs a __call__(self, a, y).")

    def from_logits(self, z: Any, y: Any) -> Any:
        """Return the same costs from the values z before the activation named by `pair`."""
        raise SettingError(
            f"The loss {self.name!r} is not joined with an output activation; call it with the outputs: "
            "loss(activation(z), y)."
        )


@dataclass(frozen=True)
class FunctionLoss(Loss):
    """A plain function (a, y) as a loss; `get` makes it.

    The function returns one cost per sample. It gets the targets in the shape of the outputs: labels as rows
    with a single 1 (see `targets_like`). It cannot be written to a file; for that, write a frozen dataclass
    (see `Loss`).

    >>> import numpy as np
    >>> import chainrule as cr
    >>> loss = cr.losses.get(lambda a, y: np.abs(a - y).max(axis=1))
    >>> loss(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]))
    array([2.])
    """

    function: Callable[[Any, Any], Any]

    def __call__(self, a: Any, y: Any) -> Any:
        return check_costs(getattr(self.function, "__name__", "the function"), self.function(a, targets_like(a, y)), a)


del Loss.registry[FunctionLoss.name]  # a function has no name that a file could hold


def check_costs(name: str, costs: Any, a: Any) -> Any:
    """Return the costs that a loss gave, if it is one number per sample; otherwise they would broadcast to nonsense."""
    batch = shape(a)[:1]
    if not hasattr(costs, "dtype") or shape(costs) != batch:
        returned = f"shape {shape(costs)}" if hasattr(costs, "dtype") else repr(costs)
        raise ShapeError(
            f"The loss {name} must return one cost per sample, shape {batch}; it returned {returned}. "
            "Sum or average over the other axes only: np.mean(..., axis=1)."
        )
    return costs


def targets_like(a: Any, y: Any) -> Any:
    """Return the targets in the shape and data type of the outputs.

    Parameters
    ----------
    a
        The outputs, shape (batch, ..., k).
    y
        In the same shape; or without the last axis: integer labels 0 … k-1, which become rows with a single 1
        (one-hot), or for k = 1 any numbers.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    DataError
        If a label is not one of 0 … k-1.

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.losses.targets_like(np.zeros((2, 3)), np.array([2, 0]))
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    y = y if isinstance(y, Tensor) or hasattr(y, "shape") else np.asarray(y)
    have, want = shape(y), shape(a)
    if have == want:
        return y if y.dtype == a.dtype else ops.astype(y, a.dtype)
    if want and have == want[:-1]:
        if want[-1] == 1:
            return ops.astype(ops.expand_dims(y, -1), a.dtype)
        if np.issubdtype(y.dtype, np.integer):
            _check_labels(unwrap(y), want[-1])
            return ops.one_hot(y, want[-1], dtype=a.dtype)
    raise ShapeError(_misfit(want, have, y.dtype))


def _check_labels(labels: Any, classes: int) -> None:
    if not isinstance(labels, np.ndarray) or not labels.size:
        return  # traced labels are not known yet; `fit` has checked the data before
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise DataError(
            f"The network has {classes} outputs, so labels are 0 to {classes - 1}; found labels from {low} to {high}."
        )


def _misfit(want: tuple[int, ...], have: tuple[int, ...], dtype: Any) -> str:
    start = f"The outputs have shape {want}, but the targets {have}"
    if want[:1] != have[:1]:
        return f"{start}: there must be one target per sample."
    if len(want) > 2 and len(have) <= 2:
        return (
            f"{start}. The network keeps the axes of its inputs: add cr.Flatten() before the first Dense layer, which "
            "makes each sample one row of values."
        )
    if have == want[:-1]:
        return f"{start} of {dtype}. For class labels, convert them to integers: y.astype(int)."
    if (*want[:-1], 1) == have:
        return f"{start}. For class labels, drop the last axis: y[..., 0]; else give the network 1 output."
    return (
        f"{start}. Give targets of the outputs' shape, or integer class labels of shape {want[:-1]}; "
        f"or let the last layer have {have[-1] if len(have) > 1 else 1} units."
    )


def output_axes(a: Any) -> tuple[int, ...]:
    """Return all axes but the first, that of the samples."""
    if not shape(a):
        raise ShapeError("A loss needs a batch of outputs, shape (batch, outputs); got a single number.")
    return tuple(range(1, len(shape(a))))


def array(a: Any) -> Any:
    """Return outputs as an array of floating-point numbers; traced values and floating-point arrays as they are."""
    dtype = getattr(a, "dtype", None)
    if dtype is None:
        a = np.asarray(a)
        dtype = a.dtype
    return ops.astype(a, np.float64) if np.issubdtype(dtype, np.integer) else a


def smallest(a: Any) -> float:
    """Return the smallest normal number of a's data type: the least probability whose logarithm is taken."""
    plain = unwrap(a)
    return float(namespace(plain).finfo(plain.dtype).tiny)
