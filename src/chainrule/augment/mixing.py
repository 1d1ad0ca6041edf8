"""What looks at other samples of the batch: mixup and swap. Samples that only fill a batch up are never used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule import random
from chainrule.augment.base import Augmentation, Blend, check_strength, per_sample, plain
from chainrule.engine.namespace import namespace

__all__ = ["Mixup", "Swap"]

Array = Any

#: Points of the table that `smaller_part` inverts.
POINTS = 257


@dataclass(frozen=True, repr=False)
class Mixup(Augmentation):
    """Each sample blended with another one of the batch: x = λ x₁ + (1 - λ) x₂, and its cost likewise.

    λ is drawn for each sample from Beta(α, α); the larger part counts as the sample itself, so that its accuracy means
    something (the pairs are drawn in both orders, so this changes nothing else). The cost is λ C(a, y₁) +
    (1 - λ) C(a, y₂), which works for every loss; weights of samples and classes go with their targets.

    Parameters
    ----------
    alpha : α from 0 (nothing is mixed) to 4; 0.1 to 0.4 are usual, 1 draws λ uniformly

    Source: Zhang, Cisse, Dauphin and Lopez-Paz (2018), "mixup: Beyond empirical risk minimization".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, blend = cr.augment.Mixup(1.0).apply(np.eye(3), cr.random.key(0))
    >>> part = blend.fraction[:, None]
    >>> bool(np.allclose(x, part * np.eye(3) + (1 - part) * np.eye(3)[blend.partner]))
    True
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        check_strength(self, "alpha", high=4.0)

    def __call__(self, x: Array, key: Array) -> Any:
        return self.apply(x, key)[0]

    def apply(self, x: Array, key: Array, present: Array | None = None) -> tuple[Any, Blend | None]:
        x = plain(x)
        drawn, partnered = random.split(key)
        partner = partners(partnered, len(x), present)
        other = smaller_part(random.uniform(drawn, (len(x),), dtype=x.dtype), self.alpha).astype(x.dtype)
        return x + per_sample(other, x) * (x[partner] - x), Blend(partner, 1 - other)


@dataclass(frozen=True, repr=False)
class Swap(Augmentation):
    """For tables: each feature is taken from another sample of the batch, with a probability.

    The values stay ones that this feature really has, also in columns of categories and skewed ones, where normal noise
    would make impossible rows. (Columns of a one-hot encoding are swapped one by one.) It is the "swap noise" that
    denoising autoencoders for tables are trained with; after Vincent et al. (2008), "Extracting and composing robust
    features with denoising autoencoders".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.arange(8.0).reshape(4, 2)
    >>> np.unique(cr.augment.Swap(0.5)(x, cr.random.key(0)) % 2, axis=0).tolist()  # each stays in its column
    [[0.0, 1.0]]
    """

    keeps_values: ClassVar[bool] = True

    rate: float = 0.1

    def __post_init__(self) -> None:
        check_strength(self, "rate", high=1.0)

    def __call__(self, x: Array, key: Array) -> Any:
        return self.apply(x, key)[0]

    def apply(self, x: Array, key: Array, present: Array | None = None) -> tuple[Any, Blend | None]:
        x = plain(x)
        chosen, partnered = random.split(key)
        taken = random.bernoulli(chosen, self.rate, x.shape)
        return namespace(x).where(taken, x[partners(partnered, len(x), present)], x), None


def partners(key: Array, n: int, present: Array | None = None) -> Array:
    """Return for each sample the next in a random circle of those present; absent samples have themselves."""
    xp = namespace(key)
    words = random.bits(key, (n,)) >> np.uint32(1)
    count: Any = n
    if present is not None:
        words = xp.where(present > 0, words, xp.uint32(0xFFFFFFFF))  # those absent are the last of the order
        count = (present > 0).sum()
    order = xp.argsort(words, stable=True)
    at = xp.arange(n)
    following = xp.where(at < count, xp.where(at + 1 < count, at + 1, 0), at)
    return order[following][xp.argsort(order, stable=True)]


def smaller_part(u: Array, alpha: Any) -> Array:
    """Return min(λ, 1 - λ) for λ from Beta(α, α), from uniform numbers u in [0, 1), by inverting its distribution.

    With v = s^α the density of s = min(λ, 1 - λ), s^(α-1) (1 - s)^(α-1), becomes (1 - s)^(α-1), which is finite
    everywhere; its integral over v is tabulated and inverted by interpolation. α may be traced, which a rejection
    method could not bear.
    """
    xp = namespace(u, alpha)
    power = xp.maximum(xp.asarray(alpha, u.dtype), 1e-3)
    # Points that are close together where s is small for α > 1 too: evenly spaced in √s^min(α, 1).
    t = xp.linspace(0.0, 1.0, POINTS, dtype=u.dtype)
    s = 0.5 * t ** xp.maximum(1.0, 1.0 / power)
    v = s**power
    density = (1.0 - s) ** (power - 1.0)
    steps = (v[1:] - v[:-1]) * (density[1:] + density[:-1])
    reached = xp.concatenate([xp.zeros(1, u.dtype), xp.cumsum(steps)])
    weights = 0.5 * xp.interp(u * reached[-1], reached, t) ** xp.maximum(1.0, 1.0 / power)
    return xp.where(xp.asarray(alpha, u.dtype) > 0, weights, 0.0)
