"""A picture of what an augmentation does: originals, and beside each how training may see it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import random
from chainrule.augment.base import plain
from chainrule.augment.parse import get
from chainrule.checks import check_whole
from chainrule.errors import SettingError, ShapeError
from chainrule.files import write_atomic
from chainrule.memory import check_memory

__all__ = ["preview"]

#: Images are enlarged by a whole factor until their sides have at least so many pixels.
SIDE = 64

GAP, PAPER = 4, 255


def preview(
    images: Any,
    augment: Any,
    *,
    rows: int = 6,
    versions: int = 8,
    seed: int = 0,
    normalize: bool = True,
    path: str | Path | None = None,
) -> np.ndarray:
    """Return a grid of the first images, each followed by several augmented versions of it.

    Parameters
    ----------
    images : (n, height, width, channels) or (n, height, width); all of them give the mean and standard deviation
    augment : as in `fit`
    rows, versions : how many images, and how many versions of each
    seed : of the random numbers
    normalize : standardize before and undo it afterwards, as `fit` does, so that strengths mean the same
    path : where to write the picture, as PNG

    Returns
    -------
    The picture, bytes of shape (height, width, 3).

    Example
    -------
    >>> import chainrule as cr
    >>> digits = cr.data.load("digits")
    >>> cr.augment.preview(digits.x, "rotation:20", rows=3, versions=4).shape
    (200, 344, 3)
    """
    for name, value in {"rows": rows, "versions": versions}.items():
        check_whole(f"preview: {name}", value)
    x = plain(np.asarray(images))
    x = x[..., None] if x.ndim == 3 else x
    augmentation = get(augment)
    if x.ndim != 4 or 0 in x.shape:
        raise ShapeError(
            f"A picture can be made of images (n, height, width, channels), got an array of shape {x.shape}."
        )
    augmentation.check(x.shape[1:])
    mean, std = (x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))) if normalize else (0.0, 1.0)
    std = np.where(std > 0, std, 1).astype(x.dtype)
    x = x[:rows]
    factor = max(1, -(-SIDE // max(x.shape[1:3])))
    check_memory(
        f"A picture of {len(x):,} images with {versions:,} versions of each",
        x.size / x.shape[-1] * (versions + 1) * (6 * factor**2 + 4 * x.shape[-1]),
        "Ask for fewer rows or versions.",
        SettingError,
    )
    samples, key = (x - mean) / std, random.key(seed)
    seen = [np.asarray(plain(augmentation.apply(samples, random.fold_in(key, i))[0])) for i in range(versions)]
    grid = [x, *(s * std + mean for s in seen)]
    picture = _grid([_bytes(column, float(x.min()), float(x.max())) for column in grid])
    if path is not None:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="PNG")
        write_atomic(path, file.getvalue())
    return picture


def _bytes(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return pixels as colours: the darkest of the originals is black, the brightest white."""
    scaled = np.clip((x - low) / (high - low if high > low else 1.0), 0.0, 1.0) * 255
    colours = scaled[..., :3] if x.shape[-1] >= 3 else scaled[..., :1].repeat(3, axis=-1)
    factor = max(1, -(-SIDE // max(x.shape[1:3])))
    return np.rint(colours).astype(np.uint8).repeat(factor, axis=1).repeat(factor, axis=2)


def _grid(columns: list[np.ndarray]) -> np.ndarray:
    """Return columns of images on paper, with gaps; the first, the originals, stands apart."""
    n, h, w, _ = columns[0].shape
    left = [0] + [w + 3 * GAP + i * (w + GAP) for i in range(len(columns) - 1)]
    picture = np.full((n * (h + GAP) - GAP, left[-1] + w, 3), PAPER, np.uint8)
    for x, column in zip(left, columns, strict=True):
        for i, image in enumerate(column):
            picture[i * (h + GAP) : i * (h + GAP) + h, x : x + w] = image
    return picture
