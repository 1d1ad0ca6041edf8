"""Fields: a value over a plane, such as a cost over two weights, with the paths that lead through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis, Key, Plot, shape
from chainrule.draw.figure import COLOURS, DASHES, INK, Figure, path, plain_series, short, svg
from chainrule.draw.images import png
from chainrule.draw.line import Series, drawn
from chainrule.draw.scatter import Points, points_of

#: Values are shown in so many steps of one colour, whose edges are contours.
STEPS = 12

#: The colours of the lowest and the highest step.
LOW, HIGH = (250, 250, 248), (120, 168, 205)


@dataclass(frozen=True)
class Path:
    """A way through a field: its name, and where it went."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def field(
    name: str,
    title: str,
    values: Any,
    x: Axis,
    y: Axis,
    *,
    paths: Sequence[Path] = (),
    points: Sequence[Points] = (),
    lines: Sequence[Series] = (),
    marks: Sequence[tuple[float, float, str]] = (),
    log: bool = False,
    colours: Any = None,
    text: str = "",
    note: str = "",
) -> Figure:
    """Return a value over a plane in twelve steps of one colour, light where it is low, with paths over it.

    Parameters
    ----------
    name, title : of the figure
    values : (rows, columns) at the middles of equal cells; the first row lies at the lowest y
    x, y : the axes, with ``low`` and ``high`` at the edges of the plane
    paths : ways through it; what leaves the plane is cut
    points : groups of points on it
    lines : lines on it, such as where the value is ½
    marks : (x, y, name) of places such as a minimum: crosses
    log : whether the steps are of equal ratios above the lowest value
    colours : (rows, columns, 3 or 4), red, green, blue and opacity to 255 of each cell, instead of these steps
    text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> x, y = Axis("w₀", low=-1, high=1), Axis("w₁", low=-1, high=1)
    >>> figure = field("cost", "A valley", [[2.0, 1.0], [1.0, 0.0]], x, y, paths=[Path("SGD", [-1, 0], [-1, 1])])
    >>> figure.text
    'Values from 0 to 2 over w₀ and w₁; SGD ends at (0, 1).'
    """
    heights = np.asarray(values, float)
    ways = [Key(one.name, COLOURS[i % 6], "line", DASHES[i % 6]) for i, one in enumerate(paths)]
    levels = [Key(one.name, INK, "line", dash) for one, dash in zip(lines, DASHES, strict=False)]
    keys = [*ways, *(_key(one) for one in points if one.name and len(one.x)), *(key for key in levels if key.name)]
    ends = ([v for v in (axis.low, axis.high) if v is not None] for axis in (x, y))
    plot = Plot(x, y, *ends, legend=keys, height=280.0, room=(0.0, 0.0))
    left, right, top, bottom = plot.left, plot.right, plot.top, plot.bottom
    cells = _coloured(_shares(heights, log)) if colours is None else np.asarray(colours, np.uint8)
    parts: list[str] = [
        tag(
            "image", x=short(left), y=short(top), width=short(right - left), height=short(bottom - top),
            href=png(cells[::-1]), preserveAspectRatio="none",
            style="image-rendering: pixelated",
        ),
        plot.frame(),
    ]  # fmt: skip
    for level, key in zip(lines, levels, strict=True):
        parts.append(path(drawn(plot, level.x, level.y), INK, 1.5, stroke_dasharray=key.dash))
    parts += [_way(plot, one, key) for one, key in zip(paths, ways, strict=True)]
    parts += [points_of(plot, one) for one in points]
    parts += [shape("cross", [(plot.x(a), plot.y(b))], INK, 4) for a, b, _ in marks]
    finite = heights[np.isfinite(heights)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    last = "".join(f"; {one.name} ends at ({number(one.x[-1])}, {number(one.y[-1])})" for one in paths if len(one.x))
    text = text or f"Values from {number(low)} to {number(high)} over {x.label} and {y.label}{last}."
    numbers = {"x": x.label, "y": y.label, "kind": "field", "low": low, "high": high} | {
        "paths": [*map(plain_series, paths)],
        "lines": [*map(plain_series, lines)],
        "points": [*map(plain_series, points)],
        "marks": [list(mark) for mark in marks],
    }
    rows = [(one.name, len(one.x) - 1, number(one.x[-1]), number(one.y[-1])) for one in paths if len(one.x)]
    note = note or f"Light is low ({number(low)}), dark is high ({number(high)})." + (" Crosses: " if marks else "")
    if marks:
        note += ", ".join(sorted({mark[2] for mark in marks})) + "."
    drawing = svg(360, plot.height, text, *parts, **plot.data)
    return Figure(
        name, title, drawing, text, numbers, ["path", "steps", f"last {x.label}", f"last {y.label}"], rows, note
    )


def _key(one: Points) -> Key:
    """Return what names a group of points in the legend."""
    return Key(one.name, INK if one.colour is None else COLOURS[one.colour % len(COLOURS)], one.kind)


def _way(plot: Plot, one: Path, key: Key) -> Html:
    """Return a path with a point at its start and its end, without what lies outside of the plane."""
    x, y = np.asarray(one.x, float), np.asarray(one.y, float)
    with np.errstate(invalid="ignore"):
        inside = (x >= plot.x.low) & (x <= plot.x.high) & (y >= plot.y.low) & (y <= plot.y.high)
    spots = [(plot.x(a), plot.y(b)) for a, b in zip(x[inside], y[inside], strict=True)]
    there = [b if seen else None for b, seen in zip(y.tolist(), inside.tolist(), strict=True)]
    line = path(drawn(plot, x.tolist(), there), key.colour, 2, stroke_linejoin="round", stroke_dasharray=key.dash)
    ends = shape("circle", spots[:1] + spots[-1:], key.colour, 3) if spots else Html("")
    return tag("g", line, ends, data_of=one.name)


def _shares(heights: np.ndarray, log: bool) -> np.ndarray:
    """Return every value as a share of the span, in steps; what is not finite counts as the highest."""
    finite = heights[np.isfinite(heights)]
    if not finite.size or finite.min() == finite.max():
        return np.zeros(heights.shape)
    above = np.where(np.isfinite(heights), heights, finite.max()) - finite.min()
    if log:
        above = np.log1p(1000 * above / above.max())
    return np.minimum(np.floor(above / above.max() * STEPS), STEPS - 1) / (STEPS - 1)


def _coloured(shares: np.ndarray) -> np.ndarray:
    """Return shares as colours: (height, width, 3) of 0 to 255."""
    return (np.array(LOW) + shares[..., None] * (np.array(HIGH) - np.array(LOW))).round().astype(np.uint8)
