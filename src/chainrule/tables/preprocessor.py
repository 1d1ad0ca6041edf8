"""From the columns of a table to the numbers that a network takes: learnt from the training rows, kept with the model.

What is done, in this order:

=========  =========================================================================================================
number     an outlier is clipped (``outliers="clip"``: to `CLIP` quartile distances outside the quartiles), a missing
           value is filled, then it is scaled
boolean    +1 for yes and -1 for no; a missing one is filled; not scaled
date       year and elapsed days as numbers above; month, day, weekday, hour and minute turn in a circle, so each
           becomes a sine and a cosine, both 0 where the date is missing
category   one input per category, 1 for the one it is and 0 for others ("one_hot"), or its number ("embedding"), for
           which the network learns a vector. A missing value is a category of its own where training rows have it.
           Categories in few training rows (`rare_below`) count as one, which unseen ones join. Without rare ones an
           unseen category is a row of zeros; of embedded ones it is the code 0.
=========  =========================================================================================================

A column with ``indicator`` gets a further input, 1 where its value is missing, if that happens in the training rows.
Every value that is no finite number of a column's kind counts as missing (`chainrule.tables.inspection` says so). What
has only one value in the training rows gives the same number for every row. No input is beyond ±`LIMIT`.

Each row is prepared for itself, so that a file in pieces gives what it gives as a whole (principal components to the
last bits only, which the library for matrix products rounds by the number of rows).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import is_whole
from chainrule.errors import DataError, SettingError, unknown_name
from chainrule.settings import plain
from chainrule.tables import transformers
from chainrule.tables.category_inputs import Categories, rare_below
from chainrule.tables.columns import MISSING, Column
from chainrule.tables.numeric_inputs import CLIP, Numbers, first_day, fit_numbers, is_missing, to_numeric
from chainrule.tables.profile import evidence_in, restyle
from chainrule.tables.selection import check_kind, check_plan, select, unreadable
from chainrule.tables.target import TargetColumn
from chainrule.tables.values import values_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["CLIP", "LIMIT", "Preprocessor", "rare_below"]

Array = NDArray[Any]

#: No input of a network is larger, so that sums of squares stay finite in float32.
LIMIT = 1e12

FORMAT = 2


@dataclass(frozen=True, eq=False)
class Preprocessor:
    """What makes inputs for a network of the columns of a table; see the top of this file for what it does.

    Made by `fit` from training rows. Called with a table it gives a float32 array (rows, features): all the numbers,
    then inputs that tell what is missing, then those of one-hot categories (or the principal components of all these),
    then the codes of embedded categories.

    Attributes
    ----------
    columns : the plan, for every column of the training table
    numbers : the numbers, by treatment
    flagged : columns with an input that tells whether the value is missing
    one_hot, ordinal : categories with one input for each, and with codes
    reduction : scikit-learn's PCA, or None
    origins : the day from which a date's elapsed days are counted, in days since 1970
    lenient : columns in which training rows had cells of another kind
    version : of scikit-learn, when it was fitted
    target : what reads the target of another table; None where the model was trained on targets beside the table
    inputs : names of the columns that it needs
    feature_names : what each input is
    embedded : (column, number of codes) of the embedded categories; their codes are the last inputs, in this order

    Examples
    --------
    >>> import pandas as pd
    >>> from chainrule.tables.columns import MISSING, Column
    >>> train = pd.DataFrame({"age": ["20", "40", None], "city": ["Rome", "Oslo", "Rome"]})
    >>> plan = (Column("age", "number", indicator=True), Column("city", "category"))
    >>> preparation = Preprocessor.fit(train, plan)
    >>> preparation.feature_names
    ('age', 'age missing', 'city=Oslo', 'city=Rome')
    >>> preparation(pd.DataFrame({"city": ["Paris", "Oslo"], "age": [30, None]}))
    array([[0., 0., 0., 0.],
           [0., 1., 1., 0.]], dtype=float32)
    """

    columns: tuple[Column, ...]
    numbers: tuple[Numbers, ...]
    flagged: tuple[str, ...]
    one_hot: Categories
    ordinal: Categories
    reduction: Any
    origins: Mapping[str, float]
    lenient: tuple[str, ...]
    version: str
    target: TargetColumn | None = None
    inputs: tuple[str, ...] = field(init=False)
    feature_names: tuple[str, ...] = field(init=False)
    embedded: tuple[tuple[str, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        dense = [name for block in self.numbers for name in block.names]
        dense += [f"{name} missing" for name in self.flagged]
        dense += self.one_hot.titles
        if self.reduction is not None:
            dense = [f"component {i + 1}" for i in range(int(self.reduction.n_components_))]
        codes = [
            (name, len(frequent) + 1) for name, frequent in zip(self.ordinal.names, self.ordinal.frequent, strict=True)
        ]
        object.__setattr__(self, "inputs", tuple(column.name for column in self.columns if column.use))
        object.__setattr__(self, "feature_names", (*dense, *self.ordinal.names))
        object.__setattr__(self, "embedded", tuple(codes))

    @classmethod
    def fit(cls, frame: DataFrame, columns: Iterable[Column], *, components: int | float | None = None) -> Self:
        """Learn from the training rows what the plan asks for.

        Parameters
        ----------
        frame
            The training rows alone.
        columns
            What each column is and what is to be done with it (`chainrule.tables.infer`).
        components
            Put so many principal components in the place of all numbers and one-hot inputs (not of embedded
            categories); a fraction below 1 takes as many as keep that fraction of the variance.

        Raises
        ------
        DataError
            No rows, no column to use, or a column that the table does not have.
        SettingError
            A plan that cannot be carried out, or more components than inputs or rows.
        """
        import sklearn

        columns = tuple(columns)
        used = [column for column in columns if column.use]
        if not used:
            raise DataError("No column is left to learn from: the plan leaves all of them out.")
        for column in used:
            check_plan(column)
        frame = select(frame, used)
        if not len(frame):
            raise DataError("The training part of the table has no rows.")
        read = [(c, cells, values_of(cells, c)) for c, (_, cells) in zip(used, frame.items(), strict=True)]
        values = [v for _, _, v in read]
        origins = {column.name: first_day(v) for column, _, v in read if column.kind == "date"}
        preprocessor = cls(
            columns,
            tuple(fit_numbers(used, to_numeric(used, values, origins))),
            tuple(c.name for c, _, v in read if c.indicator and c.kind != "category" and is_missing(v).any()),
            Categories.fit(*_texts(used, values, "one_hot"), codes=False),
            Categories.fit(*_texts(used, values, "embedding"), codes=True),
            None,
            origins,
            tuple(c.name for c, cells, v in read if len(unreadable(cells, v, c.kind)[0])),
            sklearn.__version__,
        )
        return (
            preprocessor
            if components is None
            else replace(preprocessor, reduction=_reduction(preprocessor._dense(values), components))
        )

    def __call__(self, frame: DataFrame, columns: Sequence[Column] | None = None) -> Array:
        """Return the inputs for the network, float32 (rows, features).

        Columns are found by name, in any order; other ones are ignored (`extra` names them). Numbers may be written in
        another style than in the training rows (`chainrule.tables.number_style`), which is inferred from this table, or
        from the whole of which it is a piece: ``columns`` are then those of the whole's `TableInspection`.

        Raises `DataError` for columns that are missing, and for a column in which no cell can be read as what it was in
        the training rows (text in the place of numbers).
        """
        if not len(frame):
            select(frame, self._used)
            return np.zeros((0, len(self.feature_names)), np.float32)
        values = self.values(frame, columns)
        dense = self._dense(values)
        if self.reduction is not None:
            dense = self.reduction.transform(dense)
        codes = self.ordinal(_texts(self._used, values, "embedding")[1])
        return np.concatenate([np.clip(dense, -LIMIT, LIMIT), codes], axis=1).astype(np.float32)

    def values(self, frame: DataFrame, columns: Sequence[Column] | None = None) -> list[Array]:
        """Return what the cells of each column that is used hold; parameters and errors as for the call."""
        selected = select(frame, self._used)
        if columns is None:
            series = [cells for _, cells in selected.items()]
            evidence = [
                evidence_in(cells, column) if column.kind == "number" else None
                for cells, column in zip(series, self._used, strict=True)
            ]
            separator = frame.attrs.get("separator")
            columns = restyle(self.columns_as_written(separator), evidence, separator)
        values = []
        for column, (_, cells) in zip(columns, selected.items(), strict=True):
            values.append(values_of(cells, column))
            if column.name not in self.lenient:
                check_kind(cells, values[-1], column)
        return values

    def extra(self, frame: DataFrame) -> tuple[str, ...]:
        """Return columns of a table that the network was not trained on, nor is to predict: they are ignored."""
        known = {column.name for column in self.columns} | ({self.target.name} if self.target is not None else set())
        return tuple(str(name) for name in frame.columns if str(name) not in known)

    def columns_as_written(self, separator: str | None) -> list[Column]:
        """Return the columns that are used, as a text file with this separator writes missing values (None: no file).

        A file writes them as text, also where the training table was a frame, whose text means what it says.
        """
        return [column if separator is None else self._in_a_file(column) for column in self._used]

    def _in_a_file(self, column: Column) -> Column:
        if column.kind != "category" or column.na_values != ("",):
            return column
        known = self.lookup(column.name)[0]
        return replace(column, na_values=tuple(sorted(text for text in MISSING if text not in known)))

    @functools.cached_property
    def checksum(self) -> str:
        """What tells it apart from preparations that do something else."""
        plain, arrays = self.to_parts()
        content = hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode())
        for name in sorted(arrays):
            content.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
            content.update(np.ascontiguousarray(arrays[name]).tobytes())
        return content.hexdigest()

    def same_as(self, other: Preprocessor) -> bool:
        """Return whether another preparation does the same."""
        return self is other or self.checksum == other.checksum

    def lookup(self, name: str) -> tuple[dict[str | None, int], int | None]:
        """Return the code (or the place among its inputs) of each category of a column, and that of unseen ones.

        The category None is a missing value; the place None is a row of zeros.
        """
        for categories in (self.one_hot, self.ordinal):
            if name in categories.names:
                return categories.lookup(name)
        raise unknown_name("category column", name, (*self.one_hot.names, *self.ordinal.names))

    def __repr__(self) -> str:
        return f"Preprocessor({len(self.inputs):,} columns to {len(self.feature_names):,} inputs)"

    # --- steps ------------------------------------------------------------------------------------------------

    @property
    def _used(self) -> list[Column]:
        return [column for column in self.columns if column.use]

    def _dense(self, values: Sequence[Array]) -> Array:
        """Return the inputs that are no codes, float64, before principal components are taken."""
        used = self._used
        by_name = {column.name: cells for column, cells in zip(used, values, strict=True)}
        numeric = to_numeric(used, values, self.origins)
        parts = [block(numeric) for block in self.numbers]
        parts += [is_missing(by_name[name])[:, None] for name in self.flagged]
        parts.append(self.one_hot(_texts(used, values, "one_hot")[1]))
        return np.concatenate(parts, axis=1, dtype=np.float64)

    # --- files ------------------------------------------------------------------------------------------------

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return all of it as plain values (for JSON) and arrays; nothing in them is code."""
        arrays: dict[str, Array] = {}

        def keep(name: str, transformer: Any) -> Any:
            if transformer is None:
                return None
            plain, part_arrays = transformers.to_parts(transformer)
            arrays.update({f"{name}.{place}": array for place, array in part_arrays.items()})
            return plain

        numbers = []
        for i, block in enumerate(self.numbers):
            clip_bounds = {"at": np.array(block.at, np.int64), "low": block.low, "high": block.high}
            arrays |= {f"numbers.{i}.{place}": array for place, array in clip_bounds.items()}
            parts = {part: keep(f"numbers.{i}.{part}", getattr(block, part)) for part in ("imputer", "scaler")}
            numbers.append({"names": list(block.names), **parts})
        plain = {
            "format": FORMAT,
            "scikit-learn": self.version,
            "columns": [column.to_dict() for column in self.columns],
            "numbers": numbers,
            "flagged": list(self.flagged),
            "one_hot": keep("one_hot", self.one_hot.encoder),
            "ordinal": keep("ordinal", self.ordinal.encoder),
            "reduction": keep("reduction", self.reduction),
            "origins": dict(self.origins),
            "tolerated": list(self.lenient),
            "target": None if self.target is None else self.target.to_dict(),
        }
        return plain, arrays

    @classmethod
    def from_parts(cls, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """Return the preparation that `to_parts` described; it gives the same numbers to the last bit.

        Raises `DataError` for parts that are missing, damaged or contradict each other: the preparation is tried out on
        a row without values.
        """
        import pandas as pd

        try:
            preparation = cls._from_parts(plain, arrays)
            tried = preparation(
                pd.DataFrame(np.full((1, len(preparation.inputs)), None), columns=list(preparation.inputs))
            )
            if tried.shape != (1, len(preparation.feature_names)) or not np.isfinite(tried).all():
                raise DataError("its parts contradict each other.")
        except Exception as error:  # whatever scikit-learn makes of damaged values
            version = plain.get("scikit-learn", "?") if isinstance(plain, Mapping) else "?"
            raise DataError(
                f"The stored preparation of the table cannot be used (made with scikit-learn {version}): {error}"
            ) from None
        return preparation

    @classmethod
    def _from_parts(cls, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        def read(name: str, part: Any) -> Any:
            part_arrays = {key.removeprefix(f"{name}."): v for key, v in arrays.items() if key.startswith(f"{name}.")}
            return None if part is None else transformers.from_parts(part, part_arrays)

        if plain["format"] != FORMAT:
            raise DataError(f"its format {plain['format']!r} is unknown (known: {FORMAT}); use a newer chainrule.")
        columns = tuple(Column.from_dict(column) for column in plain["columns"])
        for column in columns:
            check_plan(column)
        numbers = []
        for i, block in enumerate(plain["numbers"]):
            names = tuple(str(name) for name in block["names"])
            at, low, high = (np.asarray(arrays[f"numbers.{i}.{place}"]) for place in ("at", "low", "high"))
            if not at.shape == low.shape == high.shape == (len(names),) or not (low <= high).all():
                raise DataError(f"the clip bounds of the numbers {names} are damaged.")
            imputer, scaler = (read(f"numbers.{i}.{part}", block[part]) for part in ("imputer", "scaler"))
            numbers.append(Numbers(names, tuple(int(place) for place in at), low, high, imputer, scaler))
        return cls(
            columns,
            tuple(numbers),
            tuple(str(name) for name in plain["flagged"]),
            Categories(_encoded(columns, "one_hot"), read("one_hot", plain["one_hot"])),
            Categories(_encoded(columns, "embedding"), read("ordinal", plain["ordinal"])),
            read("reduction", plain["reduction"]),
            {str(name): float(day) for name, day in plain["origins"].items()},
            tuple(str(name) for name in plain["tolerated"]),
            str(plain["scikit-learn"]),
            None if plain["target"] is None else TargetColumn.from_dict(plain["target"]),
        )


def _encoded(columns: Sequence[Column], encode: str) -> tuple[str, ...]:
    """Return the names of the category columns with an encoding."""
    return tuple(c.name for c in columns if c.use and c.kind == "category" and c.encode == encode)


def _texts(used: Sequence[Column], values: Sequence[Array], encode: str) -> tuple[tuple[str, ...], Array]:
    """Return names and texts, (rows, columns), of the category columns with an encoding."""
    names = _encoded(used, encode)
    wanted = set(names)
    parts = [texts for column, texts in zip(used, values, strict=True) if column.name in wanted]
    return names, np.stack(parts, axis=1) if parts else np.zeros((len(values[0]), 0), object)


def _reduction(dense: Array, components: Any) -> Any:
    from sklearn.decomposition import PCA

    rows, inputs = dense.shape
    components = plain(components)
    whole = is_whole(components) and 1 <= components <= min(rows, inputs)
    fraction = isinstance(components, float) and 0 < components < 1
    if not whole and not fraction:
        raise SettingError(
            f"components is a whole number from 1 to {min(rows, inputs):,} ({inputs:,} inputs, {rows:,} rows), "
            f"or a fraction of the variance between 0 and 1; got {components!r}."
        )
    return PCA(components, random_state=0).fit(dense)
