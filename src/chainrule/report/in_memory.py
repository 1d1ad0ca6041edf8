"""The page about a run that has no folder: its record and its judgement are made of what is in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Dataset, Stream
from chainrule.errors import DataError
from chainrule.evaluation.gather import gather
from chainrule.models import Model
from chainrule.models.predictions import labelled
from chainrule.outcome import Outcome
from chainrule.recipe.history import History
from chainrule.recipe.run_data import pair_of
from chainrule.recipe.state import recipe_of
from chainrule.runs.folder import environment
from chainrule.tables.table import Table
from chainrule.training.record import Record
from chainrule.training.run import Run


def run_of(model: Model) -> Run:
    """Return a run that says nothing but its model."""
    return Run(
        model,
        History(),
        recipe_of(model),
        best_epoch=None,
        outcome=Outcome(),
        engine="",
        traces={},
        metrics={},
    )


def record_of(run: Run, path: Path) -> Record:
    """Return what the folder of a run would say; the page is called as the file that it is written to."""
    measured = {"best_epoch": run.best_epoch, "metrics": run.metrics, "parameters": run.model.count()}
    made_here = {name: value for name, value in environment().items() if name not in ("started", "command")}
    result = {**run.outcome.to_dict(), **measured, "engine": run.engine}
    return Record(path.with_suffix(""), {}, run.history.records, result, made_here, has_model=True)


def recipe_in_words(run: Run) -> str:
    """Return the loss, and for a run that was trained how, as lines ``name = value``."""
    recipe = run.recipe
    lines = [f"loss = {recipe.loss!r}"]
    if len(run.history):
        lines += [f"optimizer = {recipe.optimizer!r}", f"epochs = {len(run.history)}"]
        lines += [f"{name} = {value:g}" for name in ("l1", "l2") if (value := getattr(recipe, name))]
    return "\n".join(lines) + "\n"


def evaluation_of(run: Run, data: Any, validation: Any = None, test: Any = None) -> dict[str, Any]:
    """Evaluate a run on its test data; without such on its validation data, else on what it was trained on."""
    train = _rows(run.model, data)
    parts = {"training": train}
    for name, part_data in (("validation", validation), ("test", test)):
        if part_data is None and isinstance(data, Dataset):
            part_data = data.validation if name == "validation" else data.test
        if part_data is not None:
            parts[name] = _rows(run.model, part_data)
    part, evaluated = list(parts.items())[-1]
    preparation = run.model.preparation
    return gather(
        run,
        train=train,
        evaluated=evaluated,
        part=part,
        parts={name: len(x) for name, (x, _) in parts.items()},
        rows=evaluated[0] if hasattr(evaluated[0], "iloc") else None,
        columns=None if preparation is None else preparation.columns,
        names=data.feature_names if isinstance(data, Dataset) else run.model.inputs.feature_names,
        notes=run.notes,
    )


def _rows(model: Model, data: Any) -> tuple[Any, Any]:
    """Return inputs and targets of data as training takes it; those rows of a table that have a target."""
    if isinstance(data, Table):
        return labelled(model, data)
    x, y = pair_of(data, "A report takes data as (x, y), a Dataset, a Table or a Stream")
    if y is None:
        raise DataError("A report needs targets: give the data as (x, y).")
    x = x.x if isinstance(x, Stream) else x
    return np.asarray(x) if isinstance(x, list | tuple) else x, y
