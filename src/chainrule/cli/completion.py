"""Shell completion: what an option or argument may be completed to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from chainrule.errors import FileError

SHELLS = ("bash", "zsh", "fish")


def of(kind: str | None) -> Callable[..., list[CompletionItem]] | None:
    """Return the function by which click completes values of a kind, one of `KINDS`; None for None."""
    if kind is None:
        return None

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if kind in PATHS:
            path = CompletionItem(incomplete, type="dir" if kind == "folders" else "file")
            return [path, *_names(*PATHS[kind], incomplete)]  # bash forgets the names that come before a path
        return _names(KINDS[kind], incomplete)

    return complete


def _names(source: Callable[[], Any], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in source() if name.startswith(incomplete)]


def _registered(module: str, family: str) -> Callable[[], list[str]]:
    """Return a function that gives the names of a family of recipes. It is imported only when they are asked for."""

    def names() -> list[str]:
        import importlib

        return sorted(getattr(importlib.import_module(f"chainrule.{module}"), family).registry)

    return names


def _data() -> list[str]:
    from chainrule.data.sources import BUNDLED, MIRRORED

    return [*BUNDLED, *MIRRORED]


def _presets() -> tuple[str, ...]:
    from chainrule.experiments.settings import PRESET_NAMES

    return PRESET_NAMES


def _saved() -> tuple[str, ...]:
    from chainrule.experiments.settings import SAVED

    return SAVED


def _runs() -> list[str]:
    """Return the runs in the folder ``runs``: a command finds them by their names."""
    return sorted(path.name for path in Path("runs").glob("*") if path.is_dir())


#: Where the names come from that an option may have.
KINDS: dict[str, Callable[[], Any]] = {
    "activations": _registered("activations", "Activation"),
    "initializers": _registered("initializers", "Initializer"),
    "losses": _registered("losses", "Loss"),
    "optimizers": _registered("optimizers", "Optimizer"),
    "schedules": _registered("schedules", "Schedule"),
    "presets": _presets,
    "models to save": _saved,
    "tasks": lambda: ("classification", "regression"),
    "engines": lambda: ("auto", "jax", "numpy"),
    "precisions": lambda: ("bfloat16", "float32", "float64"),
    "samplers": lambda: ("grid", "random", "sobol", "tpe"),
    "stages": lambda: ("coarse_to_fine", "halving", "hyperband"),
}

#: Where names come from that may stand instead of a path.
PATHS: dict[str, tuple[Callable[[], Any]]] = {
    "data": (_data,),
    "data or runs": (lambda: [*_data(), *_runs()],),
    "runs": (_runs,),
    "files": (lambda: (),),
    "folders": (lambda: (),),
}


def script(shell: str, program: str = "chainrule") -> str:
    """Return what a shell has to read, so that it completes the words of a program.

    >>> "_CHAINRULE_COMPLETE=bash_complete" in script("bash")
    True
    """
    source = get_completion_class(shell)
    assert source is not None
    try:
        return source(click.Command(program), {}, program, f"_{program.upper()}_COMPLETE").source()
    except RuntimeError as error:  # a bash that is too old
        raise FileError(str(error)) from None
