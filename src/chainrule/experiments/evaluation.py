"""At the end of a run: evaluate it beside simpler rules, and write the page about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule import random
from chainrule.evaluation.gather import gather
from chainrule.experiments.listener import Listener
from chainrule.experiments.plan import Plan
from chainrule.models.predictions import Predictions
from chainrule.recipe.prepare import hold_out
from chainrule.report import write_report
from chainrule.report.suspicion import look_at, too_good
from chainrule.runs.evaluation import write_evaluation
from chainrule.tables.leaks import strongest
from chainrule.tables.prepared import PreparedTable
from chainrule.training import Run

#: The numbers of so many rows are kept at most.
MOST_NUMBERED = 100_000


def evaluate_and_report(run: Run, plan: Plan, listener: Listener) -> Path | None:
    """Evaluate a finished run on its test part (else on the validation part) and write its page; return its path.

    What goes wrong here is a warning and no more: the run itself is in its folder, and its page comes with --resume.
    """
    assert run.folder is not None
    try:
        evaluation = evaluate_run(run, plan)
        if evaluation.get("too_good"):
            listener.on_warning(f"too good to be true? {evaluation['too_good']}")
        write_evaluation(run.folder, evaluation)
        return write_report(run.folder)
    except Exception as error:
        listener.on_warning(f"the report could not be written: {type(error).__name__}: {error}")
    return None


def scores_of(run: Run, x: Any, y: Any) -> dict[str, float]:
    """Return the loss and the score on some rows, under the names that they have in the history."""
    return Predictions(run.model, x, y, run.recipe.loss).scores


def evaluate_run(run: Run, plan: Plan) -> dict[str, Any]:
    """Return what the page shows of a run."""
    data, training, test, table, settings = plan.data, plan.training, plan.test, plan.table, plan.settings
    rows, held_out = np.arange(len(training.x)), np.arange(0)
    if data.validation is None and settings.validation:
        root = random.key(settings.seed)
        rows, held_out = hold_out(run.model.encode(training.y), run.recipe.task, settings.validation, root)
    name, evaluated, numbers = "training", (training.x, training.y), training.rows
    if test is not None:
        name, evaluated, numbers = "test", (test.x, test.y), test.rows
    elif data.validation is not None:
        name, evaluated, numbers = "validation", data.validation, np.arange(len(data.validation[0]))
    elif len(held_out):
        name, evaluated = "validation", (training.x[held_out], training.y[held_out])
        numbers = training.rows[held_out]
    validation = len(held_out) if data.validation is None else len(data.validation[0])
    parts = {"training": len(rows), "validation": validation, "test": 0 if test is None else len(test.x)}
    details: dict[str, Any] = {"names": data.feature_names, "numbers": numbers}
    if table is not None:
        # The parts are the table's own, or drawn from its training rows.
        of_table = {"test": table.rows.test, "validation": table.rows.validation}.get(name)
        numbers = of_table if of_table is not None and len(of_table) else table.rows.train[numbers]
        read = None if table.features is None else table.features.iloc[numbers]
        details |= {"rows": read, "numbers": numbers if read is None else None}
        details |= {"columns": table.columns, "notes": table.notes}
        if (left_out := table.numbers_left_out()) is not None:
            details["left_out"] = (left_out[table.rows.train[training.rows]], left_out[numbers])
    evaluation = gather(
        run,
        train=(training.x, training.y),
        evaluated=evaluated,
        part=name,
        train_rows=rows,
        parts={part: n for part, n in parts.items() if n},
        **details,
    )
    evaluation |= row_numbers(plan)
    if table is not None and (score := too_good(evaluation)) is not None:
        evaluation["too_good"] = look_at(score, _strongest(table, run.recipe.task))
    return evaluation


def row_numbers(plan: Plan) -> dict[str, Any]:
    """Return which rows of the data those are that training counts from 0, where these are others: of training rows,
    and of validation rows that the data came with. {} of very many.
    """
    data, training, table = plan.data, plan.training, plan.table
    numbers = {"training": training.rows if table is None else table.rows.train[training.rows]}
    if table is not None and data.validation is not None and len(table.rows.validation) == len(data.validation[0]):
        numbers["validation"] = table.rows.validation
    if all(np.array_equal(rows, np.arange(len(rows))) for rows in numbers.values()):
        return {}
    if sum(map(len, numbers.values())) > MOST_NUMBERED:
        return {}
    return {"row_numbers": {part: np.asarray(rows).tolist() for part, rows in numbers.items()}}


def _strongest(table: PreparedTable, task: str) -> list[tuple[str, float]]:
    """Return the columns that tell most of the target alone, where the table is in memory."""
    if table.features is None:
        return []
    kind = "regression" if task == "regression" else "classification"
    return strongest(table.features.iloc[table.rows.train], table.columns, table.data.y, kind)
