"""The record of a run: one line per epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chainrule import metrics
from chainrule.checks import check_name
from chainrule.draw.axes import Axis
from chainrule.draw.figure import Figure
from chainrule.draw.line import Mark, Series, line
from chainrule.draw.notebook import cell


class History:
    """What was measured after every epoch: ``history["val_accuracy"]`` is a list with one value per epoch.

    Columns: ``epoch`` (from 1), ``loss`` and ``accuracy`` (``mae``, the mean absolute error, for regression) on the
    training data, ``val_loss`` and ``val_accuracy`` on the validation data if there is any, ``lr`` (of the last
    step), ``seconds``. The loss is the mean cost without the L1 and L2 terms. Training values are averages over
    the epoch's batches as they were trained on, so with dropout they are measured with dropout.

    >>> import chainrule as cr
    >>> history = cr.History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"], len(history), history.best_epoch("loss")
    ([0.5, 0.25], 2, 2)
    """

    def __init__(
        self, records: list[dict[str, float]] | None = None, steps: dict[str, list[float]] | None = None
    ) -> None:
        self.records = list(records or [])
        #: The metrics of every step, by name, where `fit` was asked to ``record_steps``.
        self.steps: dict[str, list[float]] = {name: list(values) for name, values in (steps or {}).items()}

    def __getitem__(self, column: str) -> list[float]:
        check_name("history column", column, self.columns)
        return [record[column] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.records)

    def __repr__(self) -> str:
        return f"History({len(self)} epochs: {', '.join(self.columns)})"

    def add_steps(self, records: list[dict[str, float]]) -> None:
        """Add the metrics of some steps."""
        for record in records:
            for name, value in record.items():
                self.steps.setdefault(name, []).append(value)

    @property
    def columns(self) -> list[str]:
        """The names of what was measured."""
        return list(self.records[0]) if self.records else []

    def best_epoch(self, column: str = "val_loss") -> int:
        """Return the epoch (from 1) with the best value: the smallest loss or mae, the largest accuracy.

        The model may have the weights of another: see `Run.best_epoch` and `Run.metrics`.
        """
        at = metrics.find(column).best(self[column])
        return int(self.records[at or 0]["epoch"])

    def at(self, epoch: int | None) -> dict[str, float]:
        """Return what was measured after an epoch (from 1), without ``lr`` and ``seconds``; {} for None.

        >>> import chainrule as cr
        >>> cr.History([{"epoch": 1, "loss": 0.5, "lr": 0.1}]).at(1)
        {'loss': 0.5}
        """
        record = {} if epoch is None else self.records[epoch - 1]
        return {name: value for name, value in record.items() if name not in ("epoch", "lr", "seconds")}

    def figures(self, marked: int | None = None) -> list[Figure]:
        """Return the curves of the loss and of the score over the epochs; ``marked`` is an epoch to mark, that of
        the weights that the model has.

        Training values are means over an epoch, so they stand in its middle.

        >>> import chainrule as cr
        >>> run = cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, progress=False)
        >>> [figure.name for figure in run.history.figures()]
        ['loss', 'accuracy']
        """
        if not self.records:
            return []
        last = len(self)
        marks = [] if marked is None or last == 1 else [Mark(float(marked), f"kept: epoch {marked}")]
        drawn = []
        for name in (column for column in self.columns if column in metrics.METRICS or column == "loss"):
            series = [Series("training", [epoch + 0.5 for epoch in range(last)], self[name])]
            if f"val_{name}" in self.columns:
                series.append(Series("validation", range(1, last + 1), self[f"val_{name}"]))
            x = Axis("epoch", whole=True, low=0.0, high=float(last))
            y = Axis("", log=None) if name == "loss" else Axis("", percent=metrics.is_fraction(name))
            drawn.append(line(name, metrics.label_of(name).capitalize(), series, x, y, marks=marks))
        return drawn

    def _repr_html_(self) -> str:
        """Return the curves for a notebook."""
        return cell(*self.figures()) if self.records else cell(repr(self))

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame with one row per epoch."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("History.to_pandas needs pandas: pip install 'chainrule[all]'") from None
        return pd.DataFrame(self.records)
