"""What the report shows besides the run's own files, as plain values: ``evaluation.json``."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import statistics, tree
from chainrule.errors import DataError
from chainrule.evaluation.baselines import Baseline, codes, fit_baselines
from chainrule.evaluation.predictions import BINS, Predictions, judge
from chainrule.evaluation.rows import opened, take
from chainrule.evaluation.worst import worst_rows
from chainrule.metrics import metric_of
from chainrule.runs.files import EVALUATION_FORMAT
from chainrule.runs.folder import finite
from chainrule.tables.describe import describe
from chainrule.training.run import Run, measured

#: The confusion matrix is kept for so many classes at most; of more, the pairs that are most often confused.
MOST_CLASSES, MOST_PAIRS, MOST_ROWS_OF_CLASSES, MOST_COLUMNS = 20, 20, 1000, 500

#: The model is measured on so many of its training rows at most.
MOST_MEASURED = 10_000

#: Points of predicted against true numbers, bins of the errors, and outputs that are drawn.
POINTS, ERROR_BINS, MOST_OUTPUTS = 2000, 40, 6

#: A difference counts where chance makes it less often than this.
SIGNIFICANT = 1 - statistics.LEVEL


def gather(
    run: Run,
    *,
    train: tuple[Any, Any],
    judged: tuple[Any, Any],
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
    """Judge a trained network, with baselines beside it.

    Parameters
    ----------
    run : the finished run
    train : (x, y) that it was trained on; the baselines are fitted on these rows and no others
    judged : (x, y) that it is judged on
    part : what the judged rows are: "test", "validation" (they have chosen the epoch) or "training" (say nothing new)
    train_rows : which rows of ``train`` were trained on; None for all of them
    parts : how many rows each part of the data has: {"training": 1_438, "validation": 160, "test": 199}
    rows : the judged rows as they were in the table (a pandas DataFrame), to show the worst of them
    columns : what was found in the table's columns and done with it (`chainrule.tables.Column`)
    names : names for the columns of x, where there are no ``rows``
    numbers : the number of each judged row in the data
    notes : sentences to show below the verdict
    left_out : of the rows of ``train`` and ``judged``, numbers (standardized, rows × columns) that the network does not
        get: the baselines do, so that a column that was wrongly left out shows

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
    >>> facts = gather(run, train=iris.train, judged=iris.train, part="training")
    >>> facts["judged_rows"], [rule["name"] for rule in facts["baselines"]]
    (150, ['always “setosa”', 'logistic regression'])
    """
    if part not in ("test", "validation", "training"):
        raise DataError(f'The judged part is "test", "validation" or "training", got {part!r}.')
    started = time.perf_counter()
    model, recipe, task = run.model, run.recipe, run.recipe.task
    x, y = opened(train[0]), model.encode(train[1])
    rows_of_training = np.arange(len(x)) if train_rows is None else np.asarray(train_rows)
    classes = class_names(model, task)
    more, more_judged = (None, None) if left_out is None else left_out
    baselines = fit_baselines(model, task, classes, x, y, rows_of_training, more)
    fitted = time.perf_counter()
    found = judge(model, recipe, *judged, baselines, more_judged)
    n = len(found.cost)
    score = metric_of(task).name
    facts: dict[str, Any] = {
        "format": EVALUATION_FORMAT,
        "task": task,
        "part": part,
        "judged_rows": n,
        "parts": dict(parts or {"training": len(rows_of_training)} | ({part: n} if part != "training" else {})),
        "score": score,
        "training": {} if part == "training" else _on_training(run, x, y, rows_of_training),
        "metrics": {"loss": float(found.cost.mean()), score: float(found.score.mean())},
        "interval": _interval(found),
        "baselines": [_compared(rule, found, i) for i, rule in enumerate(baselines)],
        "worst": worst_rows(found, judged[0], classes, frame=rows, columns=names, numbers=numbers),
        "columns": [column.to_dict() | {"what": describe(column)} for column in (columns or ())[:MOST_COLUMNS]],
        "columns_in_all": len(columns) if columns else 0,
        "network": network(model),
        "engine": run.engine,
        "best_epoch": run.best_epoch,
        "stopped": run.stopped,
        "notes": list(notes),
    }
    if task == "regression":
        facts |= _of_numbers(found)
    else:
        facts |= _of_classes(found, classes, y, rows_of_training, task)
    facts["timings"] = {"baselines": fitted - started, "judging": time.perf_counter() - fitted}
    return facts


def _on_training(run: Run, x: Any, y: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """Return the saved model's own figures on its training rows (some of many): those of an epoch are means while it
    moved.
    """
    if len(rows) > MOST_MEASURED:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_MEASURED).astype(np.intp)]
    with np.errstate(all="ignore"):  # a diverged network's outputs may be anything
        return {"rows": len(rows)} | measured(run.model, run.recipe, run.model.prepare(take(x, rows)), y[rows])


def class_names(model: Any, task: str) -> list[str]:
    """Return the classes (or labels) as text."""
    if task == "regression":
        return []
    count = max(2, model.output_shape[-1]) if task != "multilabel" else model.output_shape[-1]
    return [str(label) for label in model.target.classes or range(count)]


def network(model: Any) -> dict[str, Any]:
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


def _interval(found: Predictions) -> dict[str, Any] | None:
    if found.right is not None:
        low, high = statistics.wilson(int(found.right.sum()), len(found.right))
        return {"low": low, "high": high, "method": "Wilson"}
    bounds = statistics.mean_interval(found.score)
    return None if bounds is None else {"low": bounds[0], "high": bounds[1], "method": "Student's t"}


def _compared(rule: Baseline, found: Predictions, i: int) -> dict[str, Any]:
    """Return a baseline's score on the judged rows, and whether the network differs from it by more than chance
    would.
    """
    plain = {"name": rule.name, "about": rule.about, "rows": rule.rows, "seconds": rule.seconds, "note": rule.note}
    other = found.baselines[i]
    plain |= {"value": float(other.mean())}
    if found.right is not None:
        ours, theirs = int((found.right & ~other).sum()), int((~found.right & other).sum())
        p = statistics.mcnemar(ours, theirs)
        better = None if p >= SIGNIFICANT else ours > theirs
        return plain | {"better": better, "test": {"method": "McNemar", "ours": ours, "theirs": theirs, "p": p}}
    bounds = statistics.mean_interval(found.score - other)
    better = None if bounds is None or bounds[0] <= 0 <= bounds[1] else bounds[1] < 0
    test = {"method": "paired t", "low": bounds[0], "high": bounds[1]} if bounds else {"method": "paired t"}
    return plain | {"better": better, "test": test}


def _of_classes(
    found: Predictions, classes: list[str], y: np.ndarray, rows_of_training: np.ndarray, task: str
) -> dict[str, Any]:
    k = len(classes)
    if task == "multilabel":
        true, said = found.true.astype(bool), found.said.astype(bool)
        hits, support, answers = (true & said).sum(0), true.sum(0), said.sum(0)
        trained = (y[rows_of_training] > 0.5).sum(axis=0)
        confusion = None
    else:
        confusion = np.bincount(found.true * k + found.said, minlength=k * k).reshape(k, k)
        hits, support, answers = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
        trained = np.bincount(codes(y)[rows_of_training], minlength=k)
    precision, recall = _share(hits, answers), _share(hits, support)
    f1 = _share(2 * hits, support + answers)
    per_class: list[dict[str, Any]] = [
        {
            "class": classes[i],
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
            "training": int(trained[i]),
        }
        for i in range(k)
    ]
    kept = (
        sorted(per_class, key=lambda row: row["f1"])[:MOST_ROWS_OF_CLASSES] if k > MOST_ROWS_OF_CLASSES else per_class
    )
    with_rows = support > 0
    return {
        "classes": k,
        "class_names": classes if k <= MOST_CLASSES else [],
        "per_class": kept,
        "mean_f1": float(f1[with_rows].mean()) if with_rows.any() else 0.0,
        "confusion": confusion.tolist() if confusion is not None and k <= MOST_CLASSES else None,
        "confused": [] if confusion is None else _most_confused(confusion, classes),
        "calibration": _calibration(found, task, classes),
    }


def _share(count: np.ndarray, of: np.ndarray) -> np.ndarray:
    """count / of, and 0 where there is nothing."""
    return np.divide(count, of, out=np.zeros(len(count)), where=of > 0)


def _most_confused(confusion: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [divmod(int(i), len(classes)) for i in order]
    return [
        {"true": classes[a], "said": classes[b], "rows": int(wrong[a, b]), "of": int(confusion[a].sum())}
        for a, b in pairs
        if wrong[a, b]
    ]


def _calibration(found: Predictions, task: str, classes: list[str]) -> dict[str, Any] | None:
    """Reliability: in each bin of the probability, how often it came true; and the expected calibration error.

    ECE = Σ (rows in the bin / all rows) · |mean probability − share that came true| (Guo et al., 2017).
    """
    if found.bins is None or not found.bins[0].sum():
        return None
    rows, sure, right = found.bins
    used = rows > 0
    about = {
        "classification": "the probability of the class that was said",
        "binary": f"the probability of “{classes[1]}”",
        "multilabel": "the probabilities of all labels",
    }[task]
    return {
        "about": about,
        "ece": float(np.abs(sure - right).sum() / rows.sum()),
        "mean_probability": float(sure.sum() / rows.sum()),
        "share": float(right.sum() / rows.sum()),
        "bins": [
            {
                "low": i / BINS,
                "high": (i + 1) / BINS,
                "rows": int(rows[i]),
                "probability": float(sure[i] / rows[i]),
                "share": float(right[i] / rows[i]),
                "interval": list(statistics.wilson(int(right[i]), int(rows[i]))),
            }
            for i in np.flatnonzero(used)
        ],
    }


def _of_numbers(found: Predictions) -> dict[str, Any]:
    """Errors (predicted − true) of each output: their size, their spread, and some points to draw."""
    true, said = np.asarray(found.true, np.float64), np.asarray(found.said, np.float64)
    n, k = true.shape
    sample = np.sort(np.random.default_rng(0).choice(n, min(n, POINTS), replace=False))
    outputs = []
    for j in range(min(k, MOST_OUTPUTS)):
        with np.errstate(all="ignore"):
            error = said[:, j] - true[:, j]
            square = float(np.mean(error**2))
            variance = float(np.mean((true[:, j] - true[:, j].mean()) ** 2))
        fine = error[np.isfinite(error)]
        counts, edges = np.histogram(fine, min(ERROR_BINS, max(5, math.isqrt(n)))) if len(fine) else ([], [])
        outputs.append(
            {
                "mae": float(np.mean(np.abs(error))),
                "rmse": math.sqrt(square) if math.isfinite(square) else square,
                "r2": 1 - square / variance if variance > 0 and n > 1 else None,
                "bias": float(error.mean()),
                "quantiles": {
                    f"{100 * q:g}": float(np.quantile(fine, q)) if len(fine) else None
                    for q in (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
                },
                "errors": {"counts": finite(np.asarray(counts)), "edges": finite(np.asarray(edges))},
                "points": [
                    [float(f"{t:.6g}"), float(f"{s:.6g}")]
                    for t, s in zip(true[sample, j], said[sample, j], strict=True)
                ],
            }
        )
    return {"outputs": outputs, "outputs_in_all": k}
