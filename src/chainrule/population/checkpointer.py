"""Saves a population in a folder while it trains, and takes it to where it was saved."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.display.lines import print_line
from chainrule.outcome import Outcome
from chainrule.population.member import Member
from chainrule.recipe.prepare import Prepared
from chainrule.runs.files import CONFIG
from chainrule.runs.folder import RunFolder, member_folder
from chainrule.training import checkpoint, decisions
from chainrule.training import checkpointer as run_checkpointer
from chainrule.training.fingerprint import fingerprint, identity
from chainrule.training.loader import InMemoryLoader


class Checkpointer:
    """Saves each member in a folder of its own, ``00``, ``01`` and so on, as `fit` saves a run.

    Those of a batch are written when they are done, and at the end of an epoch if the last time is long enough ago.
    Making one takes members that were saved before to where they were; `start` begins to write.

    Parameters
    ----------
    folder : that of the population
    members : in the order of their folders
    configs : the settings of each, for its ``config.toml`` (see `chainrule.recipe.prepared_run.describe`)
    keep : checkpoints of each that stay: should the last one be damaged, there is the one before it

    Raises
    ------
    SettingError
        If a folder holds a member of other data or settings.
    FileError
        If it cannot be written to, or what it holds is damaged.
    """

    def __init__(
        self, folder: Path, members: Sequence[Member], configs: Sequence[Mapping[str, Any]], keep: int = 2
    ) -> None:
        self.folder, self.members = folder, list(members)
        datasets = {id(member.prepared_run.prepared): member.prepared_run.prepared for member in members}
        identities = {key: _identity_of_data(dataset) for key, dataset in datasets.items()}
        self._checkpointers: dict[int, run_checkpointer.Checkpointer] = {}
        self._saved: dict[int, tuple[int, Outcome | None]] = {}  # how far each member is written
        self._starts: list[Callable[[], None]] = []
        notes: dict[str | None, int] = {}  # each with the first member that it is about
        for i, (member, config) in enumerate(zip(members, configs, strict=True)):
            member_path = member_folder(folder, i)
            run_folder = RunFolder(member_path, resume=(member_path / CONFIG).exists())
            prepared_run, train = member.prepared_run, member.prepared_run.prepared.train
            identity_of_run = identity(
                prepared_run.recipe,
                prepared_run.model,
                samples=len(train.x),
                batch_size=min(prepared_run.batch_size, len(train.x)),
                shuffled=InMemoryLoader.shuffled,
                data={"seed": str(prepared_run.settings.seed)} | identities[id(prepared_run.prepared)],
            )
            path, wrong = checkpoint.newest(run_folder.path)
            run_checkpointer.quarantine(run_folder.path, wrong)
            saved = None if path is None else checkpoint.load(path, prepared_run.state, identity_of_run)
            if saved is not None:
                notes.setdefault(decisions.rescheduled(prepared_run.recipe, saved.state, saved.epochs), i)
                member.restore(saved)
                self._saved[id(member)] = _progress_of(member)
            member.folder = run_folder.path
            self._checkpointers[id(member)] = checkpointer = run_checkpointer.Checkpointer(
                run_folder, identity_of_run, keep=keep
            )
            self._starts.append(functools.partial(checkpointer.start, config, saved))
        for note, i in notes.items():
            if note is not None:
                print_line(f"Network {i}: {note}")

    def start(self) -> None:
        """Write the settings of all members that there is something left to do for."""
        for member, begin in zip(self.members, self._starts, strict=True):
            folder = self._checkpointers[id(member)].folder
            folder.tidy()
            if not member.done or not (folder.path / CONFIG).exists():
                begin()

    @property
    def engine(self) -> str | None:
        """The name of the engine that members were trained on before; None if none was saved yet."""
        return next((member.engine for member in self.members if id(member) in self._saved and member.engine), None)

    def should_save(self, members: Sequence[Member]) -> bool:
        """Return whether to write some members that train together, at the end of an epoch."""
        checkpointers = [self._checkpointers[id(member)] for member in members]
        seconds = time.monotonic() - max(checkpointer.before for checkpointer in checkpointers)
        took = sum(checkpointer.took for checkpointer in checkpointers)
        if any(checkpointer.failing for checkpointer in checkpointers):
            return seconds >= run_checkpointer.RETRY
        if any(member.done for member in members):
            return True
        return seconds >= max(run_checkpointer.GAP, took * (1 / run_checkpointer.FRACTION - 1))

    def save(self, members: Sequence[Member]) -> None:
        """Write the members that have a state and are not written as they are now."""
        for member in members:
            checkpointer, checkpoint, progress = (
                self._checkpointers[id(member)],
                member.checkpoint(),
                _progress_of(member),
            )
            if checkpoint is not None and progress != self._saved.get(id(member)):
                checkpointer.saved = None  # one that has diverged since is where it was, and no longer what it was
                if checkpointer.save(checkpoint, best=None):
                    self._saved[id(member)] = progress

    def finish(self) -> None:
        """Write the model of each member that has one; raises `FileError` where that cannot be done."""
        for member in self.members:
            if member.state is not None:
                folder = self._checkpointers[id(member)].folder
                folder.write_metrics(member.history.records)
                folder.write_model(member.run().model)

    @property
    def progress(self) -> str:
        """What is saved, in words: ``8 networks are kept in runs/a, up to epoch 3 to 4``."""
        done = [self._saved.get(id(member), (0, None))[0] for member in self.members]
        to = f"{min(done)}" if min(done) == max(done) else f"{min(done)} to {max(done)}"
        return f"{len(done)} networks are kept in {self.folder}, up to epoch {to}"


def _progress_of(member: Member) -> tuple[int, Outcome | None]:
    """Return its epochs, and how it ended if it did."""
    return member.epoch, member.outcome


def _identity_of_data(data: Prepared) -> dict[str, str]:
    """Return what tells the data that a member is trained on from other data."""
    arrays: dict[str, Any] = data.train._asdict()
    if data.validation is not None:
        arrays |= {f"{name} of the validation": values for name, values in data.validation._asdict().items()}
    return fingerprint(**arrays)
