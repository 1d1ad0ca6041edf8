"""``chainrule evaluate``: how good a trained network is, as tables or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.cli.messages import say, show, table
from chainrule.display.numbers import percent
from chainrule.evaluation.per_class import Evaluation
from chainrule.evaluation.per_class import evaluate as evaluate_model
from chainrule.experiments.data import judged, judged_table, load_data
from chainrule.experiments.find import find_model
from chainrule.experiments.plan import find_loss
from chainrule.experiments.usage import Situation, check_used
from chainrule.metrics import format_value
from chainrule.runs.folder import to_json
from chainrule.tables.read import is_table

#: Confusion is shown for so many classes at most.
MOST_CLASSES = 20


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
    show(as_plain_json(run, data, evaluation) if as_json else as_text(evaluation))


def as_text(found: Evaluation) -> str:
    """Return the metrics, a table of the classes, and the confusion where it can be shown."""
    lines = [[name, format_value(name, value)] for name, value in found.metrics.items()]
    blocks = [table([*lines, ["rows", f"{found.samples:,}"]])]
    if found.per_class:
        rows = [["class", "precision", "recall", "F1", "rows"]]
        for row in found.per_class:
            scores = [percent(row[name]) for name in ("precision", "recall", "f1")]
            rows.append([str(row["class"]), *scores, f"{row['support']:,.0f}"])
        blocks.append(table(rows))
    if found.confusion is not None and found.classes is not None and len(found.classes) <= MOST_CLASSES:
        names = [str(label) for label in found.classes]
        rows = [["true \\ predicted", *names]]
        rows += [[name, *map(str, counts)] for name, counts in zip(names, found.confusion.tolist(), strict=True)]
        blocks.append(table(rows))
    return "\n\n".join(blocks)


def as_plain_json(run: str, data: str, found: Evaluation) -> str:
    """Return all of it as one JSON object."""
    return to_json(
        {
            "run": run,
            "data": data,
            "rows": found.samples,
            **found.metrics,
            "classes": found.per_class,
            "confusion": None if found.confusion is None else found.confusion.tolist(),
        },
        indent=2,
        ensure_ascii=False,
    )
