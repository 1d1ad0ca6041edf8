"""Axes: from values to places in a drawing, ticks at round numbers, and the frame around what is drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import number, percent
from chainrule.draw.figure import FOOT, LINE, MUTED, cut, joined, path, short, width_of, words

#: Width of every drawing, and height of what is inside the axes, in units of the drawing: about 1.2 pixels in a page.
WIDTH, HEIGHT = 360.0, 262.0

#: A logarithmic scale is shown first where the largest value is more than so many times the smallest.
SPAN = 10.0


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes
    ----------
    title : what its values are
    unit : of these values; "" for none
    log : whether it is logarithmic; None: the reader may choose, and it is where the values span more than `SPAN`
    percent : whether the values are fractions that are read in percent
    whole : whether ticks stand at whole numbers only
    low, high : its ends; None: those of the values
    ticks : (value, text) to write; (): round numbers

    >>> Axis("cross-entropy", "nats").label
    'cross-entropy (nats)'
    """

    title: str = ""
    unit: str = ""
    log: bool | None = False
    percent: bool = False
    whole: bool = False
    low: float | None = None
    high: float | None = None
    ticks: Sequence[tuple[float, str]] = ()

    @property
    def label(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def format(self, value: float | None) -> str:
        """Return a value as people read it."""
        return percent(value) if self.percent else number(value)


class Scale:
    """From values to places: linear, or logarithmic for values above 0.

    Parameters
    ----------
    axis : what is shown
    values : all that is to be seen; what is not finite does not count
    start, stop : the places of the lowest and the highest value
    room : a share of the span that is left free at both ends

    >>> scale = Scale(Axis(log=True), [0.001, 10.0], 0.0, 100.0)
    >>> [round(scale(v)) for v in (0.001, 0.1, 10.0)], scale.ticks(5)[:2]
    ([0, 50, 100], [(0.001, '0.001'), (0.01, '0.01')])
    """

    def __init__(self, axis: Axis, values: Iterable[float], start: float, stop: float, room: float = 0.0) -> None:
        self.axis, self.start, self.stop, self.log = axis, start, stop, bool(axis.log)
        seen = [float(v) for v in values if v is not None and math.isfinite(v) and (v > 0 or not self.log)]
        low = min(seen, default=0.1 if self.log else 0.0) if axis.low is None else axis.low
        high = max(seen, default=1.0) if axis.high is None else axis.high
        if self.log and low <= 0:
            low = min(seen, default=high / SPAN)
        if not low < high:
            around = 0.05 if axis.percent else (abs(low) or 1) / 2
            low, high = (low / 2, low * 2) if self.log else (low - around, low + around)
        self.low, self.high = (math.log10(low), math.log10(high)) if self.log else (low, high)
        free = room * (self.high - self.low)
        self.low -= free if axis.low is None else 0
        self.high += free if axis.high is None else 0

    def __call__(self, value: float) -> float:
        """Return the place of a value; those beyond the ends stand at the ends."""
        if self.log:
            value = math.log10(value) if value > 0 else self.low
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    @property
    def ends(self) -> str:
        """The ends and the kind of the scale, for scripts that look up what is below the pointer."""
        return f"{self.low:.9g} {self.high:.9g} {'log' if self.log else 'linear'}"

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return at most so many (value, text) to write."""
        if self.axis.ticks:
            step = math.ceil(len(self.axis.ticks) / max(1, most))
            return list(self.axis.ticks)[::step]
        return self._log_ticks(most) if self.log and self.high - self.low >= 0.5 else self._ticks(most)

    def _ticks(self, most: int) -> list[tuple[float, str]]:
        low, high = (10**self.low, 10**self.high) if self.log else (self.low, self.high)
        rough = (high - low) / max(1, most)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.999 * rough)
        if self.axis.whole:
            step = max(1.0, float(round(step)))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 > most and not self.axis.whole:
            step, first, last = 2 * step, math.ceil(low / (2 * step) - 1e-9), math.floor(high / (2 * step) + 1e-9)
        if self.axis.percent:  # a share ends at 0 and 1, the room beyond has no ticks
            first, last = max(first, 0), min(last, math.floor(1 / step + 1e-9))
        return [(i * step, _tick(i * step, step, self.axis.percent)) for i in range(first, last + 1)]

    def _log_ticks(self, most: int) -> list[tuple[float, str]]:
        span = self.high - self.low
        multiples = (1, 2, 5) if span < 1.5 else (1, 3) if span < 2.5 and most > 4 else (1,)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        near = 1e-9 + 0.001 * span
        places = [(m, p) for p in powers for m in multiples if self.low - near <= math.log10(m) + p <= self.high + near]
        step = math.ceil(len(places) / max(1, most))
        return [(m * 10.0**p, _power(m, p, self.axis.percent)) for m, p in places[::step]]


def _tick(value: float, step: float, percent: bool) -> str:
    """Return a tick with the decimals that its step needs."""
    value, step = (100 * value, 100 * step) if percent else (value, step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    long = decimals > 4 or abs(value) >= 1e6
    text = (f"{value:.3g}" if long and value else f"{value:,.{0 if long else decimals}f}").replace("-", "−")
    return f"{text} %" if percent else text


def _power(multiple: int, power: int, percent: bool) -> str:
    if percent or -4 < power < 5:
        return _tick(multiple * 10.0**power, 10.0**power, percent)
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if multiple == 1 else f"{multiple}·10{raised}"


@dataclass(frozen=True)
class Key:
    """A name in the legend, and how what it names is drawn: "line", "band" (of some strength) or a shape of points."""

    name: str
    colour: str
    kind: str = "line"
    dash: str | None = None
    strength: float = 0.25


class Plot:
    """The frame of a drawing with two axes: places of values, grid, ticks, titles and legend.

    Parameters
    ----------
    x, y : the axes
    xs, ys : all values that are to be seen
    legend : what is named above
    names : rows that are left free below it, for the names of places along x
    height : of what is inside the axes
    room : shares of the span that are left free, across and upwards
    beside : what is left free at the right of it
    """

    def __init__(
        self,
        x: Axis,
        y: Axis,
        xs: Iterable[float],
        ys: Iterable[float],
        *,
        legend: Sequence[Key] = (),
        names: int = 0,
        height: float = HEIGHT,
        room: tuple[float, float] = (0.02, 0.06),
        beside: float = 0.0,
    ) -> None:
        self.legend, rows = legend_of(y.label, legend)
        self.names = 15.0 * rows + 5
        self.top = self.names + 13 * names
        self.bottom = self.top + height
        self.y = Scale(y, ys, self.bottom, self.top, room[1])
        self.y_ticks = self.y.ticks(max(3, int(height / 38)))
        self.left = 7 + max([width_of(cut(text, 110)) for _, text in self.y_ticks], default=0.0)
        self.right = WIDTH - 8 - beside
        self.x = Scale(x, xs, self.left, self.right, room[0])
        widest = max((width_of(text) for _, text in self.x.ticks(6)), default=20.0) + 14
        self.x_ticks = self.x.ticks(max(2, int((self.right - self.left) / widest)))
        self.height = self.bottom + 16 + FOOT

    @property
    def data(self) -> dict[str, str]:
        """Where the axes are and what they show, for scripts that look up what is below the pointer."""
        box = " ".join(map(short, (self.left, self.top, self.right - self.left, self.bottom - self.top)))
        return {"data_box": box, "data_x": self.x.ends, "data_y": self.y.ends}

    def frame(self) -> Html:
        """Return grid, ticks, titles and legend."""
        return joined([self.grid(), *self.titles()])

    def titles(self) -> list[Html]:
        """Return the titles of the axes, and the legend."""
        title = words(self.right, self.bottom + 27, self.x.axis.label, "end") if self.x.axis.label else Html("")
        return [title, *self.legend]

    def grid(self) -> Html:
        """Return grid and ticks."""
        across = [f"M{short(self.left)} {short(self.y(v))}H{short(self.right)}" for v, _ in self.y_ticks]
        names = [words(self.left - 4, self.y(v) + 3.5, cut(text, 110), "end") for v, text in self.y_ticks]
        names += [words(self.x(v), self.bottom + 13, text, self._anchor(v, text)) for v, text in self.x_ticks]
        marks = [f"M{short(self.x(v))} {short(self.bottom)}v3" for v, _ in self.x_ticks]
        return joined([path("".join([*across, *marks]), LINE, 1), *names])

    def _anchor(self, value: float, text: str) -> str:
        """Return how a tick stands at its place, so that the last one does not leave the drawing."""
        return "end" if self.x(value) + width_of(text) / 2 > WIDTH - 1 else "middle"

    def upright(self, at: float, text: str, row: int = 0) -> Html:
        """Return a dotted line at a value of x with its name above; each further one a row lower."""
        place, top = self.x(at), self.names + 13 * row
        right = place + width_of(text) + 4 > self.right
        name = words(place - 4 if right else place + 4, top + 9, text, "end" if right else "start", **HALO)
        line = path(f"M{short(place)} {short(top)}V{short(self.bottom)}", MUTED, 1, stroke_dasharray="2 3")
        return joined([line, name])

    def level(self, value: float, text: str, colour: str = MUTED) -> Html:
        """Return a dotted line at a value of y with its name above it at the right."""
        place = self.y(value)
        line = path(f"M{short(self.left)} {short(place)}H{short(self.right)}", colour, 1.2, stroke_dasharray="2 3")
        above = place - 4 if place - 15 > self.top else place + 12
        return joined([line, words(self.right - 2, above, text, "end", **HALO)])


#: Text over marks has a seam in the colour of the ground.
HALO: dict[str, Any] = {
    "paint_order": "stroke", "stroke": "var(--cr-surface, #ffffff)", "stroke_width": "3", "stroke_linejoin": "round"
}  # fmt: skip


def legend_of(title: str, keys: Sequence[Key]) -> tuple[list[Html], int]:
    """Return the title of the y axis and the keys in rows above the drawing, and how many rows these are."""
    parts, rows, at = [], 1, 0.0
    if title:
        parts, at = [words(0, 10, cut(title, WIDTH))], width_of(cut(title, WIDTH)) + 18
    elif not keys:
        return [], 0
    for key in keys:
        name = cut(key.name, WIDTH - 24)
        size = 22 + width_of(name) + 10
        if at and at + size - 10 > WIDTH:
            rows, at = rows + 1, 0.0
        y = 15 * rows - 5
        parts += [_sign(key, at, y - 4), words(at + 22, y, name)]
        at += size
    return parts, rows


def _sign(key: Key, x: float, y: float) -> Html:
    """Return what stands before a name in the legend."""
    if key.kind == "band":
        return tag(
            "rect", x=short(x), y=short(y - 4), width=17, height=8, fill=key.colour, fill_opacity=f"{key.strength:.2f}"
        )
    if key.kind == "line":
        return path(f"M{short(x)} {short(y)}h17", key.colour, 2, stroke_dasharray=key.dash)
    return shape(key.kind, [(x + 9, y)], key.colour, 3.5)


#: The outlines of the shapes of points, from their middle, for a radius of 1.
OUTLINES = {
    "square": "m-.85-.85h1.7v1.7h-1.7z",
    "up": "m0-1.15l1.1 2h-2.2z",
    "down": "m0 1.15l1.1-2h-2.2z",
    "diamond": "m0-1.25l1.25 1.25-1.25 1.25-1.25-1.25z",
}
SHAPES = ("circle", "square", "up", "diamond", "down")


def shape(kind: str, places: Iterable[tuple[float, float]], colour: str, radius: float, **more: object) -> Html:
    """Return points of one kind as a single path: "circle", "cross", or one of `OUTLINES`."""
    at = [f"M{short(x)} {short(y)}" for x, y in places]
    if kind == "circle":  # a line of no length with round ends
        return path("".join(f"{place}h0" for place in at), colour, 2 * radius, stroke_linecap="round", **more)
    if kind == "cross":
        r, d = short(radius), short(2 * radius)
        strokes = f"m-{r}-{r}l{d} {d}m0-{d}l-{d} {d}"
        return path("".join(place + strokes for place in at), colour, 1.8, **more)
    outline = _scaled(OUTLINES[kind], radius)
    return tag("path", d=Html("".join(place + outline for place in at)), fill=colour, **more)


def _scaled(outline: str, radius: float) -> str:
    """Return an outline in the size of a radius."""
    return re.sub(r"-?\d*\.?\d+", lambda match: f" {short(float(match[0]) * radius)}", outline)
