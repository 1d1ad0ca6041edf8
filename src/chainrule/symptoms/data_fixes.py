"""What takes a fault of the data away: rows or columns left out, values brought into the range of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.data import Dataset, PreparedInputs
from chainrule.data.streams import as_stream
from chainrule.symptoms import data_checks
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.fix import DataChange, Fix
from chainrule.symptoms.subject import Subject
from chainrule.tables.table import Table

__all__ = ["DATA_REMEDIES", "finite_rows"]

Findings = Sequence[Finding]

#: More rows than this share are not left out: what is left would be other data.
MOST_DROPPED = 0.5


def labels_noisy(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Leave out the rows whose targets an ensemble that was not shown them takes for wrong; or those it is sure of."""
    yield from _without(subject, data_checks.wrong_rows(subject), "whose targets look wrong")
    for surer_than, words in ((0.0, "are not those of their likes"), (0.5, "are surely wrong")):
        rows = data_checks.suspicious_rows(subject, surer_than)
        yield from _without(subject, rows, f"whose targets {words}")


def repeated(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Leave out training rows that are there twice, and those that are validation rows."""
    rows = data_checks.duplicate_rows(subject)
    yield from _without(subject, rows, "that occur before, or among the validation rows", most=0.95)


def _without(subject: Subject, rows: Any, which: str, most: float = MOST_DROPPED) -> Iterator[Fix]:
    if 0 < len(rows) <= most * len(subject.rows.x):
        change = DataChange("drop_rows", rows=tuple(sorted(int(row) for row in rows)))
        number = f"{len(rows):,} rows" if len(rows) > 1 else "row"
        yield Fix(f"The data without the {number} {which}.", data=(change,))


def leak(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Leave out the columns that give the target away."""
    columns = data_checks.leaking_columns(subject)
    if columns:
        names = ", ".join(repr(name) if isinstance(name, str) else f"input {name}" for name in columns)
        text = f"The data without {names}, unless it is known before the target is."
        yield Fix(text, data=(DataChange("drop_columns", columns=tuple(columns)),))


def outliers(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Bring values that lie far from all others into the range of these; then leave out their rows."""
    columns, low, high = data_checks.outlier_bounds(subject)
    changes = [DataChange("clip", columns, low=low, high=high)] if columns else []
    if (bounds := data_checks.target_bounds(subject)) is not None:
        changes.append(DataChange("clip", low=(float(bounds[0]),), high=(float(bounds[1]),)))
    if changes:
        yield Fix("Values far from all others clipped to the range of these.", data=tuple(changes))
        yield from _without(subject, data_checks.outlying_rows(subject), "with a value far from all others", 0.2)


def nan(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Leave out rows with values that are missing or infinite."""
    yield from finite_rows(subject.data)


def finite_rows(data: Any) -> Iterator[Fix]:
    """Yield the fix of values that are missing or infinite in data that `fit` refuses for them, if there is one.

    A column that has none in most rows is left out, and then the rows that still have some. A `Table` needs none: its
    missing cells are filled.

    >>> import numpy as np
    >>> from chainrule.symptoms.data_fixes import finite_rows
    >>> (fix,) = finite_rows((np.array([[1.0], [np.nan], [2.0]]), np.array([0, 1, 1])))
    >>> fix.data[0].rows
    (1,)
    """
    if isinstance(data, Table) or as_stream(data if not isinstance(data, tuple | list) else data[0]) is not None:
        return
    x, y = (data.x, data.y) if isinstance(data, Dataset) else data
    x = x.x if isinstance(x, PreparedInputs) else x
    bad_inputs, bad_targets = _not_finite(x), _not_finite(y).any(axis=1)
    columns: tuple[int, ...] = ()
    if np.ndim(x) == 2:
        columns = tuple(np.flatnonzero(bad_inputs.mean(axis=0) > MOST_DROPPED).tolist())
    bad_inputs[:, list(columns)] = False
    rows = np.flatnonzero(bad_inputs.any(axis=1) | bad_targets)
    if len(rows) == len(bad_inputs) or len(columns) == bad_inputs.shape[1] or not (len(rows) or columns):
        return
    changes, words = [], []
    if columns:
        changes.append(DataChange("drop_columns", columns=columns))
        words.append(f"{len(columns)} column{'s' if len(columns) > 1 else ''}")
    if len(rows):
        changes.append(DataChange("drop_rows", rows=tuple(rows.tolist())))
        words.append(f"the {len(rows):,} rows")
    yield Fix(f"The data without {' and '.join(words)} with values that are missing or infinite.", data=tuple(changes))


def _not_finite(values: Any) -> np.ndarray:
    """Return which values are missing or infinite, as (rows, values of a row)."""
    if hasattr(values, "isna"):
        missing = values.isna().to_numpy().reshape(len(values), -1)
        numbers = values.to_frame() if values.ndim == 1 else values
        numbers = numbers.select_dtypes("number")
        return missing | (np.isinf(numbers.to_numpy(float)).any(axis=1)[:, None] if numbers.shape[1] else False)
    array = np.asarray(values)
    array = array.reshape(len(array), -1)
    if array.dtype.kind == "f":
        return ~np.isfinite(array)
    if array.dtype.kind == "O":
        return np.vectorize(lambda value: value is None or value != value, otypes=[bool])(array)
    return np.zeros(array.shape, bool)


#: What is done about faults of the data; targets that have nothing to do with the inputs, too few rows, parts that are
#: not alike and scrambled pixels have no fix.
DATA_REMEDIES: Mapping[str, Callable[[Subject, Findings], Iterator[Fix]]] = {
    "nan": nan,
    "labels_noisy": labels_noisy,
    "leak": leak,
    "outliers": outliers,
    "overlap": repeated,
    "duplicates": repeated,
}
