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

from chainrule import tree
from chainrule.display.lines import print_line
from chainrule.engine import Engine
from chainrule.engine.distributed import check_same, file_of_first, from_first, gathered, is_first
from chainrule.errors import DivergedError, FileError, SettingError, UnsavedError
from chainrule.models import Model
from chainrule.outcome import Outcome
from chainrule.recipe.callbacks import Callback, EarlyStopping, Event, apply_settings
from chainrule.recipe.history import History
from chainrule.recipe.memory import fitting_step, has_room
from chainrule.recipe.metrics_of_steps import add_steps, added, named_metrics
from chainrule.recipe.prepare import Prepared, trained
from chainrule.recipe.probe import Probes
from chainrule.recipe.probe import names as probe_names
from chainrule.recipe.recordings import Recordings
from chainrule.recipe.state import Recipe, State
from chainrule.run_settings import TrainingSettings
from chainrule.runs.files import BEST, CHECKPOINTS
from chainrule.runs.folder import RunFolder
from chainrule.signals import StopRequest, asked_to_end, ended
from chainrule.training import checkpoint as checkpoints
from chainrule.training import decisions
from chainrule.training.checkpoint import Checkpoint, Position
from chainrule.training.checkpointer import Checkpointer, quarantine
from chainrule.training.chunk_size import ChunkSize
from chainrule.training.divergence import first_bad_step, locate_nonfinite
from chainrule.training.epoch import programs
from chainrule.training.fingerprint import identity
from chainrule.training.loader import Chunk, Loader, batch_of
from chainrule.training.progress import Show, epoch_progress
from chainrule.training.recorder import Recorder
from chainrule.training.run import Run
from chainrule.training.streaming import evaluated
from chainrule.training.watch import Watch


class Loop:
    """One run: the state as it moves, the history as it grows, and who may act between the program's calls.

    Parameters
    ----------
    model, recipe, prepared : the network, how it is trained, and on what
    engine, loader : where it is trained, and how the samples get there
    epochs : how many passes over the training data
    stopping, callbacks : who may end it or change its settings
    call_every : callbacks are called after so many steps too, not only after an epoch
    record_steps : keep the metrics of every step, not only their means over an epoch
    probe_every : probe the layers on every so many steps
    folder : where the run is written
    checkpoint_every, checkpoint_minutes, keep : see `chainrule.training.checkpointer.Checkpointer`
    data_identity : what else must be the same for the run to be gone on with, such as the data's fingerprint
    settings : what all this was made of, for the run to say
    watch : looks at the run after some epochs, and tells its faults
    recorder : records what can be seen of the training afterwards
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        prepared: Prepared,
        engine: Engine,
        loader: Loader,
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
        data_identity: Mapping[str, str] | None = None,
        settings: TrainingSettings | None = None,
        watch: Watch | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.model, self.recipe, self.prepared, self.settings = model, recipe, prepared, settings
        self.engine, self.loader, self.epochs = engine, loader, epochs
        self.stopping, self.callbacks, self.folder, self.watch = stopping, callbacks, folder, watch
        self.recorder = recorder
        self.call_every, self.record_steps = call_every if callbacks else None, record_steps
        self.probes: Probes | None = None
        if probe_every:
            shape = model.input_shape
            self.probes = Probes(probe_every, probe_names(recipe, model.params, model.state, shape))
        self.program = programs(recipe, engine, probes=len(self.probes.names) if self.probes is not None else 0)
        self.validation = evaluated(prepared.validation, engine) if prepared.validation is not None else None
        self.traced = engine.traces.copy()
        self.history, self.position = History(), Position()
        self.best: Any = None
        self.steps = 0  # that are done, of the whole run
        self.steps_per_epoch = -(-loader.samples // loader.batch_size)
        self.chunk_size, self.stop_request, self.data_identity = ChunkSize(), StopRequest(), dict(data_identity or {})
        self.checkpointer: Checkpointer | None = None
        if folder is not None:
            self.checkpointer = Checkpointer(
                folder, self._identity, every=checkpoint_every, minutes=checkpoint_minutes, keep=keep
            )
        self.watched = decisions.watched(stopping, self.validation is not None)
        self.best_epoch = 0
        # The state is given away to every call of the program; what others keep is a copy of it: `snapshot`.
        self.state: State
        self.snapshot: State
        self.first: State  # before any step
        self.early: State | None = None  # after the first epoch

    def run(self, start: State, resume: bool, progress: bool, config: Mapping[str, Any]) -> Run:
        """Train until the last epoch, a decision to stop, a signal, or divergence."""
        self.first = start
        check_same(self._identity | {"epochs": str(self.epochs), "seed": str(start.key), "resume": str(resume)})
        with contextlib.ExitStack() as stack:
            if self.folder is not None:
                stack.enter_context(self.folder.opened())
            self.stop_request = stack.enter_context(asked_to_end())
            saved = self._newest_checkpoint(start) if resume else None
            stopped = None if saved is None else self._go_on_from(saved)
            if self.checkpointer is not None and not stopped and self.position.epoch <= self.epochs:
                self.checkpointer.start(config, saved)
            if self.recorder is not None and saved is None:
                self.recorder.start(start)
            start = start if saved is None else saved.state
            self.state, self.steps = self._put(start), int(np.asarray(start.step))
            self.best = (start.params, start.model_state) if saved is None else saved.best
            self._take_snapshot()
            with epoch_progress(self.epochs, progress) as show:
                while not stopped and self.position.epoch <= self.epochs:
                    stopped = self._epoch(show)
            return self._finish(Outcome.after(stopped))

    def _newest_checkpoint(self, start: State) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, of the folder of process 0; None if the run never came to one."""

        def find() -> str:
            assert self.folder is not None
            path, wrong = checkpoints.newest(self.folder.path)
            quarantine(self.folder.path, wrong)
            if path is None:
                print_line(f"There is no checkpoint in {self.folder.path} yet: starting from the beginning.")
            return str(path or "")

        path = from_first(find)
        if not path:
            return None
        with file_of_first(Path(path)) as file:
            return checkpoints.load(file, start, self._identity)

    def _go_on_from(self, saved: Checkpoint) -> str | None:
        """Take over what a checkpoint has; the reason why the run does not go on, if early stopping has one."""
        self.history, self.position, self.best_epoch = saved.history, saved.position, saved.best_epoch
        if self.position.done and self.position.epoch > self.epochs:
            raise SettingError(
                f"The run is in epoch {self.position.epoch} already, and epochs={self.epochs} would end it before: "
                f"ask for epochs={self.position.epoch} at least."
            )
        if self.recorder is not None:
            self.recorder.resume(saved.recording)
        if self.probes is not None:
            self.probes.steps, self.probes.rows = list(saved.probes["steps"]), list(saved.probes["rows"])
        note = decisions.rescheduled(self.recipe, saved.state, saved.epochs)
        if note is not None and is_first():
            print_line(note)
        return decisions.resumed(self.stopping, self.history, self.best_epoch)

    def _put(self, start: State) -> State:
        """Copy a state to where the engine works on it."""
        step = start.step if self.engine.name == "numpy" else np.int32(start.step)
        return self.engine.copy(start._replace(settings=None, step=step))._replace(settings=start.settings)

    def _take_snapshot(self) -> None:
        """Copy the state, as it is now, for others to see and to come back to."""
        self.snapshot = self._copy(self.state)

    def _fetched(self, state: State) -> State:
        """Return a state as NumPy arrays."""
        fetched: State = self.engine.fetch(state._replace(settings=None))
        return fetched._replace(settings=state.settings, step=int(np.asarray(fetched.step)))

    def _copy(self, state: State) -> State:
        return self.engine.copy(state._replace(settings=None))._replace(settings=state.settings)

    @functools.cached_property
    def _identity(self) -> dict[str, str]:
        """What must be the same for a run to be gone on with."""
        return identity(
            self.recipe,
            self.model,
            samples=self.loader.samples,
            batch_size=self.loader.batch_size,
            shuffled=self.loader.shuffled,
            data=self.data_identity,
        )

    def _epoch(self, show: Show) -> str | None:
        """Train for an epoch, or what is left of it, and do what comes at its end: the reason to stop, if any."""
        before = time.perf_counter() - self.position.seconds
        stopped = self._run_steps(before)
        self._take_snapshot()
        if self.position.epoch == 1 and has_room(self.first):
            self.early = self._fetched(self.snapshot)
        validated, answers = self._validated()
        record = {
            "epoch": self.position.epoch,
            **self._means(self.position.sums),
            **validated,
            "lr": self.position.lr,
        }
        if self.recorder is not None:
            self.recorder.end_epoch(self.position.epoch, answers)
        self.history.records.append(record | {"seconds": time.perf_counter() - before})
        if self.checkpointer is not None:
            self.checkpointer.add_record(self.history.records[-1])
        show(self.history.records[-1])
        if self.watch is not None:
            self.watch.after_epoch(self.position.epoch, lambda: self._fetched(self.snapshot), self.history)
        stopped = self._decide() or stopped
        epoch, self.position = self.position.epoch, Position(self.position.epoch + 1)
        if decisions.is_best(self.history, self.stopping, self.watched, self.best_epoch):
            self.best, self.best_epoch = (self.snapshot.params, self.snapshot.model_state), epoch
        if self.checkpointer is not None and (
            stopped or epoch == self.epochs or self.checkpointer.is_due(self.steps, True)
        ):
            self._save(self.checkpointer)
        return stopped

    def _run_steps(self, start: float) -> str | None:
        """Run the steps of an epoch that are left, in calls of the program: the reason to stop within it, if any.

        ``start`` is the time at which the epoch began.
        """
        position, snapshot_at = self.position, self.position.done
        for chunk in self.loader.epoch(position.epoch, position.done):
            while position.done < chunk.before + chunk.steps:
                first = position.done - chunk.before
                last = first + self._agreed(min(self._most_steps(), chunk.steps - first))
                self._run_chunk(chunk, first, last, snapshot_at)
                position.seconds = time.perf_counter() - start
                if position.done == self.steps_per_epoch:
                    break
                if self.call_every and position.done % self.call_every == 0:
                    self._take_snapshot()
                    snapshot_at = position.done
                    if reason := self._call_back(position.epoch, self._means(position.since), end_of_epoch=False):
                        return reason
                    position.since = Position.since
                if self.checkpointer is not None and self.checkpointer.is_due(self.steps, end_of_epoch=False):
                    self._take_snapshot()
                    snapshot_at = position.done
                    self._save(self.checkpointer)
        return None

    def _most_steps(self) -> int:
        """Return how many steps the next call may take: callbacks, checkpoints and signals wait until it returns."""
        room = self.chunk_size.steps
        if self.recorder is not None:
            room = self.recorder.most_steps(room, self.steps)
        if self.call_every:
            room = min(room, self.call_every - self.position.done % self.call_every)
        if self.checkpointer is not None and self.checkpointer.every is not None:
            room = min(room, self.checkpointer.every - self.steps % self.checkpointer.every)
        return room

    def _agreed(self, room: int) -> int:
        """Return the steps of the next call, as all processes of the run agree; end here if one was asked to."""
        agreed = gathered(room, self.stop_request.signal)
        room = agreed[0][0]
        if number := max(number for _, number in agreed):
            self.stop_request.heeded = True
            where = "There is no folder that keeps the run (out=)."
            if self.checkpointer is not None:
                self._take_snapshot()
                is_saved = self._save(self.checkpointer)
                where = f"It could not be saved in {self.checkpointer.folder.path}."
                if is_saved:
                    where = (
                        f"{self.checkpointer.folder.path} keeps it. To go on: the same call of fit with resume=True."
                    )
            raise ended(
                number, f"The training was ended after step {self.steps}, in epoch {self.position.epoch}. {where}"
            )
        return room

    def _run_chunk(self, chunk: Chunk, first: int, last: int, snapshot_at: int) -> None:
        """Call the program: some steps of a chunk, and their metrics."""
        before = time.perf_counter()
        with fitting_step(self.snapshot.params, self.loader.batch_size, self.recipe.micro_batches):
            result = self._train(self.state, chunk, first, last)
            wanted = result.metrics
            if self.recorder is None:
                wanted = wanted._replace(costs=None, answers=None)
            metrics = tree.map(lambda values: values[first:last], self.engine.fetch(wanted))
        self.chunk_size.took(last - first, time.perf_counter() - before)
        if first_bad_step(metrics) is not None or not result.finite:
            raise self._diverged(snapshot_at, chunk.before + last)
        if self.probes is not None:
            self.probes.add(self.steps, self.engine.fetch(result.probed)[first:last])
        if self.record_steps:
            self.history.add_steps([named_metrics(self.recipe, *step) | {"lr": lr} for *step, lr in _each(metrics[:5])])
        self.state, position = result.state._replace(settings=self.state.settings), self.position
        self.steps += last - first
        position.done += last - first
        if self.recorder is not None:
            self.recorder.add(position.epoch, metrics, None if chunk.rows is None else chunk.rows[first:last])
            self.recorder.look(self.steps, lambda: self._fetched(self.state))
        position.sums = add_steps(position.sums, metrics)
        if self.call_every:
            position.since = add_steps(position.since, metrics)
        position.lr = _plain(metrics.lr[-1])

    def _train(self, state: State, chunk: Chunk, first: int, last: int) -> Any:
        """Run steps of a chunk of the epoch; the state is given away."""
        values = (chunk.data, chunk.order, first, last)
        return self.program.train(state._replace(settings=None), state.settings, *values)

    def _means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means of steps under the names of the history."""
        return named_metrics(self.recipe, *sums)

    def _validated(self) -> tuple[dict[str, float], Any]:
        """Measure the means on validation data, if there is any; return them, and the answers (or None)."""
        if self.validation is None:
            return {}, None
        params, model_state, settings = self.snapshot.params, self.snapshot.model_state, self.snapshot.settings
        parts = [
            self.engine.fetch(self.program.measure(params, model_state, settings, blocks)) for blocks in self.validation
        ]
        means = named_metrics(self.recipe, *added(part[:4] for part in parts))
        answers = None
        if parts[0].answers is not None and self.prepared.validation is not None:  # the last block is filled up
            answers = np.concatenate([part.answers.reshape(-1) for part in parts])[: len(self.prepared.validation.x)]
        return {f"val_{name}": value for name, value in means.items()}, answers

    def _decide(self) -> str | None:
        """Let early stopping, the schedule and the callbacks act after an epoch: the reason to stop, if any."""
        stopping = self.stopping
        reason = stopping.decide(self.history[stopping.monitor]) if stopping is not None else None
        validated = self.validation is not None
        if changes := decisions.scheduled(self.recipe, self.state.settings, self.history, validated):
            self._set(changes)
        last = self.history.records[-1]
        decided = self._call_back(int(last["epoch"]), last, end_of_epoch=True)
        return reason or decided

    def _call_back(self, epoch: int, metrics: Mapping[str, float], end_of_epoch: bool) -> str | None:
        """Show the callbacks where the run is, and do what they decide: the reason to stop, if any."""

        def event() -> Event:
            seen = self.snapshot
            return Event(
                epoch=epoch,
                epochs=self.epochs,
                step=int(seen.step),
                end_of_epoch=end_of_epoch,
                metrics=metrics,
                history=self.history,
                probes=self.probes,
                state=seen,
                model=lambda: self._model((seen.params, seen.model_state)),
            )

        return decisions.ask(self.callbacks, event, self.recipe, self._set)

    def _set(self, changes: Mapping[str, float]) -> None:
        """Change continuous settings from here on."""
        self.state = apply_settings(self.state, changes)
        self.snapshot = self.snapshot._replace(settings=self.state.settings)

    def _save(self, checkpointer: Checkpointer) -> bool:
        """Write the state as it is kept: whether that was done."""
        snapshot, best = self.engine.fetch((self.snapshot._replace(settings=None), self.best))
        if self.best_epoch == 0 or (self.best[0] is self.snapshot.params and self.best[1] is self.snapshot.model_state):
            best = (snapshot.params, snapshot.model_state)
        probes = self.probes
        return checkpointer.save(
            Checkpoint(
                snapshot._replace(settings=self.snapshot.settings, step=self.steps),
                self.position,
                self.history,
                {"steps": probes.steps if probes else [], "rows": probes.rows if probes else []},
                best,
                self.best_epoch,
                self.engine.name,
                recording={} if self.recorder is None else self.recorder.position(),
            ),
            best=(lambda: self._model(self.best)) if self.watched else None,
        )

    def _finish(self, outcome: Outcome, nonfinite: str = "") -> Run:
        """Finish the run: with the weights of the best epoch, where they are asked for.

        ``nonfinite`` is the layer where a value was first not finite.
        """
        epoch = None
        if not outcome.diverged:
            epoch = decisions.kept_epoch(self.stopping, len(self.history), self.best_epoch)
        restore = epoch is not None and epoch != len(self.history)
        last = self._fetched(self.snapshot)
        if self.recorder is not None:
            self.recorder.finish(last, len(self.history))
        run = Run(
            self._model(self.best if restore else (self.snapshot.params, self.snapshot.model_state)),
            self.history,
            self.recipe,
            best_epoch=epoch,
            outcome=outcome,
            engine=self.engine.name,
            probes=self.probes,
            traces=dict(self.engine.traces - self.traced),
            folder=self.folder.path if self.folder is not None else None,
            notes=self.prepared.notes,
            settings=self.settings,
            recordings=Recordings(self.first, self.early, last, *self.prepared.samples, nonfinite=nonfinite),
        )
        if self.recorder is not None:
            run.recorded = self.recorder.recorded(run.model, self.probes)
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
        good, epoch = self.snapshot, self.position.epoch
        for chunk, i in itertools.islice(_steps(self.loader.epoch(epoch, start), start), bad - start):
            result = self._train(self._copy(good), chunk, i, i + 1)
            if not (result.finite and np.isfinite(self.engine.fetch(result.metrics.cost)[i])):
                break
            good = result.state._replace(settings=good.settings)
        self.snapshot = good
        layer, where = locate_nonfinite(self.recipe, good, batch_of(chunk, i, self.engine), self.engine)
        number, epoch = int(good.step) + 1, len(self.history) + 1
        return DivergedError(
            f"The cost became NaN or infinite at step {number} (epoch {epoch}), first in {where}. "
            "The weights from before that step are kept. Try a smaller learning rate, or clip_norm=1.0 in the "
            "optimizer.",
            step=number,
            layer=layer,
            run=self._finish(Outcome.at_divergence(number, epoch), layer),
        )

    def _model(self, chosen: Any) -> Model:
        return trained(self.model, self.prepared, *self.engine.fetch(chosen))


def _steps(chunks: Iterator[Chunk], start: int) -> Iterator[tuple[Chunk, int]]:
    """Yield every step of an epoch from its step ``start`` on, as its chunk and its number there."""
    for chunk in chunks:
        for i in range(max(0, start - chunk.before), chunk.steps):
            yield chunk, i


def _each(metrics: Sequence[Any]) -> Iterator[tuple[float, ...]]:
    """Yield the metrics of every step."""
    return zip(*(map(_plain, v) for v in metrics), strict=True)


def _plain(value: Any) -> float:
    """Return the shortest number that reads the same: 0.001, not the 0.0010000000474974513 that a float32 is."""
    return float(str(value))
