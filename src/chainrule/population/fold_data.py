"""The rows that folds divide, with their classes and groups."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import initializers, random
from chainrule.data import Dataset, PreparedInputs, encode_target
from chainrule.data.rows import Rows
from chainrule.errors import DataError, SettingError
from chainrule.models import Model
from chainrule.population.folds import Fold
from chainrule.recipe.networks import network
from chainrule.recipe.run_data import pair_of, unpack
from chainrule.tables.split import split_rows
from chainrule.tables.table import Table
from chainrule.tables.target import target_column

Array = np.ndarray[Any, Any]

#: The random stream that draws the validation rows of the folds.
INNER = 2**32 - 4


@dataclass(frozen=True, eq=False)
class FoldData:
    """Data of which folds choose the rows to train on and those to hold out.

    Attributes
    ----------
    data : what is trained on
    x, y : inputs (of a table its columns) and targets of all rows
    task : as in `Target`
    rows : the numbers of the rows that are used
    groups : the group of each of these, or None
    """

    data: Any
    x: Any
    y: Array
    task: str
    rows: Array
    groups: Any

    def inputs(self, model: Model, rows: Array) -> Any:
        """Return these rows as a model takes them."""
        if not isinstance(self.data, Table):
            return self.x[rows]
        return PreparedInputs(model.inputs.admit(self.x.iloc[rows]), model.preparation)

    def classes(self, rows: Array) -> Array | None:
        """Return the class of each of these rows, if the task has classes."""
        if self.task not in ("classification", "binary"):
            return None
        y = self.y[rows]
        return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))

    def labels(self, stratify: Any) -> Any:
        """Return the class of each row that is to be in the same shares in all folds; None for no classes."""
        if not isinstance(stratify, str | bool):
            classes = np.asarray(stratify)
            if classes.shape[:1] != (len(self.y),):
                raise DataError(
                    f"stratify needs one class for each of the {len(self.y):,} rows, got the shape {classes.shape}."
                )
            return classes[self.rows]
        if isinstance(stratify, str) and stratify != "auto":
            raise SettingError(
                f'stratify is "auto", True, False, or an array with a class for each row; got {stratify!r}.'
            )
        labels = self.classes(self.rows) if stratify else None
        if stratify is True and labels is None:
            raise SettingError(
                f"stratify=True needs classes, and the task is {self.task}. Give an array with a class for each row, "
                "such as np.digitize(y, np.quantile(y, [0.25, 0.5, 0.75])), or stratify=False."
            )
        return labels

    def check_classes(self, fold: Fold, trained: Array) -> None:
        """Raise `DataError` unless a fold trains on all classes: it could not predict one that it has never seen."""
        classes, learnt = self.classes(self.rows), self.classes(trained)
        if classes is None or learnt is None or not len(missing := np.setdiff1d(classes, learnt)):
            return
        reason = " (the groups are held out whole)" if self.groups is not None else ""
        raise DataError(
            f"Fold {fold.fold} has no row of the class {missing[0].item()!r} to train on and could not learn "
            f"it{reason}. Use more folds, folds with the classes in the same shares (stratify), or leave the class out."
        )

    def split_fold(self, fold: Fold, validation: float, seed: int) -> dict[str, Any]:
        """Return a fold's training rows, divided into those to train on and those that early stopping watches."""
        key = random.fold_in(random.fold_in(random.fold_in(random.key(seed), INNER), fold.repeat), fold.fold)
        if self.groups is None:
            split = split_rows(len(fold.train), self.classes(fold.train), validation=validation, test=0.0, key=key)
        else:
            group = np.asarray(self.groups)[np.searchsorted(self.rows, fold.train)]
            split = split_rows(len(fold.train), validation=validation, test=0.0, group=group, key=key)
        return {"rows": fold.train[split.train], "held_out": fold.train[split.validation]}


def fold_data(net: Any, data: Any, groups: Any) -> FoldData:
    """Return the data of `cross_validate`, checked."""
    if isinstance(data, Table):
        return _of_table(data, groups)
    if isinstance(data, Dataset) and data.preparation is not None:
        raise DataError(
            f"{data.name} was prepared as a whole: what its inputs are was learnt from rows that a fold holds out, "
            "too. Give the cr.Table itself, which is then prepared in each fold."
        )
    x, y = unpack(data, "cross_validate takes the data as (x, y), a Dataset or a Table")
    if isinstance(x, Rows):
        raise DataError(
            "cross_validate needs the data in memory: folds are rows from all over it, and these are read from a file "
            "in their order. Give arrays, such as np.asarray(x) of a memory-mapped one."
        )
    with initializers.shapes_only():
        model = Model(network(net, x, y), x.shape[1:])
    units, activation = model.output_shape[-1], model.last_activation.name
    _, target = encode_target(y, units=units, output_activation=activation)
    if isinstance(groups, str):
        raise DataError(f"groups={groups!r} names a column, and the data is no Table: give one group for each row.")
    return FoldData(pair_of(data), x, y, target.task, np.arange(len(x)), groups)


def _of_table(table: Table, groups: Any) -> FoldData:
    """Return the rows of a table that have a target and are not for the test."""
    table = table.coded()
    if isinstance(groups, str):
        column = target_column(table.frame.columns, groups, what="column")
        if column == table.target:
            raise SettingError(f"groups={groups!r} names the target: rows are not grouped by what is predicted.")
        # Who it is must not be learnt: the group is no input.
        table = dataclasses.replace(table, columns={**table.columns, column: {"use": False}})
        groups = table.frame[column]
    elif groups is not None and np.ndim(groups) > 0 and len(groups) != len(table):
        raise DataError(f"groups needs one value for each of the {len(table):,} rows, got {len(groups):,}.")
    target, y, present = table.targets()
    split = table.split_column()
    if split is not None:
        present &= (table.frame[split].astype(str).str.strip().str.lower() != "test").to_numpy()
    rows = np.flatnonzero(present)
    groups = None if groups is None else np.asarray(groups)[rows]
    # What is to be learnt is the same in all folds, however the targets of one may look.
    style = {"decimal": target.column.decimal, "unit": target.column.unit}
    columns = {**table.columns, table.target: style} if target.task == "regression" else table.columns
    table = dataclasses.replace(table, task=target.task, columns=columns)
    return FoldData(table, table.frame, y, target.task, rows, groups)
