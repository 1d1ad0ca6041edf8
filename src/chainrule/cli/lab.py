"""``chainrule lab``: the pages of the lab, each a command with the parameters of the page as its options."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from chainrule import lab as pages
from chainrule.cli.messages import print_message, print_result
from chainrule.cli.options import FilePath, HelpedCommand, option, options_of
from chainrule.errors import SettingError, unknown_name
from chainrule.experiments.find import find_folder
from chainrule.lab.parameters import from_texts


def command_of(name: str) -> click.Command:
    """Return the command that writes a page."""
    if name not in pages.QUESTIONS:
        raise unknown_name("page of the lab", name, pages.QUESTIONS)
    module = importlib.import_module(f"chainrule.lab.{name}")

    @options_of(parameters=module.Settings)
    @option("--out", type=FilePath(), metavar="FILE", help=f"The file to write. [{name}.html]")
    def write(parameters: dict[str, Any], out: Path | None) -> None:
        if "run" in parameters:
            parameters["run"] = find_folder(parameters["run"])
        values = vars(from_texts(module.Settings, parameters))
        print_message(f"Computing the page {name} (seconds).")
        path = getattr(module, name)(**values).to_html(out or Path(f"{name}.html"))
        print_result(f"{path} – open it in a browser; it needs no network.")

    return HelpedCommand(name, callback=write, params=params_of(write), help=pages.QUESTIONS[name])


def params_of(function: Any) -> list[click.Parameter]:
    """Return what decorators of click have hung on a function, in the order of the command line."""
    return list(reversed(function.__click_params__))


def all_pages(out: Path | None, serve: bool, port: int | None, open_browser: bool) -> None:
    """List the pages, write all of them into a folder, or serve them."""
    if serve:
        if out is not None:
            raise SettingError(f"--out {out} writes pages, and --serve computes them in the browser: leave one out.")
        from chainrule.lab.server import serve as call

        call(port, open_browser=open_browser)
        return
    for name, value in (("--port", port), ("--open", open_browser or None)):
        if value is not None:
            raise SettingError(f"{name} belongs to --serve; add it.")
    if out is not None:
        write_all(out)
        return
    width = max(map(len, pages.QUESTIONS))
    lines = [f"  {page:{width}}  {question}" for page, question in pages.QUESTIONS.items()]
    how = [
        "To write one:                 chainrule lab NAME [--out FILE]; its options: chainrule lab NAME --help",
        "All of them, with an index:   chainrule lab --out FOLDER",
        "To try other values in a form of the browser:   chainrule lab --serve",
    ]
    print_result("\n".join([*lines, "", *how]))


def write_all(folder: Path) -> None:
    """Write all pages and their index."""
    from chainrule.lab.index import write_index

    folder.mkdir(parents=True, exist_ok=True)
    reels = {}
    for name in pages.QUESTIONS:
        print_message(f"Computing the page {name}.")
        reels[name] = getattr(importlib.import_module(f"chainrule.lab.{name}"), name)()
        reels[name].to_html(folder / f"{name}.html")
    print_result(f"{write_index(folder, reels)} – open it in a browser; it needs no network.")
