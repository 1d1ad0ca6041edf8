"""A crew: members that train together, as far as asked, and go on later from where they are."""

from __future__ import annotations

import functools
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chainrule.engine import Engine, choose, distributed
from chainrule.engine.choice import workers
from chainrule.errors import SettingError
from chainrule.keywords import unknown_keywords
from chainrule.optimizers import Optax
from chainrule.population.checkpointer import Checkpointer
from chainrule.population.member import JOB_SETTINGS, Member, MemberFactory
from chainrule.population.member_batch import DeviceCache, MemberBatch
from chainrule.population.plan import check_strategy, slots
from chainrule.signals import StopRequest, asked_to_end, ended
from chainrule.tables.table import Table
from chainrule.training.callbacks import Callback
from chainrule.training.memory import check_room
from chainrule.training.prepared_run import FitSettings

#: About what it takes to compile a program.
COMPILE_SECONDS = 2.0

#: Called after every epoch of a block with its members.
Watch = Callable[[Sequence[Member]], None]


class PopulationTrainer:
    """Members of one experiment: the same network and data, and settings of `fit` that are common to all.

    Parameters
    ----------
    net, data : as for `fit`; ``net`` may be a function of the `Dataset` that returns a layer
    engine, devices : as for `fit`; of several devices each trains members of its own
    strategy : "auto", "vectorized" (all members in one program), "single" (a program for each), or a number of members
        to a block
    callbacks : called with an `Event` for each member after each of its epochs
    settings : of `fit`, common to all members that are not given others

    >>> import chainrule as cr
    >>> from chainrule.population import PopulationTrainer
    >>> trainer = PopulationTrainer(cr.Dense(3, "softmax"), cr.data.load("iris"), validation=0.2, epochs=6)
    >>> members = trainer.add_members([{"seed": 1}, {"seed": 2, "optimizer.lr": 0.1}])
    >>> trainer.train(members, until=2)
    >>> [member.epoch for member in members]
    [2, 2]
    >>> trainer.train(members)
    >>> [member.epoch for member in members]
    [6, 6]
    """

    def __init__(
        self,
        net: Any,
        data: Any,
        *,
        engine: str = "auto",
        devices: str | int | None = None,
        strategy: str | int = "auto",
        callbacks: Callback | Sequence[Callback] = (),
        **settings: Any,
    ) -> None:
        if unknown := [name for name in settings if name not in JOB_SETTINGS]:
            raise unknown_keywords("A population", unknown, JOB_SETTINGS)
        if distributed.place()[1] > 1:
            raise SettingError("A population trains in one process; start it outside of a run of several processes.")
        self.settings = FitSettings(**settings)
        self.callbacks = tuple(callbacks) if isinstance(callbacks, list | tuple) else (callbacks,)
        self.asked, self.devices, self.strategy = engine, devices, strategy
        check_strategy(strategy)
        if isinstance(data, Table) and not self.settings.normalize:
            data = data.unscaled()
        self._recruits = MemberFactory(net, data, self.settings)
        self._placed: dict[int, DeviceCache] = {}
        self.sizes: dict[Any, set[int]] = {}  # of blocks that there are programs for

    def add_members(self, given: Sequence[Mapping[str, Any]]) -> list[Member]:
        """Members of their differences; raises `SettingError` before anything is trained."""
        members = []
        for i, differences in enumerate(given):
            members.append(self._recruits.member(differences))
            if i == 0:
                check_room(members[0].job.model.params, len(given))
        return members

    def train(
        self,
        members: Sequence[Member],
        until: int | None = None,
        watch: Watch | None = None,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        """Train those that are not done to the end of an epoch; None: to the end of their last one.

        Ctrl-C and SIGTERM end it soon: the members are then where they were after their last whole epoch, and kept
        there if there is a ``checkpointer``.
        """
        todo = [m for m in members if not m.done and (until is None or m.epoch < until)]
        if not todo:
            return
        engine = self._engine(todo, until)
        for member in todo:
            member.engine = engine.name
        with asked_to_end() as asked:
            try:
                for group in _groups(todo):
                    _Lanes(self, engine, group, until, watch, checkpointer, asked).run()
            finally:
                if checkpointer is not None:
                    checkpointer.save(todo)
            if asked.signal:
                asked.heeded = True
                raise ended(asked.signal, "The training of the population was ended.")

    def _engine(self, members: Sequence[Member], until: int | None) -> Engine:
        job = members[0].job
        epochs = sum(min(until or m.job.epochs, m.job.epochs) - m.epoch for m in members)
        choice = functools.partial(
            choose,
            devices=self.devices,
            precision="bfloat16" if job.recipe.compute else job.model.precision,
            steps=epochs * job.steps_per_epoch,
            work=lambda: job.model.work() * (3 * min(job.batch_size, len(job.prepared.train.x))),
        )
        found = choice(self.asked)
        if found.name == "numpy" and any(isinstance(m.job.recipe.optimizer, Optax) for m in members):
            if self.asked == "numpy":
                raise SettingError('An optax transformation runs on JAX only: use engine="jax".')
            found = choice("jax")
        return found

    def placed(self, engine: Engine) -> DeviceCache:
        """Return the data that an engine has."""
        return self._placed.setdefault(id(engine), DeviceCache(engine))


def _groups(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Members of one program, those with the same data beside each other."""
    found: dict[Any, list[Member]] = {}
    for member in members:
        found.setdefault(member.program, []).append(member)
    for group in found.values():
        numbers = {id(member.job.prepared): i for i, member in reversed(list(enumerate(group)))}
        yield sorted(group, key=lambda m: (numbers[id(m.job.prepared)], m.job.order.tobytes(), m.epoch))


class _Lanes:
    """The blocks of a group, which wait in line for the lanes: threads that train an epoch of a block at a time."""

    def __init__(
        self,
        trainer: PopulationTrainer,
        engine: Engine,
        members: list[Member],
        until: int | None,
        watch: Watch | None,
        checkpointer: Checkpointer | None,
        asked: StopRequest,
    ) -> None:
        self.trainer, self.until, self.watch, self.checkpointer, self.asked = trainer, until, watch, checkpointer, asked
        there = workers(engine) if len(members) > 1 else ((engine, 1),)
        count = sum(threads for _, threads in there)
        size = self._best_size(slots(members, there[0][0], count, trainer.strategy), members, count)
        if trainer.strategy != "auto" and size >= len(members):  # one block has the machine for itself
            there, count = ((engine, 1),), 1
        self.size = size
        self.widest = max(members, key=lambda member: member.job.model.input_shape)
        blocks = [members[i : i + size] for i in range(0, len(members), size)]
        self.threads = [engine for engine, threads in there for _ in range(threads)]
        self.lines: dict[int, deque[list[Member] | MemberBatch]] = {id(e): deque() for e, _ in there}
        engines = [e for e, _ in there]
        for i, block in enumerate(blocks):
            self.lines[id(engines[i % len(engines)])].append(block)
        self.blocks: list[MemberBatch] = []  # that hold the state of members
        self.lock = threading.Lock()
        self.told: queue.Queue[Any] = queue.Queue()
        self.failed = threading.Event()

    def _best_size(self, size: int, members: list[Member], workers: int) -> int:
        """That size, or one for which the program is there already, if this costs less than compiling it anew."""
        used = self.trainer.sizes.setdefault(members[0].program, set())
        seconds = max((m.history.records[-1]["seconds"] for m in members if m.history.records), default=math.inf)
        left = max(min(self.until or m.job.epochs, m.job.epochs) - m.epoch for m in members)

        def cost(size: int) -> float:
            rounds = math.ceil(math.ceil(len(members) / size) / workers)
            return rounds * workers * size * seconds * left + (0.0 if size in used else COMPILE_SECONDS)

        if math.isfinite(seconds) and self.trainer.strategy == "auto":
            size = min((size, *used), key=cost)
        used.add(size)
        return size

    def run(self) -> None:
        """Train until no block is left; errors and Ctrl-C end all threads first."""
        try:
            if len(self.threads) == 1:
                self._lane(self.threads[0])
            else:
                self._wait()
        finally:
            for block in self.blocks:
                block.settle()

    def _wait(self) -> None:
        """Start the threads and wait for them."""
        threads = [threading.Thread(target=self._lane, args=(engine,), daemon=True) for engine in self.threads]
        for thread in threads:
            thread.start()
        try:
            left = len(threads)
            while left:
                found = self.told.get()
                if found is None:
                    left -= 1
                elif isinstance(found, BaseException):
                    raise found
                elif self.watch is not None:
                    self.watch(found)
        finally:
            self.failed.set()
            for thread in threads:
                thread.join()

    def _lane(self, engine: Engine) -> None:
        try:
            while (block := self._next(engine)) is not None and block.epoch(self._ending):
                if self.checkpointer is not None and self.checkpointer.should_save(block.members):
                    block.settle()
                    self.checkpointer.save(block.members)
                self._tell(block.members)
                self._back(engine, block)
        except BaseException as error:
            if len(self.threads) == 1:
                raise
            self.told.put(error)
        finally:
            if len(self.threads) > 1:
                self.told.put(None)

    def _ending(self) -> bool:
        """Return whether there is a reason to stop before all is done: an error, or someone who asked."""
        return self.failed.is_set() or bool(self.asked.signal)

    def _tell(self, members: list[Member]) -> None:
        """Have them watched: by the thread that waits for all."""
        if len(self.threads) > 1:
            self.told.put(members)
        elif self.watch is not None:
            self.watch(members)

    def _next(self, engine: Engine) -> MemberBatch | None:
        """Return the block that has waited longest."""
        with self.lock:
            line = self.lines[id(engine)]
            if self._ending() or not line:
                return None
            found = line.popleft()
        if isinstance(found, MemberBatch):
            return found
        block = MemberBatch(
            found, self._slots(found), engine, self.trainer.placed(engine), self.trainer.callbacks, self.widest
        )
        self.blocks.append(block)
        return block

    def _back(self, engine: Engine, block: MemberBatch) -> None:
        """The block goes to the end of the line. Without those that are done, if there are any: then it is made anew.

        Two of these that have the same data and order, and together room in a block, become one.
        """
        live = [m for m in block.members if not m.done and (self.until is None or m.epoch < self.until)]
        if len(live) == len(block.members):
            with self.lock:
                self.lines[id(engine)].append(block)
            return
        block.settle()
        self.blocks.remove(block)
        self.trainer.placed(engine).keep({key for other in list(self.blocks) for key in other.uses})
        with self.lock:
            line = self.lines[id(engine)]
            for i, other in enumerate(line):
                if live and isinstance(other, list) and len(other) + len(live) <= self.size and _alike(*other, *live):
                    line[i] = [*other, *live]
                    return
            if live:
                line.append(live)

    def _slots(self, members: list[Member]) -> int:
        """Room for some members: that of all blocks, or half, a quarter, …, where this saves more than it costs."""
        size = self.size
        while size >= 2 * len(members) and size > 1:
            size = (size + 1) // 2
        if size == self.size or not members[0].history.records:
            return self.size
        left = max(min(self.until or m.job.epochs, m.job.epochs) - m.epoch for m in members)
        block_seconds = members[0].history.records[-1]["seconds"] * self.size
        return size if left * block_seconds * (1 - size / self.size) > COMPILE_SECONDS else self.size


def _alike(first: Member, *others: Member) -> bool:
    """Return whether members see the same data in the same order."""
    key, prepared = first.job.order.tobytes(), first.job.prepared
    return all(m.job.prepared is prepared and m.job.order.tobytes() == key and m.epoch == first.epoch for m in others)
