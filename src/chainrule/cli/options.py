"""Options of the commands, made from the fields of settings (`chainrule.fields`), and their help, under headings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

from chainrule.cli import completion
from chainrule.fields import Option, Setting, setting, settings_of

F = TypeVar("F", bound=Callable[..., Any])


class FilePath(click.Path):
    """A path that shells complete, and that is not looked at yet: whoever opens it says what is wrong with it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(value)


#: What is read from a setting's annotation; one that can be several things is typed as the first of these.
TYPES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str, "Path": FilePath()}


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """How the processes of a run find each other: of this start, not of the run."""

    heading: ClassVar[str] = "Several processes"

    distributed: bool = setting(
        False, "Join a run of several processes; the same command is started in each.", Option(flag=True)
    )
    coordinator: str | None = setting(None, "Where process 0 is.", Option("HOST:PORT", "by the cluster's environment"))
    processes: int | None = setting(None, "How many there are.", Option("N", "by the environment"))
    process_id: int | None = setting(
        None, "Which this is, from 0; 0 writes the run.", Option("I", "by the environment")
    )
    start_timeout: int | None = setting(None, "Seconds until all must have arrived.", Option("N", "60"))
    heartbeat_timeout: int | None = setting(
        None, "Seconds without a sign of life until one counts as lost.", Option("N", "30")
    )


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """Whether a run is shown while it goes on, and where: of this start, not of the run."""

    heading: ClassVar[str] = "Run"

    live: bool = setting(
        False, "Show the run in the browser while it goes on; the address is printed.", Option(flag=True)
    )
    port: int | None = setting(None, "Of the page of --live.", Option("N", "8765, or the next one that is free"))
    open_browser: bool = setting(False, "Open the page of --live in the browser.", Option(flag=True, name="open"))


class HelpedOption(click.Option):
    """An option whose help stands under a heading."""

    def __init__(self, *args: Any, heading: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class HelpedArgument(click.Argument):
    """An argument that has a help."""

    heading = "Arguments"

    def __init__(self, *args: Any, help: str = "", **kwargs: Any) -> None:  # noqa: A002 - click's word
        super().__init__(*args, **kwargs)
        self.text = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        return self.make_metavar(ctx).strip("[]"), self.text


class HelpedCommand(click.Command):
    """A command whose help shows its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                sections.setdefault(getattr(parameter, "heading", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def option(*names: str, **kwargs: Any) -> Callable[[F], F]:
    """Return click's decorator for an option of one command; None where it is not given."""
    return click.option(*names, cls=HelpedOption, **kwargs)


def argument(name: str, **kwargs: Any) -> Callable[[F], F]:
    """Return click's decorator for an argument with a help."""
    return click.argument(name, cls=HelpedArgument, **kwargs)


def options_of(**groups: type | Iterable[Setting]) -> Callable[[F], F]:
    """Return a decorator that gives a command the options of groups of settings.

    The command gets a dict for each group, by the name of the argument: the values that were given, by option.
    """

    def decorate(function: Any) -> Any:
        parts: dict[str, str] = {}
        decorators = []
        for part, group in groups.items():
            for each in settings_of(group).values() if isinstance(group, type) else group:
                for how in each.options:
                    parts[how.name or each.name] = part
                    decorators.append(_decorator(each, how))

        @functools.wraps(function)
        def call(**values: Any) -> Any:
            chosen: dict[str, dict[str, Any]] = {part: {} for part in groups}
            for name in [name for name in values if name in parts]:
                if (value := values.pop(name)) not in (None, ()):
                    chosen[parts[name]][name] = value
            return function(**chosen, **values)

        for decorator in reversed(decorators):
            call = decorator(call)
        return call

    return decorate


def _decorator(each: Setting, how: Option) -> Callable[[Any], Any]:
    """Return click's decorator for a setting that is written in some way."""
    name = how.name or each.name
    complete = completion.of(how.complete)
    if how.argument:
        return argument(
            name, required=False, metavar=f"[{how.metavar}]", help=how.help or each.help, shell_complete=complete
        )
    flag = f"--{name.replace('_', '-')}"
    kind = next((TYPES[kind] for kind in each.types if kind in TYPES), str)
    kwargs: dict[str, Any] = {"type": kind, "metavar": how.metavar, "multiple": how.repeated}
    if how.parse is not None or how.repeated:
        kwargs["type"] = str
    if kind is bool:
        flag = flag if how.flag else f"{flag}/--no-{flag[2:]}"
        kwargs = {"is_flag": True, "flag_value": True} if how.flag else {}
    return option(
        flag, name, default=None, help=_help(each, how), heading=each.heading, shell_complete=complete, **kwargs
    )


def _help(each: Setting, how: Option) -> str:
    """Return the help of an option: one sentence, and what is the case without it."""
    text = how.help or f"{each.help.partition('. ')[0].removesuffix('.')}."
    default = how.default
    if default is None and each.default is not None and not how.flag:
        default = {True: "yes", False: "no"}.get(each.default, str(each.default))
    return text if default is None else f"{text} [{default}]"


def together(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return several decorators as one, the first one outermost."""
    return lambda function: functools.reduce(lambda f, decorator: decorator(f), reversed(decorators), function)
