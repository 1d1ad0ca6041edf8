"""Several augmentations as one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from chainrule import random
from chainrule.augment.base import Augmentation, Blend
from chainrule.augment.warps import Warp, together
from chainrule.errors import SettingError

__all__ = ["Compose"]

Array = Any


@dataclass(frozen=True, repr=False)
class Compose(Augmentation):
    """Several augmentations, one after the other. ``augment=("shift", cr.augment.Rotation(10))`` makes one.

    Warps that follow each other are joined: an image is interpolated once, from its own pixels, however many they are.
    The position of each is folded into the key.

    >>> import chainrule as cr
    >>> cr.augment.get("shift:1,rotation:5")
    Compose((Shift(1.0), Rotation(5.0)))
    """

    parts: tuple[Augmentation, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, tuple) or not all(isinstance(part, Augmentation) for part in self.parts):
            raise SettingError(
                f"Compose takes a tuple of augmentations, got {self.parts!r}. For names: cr.augment.get('shift,noise')."
            )

    def __call__(self, x: Array, key: Array) -> Any:
        return self.apply(x, key)[0]

    def apply(self, x: Array, key: Array, present: Array | None = None) -> tuple[Any, Blend | None]:
        """Apply all parts in turn; at most one of them blends targets."""
        blend = None
        numbered = [(part, random.fold_in(key, i)) for i, part in enumerate(self.parts)]
        for border, group in itertools.groupby(numbered, key=lambda item: _border(item[0])):
            if border is not None:
                x = together(x, [(part, part_key) for part, part_key in group if isinstance(part, Warp)])
                continue
            for part, part_key in group:
                x, new = part.apply(x, part_key, present)
                if new is not None and blend is not None:
                    raise SettingError("Targets can be blended once: use mixup only once.")
                blend = new if new is not None else blend
        return x, blend

    def check(self, shape: tuple[int, ...], codes: int = 0) -> None:
        """Check each part."""
        for part in self.parts:
            part.check(shape, codes)


def _border(part: Augmentation) -> str | None:
    """Return what warps that are joined have in common; None for what is no warp."""
    return part.border if isinstance(part, Warp) else None
