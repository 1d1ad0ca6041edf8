"""The page of one run, made anew as its files change."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from chainrule.display.markup import Html
from chainrule.errors import FileError
from chainrule.live.progress import progress_of
from chainrule.live.state import Stamps, State, clock, stamps_of, state_of
from chainrule.live.views import Views
from chainrule.report.inside_sections import cursor
from chainrule.report.page import parts_of, read_page
from chainrule.runs.files import MODEL
from chainrule.runs.folder import begun, nothing_saved
from chainrule.training.record import Record, read_folder

#: The share of the time that reading and drawing may take while the run goes on.
SHARE = 0.2

NOTHING: Mapping[str, Html] = {"header": Html(), "footer": Html()}


class LiveRun:
    """What there is to show of a run by now.

    Attributes
    ----------
    folder : of the run
    parts : of its page, as `chainrule.report.page.parts_of` makes them
    state : how the run is getting on
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: Mapping[str, Html] = NOTHING
        self.state = State("waiting", "Waiting")
        self.views = Views()
        self._record: Record | None = None
        self._stamps: Stamps = {}
        self._noted: Stamps = {}
        self._read_at: float | None = None
        self._shown: Mapping[str, object] = {}
        self._trouble = ""
        self._pause_until = 0.0

    @property
    def title(self) -> str:
        """The title of the page."""
        return f"{self.folder.resolve().name} – chainrule"

    def look(self, *, is_shown: bool) -> None:
        """Look at the files; where they have changed and somebody sees the page, make its parts anew."""
        stamps = stamps_of(self.folder)
        is_due = self.state.is_over or time.monotonic() >= self._pause_until
        if is_shown and is_due and (stamps != self._stamps or self.views.figures is not self._shown):
            before, figures = time.monotonic(), self.views.figures
            self._read(stamps)
            self._shown = figures
            self._pause_until = time.monotonic() + (time.monotonic() - before) * (1 / SHARE - 1)
        elif stamps != self._noted:
            self._note()
        self._noted = stamps
        self.state = state_of(self.folder, self._record, stamps, self._trouble or self._progress())

    def derive(self) -> bool:
        """Derive the next view of training from inside, if there is one to be derived; return whether there was."""
        return self.views.derive(is_over=self.state.is_over)

    @property
    def is_complete(self) -> bool:
        """Whether the page shows all that there is."""
        return self._stamps == self._noted and self.views.are_complete and self.views.figures is self._shown

    def _read(self, stamps: Stamps) -> None:
        folder = begun(self.folder)
        if nothing_saved(folder):
            return
        try:
            page = read_page(folder, lambda recorded: self.views.take(recorded, stamps.get(folder / MODEL)))
            parts = parts_of(page)
        except FileError as error:  # what was read before stays
            self._trouble = str(error) if self.folder.is_dir() else ""
        else:
            self._trouble, self._record, self._read_at = "", page.record, time.time()
            self.parts = {**parts, "cursor": parts.get("cursor", cursor(1))}
        self._stamps = stamps

    def _note(self) -> None:
        """Read how it is getting on, and no more."""
        with contextlib.suppress(FileError):  # there is nothing yet
            self._record = read_folder(begun(self.folder))

    def _progress(self) -> str:
        """Return how far the run is, in words."""
        if self._record is None:
            return f"Nothing is written to {self.folder} yet."
        far = progress_of(self.folder, self._record)
        return far if self._read_at is None else f"{far}, read at {clock(self._read_at)}"
