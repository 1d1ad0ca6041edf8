"""What is searched: a distribution for each setting, and conditions under which a setting is asked for at all."""

from __future__ import annotations

import dataclasses
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from chainrule.checks import check_whole
from chainrule.errors import SettingError, did_you_mean
from chainrule.settings import plain

#: A narrowed range is the span of the best values and this share of it more on either side …
MARGIN = 0.1
#: … but never less than this share of the range that it is narrowed from.
LEAST = 0.1


@dataclass(frozen=True)
class Condition:
    """A setting that must have one of some values."""

    name: str
    labels: tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Distribution(ABC):
    """Where the values of a setting are drawn from.

    A value is a *label* where it is kept in a study (a number, a text, true, false or nothing) and an *option* where it
    is used; only those of `Choice` differ.
    """

    condition: Condition | None = dataclasses.field(default=None, kw_only=True)

    @abstractmethod
    def at(self, u: float) -> Any:
        """Return the value at the place u in [0, 1), in which every part has its share: the inverse of the
        distribution.
        """

    @abstractmethod
    def spread(self, most: int) -> list[Any]:
        """At most so many values, evenly spread; of a choice all."""

    @abstractmethod
    def ends(self) -> tuple[Any, ...]:
        """Return the values to try before a search: the ends of the range, or all options."""

    @abstractmethod
    def narrowed(self, values: Sequence[Any]) -> Self:
        """Return the part of the distribution around some values."""

    @abstractmethod
    def suggest(self, trial: Any, name: str) -> Any:
        """Have a trial of Optuna draw a value."""

    def option(self, label: Any) -> Any:
        """Return what is used for a label."""
        return label

    def label(self, option: Any) -> Any:
        """Return what stands for an option in a study."""
        return option

    def when(self, name: str, *values: Any) -> Self:
        """Return the same distribution, asked for only in trials whose setting ``name`` has one of these values.

        >>> import chainrule as cr
        >>> cr.uniform(0.0, 0.99).when("optimizer", "sgd")
        uniform(0.0, 0.99).when('optimizer', 'sgd')
        """
        if not isinstance(name, str) or not values:
            raise SettingError(
                f'when takes the name of another setting of the space and its values, as in .when("optimizer", "sgd"); '
                f"got {', '.join(map(repr, (name, *values)))}."
            )
        return dataclasses.replace(self, condition=Condition(name, tuple(map(_label, values))))

    def _repr(self, text: str) -> str:
        if self.condition is None:
            return text
        return f"{text}.when({', '.join(map(repr, (self.condition.name, *self.condition.labels)))})"


@dataclass(frozen=True, repr=False)
class Real(Distribution):
    """Numbers of a range, all equally likely, or (``log``) all orders of magnitude equally likely."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        name = "log_uniform" if self.log else "uniform"
        _check_range(name, self.low, self.high, self.log, int | float | np.number)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def __repr__(self) -> str:
        return self._repr(f"{'log_' * self.log}uniform({self.low!r}, {self.high!r})")

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{' (log)' * self.log}"

    def at(self, u: float) -> float:
        return self._value(self._scale(self.low) * (1 - u) + self._scale(self.high) * u)

    def spread(self, most: int) -> list[Any]:
        if most == 1:
            return [self.at(0.5)]
        return [self.low, *(self.at(u) for u in np.linspace(0.0, 1.0, most)[1:-1].tolist()), self.high]

    def ends(self) -> tuple[Any, ...]:
        return self.low, self.high

    def narrowed(self, values: Sequence[Any]) -> Self:
        if not values:
            return self
        low, high = _around([self._scale(v) for v in values], self._scale(self.low), self._scale(self.high))
        return dataclasses.replace(self, low=self._value(low), high=self._value(high))

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else value

    def _value(self, scaled: float) -> float:
        return min(max(math.exp(scaled) if self.log else scaled, self.low), self.high)


@dataclass(frozen=True, repr=False)
class Integer(Distribution):
    """Whole numbers from ``low`` to ``high``, both included."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        _check_range("integer", self.low, self.high, self.log, int | np.integer)
        check_whole("integer: step", self.step)
        if self.log and self.step != 1:
            raise SettingError("integer: on a logarithmic scale there are no steps; leave out log or step.")
        low, step = int(self.low), int(self.step)
        for name, value in (("low", low), ("step", step), ("high", low + (int(self.high) - low) // step * step)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        log, step = ", log=True" if self.log else "", f", step={self.step}" if self.step > 1 else ""
        return self._repr(f"integer({self.low}, {self.high}{log}{step})")

    def __str__(self) -> str:
        step = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.low} to {self.high}{step}{' (log)' * self.log}"

    def at(self, u: float) -> int:
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + (high - low) * u)), self.low), self.high)
        count = (self.high - self.low) // self.step + 1
        return self.low + self.step * min(int(u * count), count - 1)

    def spread(self, most: int) -> list[Any]:
        if (self.high - self.low) // self.step + 1 <= most:
            return list(range(self.low, self.high + 1, self.step))
        return sorted({self.at(u) for u in (np.linspace(0.0, 1.0, most).tolist() if most > 1 else [0.5])})

    def ends(self) -> tuple[Any, ...]:
        return self.low, self.high

    def narrowed(self, values: Sequence[Any]) -> Self:
        """From one step below the smallest to one above the largest."""
        if not values:
            return self
        low, high = max(self.low, min(values) - self.step), min(self.high, max(values) + self.step)
        return dataclasses.replace(self, low=low, high=high)

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True, repr=False)
class Choice(Distribution):
    """One of some options, all equally likely."""

    options: tuple[Any, ...]
    kept: tuple[Any, ...] = ()  # the labels that are left, where the choice was narrowed

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(map(plain, self.options)))
        if not self.options:
            raise SettingError('choice needs options, as in cr.choice("relu", "tanh").')
        labels = self.labels
        twice = [label for i, label in enumerate(labels) if label in labels[:i]]
        if twice:
            raise SettingError(f"choice has {twice[0]!r} more than once (True and 1 are the same here).")
        if not self.kept:
            object.__setattr__(self, "kept", labels)

    @property
    def labels(self) -> tuple[Any, ...]:
        """What stands for the options in a study."""
        return tuple(map(_label, self.options))

    def __repr__(self) -> str:
        return self._repr(f"choice({', '.join(map(_plain, self.options))})")

    def __str__(self) -> str:
        return ", ".join(map(str, self.kept))

    def at(self, u: float) -> Any:
        return self.kept[min(int(u * len(self.kept)), len(self.kept) - 1)]

    def spread(self, most: int) -> list[Any]:
        return list(self.kept)

    def ends(self) -> tuple[Any, ...]:
        return self.kept

    def narrowed(self, values: Sequence[Any]) -> Self:
        return dataclasses.replace(self, kept=tuple(label for label in self.kept if label in values) or self.kept)

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_categorical(name, self.labels)

    def option(self, label: Any) -> Any:
        return self.options[self.labels.index(label)]

    def label(self, option: Any) -> Any:
        return _label(option)


def uniform(low: float, high: float) -> Real:
    """Return numbers from ``low`` to ``high``, all equally likely: for a dropout rate or a momentum.

    Raises `SettingError` for a range without width.

    >>> import chainrule as cr
    >>> cr.uniform(0.0, 0.5).at(0.5)
    0.25
    """
    return Real(low, high)


def log_uniform(low: float, high: float) -> Real:
    """Return numbers from ``low`` to ``high`` on a logarithmic scale: for learning rates and λ (lecture 003).

    log x is uniform: as many trials between 0.001 and 0.01 as between 0.01 and 0.1. ``low`` must be above 0, else a
    `SettingError`.

    >>> import chainrule as cr
    >>> round(cr.log_uniform(1e-4, 1.0).at(0.5), 6)
    0.01
    """
    return Real(low, high, True)


def integer(low: int, high: int, log: bool = False, step: int = 1) -> Integer:
    """Whole numbers from ``low`` to ``high``, both included: for numbers of layers, units, batch sizes.

    With ``log`` on a logarithmic scale, or every ``step``-th. Raises `SettingError` for a range without width.

    >>> import chainrule as cr
    >>> [cr.integer(16, 64, step=16).at(u) for u in (0.0, 0.3, 0.99)]
    [16, 32, 64]
    """
    return Integer(low, high, log, step)


def choice(*options: Any) -> Choice:
    """Return one of some options: names, numbers, objects such as ``cr.SGD(lr=0.1)``, lists of widths.

    A single list or tuple is taken for the options. Raises `SettingError` without options, or if two are the same.

    >>> import chainrule as cr
    >>> cr.choice("relu", "tanh").at(0.7)
    'tanh'
    >>> cr.choice([16], [32, 16]).option("[32, 16]")
    [32, 16]
    """
    if len(options) == 1 and isinstance(options[0], list | tuple | range):
        options = tuple(options[0])
    return Choice(options)


class Space:
    """All distributions of a search, in an order in which every condition is known before it is asked for.

    Parameters
    ----------
    given
        A distribution for each name, or several, each with a condition, of which at most one holds.

    >>> import chainrule as cr
    >>> from chainrule.tuning.space import Space
    >>> kinds = cr.choice("adam", "sgd")
    >>> space = Space({"momentum": cr.uniform(0.0, 0.9).when("optimizer", "sgd"), "optimizer": kinds})
    >>> space.point([0.5, 0.9]), space.point([0.5, 0.0])
    ({'optimizer': 'sgd', 'momentum': 0.45}, {'optimizer': 'adam'})
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        if not isinstance(given, Mapping) or not given:
            raise SettingError(
                f'space is a mapping such as {{"optimizer.lr": cr.log_uniform(1e-4, 1.0)}}, got {given!r}.'
            )
        read = {str(name): _read(str(name), value) for name, value in given.items()}
        self._place = {name: i for i, name in enumerate(read)}  # the coordinate of each name
        self.entries: dict[str, tuple[Distribution, ...]] = {}
        while len(self.entries) < len(read):
            ready = [n for n in read if n not in self.entries and all(p in self.entries for p in _parents(n, read))]
            if not ready:
                circle = ", ".join(n for n in read if n not in self.entries)
                raise SettingError(f"The conditions of {circle} depend on each other in a circle.")
            self.entries |= {name: read[name] for name in ready}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    @property
    def conditional(self) -> bool:
        """Whether some settings are asked for only sometimes."""
        return any(d.condition is not None for ds in self.entries.values() for d in ds)

    def walk(self, pick: Callable[[str, Distribution], Any]) -> dict[str, Any]:
        """Return the values that ``pick`` gives for each setting that is asked for."""
        values: dict[str, Any] = {}
        for name in self.entries:
            if (found := self.active(name, values)) is not None:
                values[name] = pick(name, found)
        return values

    def active(self, name: str, values: Mapping[str, Any]) -> Distribution | None:
        """Return the distribution of a setting where others have these values; None where it is not asked for."""
        for found in self.entries[name]:
            if found.condition is None:
                return found
            if found.condition.name in values and values[found.condition.name] in found.condition.labels:
                return found
        return None

    def point(self, coordinates: Sequence[float]) -> dict[str, Any]:
        """Return the values at a point of the unit cube, which has a coordinate for each setting, in the order
        given.
        """
        return self.walk(lambda name, distribution: distribution.at(float(coordinates[self._place[name]])))

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Return the values that a trial of Optuna draws."""
        return self.walk(lambda name, distribution: distribution.suggest(trial, name))

    def options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is used for the values kept in a study."""
        return {name: self.entries[name][0].option(value) for name, value in values.items()}

    def grid(self, levels: int) -> list[dict[str, Any]]:
        """Return all combinations of values, with at most so many of each range."""
        found: list[dict[str, Any]] = [{}]
        for name in self.entries:
            longer = []
            for values in found:
                active = self.active(name, values)
                longer += [values] if active is None else [values | {name: v} for v in active.spread(levels)]
            found = longer
        return found

    def probes(self) -> list[dict[str, Any]]:
        """Return a few points in which every end of every range and every option occurs."""
        found: list[dict[str, Any]] = []
        for name, distributions in self.entries.items():
            for distribution in distributions:
                for forced in self._met(distribution):
                    for value in distribution.ends():
                        fixed = forced | {name: value}
                        point = self.walk(lambda n, d, fixed=fixed: fixed.get(n, d.ends()[0]))  # type: ignore[misc]
                        if point not in found:
                            found.append(point)
        return found

    def _met(self, distribution: Distribution) -> list[dict[str, Any]]:
        """Return values of other settings with which a distribution is asked for, one for each value of its
        condition.
        """
        if distribution.condition is None:
            return [{}]
        parent, found = distribution.condition.name, []
        for label in distribution.condition.labels:
            for above in self.entries[parent]:
                found += [{parent: label} | forced for forced in self._met(above)]
        return found

    def narrowed(self, best: Sequence[Mapping[str, Any]]) -> Space:
        """Return the space around some points of it: of each range the span of their values, of each choice their
        options.
        """
        new = object.__new__(Space)
        new._place = self._place
        new.entries = {}
        for name, distributions in self.entries.items():
            new.entries[name] = tuple(
                d.narrowed([values[name] for values in best if name in values and self.active(name, values) is d])
                for d in distributions
            )
        return new

    def described(self) -> dict[str, str]:
        """Each distribution as text that tells it from others."""
        return {name: ", ".join(map(repr, self.entries[name])) for name in sorted(self.entries)}


def _read(name: str, value: Any) -> tuple[Distribution, ...]:
    """Return the distributions of a name, checked as far as they go by themselves."""
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not found or not all(isinstance(each, Distribution) for each in found):
        hint = "cr.choice(" + ", ".join(map(repr, found)) + ")" if len(found) > 1 else "cr.log_uniform(1e-4, 1.0)"
        raise SettingError(
            f"space: {name!r} is {value!r}; write a distribution, such as {hint}. What is the same in all trials is "
            "an argument of search."
        )
    if len(found) > 1:
        kinds = {(type(each), getattr(each, "log", None)) for each in found}
        if any(each.condition is None for each in found) or len(kinds) > 1 or isinstance(found[0], Choice):
            raise SettingError(
                f"space: several distributions for {name!r} must each have a condition and be ranges of one kind: "
                f'[cr.log_uniform(0.01, 10).when("optimizer", "sgd"), '
                f'cr.log_uniform(1e-4, 0.1).when("optimizer", "adam")].'
            )
    return found


def _parents(name: str, read: Mapping[str, tuple[Distribution, ...]]) -> list[str]:
    """Return the settings that the conditions of a name ask about, checked."""
    found = []
    for distribution in read[name]:
        condition = distribution.condition
        if condition is None:
            continue
        if condition.name not in read:
            raise SettingError(
                f"space: {name!r} depends on {condition.name!r}, which is not in the space"
                f"{did_you_mean(condition.name, read)}"
            )
        for parent in read[condition.name]:
            for label in condition.labels:
                known = parent.labels if isinstance(parent, Choice) else None
                if isinstance(parent, Integer) and isinstance(label, int) and parent.low <= label <= parent.high:
                    continue
                if known is None or label not in known:
                    raise SettingError(
                        f"space: {name!r} is asked for when {condition.name!r} is {label!r}, which it never is: "
                        f"{condition.name} is {parent!r}."
                    )
        found.append(condition.name)
    return found


def _check_range(name: str, low: Any, high: Any, log: bool, kind: Any) -> None:
    number = "whole numbers" if kind == int | np.integer else "numbers"
    for value in (low, high):
        if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value):
            raise SettingError(f"{name} takes {number} as low and high, got {value!r}.")
    if log and low <= 0:
        raise SettingError(
            f"{name}: a logarithmic scale has no place for {low!r}; low must be above 0. For λ take a small one, such "
            f"as {high * 1e-6:g}, or for 0 itself cr.choice(0.0, …)."
        )
    if low >= high:
        raise SettingError(f"{name}: low must be below high, got {low!r} and {high!r}.")


def _around(values: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Return the span of some values with a margin, within a range."""
    span = max(values) - min(values)
    missing = max(0.0, LEAST * (high - low) - (1 + 2 * MARGIN) * span) / 2
    margin = MARGIN * span + missing
    return max(low, min(values) - margin), min(high, max(values) + margin)


def _label(option: Any) -> Any:
    """Return what a study can keep of an option: itself, or what it looks like."""
    if isinstance(option, np.generic):
        option = option.item()
    if isinstance(option, str) or option is None or isinstance(option, bool | int):
        return option
    if isinstance(option, float):
        return option if math.isfinite(option) else str(option)
    return _plain(option)


def _plain(option: Any) -> str:
    """Return an option as text that is the same in another process."""
    if callable(option) and hasattr(option, "__qualname__"):
        return str(option.__qualname__)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(option))
