"""What the report shows besides the run's own files, as plain values: ``evaluation.json``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import statistics, tree
from chainrule.errors import DataError
from chainrule.evaluation.baselines import Baseline, baseline_scores, fit_baselines
from chainrule.evaluation.calibration import calibration
from chainrule.evaluation.per_class import confusion_of, most_confused, per_class
from chainrule.evaluation.residuals import residuals
from chainrule.evaluation.rows import take
from chainrule.evaluation.worst import worst_rows
from chainrule.models import Model
from chainrule.models.predictions import Predictions, codes, prepare_pair
from chainrule.runs.files import EVALUATION_FORMAT
from chainrule.tables.describe import describe
from chainrule.training.run import Run

#: The confusion matrix is kept for so many classes at most; of more, the pairs that are most often confused.
MOST_CLASSES, MOST_PAIRS, MOST_ROWS_OF_CLASSES, MOST_COLUMNS = 20, 20, 1000, 500

#: The model is measured on so many of its training rows at most.
MOST_MEASURED = 10_000

#: A difference counts where chance makes it less often than this.
SIGNIFICANT = 1 - statistics.LEVEL


def gather(
    run: Run,
    *,
    train: tuple[Any, Any],
    evaluated: tuple[Any, Any],
    part: str = "test",
    train_rows: np.ndarray | None = None,
    parts: Mapping[str, int] | None = None,
    rows: Any = None,
    columns: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    numbers: np.ndarray | None = None,
    notes: Sequence[str] = (),
    left_out: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Evaluate a trained network, with baselines beside it.

    Parameters
    ----------
    run : the finished run
    train : (x, y) that it was trained on; the baselines are fitted on these rows and no others
    evaluated : (x, y) that it is evaluated on
    part : what these rows are: "test", "validation" (they have chosen the epoch) or "training" (say nothing new)
    train_rows : which rows of ``train`` were trained on; None for all of them
    parts : how many rows each part of the data has: {"training": 1_438, "validation": 160, "test": 199}
    rows : the evaluated rows as they were in the table (a pandas DataFrame), to show the worst of them
    columns : what was found in the table's columns and done with it (`chainrule.tables.columns.Column`)
    names : names for the columns of x, where there are no ``rows``
    numbers : the number of each evaluated row in the data
    notes : sentences to show below the findings
    left_out : of the rows of ``train`` and ``evaluated``, numbers (standardized, rows × columns) that the network does
        not get: the baselines do, so that a column that was wrongly left out shows

    Returns
    -------
    dict
        Plain values, for `write_evaluation`. Nothing of the data is kept but the worst rows.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.evaluation.gather import gather
    >>> iris = cr.data.load("iris")
    >>> run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=20, progress=False)
    >>> evaluation = gather(run, train=iris.train, evaluated=iris.train, part="training")
    >>> evaluation["judged_rows"], [rule["name"] for rule in evaluation["baselines"]]
    (150, ['always “setosa”', 'logistic regression'])
    """
    if part not in ("test", "validation", "training"):
        raise DataError(f'The evaluated part is "test", "validation" or "training", got {part!r}.')
    started = time.perf_counter()
    model, recipe, task = run.model, run.recipe, run.recipe.task
    x, y = train[0], model.encode(train[1])
    rows_of_training = np.arange(len(x)) if train_rows is None else np.asarray(train_rows)
    classes = class_names(model, task)
    more, more_evaluated = (None, None) if left_out is None else left_out
    baselines = fit_baselines(model, task, classes, x, y, rows_of_training, more)
    fitted = time.perf_counter()
    ready, target = prepare_pair(model, *evaluated)
    predictions = Predictions.of_prepared(model, ready, target, recipe.loss)
    others = baseline_scores(baselines, predictions, model, ready, more_evaluated)
    n = len(predictions)
    evaluation: dict[str, Any] = {
        "format": EVALUATION_FORMAT,
        "task": task,
        "part": part,
        "judged_rows": n,
        "parts": dict(parts or {"training": len(rows_of_training)} | ({part: n} if part != "training" else {})),
        "score": predictions.score_name,
        "training": {} if part == "training" else _on_training(run, x, y, rows_of_training),
        "metrics": predictions.scores,
        "loss_error": _standard_error(predictions.loss),
        "loss": loss_in_words(recipe.loss, model),
        "interval": _interval(predictions),
        "baselines": [_compared(rule, predictions, other) for rule, other in zip(baselines, others, strict=True)],
        "worst": worst_rows(predictions, evaluated[0], classes, frame=rows, columns=names, numbers=numbers),
        "columns": [column.to_dict() | {"what": describe(column)} for column in (columns or ())[:MOST_COLUMNS]],
        "columns_in_all": len(columns) if columns else 0,
        "network": network(model),
        "engine": run.engine,
        "best_epoch": run.best_epoch,
        "stopped": run.stopped,
        "notes": list(notes),
    }
    if task == "regression":
        evaluation |= {"outputs": residuals(predictions), "outputs_in_all": predictions.true.shape[1]}
    else:
        evaluation |= _of_classes(predictions, classes, y, rows_of_training)
    evaluation["timings"] = {"baselines": fitted - started, "judging": time.perf_counter() - fitted}
    return evaluation


def _on_training(run: Run, x: Any, y: np.ndarray, rows: np.ndarray) -> dict[str, float | None]:
    """Return the saved model's own figures on its training rows (some of many): those of an epoch are means while it
    moved.
    """
    if len(rows) > MOST_MEASURED:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_MEASURED).astype(np.intp)]
    ready = run.model.prepare(take(x, rows))
    predictions = Predictions.of_prepared(run.model, ready, y[rows], run.recipe.loss)
    return {"rows": len(rows), "loss_error": _standard_error(predictions.loss)} | predictions.scores


def _standard_error(costs: np.ndarray) -> float | None:
    """Return the standard error of the mean of the costs of some rows, std / √n; None for a single one."""
    return float(np.std(costs, ddof=1, dtype=np.float64) / np.sqrt(len(costs))) if len(costs) > 1 else None


def loss_in_words(loss: Any, model: Model) -> dict[str, str]:
    """Return the name of a loss and the unit of its values.

    >>> import chainrule as cr
    >>> model = cr.Model(cr.Dense(3, "softmax"), 4)
    >>> loss_in_words(cr.losses.get("cross_entropy"), model), loss_in_words(cr.losses.get("huber"), model)
    ({'name': 'cross-entropy', 'unit': 'nats'}, {'name': 'huber', 'unit': ''})
    """
    name = loss.name.replace("_", " ").replace("cross entropy", "cross-entropy")
    unit = "nats" if "entropy" in name else "of the standardized target" if set(model.target.std) - {1.0} else ""
    return {"name": name, "unit": unit}


def class_names(model: Model, task: str) -> list[str]:
    """Return the classes (or labels) as text."""
    if task == "regression":
        return []
    count = max(2, model.output_shape[-1]) if task != "multilabel" else model.output_shape[-1]
    return [str(label) for label in model.target.classes or range(count)]


def network(model: Model) -> dict[str, Any]:
    """Return the layers with their output shapes and numbers of parameters."""
    layers = [
        {"name": name, "recipe": recipe, "shape": list(shape), "parameters": size}
        for name, recipe, shape, size in model.layers()
    ]
    values = [np.asarray(leaf) for leaf in tree.leaves(model.params)]
    return {
        "input": list(model.input_shape),
        "layers": layers,
        "parameters": model.count(),
        "precision": model.precision,
        "finite": bool(all(np.isfinite(v).all() for v in values)),
    }


def _interval(predictions: Predictions) -> dict[str, Any] | None:
    if predictions.correct is not None:
        low, high = statistics.wilson(int(predictions.correct.sum()), len(predictions))
        return {"low": low, "high": high, "method": "Wilson"}
    bounds = statistics.mean_interval(predictions.score)
    return None if bounds is None else {"low": bounds[0], "high": bounds[1], "method": "Student's t"}


def _compared(rule: Baseline, predictions: Predictions, other: np.ndarray) -> dict[str, Any]:
    """Return a baseline's mean score, and whether the network differs from it by more than chance would."""
    plain = {"name": rule.name, "about": rule.about, "rows": rule.rows, "seconds": rule.seconds, "note": rule.note}
    plain |= {"value": float(other.mean())}
    if predictions.correct is not None:
        ours, theirs = int((predictions.correct & ~other).sum()), int((~predictions.correct & other).sum())
        p = statistics.mcnemar(ours, theirs)
        better = None if p >= SIGNIFICANT else ours > theirs
        return plain | {"better": better, "test": {"method": "McNemar", "ours": ours, "theirs": theirs, "p": p}}
    bounds = statistics.mean_interval(predictions.score - other)
    better = None if bounds is None or bounds[0] <= 0 <= bounds[1] else bounds[1] < 0
    test = {"method": "paired t", "low": bounds[0], "high": bounds[1]} if bounds else {"method": "paired t"}
    return plain | {"better": better, "test": test}


def _of_classes(
    predictions: Predictions, classes: list[str], y: np.ndarray, rows_of_training: np.ndarray
) -> dict[str, Any]:
    k, trained_on = len(classes), y[rows_of_training]
    confusion = confusion_of(predictions)
    trained = (trained_on > 0.5).sum(axis=0) if confusion is None else np.bincount(codes(trained_on), minlength=k)
    rows: list[dict[str, Any]] = [
        {"class": name, **row, "training": int(n)}
        for name, row, n in zip(classes, per_class(predictions), trained, strict=True)
    ]
    kept_rows = sorted(rows, key=lambda row: row["f1"])[:MOST_ROWS_OF_CLASSES] if k > MOST_ROWS_OF_CLASSES else rows
    with_rows = [row["f1"] for row in rows if row["support"]]
    return {
        "classes": k,
        "class_names": classes if k <= MOST_CLASSES else [],
        "per_class": kept_rows,
        "mean_f1": float(np.mean(with_rows)) if with_rows else 0.0,
        "confusion": confusion.tolist() if confusion is not None and k <= MOST_CLASSES else None,
        "confused": [] if confusion is None else most_confused(confusion, classes, MOST_PAIRS),
        "calibration": calibration(predictions, classes),
    }
