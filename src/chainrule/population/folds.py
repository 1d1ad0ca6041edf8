"""Folds: every row is held out once, and trained on otherwise (lecture 003)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import check_whole
from chainrule.errors import DataError

__all__ = ["Fold", "make_folds"]

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of the rows.

    Attributes
    ----------
    repeat, fold : its number, both from 1
    train, held_out : row numbers, in rising order; no row is in both
    """

    repeat: int
    fold: int
    train: Rows
    held_out: Rows

    def __repr__(self) -> str:
        repeat = f"repeat {self.repeat}, " if self.repeat > 1 else ""
        return f"Fold({repeat}fold {self.fold}: {len(self.train):,} train, {len(self.held_out):,} held out)"


def make_folds(
    n: int, folds: int = 5, *, labels: Any = None, groups: Any = None, repeats: int = 1, seed: int = 0
) -> tuple[Fold, ...]:
    """Divide n rows into folds, so that in each repeat every row is held out exactly once.

    The folds are those of scikit-learn's splitters with ``shuffle=True``: `KFold`; with ``labels`` `StratifiedKFold`,
    with ``groups`` `GroupKFold`, with both `StratifiedGroupKFold`. Repeat r (from 0) has ``random_state=seed + r``.

    Parameters
    ----------
    n
        The number of rows.
    folds
        The number k of folds: each trains on about (k − 1)/k of the rows.
    labels
        The class of each row: every fold gets the classes in about the same shares.
    groups
        A value for each row: rows with the same one (a patient, a writer) are held out together.
    repeats
        How often to do it all, each time with other folds.
    seed
        The same seed gives the same folds.

    Raises
    ------
    SettingError
        Fewer than two folds; a number of repeats or a seed that is none.
    DataError
        More folds than rows or groups, fewer rows of a class than folds, labels or groups that are missing or too few
        or too many, groups with which a fold would be empty.

    Examples
    --------
    >>> from chainrule.population.folds import make_folds
    >>> make_folds(10, 5)[0]
    Fold(fold 1: 8 train, 2 held out)
    >>> make_folds(9, 3, labels=["a"] * 6 + ["b"] * 3)[2].held_out.tolist()
    [0, 5, 6]
    """
    check_whole("folds", folds, 2, note=": with one fold, nothing would be left to train on")
    check_whole("repeats", repeats)
    check_whole("seed", seed, 0)
    if folds > n:
        raise DataError(f"There are more folds ({folds}) than rows ({n:,}). Use at most {n} folds, or more data.")
    classes = None if labels is None else _row_values("labels", labels, n)
    group_of_row = None if groups is None else _row_values("groups", groups, n)
    if group_of_row is not None and (number := len(np.unique(group_of_row))) < folds:
        raise DataError(
            f"There are {number} groups and {folds} folds: each fold needs a group of its own. Use at most {number} "
            "folds."
        )
    if classes is not None:
        _check_class_counts(classes, folds)
    divisions = []
    for repeat in range(repeats):
        for fold, (train, held_out) in enumerate(_split(n, folds, classes, group_of_row, seed + repeat), 1):
            if not len(held_out):
                raise DataError(
                    f"Fold {fold} would have no rows: the groups are too few or too unequal for {folds} folds that "
                    "have the classes in the same shares. Use fewer folds, or stratify=False."
                )
            divisions.append(Fold(repeat + 1, fold, np.sort(train), np.sort(held_out)))
    return tuple(divisions)


def _split(n: int, folds: int, classes: Any, groups: Any, seed: int) -> Iterator[tuple[Rows, Rows]]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    kinds = {(0, 0): KFold, (1, 0): StratifiedKFold, (0, 1): GroupKFold, (1, 1): StratifiedGroupKFold}
    splitter = kinds[classes is not None, groups is not None](folds, shuffle=True, random_state=seed)
    splits: Iterator[tuple[Rows, Rows]] = splitter.split(np.zeros((n, 1)), classes, groups)
    return splits


def _check_class_counts(classes: NDArray[Any], folds: int) -> None:
    """Raise `DataError` unless every class can be in every fold."""
    names, counts = np.unique(classes, return_counts=True)
    few = int(np.argmin(counts))
    if counts[few] >= folds:
        return
    size = int(counts[few])
    more = int((counts < folds).sum()) - 1
    others = f" ({more} other {'class has' if more == 1 else 'classes have'} too few, too)" if more else ""
    fewer = f"use at most {size} folds, " if size > 1 else ""
    rows = "row" if size == 1 else "rows"
    raise DataError(
        f"The class {names[few].item()!r} has {size} {rows}, and there are {folds} folds{others}: with the classes in "
        f"the same shares each fold needs one of its own. To go on, {fewer}join it with another "
        "class, leave it out, or give stratify=False."
    )


def _row_values(name: str, values: Any, n: int) -> NDArray[Any]:
    """Return one value for each row, none missing, that can be sorted."""
    import pandas as pd

    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) != n:
        raise DataError(f"{name} needs one value for each of the {n:,} rows, got the shape {values.shape}.")
    missing = np.asarray(pd.isna(values))
    if missing.any():
        raise DataError(
            f"{name} is missing in {int(missing.sum()):,} of the {n:,} rows, the first is row "
            f"{int(np.argmax(missing))}. Give these rows a value of their own, or leave them out."
        )
    return values.astype(str) if values.dtype.kind == "O" else values
