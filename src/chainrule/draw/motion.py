"""What of a figure moves with the cursor of a page: its drawing at some steps, and maps in a few shades, packed small.

All of it is made here; a script only chooses, and paints shades in the colours that it is given.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import finite

Array = np.ndarray

#: A map has values in so many shades, so none is further from its own than 1/126 of the range.
SHADES = 64


@dataclass(frozen=True, eq=False)
class Maps:
    """Small maps that are painted anew at every frame.

    Attributes
    ----------
    shades : of 0 to 63, (frames, maps, height, width)
    colours : red, green, blue and opacity of each shade, from 0 to 255: (64, 4)
    """

    shades: Array
    colours: Array

    def html(self) -> Html:
        """Return the maps packed: as differences along each line and then from frame to frame, which are mostly 0."""
        shades = self.shades.astype(np.uint8)  # differences wrap around
        along = np.diff(shades, axis=3, prepend=np.uint8(0))
        changes = np.diff(along, axis=0, prepend=np.uint8(0))
        colours = self.colours.astype(np.uint8).tobytes().hex()
        shape = " ".join(map(str, shades.shape))
        return tag("script", Html(packed(changes.tobytes())), type="text/plain", data_maps=shape, data_colours=colours)


@dataclass(frozen=True, eq=False)
class Motion:
    """What a figure shows at some steps of training.

    Attributes
    ----------
    steps : so many steps were done, rising; between two of them the earlier one is shown
    texts : what is seen at each
    frames : what stands in the part of the drawing that moves (``<g data-frame>``) at each; () if nothing does
    places : along the x axis of the drawing, where each of the steps lies: a line is drawn there; () for none
    maps : what the pictures of the drawing show at each; ``<image data-map="2">`` shows the third of all
    """

    steps: Sequence[int]
    texts: Sequence[str] = ()
    frames: Sequence[str] = ()
    places: Sequence[float] = ()
    maps: Sequence[Maps] = ()

    def html(self) -> Html:
        """Return all of it packed, beside the drawing."""
        content = {"texts": list(self.texts), "frames": list(self.frames), "places": list(self.places)}
        steps = json.dumps(list(self.steps), separators=(",", ":"))
        moving = tag("script", Html(packed_json(content)), type="text/plain", data_steps=steps)
        return join([moving, *(maps.html() for maps in self.maps)])


def shades_of(values: Array, low: Any, high: Any) -> Array:
    """Return values as shades from 0 (at ``low`` and below) to 63 (at ``high`` and above); what is no number as 0.

    >>> shades_of(np.array([-1.0, 0.0, 0.5, 1.0, np.nan]), 0.0, 1.0).tolist()
    [0, 0, 32, 63, 0]
    """
    width = np.where(np.asarray(high) > low, np.asarray(high) - low, 1.0)
    with np.errstate(invalid="ignore"):
        share = np.clip(np.nan_to_num((values - low) / width, nan=0.0), 0, 1)
    return np.round(share * (SHADES - 1)).astype(np.uint8)


def packed_json(values: Mapping[str, Any]) -> str:
    """Return plain values as `packed` text; numbers that are not finite are null."""
    return packed(json.dumps(finite(values), allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode())


def packed(content: bytes) -> str:
    """Return bytes compressed, as text that can stand in a page."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
