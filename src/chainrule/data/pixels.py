"""The one reader of pictures: the same file gives the same pixels to training, evaluating and predicting."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import FileError

__all__ = ["Header", "read_headers", "read_pixels"]

Result = TypeVar("Result")

#: Pictures that are read at once, so that large ones do not fill the memory before they are made smaller.
MOST_THREADS = 8

#: Modes of Pillow without colours.
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "F")


class Header(NamedTuple):
    """What a picture's file says before its pixels are decoded: its size as it is looked at, and whether it is grey."""

    height: int
    width: int
    is_grey: bool


def read_headers(paths: Sequence[Path]) -> list[Header]:
    """Return the headers of picture files."""
    return list(_map(_header, paths))


def read_pixels(paths: Sequence[Path], size: tuple[int, int], channels: int) -> NDArray[Any]:
    """Return pictures as (n, height, width, channels), float32 in [0, 1].

    They are turned as their camera says and brought to the size; what is transparent becomes white, of several frames
    the first is taken. One channel is grey, three are red, green and blue.

    Raises
    ------
    FileError
        A picture that cannot be read, or that is too large to be decoded; it is named.
    """
    x = np.empty((len(paths), *size, channels), np.float32)
    for i, pixels in enumerate(_map(lambda path: _pixels(path, size, channels), paths)):
        x[i] = pixels
    return x


def _header(path: Path) -> Header:
    with _opened(path) as image:
        lies_on_its_side = image.getexif().get(0x0112, 1) >= 5
        w, h = image.size[::-1] if lies_on_its_side else image.size
        return Header(h, w, image.mode in GREY)


def _pixels(path: Path, size: tuple[int, int], channels: int) -> NDArray[Any]:
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


def _map(function: Callable[[Path], Result], paths: Sequence[Path]) -> Iterator[Result]:
    """Yield what a function makes of each file, several at a time (Pillow decodes without Python's lock)."""
    from PIL import Image

    workers = min(MOST_THREADS, os.cpu_count() or 1)
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as threads:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # of odd metadata
        yield from threads.map(function, paths)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a picture; an error names it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise FileError(f"{path} is larger than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller first.") from None
    except UnidentifiedImageError:
        raise FileError(f"{path} cannot be read: it is neither a PNG nor a JPEG file.") from None
    except MemoryError:
        raise FileError(f"{path} is too large for the memory that is free; make it smaller first.") from None
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise FileError(f"{path} cannot be read: {error or type(error).__name__}.") from None
