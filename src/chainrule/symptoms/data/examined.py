"""The rows that the checks of the data look at: inputs and targets as tables of numbers, and where each row stands."""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainrule import random
from chainrule.data import encode_target
from chainrule.data.rows import Rows
from chainrule.models.inputs import names_of
from chainrule.recipe.run_data import SPLIT, pair_of
from chainrule.symptoms.subject import Subject, sample_rows
from chainrule.tables.table import Table

__all__ = ["ALPHA", "Examined", "encoded_targets", "examined", "listed", "per_subject", "row_numbers", "share"]

Array = NDArray[Any]
Result = TypeVar("Result")

#: The checks with a p value, which share a chance of .01 of a false alarm (Bonferroni, so that Holm's is kept, too).
TESTS = 4
ALPHA = 0.01 / TESTS


def per_subject(compute: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
    """Remember what a function gives for a subject, as long as that lives: several checks look at the same answers."""
    results: weakref.WeakKeyDictionary[Subject, Result] = weakref.WeakKeyDictionary()

    @functools.wraps(compute)
    def remembered(subject: Subject) -> Result:
        if subject not in results:
            results[subject] = compute(subject)
        return results[subject]

    return remembered


@dataclass(frozen=True, eq=False)
class Examined:
    """Rows as the checks look at them. They are those given for training, with those that `fit` draws for validation
    out of them; of a table, its training rows.

    Attributes
    ----------
    x : what the network gets, (rows, inputs) in float64; images are flat
    raw : the same before it is standardized, in the unit of what was given (of a table: as it is prepared)
    names : of the inputs, or their positions
    quantities : which inputs are quantities; others are codes of categories
    y : targets, (rows, outputs) in float64; a class is a row with a single 1
    labels : the class of each row; None for numbers and several labels at once
    classes : the names of the classes, None where there are none
    shape : of one sample
    validation : inputs and targets of validation rows that were given, as `x` and `y` are; None where there are none
    """

    x: Array
    raw: Array
    names: tuple[str | int, ...]
    quantities: NDArray[np.bool_]
    y: Array
    labels: NDArray[np.intp] | None
    classes: tuple[Any, ...] | None
    shape: tuple[int, ...]
    validation: tuple[Array, Array] | None

    def __len__(self) -> int:
        return len(self.x)

    def name(self, column: int) -> str:
        """Return what an input is called in a sentence."""
        name = self.names[column]
        if isinstance(name, str):
            return repr(name)
        if len(self.shape) > 1:
            return f"input {tuple(int(place) for place in np.unravel_index(column, self.shape))}"
        return f"input {name}"


@per_subject
def examined(subject: Subject) -> Examined:
    """Return the rows of a subject as the checks look at them."""
    rows, run = subject.rows, subject.run
    model, prepared = run.model, run.prepared
    raw = np.asarray(rows.x[np.arange(len(rows.x))] if isinstance(rows.x, Rows) else rows.x)
    shape = tuple(raw.shape[1:])
    width = math.prod(shape)
    preparation = rows.inputs.preparation
    codes = model.net.codes if preparation is None else len(preparation.embedded)
    quantities = np.arange(width) < width - codes
    y, labels = _targets(_encoded(subject, rows.y), prepared.target.outputs, subject.task)
    validation = None
    if prepared.validation is not None and not _is_drawn(subject):
        x_other = prepared.validation.x
        x_other = np.asarray(x_other[np.arange(min(len(x_other), 5000))])
        y_other = _targets(np.asarray(prepared.validation.y), prepared.target.outputs, subject.task)[0]
        if prepared.target.mean:
            y_other = prepared.target.undo(y_other)
        validation = (x_other.reshape(len(x_other), -1).astype(np.float64), y_other[: len(x_other)])
    return Examined(
        np.asarray(prepared.inputs.finish(raw, model.precision), np.float64).reshape(len(raw), -1),
        raw.reshape(len(raw), -1).astype(np.float64),
        _names(subject, width),
        quantities,
        y,
        labels,
        prepared.target.classes,
        shape,
        validation,
    )


def encoded_targets(subject: Subject, y: Any) -> Array:
    """Return targets as `Examined.y` has them."""
    return _targets(_encoded(subject, y), subject.run.prepared.target.outputs, subject.task)[0]


def _encoded(subject: Subject, y: Any) -> Array:
    """Return targets as the losses take them."""
    model = subject.run.model
    if model.target_is_known:
        return model.encode(y)
    return encode_target(y, units=model.output_shape[-1], output_activation=model.last_activation.name)[0]


def row_numbers(subject: Subject) -> NDArray[np.intp]:
    """Return where each row that is examined stands in the data as it was given, counted from 0."""
    data, settings = subject.data, subject.settings
    if isinstance(data, Table):
        drawn = settings.validation is None or isinstance(settings.validation, float | int | np.number)
        split = data.prepare(
            validation=(settings.validation or 0.0) if drawn else 0.0,
            key=random.fold_in(random.key(settings.seed), SPLIT),
            preparation=subject.rows.inputs.preparation,
        ).rows
        numbers = split.train
        if data.in_memory:  # the split counts rows with a target
            numbers = np.flatnonzero(data.targets()[2])[numbers]
    else:
        numbers = np.arange(len(pair_of(data)[1]))
    return numbers[sample_rows(len(numbers), len(subject.rows.x))]


def share(count: float, n: float) -> str:
    """Return a share in percent, as it is read.

    >>> share(3, 1000), share(50, 100)
    ('0.3 %', '50 %')
    """
    percent = 100 * count / max(n, 1)
    return "100 %" if count >= n > 0 else f"{percent if percent > 1e-6 else 0:.{3 if percent > 99 else 2}g} %"


def listed(rows: Array, most: int = 5) -> str:
    """Return the numbers of some rows in words.

    >>> listed(np.array([3, 8]))
    'rows 3, 8'
    """
    more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
    return f"rows {', '.join(str(int(row)) for row in rows[:most])}{more}"


def _targets(encoded: Array, outputs: int, task: str) -> tuple[Array, NDArray[np.intp] | None]:
    """Return targets as rows of numbers, and the classes where each row has one."""
    y = np.asarray(encoded)
    if task == "binary":
        flags = y.reshape(-1).astype(np.float64)
        return flags[:, None], (flags > 0.5).astype(np.intp) if bool(((flags == 0) | (flags == 1)).all()) else None
    if task == "classification":
        labels = (y.argmax(axis=1) if y.ndim == 2 else y).astype(np.intp)
        return np.eye(max(outputs, int(labels.max(initial=0)) + 1))[labels], labels
    return y.reshape(len(y), -1).astype(np.float64), None


def _names(subject: Subject, width: int) -> tuple[str | int, ...]:
    """Return the names of the inputs, or their positions."""
    inputs = subject.rows.inputs
    names = inputs.names if inputs.preparation is None else inputs.preparation.feature_names
    if names is None:
        names = getattr(subject.data, "feature_names", None)
    if names is None and not isinstance(subject.data, Table):
        names = names_of(pair_of(subject.data)[0])
    return tuple(names) if names is not None and len(names) == width else tuple(range(width))


def _is_drawn(subject: Subject) -> bool:
    """Return whether the validation rows were drawn at random from the rows that were given."""
    validation = subject.settings.validation
    if isinstance(validation, float | int | np.number):
        return True
    return (
        isinstance(subject.data, Table) and validation is None and subject.data.split_column(subject.data.head) is None
    )
