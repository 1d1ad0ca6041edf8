"""Parameters of the pages: typed, bounded, and the same from Python, on the command line and from a form.

A page has a dataclass of them, a group as `chainrule.fields` has it. A parameter with several values becomes a control
of the page; one with a single value holds for all of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

from chainrule.checks import is_number, is_whole
from chainrule.display.numbers import number
from chainrule.errors import SettingError, unknown_name
from chainrule.fields import Option, settings_of
from chainrule.views.reel import Control, Frame, Lesson, Reel, reel

#: A control has so many positions at most, and a page so many pictures.
MOST_VALUES, MOST_FRAMES = 40, 600

T = TypeVar("T", bound="Parameters")

#: Who is told of each picture of a page that is made, and of how many.
progress: ContextVar[Callable[[int], None] | None] = ContextVar("progress", default=None)


class Kind(Protocol):
    """What one value of a parameter may be: a check, and how it is written and read."""

    @property
    def metavar(self) -> str:
        """What stands for a value on the command line."""

    @property
    def bounds(self) -> str:
        """What it may be, in words."""

    def check(self, name: str, value: Any) -> Any:
        """Return the value in its proper form, or raise `SettingError`."""

    def read(self, name: str, text: str) -> Any:
        """Return the value that a text stands for, unchecked."""

    def write(self, value: Any) -> str:
        """Return the text of a value."""


@dataclass(frozen=True)
class Numeric:
    """Numbers between two bounds, both included."""

    least: float
    most: float
    whole: bool = False
    metavar: str = "N"

    @property
    def bounds(self) -> str:
        return f"{number(self.least)} to {number(self.most)}"

    def check(self, name: str, value: Any) -> Any:
        right = is_whole(value) if self.whole else is_number(value)
        if not right or not self.least <= value <= self.most:
            what = "a whole number" if self.whole else "a number"
            raise SettingError(f"{name} must be {what} from {self.bounds}, got {value!r}.")
        return int(value) if self.whole else float(value)

    def read(self, name: str, text: str) -> Any:
        try:
            return int(text) if self.whole else float(text)
        except ValueError:
            return text  # which the check refuses

    def write(self, value: Any) -> str:
        return f"{value:g}" if math.isfinite(value) else str(value)


@dataclass(frozen=True)
class Named:
    """One of some names."""

    names: tuple[str, ...]
    metavar: str = "NAME"

    @property
    def bounds(self) -> str:
        return ", ".join(self.names)

    def check(self, name: str, value: Any) -> str:
        if value not in self.names:
            raise unknown_name(name, value, self.names)
        return str(value)

    def read(self, name: str, text: str) -> str:
        return text

    def write(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class Widths:
    """The hidden layers of a network by their widths: (8, 8) is written 8-8, and () none."""

    layers: int = 8
    widest: int = 64
    metavar: str = "N-N"

    @property
    def bounds(self) -> str:
        return f"none, or up to {self.layers} layers of 1 to {self.widest} units, as 8-8"

    def check(self, name: str, value: Any) -> tuple[int, ...]:
        right = isinstance(value, Sequence) and not isinstance(value, str) and len(value) <= self.layers
        if not right or not all(is_whole(units) and 1 <= units <= self.widest for units in value):
            raise SettingError(f"{name} are the widths of hidden layers: {self.bounds}; got {value!r}.")
        return tuple(int(units) for units in value)

    def read(self, name: str, text: str) -> Any:
        if text == "none":
            return ()
        parts = text.split("-")
        return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else text

    def write(self, value: tuple[int, ...]) -> str:
        return "-".join(map(str, value)) or "none"


@dataclass(frozen=True)
class Choice:
    """How a parameter with several values is shown: its label, the value at first, and whether it is a list."""

    label: str
    start: Any = None
    listed: bool = True


@dataclass(frozen=True)
class Parameter:
    """A parameter of a page: what a value may be, and its control if there can be several."""

    kind: Kind
    choice: Choice | None = None

    def check(self, name: str, value: Any) -> Any:
        """Return the value, or the tuple of values, in its proper form, or raise `SettingError`."""
        if self.choice is None:
            return self.kind.check(name, value)
        several = [value] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
        if not 1 <= len(several) <= MOST_VALUES:
            raise SettingError(f"{name} are 1 to {MOST_VALUES} values to choose from, got {len(several)}.")
        checked = tuple(self.kind.check(name, one) for one in several)
        if len(set(checked)) < len(checked):
            raise SettingError(f"{name} has a value twice: {self.write(checked)}.")
        return checked

    def read(self, name: str, text: str) -> Any:
        """Return what a text stands for: several values are parted by commas."""
        if self.choice is None:
            return self.kind.read(name, text)
        return tuple(self.kind.read(name, part.strip()) for part in text.split(","))

    def write(self, value: Any) -> str:
        """Return the text of a value, or of several."""
        return self.kind.write(value) if self.choice is None else ",".join(map(self.kind.write, value))

    def control(self, values: tuple[Any, ...]) -> Control:
        """Return the control that chooses among the values."""
        assert self.choice is not None
        start = values.index(self.choice.start) if self.choice.start in values else len(values) // 2
        start = 0 if self.choice.start is None else start
        return Control(self.choice.label, [self.kind.write(value) for value in values], start, self.choice.listed)


def parameter(
    default: Any,
    help: str,  # noqa: A002 - the word of `chainrule.fields.setting`
    kind: Kind,
    choice: Choice | None = None,
    *,
    without: Any = None,
) -> Any:
    """Return a field of a page's parameters.

    Parameters
    ----------
    default
        One value, or with ``choice`` the values to choose from.
    help
        What it is, in sentences.
    kind
        What a value may be.
    choice
        Its control, if there can be several values.
    without
        What is taken where the default is None, because the parameter may be of no use.
    """
    this = Parameter(kind, choice)
    metavar = kind.metavar if choice is None else f"{kind.metavar},…"
    shown = default if default is not None else without
    first, *rest = help.removesuffix(".").split(". ", 1)
    brief = f"{first} ({kind.bounds})."
    text, option = " ".join([brief, *(f"{words}." for words in rest)]), Option(metavar, this.write(shown), help=brief)
    return dataclasses.field(default=default, metadata={"help": text, "option": option, "parameter": this})


def parameters_of(group: type[Any]) -> dict[str, Parameter]:
    """Return the bounded parameters of a group, in order."""
    by_name: dict[str, Any] = {field.name: field.metadata.get("parameter") for field in dataclasses.fields(group)}
    return {name: by_name[name] for name in settings_of(group) if by_name[name] is not None}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What all pages' parameters have in common: each is checked when they are made."""

    heading: ClassVar[str] = "Parameters"

    def __post_init__(self) -> None:
        for name, each in parameters_of(type(self)).items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, each.check(name, value))


def from_texts(group: type[T], texts: Mapping[str, Any]) -> T:
    """Return the parameters that were typed, on the command line or into a form; values that are no text are taken as
    they are.
    """
    known = parameters_of(group)
    return group(
        **{
            name: known[name].read(name, value) if name in known and isinstance(value, str) else value
            for name, value in texts.items()
        }
    )


def page(
    name: str,
    parameters: Parameters,
    frame: Callable[..., Frame],
    lesson: Lesson,
    *more: Control,
    series: Sequence[str] = (),
) -> Reel:
    """Return the reel of a page: a control for each parameter that has several values, in order, and then ``more``.

    ``frame`` gets one value of each parameter that can have several, None where there is none, and the position of each
    further control. What has one value stands among the numbers of each frame.
    """
    choices = {field: each for field, each in parameters_of(type(parameters)).items() if each.choice is not None}
    values = [(None,) if (those := getattr(parameters, field)) is None else those for field in choices]
    pairs = list(zip(choices.values(), values, strict=True))
    controls = [each.control(those) for each, those in pairs if len(those) > 1] + list(more)
    fixed = [(each.choice.label, each.kind.write(those[0])) for each, those in pairs
             if each.choice and len(those) == 1 and those[0] is not None]  # fmt: skip
    count = math.prod(len(control.values) for control in controls)
    if count > MOST_FRAMES:
        raise SettingError(
            f"The page {name} would have {count:,} pictures, one for each combination, and {MOST_FRAMES} fit into a "
            f"page: give fewer values of {', '.join(choices)}."
        )

    def at(*places: int) -> Frame:
        rest = iter(places)
        chosen = [those[next(rest)] if len(those) > 1 else those[0] for those in values]
        made = frame(*chosen, *rest)
        if (listener := progress.get()) is not None:
            listener(count)
        return replace(made, numbers=[*made.numbers, *fixed])

    return reel(name, controls, at, lesson, series)
