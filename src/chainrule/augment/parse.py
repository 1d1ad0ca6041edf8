"""Augmentations as text: ``"shift:2,rotation:10"``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from chainrule.augment.base import Augmentation, FunctionAugmentation
from chainrule.augment.compose import Compose
from chainrule.errors import SettingError, did_you_mean
from chainrule.settings import find

__all__ = ["get", "names"]


def get(augmentation: Any) -> Augmentation:
    """Return an augmentation, however it is written.

    Parameters
    ----------
    augmentation
        A name (``"shift"``), names with strengths (``"shift:2,rotation:10"``, ``"elastic:1.4:4"``,
        ``"shift:1.5:whole=false"``), an object, a function (x, key) -> x, a table as ``to_dict`` describes it, or
        several of these in a list or tuple.

    Raises
    ------
    UnknownNameError, SettingError
        For a name that does not exist, with the nearest that does; for a strength that is no number or out of range.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.augment.get("rotation:5")
    Rotation(5.0)
    >>> cr.augment.get(("shift", cr.augment.Noise(0.05)))
    Compose((Shift(), Noise(0.05)))
    """
    if isinstance(augmentation, str):
        parts = tuple(_parse(text.strip()) for text in augmentation.split(","))
    elif isinstance(augmentation, list | tuple):
        parts = tuple(get(item) for item in augmentation)
        if not parts:
            raise SettingError("Got an empty list of augmentations; leave augment out, or name some: augment='shift'.")
    elif isinstance(augmentation, Mapping):
        return Augmentation.from_dict({k: v for k, v in augmentation.items() if k != "family"})
    else:
        return find(Augmentation, augmentation, function=FunctionAugmentation)
    return parts[0] if len(parts) == 1 else Compose(parts)


def names() -> tuple[str, ...]:
    """Return the names that text may hold, without those that mean the same.

    >>> import chainrule as cr
    >>> "shift" in cr.augment.names()
    True
    """
    return tuple(sorted({cls.name for cls in Augmentation.registry.values()} - {Compose.name}))


def _parse(text: str) -> Augmentation:
    """Return the augmentation of a name and its settings, in their order or by name.

    As ``"elastic:1.4:4"`` or ``"elastic:smoothness=4"``.
    """
    name, *rest = (word.strip() for word in text.split(":"))
    if not name:
        raise SettingError(f"An augmentation has no name in {text!r}; write them as 'shift:2,rotation:10'.")
    default = find(Augmentation, name)
    in_order = sorted(dataclasses.fields(default), key=lambda f: bool(f.kw_only))
    fields = {f.name: f for f in in_order}
    order = [f.name for f in fields.values() if not f.kw_only]
    if len(rest) > len(fields):
        raise SettingError(f"{text!r}: {default.name!r} has the settings {', '.join(fields)}; got {len(rest)} values.")
    changes: dict[str, Any] = {}
    for at, word in enumerate(rest):
        key, equals, value = word.partition("=")
        if not equals:
            if at >= len(order):
                raise SettingError(
                    f"{text!r}: give {', '.join(f for f in fields if f not in order)} by name, as in "
                    f"{next(f for f in fields if f not in order)}=..."
                )
            key, value = order[at], word
        if key.strip() not in fields:
            raise SettingError(f"{text!r}: {default.name!r} has no setting {key!r}{did_you_mean(key, fields)}")
        changes[key.strip()] = _value(value.strip(), str(fields[key.strip()].type), text)
    return dataclasses.replace(default, **changes)


def _value(word: str, kind: str, text: str) -> Any:
    """Return a setting of the kind that its annotation says."""
    if kind == "str":
        return word
    if kind == "bool":
        if word.lower() in ("true", "false"):
            return word.lower() == "true"
        raise SettingError(f"{text!r}: expected true or false, got {word!r}.")
    try:
        return float(word)
    except ValueError:
        raise SettingError(f"{text!r}: a strength is a number, as in 'shift:2'; got {word!r}.") from None
