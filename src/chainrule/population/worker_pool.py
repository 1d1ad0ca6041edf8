"""Batches of members wait in line for workers: threads, or devices, that train an epoch of a batch at a time."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.engine import Engine
from chainrule.engine.choice import workers
from chainrule.population.checkpointer import Checkpointer
from chainrule.population.device_cache import DeviceCache
from chainrule.population.member import Member
from chainrule.population.member_batch import MemberBatch
from chainrule.population.plan import capacity, cheapest_capacity, reduced_capacity
from chainrule.recipe.callbacks import Callback
from chainrule.signals import StopRequest

#: Called after every epoch of a batch with its members.
Watch = Callable[[Sequence[Member]], None]


class WorkerPool:
    """Trains the members of one program.

    Parameters
    ----------
    engine : that was chosen for them; where it has several cores or devices, each worker gets one
    members : of one program (`Member.program`), those with the same data beside each other
    until : the epoch to train to; None: each to its last one
    strategy : as in `PopulationTrainer`
    compiled : capacities of batches for which the program is compiled; that of this pool is added
    cache_of : the `DeviceCache` of an engine
    callbacks : called with an `Event` for each member after each of its epochs
    watch : called after every epoch of a batch with its members, by the thread that called `run`
    checkpointer : saves members now and then, or None
    stop : whether someone asked for an end
    """

    def __init__(
        self,
        engine: Engine,
        members: list[Member],
        until: int | None,
        *,
        strategy: str | int,
        compiled: set[int],
        cache_of: Callable[[Engine], DeviceCache],
        callbacks: Sequence[Callback],
        watch: Watch | None,
        checkpointer: Checkpointer | None,
        stop: StopRequest,
    ) -> None:
        self.until, self.cache_of, self.callbacks = until, cache_of, callbacks
        self.watch, self.checkpointer, self.stop = watch, checkpointer, stop
        threads = workers(engine) if len(members) > 1 else ((engine, 1),)
        count = sum(number for _, number in threads)
        size = capacity(members, threads[0][0], count, strategy)
        if strategy == "auto":
            size = cheapest_capacity(size, members, count, compiled, until)
        compiled.add(size)
        if strategy != "auto" and size >= len(members):  # one batch has the machine for itself
            threads = ((engine, 1),)
        self.capacity = size
        self.widest = max(members, key=lambda member: member.prepared_run.model.input_shape)
        self.workers = [engine for engine, number in threads for _ in range(number)]
        self.queues: dict[int, deque[list[Member] | MemberBatch]] = {id(engine): deque() for engine, _ in threads}
        groups = [members[i : i + size] for i in range(0, len(members), size)]
        for i, group in enumerate(groups):
            self.queues[id(threads[i % len(threads)][0])].append(group)
        self.batches: list[MemberBatch] = []  # that hold the state of members
        self.lock = threading.Lock()
        self.messages: queue.Queue[Any] = queue.Queue()  # members to watch, errors, and None when a thread ends
        self.failed = threading.Event()

    def run(self) -> None:
        """Train until no batch is left; errors and Ctrl-C end all threads first."""
        try:
            if len(self.workers) == 1:
                self._work(self.workers[0])
            else:
                self._run_threads()
        finally:
            for batch in self.batches:
                batch.sync_members()

    def _run_threads(self) -> None:
        """Start the threads and wait for them."""
        threads = [threading.Thread(target=self._work, args=(engine,), daemon=True) for engine in self.workers]
        for thread in threads:
            thread.start()
        try:
            running = len(threads)
            while running:
                message = self.messages.get()
                if message is None:
                    running -= 1
                elif isinstance(message, BaseException):
                    raise message
                elif self.watch is not None:
                    self.watch(message)
        finally:
            self.failed.set()
            for thread in threads:
                thread.join()

    def _work(self, engine: Engine) -> None:
        """Train batches of an engine, an epoch each, until none is left."""
        try:
            while (batch := self._next(engine)) is not None and batch.epoch(self._ending):
                if self.checkpointer is not None and self.checkpointer.should_save(batch.members):
                    batch.sync_members()
                    self.checkpointer.save(batch.members)
                self._notify(batch.members)
                self._requeue(engine, batch)
        except BaseException as error:
            if len(self.workers) == 1:
                raise
            self.messages.put(error)
        finally:
            if len(self.workers) > 1:
                self.messages.put(None)

    def _ending(self) -> bool:
        """Return whether there is a reason to stop before all is done: an error, or someone who asked."""
        return self.failed.is_set() or bool(self.stop.signal)

    def _notify(self, members: list[Member]) -> None:
        """Have members watched, by the thread that waits for all."""
        if len(self.workers) > 1:
            self.messages.put(members)
        elif self.watch is not None:
            self.watch(members)

    def _next(self, engine: Engine) -> MemberBatch | None:
        """Return the batch that has waited longest."""
        with self.lock:
            waiting = self.queues[id(engine)]
            if self._ending() or not waiting:
                return None
            batch = waiting.popleft()
        if isinstance(batch, MemberBatch):
            return batch
        size = reduced_capacity(self.capacity, batch, self.until)
        batch = MemberBatch(batch, size, engine, self.cache_of(engine), self.callbacks, self.widest)
        self.batches.append(batch)
        return batch

    def _requeue(self, engine: Engine, batch: MemberBatch) -> None:
        """Put a batch at the end of the line. If some of its members are done, it is made anew of the others.

        Two of these that have the same data and order, and together room in a batch, become one.
        """
        live = [m for m in batch.members if not m.done and (self.until is None or m.epoch < self.until)]
        if len(live) == len(batch.members):
            with self.lock:
                self.queues[id(engine)].append(batch)
            return
        batch.sync_members()
        self.batches.remove(batch)
        self.cache_of(engine).retain({key for other in list(self.batches) for key in other.data_keys})
        if not live:
            return
        with self.lock:
            waiting = self.queues[id(engine)]
            for i, other in enumerate(waiting):
                if isinstance(other, list) and len(other) + len(live) <= self.capacity and _same_samples(*other, *live):
                    waiting[i] = [*other, *live]
                    return
            waiting.append(live)


def _same_samples(first: Member, *others: Member) -> bool:
    """Return whether members see the same data in the same order."""
    key, prepared = first.prepared_run.order.tobytes(), first.prepared_run.prepared
    return all(
        m.prepared_run.prepared is prepared and m.prepared_run.order.tobytes() == key and m.epoch == first.epoch
        for m in others
    )
