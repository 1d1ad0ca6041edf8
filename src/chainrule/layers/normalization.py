"""Layers that keep activations in a good range, and dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import random
from chainrule.backprop import ops
from chainrule.errors import SettingError, ShapeError
from chainrule.layers.base import Layer, Params, Shape, State
from chainrule.layers.samples import counted
from chainrule.settings import check_number


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalization: γ (x - μ)/√(σ² + ε) + β for each feature (last axis).

    In training μ and σ² are those of the mini-batch (over all other axes), and running averages of them are kept:
    r ← momentum · r + (1 - momentum) · batch (of the variance divided by n - 1, as in the paper). Predictions use
    the running averages. γ starts at 1, β at 0.

    A single value has no spread: x - μ is 0, and the result β whatever x is. So a batch (or a micro-batch) of one
    sample is an error in training, unless a feature has several values in it (an image has one for each pixel). Where
    it is only the last, short batch of an epoch, `fit` warns, and the running averages leave that batch out.

    Raises
    ------
    ShapeError
        In training, for a batch with one value of each feature.

    Source: Ioffe and Szegedy (2015); lectures 000, 002, 003.

    >>> import chainrule as cr
    >>> sorted(cr.Model(cr.BatchNorm(), input_shape=(4,)).params["batch_norm_1"])
    ['beta', 'gamma']
    """

    momentum: float = 0.9
    eps: float = 1e-5

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("BatchNorm", "momentum", self.momentum, 0.0, 1.0)
        check_number("BatchNorm", "eps", self.eps, 0.0)

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        n = shape[-1]
        return (
            {"gamma": np.ones(n), "beta": np.zeros(n)},
            {"mean": np.zeros(n), "variance": np.ones(n)},
            shape,
        )

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        gamma, beta = params["gamma"], params["beta"]
        kind = x.dtype
        wide = np.promote_types(kind, state["mean"].dtype)  # statistics of bfloat16 activations are float32
        x = x if kind == wide else ops.astype(x, wide)
        if not train:
            scale = gamma / ops.sqrt(state["variance"] + self.eps)
            y, new = (x - state["mean"]) * scale + beta, state
        else:
            if x.size == x.shape[-1]:
                raise ShapeError(
                    "BatchNorm needs two values of each feature at least to take a variance of, and this batch of one "
                    "sample has one: the result would be β whatever the sample is. Give larger batches (or fewer "
                    "micro-batches), or use LayerNorm."
                )
            y, mean, variance = ops.batch_norm(x, gamma, beta, self.eps, counted())
            new = self._averages(state, mean, variance, x)
        return (y if kind == wide else ops.astype(y, kind)), new

    def _averages(self, state: State, mean: Any, variance: Any, x: Any) -> State:
        """Return the running averages after a batch. They stay where at most one value counts, which has no
        variance.
        """
        present, rate = counted(), 1.0 - self.momentum
        places = x.size // (len(x) * x.shape[-1])
        if present is None:
            unbiased = variance * (len(x) * places / (len(x) * places - 1))
        else:
            n = present.sum() * places
            unbiased = variance * (n / ops.maximum(n - 1.0, 1.0))
            rate = rate * ops.clip(n - 1.0, 0.0, 1.0)
        return {
            "mean": state["mean"] + rate * (mean - state["mean"]),
            "variance": state["variance"] + rate * (unbiased - state["variance"]),
        }


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalization: γ (x - μ)/√(σ² + ε) + β with μ and σ² over the features (last axis) of each sample.

    Source: Ba, Kiros and Hinton (2016).

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.Model(cr.LayerNorm(eps=0.0), input_shape=(2,)).predict(np.array([[1.0, 3.0]]))
    array([[-1.,  1.]], dtype=float32)
    """

    eps: float = 1e-5

    random: ClassVar[bool] = False
    transparent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("LayerNorm", "eps", self.eps, 0.0)

    def init(self, key: Any, shape: Shape) -> tuple[Params, State, Shape]:
        return {"gamma": np.ones(shape[-1]), "beta": np.zeros(shape[-1])}, {}, shape

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        return params["gamma"] * centred / ops.sqrt(variance + self.eps) + params["beta"], state


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, set each value to 0 with probability ``rate`` and divide the others by 1 - rate.

    Dividing while training ("inverted" dropout) leaves predictions as they are; lecture 003 halves the weights
    when predicting instead, which has the same mean. Source: Srivastava et al. (2014).

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.Model(cr.Dropout(0.5), input_shape=(3,)).predict(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    """

    rate: float = 0.5

    transparent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("Dropout", "rate", self.rate, 0.0, 1.0)
        if isinstance(self.rate, int | float) and self.rate == 1:
            raise SettingError("Dropout: a rate of 1 would drop everything; it must be below 1.")

    def apply(self, params: Params, state: State, x: Any, *, key: Any, train: bool) -> tuple[Any, State]:
        if not train or key is None:
            return x, state
        keep = 1.0 - self.rate
        return x * random.bernoulli(key, keep, x.shape) / keep, state
