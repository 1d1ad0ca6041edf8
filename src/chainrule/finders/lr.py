"""`find_lr`: which learning rates a network can be trained with, seen in one short run per seed."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import optimizers
from chainrule.checks import check_whole
from chainrule.engine import Engine
from chainrule.errors import SettingError
from chainrule.fields import passes_settings
from chainrule.finders.common import engine_of, geometric_mean, rounded, state_on, trainer_of
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.population.member import Member
from chainrule.population.seeds import list_seeds
from chainrule.run_settings import PopulationSettings
from chainrule.schedules import Ramp
from chainrule.settings import check_number, plain
from chainrule.statistics import LEVEL, check_confidence, percent, summary
from chainrule.training.epoch import programs
from chainrule.training.loader import InMemoryLoader

#: Costs are smoothed over so large a share of the steps (the deviation of a normal curve), and cut off at so many times
#: the first one before, so that the end of a run that diverges does not reach back.
WIDTH, CUT = 0.02, 4.0

#: The first cost is the mean of so large a fraction of the steps: at the lowest rates nothing is learned yet.
START = 0.05

#: A cost fell if it did so by so many deviations of what chance makes of it: many steps are looked at for the lowest.
SURELY = 4.0

#: The suggestion is so many times smaller than the rate at which the cost is lowest. Measured: bench/finders.py.
MARGIN = 4.0


@passes_settings(PopulationSettings, without=("epochs", "early_stopping", "callbacks", "out", "resume", "config"))
def find_lr(
    net: Layer | Model,
    data: Any,
    *,
    seeds: int | Sequence[int] = 5,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    confidence: float = LEVEL,
    **settings: Any,
) -> LrRange:
    """Find a learning rate: it grows by the same factor in every step, η = low · (high/low)^(t/(steps − 1)).

    At first nothing happens, then the cost falls, then the steps become too large and it rises. The suggestion is a
    quarter of the rate at which the smoothed cost is lowest, found for every seed by itself: the geometric mean of
    these, with its interval by Student's t on their logarithms. The interval says how sure the rule is of its rate, not
    that this rate is the best one: for that, search around it.

    Parameters
    ----------
    net, data, settings
        As for `fit`; the optimizer's own learning rate is not used.
    seeds
        How many (from ``seed``), or which; at least 2. Each has its own initial weights and order of the samples.
    low, high, steps
        The range of rates, and in how many steps (at least 20) it is gone through.
    confidence
        Of the intervals and the band.

    Returns
    -------
    LrRange
        ``print`` it; ``suggestion``, ``interval``, ``diverges_from``.

    Raises
    ------
    SettingError
        For a range that is none, and settings that a range test has no use for (``epochs``, ``early_stopping``).

    Source: Smith (2017), "Cyclical learning rates for training neural networks", section 3.3; lecture 003 ("find a
    reasonable η").

    >>> import chainrule as cr
    >>> result = cr.find_lr(cr.Dense(3, "softmax"), cr.data.load("iris"), optimizer="sgd", high=1000.0, progress=False)
    >>> 0.01 < result.suggestion < 10
    True
    """
    check_confidence(confidence)
    for name, rate in (("low", low), ("high", high)):
        check_number("find_lr", name, rate, 0.0, open_low=True)
    if low >= high or not math.isfinite(high):
        raise SettingError(f"find_lr goes from a low rate to a higher one, got low={low!r} and high={high!r}.")
    steps = check_whole("find_lr: steps", plain(steps), 20)
    optimizer = optimizers.get(settings.pop("optimizer", "adam"))
    settings["optimizer"] = dataclasses.replace(optimizer, lr=Ramp(float(low), float(high)))
    seeds = list_seeds("find_lr", seeds, settings.pop("seed", 0))
    members = trainer_of(net, data, settings).add_members([{"seed": seed} for seed in seeds])
    engine = engine_of(members[0], steps * len(seeds), settings)
    costs = np.array([_costs(member, steps, engine) for member in members])
    rates = low * (high / low) ** (np.arange(steps) / (steps - 1))
    return LrRange(type(optimizer).__name__, tuple(seeds), rates, costs, confidence)


@dataclass(frozen=True, eq=False)
class LrRange:
    """The result of `find_lr`: ``print`` it.

    Attributes
    ----------
    optimizer : the name of its class
    seeds : the seeds
    rates : (steps,), the rate of each step
    costs : (seeds, steps), the cost of each step's batch; NaN or infinite after a run diverged
    confidence : of the intervals
    smoothed : (seeds, steps), the costs averaged over neighbouring steps
    fell : for each seed whether its cost fell by more than the noise of its batches explains
    suggestions : the suggestion of each seed; NaN for one whose cost did not fall
    suggestion, interval : the geometric mean of these, and its interval; None if the cost fell for no seed
    diverges_from : the rate from which on the cost has risen again by more than half of what it had fallen; None if
        it does not

    >>> import chainrule as cr
    >>> result = cr.find_lr(cr.Dense(3, "softmax"), cr.data.load("iris"), seeds=3, steps=50, progress=False)
    >>> result.costs.shape, result.interval[0] < result.suggestion < result.interval[1]
    ((3, 50), True)
    """

    optimizer: str
    seeds: tuple[int, ...]
    rates: np.ndarray
    costs: np.ndarray
    confidence: float = LEVEL

    @functools.cached_property
    def smoothed(self) -> np.ndarray:
        """The costs averaged over neighbouring steps by a normal curve, cut off at `CUT` times the first one."""
        start = self._start[:, None]
        cut = start + (CUT - 1) * np.abs(start)
        costs = np.minimum(np.where(np.isfinite(self.costs), self.costs, cut), cut)
        steps = np.arange(len(self.rates))
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / (WIDTH * len(steps))) ** 2)
        return np.asarray(costs @ (weights / weights.sum(axis=0)))

    @property
    def _first(self) -> int:
        """The steps before anything is learned."""
        return max(1, round(START * len(self.rates)))

    @property
    def _start(self) -> np.ndarray:
        """The cost of each seed before anything is learned."""
        first = self.costs[:, : self._first]
        return np.where(np.isfinite(first).all(axis=1), np.nan_to_num(first).mean(axis=1), math.nan)

    @property
    def _lowest(self) -> np.ndarray:
        """For each seed the step at which its smoothed cost is lowest."""
        return np.asarray(self._first + self.smoothed[:, self._first :].argmin(axis=1))

    @property
    def fell(self) -> tuple[bool, ...]:
        """For each seed whether its cost fell by more than the noise of its batches explains."""
        falls = []
        for costs, smoothed, start, lowest_step in zip(
            self.costs, self.smoothed, self._start, self._lowest, strict=True
        ):
            noise = 1.4826 * float(np.median(np.abs(costs - smoothed)[: lowest_step + 1]))
            averaged = 2 * math.sqrt(math.pi) * WIDTH * len(costs)  # steps that a smoothed cost is the mean of
            surely = SURELY * noise * math.sqrt(1 / averaged + 1 / self._first)
            falls.append(bool(start - smoothed[lowest_step] > surely))
        return tuple(falls)

    @property
    def suggestions(self) -> tuple[float, ...]:
        """For each seed a quarter of the rate at which its smoothed cost is lowest; NaN where it did not fall."""
        return tuple(np.where(self.fell, self.rates[self._lowest] / MARGIN, math.nan).tolist())

    @property
    def suggestion(self) -> float | None:
        """A learning rate to start with; None if the cost fell for no seed."""
        return geometric_mean(self.suggestions, self.confidence)[0]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the suggestion over the seeds."""
        return geometric_mean(self.suggestions, self.confidence)[1]

    @property
    def diverges_from(self) -> float | None:
        """The rate from which on the cost has risen again by more than half of what it had fallen.

        The geometric mean over the seeds; where the cost did not fall, the rate from which on it is half as much again
        as it was at the start. None if that is not so for any seed.
        """
        rates = []
        for smoothed, start, lowest_step, fell in zip(self.smoothed, self._start, self._lowest, self.fell, strict=True):
            level = (start + smoothed[lowest_step]) / 2 if fell else start + 0.5 * abs(start)
            above = np.flatnonzero(smoothed[lowest_step:] > level)
            rates.append(self.rates[lowest_step + above[0]] if len(above) else math.nan)
        return geometric_mean(rates, self.confidence)[0]

    def __str__(self) -> str:
        rates = f"from {rounded(self.rates[0])} to {rounded(self.rates[-1])}"
        if self.suggestion is None:
            away = "" if self.diverges_from is None else f"; from {rounded(self.diverges_from)} on it rises"
            return (
                f"No learning rate {rates} made the cost fall within {len(self.rates)} steps ({self.optimizer}, "
                f"{len(self.seeds)} seeds){away}. Try another range, or more steps."
            )
        of = f"{self.optimizer}, {len(self.seeds)} seeds"
        if not all(self.fell):
            of += f", for {len(self.seeds) - sum(self.fell)} of which the cost did not clearly fall"
        if self.interval is not None:
            of = f"{percent(self.confidence)}: {rounded(self.interval[0])} to {rounded(self.interval[1])}, {of}"
        lines = [
            f"Start with a learning rate of {rounded(self.suggestion)} ({of}): a quarter of that at which the cost was "
            f"lowest, of rates {rates} in {len(self.rates)} steps."
        ]
        if self.diverges_from is not None:
            lines.append(f"From {rounded(self.diverges_from)} on it had risen again by half of what it had fallen.")
        elif (self._lowest >= len(self.rates) * (1 - 2 * WIDTH)).any():
            lines.append("The cost still fell at the largest rates: a larger high may give a larger suggestion.")
        else:
            lines.append(f"Up to {rounded(self.rates[-1])} it did not rise again by half of what it had fallen.")
        return " ".join(lines)

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row per step: lr, the mean of the smoothed costs, and the band that its mean lies
        in.

        >>> import chainrule as cr
        >>> result = cr.find_lr(cr.Dense(3, "softmax"), cr.data.load("iris"), seeds=2, steps=30, progress=False)
        >>> list(result.to_pandas().columns), len(result.to_pandas())
        (['lr', 'cost', 'low', 'high'], 30)
        """
        import pandas as pd

        summaries = [summary(step, self.confidence) for step in self.smoothed.T]
        rows = zip(self.rates, summaries, strict=True)
        return pd.DataFrame([{"lr": lr, "cost": s.mean, "low": s.low, "high": s.high} for lr, s in rows])


def _costs(member: Member, steps: int, engine: Engine) -> np.ndarray:
    """Return the cost of each of a member's first steps, while the rate goes through its whole range in them."""
    prepared_run = member.prepared_run
    program, loader = (
        programs(prepared_run.recipe, engine),
        InMemoryLoader(prepared_run.prepared.train, prepared_run.batch_size, prepared_run.order, engine),
    )
    run = prepared_run.state.settings["run"]
    settings = {**prepared_run.state.settings, "run": {**run, "epochs": (steps - 1) / run["steps_per_epoch"]}}
    state = state_on(prepared_run.state, engine)
    costs: list[float] = []
    epoch = 0
    while len(costs) < steps:
        epoch += 1
        for chunk in loader.epoch(epoch):
            last = min(chunk.steps, steps - len(costs))
            result = program.train(state, settings, chunk.data, chunk.order, 0, last)
            state, metrics = result.state, engine.fetch(result.metrics)
            costs += (np.asarray(metrics.cost)[:last] / np.asarray(metrics.weight)[:last]).tolist()
    return np.array(costs)
