"""Warnings of leaks: columns that give the target away, and rows that stand in two parts of the split.

A column that was filled in only after the fact (the lifeboat of a passenger, the date on which a loan was written off)
makes a test score that no new row will ever see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import Column
from chainrule.tables.values import as_text, values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["ALONE", "duplicates", "leaks", "power"]

Array = NDArray[Any]

#: A column is suspected if it alone explains this share of what the most frequent class, or the mean, leaves open.
ALONE = 0.95

#: Rows that are looked at, columns that are, and rows below which nothing can be said.
ROWS, COLUMNS, FEWEST = 2_000, 2_000, 30


def leaks(train_frame: DataFrame, columns: Sequence[Column], target_values: Any, task: str) -> list[str]:
    """Warnings of columns that predict the target almost alone, as sentences; most often there are none.

    Each row's target is guessed from the row whose value in the column is next to its own (`power`). At most `ROWS`
    training rows, evenly spread, and the first `COLUMNS` columns are looked at. Columns that are not used cannot leak.

    Parameters
    ----------
    train_frame, columns
        The training rows, and their plan.
    target_values
        A class or a number for each of these rows; of rows of several nothing is said.
    task
        ``"classification"`` or ``"regression"``.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from chainrule.tables import infer, leaks
    >>> y = np.arange(100) % 2
    >>> frame = pd.DataFrame({"paid_back": np.where(y, "2021", "never"), "age": np.arange(100) % 37})
    >>> leaks.leaks(frame, infer.infer_columns(frame), y, "classification")
    ["The column 'paid_back' alone tells 100 % of what the most frequent class leaves open. If it is known only after \
the target, leave it out."]
    """
    found = np.asarray(target_values)
    if len(found) < FEWEST or found.ndim > 1:
        return []
    rows = np.unique(np.linspace(0, len(found) - 1, ROWS).astype(int)) if len(found) > ROWS else np.arange(len(found))
    y: Array
    if task == "regression":
        y, open_without = found[rows].astype(np.float64), "of the variance of the target"
    else:
        y = np.unique(found[rows].astype(str), return_inverse=True)[1].ravel()
        open_without = "of what the most frequent class leaves open"
    if len(np.unique(y)) < 2:
        return []
    places = {str(name): j for j, name in enumerate(train_frame.columns)}
    used = [column for column in columns if column.use and column.name in places][:COLUMNS]
    warnings = []
    for column in used:
        values = values_of(train_frame.iloc[:, places[column.name]].iloc[rows], column)
        share = power(_numbered(values), y, task)
        if share >= ALONE:
            warnings.append(
                f"The column {column.name!r} alone tells {100 * share:.0f} % {open_without}. If it is known only after "
                "the target, leave it out."
            )
    return warnings


def power(x: Array, y: Array, task: str) -> float:
    """How much of the target a column explains alone, from 0 (nothing) or below to 1 (all).

    Each row is guessed from the others: by the class of a row that is nearest in x, or by the line between the rows
    just below and above. Returned is (hits − hits of the most frequent class) / (n − these), or R².

    >>> import numpy as np
    >>> x = np.linspace(0, 1, 50)
    >>> power(x, (x > 0.5).astype(int), "classification")
    1.0
    """
    order = np.random.default_rng(0).permutation(len(x))  # so that rows of the same value stand next to any of them
    order = order[np.argsort(x[order], kind="stable")]
    x, y = x[order], y[order]
    gap = np.diff(x)
    below, above = np.r_[np.inf, gap], np.r_[gap, np.inf]
    left, right = np.r_[y[:1], y[:-1]], np.r_[y[1:], y[-1:]]
    if task == "classification":
        hits = float(np.mean(np.where(below <= above, left, right) == y))
        base = float(np.bincount(y).max() / len(y))
        return (hits - base) / (1 - base)
    with np.errstate(invalid="ignore"):
        weight = np.where(np.isinf(below), 0.0, np.where(np.isinf(above), 1.0, above / (below + above)))
    weight = np.where(np.isnan(weight), 0.5, weight)  # all three have the same value
    guess = weight * left + (1 - weight) * right
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - guess) ** 2).sum()) / spread if spread > 0 else 0.0


def _numbered(values: Array) -> NDArray[np.float64]:
    """Values as finite numbers: dates by their time, categories by their place, what is missing apart from the rest."""
    import pandas as pd

    if values.dtype == object:
        return np.asarray(pd.factorize(values, sort=True)[0], np.float64)
    missing = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    numbers = values.astype("datetime64[us]").astype(np.float64) if values.dtype.kind == "M" else values
    # Ranks, so that neither scale nor outliers matter, but gaps of equal values do.
    ranks = np.unique(numbers[~missing], return_inverse=True)[1]
    found = np.full(len(values), -2.0)
    found[~missing] = ranks.ravel()
    return found


def duplicates(train_frame: DataFrame, other_frame: DataFrame) -> int:
    """How many rows of another part stand, with the same value in every column, in the training part, too.

    >>> import pandas as pd
    >>> train = pd.DataFrame({"x": ["1", "2"], "y": ["a", "b"]})
    >>> duplicates(train, pd.DataFrame({"x": ["2", "2", "1"], "y": ["b", "b", "b"]}))
    2
    """
    known = set(_fingerprints(train_frame))
    return sum(print_ in known for print_ in _fingerprints(other_frame))


def _fingerprints(frame: DataFrame) -> list[int]:
    """A number for each row, the same for equal rows and, but for one chance in 2⁶⁴, for no others."""
    import pandas as pd

    if all(kind == "O" for kind in frame.dtypes):
        return [hash(tuple(map(str, row))) for row in frame.to_numpy()]
    plain = {}
    for j in range(frame.shape[1]):
        column = frame.iloc[:, j]
        plain[j] = pd.Series([_plain(cell) for cell in column], dtype=object) if column.dtype == object else column
    table = pd.DataFrame({j: column.reset_index(drop=True) for j, column in plain.items()})
    return pd.util.hash_pandas_object(table, index=False).tolist()


def _plain(cell: Any) -> str:
    return cell if isinstance(cell, str) else as_text(cell)
