"""How a measurement goes: each side's settings are tried, then all sides run in alternation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from settings import Settings, fastest, normalize_name

from report import Row, shown


def alternate(
    row: Row, sides: list[str], rounds: int, once: Callable[[str, int], Any], told: Callable[[Any], str]
) -> None:
    """What ``once(side, number of the round)`` gives, into the row; reversed order every second round.

    A side that fails is left out from then on. ``told`` says in words what was measured.
    """
    for number in range(rounds):
        order = [side for side in sides if side not in row.failed]
        for side in order if number % 2 == 0 else reversed(order):
            try:
                found = once(side, number)
            except RuntimeError as error:
                row.failed[side] = str(error)
                row.rounds.pop(side, None)
                print(f"  {side} failed: {error}", flush=True)
            else:
                row.rounds.setdefault(side, []).append(found)
                print(f"  round {number + 1}: {side} {told(found)}", flush=True)


def try_out(row: Row, side: str, offered: dict[str, tuple[Any, ...]], seconds: Callable[[Settings], float]) -> Settings:
    """The settings with which a side takes the fewest seconds; what was tried is noted in the row."""

    def noted(settings: Settings) -> float:
        try:
            found: float | str = seconds(settings)
        except RuntimeError as error:
            found = str(error)
        row.tried.setdefault(side, []).append((settings, found))
        print(f"  {side}, {normalize_name(settings)}: {shown(found)}", flush=True)
        return math.inf if isinstance(found, str) else found

    return fastest(offered, noted)
