"""``chainrule evaluate``: how good a trained network is, as tables or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.cli.messages import print_result
from chainrule.cli.tell import Printer
from chainrule.evaluation import Evaluation
from chainrule.experiments.commands import evaluate_trained
from chainrule.experiments.find import find_model
from chainrule.experiments.usage import Situation, check_used
from chainrule.runs.folder import to_json


def evaluate(
    run: str, data: str, *, as_json: bool, data_dir: Path | None, target: str | None, **csv_options: Any
) -> None:
    """Evaluate the test part of the data (or all of it) and print what was found."""
    trained = find_model(run)
    check_used(Situation(data), {"target": target, "data_dir": data_dir, **csv_options})
    evaluation = evaluate_trained(trained, data, target=target, listener=Printer(), data_dir=data_dir, **csv_options)
    print_result(as_plain_json(run, data, evaluation) if as_json else evaluation.summary())


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
