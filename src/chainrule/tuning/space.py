"""The space of a search: a distribution for each setting, and conditions under which a setting is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chainrule.errors import SettingError, did_you_mean
from chainrule.tuning.distributions import Choice, Distribution


class Space:
    """The distributions of a search, in an order in which every condition is known before it is asked for.

    Parameters
    ----------
    distributions
        A distribution for each name, or several, each with a condition, of which at most one holds.

    >>> import chainrule as cr
    >>> from chainrule.tuning.space import Space
    >>> kinds = cr.choice("adam", "sgd")
    >>> space = Space({"momentum": cr.uniform(0.0, 0.9).when("optimizer", "sgd"), "optimizer": kinds})
    >>> space.point([0.5, 0.9]), space.point([0.5, 0.0])
    ({'optimizer': 'sgd', 'momentum': 0.45}, {'optimizer': 'adam'})
    """

    def __init__(self, distributions: Mapping[str, Any]) -> None:
        if not isinstance(distributions, Mapping) or not distributions:
            raise SettingError(
                f'space is a mapping such as {{"optimizer.lr": cr.log_uniform(1e-4, 1.0)}}, got {distributions!r}.'
            )
        entries = {str(name): _read_entry(str(name), value) for name, value in distributions.items()}
        self._coordinate_numbers = {name: i for i, name in enumerate(entries)}  # of a point, by name
        self.entries: dict[str, tuple[Distribution, ...]] = {}
        parents = {name: _parents_of(name, entries) for name in entries}
        while waiting := [name for name in entries if name not in self.entries]:
            ready = [name for name in waiting if all(parent in self.entries for parent in parents[name])]
            if not ready:
                raise SettingError(f"The conditions of {', '.join(waiting)} depend on each other in a circle.")
            self.entries |= {name: entries[name] for name in ready}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    @property
    def conditional(self) -> bool:
        """Whether some settings are asked for only sometimes."""
        return any(
            distribution.condition is not None
            for distributions in self.entries.values()
            for distribution in distributions
        )

    def walk(self, pick: Callable[[str, Distribution], Any]) -> dict[str, Any]:
        """Return the values that ``pick`` gives for each setting that is asked for."""
        values: dict[str, Any] = {}
        for name in self.entries:
            if (distribution := self.active(name, values)) is not None:
                values[name] = pick(name, distribution)
        return values

    def active(self, name: str, values: Mapping[str, Any]) -> Distribution | None:
        """Return the distribution of a setting where others have these values; None where it is not asked for."""
        for distribution in self.entries[name]:
            if distribution.condition is None or distribution.condition.holds(values):
                return distribution
        return None

    def point(self, coordinates: Sequence[float]) -> dict[str, Any]:
        """Return the values at a point of the unit cube: a coordinate for each setting, in the order given."""
        return self.walk(lambda name, distribution: distribution.at(float(coordinates[self._coordinate_numbers[name]])))

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Return the values that a trial of Optuna draws."""
        return self.walk(lambda name, distribution: distribution.suggest(trial, name))

    def options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that labels in a study stand for."""
        return {name: self.entries[name][0].option(value) for name, value in values.items()}

    def grid(self, levels: int) -> list[dict[str, Any]]:
        """Return all combinations of values, with at most so many of each range."""
        points: list[dict[str, Any]] = [{}]
        for name in self.entries:
            extended = []
            for values in points:
                if (distribution := self.active(name, values)) is None:
                    extended.append(values)
                else:
                    extended += [values | {name: value} for value in distribution.spread(levels)]
            points = extended
        return points

    def probes(self) -> list[dict[str, Any]]:
        """Return a few points in which every end of every range and every option occurs."""
        points: list[dict[str, Any]] = []
        for name, distributions in self.entries.items():
            for distribution in distributions:
                for parent_values in self._parent_values(distribution):
                    for value in distribution.ends():
                        fixed = parent_values | {name: value}
                        point = self.walk(lambda n, d, fixed=fixed: fixed.get(n, d.ends()[0]))  # type: ignore[misc]
                        if point not in points:
                            points.append(point)
        return points

    def _parent_values(self, distribution: Distribution) -> list[dict[str, Any]]:
        """Return values of other settings with which a distribution is asked for, one for each of its condition."""
        if distribution.condition is None:
            return [{}]
        name, labels = distribution.condition.name, distribution.condition.labels
        return [
            {name: label} | values
            for label in labels
            for parent in self.entries[name]
            for values in self._parent_values(parent)
        ]

    def narrowed(self, best: Sequence[Mapping[str, Any]]) -> Space:
        """Return the space around some points: of each range the span of their values, of each choice their options."""
        space = object.__new__(Space)
        space._coordinate_numbers = self._coordinate_numbers
        space.entries = {}
        for name, distributions in self.entries.items():
            space.entries[name] = tuple(
                part.narrowed([values[name] for values in best if name in values and self.active(name, values) is part])
                for part in distributions
            )
        return space

    def described(self) -> dict[str, str]:
        """Return each distribution as text that tells it from others."""
        return {name: ", ".join(map(repr, self.entries[name])) for name in sorted(self.entries)}


def _read_entry(name: str, value: Any) -> tuple[Distribution, ...]:
    """Return the distributions of a setting; raise `SettingError` for others, whatever else is in the space."""
    entry = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not entry or not all(isinstance(part, Distribution) for part in entry):
        hint = f"cr.choice({', '.join(map(repr, entry))})" if len(entry) > 1 else "cr.log_uniform(1e-4, 1.0)"
        raise SettingError(
            f"space: {name!r} is {value!r}; write a distribution, such as {hint}. What is the same in all trials is "
            "an argument of search."
        )
    if len(entry) > 1:
        kinds = {(type(part), getattr(part, "log", None)) for part in entry}
        if any(part.condition is None for part in entry) or len(kinds) > 1 or isinstance(entry[0], Choice):
            raise SettingError(
                f"space: several distributions for {name!r} must each have a condition and be ranges of one kind: "
                f'[cr.log_uniform(0.01, 10).when("optimizer", "sgd"), '
                f'cr.log_uniform(1e-4, 0.1).when("optimizer", "adam")].'
            )
    return entry


def _parents_of(name: str, entries: Mapping[str, tuple[Distribution, ...]]) -> list[str]:
    """Return the settings that the conditions of a name ask about; raise `SettingError` if they never hold."""
    parents = []
    for distribution in entries[name]:
        condition = distribution.condition
        if condition is None:
            continue
        if condition.name not in entries:
            raise SettingError(
                f"space: {name!r} depends on {condition.name!r}, which is not in the space"
                f"{did_you_mean(condition.name, entries)}"
            )
        for parent in entries[condition.name]:
            for label in condition.labels:
                if not parent.has(label):
                    raise SettingError(
                        f"space: {name!r} is asked for when {condition.name!r} is {label!r}, which it never is: "
                        f"{condition.name} is {parent!r}."
                    )
        parents.append(condition.name)
    return parents
