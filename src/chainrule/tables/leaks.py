"""Warnings of leaks: columns that give the target away, and rows that stand in two parts of the split.

A column that was filled in only after the fact (the lifeboat of a passenger, the date on which a loan was written off)
makes a test score that no new row will ever see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.association import evenly
from chainrule.tables.categories import as_text
from chainrule.tables.columns import Column
from chainrule.tables.combinations import combinations
from chainrule.tables.values import values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["ALONE", "duplicates", "format_duplicates", "leaks", "power", "strongest"]

Array = NDArray[Any]

#: A column is suspected if it alone explains this fraction of what the most frequent class, or the mean, leaves open.
ALONE = 0.95

#: From these fractions of a part's rows on, duplicates of training rows touch the score, and make most of it worthless.
TOUCHED, WORTHLESS = 0.01, 0.25

#: So many columns that give the target away are named one by one.
NAMED = 10

#: Rows that are looked at, columns that are, and rows below which nothing can be said.
ROWS, COLUMNS, FEWEST = 2_000, 2_000, 30


def leaks(train_frame: DataFrame, columns: Sequence[Column], target_values: Any, task: str) -> list[str]:
    """Return warnings of columns that give the target away, alone or a few together, as sentences; most often none.

    Each row's target is guessed from the row whose value in the column is next to its own (`power`); then sums of
    columns are looked for that are the target (`combinations`). At most `ROWS` training rows, evenly spread, and the
    first `COLUMNS` columns are looked at. Columns that are not used cannot leak.

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
    if len(target_values) < FEWEST or np.ndim(target_values) > 1:
        return []
    rows, y = _sampled(target_values, task)
    if len(np.unique(y)) < 2:
        return []
    open_without = "of the variance of the target"
    if task != "regression":
        open_without = "of what the most frequent class leaves open"
    telling, names, numbers = [], [], []
    for column, values in _values(train_frame, columns, rows):
        explained = power(_numbered(values), y, task)
        if explained >= ALONE:
            telling.append((column.name, explained))
        if values.dtype != object:
            names.append(column.name)
            numbers.append(_days(values) if values.dtype.kind == "M" else values)
    warnings = [
        f"The column {name!r} alone tells {100 * explained:.0f} % {open_without}. If it is known only after the "
        "target, leave it out."
        for name, explained in telling[:NAMED]
    ]
    if len(telling) > NAMED:
        warnings.append(f"So does each of {len(telling) - NAMED:,} more columns.")
    return warnings + (combinations(names, np.stack(numbers, axis=1), y, task) if numbers else [])


def strongest(
    train_frame: DataFrame, columns: Sequence[Column], target_values: Any, task: str, most: int = 3
) -> list[tuple[str, float]]:
    """Return the columns that tell most of the target alone (`power`), and how much: what to look at first.

    Parameters as of `leaks`.
    """
    rows, y = _sampled(target_values, task)
    powers = [(column.name, power(_numbered(v), y, task)) for column, v in _values(train_frame, columns, rows)]
    return sorted(powers, key=lambda pair: -pair[1])[:most]


def _sampled(target_values: Any, task: str) -> tuple[Array, Array]:
    """Return the rows that are looked at, and their targets: numbers, or codes of classes."""
    targets = np.asarray(target_values)
    rows = evenly(len(targets), ROWS)
    if task == "regression":
        return rows, targets[rows].astype(np.float64)
    return rows, np.unique(targets[rows].astype(str), return_inverse=True)[1].ravel()


def _values(train_frame: DataFrame, columns: Sequence[Column], rows: Array) -> Iterator[tuple[Column, Array]]:
    """Yield each column that is used, with its values in these rows."""
    places = {str(name): j for j, name in enumerate(train_frame.columns)}
    for column in [column for column in columns if column.use and column.name in places][:COLUMNS]:
        yield column, values_of(train_frame.iloc[:, places[column.name]].iloc[rows], column)


def _days(dates: Array) -> Array:
    """Return dates as days since 1970, NaN where there is none."""
    days: Array = dates.astype("datetime64[us]").astype(np.float64) / 86_400e6
    return np.where(np.isnat(dates), np.nan, days)


def power(x: Array, y: Array, task: str) -> float:
    """Return how much of the target a column explains alone, from 0 (nothing) or below to 1 (all).

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
    """Return values as finite numbers: dates by their time, categories by their place, what is missing apart from the
    rest.
    """
    import pandas as pd

    if values.dtype == object:
        return np.asarray(pd.factorize(values, sort=True)[0], np.float64)
    missing = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    numbers = values.astype("datetime64[us]").astype(np.float64) if values.dtype.kind == "M" else values
    # Ranks, so that neither scale nor outliers matter, but gaps of equal values do.
    ranks = np.unique(numbers[~missing], return_inverse=True)[1]
    numbered = np.full(len(values), -2.0)
    numbered[~missing] = ranks.ravel()
    return numbered


def duplicates(train_frame: DataFrame, other_frame: DataFrame) -> int:
    """Return how many rows of another part stand, with the same value in every column, in the training part, too.

    >>> import pandas as pd
    >>> train = pd.DataFrame({"x": ["1", "2"], "y": ["a", "b"]})
    >>> duplicates(train, pd.DataFrame({"x": ["2", "2", "1"], "y": ["b", "b", "b"]}))
    2
    """
    known = set(_fingerprints(train_frame))
    return sum(fingerprint in known for fingerprint in _fingerprints(other_frame))


def format_duplicates(same: int, rows: int, part: str) -> str:
    """Return what so many duplicates mean for the score on a part: at most their share of it can be due to them.

    >>> format_duplicates(1, 3_295, "test")
    '1 of the 3,295 test rows (0.03 %) stands in the training rows, too: too few to touch the score.'
    """
    percent = f"{100 * same / rows:.2g} %" if same < rows else "100 %"
    meaning = f"up to {percent} of the right answers may be remembered"
    if same < TOUCHED * rows:
        meaning = "too few to touch the score"
    elif same >= WORTHLESS * rows:
        meaning = "the score on them says little about new rows"
    stand = "stands" if same == 1 else "stand"
    return f"{same:,} of the {rows:,} {part} rows ({percent}) {stand} in the training rows, too: {meaning}."


def _fingerprints(frame: DataFrame) -> list[int]:
    """Return a number for each row, the same for equal rows and, but for one chance in 2⁶⁴, for no others."""
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
