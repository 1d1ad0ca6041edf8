"""The training loop of one run: calls of the training program, and what happens in between."""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.display.lines import print_line
from chainrule.engine import Engine
from chainrule.engine.distributed import check_same, file_of_first, from_first, gathered, is_first
from chainrule.errors import DivergedError, FileError, SettingError, UnsavedError
from chainrule.models import Model
from chainrule.outcome import Outcome
from chainrule.runs.files import BEST, CHECKPOINTS
from chainrule.runs.folder import RunFolder
from chainrule.signals import StopRequest, asked_to_end, ended
from chainrule.training import checkpoint, decisions
from chainrule.training.call_length import ChunkSize
from chainrule.training.callbacks import Callback, EarlyStopping, Event, apply_settings
from chainrule.training.checkpoint import Checkpoint, Position
from chainrule.training.checkpointer import Checkpointer, quarantine
from chainrule.training.divergence import first_bad_step, locate_nonfinite
from chainrule.training.epoch import programs
from chainrule.training.fingerprint import identity
from chainrule.training.history import History
from chainrule.training.loader import Chunk, Loader, batch_of
from chainrule.training.memory import fitting_step
from chainrule.training.prepare import Prepared, trained
from chainrule.training.probe import Probes
from chainrule.training.probe import names as probe_names
from chainrule.training.progress import Show, epoch_progress
from chainrule.training.run import Run, add_steps, added, named_metrics
from chainrule.training.state import Metrics, Recipe, State
from chainrule.training.streaming import evaluated


class Loop:
    """One run: the state as it moves, the history as it grows, and who may act between the program's calls.

    Parameters
    ----------
    model, recipe, prepared : the network, how it is trained, and on what
    engine, feed : where it is trained, and how the samples get there
    epochs : how many passes over the training data
    stopping, callbacks : who may end it or change its settings
    call_every : callbacks are called after so many steps too, not only after an epoch
    record_steps : keep the metrics of every step, not only their means over an epoch
    probe_every : probe the layers on every so many steps
    folder : where the run is written
    checkpoint_every, checkpoint_minutes, keep : see `chainrule.training.checkpointer.Checkpointer`
    given : what else must be the same for the run to be gone on with, such as the data's fingerprint
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        prepared: Prepared,
        engine: Engine,
        feed: Loader,
        epochs: int,
        *,
        stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        call_every: int | None = None,
        record_steps: bool = False,
        probe_every: int | None = None,
        folder: RunFolder | None = None,
        checkpoint_every: int | None = None,
        checkpoint_minutes: float | None = None,
        keep: int = 3,
        given: Mapping[str, str] | None = None,
    ) -> None:
        self.model, self.recipe, self.prepared = model, recipe, prepared
        self.engine, self.feed, self.epochs = engine, feed, epochs
        self.stopping, self.callbacks, self.folder = stopping, callbacks, folder
        self.call_every, self.record_steps = call_every if callbacks else None, record_steps
        self.probes: Probes | None = None
        if probe_every:
            shape = model.input_shape
            self.probes = Probes(probe_every, probe_names(recipe, model.params, model.state, shape))
        self.program = programs(recipe, engine, probes=len(self.probes.names) if self.probes is not None else 0)
        self.validation = evaluated(prepared.validation, engine) if prepared.validation is not None else None
        self.traced = engine.traces.copy()
        self.history, self.place = History(), Position()
        self.best: Any = None
        self.steps = 0  # that are done, of the whole run
        self.steps_per_epoch = -(-feed.samples // feed.batch_size)
        self.pace, self.asked, self.given = ChunkSize(), StopRequest(), dict(given or {})
        self.keeper: Checkpointer | None = None
        if folder is not None:
            self.keeper = Checkpointer(
                folder, self._identity, every=checkpoint_every, minutes=checkpoint_minutes, keep=keep
            )
        self.watched = decisions.watched(stopping, self.validation is not None)
        self.best_epoch = 0
        # The state is given away to every call of the program; what others keep is a copy of it: `kept`.
        self.state: State
        self.kept: State

    def run(self, start: State, resume: bool, progress: bool, config: Mapping[str, Any]) -> Run:
        """Train until the last epoch, a decision to stop, a signal, or divergence."""
        check_same(self._identity | {"epochs": str(self.epochs), "seed": str(start.key), "resume": str(resume)})
        with contextlib.ExitStack() as stack:
            if self.folder is not None:
                stack.enter_context(self.folder.opened())
            self.asked = stack.enter_context(asked_to_end())
            found = self._found(start) if resume else None
            stopped = None if found is None else self._go_on_from(found)
            if self.keeper is not None and not stopped and self.place.epoch <= self.epochs:
                self.keeper.start(config, found)
            start = start if found is None else found.state
            self.state, self.steps = self._place(start), int(np.asarray(start.step))
            self.best = (start.params, start.layers) if found is None else found.best
            self._keep()
            with epoch_progress(self.epochs, progress) as show:
                while not stopped and self.place.epoch <= self.epochs:
                    stopped = self._epoch(show)
            return self._finish(Outcome.after(stopped))

    def _found(self, start: State) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, of the folder of process 0; None if the run never came to one."""

        def find() -> str:
            assert self.folder is not None
            path, wrong = checkpoint.newest(self.folder.path)
            quarantine(self.folder.path, wrong)
            if path is None:
                print_line(f"There is no checkpoint in {self.folder.path} yet: starting from the beginning.")
            return str(path or "")

        path = from_first(find)
        if not path:
            return None
        with file_of_first(Path(path)) as own:
            return checkpoint.load(own, start, self._identity)

    def _go_on_from(self, found: Checkpoint) -> str | None:
        """Take over what a checkpoint has; the reason why the run does not go on, if early stopping has one."""
        self.history, self.place, self.best_epoch = found.history, found.place, found.best_epoch
        if self.place.done and self.place.epoch > self.epochs:
            raise SettingError(
                f"The run is in epoch {self.place.epoch} already, and epochs={self.epochs} would end it before: "
                f"ask for epochs={self.place.epoch} at least."
            )
        if self.probes is not None:
            self.probes.steps, self.probes.rows = list(found.probes["steps"]), list(found.probes["rows"])
        note = decisions.rescheduled(self.recipe, found.state, found.epochs)
        if note is not None and is_first():
            print_line(note)
        return decisions.resumed(self.stopping, self.history, self.best_epoch)

    def _place(self, start: State) -> State:
        """Return a state of the run's own where the engine works on it."""
        step = start.step if self.engine.name == "numpy" else np.int32(start.step)
        return self.engine.copy(start._replace(settings=None, step=step))._replace(settings=start.settings)

    def _keep(self) -> None:
        """A copy of the state, as it is now, for others to see and to come back to."""
        self.kept = self._copy(self.state)

    def _copy(self, state: State) -> State:
        return self.engine.copy(state._replace(settings=None))._replace(settings=state.settings)

    @functools.cached_property
    def _identity(self) -> dict[str, str]:
        """What must be the same for a run to be gone on with."""
        return identity(
            self.recipe,
            self.model,
            samples=self.feed.samples,
            batch_size=self.feed.batch_size,
            shuffled=self.feed.shuffled,
            given=self.given,
        )

    def _epoch(self, show: Show) -> str | None:
        """Return an epoch, or what is left of it, and what comes at its end: the reason to stop, if any."""
        before = time.perf_counter() - self.place.seconds
        stopped = self._pass(before)
        self._keep()
        record = {"epoch": self.place.epoch, **self._means(self.place.sums), **self._validated(), "lr": self.place.lr}
        self.history.records.append(record | {"seconds": time.perf_counter() - before})
        show(self.history.records[-1])
        stopped = self._decide() or stopped
        epoch, self.place = self.place.epoch, Position(self.place.epoch + 1)
        if decisions.is_best(self.history, self.stopping, self.watched, self.best_epoch):
            self.best, self.best_epoch = (self.kept.params, self.kept.layers), epoch
        if self.keeper is not None and (stopped or epoch == self.epochs or self.keeper.is_due(self.steps, True)):
            self._save(self.keeper)
        return stopped

    def _pass(self, start: float) -> str | None:
        """Return the steps of an epoch that are left, in calls of the program: the reason to stop within it, if any.

        ``start`` is the time at which the epoch began.
        """
        place, kept_at = self.place, self.place.done
        for piece in self.feed.epoch(place.epoch, place.done):
            while place.done < piece.before + piece.steps:
                first = place.done - piece.before
                last = first + self._together(min(self._room(), piece.steps - first))
                self._run(piece, first, last, kept_at)
                place.seconds = time.perf_counter() - start
                if place.done == self.steps_per_epoch:
                    break
                if self.call_every and place.done % self.call_every == 0:
                    self._keep()
                    kept_at = place.done
                    if reason := self._call(place.epoch, self._means(place.since), end_of_epoch=False):
                        return reason
                    place.since = Position.since
                if self.keeper is not None and self.keeper.is_due(self.steps, end_of_epoch=False):
                    self._keep()
                    kept_at = place.done
                    self._save(self.keeper)
        return None

    def _room(self) -> int:
        """Return how many steps the next call may take: callbacks, checkpoints and signals wait until it returns."""
        room = self.pace.steps
        if self.call_every:
            room = min(room, self.call_every - self.place.done % self.call_every)
        if self.keeper is not None and self.keeper.every is not None:
            room = min(room, self.keeper.every - self.steps % self.keeper.every)
        return room

    def _together(self, room: int) -> int:
        """Return the steps of the next call, as all processes of the run agree; if one was asked to end, all do so
        here.
        """
        (room, _), *_ = found = gathered(room, self.asked.signal)
        if number := max(number for _, number in found):
            self.asked.heeded = True
            where = "There is no folder that keeps the run (out=)."
            if self.keeper is not None:
                self._keep()
                kept = self._save(self.keeper)
                where = f"It could not be saved in {self.keeper.folder.path}."
                if kept:
                    where = f"{self.keeper.folder.path} keeps it. To go on: the same call of fit with resume=True."
            raise ended(number, f"The training was ended after step {self.steps}, in epoch {self.place.epoch}. {where}")
        return room

    def _run(self, piece: Chunk, first: int, last: int, kept_at: int) -> None:
        """One call of the program: some steps of a piece, and their metrics."""
        before = time.perf_counter()
        with fitting_step(self.kept.params, self.feed.batch_size, self.recipe.micro_batches):
            found = self._train(self.state, piece, first, last)
            metrics = Metrics(*(v[first:last] for v in self.engine.fetch(found.metrics)))
        self.pace.took(last - first, time.perf_counter() - before)
        if first_bad_step(metrics) is not None or not found.finite:
            raise self._diverged(kept_at, piece.before + last)
        if self.probes is not None:
            self.probes.add(self.steps, self.engine.fetch(found.probed)[first:last])
        if self.record_steps:
            self.history.add_steps([named_metrics(self.recipe, *step) | {"lr": lr} for *step, lr in _each(metrics)])
        self.state, place = found.state._replace(settings=self.state.settings), self.place
        self.steps += last - first
        place.done += last - first
        place.sums = add_steps(place.sums, metrics)
        if self.call_every:
            place.since = add_steps(place.since, metrics)
        place.lr = _plain(metrics.lr[-1])

    def _train(self, state: State, piece: Chunk, first: int, last: int) -> Any:
        """Steps of a piece of the epoch; the state is given away."""
        values = (piece.data, piece.order, first, last)
        return self.program.train(state._replace(settings=None), state.settings, *values)

    def _means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means of steps under the names of the history."""
        return named_metrics(self.recipe, *sums)

    def _validated(self) -> dict[str, float]:
        """Means on validation data, if there is any."""
        if self.validation is None:
            return {}
        params, layers, settings = self.kept.params, self.kept.layers, self.kept.settings
        sums = (self.program.measure(params, layers, settings, blocks) for blocks in self.validation)
        found = named_metrics(self.recipe, *added(self.engine.fetch(s) for s in sums))
        return {f"val_{name}": value for name, value in found.items()}

    def _decide(self) -> str | None:
        """Let early stopping, the schedule and the callbacks act after an epoch: the reason to stop, if any."""
        stopping = self.stopping
        reason = stopping.decide(self.history[stopping.monitor]) if stopping is not None else None
        validated = self.validation is not None
        if changes := decisions.scheduled(self.recipe, self.state.settings, self.history, validated):
            self._set(changes)
        last = self.history.records[-1]
        asked = self._call(int(last["epoch"]), last, end_of_epoch=True)
        return reason or asked

    def _call(self, epoch: int, metrics: Mapping[str, float], end_of_epoch: bool) -> str | None:
        """Show the callbacks where the run is, and do what they decide: the reason to stop, if any."""

        def event() -> Event:
            seen = self.kept
            return Event(
                epoch=epoch,
                epochs=self.epochs,
                step=int(seen.step),
                end_of_epoch=end_of_epoch,
                metrics=metrics,
                history=self.history,
                probes=self.probes,
                state=seen,
                model=lambda: self._model((seen.params, seen.layers)),
            )

        return decisions.ask(self.callbacks, event, self.recipe, self._set)

    def _set(self, changes: Mapping[str, float]) -> None:
        """Change continuous settings from here on."""
        self.state = apply_settings(self.state, changes)
        self.kept = self.kept._replace(settings=self.state.settings)

    def _save(self, keeper: Checkpointer) -> bool:
        """Write the state as it is kept: whether that was done."""
        kept, best = self.engine.fetch((self.kept._replace(settings=None), self.best))
        if self.best_epoch == 0 or (self.best[0] is self.kept.params and self.best[1] is self.kept.layers):
            best = (kept.params, kept.layers)
        probes = self.probes
        return keeper.save(
            Checkpoint(
                kept._replace(settings=self.kept.settings, step=self.steps),
                self.place,
                self.history,
                {"steps": probes.steps if probes else [], "rows": probes.rows if probes else []},
                best,
                self.best_epoch,
                self.engine.name,
            ),
            best=(lambda: self._model(self.best)) if self.watched else None,
        )

    def _finish(self, outcome: Outcome) -> Run:
        """Return the run as it ended: with the weights of the best epoch, where they are asked for."""
        epoch = None
        if not outcome.diverged:
            epoch = decisions.kept_epoch(self.stopping, len(self.history), self.best_epoch)
        restore = epoch is not None and epoch != len(self.history)
        run = Run(
            self._model(self.best if restore else (self.kept.params, self.kept.layers)),
            self.history,
            self.recipe,
            best_epoch=epoch,
            outcome=outcome,
            engine=self.engine.name,
            probes=self.probes,
            traces=dict(self.engine.traces - self.traced),
            folder=self.folder.path if self.folder is not None else None,
            notes=self.prepared.notes,
        )
        if self.folder is None:
            return run
        try:
            self.folder.write_metrics(self.history.records)
            if self.watched and self.best_epoch:
                self.folder.write_model(self._model(self.best), f"{CHECKPOINTS}/{BEST}")
            self.folder.write_model(run.model)
        except FileError as error:
            message = f"The run has ended, but could not be saved. {error}"
            if not outcome.diverged:
                raise UnsavedError(message, run=run) from None
            print_line(f"warning: {message}")
        return run

    def _diverged(self, start: int, bad: int) -> DivergedError:
        """Find the step and the layer, keep the weights from before it, and say what to try.

        The same samples in the same order give the same numbers again, so nothing had to be kept but the state at the
        step ``start`` of this epoch; somewhere before the step ``bad`` something is not finite.
        """
        good, epoch = self.kept, self.place.epoch
        for piece, i in itertools.islice(_steps(self.feed.epoch(epoch, start), start), bad - start):
            found = self._train(self._copy(good), piece, i, i + 1)
            if not (found.finite and np.isfinite(self.engine.fetch(found.metrics.cost)[i])):
                break
            good = found.state._replace(settings=good.settings)
        self.kept = good
        layer, place = locate_nonfinite(self.recipe, good, batch_of(piece, i, self.engine), self.engine)
        number, epoch = int(good.step) + 1, len(self.history) + 1
        return DivergedError(
            f"The cost became NaN or infinite at step {number} (epoch {epoch}), first in {place}. "
            "The weights from before that step are kept. Try a smaller learning rate, or clip_norm=1.0 in the "
            "optimizer.",
            step=number,
            layer=layer,
            run=self._finish(Outcome.at_divergence(number, epoch)),
        )

    def _model(self, chosen: Any) -> Model:
        return trained(self.model, self.prepared, *self.engine.fetch(chosen))


def _steps(pieces: Iterator[Chunk], start: int) -> Iterator[tuple[Chunk, int]]:
    """Every step of an epoch from its step ``start`` on, as its piece and its number there."""
    for piece in pieces:
        for i in range(max(0, start - piece.before), piece.steps):
            yield piece, i


def _each(metrics: Metrics) -> Iterator[tuple[float, ...]]:
    """The metrics of every step."""
    return zip(*(map(_plain, v) for v in metrics), strict=True)


def _plain(value: Any) -> float:
    """0.001, not the 0.0010000000474974513 that a float32 is."""
    return float(str(value))
