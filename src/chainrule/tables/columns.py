"""What a column of a table is, and what will happen to it: a plan that is shown before anything is trained."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from chainrule.display.text import first_few
from chainrule.errors import DataError

#: What stands for a missing value in a text file, besides an empty cell. "None" is not among them: in a column of
#: categories it may be one ("None", "Mild", "Severe"); in columns of numbers, dates and truth values it is missing.
MISSING = frozenset(
    ["", "NA", "na", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "NaT", "NULL", "null", "Null", "?", "-", "--"]
)

#: What a column can be. Text, identifiers and constants are left out.
KINDS = ("number", "boolean", "category", "date", "text", "identifier", "constant")


@dataclass(frozen=True)
class Column:
    """A column of a table: what was found in it, and what will be done with it.

    Attributes
    ----------
    name : as in the file
    kind : one of `KINDS`
    use : whether it becomes part of the inputs
    reason : in plain words, why it is what it is or why it is left out: "3 different values", "numbered rows"
    missing : training rows without a value
    distinct : different values in the training rows
    example : a value, as in the file
    fill : what takes the place of a missing number: "median", "mean", "most_frequent" or "zero"
    indicator : whether a further input tells that the value was missing
    outliers : "keep", "clip" (to ``CLIP`` quartile distances outside the quartiles) or "robust" (median and quartile
        distance take the place of mean and standard deviation)
    scale : "standardize", "min_max", "quantile" or "none"
    encode : of a category: "one_hot" or "embedding"
    parts : of a date: "year", "month", "day", "weekday", "hour", "minute" ("elapsed": days since the first one)
    decimal : what stands before the decimals in numbers written as text, "." or ","
    unit : the sign beside numbers written as text, such as "%" or "$"; "" if there is none
    bare, signed : what numbers without and with that sign are multiplied by: ``bare=100`` where 0.39 stands beside 88 %
    low, high : the smallest and the largest number of the training rows
    day_first : whether 03/04/2020 is the third of April
    na_values : texts that stand for a missing value; None: `MISSING`
    exact : whether categories are told apart by their texts as they are written, since two of the training rows differ
        in nothing else, as 3.1 and 3.10
    note : what should be known about how the cells are read; it is always shown
    """

    name: str
    kind: str
    use: bool = True
    reason: str = ""
    missing: int = 0
    distinct: int = 0
    example: str = ""
    fill: str = "median"
    indicator: bool = False
    outliers: str = "keep"
    scale: str = "standardize"
    encode: str = "one_hot"
    parts: tuple[str, ...] = ()
    decimal: str = "."
    unit: str = ""
    bare: float = 1.0
    signed: float = 1.0
    low: float = 0.0
    high: float = 0.0
    day_first: bool = False
    na_values: tuple[str, ...] | None = None
    exact: bool = False
    note: str = ""

    @property
    def missing_texts(self) -> frozenset[str]:
        """The texts that stand for a missing value."""
        return MISSING if self.na_values is None else frozenset(self.na_values)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for files."""
        na_values = None if self.na_values is None else list(self.na_values)
        return vars(self) | {"parts": list(self.parts), "na_values": na_values}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the inverse of `to_dict`."""
        na_values = plain.get("na_values")
        texts = {"parts": tuple(plain.get("parts", ())), "na_values": None if na_values is None else tuple(na_values)}
        return cls(**{**plain, **texts})


def find_column(names: Iterable[Any], name: str, what: str = "column") -> str:
    """Return the name, if it is among the columns; else a `DataError` that offers the nearest ones.

    >>> find_column(["Age", "Survived"], "survived", "target column")
    Traceback (most recent call last):
        ...
    chainrule.errors.DataError: There is no target column 'survived'; did you mean 'Survived'? The columns are: \
'Age', 'Survived'.
    """
    known = [str(column) for column in names]
    if name in known:
        return name
    lower = {column.lower(): column for column in reversed(known)}
    near = [lower[match] for match in difflib.get_close_matches(str(name).strip().lower(), lower, n=2, cutoff=0.6)]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    columns = first_few([repr(column if len(column) <= 60 else column[:57] + "...") for column in known], 20)
    text = f"There is no {what} {name!r}{hint} The columns are: {columns}."
    if sum(re.fullmatch(r"-?[0-9]*\.?[0-9]+", column) is not None for column in known) > len(known) / 2:
        text += " (The first line of a file must hold their names; is it missing?)"
    raise DataError(text)
