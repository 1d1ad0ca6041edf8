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
from chainrule.outcome import Outcome
from chainrule.population.device_cache import DeviceCache, data_key, zero_padded
from chainrule.population.member import Member
from chainrule.recipe.callbacks import Callback, Event, apply_settings
from chainrule.recipe.metrics_of_steps import add_steps, named_metrics, totals
from chainrule.recipe.prepare import Prepared, trained
from chainrule.recipe.state import Metrics, State
from chainrule.recipe.step import Batch
from chainrule.training import decisions
from chainrule.training.chunk_size import ChunkSize
from chainrule.training.epoch import Shared, programs

Array = Any


class MemberBatch:
    """Some members of one program, epoch by epoch.

    Parameters
    ----------
    members : of one program (`Member.program`), none of them done
    capacity : members that the program trains; places that are left get the last member again, and are not looked at
    engine : where they train
    cache : `DeviceCache`, the data of this engine
    callbacks : called with an `Event` for each member after each of its epochs
    widest : a member with as many inputs as there is room for, see `Member.can_pad`
    """

    def __init__(
        self,
        members: Sequence[Member],
        capacity: int,
        engine: Engine,
        cache: DeviceCache,
        callbacks: Sequence[Callback],
        widest: Member,
    ) -> None:
        self.members, self.engine, self.cache, self.callbacks = list(members), engine, cache, callbacks
        self.widest = widest
        self.capacity, self.vectorized = capacity, capacity > 1
        self.padded = [*self.members, *[self.members[-1]] * (capacity - len(self.members))]
        self.datasets = list(
            {id(member.prepared_run.prepared): member.prepared_run.prepared for member in self.padded}.values()
        )
        numbers = {id(dataset): i for i, dataset in enumerate(self.datasets)}
        self.dataset_numbers = [numbers[id(member.prepared_run.prepared)] for member in self.padded]
        orders = {
            (member.prepared_run.order.tobytes(), member.epoch, i)
            for member, i in zip(self.padded, self.dataset_numbers, strict=True)
        }
        self.shared_order, self.shared_data = len(orders) == 1, len(self.datasets) == 1
        shared = Shared(self.shared_order, self.shared_data) if self.vectorized else None
        self.program = programs(self.members[0].recipe, engine, shared=shared)
        self.chunk_size, self.at_epoch_end = ChunkSize(), True
        self.state = self._initial_state([member.state for member in self.padded])
        self.restores = any(member.restores() for member in self.members)
        self.best = self._stacked([member.best for member in self.padded], like=self._shapes) if self.restores else None

    @property
    def _shapes(self) -> Any:
        """Weights and statistics in the shapes of the widest member, to which those of others are padded."""
        return self.widest.initial_state.params, self.widest.initial_state.model_state

    def epoch(self, asked_to_end: Callable[[], bool] = lambda: False) -> bool:
        """Train all members for an epoch, and record what each has come to; return whether that was done.

        If someone asked to end, the members are where they were before the epoch.
        """
        began = time.perf_counter()
        before = self.engine.copy(self.state)
        self.at_epoch_end = False
        settings = self._stacked([member.state.settings for member in self.padded], place=False)
        result = self._train_steps(settings, asked_to_end)
        if result is None:
            self.state, self.at_epoch_end = before, True
            return False
        sums, rates, diverged_at = result
        validated = self._measure_validation(settings)
        seconds = (time.perf_counter() - began) / len(self.members)
        improved = np.zeros(self.capacity, bool)
        for i, member in enumerate(self.members):
            member.seconds += seconds
            if (step := diverged_at[i]) is not None:
                self._diverge(member, self._of_member(before._replace(settings=None), i), step)
                continue
            means = named_metrics(member.prepared_run.recipe, *sums[i])
            record = {"epoch": member.epoch + 1, **means, **validated[i], "lr": rates[i], "seconds": seconds}
            improved[i] = self._record(member, record, i)
        if self.restores and improved.any():
            self.best = self._best_weights(improved)
        self._sync([i for i, member in enumerate(self.members) if member.done and not member.diverged])
        self.at_epoch_end = True
        return True

    def _train_steps(
        self, settings: Any, asked_to_end: Callable[[], bool]
    ) -> tuple[list[tuple[float, ...]], list[float], list[int | None]] | None:
        """Train all steps of an epoch; return sums of metrics, rate and diverged step (or None) of each member.

        Returns None if someone asked to end.
        """
        x, y, weight, order, steps = self._epoch_data()
        count = len(self.members)
        sums: list[tuple[float, ...]] = [(0.0,) * 4] * count
        rates = [0.0] * count
        diverged_at: list[int | None] = [None] * count
        done, finite = 0, None
        while done < steps:
            if asked_to_end():
                return None
            last = min(done + self.chunk_size.steps, steps)
            start = time.perf_counter()
            result = self.program.train(self.state, settings, Batch(x, y, weight), order, done, last)
            self.state = result.state
            metrics, finite = self.engine.fetch((result.metrics[:5], result.finite))
            self.chunk_size.took(last - done, time.perf_counter() - start)
            for i in range(len(self.members)):
                member_metrics = Metrics(
                    *(np.asarray(v)[done:last, i] if self.vectorized else v[done:last] for v in metrics)
                )
                sums[i] = add_steps(sums[i], member_metrics)
                rates[i] = float(str(member_metrics.lr[-1]))
                if diverged_at[i] is None and not np.isfinite(member_metrics.cost).all():
                    diverged_at[i] = int(done + np.flatnonzero(~np.isfinite(member_metrics.cost))[0])
            done = last
        finite = np.atleast_1d(np.asarray(finite))
        diverged_at = [steps - 1 if at is None and not finite[i] else at for i, at in enumerate(diverged_at)]
        return sums, rates, diverged_at

    def sync_members(self) -> None:
        """Give every member its state back, unless an error came in the middle of an epoch."""
        if self.at_epoch_end:
            self._sync([i for i, member in enumerate(self.members) if not member.done])

    def _record(self, member: Member, record: dict[str, float], i: int) -> bool:
        """Add an epoch's record, let early stopping, schedule and callbacks act; return whether it is the best one."""
        prepared_run, history = member.prepared_run, member.history
        history.records.append(record)
        member.epoch += 1
        best = decisions.is_best(history, prepared_run.stopping, member.watched, member.best_epoch)
        if best:
            member.best_epoch = member.epoch
        reason = (
            prepared_run.stopping.decide(history[prepared_run.stopping.monitor])
            if prepared_run.stopping is not None
            else None
        )

        def change(changes: Any) -> None:
            member.state = apply_settings(member.state, changes)

        if changes := decisions.scheduled(prepared_run.recipe, member.state.settings, history, member.validated):
            change(changes)

        def event() -> Event:
            state = self._of_member(self.state._replace(settings=None), i)._replace(settings=member.state.settings)
            return Event(
                epoch=member.epoch,
                epochs=prepared_run.epochs,
                step=int(np.asarray(state.step)),
                end_of_epoch=True,
                metrics=record,
                history=history,
                probes=None,
                state=state,
                model=lambda: trained(prepared_run.model, prepared_run.prepared, state.params, state.model_state),
                member=member.differences,
            )

        reason_of_callback = decisions.ask(self.callbacks, event, prepared_run.recipe, change)
        if reason := reason or reason_of_callback:
            member.outcome = Outcome.after(reason)
        return best

    def _diverge(self, member: Member, state: State, step_of_epoch: int) -> None:
        """End a member whose cost became NaN or infinite, with the weights from before the epoch."""
        step = member.epoch * member.prepared_run.steps_per_epoch + step_of_epoch + 1
        member.outcome = Outcome.at_divergence(step, member.epoch + 1)
        member.state = state._replace(settings=member.state.settings)

    def _sync(self, numbers: Sequence[int]) -> None:
        """Give the members of these numbers their state back, as NumPy arrays that nobody else has."""
        if not numbers:
            return
        fetched = self.engine.fetch((self.state._replace(settings=None), self.best))
        for i in numbers:
            member = self.members[i]
            state, best = self._of_member(fetched, i)
            member.state = state._replace(settings=member.state.settings, step=int(np.asarray(state.step)))
            member.best = best if best is not None else (member.state.params, member.state.model_state)

    def _epoch_data(self) -> tuple[Array, Array, Array, Array, int]:
        """Return inputs, targets, weights and order of the epoch that comes, and its number of steps."""
        of_members: list[Any] = []
        pairs = list(zip(self.padded, self.dataset_numbers, strict=True))
        for member, number in pairs[:1] if self.shared_order else pairs:
            train, size = member.prepared_run.prepared.train, member.prepared_run.batch_size
            order = epoch_order(
                member.prepared_run.order.tobytes(), member.epoch + 1, len(train.x), min(size, len(train.x))
            )
            y, weight = train.y[order], train.weight[order]
            weight.reshape(-1)[len(train.x) :] = 0.0
            first = sum(len(dataset.train.x) for dataset in self.datasets[:number])  # of its samples, among all
            of_members.append((y, weight, order + np.int32(first)))
        steps, arrays = len(of_members[0][0]), of_members[0]
        if self.vectorized and not self.shared_order:
            arrays = tuple(np.stack(values, axis=1) for values in zip(*of_members, strict=True))
        y, weight, order = self.engine.put(arrays)
        return self.cache.inputs(self.datasets, self._padded_inputs), y, weight, order, steps

    @property
    def _validation_data(self) -> list[Prepared]:
        """The data sets to validate on: one where all members have the same, else that of each."""
        return self.datasets if self.shared_data else [self.datasets[i] for i in self.dataset_numbers]

    @property
    def data_keys(self) -> set[Any]:
        """The keys of the data that it needs from its `DeviceCache`."""
        return {data_key(self.datasets, self._padded_inputs), data_key(self._validation_data, self._padded_inputs)}

    @property
    def _padded_inputs(self) -> int | None:
        """The number of inputs that those of every member are padded to; None where all have the same."""
        return self.widest.prepared_run.model.input_shape[0] if self.vectorized and self.widest.can_pad else None

    def _measure_validation(self, settings: Any) -> list[dict[str, float]]:
        """Return the means of each member on its validation data; {} where there is none."""
        if not self.members[0].validated:
            return [{}] * len(self.members)
        blocks = self.cache.validation(self._validation_data, self._padded_inputs)
        measured = self.program.measure(self.state.params, self.state.model_state, settings, blocks)
        sums = self.engine.fetch(measured[:4])
        metrics_of_members = []
        for i, member in enumerate(self.members):
            sums_of_member = [np.asarray(v)[i] for v in sums] if self.vectorized else sums
            metrics_of_members.append(named_metrics(member.prepared_run.recipe, *totals(sums_of_member)))
        return [{f"val_{name}": value for name, value in metrics.items()} for metrics in metrics_of_members]

    def _best_weights(self, improved: np.ndarray) -> Any:
        """Return the best weights so far: of the members that improved the present ones."""
        now = (self.state.params, self.state.model_state)
        if not self.vectorized or improved[: len(self.members)].all():
            return self.engine.copy(now)
        return _chooser(self.engine)(improved, now, self.best)

    def _initial_state(self, states: Sequence[State]) -> State:
        """Return the states of the members as one, where the engine works on it."""
        without_settings = [state._replace(settings=None, step=np.int32(state.step)) for state in states]
        state = self._stacked(without_settings, like=self.widest.initial_state)
        if not self.vectorized and self.engine.name == "numpy":
            return state._replace(step=int(state.step))
        return state

    def _stacked(self, trees: Sequence[Any], place: bool = True, like: Any = None) -> Any:
        """Return trees as one, with a first axis, padded to the shapes of ``like``; a single one as it is."""
        if not self.vectorized:
            return self.engine.copy(self.engine.put(trees[0])) if place else trees[0]
        precision = self.members[0].prepared_run.model.precision

        def stack(*values: Any) -> Any:
            if isinstance(values[0], float):
                return np.array(values, precision)
            return np.stack([np.asarray(v) for v in values])

        if like is not None:
            trees = [tree.map(lambda v, o: zero_padded(v, np.shape(o)), values, like) for values in trees]
        stacked = tree.map(stack, *trees)
        return self.engine.put(stacked) if place else stacked

    def _of_member(self, values: Any, i: int) -> Any:
        """Return the part of one member, as NumPy arrays: of a `State`, or of one and the best weights."""
        fetched = self.engine.fetch(values)
        if not self.vectorized:
            return tree.map(np.array, fetched)
        initial = self.padded[i].initial_state
        best = None if isinstance(values, State) or values[1] is None else (initial.params, initial.model_state)
        like = initial if isinstance(values, State) else (initial, best)
        return tree.map(lambda v, o: np.array(v[i][tuple(map(slice, np.shape(o)))]), fetched, like)


@functools.lru_cache(maxsize=16)
def epoch_order(key: bytes, epoch: int, samples: int, batch_size: int) -> np.ndarray:
    """Return the order of the samples in an epoch, as `InMemoryLoader` has it."""
    return batches(batch_order(random.fold_in(np.frombuffer(key, np.uint32), epoch), samples), batch_size)


@functools.cache
def _chooser(engine: Engine) -> Any:
    """Return a program that takes the values of each member from one of two trees."""

    def choose(from_first: Array, first: Any, second: Any) -> Any:
        def choose_leaf(a: Array, b: Array) -> Array:
            mask = from_first.reshape(-1, *(1,) * (a.ndim - 1))
            return namespace(a, b).where(mask, a, b)

        return tree.map(choose_leaf, first, second)

    return engine.compile(choose)
