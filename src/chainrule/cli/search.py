"""``chainrule search``: search as the command line says, and print what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.cli.messages import print_message, print_result
from chainrule.cli.tell import Printer, print_folder
from chainrule.display.text_table import text_table
from chainrule.errors import NothingLeftError
from chainrule.experiments.commands import run_search
from chainrule.experiments.leaderboard import leaderboard_rows
from chainrule.experiments.search_settings import SearchSettings, read_search
from chainrule.experiments.settings import settings_from
from chainrule.runs.files import CONFIG


def search(
    typed: Mapping[str, Any],
    search_values: Mapping[str, Any],
    listener: Printer,
    *,
    config: Path | None,
    out: Path | None,
    resume: Path | None,
) -> None:
    """Search as the command line says, and print what came of it."""
    if resume is None:
        settings, request = settings_from(typed, config), SearchSettings(**search_values)
    else:
        settings, request = read_search(resume, typed, search_values, config, out)
    try:
        searched = run_search(
            settings,
            request,
            tuple(typed),
            out=True if out is None else out,
            resume=resume,
            config=config,
            listener=listener,
        )
    except NothingLeftError as error:
        print_message(error)
        return
    assert searched.folder is not None
    print_result(text_table(leaderboard_rows(searched.mapping, searched.result)))
    print_message(searched.summary())
    print_folder(searched.folder)
    path = searched.folder / CONFIG
    print_message(f"The best settings are in {path}: chainrule train --config {path}")
    print_message(f"Next: chainrule evaluate {searched.folder} {settings.data}")
