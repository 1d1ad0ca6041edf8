"""Settings as Python, to paste: with the names by which users reach them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.activations import Activation
from chainrule.layers import Residual
from chainrule.optimizers.external import Optax
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.settings import Settings, arguments_of, is_ours
from chainrule.symptoms.net_changes import CONTAINERS

__all__ = ["Unwritable", "python_of"]

#: Where the members of a family are found.
MODULES = {
    "activation": "activations.",
    "augmentation": "augment.",
    "initializer": "initializers.",
    "layer": "",
    "loss": "losses.",
    "optimizer": "",
    "schedule": "schedules.",
}


class Unwritable(Exception):
    """A value that has no name in Python's text, such as a lambda."""


def python_of(value: Any) -> str:
    """Return a setting as Python makes it; raises `Unwritable` for what has no name.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.python_code import python_of
    >>> print(python_of(cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.2))))
    cr.Sequential(cr.Dense(8, 'relu'), cr.Dropout(0.2))
    """
    function = getattr(value, "function", None)
    if isinstance(value, Settings) and is_ours(type(value)) and callable(function):  # what was made of a function
        return python_of(function)
    if isinstance(value, CONTAINERS):
        arguments = [python_of(layer) for layer in value.layers]
        if isinstance(value, Residual) and value.shortcut is not None:
            arguments.append(f"shortcut={python_of(value.shortcut)}")
        return f"{_name(value)}({', '.join(arguments)})"
    if isinstance(value, Activation) and value == type(value)() and is_ours(type(value)):
        return repr(value.name)
    if isinstance(value, Settings | EarlyStopping) and not isinstance(value, Optax):
        arguments = arguments_of(value, python_of, by_name=not isinstance(value, Settings))
        return f"{_name(value)}({', '.join(arguments)})"
    if type(value) in (tuple, list):
        inner = ", ".join(map(python_of, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{python_of(key)}: {python_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, np.ndarray):
        return python_of(value.tolist())
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    name = getattr(value, "__name__", "")
    if callable(value) and name.isidentifier():
        return str(name)
    raise Unwritable(f"{value!r} cannot be written as Python.")


def _name(value: Any) -> str:
    """Return how a class is reached: one of the user's own by its bare name."""
    kind = type(value)
    if not is_ours(kind):
        return kind.__name__
    return f"cr.{MODULES[value.family] if isinstance(value, Settings) else ''}{kind.__name__}"
