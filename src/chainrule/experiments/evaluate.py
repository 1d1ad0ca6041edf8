"""At the end of a run: judge it beside simpler rules, and write the page about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule import random
from chainrule.cli.messages import say
from chainrule.data import Dataset
from chainrule.evaluation.gather import gather
from chainrule.experiments.data import Part
from chainrule.experiments.presets import TrainSettings
from chainrule.models.predictions import Predictions
from chainrule.report import write_report
from chainrule.report.suspicion import look_at, too_good
from chainrule.runs.evaluation import write_evaluation
from chainrule.tables.leaks import strongest
from chainrule.tables.prepared import PreparedTable
from chainrule.training import Run
from chainrule.training.prepare import hold_out


def judge_and_report(
    run: Run, data: Dataset, part: Part, test: Part | None, settings: TrainSettings, table: PreparedTable | None
) -> Path | None:
    """Judge a finished run on its test part (else on the validation part) and write its page; give the page's path.

    What goes wrong here is told and no more: the run itself is in its folder already, and its page comes with --resume.
    """
    assert run.folder is not None
    try:
        facts = judge(run, data, part, test, settings, table)
        if facts.get("too_good"):
            say(f"warning: too good to be true? {facts['too_good']}")
        write_evaluation(run.folder, facts)
        return write_report(run.folder)
    except Exception as error:
        say(f"warning: the report could not be written: {type(error).__name__}: {error}")
    return None


def scores_of(run: Run, x: Any, y: Any) -> dict[str, float]:
    """Return the loss and the score on some rows, under the names that they have in the history."""
    return Predictions(run.model, x, y, run.recipe.loss).scores


def judge(
    run: Run, data: Dataset, part: Part, test: Part | None, settings: TrainSettings, table: PreparedTable | None
) -> dict[str, Any]:
    """Return what the page shows of a run of the command line."""
    rows, held_out = np.arange(len(part.x)), np.arange(0)
    if data.validation is None and settings.validation:
        root = random.key(settings.seed)
        rows, held_out = hold_out(run.model.encode(part.y), run.recipe.task, settings.validation, root)
    name, judged, numbers = "training", (part.x, part.y), part.rows
    if test is not None:
        name, judged, numbers = "test", (test.x, test.y), test.rows
    elif data.validation is not None:
        name, judged, numbers = "validation", data.validation, np.arange(len(data.validation[0]))
    elif len(held_out):
        name, judged, numbers = "validation", (part.x[held_out], part.y[held_out]), part.rows[held_out]
    validation = len(held_out) if data.validation is None else len(data.validation[0])
    parts = {"training": len(rows), "validation": validation, "test": 0 if test is None else len(test.x)}
    shown: dict[str, Any] = {"names": data.feature_names, "numbers": numbers}
    if table is not None:
        # The parts are the table's own, or drawn from its training rows.
        own = {"test": table.rows.test, "validation": table.rows.validation}.get(name)
        numbers = own if own is not None and len(own) else table.rows.train[numbers]
        read = None if table.features is None else table.features.iloc[numbers]
        shown |= {"rows": read, "numbers": numbers if read is None else None}
        shown |= {"columns": table.columns, "notes": table.notes}
        if (left_out := table.numbers_left_out()) is not None:
            shown["left_out"] = (left_out[table.rows.train[part.rows]], left_out[numbers])
    facts = gather(
        run,
        train=(part.x, part.y),
        judged=judged,
        part=name,
        train_rows=rows,
        parts={part: n for part, n in parts.items() if n},
        **shown,
    )
    if table is not None and (score := too_good(facts)) is not None:
        facts["too_good"] = look_at(score, _strongest(table, run.recipe.task))
    return facts


def _strongest(table: PreparedTable, task: str) -> list[tuple[str, float]]:
    """Return the columns that tell most of the target alone, where the table is in memory."""
    if table.features is None:
        return []
    kind = "regression" if task == "regression" else "classification"
    return strongest(table.features.iloc[table.rows.train], table.columns, table.data.y, kind)
