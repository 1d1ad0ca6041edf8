"""The sums that layers are made of, term by term, for one row: what `Stage.terms` of a pass gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backprop import ops
from chainrule.backprop.backward import grad
from chainrule.layers import Conv2D, Dense

Array = Any

__all__ = ["Terms", "bias_terms", "index_of", "linear_terms", "passed_back", "weight_terms"]


@dataclass(frozen=True, init=False, eq=False)
class Terms:
    """A sum of products, ``scale`` · Σ_k Π_j ``factors[k, j]``.

    Attributes
    ----------
    names : of the terms, such as "x0 · w0,3"
    factors : the numbers that are multiplied in each: (terms, factors)
    scale : what the sum is multiplied by: f′(z) in BP2, else 1
    """

    names: tuple[str, ...]
    factors: Array
    scale: float

    def __init__(self, names: Any, factors: Any, scale: float = 1.0) -> None:
        for name, value in (
            ("names", tuple(names)),
            ("factors", np.asarray(factors, np.float64)),
            ("scale", float(scale)),
        ):
            object.__setattr__(self, name, value)

    @property
    def values(self) -> Array:
        """The products."""
        return self.factors.prod(axis=1)

    @property
    def total(self) -> float:
        """The sum of the products, times the scale."""
        return self.scale * float(self.values.sum())


def linear_terms(layer: Dense | Conv2D, values: Any, x: Array) -> Callable[..., Terms]:
    """Return what gives the terms of one z: Σ_i x_i w_ij + b_j, over the patch under the kernel for a convolution."""
    weight, bias = values["weight"], values.get("bias")

    def terms(*at: int) -> Terms:
        at = index_of(at)
        unit = at[-1]
        if isinstance(layer, Dense) and x.ndim == 2:
            inputs = x[0]
        else:  # z is linear in its weights: its gradient for them is what they are multiplied by
            inputs = grad(lambda w: _linear(layer, w, x)[(0, *at)])(weight)[..., unit]
        weights = weight[..., unit].reshape(-1)
        factors = np.stack([np.asarray(inputs).reshape(-1), weights], axis=1)
        places = [",".join(map(str, place)) for place in np.ndindex(weight.shape[:-1])]
        names = [f"x{place} · w{place},{unit}" for place in places]
        if bias is not None:
            factors, names = np.concatenate([factors, [[bias[unit], 1.0]]]), [*names, f"b{unit}"]
        return Terms(names, factors)

    return terms


def passed_back(weight: Array, delta: Array, slope: Array) -> Callable[..., Terms]:
    """Return what gives the terms of one δ (BP2): f′(z_i) Σ_j w_ij δ_j of the layer behind."""

    def terms(*at: int) -> Terms:
        (unit,) = index_of(at)
        names = [f"w{unit},{j} · δ{j}" for j in range(len(delta))]
        return Terms(names, np.stack([weight[unit], delta], axis=1), slope[unit])

    return terms


def bias_terms(delta: Array) -> Callable[..., Terms]:
    """Return what gives the terms of one ∂C/∂b_j (BP3): δ_j, of a convolution the sum over its places."""

    def terms(*at: int) -> Terms:
        (unit,) = index_of(at)
        places = [(*place, unit) for place in np.ndindex(delta.shape[:-1])]
        return Terms([f"δ{','.join(map(str, place))}" for place in places], [[delta[place]] for place in places])

    return terms


def weight_terms(layer: Dense | Conv2D, values: Any, x: Array, delta: Array) -> Callable[..., Terms]:
    """Return what gives the terms of one ∂C/∂w_ij (BP4): a_i δ_j, of a convolution the sum over its places."""
    weight = values["weight"]

    def terms(*at: int) -> Terms:
        at = index_of(at)
        unit = at[-1]
        one = np.zeros_like(weight)
        one[at] = 1.0
        inputs = np.asarray(_linear(layer, one, x))[0, ..., unit].reshape(-1)  # what w is multiplied by, at every place
        reached = delta[0, ..., unit].reshape(-1)
        places = [",".join(map(str, place)) for place in np.ndindex(delta.shape[1:-1])]
        source = ",".join(map(str, at[:-1]))
        names = [f"a{place or source} · δ{place + ',' if place else ''}{unit}" for place in places]
        return Terms(names, np.stack([inputs, reached], axis=1))

    return terms


def _linear(layer: Dense | Conv2D, weight: Any, x: Array) -> Any:
    """Return x W, or x convolved with W: z without the bias."""
    if isinstance(layer, Dense):
        return ops.matmul(x, weight)
    return ops.conv2d(x, weight, layer.stride, layer.padding, layer.dilation)


def index_of(at: tuple[Any, ...]) -> tuple[int, ...]:
    """Return an index that came as numbers or as one tuple."""
    return tuple(at[0]) if len(at) == 1 and isinstance(at[0], tuple) else at
