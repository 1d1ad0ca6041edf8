"""A population is kept in a folder while it trains, and goes on from there."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.display.lines import print_line
from chainrule.population.member import Member
from chainrule.runs.files import CONFIG
from chainrule.runs.folder import RunFolder, member_folder
from chainrule.training import checkpoint, decisions
from chainrule.training import checkpointer as keeper
from chainrule.training.fingerprint import fingerprint, identity
from chainrule.training.loader import InMemoryLoader
from chainrule.training.prepare import Prepared


class Checkpointer:
    """Keeps each member in a folder of its own, ``00``, ``01`` and so on, as `fit` keeps a run.

    Those of a block are written when they are done, and at the end of an epoch if the last time is long enough ago.
    Making one takes members that are there already to where their folders say that they were; `start` begins to write.

    Parameters
    ----------
    folder : that of the population
    members : in the order of their folders
    described : the settings of each, for its ``config.toml`` (see `chainrule.training.prepared_run.describe`)
    keep : checkpoints of each that stay: should the last one be damaged, there is the one before it

    Raises
    ------
    SettingError
        If a folder holds a member of other data or settings.
    FileError
        If it cannot be written to, or what it holds is damaged.
    """

    def __init__(
        self, folder: Path, members: Sequence[Member], described: Sequence[Mapping[str, Any]], keep: int = 2
    ) -> None:
        self.folder, self.members = folder, list(members)
        data = {id(p): _known(p) for p in {id(m.job.prepared): m.job.prepared for m in members}.values()}
        self._own: dict[int, keeper.Checkpointer] = {}
        self._kept: dict[int, tuple[int, str | None]] = {}  # what of each is written
        self._start: list[Callable[[], None]] = []
        notes: dict[str | None, int] = {}  # each with the first member that it is about
        for i, (member, config) in enumerate(zip(members, described, strict=True)):
            at = member_folder(folder, i)
            place = RunFolder(at, resume=(at / CONFIG).exists())
            job, train = member.job, member.job.prepared.train
            known = identity(
                job.recipe,
                job.model,
                samples=len(train.x),
                batch_size=min(job.batch_size, len(train.x)),
                shuffled=InMemoryLoader.shuffled,
                given={"seed": str(job.settings.seed)} | data[id(job.prepared)],
            )
            path, wrong = checkpoint.newest(place.path)
            keeper.quarantine(place.path, wrong)
            found = None if path is None else checkpoint.load(path, job.state, known)
            if found is not None:
                notes.setdefault(decisions.rescheduled(job.recipe, found.state, found.epochs), i)
                member.go_on_from(found)
                self._kept[id(member)] = _where(member)
            member.folder = place.path
            self._own[id(member)] = own = keeper.Checkpointer(place, known, keep=keep)
            self._start.append(functools.partial(own.start, config, found))
        for note, i in notes.items():
            if note is not None:
                print_line(f"Network {i}: {note}")

    def start(self) -> None:
        """Write the settings of all members that there is something left to do for."""
        for member, begin in zip(self.members, self._start, strict=True):
            folder = self._own[id(member)].folder
            folder.tidy()
            if not member.done or not (folder.path / CONFIG).exists():
                begin()

    @property
    def engine(self) -> str | None:
        """The engine that members were trained by before; None if none has been kept yet."""
        return next((member.engine for member in self.members if id(member) in self._kept and member.engine), None)

    def should_save(self, members: Sequence[Member]) -> bool:
        """Return whether to write some that train together, at the end of an epoch."""
        own = [self._own[id(member)] for member in members]
        since = time.monotonic() - max(each.before for each in own)
        if any(each.failing for each in own):
            return since >= keeper.RETRY
        if any(member.done for member in members):
            return True
        return since >= max(keeper.GAP, sum(each.took for each in own) * (1 / keeper.SHARE - 1))

    def save(self, members: Sequence[Member]) -> None:
        """Write those that are not written as they are now, and have their state."""
        for member in members:
            own, found, now = self._own[id(member)], member.checkpoint(), _where(member)
            if found is not None and now != self._kept.get(id(member)):
                own.saved = None  # one that has diverged since is where it was, and no longer what it was
                if own.save(found, best=None):
                    self._kept[id(member)] = now

    def finish(self) -> None:
        """Write the model of each member that has one; raises `FileError` where that cannot be done."""
        for member in self.members:
            if member.state is not None:
                folder = self._own[id(member)].folder
                folder.write_metrics(member.history.records)
                folder.write_model(member.run().model)

    @property
    def told(self) -> str:
        """Where the population stands, in words: ``8 networks are kept in runs/a, up to epoch 3 to 4``."""
        done = [self._kept.get(id(member), (0, None))[0] for member in self.members]
        to = f"{min(done)}" if min(done) == max(done) else f"{min(done)} to {max(done)}"
        return f"{len(done)} networks are kept in {self.folder}, up to epoch {to}"


def _where(member: Member) -> tuple[int, str | None]:
    """Its epochs, and why it ended if it did."""
    return member.epoch, member.stopped


def _known(data: Prepared) -> dict[str, str]:
    """Return what tells the data of a member from that of others: as it is trained on."""
    parts: dict[str, Any] = data.train._asdict()
    if data.validation is not None:
        parts |= {f"{name} of the validation": values for name, values in data.validation._asdict().items()}
    return fingerprint(**parts)
