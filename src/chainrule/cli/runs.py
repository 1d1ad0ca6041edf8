"""``chainrule runs``: what was trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from chainrule.cli.messages import print_message, print_result
from chainrule.display.text_table import text_table
from chainrule.errors import FileError
from chainrule.experiments.folder import RUNS
from chainrule.files import as_path
from chainrule.report.run_list import HEAD, describe
from chainrule.runs.folder import begun
from chainrule.training.record import read_folder


def runs(folder: Path) -> None:
    """Print a table of the runs in a folder, newest first; say which folders cannot be read."""
    folder = as_path(folder)
    if not folder.is_dir():
        if folder == RUNS:
            print_message("No runs yet. Start with: chainrule train digits")
            return
        raise FileError(f"There is no folder {folder}.")
    rows: list[tuple[str, list[str]]] = []
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        try:
            record = dataclasses.replace(read_folder(begun(path)), path=path)
            rows.append((str(record.environment.get("started", "")), describe(record)))
        except FileError as error:
            print_message(f"warning: left out: {error}")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            print_message(f"warning: left out: {path} is damaged: {error}")
    if not rows:
        print_message(f"No runs in {folder}. Start with: chainrule train digits")
        return
    rows.sort(key=lambda row: (row[0], row[1][0]), reverse=True)
    print_result(text_table([list(HEAD), *(cells for _, cells in rows)], left=(0, 1, 2)))
