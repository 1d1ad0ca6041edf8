"""Data frames that are no plain array of numbers: they are prepared as a table is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset, stratified_split
from chainrule.errors import DataError
from chainrule.recipe.run_data import SPLIT
from chainrule.tables.learning import learn
from chainrule.tables.preprocessor import Preprocessor


def needs_preparation(X: Any) -> bool:
    """Return whether it is a data frame with columns that are no numbers, or with missing values."""
    if not all(hasattr(X, name) for name in ("iloc", "columns", "dtypes")):
        return False
    from pandas.api.types import is_numeric_dtype

    return not all(is_numeric_dtype(kind) for kind in X.dtypes) or bool(X.isna().to_numpy().any())


def learned(X: Any, y: np.ndarray, columns: Mapping[str, Any] | None) -> tuple[Preprocessor, list[str]]:
    """Return what makes numbers of the columns, learned from these rows and targets; and what should be known
    of them.
    """
    return learn(X, y, "regression" if y.dtype.kind == "f" else "classification", overrides=columns)


def prepared(
    X: Any, y: np.ndarray, weight: Any, columns: Mapping[str, Any] | None, validation: Any, seed: int
) -> tuple[Dataset, Any]:
    """Return the rows as numbers, with what made them, split before anything is learned from them; and their
    weights.
    """
    held_out: tuple[Any, Any] | None = None
    if isinstance(validation, tuple | list):
        held_out = (validation[0], np.asarray(validation[1]))
        if not hasattr(held_out[0], "columns"):
            raise DataError("validation is (x, y) with x an array, and the training rows are a data frame: give one.")
    elif validation:
        key = random.fold_in(random.key(seed), SPLIT)
        rows, others = stratified_split(y, float(validation), key, stratify=y.dtype.kind != "f")
        held_out = (X.iloc[others], y[others])
        X, y, weight = X.iloc[rows], y[rows], None if weight is None else weight[rows]
    preparation, notes = learned(X, y, columns)
    x_validation = None if held_out is None else preparation(held_out[0])
    y_validation = None if held_out is None else held_out[1]
    data = Dataset(
        "the data frame",
        preparation(X),
        y,
        feature_names=preparation.feature_names,
        x_validation=x_validation,
        y_validation=y_validation,
        preparation=preparation,
        notes=tuple(notes),
    )
    return data, weight
