"""What a search's ``space`` says: which settings are searched, and where.

``lr=1e-4..1e-1,l2=1e-6..1,hidden=64|128,64|256,dropout=0..0.5``: a setting, ``=``, and either a range ``A..B`` or
options with ``|`` between them. Settings that are whole numbers get whole numbers. A range is logarithmic where its
ends are above 0 and one is at least ten times the other; ``:log`` or ``:linear`` behind it says otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.display.text_table import text_table
from chainrule.errors import SettingError, did_you_mean
from chainrule.experiments.settings import NetworkSettings, OptimizerSettings, TrialSettings, parse_hidden
from chainrule.fields import settings_of
from chainrule.run_settings import TrainingSettings

#: How each setting is read.
_NUMERIC = {
    name: each.types[0]
    for name, each in settings_of(TrialSettings).items()
    if each.options
    and each.group in (OptimizerSettings, TrainingSettings, NetworkSettings)
    and name not in ("seed", "validation", "early_stopping")  # the same in all trials
}
NUMBERS = tuple(name for name, kind in _NUMERIC.items() if kind == "float")
WHOLE = tuple(name for name, kind in _NUMERIC.items() if kind == "int")
NAMES = ("hidden", "activation", "init", "optimizer", "loss", "augment")

#: Settings that say what the network is.
OF_THE_NETWORK = ("hidden", "activation", "init", "dropout")

#: A range is logarithmic from this ratio of its ends on.
LOG_FROM = 10.0

#: What is searched if nothing is said, by preset. Learning rates as in lecture 003, in powers of ten around what works.
DEFAULT = {
    "table": "lr=1e-4..1e-1,weight_decay=1e-4..1,dropout=0..0.5,hidden=64|128,64|256,128|512,256",
    "mlp": "lr=1e-4..1e-1,l2=1e-3..10,dropout=0..0.5,hidden=64|128,64|256,128",
    "cnn": "lr=1e-4..1e-2,l2=1e-3..10,dropout=0..0.5",
    "linear": "lr=1e-4..1,l2=1e-3..100",
    "nielsen": "lr=0.03..30,l2=1e-3..100,hidden=30|100",
}

#: For a network that is given as a table in a file.
OF_A_NETWORK = "lr=1e-4..1e-1,l2=1e-3..10"


@dataclass(frozen=True)
class Axis:
    """One setting that is searched.

    Attributes
    ----------
    name : of the setting, or a dotted path
    low, high, log : a range
    options : or what it is one of, as it was typed
    """

    name: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    options: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def facts(self) -> dict[str, Any]:
        """Return it as the report keeps it."""
        if self.options:
            return {"name": self.name, "choices": list(self.options)}
        return {"name": self.name, "low": self.low, "high": self.high, "log": self.log, "whole": self.whole}


def default_space(preset: str | None, fixed: Collection[str]) -> str:
    """Return what is searched if nothing is said, without the settings that stay fixed; None: for a network from a
    file.

    >>> default_space("mlp", ["hidden", "dropout"])
    'lr=1e-4..1e-1,l2=1e-3..10'
    """
    parts = _parts(OF_A_NETWORK if preset is None else DEFAULT[preset])
    remaining = [f"{name}={text}" for name, text in parts if name not in fixed]
    if not remaining:
        raise SettingError(
            "All settings that are searched by default are given; say what to search: --space NAME=A..B."
        )
    return ",".join(remaining)


def parse_space(text: str) -> tuple[Axis, ...]:
    """Return the settings that are searched.

    >>> [axis.name for axis in parse_space("lr=1e-4..1e-1,hidden=64|128,64|256")]
    ['lr', 'hidden']
    >>> parse_space("hidden=64|128,64|256")[0].options
    ('64', '128,64', '256')
    """
    axes = tuple(_axis(name, values) for name, values in _parts(text))
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise SettingError(f"--space names {name} twice; write all its options with | between them.")
    return axes


def _parts(text: str) -> list[tuple[str, str]]:
    """Split into settings and their values; a comma that no name follows belongs to an option, as in 128,64."""
    parts: list[list[str]] = []
    for piece in text.split(","):
        name, mark, values = piece.partition("=")
        if mark:
            parts.append([name.strip().replace("-", "_"), values.strip()])
        elif parts:
            parts[-1][1] += f",{piece.strip()}"
        else:
            raise SettingError(f"--space begins with {piece!r}; {HOW}")
    return [(name, values) for name, values in parts]


HOW = "it is written as in lr=1e-4..1e-1,hidden=64|128,64 (a setting, =, and a range A..B or options A|B)."


def _axis(name: str, values: str) -> Axis:
    from chainrule.recipe.settings_paths import ROOTS  # only here: --help shall not wait for NumPy

    known = (*NUMBERS, *WHOLE, *NAMES)
    root, dot, _ = name.partition(".")
    if name not in known and not (dot and root in ROOTS):
        raise SettingError(f"--space: there is no setting {name!r} to search{did_you_mean(name, known)}")
    body, _, kind = values.rpartition(":") if re.search(r"\.\..*:\w+$", values) else (values, "", "")
    if ".." in body and "|" not in body:
        if name in NAMES:
            raise SettingError(f"--space: {name} has no range; write its options, as in {_example(name)}.")
        return _range(name, body, kind)
    options = tuple(option.strip() for option in values.split("|"))
    if len(options) < 2:
        flag = f"--{name.replace('_', '-')} {values}" if name in known else f"{name}=A..B"
        raise SettingError(
            f"--space: {name}={values} is a single value. Give it as {flag}, or a range as {name}=A..B, or options as "
            f"{name}=A|B."
        )
    if "" in options:
        raise SettingError(f"--space: an option of {name} is empty in {values!r}.")
    if len(set(options)) < len(options):
        raise SettingError(f"--space: {name}={values} has an option twice.")
    for option in options:
        read(name, option)
    return Axis(name, options=options)


def _range(name: str, body: str, kind: str) -> Axis:
    low, _, high = body.partition("..")
    whole = name in WHOLE or ("." in name and all(re.fullmatch(r"\s*\d+\s*", end) for end in (low, high)))
    try:
        ends = [int(end) if whole else float(end) for end in (low, high)]
    except ValueError:
        number = "whole numbers" if name in WHOLE else "numbers"
        raise SettingError(f"--space: the ends of {name}={body} must be {number}, as in {_example(name)}.") from None
    a, b = ends
    if not all(map(math.isfinite, ends)):
        raise SettingError(f"--space: the ends of {name}={body} must be finite numbers, as in {_example(name)}.")
    if not a < b:
        raise SettingError(f"--space: the range {name}={body} must go from a smaller number to a larger one.")
    if kind not in ("", "log", "linear"):
        raise SettingError(f"--space: {name}={body}:{kind}: behind a range stands :log or :linear.")
    if kind == "log" and a <= 0:
        raise SettingError(f"--space: {name}={body}: a logarithmic range begins above 0.")
    return Axis(name, a, b, log=kind == "log" or (not kind and a > 0 and b / a >= LOG_FROM))


def _example(name: str) -> str:
    examples = {"hidden": "hidden=64|128,64", "optimizer": "optimizer=sgd|adam", "batch_size": "batch_size=16..128"}
    return examples.get(
        name, "epochs=5..50" if name in WHOLE else "activation=relu|tanh" if name in NAMES else f"{name}=1e-4..1e-1"
    )


def read(name: str, option: str) -> Any:
    """Return an option as the value of its setting.

    >>> read("hidden", "128,64"), read("batch_size", "32"), read("lr", "0.1"), read("activation", "relu")
    ((128, 64), 32, 0.1, 'relu')
    """
    if name == "hidden":
        return parse_hidden(option)
    if name in NAMES:
        return None if name == "augment" and option == "none" else option
    if "." in name:
        for kind in (int, float):
            try:
                return kind(option)
            except ValueError:
                continue
        return {"true": True, "false": False, "none": None}.get(option, option)
    try:
        return int(option) if name in WHOLE else float(option)
    except ValueError:
        number = "a whole number" if name in WHOLE else "a number"
        raise SettingError(f"--space: an option of {name} is {number}, got {option!r}.") from None


def format_space(axes: Sequence[Axis]) -> str:
    """Return the space as a table."""
    rows = []
    for axis in axes:
        values = " | ".join(axis.options) if axis.options else f"{axis.low:g} to {axis.high:g}"
        rows.append([axis.name, values, "logarithmic" if axis.log else ""])
    return text_table(rows, left=(0, 1, 2))


__all__ = ["DEFAULT", "OF_THE_NETWORK", "Axis", "default_space", "format_space", "parse_space", "read"]
