"""What a model makes of data whose targets are known, row by row: every judgement of a model is a function of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from chainrule import losses
from chainrule.data import Dataset, Stream
from chainrule.data.check import check_lengths
from chainrule.data.rows import Rows
from chainrule.errors import DataError
from chainrule.metrics import metric_of
from chainrule.tables.table import Table
from chainrule.tables.target import TargetColumn, as_array, has_target

Array = Any

#: Numbers that are worked on at once.
BLOCK = 2**22

#: Bins of the probabilities, equally wide.
BINS = 10


class _Block(NamedTuple):
    """What `Predictions` has of some rows."""

    loss: Array
    true: Array
    predicted: Array
    confidence: Array
    score: Array


class Predictions:
    """What a model predicts for rows whose targets are known, and what that costs.

    Computed once, in blocks, so x may be larger than memory.

    Parameters
    ----------
    model : a trained `Model`
    x, y : samples and targets, as `Model.predict` and training take them; or a `Table` or `Stream` that has its targets
    loss : a name or an object; "auto" is the loss that fits the outputs

    Attributes
    ----------
    task : "classification", "binary", "multilabel" or "regression"
    classes : the labels that the codes stand for; None for numbers and where a model knows no labels
    count : the number of classes or labels; of outputs for regression
    true, predicted : codes of the classes (n,); 0 or 1 for each of several labels; numbers (n, outputs) for regression
    confidence : the probability of what is predicted (n,), of several labels the lowest; None where outputs are no
        probabilities
    loss : the cost of each row (n,)
    correct : whether a row is predicted correctly (n,), with all of its labels; None for regression
    error : the mean absolute error of each row (n,), in the target's unit; None for classes
    bins : of the probabilities (of the predicted class; of the second of two classes; of all labels), in ten equal
        bins: (rows, sum of probabilities, sum of outcomes) (3, 10); None where outputs are no probabilities

    Example
    -------
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=20, progress=False)
    >>> predictions = cr.evaluation.Predictions(run.model, iris.x, iris.y)
    >>> len(predictions), bool(predictions.metrics["accuracy"] == predictions.correct.mean())
    (150, True)
    >>> unsure = predictions.confidence.argsort()[:3]  # the rows to look at first
    """

    def __init__(
        self, model: Any, x: Any, y: Any = None, loss: Any = "auto", *, engine: str = "auto", batch_size: Any = None
    ) -> None:
        ready, target = prepare_pair(model, x, y)
        self._compute(model, _passes(model, ready, target, loss, engine, batch_size))

    @classmethod
    def of_prepared(cls, model: Any, ready: Any, target: Array, loss: Any = "auto") -> Predictions:
        """Return the predictions for inputs of `Model.prepare` and targets of `Model.encode`."""
        self = cls.__new__(cls)
        self._compute(model, _passes(model, ready, target, loss))
        return self

    @classmethod
    def of_outputs(cls, model: Any, outputs: Array, target: Array, loss: Any = "auto") -> Predictions:
        """Return the predictions that outputs mean, whosever they are; targets are those of `Model.encode`."""
        self, (_, function, _) = cls.__new__(cls), model.pair(loss)

        def cost(a: Array, y: Array) -> Array:
            return function(np.asarray(model.target.scale(a), model.precision), y)

        self._compute(model, [(outputs, target, cost(outputs, _scaled(model, target)))])
        return self

    def _compute(self, model: Any, passes: Any) -> None:
        self.task = model.target.task
        self.classes, self.count = model.target.classes, model.output_shape[-1]
        if self.task == "binary":
            self.count = 2
        low, high = model.last_activation.range
        probable = self.task != "regression" and low >= 0 and high <= 1
        bins, blocks = np.zeros((3, BINS)), []
        for outputs, target, cost in passes:
            block, probability, outcome = _block(self.task, model.threshold, outputs, target, cost)
            blocks.append(block)
            if probable:
                bins += _binned(probability, outcome)
        joined = _Block(*(np.concatenate(column) for column in zip(*blocks, strict=True)))
        self.loss, self.true, self.predicted = joined.loss, joined.true, joined.predicted
        self.confidence = joined.confidence if probable else None
        self.correct = None if self.task == "regression" else joined.score
        self.error = joined.score if self.task == "regression" else None
        self.bins = bins if probable else None

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        return f"Predictions({len(self):,} rows, {self.task})"

    @property
    def score_name(self) -> str:
        """ "accuracy", or "mae" for regression."""
        return metric_of(self.task).name

    @property
    def score(self) -> np.ndarray:
        """1 for a correct row and 0 for a wrong one; for regression the absolute error."""
        score = self.error if self.correct is None else self.correct
        assert score is not None
        return score

    @property
    def scores(self) -> dict[str, float]:
        """The mean cost and the mean score, under the names that they have in a `History`."""
        return {"loss": float(self.loss.mean()), self.score_name: float(self.score.mean())}

    @property
    def metrics(self) -> dict[str, float]:
        """`scores`, and for regression also the root of the mean squared error and R².

        rmse = √mean((ŷ − y)²); r2 = 1 − Σ(ŷ − y)² / Σ(y − ȳ)², the mean over the outputs, for two rows or more.
        """
        if self.task != "regression":
            return self.scores
        with np.errstate(all="ignore"):  # a diverged network's outputs may be anything
            true = np.asarray(self.true, np.float64)
            squares = np.square(self.predicted - true)
            residual, total = squares.sum(axis=0), np.square(true - true.mean(axis=0)).sum(axis=0)
            r2 = np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), np.where(residual > 0, 0.0, 1.0))
            more = {"rmse": float(np.sqrt(squares.mean()))}
        return self.scores | more | ({"r2": float(r2.mean())} if len(self) > 1 else {})


def prepare_pair(model: Any, x: Any, y: Any = None) -> tuple[Any, np.ndarray]:
    """Return network inputs and encoded targets of x and y, a `Table`, or a `Stream` with its targets."""
    if isinstance(x, Table) and y is None:
        x, y = labelled(model, x)
    if isinstance(x, Stream) and y is None:
        if x.y is None:
            raise DataError("The stream has no targets: give them too, as in cr.data.stream('x.npy', y).")
        y = x.y
    if isinstance(x, Dataset):
        raise DataError("Which part of the data? Give one: evaluate(*data.test), or evaluate(*data.train).")
    ready, target = model.prepare(x), model.encode(y)
    check_lengths(ready, target)
    return ready, target


def target_of(model: Any, name: str) -> TargetColumn:
    """Return how the target column of a table is read for a trained model, as its own was."""
    column = None if model.preparation is None else model.preparation.target
    return column or TargetColumn.of_classes(name, model.target.classes)


def labelled(model: Any, table: Table) -> tuple[Any, np.ndarray]:
    """Return the columns and the targets of the rows that have one, read as the model's own were."""
    column = target_of(model, table.target)
    frame, cells = table.pair()
    values = column.read(cells)
    column.check(values)
    present = has_target(values)
    return frame[present], as_array(values[present].tolist())


def stretches(ready: Any, values: int) -> Iterator[tuple[slice, Array]]:
    """Split prepared inputs into blocks of rows, for rows that need so many numbers each; `Rows` are read."""
    step = max(1, BLOCK // max(1, values))
    for start in range(0, len(ready), step):
        stop = min(start + step, len(ready))
        yield slice(start, stop), ready.read(start, stop) if isinstance(ready, Rows) else ready[start:stop]


def codes(y: np.ndarray) -> np.ndarray:
    """Return encoded classes as numbers 0 … k-1: they may come as rows, or as 0 and 1 in a column."""
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(axis=1)
    return (y.ravel() > 0.5).astype(int) if y.dtype.kind == "f" else y.ravel().astype(int)


def row_scores(true: np.ndarray, predicted: np.ndarray, task: str) -> np.ndarray:
    """Return whether each row is correct (with all of its labels), or its mean absolute error."""
    if task == "regression":
        with np.errstate(all="ignore"):
            error: np.ndarray = np.abs(np.asarray(predicted, np.float64) - true).mean(axis=1)
        return error
    same = predicted == true
    return same.all(axis=1) if same.ndim == 2 else same


def _passes(
    model: Any, ready: Any, target: Array, loss: Any, engine: str = "auto", batch_size: Any = None
) -> Iterator[tuple[Array, Array, Array]]:
    """Run a network over rows: outputs, targets and costs, block by block.

    Where the loss takes the values before the last activation (the lectures' pairs), so does it here: the cost of a
    confident mistake stays finite.
    """
    net, function, activation = model.pair(loss)
    for rows, block in stretches(ready, max(math.prod(model.input_shape), math.prod(model.output_shape))):
        with np.errstate(all="ignore"):  # a diverged network's outputs may be anything
            out = model.run_network(block, net, engine=engine, batch_size=batch_size)
            cost = (function if activation is None else function.from_logits)(out, _scaled(model, target[rows]))
            out = out if activation is None else activation(out)
            yield model.target.undo(out), target[rows], losses.check_costs(type(function).__name__, cost, out)


def _scaled(model: Any, target: Array) -> Array:
    """Return encoded targets as the loss takes them: in the unit and the precision of training."""
    scaled = np.asarray(model.target.scale(target))
    return scaled.astype(model.precision, copy=False) if scaled.dtype.kind == "f" else scaled


def _block(task: str, threshold: float, outputs: Array, target: Array, cost: Array) -> tuple[_Block, Array, Array]:
    """Return what there is to know of some rows; and probabilities beside what came of them."""
    cost = np.asarray(cost, np.float64)
    if task == "regression":
        true, predicted = target.reshape(len(target), -1), outputs.reshape(len(outputs), -1)
        return _Block(cost, true, predicted, cost, row_scores(true, predicted, task)), cost, cost
    if task == "classification":
        true, predicted, confidence = codes(target), outputs.argmax(axis=-1), outputs.max(axis=-1)
        probability, outcome = confidence, predicted == true
    elif task == "multilabel":
        true, predicted = (target > 0.5).astype(np.int8), (outputs > threshold).astype(np.int8)
        confidence = np.where(predicted, outputs, 1 - outputs).min(axis=1)
        probability, outcome = outputs.ravel(), true.ravel()
    else:
        true, predicted = codes(target), (outputs[:, 0] > threshold).astype(int)
        confidence = np.where(predicted, outputs[:, 0], 1 - outputs[:, 0])
        probability, outcome = outputs[:, 0], true
    block = _Block(cost, true, predicted, confidence, row_scores(true, predicted, task))
    return block, np.asarray(probability, np.float64), outcome


def _binned(probability: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Sum up each bin: rows, probabilities and outcomes; a probability on an edge belongs to the bin below."""
    outcome = outcome[np.isfinite(probability)]
    probability = probability[np.isfinite(probability)]
    number = np.clip(np.ceil(probability * BINS).astype(int) - 1, 0, BINS - 1)
    return np.stack([np.bincount(number, weights, BINS) for weights in (None, probability, outcome)])
