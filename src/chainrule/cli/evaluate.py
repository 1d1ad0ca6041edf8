"""``chainrule evaluate``: how good a trained network is, as tables or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.cli.messages import say, show
from chainrule.evaluation import Evaluation
from chainrule.evaluation import evaluate as evaluate_model
from chainrule.experiments.data import judged, judged_table, load_data
from chainrule.experiments.find import find_model
from chainrule.experiments.plan import find_loss
from chainrule.experiments.usage import Situation, check_used
from chainrule.runs.folder import to_json
from chainrule.tables.read import is_table


def evaluate(run: str, data: str, *, as_json: bool, data_dir: Path | None, target: str | None, **spelling: Any) -> None:
    """Evaluate the test part of the data (or all of it) and print what was found."""
    trained = find_model(run)
    check_used(Situation(data), {"target": target, "data_dir": data_dir, **spelling})
    loss: Any = find_loss(trained.settings) if trained.settings is not None and trained.settings.loss else "auto"
    if is_table(data):
        part, _ = judged_table(data, trained, target, **spelling)
    else:
        part = judged(load_data(data, data_dir, model=trained.model), data, trained)
    say(f"{data}: {len(part.x):,} rows, {part.text}")
    evaluation = evaluate_model(trained.model, part.x, part.y, loss)
    show(as_plain_json(run, data, evaluation) if as_json else evaluation.summary())


def as_plain_json(run: str, data: str, evaluation: Evaluation) -> str:
    """Return all of it as one JSON object."""
    return to_json(
        {
            "run": run,
            "data": data,
            "rows": evaluation.samples,
            **evaluation.metrics,
            "classes": evaluation.per_class,
            "confusion": None if evaluation.confusion is None else evaluation.confusion.tolist(),
        },
        indent=2,
        ensure_ascii=False,
    )
