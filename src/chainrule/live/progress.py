"""How far a run is, in words: one network, several, or a search."""

from __future__ import annotations

import contextlib
import json
import tomllib
from pathlib import Path

from chainrule.errors import FileError
from chainrule.runs.files import JOURNAL, MEMBERS_FOLDER, METRICS, SEARCH, SEARCH_CONFIG
from chainrule.runs.folder import read_records
from chainrule.training.record import Record

#: In a journal of Optuna: the operation that ends a trial, and the states of trials that have ended (complete, pruned,
#: failed).
SET_STATE, ENDED = 6, (1, 2, 3)


def progress_of(folder: Path, record: Record) -> str:
    """Return how far the run of a folder is."""
    if (folder / SEARCH_CONFIG).exists() and not (folder / SEARCH).exists():
        return f"{_trials(folder)} trials have ended"
    epochs = record.config.get("epochs")
    of = f" of {epochs:,}" if isinstance(epochs, int) else ""
    members = sorted((folder / MEMBERS_FOLDER).glob("[0-9]*"))
    if members and not record.epochs:
        done = [_epochs(member) for member in members]
        far = f"{min(done):,}" if min(done) == max(done) else f"{min(done):,} to {max(done):,}"
        return f"epoch {far}{of} in {len(done)} networks"
    return f"epoch {len(record.epochs):,}{of}"


def _epochs(member: Path) -> int:
    """Return how many epochs of a network are saved."""
    try:
        return len(read_records(member / METRICS))
    except FileError:  # none yet
        return 0


def _trials(folder: Path) -> str:
    """Return how many trials of a search have ended, of how many."""
    ended, asked = set(), ""
    with contextlib.suppress(OSError, ValueError), open(folder / JOURNAL, encoding="utf-8") as lines:
        for line in lines:  # the last one may be half-written
            entry = json.loads(line)
            if entry.get("op_code") == SET_STATE and entry.get("state") in ENDED:
                ended.add(entry.get("trial_id"))
    with contextlib.suppress(OSError, ValueError):
        settings = tomllib.loads((folder / SEARCH_CONFIG).read_text("utf-8")).get("search", {})
        asked = f" of {settings['trials']:,}" if isinstance(settings.get("trials"), int) else ""
    return f"{len(ended):,}{asked}"
