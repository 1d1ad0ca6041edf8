"""Data by name or by path: bundled sets, MNIST and Fashion-MNIST, folders of IDX files or pictures, ``.npz`` files."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import importlib
import importlib.util
import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.idx import IDX_NAME, read_idx_folder
from chainrule.data.images import check_kinds, is_image_folder, read_image_folder
from chainrule.data.npz import read_npz
from chainrule.errors import DataError, FileError, SettingError, UnknownNameError, did_you_mean
from chainrule.files import as_path, cache_folder, write_atomic

__all__ = ["NAMES", "is_image_data", "load"]

logger = logging.getLogger(__name__)

#: Endings of tables, which `chainrule.tables` reads.
TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq")

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")

CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


@dataclasses.dataclass(frozen=True)
class _Mirrored:
    """A data set that can be fetched: its classes, where it lies, and the MD5 of its files.

    The files of MNIST are found compressed in more than one way, so the sum is that of the contents.
    """

    classes: tuple[Any, ...]
    mirrors: tuple[str, ...]
    sums_of: str  # "contents" | "file"
    files: dict[str, str]


MIRRORED = {
    "mnist": _Mirrored(
        classes=tuple(range(10)),
        mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/",),
        sums_of="contents",
        files={
            "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion_mnist": _Mirrored(
        classes=CLOTHES,
        # The "s3-website" address that is often quoted does not answer over https; these two do.
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        sums_of="file",
        files={
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}

#: The names that `load` knows.
NAMES = (*BUNDLED, *MIRRORED)

_READ = (
    "Read are: .npz files, folders of IDX files or of pictures by class, and the names "
    + ", ".join(sorted(NAMES))
    + "."
)


def load(
    name_or_path: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    image_size: Sequence[int] | None = None,
) -> Dataset:
    """Load a data set by its name, or from a file or folder.

    Parameters
    ----------
    name_or_path
        ``"digits"`` (images 8 x 8 in [0, 1]), ``"iris"``, ``"wine"``, ``"breast_cancer"``, ``"diabetes"`` (a
        regression): they come with scikit-learn. ``"mnist"``, ``"fashion_mnist"``: images 28 x 28 in [0, 1].
        A folder of IDX files, a folder with a folder of PNG or JPEG pictures for each class, or an ``.npz`` file.
        For a folder that is called like a data set: ``./mnist``.
    data_dir
        Where to look for ``mnist`` and ``fashion_mnist`` first: a folder that holds a folder of that name, or
        the files themselves. Then the folder in the environment variable CHAINRULE_DATA, then the cache,
        ``$XDG_CACHE_HOME/chainrule/NAME`` or ``~/.cache/chainrule/NAME``.
    download
        Fetch ``mnist`` or ``fashion_mnist`` into the cache if it is in none of these places. Without it, no
        network is used.
    image_size
        (height, width) to bring the pictures of a folder to (see `read_image_folder`); other data has no such choice.

    Raises
    ------
    UnknownNameError
        No such name or path; the message offers the nearest name.
    FileError
        A path of a kind that is not read, a file that is damaged.
    DataError
        The data is not on this machine: the message says where to put the files. Or it cannot be used.
    SettingError
        An ``image_size`` for data that is no folder of pictures.

    Examples
    --------
    >>> from chainrule.data import load
    >>> load("digits")
    Dataset('digits': classification, 1,797 images of 8 x 8 x 1, 10 classes, no test part)
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise DataError(
            f"Expected a name or a path, got {type(name_or_path).__name__}. For arrays: "
            "Dataset.from_arrays(name, x, y)."
        )
    if is_image_data(name_or_path):
        return read_image_folder(name_or_path, image_size)
    if image_size is not None:
        raise SettingError(f"image_size is for a folder of pictures, and {name_or_path} is none: leave it out.")
    name = _as_name(name_or_path)
    if name in BUNDLED:
        return _bundled(name)
    if name in MIRRORED:
        return _mirrored(name, data_dir, download)
    return _from_path(name_or_path)


def is_image_data(name_or_path: str | os.PathLike[str]) -> bool:
    """Tell whether `load` reads a name or path as a folder of pictures."""
    if _as_name(name_or_path) in NAMES or not str(name_or_path).strip():
        return False
    folder = as_path(name_or_path)
    return folder.is_dir() and not _has_idx_files(folder) and is_image_folder(folder)


def _as_name(source: str | os.PathLike[str]) -> str:
    """Return how the given name is spelt here; a `Path` is never a name."""
    return source.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(source, str) else ""


def _from_path(source: str | os.PathLike[str]) -> Dataset:
    path = as_path(source)
    if not str(source).strip():
        raise FileError(f"The path of the data is empty. {_READ}")
    if path.is_dir():
        if not _has_idx_files(path):
            check_kinds(path)
        return read_idx_folder(path)
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    if path.exists():
        hint = ""
        if "-idx" in path.name:
            hint = f" One IDX file has only images or only labels: give its folder, {str(path.parent)!r}."
        elif path.name.lower().removesuffix(".gz").endswith(TABLES):
            raise FileError(
                f"{path} is a table, of which one column is the target: read it with "
                f'cr.load_data({str(path)!r}, target="NAME"), or cr.Table.read({str(path)!r}, target="NAME").'
            )
        raise FileError(f"{path} has the ending {path.suffix!r}, which is not read.{hint} {_READ}")
    if path.suffix or len(path.parts) > 1:
        raise FileError(f"{path} does not exist. {_READ}")
    raise UnknownNameError(f"There is no data set, file or folder {str(source)!r}{did_you_mean(str(source), NAMES)}")


def _digits(path: Path) -> Dataset:
    rows = np.loadtxt(path, delimiter=",")
    return Dataset.from_arrays(
        "digits", (rows[:, :-1] / 16).reshape(-1, 8, 8).astype(np.float32), rows[:, -1].astype(int)
    )


def _iris(path: Path) -> Dataset:
    with path.open(encoding="utf-8") as file:
        classes = file.readline().strip().split(",")[2:]  # after the numbers of rows and features
        rows = np.loadtxt(file, delimiter=",")
    names = [f"{part} {side} (cm)" for part in ("sepal", "petal") for side in ("length", "width")]
    return Dataset.from_arrays(
        "iris", rows[:, :-1].astype(np.float32), rows[:, -1].astype(int), classes=classes, feature_names=names
    )


#: Data that is read from scikit-learn's files, without the second that importing scikit-learn takes.
_FILES = {"digits": ("digits.csv.gz", _digits), "iris": ("iris.csv", _iris)}


def _from_file(name: str) -> Dataset | None:
    """Return data from scikit-learn's file; None where there is none."""
    package = importlib.util.find_spec("sklearn")
    folders = package.submodule_search_locations if package is not None else None
    if name not in _FILES or not folders:
        return None
    file, read = _FILES[name]
    path = Path(folders[0]) / "datasets" / "data" / file
    return read(path) if path.is_file() else None


def _bundled(name: str) -> Dataset:
    if (data := _from_file(name)) is not None:
        return data
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError:
        raise DataError(f"The data set {name!r} comes with scikit-learn: pip install scikit-learn.") from None
    bunch = getattr(datasets, f"load_{name}")()
    if name == "digits":
        return Dataset.from_arrays(name, (bunch.images / 16).astype(np.float32), bunch.target)
    # The target of diabetes is a measure of the disease; all others are classes.
    y = bunch.target.astype(np.float32) if name == "diabetes" else bunch.target
    classes = None if name == "diabetes" else [str(c) for c in bunch.target_names]
    return Dataset.from_arrays(
        name, bunch.data.astype(np.float32), y, classes=classes, feature_names=bunch.feature_names
    )


def _mirrored(name: str, data_dir: str | os.PathLike[str] | None, download: bool) -> Dataset:
    cache = cache_folder() / name
    places = _places(name, data_dir)
    folder = next((p for p in [*places, cache] if _has_idx_files(p) and not _is_another(p, name)), None)
    if folder is None and not download:
        raise DataError(
            f"{name} is not on this machine; looked in {', '.join(map(str, [*places, cache]))}. Put its four "
            f"files ({', '.join(MIRRORED[name].files)}) into a folder called {name} and give the folder "
            f"around it as data_dir or in the environment variable CHAINRULE_DATA, or put them into {cache}. "
            f"To fetch them: load({name!r}, download=True)."
        )
    if folder is None or (folder == cache and download):
        folder = cache
        _fetch(name, cache)
    return dataclasses.replace(_with_classes(read_idx_folder(folder), MIRRORED[name].classes), name=name)


def _with_classes(data: Dataset, classes: tuple[Any, ...]) -> Dataset:
    """Return the codes of a part of the data (some classes absent) as codes of the whole."""
    labels = np.asarray(data.classes, np.int32)
    if labels.min() < 0 or labels.max() >= len(classes):
        raise DataError(f"{data.name}: expected labels from 0 to {len(classes) - 1}, found {labels.tolist()}.")
    y_test = None if data.y_test is None else labels[data.y_test]
    return dataclasses.replace(data, y=labels[data.y], y_test=y_test, classes=classes)


def _places(name: str, data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """Return the folders in which the files may lie, in the order in which they are tried, without the cache."""
    if data_dir is not None and not as_path(data_dir).is_dir():
        raise FileError(f"The data_dir {str(data_dir)!r} is not a folder.")
    folders = [data_dir, os.environ.get("CHAINRULE_DATA")]
    roots = [as_path(root) for root in folders if root]
    return [place for root in roots for place in (root / name, root)]


def _has_idx_files(folder: Path) -> bool:
    return folder.is_dir() and any(IDX_NAME.fullmatch(p.name) for p in folder.iterdir())


def _is_another(folder: Path, name: str) -> bool:
    """Return whether the folder holds the other data set with these file names, told by its training labels."""
    if folder.name == name:
        return False
    others = [m for n, m in MIRRORED.items() if n != name]
    if folder.name in MIRRORED:
        return True
    for path in sorted(folder.glob("train-labels-idx1-ubyte*")):
        data = path.read_bytes()
        for other in others:
            if _md5(data, "file") in other.files.values() or _md5(data, "contents") in other.files.values():
                return True
    return False


def _md5(data: bytes, of: str) -> str:
    """Return the MD5 of a file, or of its contents after unpacking (empty if it cannot be unpacked)."""
    if of == "contents" and data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error):
            return ""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _fetch(name: str, folder: Path) -> None:
    """Fetch what is missing in ``folder``; a file is written only if its MD5 is right, and only whole."""
    source = MIRRORED[name]
    for file, expected in source.files.items():
        path = folder / file
        if path.with_suffix("").is_file():  # unpacked by the user: that one is read
            continue
        if path.is_file() and _md5(path.read_bytes(), source.sums_of) == expected:
            continue
        logger.info("Fetching %s of %s (once) into %s", file, name, folder)
        problems = []
        for mirror in source.mirrors:
            try:
                data = _get(mirror + file)
            except (OSError, ValueError) as error:  # URLError and time-outs are OSErrors
                problems.append(f"{mirror}{file}: {error}")
                continue
            if (checksum := _md5(data, source.sums_of)) == expected:
                write_atomic(path, data)
                break
            problems.append(f"{mirror}{file}: the MD5 of the {source.sums_of} is {checksum}, expected {expected}")
        else:
            raise DataError(
                f"{name} could not be fetched ({'; '.join(problems)}). Without a network, put its four files "
                f"({', '.join(source.files)}) into {folder}, or into a folder called {name} and give the "
                "folder around it as data_dir or in the environment variable CHAINRULE_DATA."
            )


def _get(address: str) -> bytes:
    import http.client
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            data: bytes = answer.read()
    except http.client.HTTPException as error:  # a connection that ended too early
        raise OSError(f"{type(error).__name__} {error}") from None
    return data
