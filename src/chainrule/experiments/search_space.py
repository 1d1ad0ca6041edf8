"""From settings as they are typed to those of `chainrule.tuning.search`, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.data import Dataset
from chainrule.errors import SettingError
from chainrule.experiments.plan import Plan
from chainrule.experiments.presets import complete, network, optimizer
from chainrule.experiments.settings import ExperimentSettings
from chainrule.experiments.space_syntax import OF_THE_NETWORK, Axis, read
from chainrule.layers import Layer
from chainrule.schedules import Schedule
from chainrule.training import Run
from chainrule.tuning.distributions import Choice, Distribution, Integer, Real

#: Settings of the optimizer that have an option of their own.
OF_THE_OPTIMIZER = ("lr", "momentum", "weight_decay")


class Network:
    """The network as a function of those of its settings that are searched.

    A study tells experiments apart by the name of the function: it holds the settings that stay.
    """

    def __init__(self, settings: ExperimentSettings, data: Dataset, searched: Sequence[str]) -> None:
        self.settings, self.data = settings, data
        fixed = [name for name in ("preset", "output", *OF_THE_NETWORK) if name not in searched]
        self.__qualname__ = f"network({', '.join(f'{name}={getattr(settings, name)!r}' for name in fixed)})"

    def __call__(self, **chosen: Any) -> Layer:
        return network(dataclasses.replace(self.settings, **chosen), self.data)


class SpaceMapping:
    """The space of a search, and what its settings are called where they are typed and where they are searched.

    Attributes
    ----------
    net : what the search is given: a layer, or a function of the settings of the network that are searched
    space : distributions by the names that the search knows
    """

    def __init__(self, plan: Plan, axes: Sequence[Axis]) -> None:
        self.plan, self.axes = plan, tuple(axes)
        names = [axis.name for axis in axes]
        of_network = [name for name in names if name in OF_THE_NETWORK]
        if of_network and plan.settings.net is not None:
            raise SettingError(f"--space: {of_network[0]} belongs to a preset, and the network is given in the file.")
        if of_network and any(name.startswith("net.") for name in names):
            raise SettingError(
                f"--space: {of_network[0]} makes the network anew; it does not go together with paths into it (net.…)."
            )
        self.net: Any = Network(plan.settings, plan.data, of_network) if of_network else plan.model.net
        self.names = {axis.name: self._name(axis.name) for axis in axes}
        self.optimizers = {
            option: optimizer(self._with_optimizer(option))
            for axis in axes
            if axis.name == "optimizer"
            for option in axis.options
        }
        self.space = {self.names[axis.name]: self._distribution(axis) for axis in axes}

    def typed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings of a trial as they are typed: numbers, or the text of an option."""
        values = {}
        for axis in self.axes:
            name = self.names[axis.name]
            if name not in settings:
                continue
            distribution, value = self.space[name], settings[name]
            if isinstance(distribution, Choice):
                value = axis.options[distribution.labels.index(distribution.label(value))]
            values[axis.name] = value
        return values

    def settings(self, typed: Mapping[str, Any], run: Run) -> ExperimentSettings:
        """Return the settings that train such a network again."""
        settings = self.plan.settings
        if "optimizer" in typed:
            settings = self._with_optimizer(typed["optimizer"])
        chosen = {axis.name: read(axis.name, typed[axis.name]) if axis.options else typed[axis.name]
                  for axis in self.axes if axis.name in typed}  # fmt: skip
        plain = {name: value for name, value in chosen.items() if "." not in name and name != "optimizer"}
        settings = dataclasses.replace(settings, **plain)
        if any("." in name for name in chosen):  # no option has such a setting: the recipes themselves hold it
            settings = dataclasses.replace(
                settings,
                lr=None,
                momentum=None,
                weight_decay=None,
                net=run.model.net.to_dict(),
                loss=run.recipe.loss.to_dict(),
                optimizer=run.recipe.optimizer.to_dict(),
                augment=None if run.recipe.augment is None else run.recipe.augment.to_dict(),
                schedule="constant",
            )
        return settings

    def _with_optimizer(self, name: str) -> ExperimentSettings:
        """Return the settings with another optimizer: with the learning rate that is right for it, unless one
        is given.
        """
        plan = self.plan
        settings = complete(dataclasses.replace(plan.requested, optimizer=name), plan.data)
        fields = ("optimizer", *OF_THE_OPTIMIZER)
        return dataclasses.replace(plan.settings, **{field: getattr(settings, field) for field in fields})

    def _name(self, name: str) -> str:
        if name == "lr" and isinstance(rate := self.plan.fit_kwargs["optimizer"].lr, Schedule):
            return f"optimizer.lr.{dataclasses.fields(type(rate))[0].name}"  # type: ignore[arg-type]
        return f"optimizer.{name}" if name in OF_THE_OPTIMIZER else name

    def _distribution(self, axis: Axis) -> Distribution:
        distribution: Distribution
        if axis.name == "optimizer":
            distribution = Choice(tuple(self.optimizers[option] for option in axis.options))
        elif axis.options:
            distribution = Choice(tuple(read(axis.name, option) for option in axis.options))
        else:
            assert axis.low is not None
            assert axis.high is not None
            distribution = (
                Integer(int(axis.low), int(axis.high), axis.log) if axis.whole else Real(axis.low, axis.high, axis.log)
            )
        root, _, field = self.names[axis.name].partition(".")
        if root == "optimizer" and field and self.optimizers:  # asked for where the optimizer has such a setting
            having = [o for o in self.optimizers.values() if hasattr(o, field.partition(".")[0])]
            if not having:
                raise SettingError(
                    f"--space: none of the optimizers {', '.join(self.optimizers)} has a setting {field!r}."
                )
            if len(having) < len(self.optimizers):
                condition = distribution.when("optimizer", *having).condition
                distribution = dataclasses.replace(distribution, condition=condition)
        return distribution
