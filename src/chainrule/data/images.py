"""Folders of pictures, one folder for each class."""

from __future__ import annotations

import logging
import math
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import is_whole
from chainrule.data.dataset import Dataset
from chainrule.data.pixels import read_headers, read_pixels
from chainrule.data.walk import Identity, Walk
from chainrule.display.text import first_few
from chainrule.errors import DataError, FileError, SettingError
from chainrule.files import as_path, as_text
from chainrule.memory import check_memory, format_bytes, free_memory

__all__ = ["ENDINGS", "check_kinds", "find_images", "is_image_folder", "read_image_folder", "read_images"]

logger = logging.getLogger(__name__)

#: The kinds of files that are read.
ENDINGS = (".png", ".jpg", ".jpeg")

#: Kinds of pictures that are not read.
OTHER_PICTURES = (
    ".webp .gif .bmp .tif .tiff .heic .heif .avif .jxl .jp2 .jpe .jfif .svg .psd .dng .cr2 .cr3 .nef .arw .ppm .pgm"
).split()

_READ = ", ".join(ENDINGS)

#: Without a size, pictures have no more pixels than this along a side.
MOST_PIXELS = 64

#: The longest side that a JPEG file can have.
LONGEST_SIDE = 65_535

#: What pictures take in memory, in sizes of their pixels: to train on them (3.3 with NumPy and 4.8 with JAX were
#: measured on 20 pictures of 600 x 800), and to evaluate them.
IN_TRAINING, IN_PREDICTING = 4, 2

_TRAIN, _VALIDATION, _TEST = ("train", "training"), ("validation", "valid", "val", "dev"), ("test", "testing")


def is_image_folder(folder: Path) -> bool:
    """Tell whether a folder holds pictures, itself or in the folders below it."""
    return any(_is_picture(path) for path in Walk().files(folder))


def read_image_folder(
    folder: str | os.PathLike[str],
    size: Sequence[int] | None = None,
    *,
    channels: int | None = None,
    classes: Sequence[Any] | None = None,
) -> Dataset:
    """Read a data set from a folder with one folder of PNG or JPEG files for each class.

    ::

        pets/cat/001.jpg            or, with parts,   pets/train/cat/001.jpg
        pets/dog/7.png                                pets/test/dog/7.png

    Values are in [0, 1]; all pictures grey: one channel, else three. Pictures are turned as their camera says, what is
    transparent becomes white, and of several frames the first is taken. Links are followed. Hidden files and folders
    are left out at every level, and what systems leave behind (``__MACOSX``, ``Thumbs.db``); other files that are not
    read are counted in a warning of the log. A test or validation part without classes is left out with such a
    warning, too.

    Parameters
    ----------
    folder
        The folder of the classes; or of parts (train, validation, test), which have the same classes.
    size
        (height, width) to bring all pictures to. None: their median size, reduced to 64 pixels along the longer side
        where it is larger.
    channels
        1 for grey, 3 for colours; None: by the pictures.
    classes
        The labels that a network knows, in its order: folders are matched with them by name, and there may be fewer.
        None: the folders' names, sorted.

    Raises
    ------
    FileError
        A picture that cannot be read (it is named), a folder without pictures, or without classes.
    DataError
        Folders that are none of the classes, one folder in two classes, or more pixels than fit in memory.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from chainrule.data import read_image_folder
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name, grey in ("day", 255), ("night", 0):
    ...     path = pathlib.Path(folder.name, "sky", name)
    ...     path.mkdir(parents=True)
    ...     Image.fromarray(np.full((4, 6), grey, np.uint8)).save(path / "1.png")
    >>> read_image_folder(path.parent)
    Dataset('sky': classification, 2 images of 4 x 6 x 1, 2 classes, no test part)
    >>> read_image_folder(path.parent, size=(2, 2), channels=3, classes=("night", "day")).y
    array([1, 0], dtype=int32)
    >>> folder.cleanup()
    """
    folder = as_path(folder)
    check_size(size)
    if channels not in (None, 1, 3):
        raise SettingError(f"channels is 1 (grey) or 3 (red, green, blue), got {channels}: pictures have no others.")
    parts = _list_parts(folder, classes)
    files = [path for part in parts.values() for path in part.paths]
    height, width, channels = _choose_shape(folder, files, size, channels)
    what = f"{folder}: {_count(len(files), 'picture')}"
    _check_memory(what, len(files), (height, width, channels), in_training=classes is None)
    names = tuple(classes) if classes is not None else tuple(parts["train"].walks)
    arrays: dict[str, Any] = {}
    for role, part in parts.items():
        suffix = "" if role == "train" else f"_{role}"
        arrays |= {
            f"x{suffix}": read_pixels(part.paths, (height, width), channels),
            f"y{suffix}": np.array(part.codes, np.int32),
        }
    return Dataset(as_text(folder.resolve().name), classes=names, **arrays)


def find_images(folder: str | Path) -> list[Path]:
    """Find all pictures in a folder and the folders below it; what else is there is counted in the log."""
    folder = as_path(folder)
    walk, others = Walk(), Counter[str]()
    paths = _pictures(walk.files(folder), others)
    _warn(folder, [walk], others)
    if not paths:
        raise FileError(f"{folder} has no pictures{_instead(others)}. Read are: {_READ}.")
    return paths


def check_kinds(folder: Path) -> None:
    """Raise a `FileError` for a folder whose pictures are all of kinds that are not read."""
    others = Counter(path.suffix.lower() for path in Walk().files(folder))
    if not others.keys().isdisjoint(OTHER_PICTURES):
        raise FileError(
            f"{folder} has no pictures of the kinds that are read ({_READ}){_instead(others)}. Convert them first."
        )


def read_images(paths: Sequence[Path], shape: Sequence[int]) -> NDArray[Any]:
    """Read pictures as a trained network takes them; ``shape`` is (height, width, channels) of its inputs."""
    height, width, channels = shape
    if channels not in (1, 3):
        raise DataError(f"The network takes {channels} channels, and pictures are read as 1 (grey) or 3 (colours).")
    return read_pixels(paths, (height, width), channels)


def check_size(size: Sequence[int] | None) -> None:
    """Raise a `SettingError` unless it is None or (height, width)."""
    if size is None:
        return
    sides = tuple(size) if isinstance(size, Sequence) else (size,)
    whole = all(map(is_whole, sides))
    if len(sides) != 2 or not whole or not all(0 < side <= LONGEST_SIDE for side in sides):
        raise SettingError(
            f"The size of pictures is (height, width) in pixels, such as (48, 64), each from 1 to {LONGEST_SIDE:,}; "
            f"got ({', '.join(f'{side!r:.20}' for side in sides)})."
        )


@dataclass(frozen=True)
class _Part:
    """The pictures of a part with the codes of their classes, and the walk over each class."""

    paths: list[Path]
    codes: list[int]
    walks: dict[str, Walk]


def _list_parts(folder: Path, classes: Sequence[Any] | None) -> dict[str, _Part]:
    """Return the parts of the data that have pictures by class: "train", and "validation" and "test" where they are."""
    inside = Walk(folder).folders(folder)
    by_name = {path.name.lower(): path for path in reversed(inside)}
    roles = {
        role: path
        for role, names in (("train", _TRAIN), ("validation", _VALIDATION), ("test", _TEST))
        if (path := next((by_name[name] for name in names if name in by_name), None)) is not None
    }
    others = [path.name for path in inside if path not in roles.values()]
    if "train" not in roles or ((others or len(roles) == 1) and not Walk(folder).folders(roles["train"])):
        roles = {"train": folder}  # what is called like a part may be a class, as in train, bus, tram
    elif others:
        logger.warning(
            "%s: read are %s; left out: %s",
            *(folder, ", ".join(path.name for path in roles.values()), ", ".join(map(as_text, others))),
        )
    parts: dict[str, _Part] = {}
    known = classes
    for role, path in roles.items():
        part = _list_part(folder, role, path, known)
        if part is not None:
            parts[role] = part
            known = tuple(part.walks) if known is None else known
    _warn_of_overlap([(role, label, walk) for role, part in parts.items() for label, walk in part.walks.items()])
    return parts


def _list_part(folder: Path, role: str, path: Path, known: Sequence[Any] | None) -> _Part | None:
    """Return the pictures of a part; None for a part of flat pictures, which can be predicted and no more."""
    around = dict.fromkeys((folder, path))
    walk = Walk(*around)
    folders = walk.folders(path)
    flat = [file for file in walk.files(path, deep=False) if _is_picture(file)]
    if not folders and flat and role == "train":
        raise FileError(f"{path} has pictures, but no folder for each class: put them into {path / 'NAME-OF-CLASS'}.")
    if not folders and flat:
        logger.warning(
            "%s holds %s and no folder for each class: it is left out. To predict them: chainrule predict RUN %s",
            *(path, _count(len(flat), "picture"), path),
        )
        return None
    if flat:
        logger.warning("%s: %s beside the folders of the classes are left out", path, _count(len(flat), "picture"))
    by_label = _by_label(folders)
    codes = _codes(path, by_label, tuple(by_label) if known is None else known)
    part, others = _Part([], [], {label: Walk(*around) for label in by_label}), Counter[str]()
    for label, place in by_label.items():
        here = Counter[str]()
        pictures = _pictures(part.walks[label].files(place), here)
        if not pictures and known is None:
            raise FileError(f"{place} has no pictures{_instead(here)}. Read are: {_READ}. A class needs at least one.")
        part.paths.extend(pictures)
        part.codes.extend([codes[label]] * len(pictures))
        others += here
    if not part.paths:
        raise FileError(f"{path} has no pictures{_instead(others)}. Read are: {_READ}.")
    _warn(path, [walk, *part.walks.values()], others)
    return part


def _by_label(folders: Iterable[Path]) -> dict[str, Path]:
    """Return folders by what the class is called, sorted; a name is the same however its accents are composed."""
    labels: dict[str, Path] = {}
    for path in folders:
        label = _same_accents(as_text(path.name))
        if (other := labels.setdefault(label, path)) != path:
            raise DataError(f"{path.parent} has two folders for the class {label!r}, {other.name!r} and {path.name!r}.")
    return dict(sorted(labels.items()))


def _codes(path: Path, labels: Iterable[str], known: Sequence[Any]) -> dict[str, int]:
    """Return the number of each class among those that are known."""
    codes = {_same_accents(str(label)): code for code, label in enumerate(known)}
    if unknown := [label for label in labels if label not in codes]:
        raise DataError(
            f"{path} has folders of classes that the training data does not have: {first_few(unknown)}. "
            f"It has {first_few(list(codes))}. Rename these folders, or take them out."
        )
    return codes


def _pictures(paths: Iterable[Path], others: Counter[str]) -> list[Path]:
    """Return the pictures among files; the others are counted by their endings."""
    pictures = []
    for path in paths:
        if _is_picture(path):
            pictures.append(path)
        else:
            others[path.suffix.lower()] += 1
    return pictures


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _choose_shape(
    folder: Path, paths: Sequence[Path], size: Sequence[int] | None, channels: int | None
) -> tuple[int, int, int]:
    """Return height, width and channels: what is given, else by what the pictures are."""
    if size is not None and channels is not None:
        return size[0], size[1], channels
    heights, widths, grey = (np.array(column) for column in zip(*read_headers(paths), strict=True))
    channels = channels or (1 if grey.all() else 3)
    if size is not None:
        return size[0], size[1], channels
    median = int(np.median(heights)), int(np.median(widths))
    shrink = min(1.0, MOST_PIXELS / max(median))
    height, width = (max(1, round(side * shrink)) for side in median)
    smallest, largest = (heights.min(), widths.min()), (heights.max(), widths.max())
    if smallest != (height, width) or largest != (height, width):
        logger.warning(
            "%s: pictures of %s pixels (height x width) are brought to %s%s. Another size: --image-size %s",
            folder,
            _by(*smallest) if smallest == largest else f"{_by(*smallest)} to {_by(*largest)}",
            _by(height, width),
            f", at most {MOST_PIXELS} along a side" if shrink < 1 else "",
            _by(*median, "x"),
        )
    return height, width, channels


def _check_memory(what: str, n: int, shape: tuple[int, int, int], *, in_training: bool) -> None:
    """Raise a `DataError` if so many pictures do not fit in memory, which says what would."""
    height, width, channels = shape
    times = IN_TRAINING if in_training else IN_PREDICTING
    taken = 4.0 * n * channels * times  # for each pixel
    count = taken * height * width
    fitting = ((free_memory() or math.inf) / count / 2) ** 0.5  # half of the room is left to the network
    h, w = (max(1, int(side * min(1.0, fitting))) for side in (height, width))
    smaller = (
        f"Give a smaller size: --image-size {_by(h, w, 'x')}, in Python size=({h}, {w}), takes "
        f"{format_bytes(taken * h * w)}."
    )
    check_memory(
        f"{what} of {_by(height, width)} x {channels} are {format_bytes(count / times)}, {times} times that "
        f"{'to train on them' if in_training else 'to evaluate them'}",
        count,
        smaller if in_training else "Evaluate fewer at once.",
    )


def _warn(folder: Path, walks: Sequence[Walk], others: Counter[str]) -> None:
    """Tell what was not read."""
    if others:
        logger.warning(
            "%s: %s left out, as only %s are read:%s",
            *(folder, _count(others.total(), "file"), _READ, _kinds(others)),
        )
    if broken := [path for walk in walks for path in walk.broken]:
        logger.warning("%s: %s without a file behind, such as %s", folder, _count(len(broken), "link"), broken[0])
    for again, first in [repeat for walk in walks for repeat in walk.repeats]:
        if first in again.parents:
            logger.warning("%s leads back to %s, a folder around it; it is not followed", again, first)
        else:
            logger.warning("%s is the same folder as %s; its pictures are read once", again, first)


def _warn_of_overlap(walks: Sequence[tuple[str, str, Walk]]) -> None:
    """Tell of folders that links bring into two classes, or into two parts."""
    met: dict[Identity, tuple[str, str, Path]] = {}
    for role, label, walk in walks:
        for identity, path in walk.entered.items():
            other_role, other_label, other = met.setdefault(identity, (role, label, path))
            if path != other and other_label != label:
                logger.warning("%s is the same folder as %s: its pictures are in two classes", path, other)
            elif path != other and other_role != role:
                logger.warning("%s is the same folder as %s: it says nothing about new pictures", path, other)


def _instead(others: Counter[str]) -> str:
    return f", but other files:{_kinds(others)}" if others else ""


def _kinds(others: Counter[str]) -> str:
    return ",".join(f" {n:,} {as_text(ending) or 'without an ending'}" for ending, n in others.most_common(5)) + (
        ", …" if len(others) > 5 else ""
    )


def _same_accents(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _by(height: int, width: int, sign: str = " x ") -> str:
    return f"{height}{sign}{width}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
