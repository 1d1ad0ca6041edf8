"""IDX files, the format of MNIST: a magic number, the dimensions, and the values, largest byte first.

    2 bytes   zero
    1 byte    the kind of number: 08 unsigned byte, 09 byte, 0B short, 0C int, 0D float, 0E double
    1 byte    d, the number of dimensions
    4 bytes   d times: the length of a dimension
    the rest  the values, the last dimension running fastest

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, FileError
from chainrule.files import as_path
from chainrule.memory import LARGE, check_memory, check_unpacked

__all__ = ["read_idx", "read_idx_folder"]

_KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

IDX_NAME = re.compile(r"(?:(train|t10k|test)[-_.])?(images|labels)[-_.]idx\d(?:[-_.]\w+?)?(?:\.gz)?", re.IGNORECASE)

_BLOCK = 1 << 20


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read the array in one IDX file, plain or compressed with gzip.

    The number type is that of the file, in the byte order of this machine.

    Raises
    ------
    FileError
        The file is missing, is no IDX file, is damaged or truncated, or has bytes behind its values. The
        message names the file, what was found and what was expected.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from chainrule.data import read_idx
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "labels-idx1-ubyte")
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1]) + bytes([0, 0, 0, 3]) + bytes([7, 2, 1]))
    >>> read_idx(path)
    array([7, 2, 1], dtype=uint8)
    >>> folder.cleanup()
    """
    path = as_path(path)
    if not path.exists():
        raise FileError(f"{path} does not exist; expected an IDX file.")
    if path.is_dir():
        raise FileError(
            f"{path} is a folder; expected one IDX file. For a folder of them: read_idx_folder({str(path)!r})."
        )
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if path.suffix == ".gz" and not packed:
                start = file.read(4).hex(" ") or "an empty file"
                raise FileError(f"{path} is not a gzip file: expected it to start with 1f 8b, found {start}.")
            if not packed:
                return _read(file, path)
            with gzip.open(file) as unpacked:
                return _read(unpacked, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path} is a damaged or truncated gzip file: {error}") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from None


def _read(file: IO[bytes] | gzip.GzipFile, path: Path) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4:
        raise FileError(f"{path} is truncated: expected a magic number of 4 bytes, found {len(magic)} bytes.")
    zero, kind, ndim = struct.unpack(">HBB", magic)
    if zero != 0 or kind not in _KINDS or ndim == 0:
        known = ", ".join(f"{k:02x}" for k in _KINDS)
        raise FileError(
            f"{path} is not an IDX file: expected a magic number 00 00 KIND DIMENSIONS with a kind of "
            f"{known} and at least one dimension, found {magic.hex(' ')}."
        )
    header = file.read(4 * ndim)
    if len(header) < 4 * ndim:
        raise FileError(
            f"{path} is truncated: expected {4 * ndim} bytes with the lengths of {ndim} dimensions, found "
            f"{len(header)}."
        )
    shape = struct.unpack(f">{ndim}I", header)
    dtype = np.dtype(_KINDS[kind])
    expected = math.prod(shape) * dtype.itemsize
    # In blocks, and to the end: a damaged header may promise more bytes than there is memory, and gzip
    # compares its checksum only at the end.
    data = bytearray()
    while len(data) <= expected and (block := file.read(_BLOCK)):
        data += block
        if expected > LARGE and len(data) == _BLOCK and isinstance(file, gzip.GzipFile):
            check_unpacked(path, expected)
            check_memory(str(path), expected + 4.0 * math.prod(shape), "Expected values that fit, as floats, too.")
    if len(data) != expected:
        what = f"{' x '.join(map(str, shape))} values of {dtype.name} are {expected:,} bytes"
        if len(data) < expected:
            raise FileError(f"{path} is truncated: {what}, found {len(data):,}.")
        raise FileError(f"{path} has trailing bytes: {what}, found at least {len(data):,}.")
    try:
        values = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # more dimensions than NumPy has, or beside an empty one such large ones
        raise FileError(f"{path} is damaged: its shape cannot be: {error}.") from None
    return values.astype(dtype.newbyteorder("="), copy=False)


def read_idx_folder(folder: str | Path) -> Dataset:
    """Read the training and test part in a folder of IDX files with their usual names, plain or with ``.gz``.

    Training: ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, or ``images-idx3-ubyte`` and
    ``labels-idx1-ubyte``. Test, if there is one: the same with ``t10k-`` or ``test-`` in front. A file that
    is there both plain and compressed is read plain. Pixels given as unsigned bytes become float32 in
    [0, 1], value/255, with a channel axis: (n, height, width, 1). Pixels of other kinds keep their values.

    Raises
    ------
    FileError
        No such folder, a file is missing (which) or cannot be read, or two files claim the same part.
    DataError
        Numbers of images and labels that differ, labels that are not whole numbers.
    """
    folder = as_path(folder)
    files = _find(folder)
    parts: dict[str, NDArray[Any]] = {}
    for role, path in files.items():
        parts[role] = array = read_idx(path)
        if role.endswith("labels") and (array.ndim != 1 or array.dtype.kind not in "iu"):
            raise FileError(
                f"{path}: labels are whole numbers with one dimension, found {array.dtype} of shape {array.shape}."
            )
        if role.endswith("images") and not 2 <= array.ndim <= 4:
            raise FileError(f"{path}: images have 2 to 4 dimensions, found shape {array.shape}.")
    try:
        return Dataset.from_arrays(
            folder.resolve().name,
            parts["train images"],
            parts["train labels"],
            parts.get("test images"),
            parts.get("test labels"),
        )
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None


def _find(folder: Path) -> dict[str, Path]:
    """Return the file of each role: "train images", "train labels", "test images", "test labels"."""
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise FileError(f"{folder} {kind}; expected a folder of IDX files.")
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise FileError(f"{folder} cannot be read: {error.strerror or error}.") from None
    files: dict[str, Path] = {}
    # Sorted, so that "name" comes before "name.gz" and is the one that is kept.
    for path in inside:
        if not (match := IDX_NAME.fullmatch(path.name)) or not path.is_file():
            continue
        part, what = (match[1] or "train").lower(), match[2].lower()
        role = f"{'test' if part == 't10k' else part} {what}"
        other = files.setdefault(role, path)
        if other != path and path.name != other.name + ".gz":
            raise FileError(f"{folder}: both {other.name} and {path.name} could be the {role}; keep one of them.")
    if not files:
        listed = (
            ", ".join(p.name for p in inside[:8]) + (f", and {len(inside) - 8} more" if len(inside) > 8 else "")
            or "nothing"
        )
        raise FileError(
            f"{folder} has no IDX files; expected train-images-idx3-ubyte and train-labels-idx1-ubyte, plain "
            "or with .gz (and t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte for the test). It holds "
            f"{listed}."
        )
    needed = ["train images", "train labels"] + (
        ["test images", "test labels"] if any(r[:4] == "test" for r in files) else []
    )
    if missing := [role for role in needed if role not in files]:
        names = " and ".join(_usual_name(role) for role in missing)
        have = ", ".join(path.name for path in files.values())
        raise FileError(f"{folder} lacks {names} (or the same with .gz). It has {have}.")
    return {role: files[role] for role in needed}


def _usual_name(role: str) -> str:
    part, what = role.split()
    return f"{'t10k' if part == 'test' else part}-{what}-idx{3 if what == 'images' else 1}-ubyte"
