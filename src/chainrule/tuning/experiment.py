"""What a search trains: the values of a trial as the differences of a member, checked before anything is trained."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping
from typing import Any

from chainrule.data import Dataset
from chainrule.errors import ChainruleError, DataError, SettingError, ShapeError, UnknownNameError, did_you_mean
from chainrule.fields import settings_of
from chainrule.layers import Layer
from chainrule.metrics import columns_of
from chainrule.models import Model
from chainrule.population import PopulationTrainer
from chainrule.recipe.run_data import pair_of
from chainrule.recipe.settings_paths import ROOTS, resolve_part, root_of
from chainrule.run_settings import TrainingSettings
from chainrule.settings import paths, type_at
from chainrule.training.fingerprint import fingerprint
from chainrule.tuning.distributions import Distribution, Integer, Real
from chainrule.tuning.identity import identity_of_data, stable_text
from chainrule.tuning.space import Space

#: Why other settings of `fit` are the same in all trials.
COMMON = {
    "seed": "all trials have the same, so that they differ in nothing but their settings",
    "validation": "all trials are compared on the same rows",
    "sample_weight": "all trials are trained on the same data",
    "precision": "give it as an argument of search",
}

#: Settings of `fit` that may differ between trials.
SEARCHED = ("net", *(name for name in settings_of(TrainingSettings) if name not in COMMON))


class Experiment:
    """A network, data and settings, of which a space changes some.

    Parameters
    ----------
    net : a layer or model, or a function of settings of the space (and of ``data``, if it has such an argument)
    data : as for `fit`
    space : of the search
    settings : of `fit`, common to all trials
    metric : what trials are compared by; None: accuracy or mean absolute error on the validation data
    options : of `PopulationTrainer`

    Attributes
    ----------
    notes : what should be known about the data of the trials, as sentences
    """

    def __init__(
        self,
        net: Any,
        data: Any,
        space: Space,
        settings: Mapping[str, Any],
        metric: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.net, self.data, self.space, self.settings = net, data, space, dict(settings)
        self.options = dict(options or {})
        self.net_arguments = self._net_arguments()
        self._check_names()
        self.trainer = PopulationTrainer(net, data, **self.settings, **self.options)
        first = self._probe_space()
        self.metric = self._metric(metric, first.prepared_run.recipe.task)
        self.notes: tuple[str, ...] = first.prepared_run.prepared.notes
        validation = first.prepared_run.prepared.validation
        if validation is None:
            raise SettingError("search compares trials on validation data: give validation=0.2, or (x, y).")
        self.validation_rows = len(validation.x)

    def member(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the differences of the member that is trained for these labels."""
        options = self.space.options(values)
        differences = {name: option for name, option in options.items() if name not in self.net_arguments}
        if self.net_arguments:
            arguments = {name: option for name, option in options.items() if name in self.net_arguments}
            if "data" in self.net_arguments:
                differences["net"] = functools.partial(_make_for_data, self.net, arguments)
            else:
                differences["net"] = _check_layer(self.net, self.net(**arguments), arguments)
        return differences

    def labels(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the labels that stand for settings in a study."""
        return {name: self.space.entries[name][0].label(option) for name, option in settings.items()}

    def identity(self, **further: Any) -> dict[str, str]:
        """Return what tells this experiment from others, as text for each part."""
        parts = identity_of_data(self.data) | {"network": stable_text(self.net)}
        for name, value in sorted(self.settings.items()):
            if name == "validation" and isinstance(value, tuple | list | Dataset):
                x, y = pair_of(value)
                parts |= {f"validation, {key}": text for key, text in fingerprint(x=x, y=y).items()}
            elif name == "sample_weight" and value is not None:
                parts |= fingerprint(sample_weight=value)
            else:
                parts[name] = stable_text(value)
        parts |= {f"space: {name}": text for name, text in self.space.described().items()}
        return parts | {"metric": self.metric} | {name: stable_text(value) for name, value in further.items()}

    def _net_arguments(self) -> tuple[str, ...]:
        """Return the settings that the network is a function of; () if it is none."""
        if isinstance(self.net, Layer | Model) or not callable(self.net):
            return ()
        parameters = inspect.signature(self.net).parameters.values()
        known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if any(p.kind == p.VAR_KEYWORD for p in parameters):
            known += [name for name in self.space if "." not in name and name not in SEARCHED]
        taken = [name for name in known if name in SEARCHED]
        if taken and any(name in self.space for name in taken):
            raise SettingError(f"The network is a function of {taken[0]!r}, which is a setting of fit, too: rename it.")
        if not any(name in self.space for name in known):
            return ()
        for p in parameters:
            if p.default is p.empty and p.name in known and p.name != "data":
                self._check_argument(p.name, known)
        return tuple(known)

    def _check_argument(self, name: str, known: list[str]) -> None:
        """Raise `SettingError` unless every trial has a value for an argument of the network."""
        if name not in self.space:
            raise SettingError(
                f"The network is a function of {', '.join(known)}: space lacks {name!r}. Add it, or give it a default."
            )
        if all(d.condition is not None for d in self.space.entries[name]) and any(
            name not in probe for probe in self.space.probes()
        ):
            raise SettingError(f"The network is a function of {name!r}, which not all trials have: give it a default.")

    def _check_names(self) -> None:
        """Raise `SettingError` for a name of the space that is no setting to search."""
        known = [*SEARCHED, *self.net_arguments, *self._paths()]
        for name in self.space:
            root = root_of(name)
            if name in self.net_arguments or name in SEARCHED:
                continue
            if name in COMMON:
                raise SettingError(f"space: {name!r} cannot be searched: {COMMON[name]}.")
            if root in ROOTS and name != root:
                if root == "net" and self.net_arguments:
                    raise SettingError(f"space: {name!r}: the network is a function; make it an argument of that.")
                continue  # what a path leads to is seen when it is followed
            same = [path for path in known if path.endswith(f".{name}")]  # someone has left out the way to it
            hint = f"; did you mean {same[0]!r}?" if same else did_you_mean(name, known)
            raise SettingError(f"space: there is no setting {name!r}{hint}")

    def _paths(self) -> list[str]:
        """Return the paths into network and settings, to offer the nearest."""
        parts = {root: resolve_part(root, self.settings.get(root)) for root in ROOTS} | {"net": self.net}
        return [path for root, part in parts.items() for path in paths(part, root)]

    def _probe_space(self) -> Any:
        """Make a member for every end of every range and every option: an error now is none after an hour.

        Returns the first of them.
        """
        first = None
        for values in self.space.probes():
            self._check_structure(values)
            text = ", ".join(f"{name}={value!r}" for name, value in values.items())
            try:
                member = self.trainer.add_members([self.member(values)])[0]
            except (SettingError, UnknownNameError, ShapeError, DataError) as error:
                if first is None and not isinstance(error, SettingError | UnknownNameError):
                    raise  # the data and the network do not fit, whatever the values are
                hint = self._condition_hint(error)
                raise SettingError(f"space: a trial with {text} cannot be trained: {error}{hint}") from None
            if first is None:
                first = member
            else:
                member.drop_state()
        return first

    def _condition_hint(self, error: ChainruleError) -> str:
        """Return the advice to ask for a setting of the optimizer only where the optimizer has it; or nothing."""
        lacks = re.search(r"has no setting '(\w+)'", str(error))
        if lacks and "optimizer" in self.space and (name := f"optimizer.{lacks[1]}") in self.space:
            return f" Ask for it only where it is used: space[{name!r}] = ….when('optimizer', …)."
        return ""

    def _check_structure(self, values: Mapping[str, Any]) -> None:
        """Raise `SettingError` for a range of numbers where a setting is none: each value would be another program."""
        for name in values:
            distribution = self.space.active(name, values)
            if isinstance(distribution, Real) and name not in self.net_arguments:
                kind = self._type_of(name, values)
                if kind is not None and "float" not in kind:
                    raise SettingError(_structural_message(name, kind, distribution))
            if isinstance(distribution, Real | Integer) and name in ROOTS:
                raise SettingError(f"space: {name!r} is no number: use cr.choice(…), or a path such as '{name}.…'.")

    def _type_of(self, name: str, values: Mapping[str, Any]) -> str | None:
        """Return the type of a setting, as text; None where it is not known here."""
        if name in SEARCHED:
            kind = "name" if name == "net" else settings_of(TrainingSettings)[name].types[0]
            return kind if kind in ("int", "float") else "name"
        root, _, rest = name.partition(".")
        part = self.space.options(values).get(root, self.net if root == "net" else self.settings.get(root))
        try:
            return type_at(resolve_part(root, part), rest)
        except ChainruleError:
            return None

    def _metric(self, metric: str | None, task: str) -> str:
        """Return the metric, or the one that fits the task; raise `SettingError` for one that does not fit."""
        known = columns_of(task, ["val_", ""])
        name = metric or known[0]
        if name not in known:
            raise SettingError(f"metric: {name!r} is not measured for {task}{did_you_mean(name, known)}")
        different = [setting for setting in self.space if root_of(setting) == "loss" or setting == "normalize_target"]
        if name.endswith("loss") and different:
            raise SettingError(
                f"metric: trials with different {different[0]!r} cannot be compared by {name!r}: use {known[0]!r}."
            )
        return name


def _structural_message(name: str, kind: str, distribution: Distribution) -> str:
    low, high = distribution.ends()
    whole = f"cr.integer({max(1, round(low))}, {max(2, round(high))}) or " if "int" in kind else ""
    return (
        f"space: {name!r} is structural: each value needs a program of its own, so it is not drawn from a continuous "
        f"range such as {distribution!r}. Use {whole}cr.choice(…)."
    )


def _make_for_data(net: Any, arguments: Mapping[str, Any], data: Dataset) -> Layer:
    """Return the network for a data set, as a population asks for it."""
    return _check_layer(net, net(data=data, **arguments), arguments)


def _check_layer(net: Any, layer: Any, arguments: Mapping[str, Any]) -> Layer:
    if not isinstance(layer, Layer):
        text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise SettingError(
            f"The function that makes the network returns a layer; {net.__name__}({text}) gave {layer!r}."
        )
    return layer
