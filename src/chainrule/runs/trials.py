"""The trials of a search: what is kept of them for its page (``search.json``), and how they are told apart there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule import checks
from chainrule.display.numbers import is_number, number
from chainrule.files import write_atomic
from chainrule.metrics import find
from chainrule.runs.files import SEARCH, SEARCH_FORMAT
from chainrule.runs.folder import strict_json
from chainrule.runs.members import read_facts

#: On a parallel axis, choices stand so far from its ends.
INSET = 0.03

#: Shares of the trials, the best first, that are drawn alike.
GROUPS = (("best tenth", 0.1), ("best third", 1 / 3), ("others", 1.0))


@dataclass(frozen=True)
class Axis:
    """One setting that was searched.

    Attributes
    ----------
    name : of the setting
    low, high : its range; None for choices
    log : whether the range is one of powers
    whole : whether its values are whole numbers
    choices : what was chosen from, as text; () for a range
    """

    name: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    choices: tuple[str, ...] = ()

    def position(self, value: Any) -> float | None:
        """Return where a value lies between the ends, from 0 to 1; None for one that was not set.

        >>> round(Axis("lr", 1e-4, 1e-2, log=True).position(1e-3), 6)
        0.5
        >>> Axis("hidden", choices=("64", "128,64")).position("64")
        0.03
        """
        if self.choices:
            text = format_setting(value)
            if text not in self.choices:
                return None
            return INSET + (1 - 2 * INSET) * self.choices.index(text) / max(1, len(self.choices) - 1)
        if not is_number(value) or self.low is None or self.high is None:
            return None
        low, high, at = self.low, self.high, float(value)
        if self.log:
            if at <= 0:
                return 0.0
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high != low else 0.5


@dataclass(frozen=True)
class Trials:
    """What a run's folder says about its search.

    Attributes
    ----------
    facts : what `write_trials` wrote
    """

    facts: Mapping[str, Any]

    @property
    def metric(self) -> str:
        """What the trials are compared by."""
        return str(self.facts["metric"])

    @property
    def smaller(self) -> bool:
        """Whether smaller values of it are better."""
        return find(self.metric).smaller_is_better

    @cached_property
    def axes(self) -> list[Axis]:
        """The settings that were searched."""
        return [Axis(**(axis | {"choices": tuple(axis.get("choices", ()))})) for axis in self.facts["space"]]

    @property
    def all(self) -> list[Mapping[str, Any]]:
        """The trials in the order in which they began."""
        return list(self.facts["trials"])

    @cached_property
    def ranked(self) -> list[Mapping[str, Any]]:
        """The trials that have a score, in the order of the leaderboard: complete ones, then those that were stopped.

        A trial that was stopped was worse than others at the same epoch, whatever its number says.
        """
        scored = [trial for trial in self.all if is_number(trial.get("score"))]
        return sorted(scored, key=lambda trial: trial["rank"])

    @property
    def complete(self) -> bool:
        """Whether any trial was trained to its end."""
        return any(trial["state"] == "complete" for trial in self.ranked)

    @cached_property
    def groups(self) -> list[tuple[str, list[Mapping[str, Any]]]]:
        """The best trial, the best tenth besides it, the best third besides these, and the others."""
        groups: list[tuple[str, list[Mapping[str, Any]]]] = [("best", self.ranked[:1])]
        start = 1
        for name, fraction in GROUPS:
            stop = max(start, math.ceil(fraction * len(self.ranked)))
            groups.append((name, self.ranked[start:stop]))
            start = stop
        return [(name, trials) for name, trials in groups if trials]

    @cached_property
    def budgets(self) -> dict[int | None, list[Mapping[str, Any]]]:
        """The trials with a score by the epochs that they were trained, the fewest first: only those of one budget
        compare. None: all together, where none was stopped at a rung (early stopping ends a trial where it likes).
        """
        rungs = sorted({trial["epochs"] for trial in self.ranked if trial["state"] == "pruned"})
        if not rungs:
            return {None: self.ranked}
        last = max(trial["epochs"] for trial in self.ranked)
        budgets: dict[int | None, list[Mapping[str, Any]]] = {epochs: [] for epochs in sorted({*rungs, last})}
        for trial in self.ranked:
            budgets[trial["epochs"] if trial["state"] == "pruned" else last].append(trial)
        return {epochs: trials for epochs, trials in budgets.items() if trials}

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """The trials without a score: they diverged, or could not be trained."""
        return [trial for trial in self.all if not is_number(trial.get("score"))]

    def window(self, trials: list[Mapping[str, Any]]) -> tuple[float, float]:
        """Return from where to where scores are drawn: all, but those that lie far away from the better half."""
        values = sorted((float(t["score"]) for t in trials if is_number(t.get("score"))), reverse=not self.smaller)
        if not values:
            return 0.0, 1.0
        best, quarter, middle, worst = (values[i] for i in (0, len(values) // 4, len(values) // 2, -1))
        last = worst
        for reach, place in ((4, middle), (12, quarter)):
            if place != best:
                last = (min if self.smaller else max)(last, best + reach * (place - best))
        low, high = min(best, last), max(best, last)
        return (low, high) if high > low else (low - 0.5 * abs(low or 1.0), high + 0.5 * abs(high or 1.0))


def at_the_edge(search: Trials) -> list[str]:
    """Name the ranges at whose end the best trials stand: it may go on getting better beyond."""
    sentences = []
    good = [trial for name, trials in search.groups if name in ("best", "best tenth") for trial in trials]
    if len(good) < 3:
        return []
    for axis in search.axes:
        if axis.choices:
            continue
        at = [p for trial in good if (p := axis.position(trial["params"].get(axis.name))) is not None]
        for end, value, near in (
            ("lower", axis.low, [p < 0.05 for p in at]),
            ("upper", axis.high, [p > 0.95 for p in at]),
        ):
            if len(at) >= 3 and sum(near) > len(at) / 2:
                sentences.append(
                    f"most of the best trials are at the {end} end of {axis.name} ({format_setting(value)}); "
                    "widen its range."
                )
    return sentences


def format_setting(value: Any) -> str:
    """Return a value of a setting as text.

    >>> format_setting([128, 64]), format_setting(0.00123456), format_setting("relu"), format_setting(None)
    ('128,64', '0.001235', 'relu', '')
    """
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(format_setting, value)) or "none"
    if not checks.is_number(value):
        return str(value)
    return str(value) if isinstance(value, int) else number(value).replace("−", "-")


def write_trials(folder: str | Path, facts: Mapping[str, Any]) -> None:
    """Write ``search.json``.

    Parameters
    ----------
    folder : the run's
    facts : ``metric``; ``space`` (the fields of each `Axis`); ``trials`` (each with ``number``, ``rank``, ``params``,
        ``score``, ``epochs``, ``state``, ``curve``); ``how`` (sampler and stages in words); ``verdict`` and ``notes``
        (sentences)
    """
    write_atomic(Path(folder) / SEARCH, strict_json({"format": SEARCH_FORMAT, **facts}))


def read_trials(folder: str | Path) -> Trials | None:
    """Return what `write_trials` wrote; None where there is nothing. A damaged file is a `FileError` that names it."""
    path = Path(folder) / SEARCH
    return Trials(read_facts(path, SEARCH_FORMAT)) if path.exists() else None
