"""The distributions that values of settings are drawn from."""

from __future__ import annotations

import dataclasses
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from chainrule.checks import check_whole
from chainrule.errors import SettingError
from chainrule.settings import plain

#: A narrowed range is the span of the best values and this fraction of it more on either side …
MARGIN = 0.1
#: … but never less than this fraction of the range that it is narrowed from.
LEAST = 0.1


@dataclass(frozen=True)
class Condition:
    """A setting that must have one of some values."""

    name: str
    labels: tuple[Any, ...]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether it is so where the settings have these values."""
        return self.name in values and values[self.name] in self.labels


@dataclass(frozen=True, repr=False)
class Distribution(ABC):
    """A distribution that values of a setting are drawn from.

    A value is a *label* where it is stored in a study (a number, a text, true, false or nothing) and an *option* where
    it is used; only those of `Choice` differ.
    """

    condition: Condition | None = dataclasses.field(default=None, kw_only=True)

    @abstractmethod
    def at(self, u: float) -> Any:
        """Return the value at u in [0, 1): the inverse of the cumulative distribution."""

    @abstractmethod
    def spread(self, most: int) -> list[Any]:
        """Return at most so many values, evenly spread; of a choice all."""

    @abstractmethod
    def ends(self) -> tuple[Any, ...]:
        """Return the values to try before a search: the ends of the range, or all options."""

    @abstractmethod
    def narrowed(self, values: Sequence[Any]) -> Self:
        """Return the part of the distribution around some values."""

    @abstractmethod
    def suggest(self, trial: Any, name: str) -> Any:
        """Have a trial of Optuna draw a value."""

    def has(self, label: Any) -> bool:
        """Return whether a condition can ask for a label: of a range of real numbers for none."""
        return False

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
        return dataclasses.replace(self, condition=Condition(name, tuple(map(_label_of, values))))

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
        low, high = _span_with_margin([self._scale(v) for v in values], self._scale(self.low), self._scale(self.high))
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
        """Return the range from one step below the smallest value to one above the largest."""
        if not values:
            return self
        low, high = max(self.low, min(values) - self.step), min(self.high, max(values) + self.step)
        return dataclasses.replace(self, low=low, high=high)

    def has(self, label: Any) -> bool:
        return isinstance(label, int) and self.low <= label <= self.high

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True, repr=False)
class Choice(Distribution):
    """One of some options, all equally likely."""

    options: tuple[Any, ...]
    remaining: tuple[Any, ...] = ()  # labels, where the choice was narrowed

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(map(plain, self.options)))
        if not self.options:
            raise SettingError('choice needs options, as in cr.choice("relu", "tanh").')
        labels = self.labels
        twice = [label for i, label in enumerate(labels) if label in labels[:i]]
        if twice:
            raise SettingError(f"choice has {twice[0]!r} more than once (True and 1 are the same here).")
        if not self.remaining:
            object.__setattr__(self, "remaining", labels)

    @property
    def labels(self) -> tuple[Any, ...]:
        """What stands for the options in a study."""
        return tuple(map(_label_of, self.options))

    def __repr__(self) -> str:
        return self._repr(f"choice({', '.join(map(_stable_repr, self.options))})")

    def __str__(self) -> str:
        return ", ".join(map(str, self.remaining))

    def at(self, u: float) -> Any:
        return self.remaining[min(int(u * len(self.remaining)), len(self.remaining) - 1)]

    def spread(self, most: int) -> list[Any]:
        return list(self.remaining)

    def ends(self) -> tuple[Any, ...]:
        return self.remaining

    def narrowed(self, values: Sequence[Any]) -> Self:
        return dataclasses.replace(
            self, remaining=tuple(label for label in self.remaining if label in values) or self.remaining
        )

    def has(self, label: Any) -> bool:
        return label in self.labels

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_categorical(name, self.labels)

    def option(self, label: Any) -> Any:
        return self.options[self.labels.index(label)]

    def label(self, option: Any) -> Any:
        return _label_of(option)


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
    """Return whole numbers from ``low`` to ``high``, both included: for numbers of layers, units, batch sizes.

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


def _span_with_margin(values: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Return the span of some values with a margin, within a range."""
    span = max(values) - min(values)
    missing = max(0.0, LEAST * (high - low) - (1 + 2 * MARGIN) * span) / 2
    margin = MARGIN * span + missing
    return max(low, min(values) - margin), min(high, max(values) + margin)


def _label_of(option: Any) -> Any:
    """Return what a study can store of an option: itself, or its text."""
    if isinstance(option, np.generic):
        option = option.item()
    if isinstance(option, str) or option is None or isinstance(option, bool | int):
        return option
    if isinstance(option, float):
        return option if math.isfinite(option) else str(option)
    return _stable_repr(option)


def _stable_repr(option: Any) -> str:
    """Return an option as text that is the same in another process."""
    if callable(option) and hasattr(option, "__qualname__"):
        return str(option.__qualname__)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(option))
