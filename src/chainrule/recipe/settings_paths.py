"""Dotted paths from a run to the settings of its parts, such as ``optimizer.lr`` or ``net.layers.1.rate``."""

from __future__ import annotations

import dataclasses
from typing import Any

from chainrule import augment, losses, optimizers
from chainrule.errors import SettingError
from chainrule.models import Model
from chainrule.run_settings import TrainingSettings
from chainrule.settings import replace

#: The parts that paths lead into.
ROOTS = ("net", "optimizer", "loss", "augment", "early_stopping")


def root_of(path: str) -> str:
    """Return the first step of a path.

    >>> root_of("optimizer.lr")
    'optimizer'
    """
    return path.partition(".")[0]


def resolve_part(root: str, part: Any) -> Any:
    """Return the part of a run as an object where a user gave its name; as it is where it has none yet ("auto")."""
    if root == "optimizer":
        return optimizers.get("adam" if part is None else part)
    if root == "loss" and part not in (None, "auto"):
        return losses.get(part)
    if root == "augment" and part is not None:
        return augment.get(part)
    return part


def with_setting(net: Any, settings: TrainingSettings, path: str, value: Any) -> tuple[Any, TrainingSettings]:
    """Return network and settings with the setting at a path changed."""
    root, _, rest = path.partition(".")
    if root == "net":
        if isinstance(net, Model):
            raise SettingError(f"{path!r}: a network that goes on from its weights keeps its settings.")
        return replace(net, rest, value), settings
    part = resolve_part(root, getattr(settings, root))
    if part is None or isinstance(part, str | bool):
        raise SettingError(f"{path!r}: {root} is {part!r} here and has no settings: give an object.")
    return net, dataclasses.replace(settings, **{root: replace(part, rest, value)})
