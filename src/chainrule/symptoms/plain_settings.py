"""Settings of any kind as plain values, ready for JSON, and back: what cannot be written becomes its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.recipe.callbacks import EarlyStopping
from chainrule.settings import Settings

__all__ = ["Unwritten", "read_setting", "written_setting"]


@dataclass(frozen=True)
class Unwritten:
    """A setting that a file could not hold, such as a function: its text is known, and no more."""

    text: str

    def __repr__(self) -> str:
        return self.text


def written_setting(value: Any) -> Any:
    """Return a setting as plain values: networks, optimizers and the like with their family; never raises.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.plain_settings import read_setting, written_setting
    >>> read_setting(written_setting(cr.Adam(lr=0.5)))
    Adam(0.5)
    >>> read_setting(written_setting(cr.Dense(3, lambda z: z)))
    Dense(3, <function <lambda> at ...>)
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Unwritten):
        return {"text": value.text}
    if isinstance(value, EarlyStopping):
        return {"family": "early_stopping", **vars(value)}
    if type(value) in (tuple, list):
        return [written_setting(each) for each in value]
    if isinstance(value, Mapping):
        return {"items": [[written_setting(key), written_setting(each)] for key, each in value.items()]}
    if isinstance(value, Settings):
        try:
            plain = {"family": value.family, **value.to_dict()}
            _ = type(value).registry[value.name]
            return plain
        except Exception:  # made of functions
            pass
    return {"text": repr(value)}


def read_setting(plain: Any) -> Any:
    """Return what `written_setting` described; never raises."""
    if isinstance(plain, list):
        return tuple(read_setting(each) for each in plain)
    if not isinstance(plain, Mapping):
        return plain
    if "items" in plain:
        return {read_setting(key): read_setting(each) for key, each in plain["items"]}
    rest = {key: value for key, value in plain.items() if key != "family"}
    try:
        if plain.get("family") == "early_stopping":
            return EarlyStopping(**rest)
        if "family" in plain:
            families: dict[str, Any] = {cls.family: cls for cls in Settings.__subclasses__()}
            return families[plain["family"]].from_dict(rest)
    except Exception:  # a class that does not exist here
        return Unwritten(str(plain.get("text", dict(plain))))
    return Unwritten(str(plain.get("text", dict(plain))))
