"""A plane of the inputs: what is answered where, what every unit gives there, and the rows that lie on it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.display.markup import Html, tag
from chainrule.draw.axes import Axis, Key, Plot, shape
from chainrule.draw.figure import COLOURS, FOOT, INK, Figure, cut, joined, path, plain_series, short, svg, words
from chainrule.draw.images import png
from chainrule.draw.line import Series, drawn
from chainrule.draw.motion import SHADES, Maps, Motion
from chainrule.draw.scatter import Points, points_of

#: Small maps in a row.
IN_A_ROW = 8

#: Red, green and blue of the classes: those of `chainrule.draw.figure.COLOURS`; a map is pale, so that rows stand out.
CLASSES = ((0, 114, 178), (213, 94, 0), (0, 128, 93), (123, 45, 110), (214, 180, 0), (133, 142, 153))
PALE = 150


@dataclass(frozen=True)
class Moment:
    """What lies on a plane after some steps.

    Attributes
    ----------
    step : steps done
    text : what is seen
    lines : along which the answer changes, or is the same
    wrong : places of the rows that are answered wrong
    """

    step: int
    text: str
    lines: Sequence[Series]
    wrong: Sequence[tuple[float, float]] = ()


def plane(
    name: str,
    title: str,
    x: Axis,
    y: Axis,
    points: Sequence[Points],
    moments: Sequence[Moment],
    maps: Sequence[Maps],
    labels: Sequence[tuple[str, str]],
    *,
    note: str = "",
) -> Figure:
    """Return maps over a plane: the chosen one large, with rows and lines over it, and all of them small below.

    Without scripts the last moment is seen, and the first map is the large one.

    Parameters
    ----------
    name, title : of the figure
    x, y : the axes, with ``low`` and ``high`` at the edges of the maps
    points : rows of each kind
    moments : what lies over the maps, one for each of their frames
    maps : the answer, then what each unit gives; these may be of another size
    labels : of each map a short name, and what it is in words
    note : how it is drawn
    """
    last = moments[-1]
    keys = [Key(one.name, COLOURS[one.colour or 0], one.kind) for one in points if one.name]
    keys += [Key("answered wrong", INK, "cross")] if any(moment.wrong for moment in moments) else []
    ends = ([float(axis.low or 0), float(axis.high or 0)] for axis in (x, y))
    plot = Plot(x, y, *ends, legend=keys, height=250.0, room=(0.0, 0.0))
    pictures = [png(some.colours[shades]) for some in maps for shades in some.shades[-1]]
    large = _image(pictures, 0, (plot.left, plot.top, plot.right - plot.left, plot.bottom - plot.top))
    frames = [_over(plot, moment) for moment in moments]
    rows = [points_of(plot, one) for one in points]
    parts = [large, plot.frame(), *rows, tag("g", frames[-1], data_frame="")]
    pitch, top = 360 / IN_A_ROW, plot.bottom + 16 + FOOT + 10
    size = pitch - 5
    for i, (label, text) in enumerate(labels):
        left, above = (i % IN_A_ROW) * pitch + 2, top + (i // IN_A_ROW) * (size + 15)
        small = _image(pictures, i, (left, above, size, size))
        title_of = tag("title", text)
        named = words(left + size / 2, above + size + 10, cut(label, pitch, 9), "middle", font_size="9")
        parts.append(tag("g", title_of, small, named, role="button", tabindex="-1" if i else "0"))
    height = top + math.ceil(len(labels) / IN_A_ROW) * (size + 15)
    data = plot.data | {"data_cells": IN_A_ROW}
    drawing = svg(360, height, last.text, *parts, role="group", **data)
    numbers = {"kind": "points", "x": x.label, "y": y.label} | {
        "series": [*map(plain_series, points)],
        "lines": [*map(plain_series, last.lines)],
        "wrong": [list(place) for place in last.wrong],
    }
    table = [(f"{moment.step:,}", moment.text) for moment in moments]
    motion = Motion([moment.step for moment in moments], [moment.text for moment in moments], frames, maps=maps)
    figure = Figure(name, title, drawing, last.text, numbers, ["step", "what is seen"], table, note)
    return dataclasses.replace(figure, motion=motion)


def _over(plot: Plot, moment: Moment) -> Html:
    """Return lines and crosses of a moment."""
    lines = [path(drawn(plot, one.x, one.y), INK, 1.4, stroke_opacity="0.8") for one in moment.lines]
    crosses = shape("cross", [(plot.x(a), plot.y(b)) for a, b in moment.wrong], INK, 3) if moment.wrong else Html("")
    return joined([*lines, crosses])


def _image(pictures: Sequence[str], at: int, place: tuple[float, float, float, float]) -> Html:
    """Return a map at its last frame."""
    left, top, width, height = place
    where = {"x": short(left), "y": short(top), "width": short(width), "height": short(height)}
    return tag("image", **where, href=pictures[at], preserveAspectRatio="none", data_map=at)


def shades_of_classes(chosen: np.ndarray, sure: np.ndarray, count: int) -> np.ndarray:
    """Return the shade of each place for `of_classes`: by the class that is answered there, and its probability.

    >>> shades_of_classes(np.array([0, 1, 1]), np.array([1.0, 0.5, 1.0]), 2).tolist()
    [31, 48, 63]
    """
    levels = SHADES // count
    level = np.clip(np.nan_to_num(sure) * levels, 0, levels - 1).astype(int)
    return (chosen * levels + level).astype(np.uint8)


def of_classes(count: int) -> np.ndarray:
    """Return the colours of shades that say a class and how sure of it the answer is: (64, 4).

    Of ``count`` classes each has ``64 // count`` shades, the palest first.
    """
    levels = SHADES // count
    colours = np.zeros((SHADES, 4), np.uint8)
    for shade in range(levels * count):
        kind, level = divmod(shade, levels)
        strength = (level + 1) / levels
        colours[shade] = (*CLASSES[kind % len(CLASSES)], round(PALE * strength))
    return colours
