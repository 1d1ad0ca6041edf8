"""NumPy's own archives: several named arrays in one ``.npz`` file."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.check import check_features
from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, FileError
from chainrule.files import as_path
from chainrule.memory import check_memory, check_unpacked

__all__ = ["read_npz", "read_npz_features"]

logger = logging.getLogger(__name__)

_TRAIN = (("x_train", "y_train"), ("x", "y"), ("data", "target"), ("features", "labels"))
_TEST = (("x_test", "y_test"),)

#: A header says a kind and a shape in less; an array's names of fields are read no further than this.
LONGEST_HEADER = 1 << 16
_FEATURES = ("x_test", "x", "x_train", "data", "features")


def read_npz(path: str | Path) -> Dataset:
    """Read the features and targets in an ``.npz`` file, as `numpy.savez` writes it.

    The arrays are called ``x_train`` and ``y_train``, ``x`` and ``y``, ``data`` and ``target``, or
    ``features`` and ``labels`` (the first of these pairs that is there), the test part ``x_test`` and
    ``y_test``; upper and lower case are the same. Targets of floating numbers are regression, others
    classification, and unsigned bytes with three or more axes are images (see `Dataset.from_arrays`). No
    file can run code: arrays of Python objects, which would need pickle, are refused. So are two arrays whose
    names read alike, and, before anything is unpacked, arrays of more than 1 GB that take more than 200 times the
    file's size, or that do not fit in memory.

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
    path = as_path(path)
    arrays = _read(path, _choose).values()
    try:
        return Dataset.from_arrays(path.stem, *arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def read_npz_features(path: str | Path) -> tuple[NDArray[Any], str]:
    """Read the features to predict in an ``.npz`` file, which needs no targets, and what they are called there.

    They are called ``x_test``, ``x``, ``x_train``, ``data`` or ``features`` (the first of these that is there), and
    come as they are stored: what is to be done to them is known to the model (`chainrule.Model.prepare`).

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
    path = as_path(path)
    ((name, array),) = _read(path, _choose_features).items()
    try:
        check_features(array)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return array, name


def _read(path: Path, choose: Callable[[Mapping[str, str], Path], Iterable[str]]) -> dict[str, Any]:
    """Return the arrays in a file that ``choose`` names, by their names and in its order."""
    if not path.is_file():
        kind = "is a folder" if path.exists() else "does not exist"
        raise FileError(f"{path} {kind}; expected an .npz file.")
    try:
        with path.open("rb") as file, _open(file, path) as archive:
            members = _members(archive)
            keys = tuple(choose({name: keys[0] for name, keys in _by_lower_case(members).items()}, path))
            chosen = {key: _only(members, key, path) for key in keys}
            _check_size(archive, chosen, path)
            return {key: _array(archive, member, key, path) for key, member in chosen.items()}
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from None


def _open(file: IO[bytes], path: Path) -> zipfile.ZipFile:
    start = file.read(6)
    file.seek(0)
    if start == b"\x93NUMPY":
        raise FileError(f"{path} is a single .npy array; expected an .npz archive: np.savez(path, x=x, y=y).")
    if start[:2] != b"PK":
        signature = start[:4].hex(" ") or "an empty file"
        raise FileError(f"{path} is not an .npz file: expected it to start with 50 4b (a zip), found {signature}.")
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # whatever a damaged zip makes its reader stumble over
        raise FileError(f"{path} is a damaged or truncated .npz file: {error}") from None


def _members(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return what lies in the zip, each with the name of its array; a name may occur twice."""
    return [(info.filename.removesuffix(".npy"), info) for info in archive.infolist()]


def _by_lower_case(members: Iterable[tuple[str, zipfile.ZipInfo]]) -> dict[str, list[str]]:
    """Return the names of the arrays by how they read in lower case."""
    spelled: dict[str, list[str]] = {}
    for key, _ in members:
        spelled.setdefault(key.lower(), []).append(key)
    return spelled


def _only(members: list[tuple[str, zipfile.ZipInfo]], key: str, path: Path) -> zipfile.ZipInfo:
    """Return the one array of a name."""
    alike = [(name, info) for name, info in members if name.lower() == key.lower()]
    if len(alike) > 1:
        names = " and ".join(repr(name) for name, _ in alike)
        raise FileError(f"{path} holds {names}, and either could be meant: keep one of them.")
    return alike[0][1]


def _check_size(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], path: Path) -> None:
    """Refuse arrays that would fill the memory, by what their headers say, before any of them is read."""
    headers = [_header(archive, member, key, path) for key, member in members.items()]
    check_unpacked(path, sum(n * dtype.itemsize for n, dtype in headers))
    with_floats = sum(n * (dtype.itemsize + (0 if dtype.kind == "f" else 4)) for n, dtype in headers)
    check_memory(str(path), with_floats, "Read it from a file while it trains: cr.data.stream('x.npy', y).")


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, key: str, path: Path) -> tuple[int, np.dtype[Any]]:
    """Return how many values an array has, and their kind; its header must ask for the bytes that the zip says are
    there.
    """
    with _blaming(key, path), archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        width = 2 if version == (1, 0) else 4
        length = file.read(width)
        if len(length) < width or (n := int.from_bytes(length, "little")) > LONGEST_HEADER:
            raise ValueError(f"its header is longer than {LONGEST_HEADER:,} bytes, or ends too early")
        text = io.BytesIO(length + file.read(n))
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(text)
        if dtype.hasobject:
            raise FileError(
                f"{path}: the array {key!r} holds Python objects, which are never loaded. Save numbers or "
                f"text: {key}.astype(float) or {key}.astype(str)."
            )
        count = math.prod(shape)
        there = member.file_size - (len(np.lib.format.MAGIC_PREFIX) + 2 + width + n)
        if not dtype.itemsize or count * dtype.itemsize != there:
            raise ValueError(f"{shape} values of {dtype} are {count * dtype.itemsize:,} bytes, and it holds {there:,}")
        return count, dtype


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, key: str, path: Path) -> Any:
    with _blaming(key, path), archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # the checksum is compared at the end alone
            raise ValueError("it holds more bytes than its shape asks for")
        return array


@contextlib.contextmanager
def _blaming(key: str, path: Path) -> Iterator[None]:
    """Name the array in what goes wrong inside."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd headers
            yield
    except FileError:
        raise
    except Exception as error:  # zip, zlib, NumPy's header and memory each have their own
        raise FileError(f"{path}: the array {key!r} is damaged or truncated: {error}") from None


def _choose(spelled: Mapping[str, str], path: Path) -> tuple[str, ...]:
    """Return the keys of features and targets: for training, and for the test (or none)."""
    have = ", ".join(sorted(spelled.values())) or "nothing"
    train, test = _pair(spelled, _TRAIN), _pair(spelled, _TEST)
    if train is None:
        raise FileError(
            f"{path} holds {have}; expected features and targets as x and y, x_train and y_train (with "
            "x_test and y_test), data and target, or features and labels."
        )
    if test is None and ("x_test" in spelled or "y_test" in spelled):
        raise FileError(f"{path} holds {have}; expected both x_test and y_test, or neither.")
    chosen = (*train, *(test or ()))
    if others := sorted(set(spelled.values()) - set(chosen)):
        logger.warning("%s: read are %s; not read: %s", path, ", ".join(chosen), ", ".join(others))
    return chosen


def _choose_features(spelled: Mapping[str, str], path: Path) -> tuple[str]:
    """Return the key of the features."""
    name = next((name for name in _FEATURES if name in spelled), None)
    if name is None:
        have = ", ".join(sorted(spelled.values())) or "nothing"
        raise FileError(f"{path} holds {have}; expected features as one of {', '.join(_FEATURES)}.")
    return (spelled[name],)


def _pair(spelled: Mapping[str, str], names: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next(((spelled[x], spelled[y]) for x, y in names if x in spelled and y in spelled), None)
