"""What a run recorded of itself, as arrays: what every view of its training is derived from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.models import Model
from chainrule.models.saving import unflatten
from chainrule.recipe.probe import Probes
from chainrule.recipe.state import Recipe
from chainrule.training.recording import Recording, costs_of
from chainrule.training.recording_folder import RecordingFolder

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

    Of training rows it is what their step saw of them: before it, with dropout and augmentation.

    Attributes
    ----------
    epochs : the epochs that were recorded, from 1: (n,)
    costs : the cost of each row in its epoch, rounded to 1/8 of a power of two: (n, rows); None for validation rows
    answers : the class that was answered, (n, rows); for binary tasks 0 or 1; None where no class is answered
    truths : the right class of each row, (rows,); None likewise
    numbers : which rows these are, as numbers in the data that `fit` was given (of a `Table`, in its training or
        validation part): (rows,)
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
    numbers : which rows these are, as in `RowValues`
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
    model : the network as it ended (of a run that goes on, after its last stop), with what it was told of its inputs
        and classes
    recipe : the loss and the optimizer
    steps_per_epoch : steps of an epoch
    stops : after so many steps weights were copied, rising: 0, 1, 2, 3, 4, 6, 8, 11, … and the last
    read_snapshot : reads one of them
    fixed : the rows that everything is looked at on
    steps : what each step was measured at
    rows, validation : what was answered for training and validation rows in each epoch; None where it is missing
    probes : figures of layers and parameters (`chainrule.recipe.probe.Probes`), on every so many steps where `fit` was
        told ``probe_every`` and the run is in memory; else of each parameter ``size`` and ``change`` on the step after
        each stop
    missing : why a part is missing, by its name: {"stops": …, "rows": …}

    Example
    -------
    >>> import chainrule as cr
    >>> run = cr.fit(cr.mlp([4, 8, 3]), cr.data.load("iris"), epochs=2, record="light", progress=False)
    >>> run.recorded.stops, run.recorded.steps.loss.shape, run.recorded.rows.answers.shape
    ((0, 1, 2, 3, 4, 6, 8, 10), (10,), (2, 150))
    >>> bool(run.recorded.model_at(10).predict([[5.0, 3.0, 1.0, 0.2]]) == run.model.predict([[5.0, 3.0, 1.0, 0.2]]))
    True
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
    probes: Probes | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(folder: str | Path) -> Recorded:
        """Read what a run recorded in its folder, also while the run goes on.

        Raises
        ------
        FileError
            A folder that holds no recording, files that are damaged or of another version.
        """
        recording = RecordingFolder.read(folder)
        model = recording.read_model()
        recorded = assemble(recording, model, recording.read_recipe(model))
        if recording.is_finished or not recorded.stops:
            return recorded
        return assemble(recording, recorded.model_at(recorded.stops[-1]), recorded.recipe)

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


def assemble(recording: Recording, model: Model, recipe: Recipe, probes: Probes | None = None) -> Recorded:
    """Return a recording as arrays."""
    header, fixed = recording.header, recording.fixed
    steps, rows, updates = map(recording.records, ("steps", "rows", "updates"))

    def read_snapshot(step: int) -> Snapshot:
        values = unflatten(recording.snapshot(step))
        return Snapshot(step, values.get("params", {}), values.get("state", {}), values.get("moments"))

    def values_of(part: str, count: int, answers: str) -> RowValues | None:
        has_answers = answers in (rows.dtype.names or ())
        if not count or (part == "validation" and not has_answers):
            return None
        return RowValues(
            epochs=rows["epoch"].astype(int),
            costs=costs_of(rows["costs"], rows["exponent"]) if part == "rows" else None,
            answers=rows[answers] if has_answers else None,
            truths=fixed.get(f"{part}/truths"),
            numbers=fixed[f"{part}/numbers"] if f"{part}/numbers" in fixed else np.arange(count),
        )

    return Recorded(
        model=model,
        recipe=recipe,
        steps_per_epoch=header["steps_per_epoch"],
        stops=recording.stops(),
        read_snapshot=read_snapshot,
        fixed=FixedRows(**{name: fixed[name] for name in ("x", "y", "weight", "numbers", "is_validation")}),
        steps=StepValues(steps["loss"], steps["score"], steps["lr"]),
        rows=values_of("rows", header["rows"], "answers"),
        validation=values_of("validation", header["validation_rows"], "validation"),
        probes=probes or Probes(None, header["figures"], updates["step"].tolist(), updates["figures"].tolist()),
        missing=header["missing"],
    )
