"""Turn what a user gives (lists, arrays, data frames) into NumPy arrays of numbers, or say what is wrong.

Nothing is repaired silently: a missing value, text among the numbers or a row that is too short is an error
that says how many there are, where the first one is, and what to do.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError, DataError

__all__ = ["check_features", "check_pair", "check_target"]

Array = NDArray[Any]

#: float32 holds every whole number up to here; above, neighbours become the same.
WHOLE = 2**24

_KINDS = {"M": "dates", "m": "time spans", "V": "records", "U": "text", "c": "complex numbers"}

_TARGET_KINDS: tuple[tuple[Any, Any], ...] = (
    (str, np.str_),
    (bool | np.bool_, np.bool_),
    (numbers.Integral, None),
    (numbers.Real, np.float64),
)


def check_features(x: Any, name: str = "x") -> Array:
    """Return the features as a NumPy array of finite numbers, one row for each sample.

    Parameters
    ----------
    x
        A list of rows, a NumPy or JAX array, a data frame, or anything else that NumPy can read, of shape
        (n, features), or (n, height, width, channels) for images. Floating numbers keep their kind (float32
        or float64), whole numbers and booleans become float32, or float64 if some are beyond 2²⁴.
    name
        What to call it in an error message.

    Raises
    ------
    DataError
        No rows or no columns, one axis only, rows of different lengths, text, dates or complex numbers
        (which column), missing, NaN or infinite values (how many, and where the first one is).

    Examples
    --------
    >>> from chainrule.data import check_features
    >>> check_features([[1, 2], [3, 4]])
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    >>> check_features([[1.0, float("nan")], [3.0, 4.0]])
    Traceback (most recent call last):
        ...
    chainrule.errors.DataError: x holds values that are not finite: 1 NaN, the first (nan) in row 0, \
column 1. Remove these rows, or fill the gaps, before training.
    """
    columns = _columns(x)
    array = _to_array(x, name)
    if array.ndim < 2:
        raise DataError(
            f"{name} has shape {array.shape}; expected one row for each sample: (n, features), or (n, "
            f"height, width, channels). For one feature: {name}.reshape(-1, 1), for one sample: {name}[None]."
        )
    if array.size == 0:
        raise DataError(f"{name} is empty: its shape is {array.shape}. At least one row and one column are needed.")
    if array.dtype.kind == "O":
        array = _from_objects(array, name, columns)
    array = to_float(array, name, columns)
    check_finite(array, name, columns)
    return array


def check_target(y: Any, name: str = "y") -> Array:
    """Return the target as a NumPy array of whole numbers, text, booleans or finite floating numbers.

    One value for each sample, shape (n,), or one row for each sample, shape (n, outputs). What the values
    mean is decided in `encode_target`.

    >>> from chainrule.data import check_target
    >>> check_target(["cat", "dog", "cat"])
    array(['cat', 'dog', 'cat'], dtype='<U3')
    """
    array = _to_array(y, name)
    if array.ndim == 0:
        raise DataError(f"{name} is a single value; expected one target for each sample, in a list or an array.")
    if array.size == 0:
        raise DataError(f"{name} is empty: its shape is {array.shape}. At least one target is needed.")
    if array.dtype.kind == "O":
        array = _same_kind(array, name)
    if array.dtype.kind in _KINDS and array.dtype.kind != "U":
        raise DataError(f"{name} holds {_KINDS[array.dtype.kind]}; expected numbers, text or booleans.")
    if array.dtype.kind == "f":
        array = array.astype(float_dtype(array.dtype), copy=False)
        check_finite(array, name, None)
    return array


def check_pair(x: Any, y: Any) -> tuple[Array, Array]:
    """Return features and target, checked, with one target for each row of features.

    >>> from chainrule.data import check_pair
    >>> check_pair([[1.0], [2.0]], ["a", "b", "b"])
    Traceback (most recent call last):
        ...
    chainrule.errors.DataError: x has 2 rows and y has 3: every row of x needs exactly one target.
    """
    features, target = check_features(x, "x"), check_target(y, "y")
    check_lengths(features, target)
    return features, target


def check_lengths(x: Any, y: Any) -> None:
    """Raise unless there is one target for each row of features; the message offers what mends it."""
    if len(x) == len(y):
        return
    hint = ""
    if y.ndim == 2 and y.shape[0] == 1 and y.shape[1] == len(x):
        hint = " y lies on its side: write y.ravel()."
    elif len(x.shape) == 2 and x.shape[1] == len(y):
        hint = " x has that many columns: if samples are columns, write x.T."
    raise DataError(f"x has {len(x):,} rows and y has {len(y):,}: every row of x needs exactly one target.{hint}")


def _columns(x: Any) -> list[str] | None:
    """Return the column names of a data frame."""
    columns = getattr(x, "columns", None)
    return [str(c) for c in columns] if hasattr(x, "to_numpy") and columns is not None else None


def _to_array(data: Any, name: str) -> Array:
    """Return anything that looks like an array as one; of objects, if it holds several kinds."""
    if data is None or isinstance(data, str | bytes | dict | set | frozenset):
        raise DataError(f"{name} is {_kind(data)}; expected an array, a list of rows or a data frame.")
    if hasattr(data, "toarray"):
        raise DataError(f"{name} is a sparse matrix; write {name}.toarray().")
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise DataError(f"{name} has {int(np.ma.getmaskarray(data).sum()):,} masked values; fill or remove them.")
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    elif isinstance(data, Iterable) and not hasattr(data, "__array__") and not isinstance(data, Sequence):
        data = list(data)
    try:
        array = np.asarray(data)
    except ChainruleError:
        raise
    except ValueError as error:
        raise DataError(_ragged(data, name) or f"{name} cannot be read as an array: {error}") from None
    except (TypeError, RuntimeError) as error:
        raise DataError(f"{name} cannot be read as an array: {error}") from None
    if array.ndim == 0 and array.dtype.kind == "O":
        raise DataError(f"{name} is {_kind(data)}; expected an array, a list of rows or a data frame.")
    if array.dtype.kind == "T":  # NumPy's text of any length
        array = array.astype(object)
    if array.dtype.kind == "S":
        try:
            array = np.strings.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name} holds bytes that are not UTF-8 text: {error}.") from None
    elif isinstance(data, list | tuple) and array.dtype.kind == "U":
        array = np.array(data, dtype=object)  # NumPy made text of the numbers beside the text
    if array.dtype.kind == "V" and array.dtype.name.startswith(("bfloat", "float")):
        array = array.astype(np.float32)  # JAX's small floats; NumPy does not count them as floats
    return array


def _from_objects(array: Array, name: str, columns: list[str] | None) -> Array:
    """Return an array of Python objects, column by column, as numbers."""
    missing = np.frompyfunc(_is_missing, 1, 1)(array).astype(bool)
    if missing.any():
        _report_missing(missing, name, columns)
    flat = array.reshape(len(array), -1)
    for j in range(flat.shape[1]):
        for i, value in enumerate(flat[:, j]):
            if not isinstance(value, numbers.Real | np.bool_):
                raise DataError(_not_a_number(value, i, j, array, name, columns))
    whole = all(isinstance(value, numbers.Integral | np.bool_) for value in flat.ravel())
    try:
        exact = whole and all(-WHOLE <= int(value) <= WHOLE for value in flat.ravel())
        return array.astype(np.float32 if exact else np.float64)
    except OverflowError as error:
        raise DataError(f"{name} holds a number too large for a float: {error}.") from None


def to_float(array: Array, name: str, columns: list[str] | None) -> Array:
    """Return numbers as floating ones; anything else is an error."""
    kind = array.dtype.kind
    if kind in "biuf":
        return array.astype(float_dtype_of(array), copy=False)
    if kind == "U":
        flat = array.reshape(len(array), -1)
        places = ((i, j) for j in range(flat.shape[1]) for i in range(len(flat)) if not _reads_as_number(flat[i, j]))
        i, j = next(places, (0, 0))
        raise DataError(_not_a_number(str(flat[i, j]), i, j, array, name, columns))
    raise DataError(f"{name} holds {kind_of(array.dtype)}; expected numbers.")


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return what an array holds that does not hold numbers."""
    return _KINDS.get(dtype.kind, str(dtype))


def float_dtype(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Return float32 for types whose values it holds exactly, float64 for others; in the machine's byte order."""
    exact = dtype.itemsize <= (4 if dtype.kind == "f" else 2) or dtype.kind == "b"
    return np.float32 if exact else np.float64


def float_dtype_of(array: Array) -> type[np.floating[Any]]:
    """Return what `float_dtype` does, and float32 too for whole numbers of a wide type that are small enough for it."""
    wide = float_dtype(array.dtype)
    if array.dtype.kind in "iu" and wide is np.float64 and array.size:
        small = array.min() >= -WHOLE and array.max() <= WHOLE
        return np.float32 if small else np.float64
    return wide


def check_finite(array: Array, name: str, columns: list[str] | None, start: int | None = None) -> None:
    """Raise if a value is not finite. Of a part that begins with the row ``start`` only the first one is named."""
    finite = np.isfinite(array)
    if finite.all():
        return
    nan = int(np.isnan(array).sum())
    infinite = int((~finite).sum()) - nan
    counts = " and ".join(f"{n:,} {word}" for n, word in ((nan, "NaN"), (infinite, "infinite")) if n)
    row, *rest = np.unravel_index(int(np.argmin(finite)), array.shape)
    first = f"the first ({array[row, *rest]}) in {_place((row + (start or 0), *rest), columns)}"
    raise DataError(
        f"{name} holds values that are not finite: {first if start is not None else f'{counts}, {first}'}. "
        "Remove these rows, or fill the gaps, before training."
    )


def _same_kind(array: Array, name: str) -> Array:
    """Return an array of Python objects, as an array of the one kind that all of them have."""
    missing = np.frompyfunc(_is_missing, 1, 1)(array).astype(bool)
    if missing.any():
        _report_missing(missing, name, None)
    values = array.ravel().tolist()
    for kind, dtype in _TARGET_KINDS:
        if isinstance(values[0], kind):
            wrong = next((v for v in values if not isinstance(v, kind)), None)
            if wrong is not None and kind is numbers.Integral and all(isinstance(v, numbers.Real) for v in values):
                continue  # whole and other numbers together: floats
            if wrong is not None:
                raise DataError(
                    f"{name} mixes {_kind(values[0])} with {_kind(wrong)}; expected one kind of target. "
                    f"As text: {name} = [str(v) for v in {name}]."
                )
            same = np.array(values, dtype=dtype).reshape(array.shape)
            if same.dtype.kind == "O":
                raise DataError(
                    f"{name} holds whole numbers beyond 64 bits; as text: {name} = [str(v) for v in {name}]."
                )
            return same
    raise DataError(f"{name} holds {_kind(values[0])}; expected numbers, text or booleans.")


def _is_missing(value: Any) -> bool:
    # pandas marks gaps with NA and NaT; comparing them gives no truth value, so they are known by name.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _report_missing(missing: NDArray[np.bool_], name: str, columns: list[str] | None) -> None:
    at = np.unravel_index(int(np.argmax(missing)), missing.shape)
    n = int(missing.sum())
    raise DataError(
        f"{name} has {n:,} missing value{'s' * (n > 1)}; the first is in {_place(at, columns)}. "
        "Remove these rows, or fill the gaps, before training."
    )


def _not_a_number(value: Any, i: int, j: int, array: Array, name: str, columns: list[str] | None) -> str:
    at = (i, *np.unravel_index(j, array.shape[1:]))
    if isinstance(value, str) and _reads_as_number(value):
        advice = "These are numbers written as text: convert them with .astype(float)."
    elif isinstance(value, str):
        advice = "Leave the column out, or turn its categories into 0/1 columns."
    else:
        advice = "Leave the column out, or turn it into numbers."
    return f"{name} has {_kind(value)} in {_place(at, columns)}; expected numbers only. {advice}"


def _place(at: Sequence[Any], columns: list[str] | None) -> str:
    """Return where in the array: (3, 1) is "row 3, column 1 ('age')"; in images "row 3, position (0, 5, 0)"."""
    row, *rest = (int(i) for i in at)
    if not rest:
        return f"row {row}"
    if len(rest) == 1:
        title = f" ({columns[rest[0]]!r})" if columns and rest[0] < len(columns) else ""
        return f"row {row}, column {rest[0]}{title}"
    return f"row {row}, position ({', '.join(map(str, rest))})"


def _reads_as_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {value if len(value) <= 40 else value[:37] + '...'!r}"
    if isinstance(value, bool | np.bool_ | numbers.Real):
        return f"the {'truth value' if isinstance(value, bool | np.bool_) else 'number'} {value}"
    return f"a value of type {type(value).__name__}"


def _ragged(rows: Any, name: str) -> str | None:
    """Return which row has another length than the first."""
    if not isinstance(rows, Iterable):
        return None
    lengths = [len(row) if hasattr(row, "__len__") else None for row in rows]
    row = next((i for i, n in enumerate(lengths) if n != lengths[0]), None)
    if row is None:
        return f"{name}: the lists inside the rows have different lengths; expected the same in all of them."
    one, other = (f"{n} values" if n is not None else "a single value" for n in (lengths[0], lengths[row]))
    return f"{name}: row 0 has {one}, row {row} has {other}; expected the same in every row."
