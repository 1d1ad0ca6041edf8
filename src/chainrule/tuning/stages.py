"""How the epochs of a search are shared out: all trials alike, coarse to fine, or with the worst stopped on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.checks import check_name, check_whole, is_whole
from chainrule.errors import SettingError
from chainrule.settings import PlainSettings

NAMES = ("coarse_to_fine", "halving", "hyperband")

#: Of coarse to fine: the fraction of the trials of each stage but the first, the shares of the epochs that stages get
#: before the last, and the fraction of a stage's trials around which the next one looks closer.
FINER, SHORT, BEST = 1 / 4, (1 / 10, 1 / 5), 1 / 8

#: Of halving and Hyperband: each rung keeps one trial in so many, and trains them so many times longer.
FACTOR = 3

#: Fewer points than this are no base for a narrower range.
FEWEST = 3


@dataclass(frozen=True)
class Stage(metaclass=PlainSettings):
    """Some trials that are treated alike.

    Attributes
    ----------
    trials : how many
    rungs : epochs at which the worst are stopped; the last is where the others end
    factor : of n trials, n/factor, n/factor², … go on from rung to rung
    narrow : if above 0, they are drawn around the best trials of the stage before, this fraction of them

    >>> from chainrule.tuning import Stage
    >>> Stage(trials=27, rungs=(1, 3, 9)).keep(27, 0), Stage(trials=27, rungs=(1, 3, 9)).keep(27, 1)
    (9, 3)
    """

    trials: int
    rungs: tuple[int, ...]
    factor: float = FACTOR
    narrow: float = 0.0

    def __post_init__(self) -> None:
        rungs = tuple(self.rungs)
        object.__setattr__(self, "rungs", rungs)
        check_whole("Stage: trials", self.trials)
        if not rungs or not all(map(is_whole, rungs)) or rungs[0] < 1 or list(rungs) != sorted(set(rungs)):
            raise SettingError(f"Stage: rungs are epochs in rising order, such as (1, 3, 9); got {self.rungs!r}.")
        if not self.factor > 1 or not 0 <= self.narrow <= 1:
            raise SettingError(
                f"Stage: factor is above 1 and narrow is a share, got {self.factor!r} and {self.narrow!r}."
            )

    @property
    def epochs(self) -> int:
        """The epochs of those that are not stopped."""
        return self.rungs[-1]

    def keep(self, trials: int, rung: int) -> int:
        """Return how many of so many trials go on from a rung (counted from 0)."""
        return max(1, math.floor(trials / self.factor ** (rung + 1) + 1e-9))

    def around(self, trials: int) -> int:
        """Return how many of the finished trials of the stage before are the best ones."""
        return max(FEWEST, math.ceil(self.narrow * trials))


def plan(stages: Any, trials: int, epochs: int) -> list[Stage]:
    """Return the stages of a search by their name, for so many trials and epochs; a list of stages as it is.

    Raises `SettingError` where there are too few epochs or trials for the name.

    >>> from chainrule.tuning.stages import plan
    >>> [(stage.trials, stage.rungs) for stage in plan("coarse_to_fine", 64, 10)]
    [(32, (1,)), (16, (2,)), (16, (10,))]
    >>> [(stage.trials, stage.rungs) for stage in plan("hyperband", 49, 27)]
    [(27, (1, 3, 9, 27)), (12, (3, 9, 27)), (6, (9, 27)), (4, (27,))]
    """
    if stages is None:
        return [Stage(trials, (epochs,))]
    if isinstance(stages, Sequence) and not isinstance(stages, str):
        return _check_stages(list(stages), trials)
    check_name("way to share out the epochs (stages)", stages, NAMES)
    least = 2 if stages == "coarse_to_fine" else FACTOR
    if epochs < least:
        raise SettingError(f"stages={stages!r} needs at least {least} epochs to share out, got epochs={epochs}.")
    if stages == "coarse_to_fine":
        return _coarse_to_fine(trials, epochs)
    if stages == "halving":
        if trials < FACTOR:
            raise SettingError(f'stages="halving" needs at least {FACTOR} trials, got trials={trials}.')
        return [Stage(trials, _rungs(epochs, min(_steps(trials), _steps(epochs))))]
    return _hyperband(trials, epochs)


def _coarse_to_fine(trials: int, epochs: int) -> list[Stage]:
    """Return stages of a coarse search for a few epochs, a finer one for more, and that again (lecture 003).

    ½ of the trials, over the whole space, get ⅒ of the epochs, ¼ get ⅕, and ¼ get all of them (where ¼ is fewer than
    three trials: ¾ get ⅕, and the others all). From the second stage on they are drawn from the space narrowed around
    the best eighth of the stage before (at least three): of each range the span of their values and a tenth of it more
    on either side, of each choice the options that occur among them.
    """
    fine = trials - round((1 - FINER) * trials)
    sizes = [trials - 2 * fine, fine, fine] if fine >= FEWEST else [trials - fine, fine]
    if sizes[0] < FEWEST or fine < 1:
        raise SettingError(f'stages="coarse_to_fine" needs at least 4 trials, got trials={trials}.')
    lengths = [*(max(1, round(share * epochs)) for share in SHORT[1 - len(sizes) :]), epochs]
    return [
        Stage(size, (length,), narrow=BEST if i else 0.0)
        for i, (size, length) in enumerate(zip(sizes, lengths, strict=True))
    ]


def _hyperband(trials: int, epochs: int) -> list[Stage]:
    """Return stages of Hyperband (Li et al., 2018): successive halving from several starts, from bold to careful.

    Bracket s = S, …, 0 has ⌈(S+1)/(s+1) ηˢ⌉ trials that begin with R η⁻ˢ of the R epochs, S = ⌊log_η R⌋; the numbers
    are scaled so that they add up to ``trials``.
    """
    most = _steps(epochs)
    sizes = [math.ceil((most + 1) / (s + 1) * FACTOR**s - 1e-9) for s in range(most, -1, -1)]
    if trials < len(sizes):
        raise SettingError(f'stages="hyperband" with {epochs} epochs needs at least {len(sizes)} trials, got {trials}.')
    scaled = [max(1, math.floor(n * trials / sum(sizes))) for n in sizes]
    scaled[0] += trials - sum(scaled)
    while scaled[0] < 1:  # more brackets than the trials have room for: take from the largest
        largest = max(range(len(scaled)), key=lambda i: scaled[i])
        scaled[largest], scaled[0] = scaled[largest] - 1, scaled[0] + 1
    return [Stage(n, _rungs(epochs, s)) for n, s in zip(scaled, range(most, -1, -1), strict=True)]


def _rungs(epochs: int, steps: int) -> tuple[int, ...]:
    """Return R η⁻ˢ, …, R η⁻¹, R."""
    return tuple(sorted({max(1, round(epochs / FACTOR**s)) for s in range(steps, -1, -1)}))


def _steps(count: int) -> int:
    """Return how often a count can be divided by `FACTOR`."""
    return int(math.log(count, FACTOR) + 1e-9)


def _check_stages(stages: list[Any], trials: int) -> list[Stage]:
    """Return the stages; raise `SettingError` if they do not fit together."""
    if not stages or not all(isinstance(stage, Stage) for stage in stages):
        raise SettingError(
            f"stages is one of {', '.join(NAMES)}, or a list of chainrule.tuning.Stage(trials, rungs); got {stages!r}."
        )
    if stages[0].narrow:
        raise SettingError("stages: the first stage has none before it around whose best trials it could be drawn.")
    if (total := sum(stage.trials for stage in stages)) != trials:
        raise SettingError(f"stages: their trials add up to {total}; give trials={total}.")
    return stages
