"""The list of the runs in a folder, made anew as they go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from chainrule.display.markup import Html, join, tag
from chainrule.errors import FileError
from chainrule.live.run import NOTHING
from chainrule.live.state import Stamps, State, stamps_of, state_of
from chainrule.report.components import row, table, wide
from chainrule.report.run_list import HEAD, describe
from chainrule.runs.folder import begun, holds_run
from chainrule.training.record import Record, read_folder


class LiveRuns:
    """What there is to show of the runs in a folder by now.

    Attributes
    ----------
    folder : where they lie
    folders : of each run, by its name
    parts : of the page: its header, the table, its footer
    state : how the runs are getting on together
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folders: Mapping[str, Path] = runs_in(folder)
        self.parts: Mapping[str, Html] = NOTHING
        self.state = State("waiting", "Waiting")
        self._records: dict[str, tuple[Stamps, Record | str]] = {}

    @property
    def title(self) -> str:
        """The title of the page."""
        return f"Runs in {self.folder.resolve().name} – chainrule"

    def look(self, *, is_shown: bool) -> None:
        """Look at the files of all runs."""
        self.folders = runs_in(self.folder)
        rows: list[tuple[str, State, list[str]]] = []
        for name, path in self.folders.items():
            stamps = stamps_of(path)
            record = self._read(name, path, stamps)
            of_run = record if isinstance(record, Record) else None
            state = state_of(path, of_run, stamps, "")
            cells = [name, record] if isinstance(record, str) else describe(record)
            rows.append((str(of_run.environment.get("started", "")) if of_run else "", state, cells))
        rows.sort(key=lambda each: (each[0], each[2][0]), reverse=True)
        states = [state for _, state, _ in rows]
        self.state = self._state(states)
        self.parts = {
            "header": join([tag("h1", f"Runs in {self.folder.resolve()}")]),
            "runs": tag("section", tag("h2", "Runs"), _table(rows) if rows else tag("p", "None yet."), id="runs"),
            "footer": tag("p", "Each run has a page of its own. All of them stay on this machine."),
        }

    def derive(self) -> bool:
        """Derive nothing: a list shows nothing that takes long."""
        return False

    def _read(self, name: str, path: Path, stamps: Stamps) -> Record | str:
        """Return what a run says, or why it cannot be read; it is read again where its files have changed."""
        if name not in self._records or self._records[name][0] != stamps:
            record: Record | str
            try:
                record = dataclasses.replace(read_folder(begun(path)), path=path)
                describe(record)
            except FileError as error:
                record = str(error)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                record = f"{path} is damaged: {error}"
            self._records[name] = (stamps, record)
        return self._records[name][1]

    def _state(self, states: list[State]) -> State:
        if not self.folder.is_dir():
            return State("gone", f"The folder {self.folder.name} is gone")
        running = sum(state.kind in ("running", "waiting") for state in states)
        if running:
            return State("running", f"{running} of {len(states)} running")
        return State("ended" if states else "waiting", "None running" if states else "No runs yet")


def runs_in(folder: Path) -> dict[str, Path]:
    """Return the runs that lie in a folder, by their names."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return {}
    return {path.name: path for path in paths if holds_run(path) or begun(path) != path}


def _table(rows: list[tuple[str, State, list[str]]]) -> Html:
    made = []
    for _, state, (name, *cells) in rows:
        link = tag("a", name, href=f"/run/{quote(name, safe='')}/")
        if len(cells) == 1:
            made.append(row(link, tag("td", cells[0], colspan=len(HEAD) - 1, class_="wrap")))
            continue
        data, network, epochs, _, *others = cells
        made.append(row(link, wide(data), wide(network), *map(_cell, (epochs, state.head, *others))))
    return table(HEAD, made)


def _cell(text: str) -> Html:
    return tag("td", text, class_="line")
