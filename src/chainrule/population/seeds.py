"""The seeds of several runs: how many, or which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.checks import is_whole
from chainrule.errors import SettingError
from chainrule.recipe.memory import check_room


def list_seeds(owner: str, seeds: Any, first: int, least: int = 2) -> list[int]:
    """Return the seeds: so many from the first on, or those of a list.

    Raises `SettingError` for others than different whole numbers, and for fewer than ``least``.

    >>> list_seeds("compare", 3, first=7), list_seeds("compare", [0, 5], first=7)
    ([7, 8, 9], [0, 5])
    """
    if is_whole(seeds):
        check_room({}, int(seeds))
        numbers = list(range(first, first + int(seeds)))
    elif isinstance(seeds, Sequence | np.ndarray) and not isinstance(seeds, str) and all(map(is_whole, seeds)):
        numbers = [int(seed) for seed in seeds]
        if len(set(numbers)) < len(numbers):
            raise SettingError(f"seeds are to differ, so that the members do, got {numbers}.")
    else:
        raise SettingError(f"seeds is how many, such as 10, or which, such as [0, 1, 2], got {seeds!r}.")
    if len(numbers) < least:
        reason = "One seed says nothing about chance: " if len(numbers) == 1 else ""
        raise SettingError(f"{reason}{owner} needs at least {least} seed{'s' * (least > 1)}, got {len(numbers)}.")
    return numbers
