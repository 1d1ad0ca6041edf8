"""Learn from training rows: the plan for the columns, what makes inputs of them, and what a user should know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from chainrule.tables.describe import column_notes, missing_notes, reading_notes
from chainrule.tables.infer import infer_columns
from chainrule.tables.leaks import leaks
from chainrule.tables.preprocessor import Preprocessor

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["learn"]


def learn(
    training: DataFrame,
    target_values: Any,
    task: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    components: int | float | None = None,
    missing: Collection[str] | None = None,
) -> tuple[Preprocessor, list[str]]:
    """Learn from training rows what to do with the columns; also what should be known about them, as sentences.

    Parameters
    ----------
    training, target_values
        The columns of the training rows without the target, and the target of each.
    task
        ``"classification"`` or ``"regression"``.
    overrides, components, missing
        As in `infer_columns` and `Preprocessor.fit`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from chainrule.tables.learning import learn
    >>> frame = pd.DataFrame({"age": np.arange(60) % 31, "code": [f"c{i}" for i in range(60)]})
    >>> preparation, notes = learn(frame, np.arange(60) % 2, "classification")
    >>> preparation.inputs, notes
    (('age',), ['Left out: code (every value differs).'])
    """
    columns = infer_columns(training, overrides=overrides, target_values=target_values, missing=missing)
    notes = [*reading_notes(columns), *missing_notes(training, columns), *column_notes(columns)]
    notes += leaks(training, columns, target_values, task)
    return Preprocessor.fit(training, columns, components=components), notes
