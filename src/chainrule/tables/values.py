"""The cells of a column as values of its kind, the same whether they were read as text or came with a type.

Cells that cannot be read as the kind that is asked for are missing there; `chainrule.tables.infer` counts them and says
so.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from chainrule.tables.categories import booleans, categories
from chainrule.tables.columns import Column
from chainrule.tables.dates import dates
from chainrule.tables.numbers import numbers

__all__ = ["values_of"]

Array = NDArray[Any]


def values_of(series: Any, column: Column) -> Array:
    """Return the cells by what the column is: numbers, truth values, dates, or the text of categories for all other
    kinds.

    >>> values_of(["3,5", None], Column("price", "number", decimal=","))
    array([3.5, nan])
    """
    if column.kind == "number":
        how: dict[str, Any] = {"decimal": column.decimal, "unit": column.unit}
        how |= {"bare": column.bare, "signed": column.signed}
        return numbers(series, **how, missing=column.missing_texts)
    if column.kind == "boolean":
        return booleans(series, missing=column.missing_texts)
    if column.kind == "date":
        return dates(series, day_first=column.day_first, missing=column.missing_texts)
    return categories(series, missing=column.missing_texts, exact=column.exact)
