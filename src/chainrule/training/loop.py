"""The training loop of one run: an epoch at a time on the engine, and what happens in between."""

from __future__ import annotations

import dataclasses
import functools
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.data import batch_order
from chainrule.engine import Engine
from chainrule.errors import DivergedError, SettingError
from chainrule.files import uninterrupted
from chainrule.models import Model
from chainrule.schedules import Schedule
from chainrule.settings import replace, values, with_values
from chainrule.training import checkpoint
from chainrule.training.callbacks import Callback, Decision, EarlyStopping, Event, apply_settings
from chainrule.training.divergence import blame, first_bad_step, is_finite, replay
from chainrule.training.epoch import measuring, programs
from chainrule.training.folder import RunFolder
from chainrule.training.history import History
from chainrule.training.prepare import Prepared
from chainrule.training.progress import progress as show_progress
from chainrule.training.run import Run, measure, named_metrics, place_blocks
from chainrule.training.state import Metrics, Recipe, State
from chainrule.training.step import Batch


class Loop:
    """The training loop of one run: an epoch at a time on the engine, and what happens in between."""

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        prepared: Prepared,
        engine: Engine,
        batch_size: int,
        epochs: int,
        shuffle_key: Any,
    ) -> None:
        self.model, self.recipe, self.prepared, self.engine = model, recipe, prepared, engine
        self.batch_size = min(batch_size, len(prepared.train.x))
        self.epochs, self.shuffle_key = epochs, shuffle_key
        self.program = programs(recipe, self.batch_size, engine)
        self.measuring = measuring(recipe, engine)
        self.data = engine.place(prepared.train)
        self.blocks = place_blocks(prepared.validation, engine) if prepared.validation is not None else []

    def run(
        self,
        state: State,
        stopping: EarlyStopping | None,
        callbacks: Sequence[Callback],
        folder: RunFolder | None,
        resume: bool,
        progress: bool,
        config: Mapping[str, Any],
    ) -> Run:
        """Train until the last epoch, a decision to stop, or divergence."""
        history, best, stopped = History(), (state.params, state.layers), None
        if folder is not None and resume:
            state, history.records, best = checkpoint.load(folder.checkpoint, state, self._identity)
            if stopping is not None and history.records:
                stopped = stopping.decide(history[stopping.monitor])
        if folder is not None:
            folder.start(config)
        state = self._place(state)
        with show_progress(self.epochs, progress) as show:
            for epoch in () if stopped else range(len(history) + 1, self.epochs + 1):
                before = time.perf_counter()
                state, metrics = self._epoch(state, epoch, history, folder)
                record = {
                    "epoch": epoch,
                    **self._record(metrics, state),
                    "seconds": time.perf_counter() - before,
                }
                history.records.append(record)
                show(record)
                if stopping is None or stopping.best_epoch(history[stopping.monitor]) == epoch:
                    best = (state.params, state.layers)
                state, stopped = self._decide(state, history, stopping, callbacks)
                if folder is not None:
                    kept, best_weights = self.engine.fetch((state._replace(settings=None), best))
                    kept = kept._replace(settings=state.settings)
                    with uninterrupted():  # both files, or neither: they belong to the same epoch
                        checkpoint.save(folder.checkpoint, kept, history.records, best_weights, self._identity)
                        folder.write_metrics(history.records)
                if stopped:
                    break
        chosen = best if stopping is not None and stopping.restore_best else (state.params, state.layers)
        at = stopping.best_epoch(history[stopping.monitor]) if stopping and stopping.restore_best else len(history)
        return self._finish(chosen, history, at, stopped, folder)

    @functools.cached_property
    def _identity(self) -> dict[str, str]:
        """What must be the same for a run to be gone on with."""
        recipe = {f.name: repr(getattr(self.recipe, f.name)) for f in dataclasses.fields(self.recipe)}
        sizes = {"batch_size": str(self.batch_size), "training samples": str(len(self.prepared.train.x))}
        return {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in (recipe | sizes).items()}

    def _epoch(self, state: State, epoch: int, history: History, folder: RunFolder | None) -> tuple[State, Metrics]:
        """One pass over the training data, in an order of its own."""
        order = batch_order(random.fold_in(self.shuffle_key, epoch), len(self.prepared.train.x))
        end, metrics = self.program.train(state, self.data, self.engine.place(order))
        bad = first_bad_step(metrics)
        if bad is None and is_finite(end):
            return end._replace(settings=state.settings), metrics
        bad = len(np.asarray(metrics.cost)) - 1 if bad is None else bad
        raise self._diverged(state, order, bad, history, folder)

    def _record(self, metrics: Metrics, state: State) -> dict[str, float]:
        """The epoch's means on training data and, if there is any, on validation data."""
        sums = [float(np.sum(np.asarray(v, np.float64))) for v in metrics[:4]]
        record = named_metrics(self.recipe, *sums)
        if self.blocks:
            settings = state.settings
            seen = measure(self.measuring, state.params, state.layers, settings, self.blocks)
            record |= {f"val_{k}": v for k, v in named_metrics(self.recipe, *seen).items()}
        return record | {"lr": float(str(np.asarray(metrics.lr)[-1]))}  # 0.001, not 0.0010000000474974513

    def _decide(
        self, state: State, history: History, stopping: EarlyStopping | None, callbacks: Sequence[Callback]
    ) -> tuple[State, str | None]:
        """Let early stopping, the schedule and the callbacks act: new settings, and the reason to stop."""
        reason = stopping.decide(history[stopping.monitor]) if stopping is not None else None
        schedule = self.recipe.optimizer.lr
        if isinstance(schedule, Schedule):
            current = with_values(schedule, state.settings["recipe"]["optimizer"]["lr"])
            changed = current.after_epoch(history["val_loss" if self.blocks else "loss"])
            if changed is not None:
                new = tree.leaves_with_path(values(changed), ("optimizer", "lr"))
                state = apply_settings(state, {".".join(path): value for path, value in new})
        for callback in callbacks:
            seen = state
            event = Event(
                epoch=len(history),
                epochs=self.epochs,
                metrics=history.records[-1],
                history=history,
                state=state,
                model=lambda seen=seen: self._model((seen.params, seen.layers)),  # type: ignore[misc]
            )
            decision = callback(event)
            if decision is None:
                continue
            if not isinstance(decision, Decision):
                raise SettingError(f"A callback returns None or cr.Decision(stop=..., settings=...), got {decision!r}.")
            state = apply_settings(state, decision.settings)
            for path, value in decision.settings.items():
                replace(self.recipe, path, value)  # a value out of its range is an error here
            reason = reason or decision.stop
        return state, reason

    def _finish(self, chosen: Any, history: History, epoch: int, stopped: str | None, folder: RunFolder | None) -> Run:
        run = Run(
            self._model(chosen),
            history,
            self.recipe,
            best_epoch=epoch,
            stopped=stopped,
            engine=self.engine.name,
            folder=folder.path if folder is not None else None,
        )
        if folder is not None:
            run.model.save(folder.path / "model.safetensors")
        return run

    def _diverged(
        self, state: State, order: np.ndarray, bad: int, history: History, folder: RunFolder | None
    ) -> DivergedError:
        """Find the step and the layer, keep the weights from before it, and say what to try."""
        start = state
        # A gradient that is not finite shows in the weights first, and in the cost one step later.
        while bad and not is_finite(state := replay(self.program, start, self.data, order, bad, self.batch_size)):
            bad -= 1
        state = state if bad else start
        rows = order[bad * self.batch_size : (bad + 1) * self.batch_size]
        batch = Batch(*(a[rows] for a in self.prepared.train))
        layer, place = blame(self.recipe, state, batch, self.engine)
        run = self._finish((state.params, state.layers), history, len(history), "diverged", folder)
        number = int(np.asarray(state.step)) + 1
        return DivergedError(
            f"The cost became NaN or infinite at step {number} (epoch {len(history) + 1}), first in {place}. "
            "The weights from before that step are kept. Try a smaller learning rate, or clip_norm=1.0 in the "
            "optimizer.",
            step=number,
            layer=layer,
            run=run,
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
            target=self.prepared.target,
        )

    def _place(self, state: State) -> State:
        place = self.engine.place
        return State(
            params=place(state.params),
            layers=place(state.layers),
            moments=place(state.moments),
            step=state.step if self.engine.name == "numpy" else place(np.int32(state.step)),
            key=place(state.key),
            settings=state.settings,
        )
