"""What is trained for a trial: its values as differences of a member, checked before anything is trained."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import losses, optimizers
from chainrule.data import Dataset
from chainrule.errors import ChainruleError, DataError, SettingError, ShapeError, UnknownNameError, did_you_mean
from chainrule.layers import Layer
from chainrule.metrics import columns_of
from chainrule.models import Model
from chainrule.population import PopulationTrainer
from chainrule.settings import Settings
from chainrule.tables.table import Table
from chainrule.training.fingerprint import fingerprint
from chainrule.training.run_data import pair_of
from chainrule.tree import leaves_with_path
from chainrule.tuning.space import Distribution, Integer, Real, Space

#: Settings of `fit` that may differ between trials, and those of them that are numbers of a range.
SEARCHED = (
    "net",
    "loss",
    "optimizer",
    "epochs",
    "batch_size",
    "l1",
    "l2",
    "augment",
    "normalize",
    "normalize_target",
    "early_stopping",
    "class_weight",
    "micro_batches",
)
CONTINUOUS = ("l1", "l2")

#: What a path may begin with.
ROOTS = ("net", "optimizer", "loss", "augment", "early_stopping")

#: Why other settings of `fit` are the same in all trials.
COMMON = {
    "seed": "all trials have the same, so that they differ in nothing but their settings",
    "validation": "all trials are compared on the same rows",
    "sample_weight": "all trials are trained on the same data",
    "precision": "give it as an argument of search",
}


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
        self.makes = self._arguments()
        self._check_names()
        self.trainer = PopulationTrainer(net, data, **self.settings, **self.options)
        first = self._probe()
        self.metric = self._metric(metric, first.job.recipe.task)
        self.notes: tuple[str, ...] = first.job.prepared.notes
        validation = first.job.prepared.validation
        if validation is None:
            raise SettingError("search compares trials on validation data: give validation=0.2, or (x, y).")
        self.validated = len(validation.x)

    def member(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the differences of the member that is trained for these labels."""
        options = self.space.options(values)
        given = {name: option for name, option in options.items() if name not in self.makes}
        if self.makes:
            arguments = {name: option for name, option in options.items() if name in self.makes}
            if "data" in self.makes:
                given["net"] = functools.partial(_make, self.net, arguments)
            else:
                given["net"] = _layer(self.net, self.net(**arguments), arguments)
        return given

    def labels(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the labels that stand for settings in a study."""
        return {name: self.space.entries[name][0].label(option) for name, option in settings.items()}

    def identity(self, **further: Any) -> dict[str, str]:
        """Return what tells this experiment from others, as text for each part."""
        found = _of_data(self.data) | {"network": _text(self.net)}
        for name, value in sorted(self.settings.items()):
            if name == "validation" and isinstance(value, tuple | list | Dataset):
                x, y = pair_of(value)
                found |= {f"validation, {key}": text for key, text in fingerprint(x=x, y=y).items()}
            elif name == "sample_weight" and value is not None:
                found |= fingerprint(sample_weight=value)
            else:
                found[name] = _text(value)
        found |= {f"space: {name}": text for name, text in self.space.described().items()}
        return found | {"metric": self.metric} | {name: _text(value) for name, value in further.items()}

    def _arguments(self) -> tuple[str, ...]:
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
                self._check_given(p.name, known)
        return tuple(known)

    def _check_given(self, name: str, known: list[str]) -> None:
        if name not in self.space:
            raise SettingError(
                f"The network is a function of {', '.join(known)}: space lacks {name!r}. Add it, or give it a default."
            )
        if all(d.condition is not None for d in self.space.entries[name]) and any(
            name not in probe for probe in self.space.probes()
        ):
            raise SettingError(f"The network is a function of {name!r}, which not all trials have: give it a default.")

    def _check_names(self) -> None:
        known = [*SEARCHED, *self.makes, *self._paths()]
        for name in self.space:
            root = name.partition(".")[0]
            if name in self.makes or name in SEARCHED:
                continue
            if name in COMMON:
                raise SettingError(f"space: {name!r} cannot be searched: {COMMON[name]}.")
            if root in ROOTS and name != root:
                if root == "net" and self.makes:
                    raise SettingError(f"space: {name!r}: the network is a function; make it an argument of that.")
                continue  # what a path leads to is seen when it is followed
            same = [path for path in known if path.endswith(f".{name}")]  # someone has left out the way to it
            hint = f"; did you mean {same[0]!r}?" if same else did_you_mean(name, known)
            raise SettingError(f"space: there is no setting {name!r}{hint}")

    def _paths(self) -> list[str]:
        """Return the paths into what is given, to offer the nearest."""
        optimizer = optimizers.get(self.settings.get("optimizer", "adam"))
        return [
            path
            for root in ROOTS
            for path in _below(root, {"net": self.net, "optimizer": optimizer}.get(root, self.settings.get(root)))
        ]

    def _probe(self) -> Any:
        """Enlist a member for every end of every range and every option: an error now is none after an hour."""
        first = None
        for values in self.space.probes():
            self._check_structure(values)
            told = ", ".join(f"{name}={value!r}" for name, value in values.items())
            try:
                member = self.trainer.add_members([self.member(values)])[0]
            except (SettingError, UnknownNameError, ShapeError, DataError) as error:
                if first is None and not isinstance(error, SettingError | UnknownNameError):
                    raise  # the data and the network do not fit, whatever the values are
                hint = self._condition_hint(error)
                raise SettingError(f"space: a trial with {told} cannot be trained: {error}{hint}") from None
            if first is None:
                first = member
            else:
                member.drop_state()
        return first

    def _condition_hint(self, error: ChainruleError) -> str:
        lacks = re.search(r"has no setting '(\w+)'", str(error))
        if lacks and "optimizer" in self.space and (name := f"optimizer.{lacks[1]}") in self.space:
            return f" Ask for it only where it is used: space[{name!r}] = ….when('optimizer', …)."
        return ""

    def _check_structure(self, values: Mapping[str, Any]) -> None:
        """A range of numbers is for settings that are numbers; each value of another is a program of its own."""
        for name in values:
            distribution = self.space.active(name, values)
            if isinstance(distribution, Real) and name not in self.makes:
                kind = self._kind(name, values)
                if kind is not None and "float" not in kind:
                    raise SettingError(_structural(name, kind, distribution))
            if isinstance(distribution, Real | Integer) and name in ROOTS:
                raise SettingError(f"space: {name!r} is no number: use cr.choice(…), or a path such as '{name}.…'.")

    def _kind(self, name: str, values: Mapping[str, Any]) -> str | None:
        """Return the type of a setting, as text; None where it is not known here."""
        if name in SEARCHED:
            return "float" if name in CONTINUOUS else {"epochs": "int", "batch_size": "int"}.get(name, "name")
        root, *path = name.split(".")
        given = self.space.options(values).get(root, self.net if root == "net" else self.settings.get(root))
        try:
            if root == "optimizer":
                given = optimizers.get(given if given is not None else "adam")
            elif root == "loss" and given not in (None, "auto"):
                given = losses.get(given)
        except ChainruleError:
            return None
        for i, step in enumerate(path):
            if isinstance(given, tuple | list):
                given = given[int(step)] if step.isdigit() and int(step) < len(given) else None
                continue
            if not dataclasses.is_dataclass(given) or isinstance(given, type):
                return None
            fields = {field.name: field for field in dataclasses.fields(given)}
            if step not in fields:
                return None
            if i == len(path) - 1:
                return str(fields[step].type)
            given = getattr(given, step)
        return None

    def _metric(self, metric: str | None, task: str) -> str:
        known = columns_of(task, ["val_", ""])
        found = metric or known[0]
        if found not in known:
            raise SettingError(f"metric: {found!r} is not measured for {task}{did_you_mean(found, known)}")
        different = [n for n in self.space if n.partition(".")[0] == "loss" or n == "normalize_target"]
        if found.endswith("loss") and different:
            raise SettingError(
                f"metric: trials with different {different[0]!r} cannot be compared by {found!r}: use {known[0]!r}."
            )
        return found


def _structural(name: str, kind: str, distribution: Distribution) -> str:
    low, high = distribution.ends()
    whole = f"cr.integer({max(1, round(low))}, {max(2, round(high))}) or " if "int" in kind else ""
    return (
        f"space: {name!r} is structural: each value needs a program of its own, so it is not drawn from a continuous "
        f"range such as {distribution!r}. Use {whole}cr.choice(…)."
    )


def _below(path: str, value: Any) -> list[str]:
    """Return the paths to the settings of a recipe, and of those in it."""
    if isinstance(value, tuple):
        return [found for i, each in enumerate(value) for found in _below(f"{path}.{i}", each)]
    if not isinstance(value, Settings):
        return []
    names = [field.name for field in dataclasses.fields(value)]  # type: ignore[arg-type]
    deeper = [found for name in names for found in _below(f"{path}.{name}", getattr(value, name))]
    return [f"{path}.{name}" for name in names] + deeper


def _make(net: Any, arguments: Mapping[str, Any], data: Dataset) -> Layer:
    """Return the network for a data set: what a population calls."""
    return _layer(net, net(data=data, **arguments), arguments)


def _layer(net: Any, made: Any, arguments: Mapping[str, Any]) -> Layer:
    if not isinstance(made, Layer):
        told = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise SettingError(
            f"The function that makes the network returns a layer; {net.__name__}({told}) gave {made!r}."
        )
    return made


def _of_data(data: Any) -> dict[str, str]:
    if isinstance(data, Table):
        from pandas.util import hash_pandas_object

        rows = hash_pandas_object(data.head, index=False).to_numpy()
        about = {"target": data.target, "columns": _text({str(k): v for k, v in data.columns.items()})}
        return fingerprint(table=rows) | about | {"task": _text(data.task)}
    if isinstance(data, Dataset) and data.validation is not None:
        x, y = data.train
        held_out = {"validation x": data.x_validation, "validation y": data.y_validation}
        return fingerprint(x=x, y=y, **held_out)
    x, y = pair_of(data)
    return fingerprint(x=x, y=y)


def _text(value: Any) -> str:
    """Return a setting as text that is the same in another process."""
    if isinstance(value, Model):
        weights = {".".join(path): leaf for path, leaf in leaves_with_path(value.params)}
        hashes = " ".join(text.split()[-1] for text in fingerprint(**weights).values())
        return f"{value.net!r}, weights {hashes}"
    if callable(value) and not isinstance(value, Settings):
        try:
            code = np.frombuffer(inspect.getsource(value).encode(), np.uint8)
        except (OSError, TypeError):
            return getattr(value, "__qualname__", type(value).__qualname__)
        return f"{getattr(value, '__qualname__', 'a function')}, {fingerprint(code=code)['data: code'].split()[-1]}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
