"""What an augmentation is: a pure function of inputs and a random key, applied to the training samples only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from chainrule import random
from chainrule.backprop.tensor import Tensor, unwrap
from chainrule.engine.namespace import namespace
from chainrule.errors import SettingError, ShapeError
from chainrule.settings import Settings, check_number

__all__ = ["Augmentation", "Blend", "FunctionAugmentation"]

Array = Any

#: No strength is larger, in whatever unit.
MOST = 1e6


class Blend(NamedTuple):
    """How the targets of a batch are blended: sample i counts as ``fraction[i]`` of itself and the rest of a partner.

    Attributes
    ----------
    partner : for each sample the row of the other one
    fraction : λ, from ½ to 1
    """

    partner: Array
    fraction: Array

    def costs(self, original: Any, other: Any, weight: Array) -> Any:
        """Return λ·C(a, y₁) + (1 - λ)·C(a, y₂), each cost with the weight of the sample that its target is from.

        For losses that are linear in the target (cross-entropy) this is the cost of the blended target; unlike that,
        it is defined for every loss. Whoever averages multiplies by ``weight``, that of y₁'s sample.
        """
        xp = namespace(weight)
        there = weight > 0
        ratio = xp.where(there, weight[self.partner] / xp.where(there, weight, 1), 1).astype(weight.dtype)
        return original * self.fraction + other * ((1 - self.fraction) * ratio)


@dataclass(frozen=True, repr=False)
class Augmentation(Settings, family="augmentation"):
    """A frozen dataclass with ``__call__(x, key)``: the batch changed, in the same shape.

    Each sample has its own random numbers, and the training step derives a new key for every step, so an image never
    looks the same twice and the whole run still follows from its seed. Settings that are floats are values of the
    state: changing a strength does not compile anew.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import chainrule as cr
    >>> @dataclass(frozen=True)
    ... class Quieter(cr.augment.Augmentation):
    ...     most: float = 0.5
    ...     def __call__(self, x, key):
    ...         return x * (1.0 - self.most * cr.random.uniform(key, (x.shape[0], 1)))
    >>> x, key = np.ones((2, 3), np.float32), cr.random.key(0)
    >>> cr.augment.get("quieter")(x, key).shape
    (2, 3)
    >>> _ = cr.augment.Augmentation.registry.pop("quieter")
    """

    #: What it works on: "images" (batch, height, width, channels) or "anything".
    works_on: ClassVar[str] = "anything"
    #: Whether every number of the result stood at its place in some sample: safe for category codes.
    keeps_values: ClassVar[bool] = False

    def __call__(self, x: Array, key: Array) -> Any:
        """Change a batch."""
        raise NotImplementedError(f"{type(self).__name__} needs a __call__(self, x, key).")

    def apply(self, x: Array, key: Array, present: Array | None = None) -> tuple[Any, Blend | None]:
        """Change a batch for the training step; return it, and how its targets are blended, if they are.

        ``present`` is 1 for each sample that counts and 0 for one that only fills the batch up; such a one is never
        mixed into another. ``__call__`` gets a tensor from here, so that NumPy's functions work on both engines.
        """
        return self(x if isinstance(x, Tensor) else Tensor(x), key), None

    def check(self, shape: tuple[int, ...], codes: int = 0) -> None:
        """Raise unless samples of this shape can be augmented; the last ``codes`` features are category codes."""
        if self.works_on == "images" and len(shape) != 3:
            flat = " Give flat pixels as images, (n, height, width, channels), and start the network with cr.Flatten()."
            raise ShapeError(
                f"The augmentation {self.name!r} is for images (height, width, channels), and one sample has shape "
                f"{tuple(shape)}." + (flat if len(shape) == 1 else "") + " For tables there are noise, mixup and swap."
            )
        if codes and not self.keeps_values:
            raise SettingError(
                f"The augmentation {self.name!r} changes numbers, and the inputs end with codes of categories "
                f"(embedded columns: {codes}), which have no neighbours. Use 'swap', or no embedded columns."
            )


class BuiltIn(Augmentation):
    """An augmentation of this package: plain arrays in and out, in the data type of the inputs."""

    def __call__(self, x: Array, key: Array) -> Any:
        x = plain(x)
        self.check(x.shape[1:])
        return self.change(x, key).astype(x.dtype)

    def change(self, x: Array, key: Array) -> Array:
        """Change a batch of floating-point numbers, an array of either engine."""
        raise NotImplementedError


del Augmentation.registry[BuiltIn.name]


@dataclass(frozen=True, repr=False)
class FunctionAugmentation(Augmentation):
    """A plain function (x, key) -> x; `get` makes it. A file can hold its name only.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> cr.augment.get(lambda x, key: -x)(np.ones(2), cr.random.key(0))
    array([-1., -1.])
    """

    function: Callable[[Any, Any], Any]

    def __call__(self, x: Array, key: Array) -> Any:
        return self.function(x, key)

    def check(self, shape: tuple[int, ...], codes: int = 0) -> None:
        """Accept any images: what a function takes is not known."""

    def to_dict(self) -> dict[str, Any]:
        """Return its name; it cannot be read back."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return {"type": "function", "function": name}


del Augmentation.registry[FunctionAugmentation.name]  # a function has no name that a file could hold


def check_strength(owner: Any, name: str, low: float = 0.0, high: float = MOST) -> None:
    """Raise unless a strength is a number in its range; 0 changes nothing."""
    check_number(type(owner).__name__, name, getattr(owner, name), low, high)


def plain(x: Any) -> Array:
    """Return the array of floating numbers inside a traced value or of whole numbers."""
    x = unwrap(x) if isinstance(x, Tensor) else x
    x = x if hasattr(x, "shape") else np.asarray(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float32)


def signed(key: Array, n: int, like: Array) -> Array:
    """Return one number from -1 to 1 for each sample, in the data type of an array."""
    return random.uniform(key, (n,), -1.0, 1.0, dtype=like.dtype)


def factors(strength: Any, key: Array, n: int, like: Array) -> Array:
    """Return one factor from 1/(1 + strength) to 1 + strength for each sample; its logarithm is uniform."""
    return namespace(like).exp(signed(key, n, like) * _log1p(strength))


def per_sample(values: Array, like: Array) -> Array:
    """Return one number per sample, with as many axes as an array."""
    return values.reshape(-1, *(1,) * (like.ndim - 1))


def _log1p(strength: Any) -> Any:
    return np.log1p(strength) if isinstance(strength, int | float) else namespace(strength).log1p(strength)
