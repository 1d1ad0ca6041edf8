"""NumPy's own archives: several named arrays in one ``.npz`` file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset, as_features
from chainrule.errors import DataError, FileError

__all__ = ["read_npz", "read_npz_features"]

_TRAIN = (("x_train", "y_train"), ("x", "y"), ("data", "target"), ("features", "labels"))
_TEST = (("x_test", "y_test"),)
_FEATURES = ("x_test", "x", "x_train", "data", "features")


def read_npz(path: str | Path) -> Dataset:
    """The features and targets in an ``.npz`` file, as `numpy.savez` writes it.

    The arrays are called ``x_train`` and ``y_train``, ``x`` and ``y``, ``data`` and ``target``, or
    ``features`` and ``labels`` (the first of these pairs that is there), the test part ``x_test`` and
    ``y_test``; upper and lower case are the same. Targets of floating numbers are regression, others
    classification, and unsigned bytes with three or more axes are images (see `Dataset.from_arrays`). No
    file can run code: arrays of Python objects, which would need pickle, are refused.

    Raises
    ------
    FileError
        The file is missing, damaged or no ``.npz`` file, arrays are missing or hold Python objects.
    DataError
        The arrays cannot be used: lengths differ, values are not finite.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from chainrule.data import read_npz
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "pets.npz")
    >>> np.savez(path, x=[[4.0], [30.0]], y=["cat", "dog"])
    >>> read_npz(path)
    Dataset('pets': classification, 2 rows of 1 feature, 2 classes, no test part)
    >>> folder.cleanup()
    """
    path = Path(path).expanduser()
    arrays = _read(path, _choose).values()
    try:
        return Dataset.from_arrays(path.stem, *arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def read_npz_features(path: str | Path) -> tuple[NDArray[Any], str]:
    """The features to predict in an ``.npz`` file, which needs no targets, and what they are called there.

    They are called ``x_test``, ``x``, ``x_train``, ``data`` or ``features`` (the first of these that is there), and are
    treated as in `read_npz`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from chainrule.data.npz import read_npz_features
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "new.npz")
    >>> np.savez(path, x=[[4.0], [30.0]])
    >>> x, name = read_npz_features(path)
    >>> x.shape, name
    ((2, 1), 'x')
    >>> folder.cleanup()
    """
    path = Path(path).expanduser()
    ((name, array),) = _read(path, _choose_features).items()
    try:
        return as_features(array), name
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _read(path: Path, choose: Callable[[Iterable[str], Path], Iterable[str]]) -> dict[str, Any]:
    """The arrays in a file that ``choose`` names, by their names and in its order."""
    if not path.is_file():
        kind = "is a folder" if path.exists() else "does not exist"
        raise FileError(f"{path} {kind}; expected an .npz file.")
    try:
        # NumPy does not close a damaged file that it opened itself.
        with path.open("rb") as file, _open(file, path) as archive:
            return {key: _array(archive, key, path) for key in choose(archive.files, path)}
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from None


def _open(file: IO[bytes], path: Path) -> Any:
    start = file.read(6)
    file.seek(0)
    if start == b"\x93NUMPY":
        raise FileError(f"{path} is a single .npy array; expected an .npz archive: np.savez(path, x=x, y=y).")
    if start[:2] != b"PK":
        found = start[:4].hex(" ") or "an empty file"
        raise FileError(f"{path} is not an .npz file: expected it to start with 50 4b (a zip), found {found}.")
    try:
        return np.load(file, allow_pickle=False)
    except Exception as error:  # whatever a damaged zip makes its reader stumble over
        raise FileError(f"{path} is a damaged or truncated .npz file: {error}") from None


def _choose(keys: Iterable[str], path: Path) -> tuple[str, ...]:
    """The keys of features and targets: for training, and for the test (or none)."""
    spelt = {key.lower(): key for key in keys}
    have = ", ".join(sorted(spelt.values())) or "nothing"
    train, test = _pair(spelt, _TRAIN), _pair(spelt, _TEST)
    if train is None:
        raise FileError(
            f"{path} holds {have}; expected features and targets as x and y, x_train and y_train (with "
            "x_test and y_test), data and target, or features and labels."
        )
    if test is None and ("x_test" in spelt or "y_test" in spelt):
        raise FileError(f"{path} holds {have}; expected both x_test and y_test, or neither.")
    return (*train, *(test or ()))


def _choose_features(keys: Iterable[str], path: Path) -> tuple[str]:
    """The key of the features."""
    spelt = {key.lower(): key for key in keys}
    found = next((spelt[name] for name in _FEATURES if name in spelt), None)
    if found is None:
        have = ", ".join(sorted(spelt.values())) or "nothing"
        raise FileError(f"{path} holds {have}; expected features as one of {', '.join(_FEATURES)}.")
    return (found,)


def _pair(spelt: dict[str, str], names: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next(((spelt[x], spelt[y]) for x, y in names if x in spelt and y in spelt), None)


def _array(archive: Any, key: str, path: Path) -> Any:
    name = key if key in archive.zip.namelist() else f"{key}.npy"
    try:
        with warnings.catch_warnings(), archive.zip.open(name) as member:
            warnings.simplefilter("ignore")  # of odd headers
            array = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):  # the checksum is compared at the end alone
                raise ValueError("it holds more bytes than its shape asks for")
    except Exception as error:  # zip, zlib, NumPy's header and memory each have their own
        if "allow_pickle" in str(error):
            raise FileError(
                f"{path}: the array {key!r} holds Python objects, which are never loaded. Save numbers or "
                f"text: {key}.astype(float) or {key}.astype(str)."
            ) from None
        raise FileError(f"{path}: the array {key!r} is damaged or truncated: {error}") from None
    return array
