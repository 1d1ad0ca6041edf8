"""What finders share: members of one experiment that differ in their seed, and figures in few digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.checks import is_number
from chainrule.engine import Engine
from chainrule.errors import SettingError
from chainrule.population.member import Member
from chainrule.population.trainer import PopulationTrainer
from chainrule.recipe.state import State
from chainrule.settings import plain
from chainrule.statistics import mean_interval
from chainrule.training.engine_choice import engine_for


def trainer_of(net: Any, data: Any, settings: dict[str, Any]) -> PopulationTrainer:
    """Return a trainer with these settings; finders are done soon and show no progress."""
    return PopulationTrainer(net, data, **{name: value for name, value in settings.items() if name != "progress"})


def engine_of(member: Member, steps: int, settings: dict[str, Any]) -> Engine:
    """Return the engine on which `fit` would train a member for so many steps."""
    prepared_run = member.prepared_run
    batch_size = min(prepared_run.batch_size, len(prepared_run.prepared.train.x))
    engine, devices = settings.get("engine", "auto"), settings.get("devices")
    return engine_for(prepared_run.model, prepared_run.recipe, engine, devices, steps=steps, batch_size=batch_size)


def state_on(state: State, engine: Engine) -> State:
    """Return a copy of a state on an engine, without its settings."""
    if engine.name == "numpy":
        return state._replace(settings=None, step=int(state.step))
    return engine.copy(engine.put(state._replace(settings=None, step=int(state.step))))


def rounded(value: float, digits: int = 2) -> str:
    """Return a figure of which only the size matters, in two digits.

    >>> rounded(0.12345), rounded(5236.0), rounded(1.0), rounded(0.00001)
    ('0.12', '5200', '1', '1e-05')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{float(f'{value:.{digits - 1}e}'):g}"


def increasing(owner: str, name: str, values: Sequence[Any], least: float) -> list[Any]:
    """Return numbers in order, each once; raises `SettingError` for others than numbers of at least ``least``."""
    listed = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)
    numbers = list(map(plain, values)) if listed else []
    if not numbers or not all(map(is_number, numbers)):
        raise SettingError(f"{owner}: {name} is a list of numbers, got {values!r}.")
    if any(not math.isfinite(v) or v < least for v in numbers):
        raise SettingError(f"{owner}: {name} are at least {least:g}, got {values!r}.")
    return sorted(set(numbers))


def geometric_mean(values: Sequence[float], confidence: float) -> tuple[float | None, tuple[float, float] | None]:
    """Return the geometric mean of the values that are numbers, and its interval."""
    logs = np.log([value for value in values if math.isfinite(value)])
    if not len(logs):
        return None, None
    bounds = mean_interval(logs, confidence)
    return float(np.exp(logs.mean())), None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1]))
