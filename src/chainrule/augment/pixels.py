"""What changes the values of pixels (or features) and leaves them in their place.

Strengths are in the units of what the network gets: where `fit` normalizes, as it does unless told otherwise,
``brightness:0.2`` is a fifth of the standard deviation of the training pixels, whatever the image format was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule import random
from chainrule.augment.base import BuiltIn, check_strength, factors, per_sample, signed
from chainrule.engine.namespace import namespace

__all__ = ["Blur", "Brightness", "Contrast", "Cutout", "Noise"]

Array = Any


@dataclass(frozen=True, repr=False)
class Brightness(BuiltIn):
    """Intensity: the same number, from -strength to strength, added to all pixels of an image.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> brighter = cr.augment.Brightness(0.2)(np.zeros((2, 8, 8, 1)), cr.random.key(0))
    >>> bool((abs(brighter) <= 0.2).all() and np.ptp(brighter[0]) == 0)
    True
    """

    works_on: ClassVar[str] = "images"

    strength: float = 0.2

    def __post_init__(self) -> None:
        check_strength(self, "strength")

    def change(self, x: Array, key: Array) -> Array:
        return x + per_sample(signed(key, len(x), x) * self.strength, x)


@dataclass(frozen=True, repr=False)
class Contrast(BuiltIn):
    """The distance of each pixel to its image's mean (per channel), times one factor for all of an image.

    The factor is from 1/(1 + strength) to 1 + strength, its logarithm uniform.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.array([0.0, 2.0]).reshape(1, 1, 2, 1)
    >>> float(cr.augment.Contrast(0.5)(x, cr.random.key(0)).mean())
    1.0
    """

    works_on: ClassVar[str] = "images"

    strength: float = 0.2

    def __post_init__(self) -> None:
        check_strength(self, "strength", high=9.0)

    def change(self, x: Array, key: Array) -> Array:
        # x + (f - 1)(x - mean), so that a strength of 0 changes nothing, not even by rounding
        more = per_sample(factors(self.strength, key, len(x), x) - 1, x)
        return x + more * (x - x.mean(axis=(1, 2), keepdims=True))


@dataclass(frozen=True, repr=False)
class Noise(BuiltIn):
    """Normal noise with a standard deviation of ``strength`` added to every number, of images or tables.

    With noise on its inputs a network learns as if large derivatives were punished: Bishop (1995), "Training with
    noise is equivalent to Tikhonov regularization".

    >>> import numpy as np
    >>> import chainrule as cr
    >>> round(float(cr.augment.Noise(0.1)(np.zeros((100, 100)), cr.random.key(0)).std()), 2)
    0.1
    """

    strength: float = 0.1

    def __post_init__(self) -> None:
        check_strength(self, "strength")

    def change(self, x: Array, key: Array) -> Array:
        return x + self.strength * random.normal(key, x.shape, dtype=x.dtype)


@dataclass(frozen=True, repr=False)
class Blur(BuiltIn):
    """A Gaussian blur whose σ is drawn from 0 to so many pixels; at the edge the weights inside are scaled to sum to 1.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> blurred = cr.augment.Blur(1.0)(np.ones((2, 8, 8, 1)), cr.random.key(0))
    >>> bool(np.allclose(blurred, 1.0))
    True
    """

    works_on: ClassVar[str] = "images"

    sigma: float = 1.0

    def __post_init__(self) -> None:
        check_strength(self, "sigma")

    def change(self, x: Array, key: Array) -> Array:
        (n, h, w, c) = x.shape
        sigma = self.sigma * (signed(key, n, x) + 1) / 2
        x = (_blurrer(h, sigma, x) @ x.reshape(n, h, w * c)).reshape(n, h, w, c)
        turned = x.swapaxes(1, 2).reshape(n, w, h * c)
        return (_blurrer(w, sigma, x) @ turned).reshape(n, w, h, c).swapaxes(1, 2)


def _blurrer(length: int, sigma: Array, like: Array) -> Array:
    """Return for each image a matrix (length, length) that blurs along an axis; each row sums to 1."""
    xp = namespace(like)
    at = xp.arange(length, dtype=like.dtype)
    sigma = xp.maximum(sigma, 0.01)[:, None, None]  # so small that neighbours get a weight of exactly 0
    weights = xp.exp(-0.5 * ((at[:, None] - at) / sigma) ** 2)
    return weights / weights.sum(axis=2, keepdims=True)


@dataclass(frozen=True, repr=False)
class Cutout(BuiltIn):
    """A square of so many pixels, at a random place, filled with the image's mean (per channel).

    Its middle is anywhere in the image, so it may reach over the edge. The image's own mean hides what was there
    whether the pixels are standardized or not.

    Source: DeVries and Taylor (2017), "Improved regularization of convolutional neural networks with cutout", who fill
    with the mean of the data.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.zeros((1, 8, 8, 1)); x[:, 0, 0] = 64.0
    >>> int((cr.augment.Cutout(2)(x, cr.random.key(3)) == 1.0).sum())
    4
    """

    works_on: ClassVar[str] = "images"

    size: float = 8.0

    def __post_init__(self) -> None:
        check_strength(self, "size")

    def change(self, x: Array, key: Array) -> Array:
        xp, (n, h, w, _) = namespace(x), x.shape
        rows, columns = (
            _strip(length, self.size, axis_key, n, x)
            for length, axis_key in zip((h, w), random.split(key), strict=True)
        )
        hidden = (rows[:, :, None] & columns[:, None, :])[..., None]
        return xp.where(hidden, x.mean(axis=(1, 2), keepdims=True), x)


def _strip(length: int, size: Any, key: Array, n: int, like: Array) -> Array:
    """Return for each image which of its rows (or columns) lie in a stretch around a random one of them."""
    xp = namespace(like)
    middle = xp.floor((signed(key, n, like) + 1) / 2 * length)[:, None]
    at = xp.arange(length, dtype=like.dtype)
    start = xp.ceil(middle - size / 2)
    return (at >= start) & (at < start + xp.round(xp.asarray(size, like.dtype)))
