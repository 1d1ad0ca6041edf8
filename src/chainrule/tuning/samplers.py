"""Samplers: which values a trial gets. Imports Optuna: it is itself imported when a search starts.

Where a trial stands in the search, its *position*, is what its values follow from (and for TPE what is known by then).
So a search that was interrupted goes on as it would have, and processes that share a study never draw the same twice.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from chainrule.checks import check_name
from chainrule.errors import SettingError
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage

NAMES = ("random", "grid", "sobol", "tpe")

#: TPE draws so many points at random before it follows what it has seen.
FIRST_RANDOM = 10


class PositionalSampler(BaseSampler):
    """Gives a trial the values that follow from its position.

    Parameters
    ----------
    name : one of `NAMES`
    space, stages, seed : of the search
    """

    def __init__(self, name: str, space: Space, stages: Sequence[Stage], seed: int) -> None:
        check_name("sampler", name, NAMES)
        if name == "grid" and len(stages) > 1:
            raise SettingError(
                'sampler="grid" is a fixed list of points, for one stage: use stages=None or "halving", or another '
                "sampler."
            )
        self.name, self.space, self.stages, self.seed = name, space, stages, seed % 2**64
        self.point: Mapping[str, Any] = {}
        self.number = 0
        self.adaptive: TPESampler | None = None  # of the trial that is asked for now
        if name == "grid":
            self._grid = _grid(space, stages[0].trials)

    @property
    def most(self) -> float:
        """The number of trials that there are values for."""
        return len(self._grid) if self.name == "grid" else math.inf

    def plan(self, space: Space, stage: int, position: int, number: int) -> None:
        """Compute the values of the trial that is asked next: of its stage (with its space) and position in it.

        ``number`` is its position in the search.
        """
        self.number = number
        if self.name == "grid":
            self.point = self._grid[position]
        elif self.name == "sobol":
            self.point = space.point(_sobol(len(space), self.seed, stage, self.stages[stage].trials)[position])
        else:
            rng = np.random.default_rng([self.seed, stage, position])
            self.point = space.point(rng.random(len(space)).tolist())

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self.adaptive = None
        if self.name == "tpe" and self.number >= FIRST_RANDOM:
            self.adaptive = _tpe(self.space, self.seed, self.number)
            return self.adaptive.infer_relative_search_space(study, trial)
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.adaptive.sample_relative(study, trial, search_space) if self.adaptive is not None else {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if self.adaptive is not None:
            return self.adaptive.sample_independent(study, trial, param_name, param_distribution)
        return self.point[param_name]


class Replayed(BaseSampler):
    """Gives a trial the values of an earlier attempt at it, as far as there are any, and leaves the rest to a sampler.

    Parameters
    ----------
    sampler : that draws values
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler
        self.values: Mapping[str, Any] = {}

    def replay(self, values: Mapping[str, Any]) -> None:
        """Give these values to the trial that is asked next."""
        self.values = values

    def reseed_rng(self) -> None:
        self.sampler.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        drawn = self.sampler.sample_relative(study, trial, search_space)
        return {name: value for name, value in drawn.items() if name not in self.values}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if param_name in self.values:
            return self.values[param_name]
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self.sampler.after_trial(study, trial, state, values)


def _tpe(space: Space, seed: int, number: int) -> TPESampler:
    """Return the tree-structured Parzen estimator (Bergstra et al., 2011) for one trial, with the settings together.

    Trials that are still trained count as bad ones (the constant liar), so a batch is spread out.
    """
    trial_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=trial_seed, multivariate=True, group=space.conditional, constant_liar=True)


@functools.lru_cache(maxsize=8)
def _sobol(dimensions: int, seed: int, stage: int, count: int) -> np.ndarray:
    """Return points of a scrambled Sobol sequence (Sobol, 1967; Owen, 1998), more even than chance."""
    from scipy.stats import qmc

    rng = np.random.default_rng([seed, stage])
    points: np.ndarray = qmc.Sobol(dimensions, scramble=True, rng=rng).random_base2(math.ceil(math.log2(max(2, count))))
    return points


def _grid(space: Space, trials: int) -> list[dict[str, Any]]:
    """Return all options with as many evenly spaced values of each range as the trials have room for, at least two."""
    points = space.grid(2)
    if len(points) > trials:
        raise SettingError(
            f"The grid has {len(points)} points with two values for each range, more than trials={trials}: give "
            f"trials={len(points)}, fewer settings or options, or another sampler."
        )
    for levels in range(3, trials + 1):
        finer = space.grid(levels)
        if len(finer) > trials or (levels > 64 and len(finer) == len(points)):
            break
        points = finer
    return points
