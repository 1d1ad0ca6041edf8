"""Members that train together as one program: their states are one tree of arrays with a first axis for the members."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.data import batch_order, batches
from chainrule.engine import Engine, namespace
from chainrule.population.member import Member
from chainrule.training import decisions
from chainrule.training.call_length import ChunkSize
from chainrule.training.callbacks import Callback, Event, apply_settings
from chainrule.training.epoch import Shared, programs
from chainrule.training.loader import EVALUATION_BLOCK, blocks_of
from chainrule.training.memory import fitting_data
from chainrule.training.prepare import Prepared, trained
from chainrule.training.run import add_steps, named_metrics, totals
from chainrule.training.state import Metrics, State
from chainrule.training.step import Batch

Array = Any


class MemberBatch:
    """Some members of one program, epoch by epoch.

    Parameters
    ----------
    members : of one program (`Member.program`), none of them done
    slots : room for so many; what is left is filled up with the last member, and not looked at
    engine : where they train
    placed : `DeviceCache`, the data of this engine
    callbacks : called with an `Event` for each member after each of its epochs
    widest : a member with as many inputs as there is room for, see `Member.can_pad`
    """

    def __init__(
        self,
        members: Sequence[Member],
        slots: int,
        engine: Engine,
        placed: DeviceCache,
        callbacks: Sequence[Callback],
        widest: Member,
    ) -> None:
        self.members, self.engine, self.placed, self.callbacks = list(members), engine, placed, callbacks
        self.widest = widest
        self.slots = [*self.members, *[self.members[-1]] * (slots - len(self.members))]
        self.many = slots > 1
        prepared = [member.job.prepared for member in self.slots]
        self.parts = list({id(p): p for p in prepared}.values())
        self.part = [next(i for i, p in enumerate(self.parts) if p is own) for own in prepared]
        orders = {
            (member.job.order.tobytes(), member.epoch, i) for member, i in zip(self.slots, self.part, strict=True)
        }
        self.one_order, self.one_part = len(orders) == 1, len(self.parts) == 1
        shared = Shared(self.one_order, self.one_part) if self.many else None
        self.program = programs(self.members[0].recipe, engine, shared=shared)
        self.pace, self.whole = ChunkSize(), True
        self.state = self._place([member.state for member in self.slots])
        self.restores = any(member.restores() for member in self.members)
        self.best = self._gathered([member.best for member in self.slots], like=self._kept) if self.restores else None

    @property
    def _kept(self) -> Any:
        """Weights and statistics in the shapes that there is room for."""
        return self.widest.own.params, self.widest.own.layers

    def epoch(self, asked_to_end: Callable[[], bool] = lambda: False) -> bool:
        """Train all members for an epoch, and let each of them see what follows from it: whether it was done.

        If someone asked to end, the members are where they were before the epoch.
        """
        before = time.perf_counter()
        kept = self.engine.copy(self.state)
        self.whole = False
        settings = self._gathered([member.state.settings for member in self.slots], place=False)
        x, y, weight, order, steps = self._feed()
        sums: list[tuple[float, ...]] = [(0.0,) * 4] * len(self.slots)
        bad: list[int | None] = [None] * len(self.slots)
        rates = [0.0] * len(self.slots)
        done, finite = 0, None
        while done < steps:
            if asked_to_end():
                self.state, self.whole = kept, True
                return False
            last = min(done + self.pace.steps, steps)
            start = time.perf_counter()
            found = self.program.train(self.state, settings, Batch(x, y, weight), order, done, last)
            self.state = found.state
            metrics, finite = self.engine.fetch((found.metrics, found.finite))
            self.pace.took(last - done, time.perf_counter() - start)
            for i in range(len(self.members)):
                own = Metrics(*(np.asarray(v)[done:last, i] if self.many else v[done:last] for v in metrics))
                sums[i] = add_steps(sums[i], own)
                rates[i] = float(str(own.lr[-1]))
                if bad[i] is None and not np.isfinite(own.cost).all():
                    bad[i] = int(done + np.flatnonzero(~np.isfinite(own.cost))[0])
            done = last
        finite = np.atleast_1d(np.asarray(finite))
        bad = [steps - 1 if at is None and not finite[i] else at for i, at in enumerate(bad[: len(self.members)])]
        validated = self._validated(settings)
        seconds = (time.perf_counter() - before) / len(self.members)
        improved = np.zeros(len(self.slots), bool)
        for i, member in enumerate(self.members):
            member.seconds += seconds
            if (at := bad[i]) is not None:
                self._diverge(member, self._row(kept._replace(settings=None), i), at)
                continue
            metrics_ = named_metrics(member.job.recipe, *sums[i])
            record = {"epoch": member.epoch + 1, **metrics_, **validated[i], "lr": rates[i], "seconds": seconds}
            improved[i] = self._record(member, record, i)
        if self.restores and improved.any():
            self.best = self._improved(improved)
        self._settle([i for i, member in enumerate(self.members) if member.done and not member.diverged])
        self.whole = True
        return True

    def settle(self) -> None:
        """Give every member its state back, unless an error came in the middle of an epoch."""
        if self.whole:
            self._settle([i for i, member in enumerate(self.members) if not member.done])

    def _record(self, member: Member, record: dict[str, float], i: int) -> bool:
        """Take an epoch's record, and let early stopping, schedule and callbacks act: whether it is the best one."""
        job, history = member.job, member.history
        history.records.append(record)
        member.epoch += 1
        best = decisions.is_best(history, job.stopping, member.watched, member.best_epoch)
        if best:
            member.best_epoch = member.epoch
        reason = job.stopping.decide(history[job.stopping.monitor]) if job.stopping is not None else None

        def change(changes: Any) -> None:
            member.state = apply_settings(member.state, changes)

        if changes := decisions.scheduled(job.recipe, member.state.settings, history, member.validated):
            change(changes)

        def event() -> Event:
            state = self._row(self.state._replace(settings=None), i)._replace(settings=member.state.settings)
            return Event(
                epoch=member.epoch,
                epochs=job.epochs,
                step=int(np.asarray(state.step)),
                end_of_epoch=True,
                metrics=record,
                history=history,
                probes=None,
                state=state,
                model=lambda: trained(job.model, job.prepared, state.params, state.layers),
                member=member.given,
            )

        asked = decisions.ask(self.callbacks, event, job.recipe, change)
        member.stopped = reason or asked
        return best

    def _diverge(self, member: Member, state: State, at: int) -> None:
        """End a member whose cost became NaN or infinite, with the weights from before the epoch."""
        step = member.epoch * member.job.steps_per_epoch + at + 1
        member.stopped = f"diverged at step {step} (epoch {member.epoch + 1})"
        member.state = state._replace(settings=member.state.settings)

    def _settle(self, places: Sequence[int]) -> None:
        """Give the members at these places their state back, as NumPy arrays of their own."""
        if not places:
            return
        fetched = self.engine.fetch((self.state._replace(settings=None), self.best))
        for i in places:
            member = self.members[i]
            state, best = self._row(fetched, i)
            member.state = state._replace(settings=member.state.settings, step=int(np.asarray(state.step)))
            member.best = best if best is not None else (member.state.params, member.state.layers)

    def _feed(self) -> tuple[Array, Array, Array, Array, int]:
        """Inputs, targets, weights and order of the epoch that comes, and its number of steps."""
        found: list[Any] = []
        for member, part in list(zip(self.slots, self.part, strict=True))[: 1 if self.one_order else None]:
            train, size = member.job.prepared.train, member.job.batch_size
            order = epoch_order(member.job.order.tobytes(), member.epoch + 1, len(train.x), min(size, len(train.x)))
            y, weight = train.y[order], train.weight[order]
            weight.reshape(-1)[len(train.x) :] = 0.0
            found.append((y, weight, order + np.int32(sum(len(p.train.x) for p in self.parts[:part]))))
        steps = len(found[0][0])
        arrays = found[0]
        if self.many and not self.one_order:
            arrays = tuple(np.stack(values, axis=1) for values in zip(*found, strict=True))
        y, weight, order = self.engine.place(arrays)
        return self.placed.inputs(self.parts, self._width), y, weight, order, steps

    @property
    def _judged(self) -> list[Prepared]:
        """Whose validation data is looked at: once where all have the same, else that of each member."""
        return self.parts if self.one_part else [self.parts[i] for i in self.part]

    @property
    def uses(self) -> set[Any]:
        """The keys of the data that it needs of `DeviceCache`."""
        return {data_key(self.parts, self._width), data_key(self._judged, self._width)}

    @property
    def _width(self) -> int | None:
        """How many inputs there is room for, if some may be left over."""
        return self.widest.job.model.input_shape[0] if self.many and self.widest.can_pad else None

    def _validated(self, settings: Any) -> list[dict[str, float]]:
        """Means on validation data of each member, if there is any."""
        if not self.members[0].validated:
            return [{}] * len(self.members)
        blocks = self.placed.validation(self._judged, self._width)
        sums = self.engine.fetch(self.program.measure(self.state.params, self.state.layers, settings, blocks))
        each = [[np.asarray(v)[i] for v in sums] if self.many else sums for i in range(len(self.members))]
        named = [named_metrics(m.job.recipe, *totals(s)) for m, s in zip(self.members, each, strict=True)]
        return [{f"val_{name}": value for name, value in found.items()} for found in named]

    def _improved(self, improved: np.ndarray) -> Any:
        """Return the best weights so far, those of the members that improved being the present ones."""
        now = (self.state.params, self.state.layers)
        if not self.many:
            return self.engine.copy(now)
        if improved[: len(self.members)].all():
            return self.engine.copy(now)
        return _chooser(self.engine)(improved, now, self.best)

    def _place(self, states: Sequence[State]) -> State:
        plain = [state._replace(settings=None, step=np.int32(state.step)) for state in states]
        whole = self._gathered(plain, like=self.widest.own)
        if not self.many and self.engine.name == "numpy":
            return whole._replace(step=int(whole.step))
        return whole

    def _gathered(self, trees: Sequence[Any], place: bool = True, like: Any = None) -> Any:
        """Trees as one, with a first axis and arrays in the shapes of those of ``like``; a single one as it is."""
        if not self.many:
            return self.engine.copy(self.engine.place(trees[0])) if place else trees[0]
        precision = self.members[0].job.model.precision

        def stacked(*values: Any) -> Any:
            if isinstance(values[0], float):
                return np.array(values, precision)
            return np.stack([np.asarray(v) for v in values])

        if like is not None:
            trees = [tree.map(lambda v, o: _filled_up(v, np.shape(o)), each, like) for each in trees]
        found = tree.map(stacked, *trees)
        return self.engine.place(found) if place else found

    def _row(self, values: Any, i: int) -> Any:
        """Return what belongs to one member, as NumPy arrays of its own: of a `State`, or of one and the best
        weights.
        """
        fetched = self.engine.fetch(values)
        if not self.many:
            return tree.map(np.array, fetched)
        own = self.slots[i].own
        best = None if isinstance(values, State) or values[1] is None else (own.params, own.layers)
        like = own if isinstance(values, State) else (own, best)
        return tree.map(lambda v, o: np.array(v[i][tuple(map(slice, np.shape(o)))]), fetched, like)


class DeviceCache:
    """The data of the members of an engine, placed once for all that have the same."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._inputs: dict[Any, Any] = {}
        self._blocks: dict[Any, Any] = {}

    def inputs(self, parts: Sequence[Prepared], width: int | None = None) -> Array:
        """Return the training inputs of some members, one after the other in one array, filled up to a width with
        zeros.
        """
        key = data_key(parts, width)
        found = self._inputs.get(key)  # another thread may `keep` without it
        if found is None:
            arrays = [_widened(part.train.x, width) for part in parts]
            with fitting_data(arrays[0]):
                found = self.engine.place(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))
            self._inputs[key] = found
        return found

    def validation(self, parts: Sequence[Prepared], width: int | None = None) -> Batch:
        """Validation data in blocks, the inputs filled up likewise; of several members with an axis for them."""
        key = data_key(parts, width)
        found = self._blocks.get(key)
        if found is None:
            data = [v._replace(x=_widened(v.x, width)) for part in parts if (v := part.validation) is not None]
            most = max(len(v.x) for v in data)
            size = min(EVALUATION_BLOCK, most)
            each = [blocks_of(v, size, -(-most // size)) for v in data]
            one = each[0] if len(each) == 1 else Batch(*map(np.stack, zip(*each, strict=True)))
            found = self._blocks[key] = self.engine.place(one)
        return found

    def keep(self, used: set[Any]) -> None:
        """Forget the data that no block uses any more; who needs it again gets it placed anew."""
        for found in (self._inputs, self._blocks):
            for key in list(found):
                if key not in used:
                    found.pop(key, None)


def data_key(parts: Sequence[Prepared], width: int | None) -> Any:
    """Return what data of some members, filled up to a width, is known by."""
    return (*map(id, parts), width)


def _filled_up(value: Array, shape: tuple[int, ...]) -> Array:
    """Return an array with zeros after what is in it, up to a shape."""
    found = np.asarray(value)
    room = [(0, wanted - has) for has, wanted in zip(found.shape, shape, strict=True)]
    return np.pad(found, room) if any(more for _, more in room) else found


def _widened(x: np.ndarray, width: int | None) -> np.ndarray:
    """Return samples with zeros after their inputs, up to a number of inputs."""
    return x if width is None else _filled_up(x, (len(x), width))


@functools.lru_cache(maxsize=16)
def epoch_order(key: bytes, epoch: int, samples: int, batch_size: int) -> np.ndarray:
    """Return the order of the samples in an epoch, as `InMemoryLoader` has it."""
    return batches(batch_order(random.fold_in(np.frombuffer(key, np.uint32), epoch), samples), batch_size)


@functools.cache
def _chooser(engine: Engine) -> Any:
    """Return a program that takes from one of two trees, member by member."""

    def choose(first: Array, yes: Any, no: Any) -> Any:
        def one(a: Array, b: Array) -> Array:
            mask = first.reshape(-1, *(1,) * (a.ndim - 1))
            return namespace(a, b).where(mask, a, b)

        return tree.map(one, yes, no)

    return engine.compile(choose)
