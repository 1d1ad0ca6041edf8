"""The training loop of one run: calls of the training program, and what happens in between."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.engine import Engine
from chainrule.engine.distributed import check_same, file_of_first
from chainrule.errors import DivergedError, SettingError
from chainrule.files import uninterrupted
from chainrule.models import Model
from chainrule.schedules import Schedule
from chainrule.settings import replace, values, with_values
from chainrule.training import checkpoint
from chainrule.training.callbacks import Callback, Decision, EarlyStopping, Event, apply_settings
from chainrule.training.divergence import blame, first_bad_step
from chainrule.training.epoch import programs
from chainrule.training.feed import Feed, Piece, batch_of
from chainrule.training.folder import RunFolder
from chainrule.training.history import History
from chainrule.training.memory import fitting_step
from chainrule.training.prepare import Prepared
from chainrule.training.probe import Probes
from chainrule.training.probe import names as probe_names
from chainrule.training.progress import progress as show_progress
from chainrule.training.run import Run, added, named_metrics
from chainrule.training.state import Metrics, Recipe, State
from chainrule.training.streaming import evaluated
from chainrule.tree import leaves_with_path


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
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        prepared: Prepared,
        engine: Engine,
        feed: Feed,
        epochs: int,
        *,
        stopping: EarlyStopping | None = None,
        callbacks: Sequence[Callback] = (),
        call_every: int | None = None,
        record_steps: bool = False,
        probe_every: int | None = None,
        folder: RunFolder | None = None,
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
        self.history = History()
        # The state is given away to every call of the program; what others keep is a copy of it: `kept`.
        self.state: State
        self.kept: State

    def run(self, start: State, resume: bool, progress: bool, config: Mapping[str, Any]) -> Run:
        """Train until the last epoch, a decision to stop, or divergence."""
        stopped, best = None, (start.params, start.layers)
        check_same(self._identity | {"epochs": str(self.epochs), "seed": str(start.key), "resume": str(resume)})
        if resume:
            with file_of_first(self.folder.checkpoint if self.folder is not None else None) as path:
                start, self.history, probed, best = checkpoint.load(path, start, self._identity)
            if self.probes is not None:
                self.probes.steps, self.probes.rows = probed["steps"], probed["rows"]
            if self.stopping is not None and len(self.history):
                stopped = self.stopping.decide(self.history[self.stopping.monitor])
        if self.folder is not None:
            self.folder.start(config)
        self.state = self._place(start)
        self._keep()
        with show_progress(self.epochs, progress) as show:
            for epoch in () if stopped else range(len(self.history) + 1, self.epochs + 1):
                before = time.perf_counter()
                seen, stopped = self._epoch(epoch)
                record = {"epoch": epoch, **self._measured(seen), "seconds": time.perf_counter() - before}
                self.history.records.append(record)
                show(record)
                stopped = self._decide() or stopped
                if self._is_best(epoch):
                    best = (self.kept.params, self.kept.layers)
                if self.folder is not None:
                    self._save(self.folder, best)
                if stopped:
                    break
        return self._finish(best, stopped)

    def _place(self, start: State) -> State:
        """A state of the run's own where the engine works on it."""
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
        recipe = {f.name: repr(getattr(self.recipe, f.name)) for f in dataclasses.fields(self.recipe)}
        sizes = {"batch_size": str(self.feed.batch_size), "training samples": str(self.feed.samples)}
        return {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in (recipe | sizes).items()}

    def _epoch(self, epoch: int) -> tuple[list[Metrics], str | None]:
        """One pass over the training data: the metrics of its steps, and the reason to stop within it, if any."""
        seen: list[Metrics] = []
        kept_at = done = called = 0
        for piece in self.feed.epoch(epoch):
            for first, last in _parts(piece.steps, done, self.call_every):
                if self.call_every and done + first > 0 and (done + first) % self.call_every == 0:
                    self._keep()
                    kept_at = done + first
                    if reason := self._call(epoch, self._means(seen[called:]), end_of_epoch=False):
                        return seen, reason
                    called = len(seen)
                with fitting_step(self.kept.params, self.feed.batch_size, self.recipe.micro_batches):
                    found = self._train(self.state, piece, first, last)
                    metrics = Metrics(*(v[first:last] for v in self.engine.fetch(found.metrics)))
                if first_bad_step(metrics) is not None or not found.finite:
                    raise self._diverged(epoch, kept_at, done + last)
                if self.probes is not None:
                    self.probes.add(int(found.state.step) - (last - first), self.engine.fetch(found.probed)[first:last])
                self.state = found.state._replace(settings=self.state.settings)
                seen.append(metrics)
            done += piece.steps
        self._keep()
        return seen, None

    def _train(self, state: State, piece: Piece, first: int, last: int) -> Any:
        """Steps of a piece of the epoch; the state is given away."""
        values = (piece.data, piece.order, first, last)
        return self.program.train(state._replace(settings=None), state.settings, *values)

    def _means(self, seen: list[Metrics]) -> dict[str, float]:
        """The means of steps under the names of the history."""
        return named_metrics(self.recipe, *added(metrics[:4] for metrics in seen))

    def _measured(self, seen: list[Metrics]) -> dict[str, float]:
        """An epoch's means on training data and, if there is any, on validation data."""
        record = self._means(seen)
        if self.validation is not None:
            params, layers, settings = self.kept.params, self.kept.layers, self.kept.settings
            sums = (self.program.measure(params, layers, settings, blocks) for blocks in self.validation)
            found = named_metrics(self.recipe, *added(self.engine.fetch(s) for s in sums))
            record |= {f"val_{name}": value for name, value in found.items()}
        if self.record_steps:
            self.history.add_steps([named_metrics(self.recipe, *step) | {"lr": lr} for *step, lr in _each(seen)])
        return record | {"lr": _plain(seen[-1].lr[-1])}

    def _is_best(self, epoch: int) -> bool:
        stopping = self.stopping
        return stopping is None or stopping.best_epoch(self.history[stopping.monitor]) == epoch

    def _decide(self) -> str | None:
        """Let early stopping, the schedule and the callbacks act after an epoch: the reason to stop, if any."""
        stopping, schedule = self.stopping, self.recipe.optimizer.lr
        reason = stopping.decide(self.history[stopping.monitor]) if stopping is not None else None
        if isinstance(schedule, Schedule):
            current = with_values(schedule, self.state.settings["recipe"]["optimizer"]["lr"])
            changed = current.after_epoch(self.history["val_loss" if self.validation is not None else "loss"])
            if changed is not None:
                new = leaves_with_path(values(changed), ("optimizer", "lr"))
                self._set({".".join(path): value for path, value in new})
        last = self.history.records[-1]
        return reason or self._call(int(last["epoch"]), last, end_of_epoch=True)

    def _call(self, epoch: int, metrics: Mapping[str, float], end_of_epoch: bool) -> str | None:
        """Show the callbacks where the run is, and do what they decide: the reason to stop, if any."""
        reason = None
        for callback in self.callbacks:
            seen = self.kept
            event = Event(
                epoch=epoch,
                epochs=self.epochs,
                step=int(seen.step),
                end_of_epoch=end_of_epoch,
                metrics=metrics,
                history=self.history,
                probes=self.probes,
                state=seen,
                model=lambda seen=seen: self._model((seen.params, seen.layers)),  # type: ignore[misc]
            )
            decision = callback(event)
            if decision is None:
                continue
            if not isinstance(decision, Decision):
                raise SettingError(f"A callback returns None or cr.Decision(stop=..., settings=...), got {decision!r}.")
            self._set(decision.settings)
            for path, value in decision.settings.items():
                replace(self.recipe, path, value)  # a value out of its range is an error here
            reason = reason or decision.stop
        return reason

    def _set(self, changes: Mapping[str, float]) -> None:
        """Change continuous settings from here on."""
        self.state = apply_settings(self.state, changes)
        self.kept = self.kept._replace(settings=self.state.settings)

    def _save(self, folder: RunFolder, best: Any) -> None:
        kept, best_weights = self.engine.fetch((self.kept._replace(settings=None), best))
        with uninterrupted():  # both files, or neither: they belong to the same epoch
            checkpoint.save(
                folder.checkpoint,
                kept._replace(settings=self.kept.settings),
                self.history,
                self.probes,
                best_weights,
                self._identity,
            )
            folder.write_metrics(self.history.records)

    def _finish(self, best: Any, stopped: str | None) -> Run:
        """The run as it ended: with the weights of the best epoch, where they are asked for."""
        restore = self.stopping is not None and self.stopping.restore_best
        monitored = self.history[self.stopping.monitor] if self.stopping is not None and len(self.history) else []
        run = Run(
            self._model(best if restore else (self.kept.params, self.kept.layers)),
            self.history,
            self.recipe,
            best_epoch=self.stopping.best_epoch(monitored) if self.stopping and restore else len(self.history),
            stopped=stopped,
            engine=self.engine.name,
            probes=self.probes,
            traces=dict(self.engine.traces - self.traced),
            folder=self.folder.path if self.folder is not None else None,
        )
        if self.folder is not None:
            run.model.save(self.folder.path / "model.safetensors")
        return run

    def _diverged(self, epoch: int, start: int, bad: int) -> DivergedError:
        """Find the step and the layer, keep the weights from before it, and say what to try.

        The same samples in the same order give the same numbers again, so nothing had to be kept but the state at the
        step ``start`` of this epoch; somewhere before the step ``bad`` something is not finite.
        """
        good = self.kept
        for piece, i in itertools.islice(_steps(self.feed.epoch(epoch)), start, bad):
            found = self._train(self._copy(good), piece, i, i + 1)
            if not (found.finite and np.isfinite(self.engine.fetch(found.metrics.cost)[i])):
                break
            good = found.state._replace(settings=good.settings)
        self.kept = good
        layer, place = blame(self.recipe, good, batch_of(piece, i, self.engine), self.engine)
        number = int(good.step) + 1
        return DivergedError(
            f"The cost became NaN or infinite at step {number} (epoch {len(self.history) + 1}), first in {place}. "
            "The weights from before that step are kept. Try a smaller learning rate, or clip_norm=1.0 in the "
            "optimizer.",
            step=number,
            layer=layer,
            run=self._finish((good.params, good.layers), "diverged"),
        )

    def _model(self, chosen: Any) -> Model:
        params, layers = self.engine.fetch(chosen)
        model = self.model
        return Model(
            model.net,
            model.input_shape,
            precision=model.precision,
            params=params,
            state=layers,
            standardizer=self.prepared.standardizer,
            preparation=self.prepared.preparation,
            target=self.prepared.target,
        )


def _parts(steps: int, done: int, every: int | None) -> Iterator[tuple[int, int]]:
    """The steps of a piece that begins after ``done`` steps of the epoch, cut where callbacks are called."""
    cuts = [i for i in range(1, steps) if every and (done + i) % every == 0]
    yield from zip([0, *cuts], [*cuts, steps], strict=True)


def _steps(pieces: Iterator[Piece]) -> Iterator[tuple[Piece, int]]:
    """Every step of an epoch, as its piece and its number there."""
    for piece in pieces:
        for i in range(piece.steps):
            yield piece, i


def _each(seen: list[Metrics]) -> Iterator[tuple[float, ...]]:
    """The metrics of every step."""
    for metrics in seen:
        yield from zip(*(map(_plain, v) for v in metrics), strict=True)


def _plain(value: Any) -> float:
    """0.001, not the 0.0010000000474974513 that a float32 is."""
    return float(str(value))
