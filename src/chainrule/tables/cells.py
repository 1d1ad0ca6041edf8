"""The cells of a column: as they stand, without the spaces around text, and each different one once.

Most columns repeat a few values, so what is made of a column is made of its different values (`by_value`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import MISSING

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["as_series", "by_value", "cells", "coded", "distinct", "has_one_type", "repeats", "tally"]

Array = NDArray[Any]

#: In columns with fewer rows `coded` does not tell texts apart: it takes as long as reading each of them.
MANY_ROWS = 1_000


def cells(series: Any, missing: Collection[str] = MISSING) -> Array:
    """Return the cells as an array of objects: text without the spaces around it, None where a value is missing.

    The texts ``missing`` stand for missing values.

    >>> cells([" a ", "NA", 3, float("nan")]).tolist()
    ['a', None, 3, None]
    """
    import pandas as pd

    series = as_series(series)
    if repeats(series):
        return by_value(series, lambda values: cells(values, missing), None)
    column = series if isinstance(series, np.ndarray) else series.array
    empty, present = np.asarray(pd.isna(column)), np.array(column, object)
    present[empty] = None
    for row, cell in enumerate(present):
        if isinstance(cell, str):
            text = cell.strip()
            present[row] = None if text in missing else str(text)
    return present


def coded(frame: DataFrame) -> DataFrame:
    """Return the same table with its columns of text as categoricals: each different text once, and a number for each
    row.

    What is made of a column is then made of its different texts, which most often are few, also of some of its rows.
    Below `MANY_ROWS` rows a table of nothing but text gets plain cells instead: in a short column that is quicker.

    >>> import pandas as pd
    >>> coded(pd.DataFrame({"city": ["Rome", "Oslo"] * 500, "age": range(1000)})).dtypes.astype(str).tolist()
    ['category', 'int64']
    """
    import pandas as pd

    texts = [j for j, kind in enumerate(frame.dtypes) if isinstance(kind, pd.StringDtype)]
    if len(frame) < MANY_ROWS:
        return frame.astype(object) if len(texts) == len(frame.columns) else frame
    compact = frame.copy(deep=False)
    for j in texts:
        codes, values = pd.factorize(frame.iloc[:, j])
        compact.isetitem(j, pd.Categorical.from_codes(codes, values, validate=False))
    return compact


def tally(series: Any, missing: Collection[str] = MISSING) -> dict[Any, int] | None:
    """Return how often each different cell of a column of text occurs, in the order of their first rows; None for
    others.

    >>> import pandas as pd
    >>> tally(pd.Series(["b", "a ", None, "a"], dtype="str"))
    {'b': 1, 'a': 2}
    """
    import pandas as pd

    kind = series.cat.categories.dtype if isinstance(series.dtype, pd.CategoricalDtype) else series.dtype
    if not isinstance(kind, pd.StringDtype):
        return None
    codes, values = distinct(series)
    places, there = pd.factorize(codes[codes >= 0])  # those that occur, by their first rows
    counts: dict[Any, int] = {}
    for cell, count in zip(cells(values.iloc[there], missing), np.bincount(places).tolist(), strict=True):
        if cell is not None:
            counts[cell] = counts.get(cell, 0) + count
    return counts


def distinct(series: Any) -> tuple[Array, Any]:
    """Return the place of each cell among the different values, -1 for a missing one; and these, texts as plain
    objects.
    """
    import pandas as pd

    if not has_one_type(series):
        return _distinct_objects(series)
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes, values = series.cat.codes.to_numpy(), series.cat.categories
    else:
        codes, values = pd.factorize(series)
    values = pd.Series(values)
    return codes, values.astype(object) if isinstance(values.dtype, pd.StringDtype) else values


def _distinct_objects(series: Any) -> tuple[Array, Any]:
    """Return what `distinct` gives of cells of several types: 1, True and "1" are different."""
    places: dict[Any, int] = {}
    values: list[Any] = []
    codes = np.empty(len(series), np.intp)
    for row, cell in enumerate(series):
        key = (type(cell), cell if isinstance(cell, str | float | int) else id(cell))
        if key not in places:
            places[key] = len(values)
            values.append(cell)
        codes[row] = places[key]
    distinct_cells = np.empty(len(values), object)
    distinct_cells[:] = values
    return codes, distinct_cells


def by_value(series: Any, read: Callable[[Any], Array], missing: Any) -> Array:
    """Return what ``read`` makes of the different values of a series, which most often are few, for each of its
    cells.
    """
    codes, values = distinct(series)
    read_values = read(values)
    return np.append(read_values, np.array([missing], read_values.dtype))[codes]


def has_one_type(series: Any) -> bool:
    """Return whether all cells of a series are of one type, so that equal ones are read as the same."""
    return repeats(series) or series.dtype.kind in "biufM"


def repeats(series: Any) -> bool:
    """Return whether its cells are texts or categories, most of which occur many times."""
    import pandas as pd

    return isinstance(series.dtype, pd.CategoricalDtype | pd.StringDtype)


def as_series(column: Any) -> Any:
    """Return a pandas Series, or an array of objects; what is neither yet keeps each cell as it is, without a common
    type.
    """
    import pandas as pd

    if isinstance(column, pd.Series) or (isinstance(column, np.ndarray) and column.dtype == object):
        return column
    if isinstance(column, np.ndarray | pd.api.extensions.ExtensionArray | pd.Index):
        return pd.Series(column)
    return pd.Series(list(column), dtype=object)
