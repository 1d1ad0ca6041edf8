"""All rows that a user has for training and validation, and how they are cut: folds are seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import Dataset, PreparedInputs
from chainrule.data.streams import as_stream
from chainrule.errors import ChainruleError, DataError
from chainrule.models import Model
from chainrule.population.fold_data import fold_data
from chainrule.recipe.run_data import arranged, pair_of
from chainrule.symptoms.subject import MOST_ROWS, Subject
from chainrule.tables.table import Table

__all__ = ["Cut", "TrialRows", "cut_rows", "halved", "trial_rows"]

Array = np.ndarray[Any, Any]

#: Of the training rows of a member whose arm stops early, this share tells when.
STOPPING_SHARE = 1 / 8

#: The least and the most folds, and the fewest members by which anything is decided.
FEWEST_FOLDS, MOST_FOLDS, FEWEST_MEMBERS = 2, 5, 4

#: Rows of a class below which it is trained on only, and never judged.
FEWEST_OF_CLASS = 3


@dataclass(frozen=True, eq=False)
class TrialRows:
    """The rows that trials are made of. None of them is for the test.

    Attributes
    ----------
    data : what members are trained on some rows of
    x, y : inputs (of a table its columns) and targets of all its rows, as they were given
    rows : numbers of the rows that are used
    kind : of the targets: "labels", "multilabel" or "numbers"
    labels : the class of each of all rows, as a number; None where there are none
    folds : into how many parts they are cut
    drawn : of how many rows these were drawn by lot; 0 where these are all
    """

    data: Any
    x: Any
    y: Array
    rows: Array
    kind: str
    labels: Array | None
    folds: int
    drawn: int = 0

    def inputs(self, model: Model, rows: Array) -> Any:
        """Return these rows as a model takes them."""
        return self.inputs_of(self.data, model, rows)

    def inputs_of(self, data: Any, model: Model, rows: Array) -> Any:
        """Return rows of data that was made of this (columns dropped, values clipped) as a model takes them."""
        if isinstance(data, Table):
            return PreparedInputs(model.inputs.admit(data.frame.iloc[rows]), model.preparation)
        x = pair_of(data)[0]
        if isinstance(x, PreparedInputs):
            return PreparedInputs(x.x[rows], x.by)
        return x.iloc[rows] if hasattr(x, "iloc") else np.asarray(x)[rows]

    @property
    def metric(self) -> str:
        """What errors are of: "accuracy" (the error is 1 − accuracy), or "mae"."""
        return "mae" if self.kind == "numbers" else "accuracy"

    @property
    def unit(self) -> float:
        """What an error of 1 is in the unit of the metric: for numbers the error of the constant answer."""
        if self.kind != "numbers":
            return 1.0
        y = self.y[self.rows].astype(np.float64)
        return float(np.abs(y - np.median(y, axis=0)).mean()) or 1.0

    @property
    def class_weights(self) -> Array | None:
        """How much each row counts where all classes count alike, 1 on average; None where rows have no classes."""
        if self.labels is None:
            return None
        counts: Array = np.bincount(self.labels[self.rows], minlength=int(self.labels.max()) + 1)
        per_class = len(self.rows) / np.maximum(counts, 1) / max(1, int((counts > 0).sum()))
        weights: Array = per_class[self.labels]
        return weights

    @property
    def imbalance(self) -> float:
        """How many times larger the largest class is than the smallest."""
        if self.labels is None:
            return 1.0
        counts: Array = np.unique(self.labels[self.rows], return_counts=True)[1]
        return float(counts.max() / counts.min())


@dataclass(frozen=True, eq=False)
class Cut:
    """One division of the rows: a member trains on ``train``, may stop by ``stop`` of these, and is judged on others.

    Where an arm does not stop early, ``stop`` is trained on, too.
    """

    train: Array
    stop: Array
    judged: Array
    seed: int

    @property
    def others(self) -> Array:
        """All rows but those that are judged."""
        return np.sort(np.concatenate([self.train, self.stop]))


def trial_rows(subject: Subject, most: int = MOST_ROWS, seed: int = 0) -> TrialRows:
    """Return the rows that a user has for training and validation, as one set of data; of many a sample.

    Raises `DataError` where there are too few to cut.
    """
    data, share = _joined(subject)
    task = subject.task
    if isinstance(data, Table):
        table = fold_data(None, data, None)
        x, y, rows, task = table.x, table.y, table.rows, table.task
    else:
        x, y = pair_of(data)
        y = np.asarray(y)
        rows = np.arange(len(y))
    labels = _labels(y, task)
    kind = "labels" if labels is not None else "multilabel" if task == "multilabel" else "numbers"
    drawn = len(rows) if len(rows) > most else 0
    if drawn:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    elif len(rows) < len(subject.rows.x) and not isinstance(data, Table):
        drawn = len(rows)
    if len(rows) < 8:
        raise DataError(f"There are {len(rows)} rows: too few to train on some and judge on others.")
    folds = int(np.clip(round(1 / share) if share > 0 else MOST_FOLDS, FEWEST_FOLDS, MOST_FOLDS))
    return TrialRows(data, x, y, rows, kind, labels, _judging_all(folds, rows, labels), drawn)


def _judging_all(folds: int, rows: Array, labels: Array | None) -> int:
    """Return the number of folds, less where a class has a row or two too few to be in each: so it is judged, too."""
    rarest = folds if labels is None else int(np.unique(labels[rows], return_counts=True)[1].min())
    return rarest if FEWEST_OF_CLASS <= rarest < folds else folds


def cut_rows(rows: TrialRows, count: int, seed: int) -> list[Cut]:
    """Return so many cuts: each row is judged once before any is judged twice; classes are in about the same shares.

    Rows of a class with fewer rows than folds are always trained on, so that no member meets a class that it has
    never seen.
    """
    rng = np.random.default_rng([seed, 14])
    cuts: list[Cut] = []
    while len(cuts) < count:
        fold_of_row = _folds(rows, rng)
        for fold in range(rows.folds):
            judged = rows.rows[fold_of_row == fold]
            others = _of_one_size(rows.rows[fold_of_row != fold], fold_of_row, rows, rng)
            stop = _some(others, rows.labels, rng, STOPPING_SHARE)
            train = np.setdiff1d(others, stop)
            cuts.append(Cut(train, stop, judged, int(rng.integers(2**31))))
    return cuts[:count]


def halved(cut: Cut, rows: TrialRows) -> Cut:
    """Return a cut with half of the rows to train on, of each class half; judged on the same rows."""
    rng = np.random.default_rng(cut.seed)

    def half(part: Array) -> Array:
        return part if len(part) < 2 else np.setdiff1d(part, _some(part, rows.labels, rng, 0.5))

    return Cut(half(cut.train), half(cut.stop), cut.judged, cut.seed)


def _folds(rows: TrialRows, rng: np.random.Generator) -> Array:
    """Return the fold of each row; -1 of those that are never judged."""
    fold = np.empty(len(rows.rows), np.intp)
    start = 0
    for positions in _classes(rows.rows, rows.labels):
        if rows.labels is not None and len(positions) < rows.folds:
            fold[positions] = -1
            continue
        # Where a class begins goes on from the last, so that the folds are of one size.
        fold[rng.permutation(positions)] = (start + np.arange(len(positions))) % rows.folds
        start += len(positions)
    return fold


def _of_one_size(others: Array, fold_of_row: Array, rows: TrialRows, rng: np.random.Generator) -> Array:
    """Return the rows without one, if there are more than beside the largest fold; of the class that has most rows.

    Members with as many rows are one program, which is compiled once.
    """
    if len(others) == len(rows.rows) - np.bincount(fold_of_row[fold_of_row >= 0]).max():
        return others
    largest = max(_classes(others, rows.labels), key=len)
    return np.delete(others, rng.choice(largest))


def _some(rows: Array, labels: Array | None, rng: np.random.Generator, share: float) -> Array:
    """Return a share of the rows, at least one; of each class that has several, in proportion."""
    classes = list(_classes(rows, labels))
    sizes = np.array([len(positions) for positions in classes])
    counts = np.floor(sizes * share).astype(int)
    # What is left of the share goes to classes by lot: all members have as many rows.
    for i in rng.permutation(len(classes)):
        room = counts[i] < sizes[i] - 1
        counts[i] += int(room and counts.sum() < max(1, int(len(rows) * share)))
    chosen = [rng.permutation(positions)[:count] for positions, count in zip(classes, counts, strict=True)]
    positions = np.concatenate(chosen)
    if not len(positions):
        positions = rng.integers(len(rows), size=1)
    return np.sort(rows[positions])


def _classes(rows: Array, labels: Array | None) -> Iterator[Array]:
    """Yield the positions of the rows of each class; all at once where there are none."""
    if labels is None:
        yield np.arange(len(rows))
        return
    of_rows = labels[rows]
    for label in np.unique(of_rows):
        yield np.flatnonzero(of_rows == label)


def _labels(y: Array, task: str) -> Array | None:
    """Return the class of each row as a number, where rows have one."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2:
        one = np.asarray(y)
        if task == "classification" and one.dtype.kind in "biuf":
            codes: Array = one.argmax(axis=1)
            return codes
        return None
    if task in ("classification", "binary") or (y.dtype.kind != "f" and len(np.unique(y)) <= 2):
        return np.unique(y.astype(str) if y.dtype.kind == "O" else y, return_inverse=True)[1]
    return None


def _joined(subject: Subject) -> tuple[Any, float]:
    """Return training and validation rows as one, and the share of the latter (0: there are none)."""
    data, validation = subject.data, subject.settings.validation
    drawn = validation is None or isinstance(validation, float | int | np.number)
    share = float(validation or 0.0) if drawn else 0.0
    if isinstance(data, Table) and data.in_memory:
        return data, share
    streamed = not isinstance(data, Dataset | Table) and as_stream(pair_of(data)[0]) is not None
    if isinstance(data, Table) or streamed or len(subject.rows.x) >= MOST_ROWS:
        return (np.asarray(subject.rows.x), subject.rows.y), share
    if isinstance(data, Dataset):
        data = dataclasses.replace(data, x_test=None, y_test=None)
    others = None if drawn else validation
    if others is None and isinstance(data, Dataset) and data.x_validation is not None:
        n = len(data.x)
        return (
            dataclasses.replace(
                data,
                x=np.concatenate([data.x, data.x_validation]),
                y=np.concatenate([data.y, data.y_validation]),
                x_validation=None,
                y_validation=None,
            ),
            len(data.x_validation) / (n + len(data.x_validation)),
        )
    if others is None:
        return data, share
    try:
        (x, y), (more_x, more_y) = pair_of(data), pair_of(arranged(others, None, None, None)[0])
        n, more = len(x), len(more_x)
        return (_concatenated(x, more_x), _concatenated(y, more_y)), more / (n + more)
    except (ChainruleError, ValueError, TypeError):  # rows that do not go together: those to train on are enough
        return data, 0.2


def _concatenated(first: Any, second: Any) -> Any:
    """Return two arrays or data frames as one."""
    if hasattr(first, "iloc") and hasattr(second, "iloc"):
        import pandas as pd

        return pd.concat([first, second], ignore_index=True)
    first, second = (part.x if isinstance(part, PreparedInputs) else np.asarray(part) for part in (first, second))
    return np.concatenate([first, second])
