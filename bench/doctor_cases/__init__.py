"""The development set of the doctor: faults planted in healthy recipes, and runs in which nothing is wrong.

`CASES` come in rounds: the first has every fault in every strength once, the next the other half of the data sets.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import numpy as np

from doctor_cases.bases import BASES, Setup, base
from doctor_cases.faults import FAULTS, Fault
from doctor_cases.healthy import HEALTHY, Healthy
from doctor_cases.problems import SETS

__all__ = ["ROUNDS", "Case", "cases"]

#: How many rounds there are; more would repeat no case, but the measurement takes its time.
ROUNDS = 4


@dataclass(frozen=True)
class Case:
    """A run that is examined.

    Attributes
    ----------
    base : the name of the healthy recipe that it was made from
    change : the fault that was planted, or what makes a healthy run odd
    strength : 0 (least) to 2
    """

    base: str
    change: Fault | Healthy
    strength: int

    @property
    def kind(self) -> str:
        """The kind: "fault", "odd" or "healthy"."""
        if isinstance(self.change, Fault):
            return "fault"
        return "odd" if self.change.odd else "healthy"

    @property
    def cause(self) -> str:
        return self.change.cause if isinstance(self.change, Fault) else ""

    @property
    def right(self) -> tuple[str, ...]:
        """The names of causes that count as right."""
        return self.change.right if isinstance(self.change, Fault) else ()

    @property
    def judged(self) -> str:
        return self.change.judged if isinstance(self.change, Fault) else "by error"

    @property
    def variant(self) -> str:
        return self.change.variant if isinstance(self.change, Fault) else self.change.name

    @property
    def name(self) -> str:
        title = f"{self.cause}: {self.variant}" if self.cause else f"{self.kind}: {self.variant}"
        return f"{title} / {self.base} / {self.strength}"

    @property
    def part(self) -> str:
        """The half of the data sets: "dev" or "test"."""
        return part_of(self.base)

    def setup(self) -> Setup:
        """Return what `fit` is called with: the same every time."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return self.change.apply(base(self.base), self.strength, rng)


def part_of(name: str) -> str:
    """Return the half of a base's data set."""
    return SETS[BASES[name][0]][0]


@functools.cache
def suitable(change: Fault | Healthy, part: str) -> tuple[str, ...]:
    """Return the bases of a half of which a change can be made."""
    return tuple(name for name in BASES if part_of(name) == part and change.suits(base(name)))


@functools.cache
def cases(rounds: int = ROUNDS) -> tuple[Case, ...]:
    """Return the cases of the first rounds, in the order in which they are measured."""
    chosen: dict[str, Case] = {}
    for turn in range(rounds):
        for strength in (2, 1, 0):
            for i, change in enumerate(FAULTS):
                part = ("dev", "test")[(i + strength + turn) % 2]
                _add(chosen, change, strength, part, 3 * i + strength + turn // 2)
        for i, other in enumerate(HEALTHY):
            for part in ("dev", "test"):
                for strength in range(3) if not other.odd else [(i + turn) % 3]:
                    _add(chosen, other, strength, part, 2 * i + strength + turn)
    return tuple(chosen.values())


def _add(chosen: dict[str, Case], change: Fault | Healthy, strength: int, part: str, turn: int) -> None:
    """Add a case, if a base of the half suits it."""
    if names := suitable(change, part):
        case = Case(names[turn % len(names)], change, strength)
        chosen.setdefault(case.name, case)
