"""The settings of a run from the command line and from a file; what was typed wins over what is in the file."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError, FileError, SettingError
from chainrule.experiments.presets import TrainSettings
from chainrule.files import as_path
from chainrule.keywords import instead

#: How the annotations of `TrainSettings` are called in a message, and which values of a file fit them.
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text in quotes", lambda v: isinstance(v, str)),
    "int": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "float": ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "tuple[int, ...]": (
        "a list of whole numbers, such as [128, 64]",
        lambda v: isinstance(v, list) and all(isinstance(n, int) and not isinstance(n, bool) for n in v),
    ),
    "tuple[str, ...]": (
        'a list of texts, such as ["NA", "?"]',
        lambda v: isinstance(v, list) and all(isinstance(text, str) for text in v),
    ),
    "Mapping[str, Any]": ("a table", lambda v: isinstance(v, Mapping)),
}
FIELDS = {field.name: str(field.type).removesuffix(" | None") for field in dataclasses.fields(TrainSettings)}


def settings_from(given: Mapping[str, Any], file: Path | None) -> TrainSettings:
    """Return the settings of a file (if there is one) with those given on the command line put over them."""
    typed = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    if "hidden" in typed:
        typed["hidden"] = parse_hidden(typed["hidden"])
    if "missing" in typed:
        typed["missing"] = parse_missing(typed["missing"])
    if "image_size" in typed:
        typed["image_size"] = parse_image_size(typed["image_size"])
    columns = parse_columns(typed.pop("column", ()), typed.pop("drop", ()))
    settings = (read_settings(file) if file is not None else {}) | typed
    if columns:
        settings["columns"] = {**settings.get("columns", {}), **columns}
    return TrainSettings(**settings)


def read_settings(path: Path, leave_out: Collection[str] = ()) -> dict[str, Any]:
    """Return the settings in a TOML file, checked: no unknown keys, no values of the wrong kind."""
    path = as_path(path)
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # of TOML, UTF-8, numbers of thousands of digits, deep nesting
        raise FileError(f"{path} is not a readable TOML file: {error}.") from None
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}. Expected the settings of a run, a config.toml."
        ) from None
    plain = {name: value for name, value in plain.items() if name not in leave_out}
    for name, value in plain.items():
        if name not in FIELDS:
            raise SettingError(f"{path}: there is no setting {name!r}{instead(name, FIELDS)}")
        kinds = [KINDS[kind] for kind in FIELDS[name].split(" | ")]
        if not any(fits(value) for _, fits in kinds):
            raise SettingError(f"{path}: {name} is {' or '.join(text for text, _ in kinds)}, got {value!r}.")
        if isinstance(value, list):
            plain[name] = tuple(value)
    if "net" in plain:  # written by `fit`, which leaves out what is not used
        plain = {"validation": 0.0} | plain
    try:
        TrainSettings(**plain)
    except ChainruleError as error:
        raise type(error)(f"{path}: {error}") from None
    return plain


def parse_columns(kinds: Iterable[str], dropped: Iterable[str]) -> dict[str, Any]:
    """``NAME=KIND`` and names to leave out, as `Table` takes them."""
    columns: dict[str, Any] = {}
    for text in kinds:
        name, mark, kind = text.rpartition("=")
        if not mark or not name or not kind:
            raise SettingError(f"--column takes a column and what it is, such as Cabin=category, got {text!r}.")
        if columns.setdefault(name, kind.strip()) != kind.strip():
            raise SettingError(f"--column says that {name} is {columns[name]} and that it is {kind.strip()}.")
    dropped = tuple(dropped)
    for name in dropped:
        if name in columns:
            raise SettingError(f"--column says that {name} is {columns[name]}, and --drop leaves it out: choose one.")
    return columns | {name: {"use": False} for name in dropped}


def parse_image_size(text: str) -> tuple[int, int]:
    """``"48x64"`` as (48, 64), height and width; ``"64"`` is (64, 64)."""
    height, by, width = text.lower().partition("x")
    try:
        return int(height), int(width if by else height)
    except ValueError:
        raise SettingError(f"--image-size takes height x width in pixels, such as 48x64, got {text!r}.") from None


def parse_missing(text: str) -> tuple[str, ...]:
    """``"NA,?"`` as ("NA", "?"); ``"none"`` is no text, so that only empty cells are missing."""
    return () if text == "none" else tuple(part.strip() for part in text.split(",") if part.strip())


def parse_hidden(text: str) -> tuple[int, ...]:
    """``"128,64"`` as (128, 64); ``"none"`` is no hidden layer."""
    if text.strip().lower() == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--hidden takes the units of each hidden layer, such as 128,64 (or none), got {text!r}."
        ) from None
