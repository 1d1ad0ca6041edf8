"""A run is kept in its folder while it goes on: when a checkpoint is due, how many stay, what if writing fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chainrule.display.lines import print_line
from chainrule.errors import FileError
from chainrule.models import Model
from chainrule.runs.files import BEST, CHECKPOINTS, CONFIG
from chainrule.runs.folder import RunFolder
from chainrule.training import checkpoint as checkpoints
from chainrule.training.checkpoint import Checkpoint

#: An epoch's end is a good place for a checkpoint, but epochs may be short: writing takes this fraction of the time at
#: most, and there are so many seconds between two at least.
FRACTION, GAP = 0.02, 0.5

#: Seconds until it is tried again after a checkpoint could not be written.
RETRY = 20.0


class Checkpointer:
    """Writes the checkpoints and the metrics of a run.

    A checkpoint is written after every ``every`` steps, when the last one is ``minutes`` old, and at the end of an
    epoch unless there was one a moment ago. The last ``keep`` stay, and ``checkpoints/best.safetensors``, the model
    with the best weights so far. If one cannot be written, that is said once, training goes on, and what was written
    before stays.

    Parameters
    ----------
    folder : where the run is written
    identity : what must be the same for the run to be gone on with
    every, minutes : steps and minutes between checkpoints; None: not by them
    keep : how many stay
    """

    def __init__(
        self,
        folder: RunFolder,
        identity: Mapping[str, str],
        *,
        every: int | None = None,
        minutes: float | None = None,
        keep: int = 3,
    ) -> None:
        self.folder, self.identity = folder, identity
        self.every, self.minutes, self.keep = every, minutes, keep
        self.config: Mapping[str, Any] = {}
        self.saved: tuple[int, int] | None = None  # step and epoch of the last checkpoint
        self.saved_best = -1  # the epoch whose weights best.safetensors has
        self.failing = False
        self.before, self.took = time.monotonic(), 0.0  # when the last one was written, and how long that took

    def start(self, config: Mapping[str, Any], checkpoint: Checkpoint | None) -> None:
        """Begin to write: the settings, and of a run that goes on the metrics as they were at its checkpoint."""
        self.config = config
        self.folder.start(config)
        self.before = time.monotonic()
        self.folder.write_metrics([] if checkpoint is None else checkpoint.history.records)
        if checkpoint is not None:
            self.saved = int(checkpoint.state.step), checkpoint.position.epoch

    def add_record(self, record: Mapping[str, Any]) -> None:
        """Append the record of an epoch to the metrics, which others may read while the run goes on."""
        if self.failing:  # all of them are written when it can be saved again
            return
        try:
            self.folder.append_metrics(record)
        except FileError as error:
            self._fail(error)

    def is_due(self, step: int, end_of_epoch: bool) -> bool:
        """Return whether to write a checkpoint after a step."""
        since = time.monotonic() - self.before
        if self.failing and since < RETRY:
            return False
        if self.every is not None and step % self.every == 0:
            return True
        if self.minutes is not None and since >= 60 * self.minutes:
            return True
        return end_of_epoch and (self.saved is None or since >= max(GAP, self.took * (1 / FRACTION - 1)))

    def save(self, checkpoint: Checkpoint, best: Callable[[], Model] | None) -> bool:
        """Write a checkpoint, the best model (if it is another than before) and the metrics: whether that was done."""
        at, start = (int(checkpoint.state.step), checkpoint.position.epoch), time.monotonic()
        try:
            if not (self.folder.path / CONFIG).exists():  # somebody has moved or removed it
                self.folder.start(self.config)
            if at != self.saved:
                checkpoints.save(self.folder.path, checkpoint, self.identity)
                self.saved = at
            if best is not None and checkpoint.best_epoch not in (0, self.saved_best):
                self.folder.write_model(best(), f"{CHECKPOINTS}/{BEST}")
                self.saved_best = checkpoint.best_epoch
            self.folder.write_metrics(checkpoint.history.records)
        except FileError as error:
            self._fail(error)
        else:
            if self.failing:
                print_line("The run is saved again.")
            self.failing = False
            self._remove_old()
        self.before = time.monotonic()
        self.took = self.before - start
        return not self.failing

    def _fail(self, error: FileError) -> None:
        if not self.failing:
            print_line(f"warning: {error} Training goes on, and what was saved before stays; it is tried again.")
        self.failing = True

    def _remove_old(self) -> None:
        for _, path in checkpoints.files(self.folder.path)[self.keep :]:
            try:
                path.unlink()
            except OSError:  # it stays, then
                return


def quarantine(folder: Path, wrong: list[str]) -> None:
    """Say which checkpoints are damaged, and rename them, so that they are not taken for the newest again."""
    for message in wrong:
        print_line(f"warning: {message} Going on from the one before it.")
    for _, path in checkpoints.files(folder)[: len(wrong)]:
        try:
            path.rename(path.with_name(f"{path.name}.damaged"))
        except OSError:
            return
