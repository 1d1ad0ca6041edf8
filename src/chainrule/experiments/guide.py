"""The way of working of lecture 003 for data by its name or path, with the presets' network."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Any

from chainrule.doctor.guide import Guide, walk
from chainrule.experiments.calls import errors_for_python, settings_of_call, typed_names
from chainrule.experiments.plan import make_plan
from chainrule.experiments.settings import ExperimentSettings

__all__ = ["command", "guide", "walk_through"]


def guide(
    data: Any, target: str | None = None, *, budget: float = 60.0, progress: bool = True, **settings: Any
) -> Guide:
    """Walk through the way of working of lecture 003: from simple rules over a sensible rate to a search.

    Simple rules, sixteen rows by heart, a part of the rows, a sensible learning rate, λ from 0 up, early stopping, and
    then the search: each step has its check, its figure, and how to go on.

    Parameters
    ----------
    data, target, settings
        As for `chainrule.train`.
    budget
        Seconds: a step that does not fit is not done. Ctrl-C gives what there is.
    progress
        Show on standard error what is being done.

    Returns
    -------
    Guide
        ``steps``, each with ``verdict``, ``text`` and ``go_on``; ``settings``, what was found; print it.

    Example
    -------
    >>> import chainrule as cr
    >>> guide = cr.experiments.guide("iris", budget=0.0, progress=False)
    >>> [step.name for step in guide.steps][:2], guide.steps[-1].go_on[:26]
    (['baseline', 'by heart'], "cr.experiments.search('iri")
    """
    with errors_for_python():
        values, in_memory = settings_of_call(data, target, settings, "guide")
        name = repr(data) if in_memory is None else "data"

        def go_on(verb: str, chosen: Mapping[str, Any]) -> str:
            return _as_call(verb, name, {"target": target} | settings, chosen)

        return walk_through(
            ExperimentSettings(**values),
            typed_names(values),
            data=in_memory,
            budget=budget,
            progress=progress,
            go_on=go_on,
        )


def walk_through(settings: ExperimentSettings, typed: Collection[str] = (), *, data: Any = None, **how: Any) -> Guide:
    """Walk through with what settings say; ``typed`` names those that were asked for."""
    plan = make_plan(settings, typed, data=data)
    return walk(plan.model.net, plan.training_data, name=plan.data.name, **dict(plan.fit_kwargs), **how)


def command(verb: str, data: str, typed: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    """Return how to go on, as a command.

    >>> command("train", "people.csv", {"target": "pay", "drop": ("id",)}, {"lr": 0.01})
    'chainrule train people.csv --target pay --drop id --lr 0.01'
    >>> command("search", "digits", {}, {"lr": 0.01})
    'chainrule search digits --space lr=0.002..0.05'
    """
    options = {name: value for name, value in typed.items() if name not in chosen}
    if verb == "linear":
        options = {name: value for name, value in options.items() if name not in ("hidden", "dropout", "activation")}
        verb, chosen = "train", {"preset": "linear"}
    elif verb == "search":
        chosen = {name: value for name, value in chosen.items() if name not in ("lr", "l2")} | {"space": _space(chosen)}
    words = ["chainrule", verb, data]
    for name, value in (options | dict(chosen)).items():
        for each in value if isinstance(value, tuple | list) else (value,):
            option = f"--{name.replace('_', '-')}"
            if isinstance(each, bool):
                words.append(option if each else option.replace("--", "--no-", 1))
            else:
                words += [option, f"{each:g}" if isinstance(each, float) else str(each)]
    return shlex.join(words)


def _as_call(verb: str, data: str, settings: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    """Return how to go on, as a call in Python."""
    function = {"search": "cr.experiments.search", "doctor": "cr.diagnose"}.get(verb, "cr.train")
    if verb == "search":
        chosen = {name: value for name, value in chosen.items() if name not in ("lr", "l2")} | {"space": _space(chosen)}
    elif verb == "linear":
        chosen = {"preset": "linear"}
    chosen = {name: value for name, value in settings.items() if value is not None} | dict(chosen)
    return f"{function}({', '.join([data, *(f'{name}={value!r}' for name, value in chosen.items())])})"


def _space(chosen: Mapping[str, Any]) -> str:
    """Return the settings to search, around what was found."""
    rate = chosen.get("lr", 1e-3)
    space = f"lr={rate / 5:.1g}..{rate * 5:.1g}"
    return f"{space},l2={chosen['l2'] / 10:.1g}..{chosen['l2'] * 10:.1g}" if chosen.get("l2") else space
