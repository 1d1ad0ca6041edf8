"""Frozen dataclasses as plain values, and back: what a diagnosis is made of can be written as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self


class Plain:
    """A dataclass that can be written down. ``parts`` names the class of each field that holds others of its kind.

    >>> from chainrule.symptoms.evidence import Evidence
    >>> Evidence.from_dict(Evidence("error", 0.5, low=0.0, high=0.1).to_dict())
    Evidence(name='error', value=0.5, low=0.0, high=0.1, p=None, unit='')
    """

    parts: ClassVar[Mapping[str, type]] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain dicts, lists, numbers and texts, ready for JSON."""
        return {field.name: to_plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described."""
        fields = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: from_plain(value, cls.parts.get(name)) for name, value in plain.items() if name in fields})


def to_plain(value: Any) -> Any:
    """Return a value as JSON takes it."""
    if isinstance(value, Plain):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [to_plain(part) for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value.item() if hasattr(value, "item") else value


def from_plain(value: Any, part: type | None) -> Any:
    """Return a value as a field holds it: lists are tuples there, and dicts the class of the field's parts."""
    if isinstance(value, list):
        return tuple(from_plain(each, part) for each in value)
    if part is None or not isinstance(value, Mapping):
        return value
    if issubclass(part, Plain):
        return part.from_dict(value)
    return part(**{name: not_none(from_plain(each, None)) for name, each in value.items()})


def not_none(value: Any) -> Any:
    """Return a number that a file could not hold, None there, as NaN."""
    if isinstance(value, tuple):
        return tuple(map(not_none, value))
    return math.nan if value is None else value


def finite(value: Any) -> Any:
    """Return plain values with None for numbers that are not finite: JSON has none of these."""
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
