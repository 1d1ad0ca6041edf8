"""What is examined: a network, its data and settings, as `fit` would train them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.rows import Rows
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.recipe.networks import network
from chainrule.recipe.prepared_run import PreparedRun, prepare_run
from chainrule.recipe.run_data import RunData, run_data
from chainrule.recipe.state import Recipe, State
from chainrule.recipe.step import Batch
from chainrule.run_settings import TrainingSettings
from chainrule.tables.table import Table

__all__ = ["Subject", "subject_of"]

#: Of more training rows than this a sample is examined.
MOST_ROWS = 5000


@dataclass(frozen=True, eq=False)
class Subject:
    """A run before its first step, as the checks take it. Nothing here belongs to the test, and nothing is changed.

    Attributes
    ----------
    net : the network, or the trained model that is gone on with
    settings : how it is to be trained
    data : what was given, as `fit` takes it
    rows : the inputs and targets of the training rows, not yet standardized
    run : what `fit` makes of it: `PreparedRun`, with first weights, the recipe, and the data as the network gets it
    """

    net: Layer | Model
    settings: TrainingSettings
    data: Any
    rows: RunData
    run: PreparedRun

    @property
    def recipe(self) -> Recipe:
        """What one step depends on besides the state."""
        return self.run.recipe

    @property
    def state(self) -> State:
        """The state before the first step, with its settings."""
        return self.run.state

    @property
    def task(self) -> str:
        """The task: "classification", "binary", "multilabel" or "regression"."""
        return self.run.recipe.task

    def batch(self, size: int = 256, seed: int = 0) -> Batch:
        """Return some training rows, drawn at random, as the network gets them."""
        train = self.run.prepared.train
        rows = sample_rows(len(train.x), size, seed)
        x = train.x[rows]
        return Batch(np.asarray(x), np.asarray(train.y)[rows], np.asarray(train.weight)[rows])


def sample_rows(n: int, size: int, seed: int = 0) -> np.ndarray:
    """Return the numbers of some of n rows, in rising order; of few rows all."""
    if n <= size:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size, replace=False))


def subject_of(net: Any, data: Any, settings: TrainingSettings) -> Subject:
    """Return what is to be examined; raises what `fit` would raise for it. ``net`` may be a function of the data.

    Streams and large data are examined by `MOST_ROWS` of their rows.
    """
    unscaled = isinstance(data, Table) and not settings.normalize
    taken = data.unscaled() if unscaled else data
    rows = _sampled(run_data(net if isinstance(net, Model) else None, taken, settings.validation, settings.seed))
    net = network(net, rows.x, rows.y, rows.inputs.preparation)
    if settings.sample_weight is not None and len(np.asarray(settings.sample_weight)) != len(rows.x):
        settings = dataclasses.replace(settings, sample_weight=None)
    return Subject(net, settings, data, rows, prepare_run(net, rows, settings))


def _sampled(rows: RunData) -> RunData:
    """Return the data, or a sample of it where there are many rows."""
    if len(rows.x) <= MOST_ROWS and not isinstance(rows.x, Rows):
        return rows
    chosen = sample_rows(len(rows.x), MOST_ROWS)
    x = rows.x[chosen]
    return dataclasses.replace(rows, x=x.read(0, len(x)) if isinstance(x, Rows) else x, y=rows.y[chosen])
