"""Folders of pictures, one folder for each class."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset
from chainrule.errors import DataError, FileError

__all__ = ["ENDINGS", "is_image_folder", "read_image_folder", "read_images"]

logger = logging.getLogger(__name__)

#: The kinds of files that are read.
ENDINGS = (".png", ".jpg", ".jpeg")

#: Pictures of several sizes are brought to their median size, but to no more pixels along a side than this.
MOST_PIXELS = 64

_TRAIN, _VALIDATION, _TEST = ("train", "training"), ("validation", "valid", "val", "dev"), ("test", "testing")


def is_image_folder(folder: Path) -> bool:
    """Whether a folder holds pictures, itself or in folders up to two levels down (classes, or parts with classes)."""
    patterns = ("*", "*/*", "*/*/*")
    return any(path.suffix.lower() in ENDINGS for pattern in patterns for path in folder.glob(pattern))


def read_image_folder(folder: str | Path, size: tuple[int, int] | None = None) -> Dataset:
    """A data set from a folder with one folder of PNG or JPEG files for each class.

    ::

        pets/cat/001.jpg            or, with parts,   pets/train/cat/001.jpg
        pets/dog/7.png                                pets/test/dog/7.png

    Values are in [0, 1]; all pictures grey: one channel, else three. Pictures are turned as their camera says, what is
    transparent becomes white, and of several frames the first is taken. Other files are left out.

    Parameters
    ----------
    folder
        The folder of the classes; or of parts (train, validation, test), which have the same classes.
    size
        (height, width) to bring all pictures to. None: as they are; if they differ, their median size, reduced to
        64 pixels along the longer side.

    Raises
    ------
    FileError
        A picture that cannot be read (it is named), a folder without pictures, or without classes.

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
    >>> folder.cleanup()
    """
    folder = Path(folder).expanduser()
    names = {path.name.lower(): path for path in _folders(folder)}
    train, validation, test = (
        next((names[n] for n in part if n in names), None) for part in (_TRAIN, _VALIDATION, _TEST)
    )
    if train is None or not _folders(train):
        train, validation, test = folder, None, None
    classes = [path.name for path in _folders(train)]
    if not classes:
        raise FileError(
            f"{folder} has pictures, but no folder for each class: put them into {folder / 'NAME-OF-CLASS'}."
        )
    parts = [(part, _listed(part, classes)) for part in (train, validation, test) if part is not None]
    size, channels = _look(folder, [path for _, found in parts for path, _ in found], size)
    arrays: dict[Path, tuple[NDArray[Any], NDArray[Any]]] = {}
    for part, found in parts:
        x = _read([path for path, _ in found], size, channels)
        arrays[part] = x, np.array([label for _, label in found], np.int32)
    missing: tuple[Any, Any] = (None, None)
    x, y = arrays[train]
    x_test, y_test = arrays[test] if test is not None else missing
    x_validation, y_validation = arrays[validation] if validation is not None else missing
    return Dataset(
        folder.name,
        x,
        y,
        x_test,
        y_test,
        tuple(classes),
        x_validation=x_validation,
        y_validation=y_validation,
    )


def read_images(folder: str | Path, shape: Sequence[int]) -> tuple[NDArray[Any], list[Path]]:
    """All pictures in a folder and the folders in it, as a trained network takes them, and their paths.

    ``shape`` is (height, width, channels) of the network's inputs.
    """
    folder = Path(folder).expanduser()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise FileError(f"{folder} has no pictures. Read are: {', '.join(ENDINGS)}.")
    return _read(paths, (shape[0], shape[1]), shape[2]), paths


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise FileError(f"{folder} cannot be read: {error.strerror}.") from None


def _listed(part: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """The pictures of a part, each with the number of its class."""
    found, others = [], 0
    for path in _folders(part):
        if path.name not in classes:
            raise DataError(
                f"{path} is a class that {part.parent / 'train'} does not have; it has {', '.join(classes)}."
            )
        files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        pictures = [p for p in files if p.suffix.lower() in ENDINGS]
        if not pictures and part.name.lower() not in (*_VALIDATION, *_TEST):
            raise FileError(f"{path} has no pictures; read are {', '.join(ENDINGS)}. A class needs at least one.")
        found += [(p, classes.index(path.name)) for p in pictures]
        others += len(files) - len(pictures)
    if not found:
        raise FileError(f"{part} has no pictures; read are {', '.join(ENDINGS)}.")
    if others:
        logger.info("%s: %d files that are no pictures are left out", part, others)
    return found


def _look(folder: Path, paths: list[Path], size: tuple[int, int] | None) -> tuple[tuple[int, int], int]:
    """The size that pictures are brought to, and their channels."""
    heights, widths, grey = (np.array(column) for column in zip(*_each(_header, paths), strict=True))
    if size is None:
        h, w = int(np.median(heights)), int(np.median(widths))
        if len(np.unique(heights)) > 1 or len(np.unique(widths)) > 1:
            shrink = min(1.0, MOST_PIXELS / max(h, w))
            h, w = max(1, round(h * shrink)), max(1, round(w * shrink))
            logger.info(
                "%s: pictures from %d x %d to %d x %d pixels (height x width) are brought to %d x %d",
                *(folder, heights.min(), widths.min(), heights.max(), widths.max(), h, w),
            )
        size = (h, w)
    return size, 1 if grey.all() else 3


def _header(path: Path) -> tuple[int, int, bool]:
    """Height, width, and whether it is grey, without decoding the pixels."""
    with _opened(path) as image:
        turned = image.getexif().get(0x0112, 1) >= 5  # lies on its side
        w, h = image.size[::-1] if turned else image.size
        return h, w, image.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "F")


def _read(paths: list[Path], size: tuple[int, int], channels: int) -> NDArray[Any]:
    x = np.empty((len(paths), *size, channels), np.float32)

    for i, pixels in enumerate(_each(lambda path: _pixels(path, size, channels), paths)):
        x[i] = pixels
    return x


def _each(function: Callable[[Path], Any], paths: list[Path]) -> Iterator[Any]:
    """What a function finds in each file, several at a time (Pillow decodes without Python's lock)."""
    from PIL import Image

    with warnings.catch_warnings(), ThreadPoolExecutor() as threads:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # of odd metadata
        yield from threads.map(function, paths)


def _pixels(path: Path, size: tuple[int, int], channels: int) -> NDArray[Any]:
    """A picture as (height, width, channels) in [0, 1]."""
    from PIL import Image, ImageOps

    with _opened(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode in ("I", "I;16", "I;16B"):  # 16 bits of grey, which `convert` would cut off
            image = Image.fromarray((np.asarray(image, np.float64) / 257).clip(0, 255).astype(np.uint8))
        if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("L" if channels == 1 else "RGB")
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR, reducing_gap=3.0)
        return (np.asarray(image, np.float32) / 255).reshape(*size, channels)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A picture; whatever goes wrong with it is said with its name."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise FileError(f"{path} is larger than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller first.") from None
    except UnidentifiedImageError:
        raise FileError(f"{path} cannot be read: it is neither a PNG nor a JPEG file.") from None
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise FileError(f"{path} cannot be read: {error or type(error).__name__}.") from None
