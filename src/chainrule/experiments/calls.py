"""Calls of the commands from Python: keywords become settings as a file has them, and errors say what Python writes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.experiments.settings import ExperimentSettings, parse_text
from chainrule.keywords import unknown_keywords
from chainrule.recipe.callbacks import EarlyStopping

#: The settings that `chainrule.train` takes.
FIELDS = {field.name for field in dataclasses.fields(ExperimentSettings)}


def settings_of_call(
    data: Any, target: str | None, settings: Mapping[str, Any], command: str, known: Collection[str] = FIELDS
) -> tuple[dict[str, Any], Any]:
    """Return settings as a file has them, with the name or path of the data; and the data if it is given itself."""
    if unknown := [name for name in settings if name not in known]:
        raise unknown_keywords(command, unknown, known)
    values = {name: _plain(name, value) for name, value in settings.items() if value is not None}
    if target is not None:
        values["target"] = target
    if isinstance(data, str | os.PathLike):
        return {"data": os.fspath(data)} | values, None
    return values, data


def _plain(name: str, value: Any) -> Any:
    """Return a setting as a file has it: recipes as tables, sequences as tuples."""
    value = parse_text(name, str(value) if name == "hidden" and isinstance(value, int) else value)
    if name == "early_stopping" and isinstance(value, bool):
        value = EarlyStopping() if value else 0
    if hasattr(value, "to_dict"):
        recipe = value.to_dict()
        return recipe["type"] if list(recipe) == ["type"] else recipe
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    return tuple(value) if isinstance(value, list) else value


def typed_names(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the options that say these settings."""
    return tuple("column" if name == "columns" else name for name in values)


def check_options(options: Mapping[str, Any], command: str, known: Collection[str]) -> None:
    """Raise `KeywordError` for an option that a command does not have."""
    if unknown := [name for name in options if name not in known]:
        raise unknown_keywords(command, unknown, known)


#: A command as it is typed (left as it is), or an option with its value.
_OPTION = re.compile(r"chainrule [a-z]+ \S+|--([a-z0-9]+(?:-[a-z0-9]+)*)(?: (?=['\"\d]|[A-Z]+\b))?")


@contextlib.contextmanager
def errors_for_python() -> Iterator[None]:
    """Say as an argument what errors say to type as an option (``--early-stopping 5``)."""
    try:
        yield
    except ChainruleError as error:
        error.args = tuple(for_python(arg) if isinstance(arg, str) else arg for arg in error.args)
        raise


def for_python(text: str) -> str:
    """Return a message of the command line as it is for Python.

    >>> for_python("Name it: --target 'pet'. Leave out --image-size.")
    "Name it: target='pet'. Leave out image_size."
    """

    def argument(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return match[1].replace("-", "_") + ("=" if match[0].endswith(" ") else "")

    return _OPTION.sub(argument, text)
