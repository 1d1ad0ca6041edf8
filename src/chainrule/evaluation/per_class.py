"""How good a trained model is on data it has not seen: overall, class by class, and what it takes for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.training.run import measured
from chainrule.training.run_data import admitted_pair
from chainrule.training.state import recipe_of


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    samples : rows of the data
    metrics : {"loss": mean cost, "accuracy": share of right answers}; for regression "mae", "rmse" and "r2"
    per_class : for each class {"class", "precision", "recall", "f1", "support"}; [] for regression
    confusion : counts, [true class, predicted class]; None for regression and for many labels at once
    classes : the classes in the order of ``confusion``
    """

    samples: int
    metrics: dict[str, float]
    per_class: list[dict[str, Any]]
    confusion: np.ndarray | None
    classes: tuple[Any, ...] | None


def evaluate(model: Model, x: Any, y: Any, loss: str | Loss = "auto") -> Evaluation:
    """Judge a model on data.

    Parameters
    ----------
    model : a trained model
    x, y : features and targets, as in training
    loss : a name or an object; "auto" is the loss that fits the output

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.evaluation.per_class import evaluate
    >>> iris = cr.data.load("iris")
    >>> run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=20, progress=False)
    >>> found = evaluate(run.model, iris.x, iris.y)
    >>> found.samples, [int(row["support"]) for row in found.per_class], found.confusion.shape
    (150, [50, 50, 50], (3, 3))
    """
    ready, target = admitted_pair(model, x, y)
    metrics = measured(model, recipe_of(model, loss), ready, target)
    outputs = model.outputs(ready)
    n, task = len(outputs), model.target.task
    if task == "regression":
        return Evaluation(n, metrics | _of_numbers(target, outputs), [], None, None)
    if task == "multilabel":
        predicted, classes = (outputs > model.threshold).astype(int), tuple(range(outputs.shape[1]))
        return Evaluation(n, metrics, _per_class(target.astype(int), predicted, classes), None, classes)
    classes = model.target.classes or tuple(range(max(2, outputs.shape[1])))
    if task == "binary":
        true, predicted = target.ravel().astype(int), (outputs.ravel() > model.threshold).astype(int)
    else:
        true, predicted = target if target.ndim == 1 else target.argmax(axis=1), outputs.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (true, predicted), 1)
    return Evaluation(n, metrics, _per_class(true, predicted, classes), confusion, classes)


def _per_class(true: np.ndarray, predicted: np.ndarray, classes: tuple[Any, ...]) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        true, predicted, labels=list(range(len(classes))), average=None, zero_division=0.0
    )
    names = ("precision", "recall", "f1", "support")
    return [
        {"class": label} | {name: float(v) for name, v in zip(names, row, strict=True)}
        for label, *row in zip(classes, *columns, strict=True)
    ]


def _of_numbers(target: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import r2_score

    rmse = float(np.sqrt(np.mean(np.square(outputs - target, dtype=np.float64))))
    return {"rmse": rmse} | ({"r2": float(r2_score(target, outputs))} if len(target) > 1 else {})
