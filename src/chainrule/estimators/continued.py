"""Training that goes on with every call of `partial_fit`."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import random
from chainrule.models import Model
from chainrule.recipe.prepare import prepare
from chainrule.recipe.prepared_run import SHUFFLE, first_step
from chainrule.recipe.run_data import run_data
from chainrule.recipe.state import State
from chainrule.run_settings import FitSettings
from chainrule.training import Run
from chainrule.training.engine_choice import engine_for
from chainrule.training.loader import InMemoryLoader
from chainrule.training.loop import Loop


class Continued:
    """The state of a run between its passes: the weights move on, and so do the optimizer's moments and the step.

    Parameters
    ----------
    seed : for the order of the rows and for layers that draw random numbers
    """

    def __init__(self, seed: int) -> None:
        self.root = random.key(seed)
        self.passes = 0
        self.state: State | None = None

    def train(self, model: Model, x: Any, y: np.ndarray, sample_weight: Any, settings: FitSettings) -> Run:
        """Train for one pass over some rows, by the settings of `fit` that concern the step."""
        prepared = prepare(
            run_data(model, (x, y), None, 0),
            model,
            normalize=settings.normalize,
            normalize_target=settings.normalize_target,
            sample_weight=sample_weight,
            class_weight=settings.class_weight,
            root=self.root,
        )
        n, batch_size = len(y), settings.batch_size
        recipe, first = first_step(model, prepared, settings, self.root, model.preparation)
        state = first if self.state is None else self.state._replace(settings=first.settings)
        steps = -(-n // batch_size)
        engine = engine_for(
            model, recipe, settings.engine, settings.devices, steps=steps, batch_size=min(batch_size, n)
        )
        order = random.fold_in(random.fold_in(self.root, SHUFFLE), self.passes)
        loop = Loop(
            model,
            recipe,
            prepared,
            engine,
            InMemoryLoader(prepared.train, batch_size, order, engine),
            epochs=1,
            callbacks=settings.callbacks,  # type: ignore[arg-type]  # a tuple by now
            call_every=settings.call_every,
            record_steps=settings.record_steps,
            settings=settings,
        )
        run = loop.run(state, False, settings.progress, {})
        self.state = engine.fetch(loop.snapshot._replace(settings=None))
        self.passes += 1
        return run
