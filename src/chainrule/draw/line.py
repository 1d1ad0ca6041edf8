"""Curves: what was measured over steps or epochs.

Of many points every pixel column shows the lowest and the highest, so no spike is lost, and a thick line the median
around each place.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from chainrule.display.markup import Html, tag
from chainrule.draw.axes import SPAN, Axis, Key, Plot, shape
from chainrule.draw.figure import COLOURS, DASHES, Figure, joined, path, plain_series, short, svg
from chainrule.draw.motion import packed

#: Of more than twice as many points the lowest and highest of each column are drawn, and their median; up to so many
#: points are dots, too.
COLUMNS, DOTS = 160, 61

#: A longer curve travels in the page packed, in so many bytes at most; else by the extremes of so many stretches.
MOST_NUMBERS, MOST_BYTES, STRETCHES = 300, 128 * 1024, 500

#: The median is taken over this share of the run.
WINDOW = 1 / 50


@dataclass(frozen=True)
class Series:
    """A curve: its name, and one value of ``y`` for each of ``x``; ``low`` and ``high`` are a band around it.

    ``several``: these are many thin curves with None between them, which are not in the table. ``colour``: instead of
    the one that its place among the series gives it.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    several: bool = False
    colour: str | None = None


@dataclass(frozen=True)
class Mark:
    """A place along x with a name, such as the epoch whose weights were kept."""

    at: float
    text: str


@dataclass(frozen=True)
class Level:
    """A value of y with a name, such as what a simple rule reaches."""

    at: float
    text: str


@dataclass(frozen=True)
class Stretch:
    """A band of values of y, such as where a healthy ratio lies."""

    low: float
    high: float
    text: str = ""


def line(
    name: str,
    title: str,
    series: Sequence[Series],
    x: Axis | None = None,
    y: Axis | None = None,
    *,
    marks: Sequence[Mark] = (),
    levels: Sequence[Level] = (),
    bands: Sequence[Stretch] = (),
    text: str = "",
    note: str = "",
) -> Figure:
    """Return curves over one axis.

    Parameters
    ----------
    name, title : of the figure
    series : the curves, with their bands
    x, y : the axes; an ``y`` with ``log=None`` is drawn on both scales, and the reader chooses
    marks, levels, bands : places that have a name
    text : the finding in words; "": from where to where each curve goes
    note : how it is drawn

    Example
    -------
    >>> loss = Series("training", [1, 2, 3], [2.0, 0.5, 0.1])
    >>> figure = line("loss", "Does it learn?", [loss], Axis("epoch"), Axis("cross-entropy", "nats", log=None))
    >>> figure.text, figure.starts_logarithmic
    ('cross-entropy (nats) over epoch: training from 2 to 0.1.', True)
    """
    x, y = x or Axis(), y or Axis()
    values = [v for one in series for v in _all_of(one)] + [level.at for level in levels]
    seen = [float(v) for v in values if v is not None and math.isfinite(v)]
    text = text or _in_words(series, x, y)
    positive = bool(seen) and min(seen) > 0
    scales = [bool(y.log) and positive] if y.log is not None else [False, True] if positive else [False]
    drawings = [
        _drawing(series, x, dataclasses.replace(y, log=scale), seen, marks, levels, bands, text) for scale in scales
    ]
    numbers = [_numbers(one) for one in series]
    if any(_many(one) for one in series):
        thick = f"Thin: lowest and highest of each column. Thick: median over {WINDOW:.0%} of the run."
        note = f"{note} {thick}".strip().replace("2%", "2 %")
    if any("of" in one and "packed" not in one for one in numbers):
        note = f"{note} The page has the lowest and highest value of each of {STRETCHES} stretches.".strip()
    return Figure(
        name,
        title,
        drawings[0],
        text,
        {"x": x.label, "y": y.label, "kind": "line", "percent": y.percent}
        | {"series": numbers, "marks": [[mark.at, mark.text] for mark in marks]}
        | {"levels": [[level.at, level.text] for level in levels]},
        *_table(series, x, y),
        note,
        drawings[1] if len(drawings) > 1 else None,
        len(drawings) > 1 and max(seen) / min(seen) > SPAN,
    )


def _drawing(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    seen: Sequence[float],
    marks: Sequence[Mark],
    levels: Sequence[Level],
    bands: Sequence[Stretch],
    text: str,
) -> Html:
    keys = [
        Key(one.name, one.colour or COLOURS[i % 6], "line", None if one.several else DASHES[i % 6])
        for i, one in enumerate(series)
    ]
    xs = [float(v) for one in series for v in one.x]
    legend = keys if len(keys) > 1 else ()
    edges = [v for band in bands for v in (band.low, band.high) if not y.log or v > 0]
    plot = Plot(x, y, [*xs, *(mark.at for mark in marks)], [*seen, *edges], legend=legend, names=len(marks))
    parts: list[str] = [stretch(plot, band) for band in bands]
    parts.append(plot.grid())
    parts += [plot.upright(mark.at, mark.text, i) for i, mark in enumerate(marks)]
    parts += [plot.level(level.at, level.text) for level in levels]
    for one, key in zip(series, keys, strict=True):
        if one.low is not None and one.high is not None:
            parts.append(_band(plot, one, key))
    for one, key in zip(series, keys, strict=True):
        parts.append(tag("g", _curve(plot, one, key), data_of=one.name or None))
    still = tag("g", *map(Html, parts), data_still="")
    return svg(360, plot.height, text, still, *plot.titles(), **plot.data)


def _curve(plot: Plot, one: Series, key: Key) -> Html:
    """Return a curve; of many points the raw values thin and their median thick."""
    if one.several:
        return path(drawn(plot, one.x, one.y), key.colour, 0.8, stroke_opacity="0.6", stroke_linejoin="round")
    if not _many(one):
        line = path(drawn(plot, one.x, one.y), key.colour, 2, stroke_linejoin="round", stroke_dasharray=key.dash)
        if len(one.x) > DOTS:
            return line
        points = [(plot.x(a), plot.y(b)) for a, b in zip(one.x, one.y, strict=True) if _is_there(b, plot)]
        return joined([line, shape("circle", points, key.colour, 2.5)])
    share = [(plot.x(v) - plot.left) / (plot.right - plot.left) for v in one.x]
    x, y = extremes(one.x, one.y, np.array([int(v * (COLUMNS - 1e-6)) for v in share]))
    raw = path(drawn(plot, x, y), key.colour, 0.7, stroke_opacity="0.45", stroke_linejoin="round")
    middle = path(
        drawn(plot, *smooth(one.x, one.y)), key.colour, 2.2, stroke_linejoin="round", stroke_dasharray=key.dash
    )
    return joined([raw, middle])


def drawn(plot: Plot, x: Sequence[float], y: Sequence[float | None]) -> str:
    """Return a path through points; it is lifted where a value is missing."""
    d, pen = [], "M"
    for a, b in zip(x, y, strict=True):
        if not _is_there(b, plot):
            pen = "M"
            continue
        d.append(f"{pen}{short(plot.x(a))} {short(plot.y(b))}")
        pen = "L"
    return "".join(d)


def _is_there(value: float | None, plot: Plot) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and (value > 0 or not plot.y.log)


def _many(one: Series) -> bool:
    return len(one.x) > 2 * COLUMNS and not one.several


def extremes(x: Sequence[float], y: Sequence[float | None], column: np.ndarray) -> tuple[list[float], list[float]]:
    """Return the lowest and highest value of each column, in the order in which they came.

    >>> extremes([0, 1, 2, 3], [5.0, 7.0, 1.0, None], np.array([0, 0, 0, 1]))
    ([1.0, 2.0], [7.0, 1.0])
    """
    places_of_x, values = np.asarray(x, float), _array(y)
    places: list[int] = []
    for inside in np.split(np.arange(len(values)), np.flatnonzero(np.diff(column)) + 1):
        there = inside[np.isfinite(values[inside])]
        if len(there):
            places += sorted({int(there[values[there].argmin()]), int(there[values[there].argmax()])})
    return places_of_x[places].tolist(), values[places].tolist()


def _array(y: Sequence[float | None]) -> np.ndarray:
    return np.array([math.nan if v is None else v for v in y], float)


def smooth(x: Sequence[float], y: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """Return the median of the values around each of up to `COLUMNS` places; at the ends the window is cut in half.

    >>> smooth(range(5), [1.0, 9.0, 2.0, 3.0, 4.0])[1]
    [1.0, 9.0, 2.0, 3.0, 4.0]
    """
    values = _array(y)
    n, half = len(values), int(len(values) * WINDOW / 2)
    places = np.unique(np.linspace(0, n - 1, min(n, COLUMNS)).round().astype(int))
    around = [values[max(0, i - half) : i + half + 1] for i in places]
    middle = [float(np.median(part[np.isfinite(part)])) if np.isfinite(part).any() else math.nan for part in around]
    return [float(x[i]) for i in places], middle


def _band(plot: Plot, one: Series, key: Key) -> Html:
    """Return what lies between the lowest and the highest; each stretch without a gap is a shape."""
    edges = list(zip(one.x, _array(one.low or ()).tolist(), _array(one.high or ()).tolist(), strict=True))
    d = ""
    for there, part in itertools.groupby(edges, lambda e: _is_there(e[1], plot) and _is_there(e[2], plot)):
        if not there:
            continue
        points = list(part)
        if len(points) > 2 * COLUMNS:
            step = math.ceil(len(points) / COLUMNS)
            pieces = [points[i : i + step] for i in range(0, len(points), step)]
            points = [(p[-1][0], min(q[1] for q in p), max(q[2] for q in p)) for p in pieces]
        there_and_back = [(a, high) for a, _, high in points] + [(a, low) for a, low, _ in points[::-1]]
        d += "M" + "L".join(f"{short(plot.x(a))} {short(plot.y(b))}" for a, b in there_and_back) + "z"
    return tag("path", d=Html(d), fill=key.colour, fill_opacity="0.2", class_="cr-band")


def stretch(plot: Plot, band: Stretch) -> Html:
    """Return a band of values of y across the drawing."""
    top, bottom = plot.y(band.high), plot.y(band.low)
    where = {"x": short(plot.left), "y": short(top), "width": short(plot.right - plot.left)}
    return tag("rect", **where, height=short(bottom - top), fill=COLOURS[0], fill_opacity="0.12", class_="cr-band")


def _all_of(one: Series) -> list[float | None]:
    return [*one.y, *(one.low or ()), *(one.high or ())]


def _numbers(one: Series) -> dict[str, object]:
    """Return a curve for JSON.

    A long one is packed, as float32; where that takes too much room, it has the extremes of each stretch. Both say how
    many values it has.
    """
    if len(one.x) <= MOST_NUMBERS or one.low is not None or one.several:
        bands: dict[str, object] = {
            side: list(v) for side, v in (("low", one.low), ("high", one.high)) if v is not None
        }
        return plain_series(one) | bands
    x, many = np.asarray(one.x, float), len(one.x)
    if (np.diff(x) == x[1] - x[0]).all():
        values = packed(_array(one.y).astype("<f4").tobytes())
        if len(values) <= MOST_BYTES:
            return {"name": one.name, "first": x[0], "each": x[1] - x[0], "of": many, "packed": values}
    places, extreme = extremes(one.x, one.y, np.arange(many) * STRETCHES // many)
    return {"name": one.name, "x": places, "y": extreme, "of": many}


def _table(series: Sequence[Series], x: Axis, y: Axis) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return one row for each place that any curve has a value at."""
    columns: list[tuple[str, dict[float, float | None]]] = []
    for one in (one for one in series if not one.several):
        columns.append((one.name, dict(zip(one.x, one.y, strict=True))))
        for side, values in (("lowest", one.low), ("highest", one.high)):
            if values is not None:
                columns.append((f"{one.name}, {side}", dict(zip(one.x, values, strict=True))))
    places = sorted({v for _, values in columns for v in values})

    def cell(values: dict[float, float | None], at: float) -> str:
        return "" if at not in values else y.format(values[at])

    rows = [(x.format(at), *(cell(values, at) for _, values in columns)) for at in places]
    return [x.label, *(name or y.label for name, _ in columns)], rows


def _in_words(series: Sequence[Series], x: Axis, y: Axis) -> str:
    """Return from where to where each curve goes."""
    parts = []
    for one in series:
        there = [v for v in one.y if v is not None and math.isfinite(v)]
        if there:
            parts.append(f"{one.name} from {y.format(there[0])} to {y.format(there[-1])}")
    return f"{y.label} over {x.label}: {'; '.join(parts) or 'no values'}."
