"""How good a trained model is on data it has not seen: overall, class by class, and what it takes for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display.numbers import percent
from chainrule.display.text import Text
from chainrule.display.text_table import text_table
from chainrule.evaluation.per_class import confusion_of, per_class
from chainrule.losses import Loss
from chainrule.metrics import format_value
from chainrule.models import Model
from chainrule.models.predictions import Predictions

#: The confusion matrix is printed for so many classes at most.
MOST_CLASSES = 20


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured; ``print`` it.

    Attributes
    ----------
    metrics : {"loss": mean cost, "accuracy": fraction of correct rows}; for regression "mae", "rmse" and "r2"
    per_class : for each class {"class", "precision", "recall", "f1", "support"}; [] for regression
    confusion : counts, [true class, predicted class]; None for regression and for many labels at once
    classes : the classes in the order of ``confusion``
    predictions : what the model predicts, row by row
    """

    metrics: dict[str, float]
    per_class: list[dict[str, Any]]
    confusion: np.ndarray | None
    classes: tuple[Any, ...] | None
    predictions: Predictions

    @property
    def samples(self) -> int:
        """How many rows the data has."""
        return len(self.predictions)

    def summary(self) -> Text:
        """Return the metrics, a table of the classes, and the confusion matrix where it can be shown, to print.

        >>> import chainrule as cr
        >>> iris = cr.data.load("iris")
        >>> model = cr.fit(cr.Dense(3, "softmax"), iris, epochs=20, progress=False).model
        >>> "virginica" in cr.evaluation.evaluate(model, iris.x, iris.y).summary()
        True
        """
        return Text(self)

    def __str__(self) -> str:
        lines = [[name, format_value(name, value)] for name, value in self.metrics.items()]
        blocks = [text_table([*lines, ["rows", f"{self.samples:,}"]])]
        if self.per_class:
            rows = [["class", "precision", "recall", "F1", "rows"]]
            for row in self.per_class:
                scores = [percent(row[name]) for name in ("precision", "recall", "f1")]
                rows.append([str(row["class"]), *scores, f"{row['support']:,}"])
            blocks.append(text_table(rows))
        if self.confusion is not None and self.classes is not None and len(self.classes) <= MOST_CLASSES:
            names = [str(label) for label in self.classes]
            rows = [["true \\ predicted", *names]]
            rows += [[name, *map(str, counts)] for name, counts in zip(names, self.confusion.tolist(), strict=True)]
            blocks.append(text_table(rows))
        return "\n\n".join(blocks)

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"Evaluation({self.samples:,} rows, {figures})"


def evaluate(model: Model, x: Any, y: Any = None, loss: str | Loss = "auto") -> Evaluation:
    """Measure a model on data: its metrics, precision, recall and F1 of each class, and the confusion matrix.

    Parameters
    ----------
    model : a trained model
    x, y : samples and targets, as in training; or a `Table` or `Stream` that has its targets
    loss : a name or an object; "auto" is the loss that fits the output

    Example
    -------
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=20, progress=False)
    >>> evaluation = cr.evaluation.evaluate(run.model, iris.x, iris.y)
    >>> evaluation.samples, [row["support"] for row in evaluation.per_class], evaluation.confusion.shape
    (150, [50, 50, 50], (3, 3))
    >>> evaluation.metrics == run.evaluate(iris.x, iris.y)
    True
    """
    predictions = Predictions(model, x, y, loss)
    if predictions.task == "regression":
        return Evaluation(predictions.metrics, [], None, None, predictions)
    classes = predictions.classes or tuple(range(predictions.count))
    rows = [{"class": label, **row} for label, row in zip(classes, per_class(predictions), strict=True)]
    return Evaluation(predictions.metrics, rows, confusion_of(predictions), classes, predictions)
