"""How a run is getting on, as far as its folder says."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainrule.files import is_locked
from chainrule.runs.files import CHECKPOINTS, MEMBERS_FOLDER, METRICS, OF_A_RUN, REPORT, VIEWS
from chainrule.training.record import Record

#: Seconds without a sign of life after which a run is not going on, where the system says which folders are in use.
QUIET = 15.0

#: Elsewhere: minutes, if the settings do not say how often a checkpoint is written.
MINUTES = 10.0

#: A time of change and a size, which together tell one content of a file from the next.
Stamps = Mapping[Path, tuple[int, int]]


@dataclass(frozen=True)
class State:
    """How a run is getting on.

    Attributes
    ----------
    kind : "waiting", "running", "ended", "stopped" (nobody is training it, and it has not ended) or "gone"
    head : that in words
    text : how far it is
    """

    kind: str
    head: str
    text: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come, as things are."""
        return self.kind in ("ended", "stopped", "gone")


def stamps_of(folder: Path) -> Stamps:
    """Return the stamps of all files of a run that its page is made of; of checkpoints, those of their folders."""
    stamps = {}
    for path in _files_of(folder):
        try:
            status = os.stat(path)
        except OSError:
            continue
        stamps[path] = (status.st_mtime_ns, status.st_size)
    return stamps


def _files_of(folder: Path) -> Iterator[Path]:
    members = sorted((folder / MEMBERS_FOLDER).glob("*"))
    yield from (folder / name for name in OF_A_RUN if name not in (VIEWS, MEMBERS_FOLDER))
    yield from (folder / VIEWS).glob("*.*")
    yield from members
    yield from (member / name for member in members if member.is_dir() for name in (METRICS, CHECKPOINTS))


def state_of(folder: Path, record: Record | None, stamps: Stamps, progress: str) -> State:
    """Return how the run of a folder is getting on.

    Parameters
    ----------
    folder : of the run
    record : what it says; None where there is nothing yet
    stamps : of its files
    progress : how far it is, in words
    """
    if not folder.is_dir():
        return State("gone", f"The folder {folder.name} is gone", "What is shown is the last that was read.")
    newest = max((changed for changed, _ in stamps.values()), default=0) / 1e9
    is_in_use = is_locked(folder) or is_locked(folder / MEMBERS_FOLDER)
    goes_on = is_in_use or time.time() - newest < _patience(record, is_in_use)
    if record is not None and (ended := _ended(record, is_complete=folder / REPORT in stamps or not goes_on)):
        return State("ended", ended, progress)
    if record is None and (goes_on or not stamps):
        return State("waiting", "Waiting", progress)
    if goes_on:
        return State("running", "Running", progress)
    return State("stopped", f"Not running since {clock(newest)}", progress)


def _ended(record: Record, *, is_complete: bool) -> str:
    """Return how a run has ended, in words; "" if it goes on, or was interrupted.

    Runs of `fit` write no result: what they end with is the model.
    """
    if record.outcome is not None:
        return record.outcome.kind.capitalize() if is_complete or record.diverged else ""
    is_of_fit = "data" not in record.config and "preset" not in record.config
    return "Finished" if is_of_fit and record.has_model and is_complete else ""


def _patience(record: Record | None, is_in_use: bool | None) -> float:
    """Return the seconds without a sign of life after which a run counts as not running."""
    if is_in_use is not None:
        return QUIET
    minutes = None if record is None else record.config.get("checkpoint_minutes")
    return 60 * (float(minutes or MINUTES) + 1)


def clock(seconds: float) -> str:
    """Return a time of this place, as on a clock; with its day if that is not today.

    >>> import time
    >>> clock(time.mktime((2020, 1, 2, 3, 4, 5, 0, 0, -1)))
    '2020-01-02 03:04'
    """
    then = time.localtime(seconds)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)
