"""Settings as fields of dataclasses: what each is stands once, and calls, files and the command line read it there.

A dataclass of settings is a *group*: its fields are made by `setting`, which takes the default, the help text, and how
the setting is written on the command line. From these follow the keyword parameters of functions (`takes_settings`),
their documentation, the options of the commands (`chainrule.cli.options`) and the keys of files
(`chainrule.experiments.settings`). Groups are composed by inheritance.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from chainrule.errors import SettingError
from chainrule.keywords import checks_keywords

__all__ = ["Option", "Setting", "passes_settings", "setting", "settings_of", "takes_settings", "values_of"]


@dataclass(frozen=True)
class Option:
    """How a setting is written on the command line.

    Attributes
    ----------
    metavar : what stands for its value
    default : what is the case without it, in words; None: its default, if it has one
    help : instead of the first sentence of the setting's help
    parse : makes the value of what was typed, where it is no number or text
    name : of the option, where it is not that of the setting
    repeated : whether it can be given several times
    argument : whether it is an argument, without ``--name``
    flag : whether it takes no value, and has no ``--no-name``
    complete : what a shell may complete it to: a name of `chainrule.cli.completion`
    """

    metavar: str | None = None
    default: str | None = None
    help: str | None = None
    parse: Callable[[str], Any] | None = None
    name: str | None = None
    repeated: bool = False
    argument: bool = False
    flag: bool = False
    complete: str | None = None


@dataclass(frozen=True)
class Setting:
    """What is known of a setting.

    Attributes
    ----------
    name, default : in Python and in files
    annotation : its type, as text
    help : sentences; the first one is the help of its option
    option : how it is written on the command line (as several options, where it is a tuple); or, as text, why it is not
    group : the class that introduces it
    """

    name: str
    default: Any
    annotation: str
    help: str
    option: Option | tuple[Option, ...] | str
    group: type

    @property
    def heading(self) -> str:
        """Above its option, such as "Training": the heading of its group, or what the group is called."""
        return getattr(self.group, "heading", self.group.__name__.removesuffix("Settings"))

    @property
    def options(self) -> tuple[Option, ...]:
        """How it is written on the command line."""
        return (
            self.option if isinstance(self.option, tuple) else (self.option,) if isinstance(self.option, Option) else ()
        )

    @property
    def types(self) -> tuple[str, ...]:
        """The types that its value may have besides None, as text: ``("str", "int")``."""
        return tuple(kind for kind in self.annotation.split(" | ") if kind != "None")


def setting(default: Any, help: str, option: Option | tuple[Option, ...] | str) -> Any:  # noqa: A002 - the field's word
    """Return a field of a group of settings.

    Parameters
    ----------
    default
        Its value where it is not given.
    help
        What it is, in sentences.
    option
        How it is written on the command line; or why it is not.
    """
    return dataclasses.field(default=default, metadata={"help": help, "option": option})


def settings_of(group: type[Any]) -> Mapping[str, Setting]:
    """Return the settings of a group, with those of the groups that it is composed of.

    A class that gives a setting another default or type need not say again what it is.

    >>> from chainrule.fields import settings_of
    >>> from chainrule.run_settings import TrainingSettings
    >>> settings_of(TrainingSettings)["epochs"].default
    10
    """
    order = _bases_first(group)
    settings = [_setting(group, field, order) for field in dataclasses.fields(group)]
    return {each.name: each for _, each in sorted(settings, key=lambda pair: pair[0])}


def _bases_first(group: type[Any]) -> list[type[Any]]:
    """Return a class and those that it is composed of, each after its bases, which are in their order."""
    return list(dict.fromkeys([cls for base in group.__bases__ for cls in _bases_first(base)] + [group]))


def _setting(group: type[Any], field: dataclasses.Field[Any], order: Sequence[type]) -> tuple[int, Setting]:
    """Return a setting, and the place of the class that introduces it."""
    first: Any = [cls for cls in group.__mro__ if field.name in inspect.get_annotations(cls)][-1]
    about = field.metadata or first.__dataclass_fields__[field.name].metadata
    about = Setting(field.name, field.default, str(field.type), about["help"], about["option"], first)
    return order.index(first), about


def values_of(group: type[Any], settings: Any) -> dict[str, Any]:
    """Return what an object has for the settings of a group, as keyword arguments."""
    return {name: getattr(settings, name) for name in settings_of(group)}


P = ParamSpec("P")
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class takes_settings(Generic[P, S]):
    """Give a function an object of settings, made of keyword parameters: one for each setting of the group.

    They are in its signature, its help and its checks, and type checkers know them. In its documentation ``{settings}``
    stands for what each of them is.

    >>> from dataclasses import dataclass
    >>> from chainrule.fields import setting, takes_settings
    >>> @dataclass(frozen=True, kw_only=True)
    ... class TravelSettings:
    ...     speed: float = setting(5.0, "In kilometres per hour.", "an example")
    >>> @takes_settings(TravelSettings)
    ... def hours(distance, unit, settings):
    ...     return distance / settings.speed
    >>> hours(20, "km"), hours(20, "km", speed=10.0)
    (4.0, 2.0)
    >>> hours(20, "km", sped=10.0)
    Traceback (most recent call last):
        ...
    chainrule.errors.KeywordError: hours has no setting 'sped'; did you mean 'speed'? Known: distance, speed, unit.
    """

    def __init__(self, group: Callable[P, S]) -> None:
        self.group: Any = group

    @overload
    def __call__(self, function: Callable[[S], R]) -> Callable[P, R]: ...
    @overload
    def __call__(self, function: Callable[[A, B, S], R]) -> Callable[Concatenate[A, B, P], R]: ...
    @overload
    def __call__(self, function: Callable[[A, B, C, S], R]) -> Callable[Concatenate[A, B, C, P], R]: ...
    def __call__(self, function: Any) -> Any:
        settings = settings_of(self.group)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            values = {name: kwargs.pop(name) for name in list(kwargs) if name in settings}
            return function(*args, **kwargs, settings=self.group(**values))

        return _with_settings(call, function, settings)


def passes_settings(group: type[Any], without: Collection[str] = ()) -> Callable[[F], F]:
    """Say which settings a function with ``**settings`` takes: in its signature, its help and its checks.

    It gets those that were given. In its documentation ``{names}`` stands for their names.

    Parameters
    ----------
    group : the dataclass of settings
    without : those that the function has no use for: an error says so. Parameters of its own are left out anyway
    """

    def decorate(function: Any) -> Any:
        taken = {*without, *inspect.signature(function).parameters}
        settings = {name: each for name, each in settings_of(group).items() if name not in taken}

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        checked = _with_settings(call, function, settings)

        @functools.wraps(checked)
        def refuse(*args: Any, **kwargs: Any) -> Any:
            for name in without:
                if name in kwargs:
                    owner = type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__
                    raise SettingError(f"{owner} has no use for {name}: leave it out.")
            return checked(*args, **kwargs)

        return refuse if without else checked

    return decorate


def _with_settings(call: Any, function: Any, settings: Mapping[str, Setting]) -> Any:
    """Put settings in the place of the last parameter of a function, and into its documentation."""
    signature = inspect.signature(function)
    keywords = [_parameter(each) for each in settings.values()]
    call.__signature__ = signature.replace(parameters=[*list(signature.parameters.values())[:-1], *keywords])
    call.__doc__ = _documented(function.__doc__ or "", settings)
    return checks_keywords(call)


def _parameter(each: Setting) -> inspect.Parameter:
    return inspect.Parameter(
        each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.annotation
    )


def _documented(text: str, settings: Mapping[str, Setting]) -> str:
    """Return the documentation of a function with what is said of its settings put in."""
    indent = "    " if "\n    " in text else ""
    wrap = functools.partial(textwrap.fill, width=120, break_long_words=False, break_on_hyphens=False)
    within = f"{indent}    "
    about = [
        f"{indent}{each.name}\n{wrap(each.help, initial_indent=within, subsequent_indent=within)}"
        for each in settings.values()
    ]
    names = textwrap.wrap(", ".join(settings), width=120 - len(within))
    text = text.replace(f"{indent}{{settings}}", "\n".join(about))
    return text.replace("{names}", f"\n{within}".join(names))
