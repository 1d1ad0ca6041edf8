"""What becomes of a table: arrays to train on, and what was learnt on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.data import Dataset
from chainrule.display.text import Text
from chainrule.display.text_table import text_table
from chainrule.errors import DataError
from chainrule.tables.columns import Column
from chainrule.tables.describe import format_columns
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.split import Split
from chainrule.tables.values import values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["PreparedTable", "as_dataset"]


@dataclass(frozen=True, eq=False)
class PreparedTable:
    """What `Table.prepare` made.

    Attributes
    ----------
    data : the arrays, a `Dataset` with the parts that there are
    columns : what was found in each column, and what was done with it
    rows : the row numbers of each part
    features : the columns before they were prepared, without the target; None where they stay in the file
    notes : what the user should know: suspected leaks, rows without a target, how it was split
    looked_at : the number of training rows that the columns were inferred from
    """

    data: Dataset
    columns: tuple[Column, ...]
    rows: Split
    features: DataFrame | None
    notes: tuple[str, ...]
    looked_at: int

    def summary(self) -> Text:
        """Return what is done with each column, and what should be known about the rows, to print."""
        columns = text_table(format_columns(self.columns, rows=self.looked_at), left=(0, 1, 4, 5))
        return Text("\n".join([str(self.data.summary()), columns, *self.notes]))

    def numbers_left_out(self) -> np.ndarray | None:
        """Return numbers that the rules left out as identifiers, (rows, columns), of all rows; None if there are none.

        They are standardized by the training rows, and a missing one is 0. What a user has left out is not among them.
        """
        if self.features is None:
            return None
        parts = []
        for column in self.columns:
            if column.kind != "identifier" or "as you" in column.reason:
                continue
            values = values_of(self.features[column.name], replace(column, kind="number"))
            training = values[self.rows.train]
            training = training[np.isfinite(training)]
            if len(training) > 1 and (std := training.std()) > 0:
                parts.append(np.nan_to_num((values - training.mean()) / std, posinf=0.0, neginf=0.0))
        return np.stack(parts, axis=1) if parts else None


def as_dataset(
    name: str,
    inputs: Iterable[np.ndarray | None],
    targets: np.ndarray,
    rows: Split,
    preparation: Preprocessor,
    notes: Sequence[str],
) -> Dataset:
    """Return the data set of the inputs of the three parts, which are not made before the targets are checked.

    Raises `DataError` for a class that no training row has.
    """
    target = preparation.target
    assert target is not None
    codes = None if target.classes is None else {label: code for code, label in enumerate(target.classes)}
    encoded: list[np.ndarray | None] = []
    for part, part_name in ((rows.train, "training"), (rows.validation, "validation"), (rows.test, "test")):
        values = targets[part]
        if codes is not None:
            labels = values.tolist()
            if unknown := [label for label in labels if label not in codes]:
                raise DataError(
                    f"{name}: the {part_name} rows have the {target.name} {unknown[0]!r}, which no training row has. "
                    "Leave these rows out, or split otherwise."
                )
            values = np.array([codes[label] for label in labels], np.int32)
        encoded.append(values if len(part) else None)
    y, y_validation, y_test = encoded
    x, x_validation, x_test = inputs
    assert x is not None
    assert y is not None
    return Dataset(
        name,
        x,
        y,
        x_test,
        y_test,
        classes=target.classes,
        feature_names=preparation.feature_names,
        task=target.task,
        x_validation=x_validation,
        y_validation=y_validation,
        preparation=preparation,
        notes=tuple(notes),
    )
