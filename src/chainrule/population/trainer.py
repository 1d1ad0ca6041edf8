"""Trains members together, as far as asked; they go on later from where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainrule.engine import Engine, distributed
from chainrule.errors import SettingError
from chainrule.fields import takes_settings
from chainrule.optimizers import Optax
from chainrule.population.checkpointer import Checkpointer
from chainrule.population.device_cache import DeviceCache
from chainrule.population.member import Member
from chainrule.population.member_factory import MemberFactory
from chainrule.population.plan import check_strategy
from chainrule.population.worker_pool import Watch, WorkerPool
from chainrule.recipe.callbacks import Callback
from chainrule.recipe.memory import check_room
from chainrule.run_settings import TrainerSettings
from chainrule.signals import asked_to_end, ended
from chainrule.tables.table import Table
from chainrule.training.engine_choice import engine_for


class PopulationTrainer:
    """Trains members of one experiment: of the same network and data, with common settings of `fit`.

    Parameters
    ----------
    net, data : as for `fit`; ``net`` may be a function of the `Dataset` that returns a layer
    engine, devices : as for `fit`; of several devices each trains members of its own
    strategy : "auto", "vectorized" (all members in one batch), "single" (each alone), or a number of members to a
        batch
    callbacks : called with an `Event` for each member after each of its epochs
    settings : of `fit`, for all members whose differences name no others

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

    @takes_settings(TrainerSettings)
    def __init__(self, net: Any, data: Any, settings: TrainerSettings) -> None:
        if distributed.rank_and_size()[1] > 1:
            raise SettingError("A population trains in one process; start it outside of a run of several processes.")
        self.settings = settings
        self.callbacks: tuple[Callback, ...] = settings.callbacks  # type: ignore[assignment]  # a tuple by now
        self.engine, self.devices, self.strategy = settings.engine, settings.devices, settings.strategy
        check_strategy(self.strategy)
        if isinstance(data, Table) and not settings.normalize:
            data = data.unscaled()
        self._factory = MemberFactory(net, data, settings)
        self._caches: dict[int, DeviceCache] = {}
        self._compiled: dict[Any, set[int]] = {}  # capacities of batches, by program

    def add_members(self, differences: Sequence[Mapping[str, Any]]) -> list[Member]:
        """Return members by what makes each different; raises `SettingError` before anything is trained."""
        members = []
        for i, member_differences in enumerate(differences):
            members.append(self._factory.make(member_differences))
            if i == 0:
                check_room(members[0].prepared_run.model.params, len(differences))
        return members

    def train(
        self,
        members: Sequence[Member],
        until: int | None = None,
        watch: Watch | None = None,
        checkpointer: Checkpointer | None = None,
    ) -> None:
        """Train those that are not done to the end of an epoch; None: to the end of their last one.

        ``watch`` is called after every epoch of some members with these. Ctrl-C and SIGTERM end it soon: the members
        are then where they were after their last whole epoch, and saved there if there is a ``checkpointer``.
        """
        todo = [m for m in members if not m.done and (until is None or m.epoch < until)]
        if not todo:
            return
        engine = self._choose_engine(todo, until)
        for member in todo:
            member.engine = engine.name
        with asked_to_end() as stop:
            try:
                for group in _groups(todo):
                    WorkerPool(
                        engine,
                        group,
                        until,
                        strategy=self.strategy,
                        compiled=self._compiled.setdefault(group[0].program, set()),
                        cache_of=self._cache_of,
                        callbacks=self.callbacks,
                        watch=watch,
                        checkpointer=checkpointer,
                        stop=stop,
                    ).run()
            finally:
                if checkpointer is not None:
                    checkpointer.save(todo)
            if stop.signal:
                stop.heeded = True
                raise ended(stop.signal, "The training of the population was ended.")

    def _choose_engine(self, members: Sequence[Member], until: int | None) -> Engine:
        """Return the engine for the steps that are left; that of an optax transformation if any member has one."""
        prepared_run = next(
            (m.prepared_run for m in members if isinstance(m.prepared_run.recipe.optimizer, Optax)),
            members[0].prepared_run,
        )
        epochs = sum(min(until or m.prepared_run.epochs, m.prepared_run.epochs) - m.epoch for m in members)
        steps, batch_size = (
            epochs * prepared_run.steps_per_epoch,
            min(prepared_run.batch_size, len(prepared_run.prepared.train.x)),
        )
        return engine_for(
            prepared_run.model, prepared_run.recipe, self.engine, self.devices, steps=steps, batch_size=batch_size
        )

    def _cache_of(self, engine: Engine) -> DeviceCache:
        """Return the data of members on an engine."""
        return self._caches.setdefault(id(engine), DeviceCache(engine))


def _groups(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Yield the members of each program, those with the same data beside each other."""
    groups: dict[Any, list[Member]] = {}
    for member in members:
        groups.setdefault(member.program, []).append(member)
    for group in groups.values():
        numbers = {id(member.prepared_run.prepared): i for i, member in reversed(list(enumerate(group)))}
        yield sorted(
            group, key=lambda m: (numbers[id(m.prepared_run.prepared)], m.prepared_run.order.tobytes(), m.epoch)
        )
