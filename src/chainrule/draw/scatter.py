"""Points: predicted against true numbers, the score of each trial, what came true of what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.display.markup import Html
from chainrule.draw.axes import Axis, Key, Plot, shape
from chainrule.draw.figure import COLOURS, DASHES, INK, MUTED, Figure, joined, path, plain_series, short, svg
from chainrule.draw.line import Level, Series, Stretch, drawn, stretch

#: Bars of an interval end in strokes of this width.
CAP = 5.0


@dataclass(frozen=True)
class Points:
    """Points that are drawn alike.

    Attributes
    ----------
    name : in the legend; "" for none
    x, y : their places
    kind : "circle", "square", "up", "down", "diamond" or "cross"
    colour : its place among the colours, from 0; None: that of text
    radius, opacity : of each point
    texts : what each is, for the table and where the pointer is
    low, high : an interval around each y
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: str = "circle"
    colour: int | None = 0
    radius: float = 2.8
    opacity: float = 0.8
    texts: Sequence[str] = ()
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def scatter(
    name: str,
    title: str,
    points: Sequence[Points],
    x: Axis | None = None,
    y: Axis | None = None,
    *,
    lines: Sequence[Series] = (),
    levels: Sequence[Level] = (),
    bands: Sequence[Stretch] = (),
    text: str = "",
    note: str = "",
) -> Figure:
    """Return points over two axes, in the order given, the last ones on top.

    Parameters
    ----------
    name, title : of the figure
    points : groups of points
    x, y : the axes
    lines : grey lines below the points, such as where both are equal
    levels, bands, text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> figure = scatter("errors", "Said and true", [Points("", [1, 2], [1.5, 1.9])], Axis("true"), Axis("said"))
    >>> figure.text, figure.rows
    ('said against true: 2 points.', [('1', '1.5'), ('2', '1.9')])
    """
    x, y = x or Axis(), y or Axis()
    keys = [Key(one.name, _colour(one.colour), one.kind) for one in points if one.name and len(one.x)]
    keys += [Key(one.name, MUTED, "line", dash) for one, dash in zip(lines, DASHES[1:], strict=False) if one.name]
    xs = [v for one in points for v in one.x] + [v for one in lines for v in one.x]
    ys = [v for one in points for v in (*one.y, *(one.low or ()), *(one.high or ()))]
    ys += [v for one in lines for v in one.y if v is not None] + [level.at for level in levels]
    ys += [v for band in bands for v in (band.low, band.high)]
    plot = Plot(x, y, xs, ys, legend=keys, room=(0.03, 0.05))
    parts: list[str] = [stretch(plot, band) for band in bands]
    parts.append(plot.frame())
    parts += [plot.level(level.at, level.text) for level in levels]
    for other, dash in zip(lines, DASHES[1:], strict=False):
        parts.append(path(drawn(plot, other.x, other.y), MUTED, 1.3, stroke_dasharray=dash))
    parts += [points_of(plot, one) for one in points]
    count = sum(len(one.x) for one in points)
    text = text or f"{y.label} against {x.label}: {count:,} points."
    drawing = svg(360, plot.height, text, *parts, **plot.data)
    numbers: dict[str, Any] = {
        "x": x.label,
        "y": y.label,
        "kind": "points",
        "series": [_numbers(one) for one in points],
    }
    numbers |= {"bands": [[band.low, band.high] for band in bands], "levels": [[one.at, one.text] for one in levels]}
    numbers |= {"lines": [*map(plain_series, lines)]}
    return Figure(name, title, drawing, text, numbers, *_table(points, x, y), note)


def _colour(place: int | None) -> str:
    return INK if place is None else COLOURS[place % len(COLOURS)]


def points_of(plot: Plot, one: Points) -> Html:
    """Return points with their intervals."""
    colour = _colour(one.colour)
    places = [(plot.x(a), plot.y(b)) for a, b in zip(one.x, one.y, strict=True)]
    marks = shape(one.kind, places, colour, one.radius, opacity=f"{one.opacity:g}" if one.opacity < 1 else None)
    if one.low is None or one.high is None:
        return marks
    bars = [
        f"M{short(x)} {short(plot.y(low))}V{short(plot.y(high))}m-{short(CAP / 2)} 0h{short(CAP)}"
        f"M{short(x - CAP / 2)} {short(plot.y(low))}h{short(CAP)}"
        for (x, _), low, high in zip(places, one.low, one.high, strict=True)
    ]
    return joined([path("".join(bars), colour, 1), marks])


def _numbers(one: Points) -> dict[str, Any]:
    more: dict[str, Any] = {"text": list(one.texts)} if one.texts else {}
    if one.low is not None and one.high is not None:
        more |= {"low": list(one.low), "high": list(one.high)}
    return plain_series(one) | more


def _table(points: Sequence[Points], x: Axis, y: Axis) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return one row for each point, with what it is where that is known."""
    named = any(one.texts for one in points)
    rows = []
    for one in points:
        texts = one.texts or [one.name] * len(one.x)
        for what, a, b in zip(texts, one.x, one.y, strict=True):
            at = dict(x.ticks).get(a) or x.format(a)
            rows.append(((what,) if named else ()) + (at, y.format(b)))
    return [*(["point"] if named else []), x.label, y.label], rows
