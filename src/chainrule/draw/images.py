"""Small pictures side by side: what a unit looks for, a picture of the data."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import number
from chainrule.draw.figure import FOOT, Figure, cut, short, svg, words
from chainrule.draw.motion import SHADES, Maps, Motion, shades_of

#: The colours of the lowest, the middle and the highest value: orange, a neutral grey, blue.
LOW, MIDDLE, HIGH = (200, 82, 0), (245, 245, 245), (0, 114, 178)


def images(
    name: str,
    title: str,
    pictures: Any,
    labels: Sequence[str] = (),
    *,
    columns: int = 8,
    limit: float | None = None,
    over: Sequence[tuple[int, Any]] = (),
    text: str = "",
    note: str = "",
) -> Figure:
    """Return pictures of numbers with a sign: below 0 orange, above 0 blue, all on one scale.

    Parameters
    ----------
    name, title : of the figure
    pictures : (pictures, height, width)
    labels : what is written below each
    columns : pictures in a row
    limit : the value of the fullest colour; None: the largest of all without its sign
    over : what they show at other moments: steps done, and the pictures, in 64 shades
    text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> import numpy as np
    >>> figure = images("weights", "What it looks for", np.array([[[0.0, -1.0], [0.5, 1.0]]]), ["unit 0"])
    >>> figure.text
    '1 picture of 2 × 2 values from −1 (orange) to 1 (blue).'
    """
    values = np.asarray(pictures, float)
    count, height, width = values.shape
    limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) if limit is None else limit
    limit = limit or 1.0
    motion = None
    if over:
        steps, moments = [step for step, _ in over], np.stack([np.asarray(of, float) for _, of in over])
        maps = Maps(shades_of(moments, -limit, limit), of_values())
        motion = Motion(steps, [f"After step {step:,}" for step in steps], maps=[maps])
    pitch = 360 / columns
    size = pitch - 4
    row = size * height / width + (16 if labels else 4)
    parts: list[Html] = []
    for i, picture in enumerate(values):
        x, y = (i % columns) * pitch, (i // columns) * row
        parts.append(
            tag(
                *("image", tag("title", labels[i]) if labels else None),
                x=short(x),
                y=short(y),
                width=short(size),
                height=short(size * height / width),
                href=png(coloured(picture, limit)),
                preserveAspectRatio="none",
                style="image-rendering: pixelated",
                data_map=i if over else None,
            )
        )
        if labels:
            parts.append(words(x + size / 2, y + row - 5, cut(labels[i], pitch), "middle"))
    noun = "picture" if count == 1 else "pictures"
    ends = f"from {number(-limit)} (orange) to {number(limit)} (blue)"
    text = text or f"{count} {noun} of {height} × {width} values {ends}."
    rows = [
        (labels[i] if labels else str(i), float(v.min()), float(v.mean()), float(v.max())) for i, v in enumerate(values)
    ]
    numbers = {"kind": "images", "limit": limit, "labels": list(labels), "values": values.tolist()}
    drawing = svg(360, row * math.ceil(count / columns) + FOOT, text, *parts)
    note = note or f"One scale for all: {ends}; 0 is grey."
    head = ["picture", "lowest", "mean", "highest"]
    return Figure(name, title, drawing, text, numbers, head, rows, note, motion=motion)


def of_values() -> np.ndarray:
    """Return the colours of shades from the lowest value (orange) over grey to the highest (blue): (64, 4)."""
    colours = coloured(np.linspace(-1, 1, SHADES)[None], 1.0)[0]
    return np.concatenate([colours, np.full((SHADES, 1), 255, np.uint8)], axis=1)


def coloured(picture: np.ndarray, limit: float) -> np.ndarray:
    """Return a picture of numbers in colours: (height, width, 3) of 0 to 255.

    >>> coloured(np.array([[-1.0, 0.0, 1.0]]), 1.0)[0].tolist() == [list(LOW), list(MIDDLE), list(HIGH)]
    True
    """
    share = np.clip(np.nan_to_num(picture) / limit, -1, 1)[..., None]
    end = np.where(share < 0, LOW, HIGH)
    return (MIDDLE + np.abs(share) * (end - np.array(MIDDLE))).round().astype(np.uint8)


def png(pixels: np.ndarray) -> str:
    """Return pixels of 0 to 255, (height, width) grey or (height, width, 3), as a picture that can stand in a page.

    >>> png(np.zeros((1, 1, 3), np.uint8))[:26]
    'data:image/png;base64,iVBO'
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        colours, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
        if len(colours) <= 256:  # a list of colours, and for each pixel its place there: a third of the size
            picture = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8), "P")
            picture.putpalette(colours.tobytes())
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
