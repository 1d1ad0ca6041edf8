"""What a run recorded of itself, as arrays: what every view is derived from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.models import Model
from chainrule.recipe.state import Recipe

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class StepValues:
    """What every step of a run was measured at: arrays (steps,) of float32.

    Attributes
    ----------
    loss : the mean cost of the batch before the step
    score : the share of right answers in it; for regression the mean absolute error
    lr : the learning rate of the step
    """

    loss: Array
    score: Array
    lr: Array


@dataclass(frozen=True, eq=False)
class RowValues:
    """What was answered for rows, epoch by epoch.

    Attributes
    ----------
    epochs : the epochs that were recorded, from 1: (n,)
    costs : the cost of each row in its epoch, rounded to 1/8 of a power of two: (n, rows); None for validation rows
    answers : the class that was answered, (n, rows); for binary tasks 0 or 1; None where no class is answered
    truths : the right class of each row, (rows,); None likewise
    numbers : which rows these are, as numbers in the data that `fit` was given: (rows,)
    """

    epochs: Array
    costs: Array | None
    answers: Array | None
    truths: Array | None
    numbers: Array


@dataclass(frozen=True, eq=False)
class FixedRows:
    """Some rows that everything is looked at on, at every stop.

    Attributes
    ----------
    x, y, weight : as the network gets them: prepared, standardized, encoded
    numbers : which rows these are, in their own part of the data
    is_validation : which of them are validation rows
    """

    x: Array
    y: Array
    weight: Array
    numbers: Array
    is_validation: Array


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run after some steps.

    Attributes
    ----------
    step : so many steps were done
    params, state : parameters, and the layers' own values such as the statistics of batch normalization
    moments : what the optimizer remembers, where the level of recording is "full"; else None
    """

    step: int
    params: Any
    state: Any
    moments: Any | None = None


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a run recorded of itself.

    Attributes
    ----------
    model : the network as it ended, with what it was told of its inputs and classes
    recipe : the loss and the optimizer
    steps_per_epoch : steps of an epoch
    stops : after so many steps weights were copied, rising: 0, 1, 2, 3, 4, 6, 8, 11, … and the last
    read_snapshot : reads one of them
    fixed : the rows that everything is looked at on
    steps : what each step was measured at
    rows, validation : what was answered for training and validation rows in each epoch; None where it is missing
    probes : figures of layers and parameters at the stops (`chainrule.recipe.probe.Probes`), or None
    """

    model: Model
    recipe: Recipe
    steps_per_epoch: int
    stops: tuple[int, ...]
    read_snapshot: Callable[[int], Snapshot]
    fixed: FixedRows
    steps: StepValues | None = None
    rows: RowValues | None = None
    validation: RowValues | None = None
    probes: Any | None = None

    def model_at(self, step: int) -> Model:
        """Return the model as it was after so many steps, which must be a stop."""
        snapshot, model = self.read_snapshot(step), self.model
        return Model(
            model.net,
            model.input_shape,
            precision=model.precision,
            params=snapshot.params,
            state=snapshot.state,
            inputs=model.inputs,
            target=model.target if model.target_is_known else None,
        )

    def network_at(self, step: int) -> Model:
        """Return the network alone after so many steps: it takes rows that are prepared already, as ``fixed`` has."""
        snapshot, model = self.read_snapshot(step), self.model
        return Model(
            model.net, model.input_shape, precision=model.precision, params=snapshot.params, state=snapshot.state
        )
