"""What a user says about the columns of a table, which goes before the rules of `chainrule.tables.infer`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.errors import SettingError, unknown_name
from chainrule.tables.columns import KINDS, Column
from chainrule.tables.numbers import UNITS
from chainrule.tables.selection import CHOICES, PARTS

__all__ = ["leaves_out", "read_override", "unscaled"]

#: What a user may say about a column, and the values it may have.
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "kind": (*KINDS, "ignore"),
    "use": (True, False),
    "fill": CHOICES["fill"],
    "indicator": (True, False),
    "outliers": CHOICES["outliers"],
    "scale": CHOICES["scale"],
    "encode": CHOICES["encode"],
    "parts": PARTS,
    "decimal": (".", ","),
    "unit": ("", *UNITS),
    "day_first": (True, False),
}


def read_override(name: str, override: Any) -> dict[str, Any]:
    """Return an override as fields of `Column`, checked."""
    if isinstance(override, str):
        override = {"kind": override}
    elif isinstance(override, bool):
        override = {"use": override}
    elif isinstance(override, Column):
        override = {key: value for key, value in override.to_dict().items() if key in _SETTINGS}
    if not isinstance(override, Mapping):
        raise SettingError(
            f"The column {name!r}: expected a kind ({', '.join(KINDS)}), True, False or a table of settings, got "
            f"{override!r}."
        )
    fields = dict(override)
    for key, value in fields.items():
        if key not in _SETTINGS:
            raise unknown_name(f"setting of the column {name!r}:", key, _SETTINGS)
        if key == "parts":
            fields[key] = value = tuple(value) if isinstance(value, list | tuple) else (value,)
        for choice in value if key == "parts" else (value,):
            if isinstance(choice, bool) != isinstance(_SETTINGS[key][0], bool) or choice not in _SETTINGS[key]:
                if isinstance(_SETTINGS[key][0], bool):
                    raise SettingError(f"The column {name!r}: {key} is true or false, got {choice!r}.")
                raise unknown_name(f"{key} of the column {name!r}:", choice, _SETTINGS[key])
    if fields.get("kind") == "ignore":
        del fields["kind"]
        fields["use"] = False
    if fields.get("use") and fields.get("kind") in ("text", "identifier", "constant"):
        raise SettingError(
            f"The column {name!r} cannot be used as {fields['kind']}: say whether it is a number, boolean, "
            "category or date."
        )
    return fields


def leaves_out(override: Any) -> bool:
    """Return whether what a user says about a column leaves it out of the inputs.

    >>> leaves_out(False), leaves_out({"use": False}), leaves_out("category")
    (True, True, False)
    """
    if isinstance(override, Mapping):
        return override.get("use") is False or override.get("kind") == "ignore"
    return override is False or override == "ignore" or (isinstance(override, Column) and not override.use)


def unscaled(names: Iterable[str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides, by which numbers stay as they are where nothing says how they are scaled.

    >>> unscaled(["age", "size", "id"], {"size": "number", "id": False})
    {'size': {'scale': 'none', 'kind': 'number'}, 'id': False, 'age': {'scale': 'none'}}
    """
    changed = dict(overrides)
    for name in names:
        override = overrides.get(name, {})
        if isinstance(override, Column):
            override = override.to_dict()
        if not leaves_out(override):
            fields = (
                override
                if isinstance(override, Mapping)
                else {"use" if isinstance(override, bool) else "kind": override}
            )
            changed[name] = {"scale": "none", **fields}
    return changed
