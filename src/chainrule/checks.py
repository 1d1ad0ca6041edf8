"""Checks of single values that a user gives: each says what was given and what was expected."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, TypeGuard

from chainrule.errors import SettingError, unknown_name


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number, of Python or NumPy; truth values are none.

    >>> is_whole(3), is_whole(3.0), is_whole(True)
    (True, False, False)
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a number, of Python or NumPy; truth values are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_whole(name: str, value: Any, least: int = 1, most: int | None = None, *, note: str = "") -> int:
    """Return a value that is a whole number from ``least`` (to ``most``), or raise `SettingError`; ``note`` says why.

    >>> check_whole("fit: epochs", 0)
    Traceback (most recent call last):
        ...
    chainrule.errors.SettingError: fit: epochs must be a whole number of at least 1, got 0.
    """
    if not is_whole(value) or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise SettingError(f"{name} must be a whole number {bounds}{note}, got {value!r}.")
    return int(value)


def check_fraction(name: str, value: Any, *, or_zero: bool = False, note: str = "") -> float:
    """Return a value that is a number between 0 and 1 (with ``or_zero`` also 0), or raise `SettingError`.

    >>> check_fraction("confidence", 95, note=", such as 0.95")
    Traceback (most recent call last):
        ...
    chainrule.errors.SettingError: confidence must be a fraction above 0 and below 1, such as 0.95, got 95.
    """
    if not is_number(value) or not 0 <= value < 1 or not (value or or_zero):
        bounds = "of at least 0" if or_zero else "above 0"
        raise SettingError(f"{name} must be a fraction {bounds} and below 1{note}, got {value!r}.")
    return float(value)


def check_flag(name: str, value: Any) -> None:
    """Raise `SettingError` unless a value is True or False."""
    if not isinstance(value, bool):
        raise SettingError(f"{name} must be True or False, got {value!r}.")


def check_name(kind: str, name: Any, names: Iterable[Any]) -> None:
    """Raise `UnknownNameError` unless a name is one of some.

    >>> check_name("gate", "ad", ("and", "or"))
    Traceback (most recent call last):
        ...
    chainrule.errors.UnknownNameError: Unknown gate 'ad'; did you mean 'and'? Known: and, or.
    """
    if name not in names:
        raise unknown_name(kind, name, names)
