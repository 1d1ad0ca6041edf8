"""Fans: how the spread of many values changes over the steps, by their quantiles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.display.markup import Html, tag
from chainrule.draw.axes import Axis, Key, Plot
from chainrule.draw.figure import COLOURS, Figure, path, short, svg
from chainrule.draw.line import Level, drawn
from chainrule.draw.motion import Motion

#: How wide the histogram beside a fan is.
BESIDE = 62.0


def fan(
    name: str,
    title: str,
    at: Sequence[float],
    shares: Sequence[float],
    values: Any,
    x: Axis | None = None,
    y: Axis | None = None,
    *,
    levels: Sequence[Level] = (),
    histograms: Sequence[tuple[int, str, Sequence[int]]] = (),
    text: str = "",
    note: str = "",
) -> Figure:
    """Return quantiles over steps: bands that are darker towards the middle, and the median as a line.

    At the right stands the histogram of one step, which moves with the cursor of a page.

    Parameters
    ----------
    name, title : of the figure
    at : the steps
    shares : which quantiles, rising and symmetric, as 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1
    values : the quantiles, (steps, shares)
    x, y : the axes
    histograms : of each step how many are done, what is seen in words, and how many values lie in each of some bins of
        equal width between the lowest and the highest quantile
    levels, text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> figure = fan("a", "Activations", [0, 1], [0, 0.5, 1], [[-1, 0, 1], [-2, 0.5, 3]], Axis("step"), Axis("a"))
    >>> figure.text
    'a over step: the median from 0 to 0.5, all from −1 to 1 at first, from −2 to 3 at last.'
    """
    x, y = x or Axis(), y or Axis()
    quantiles = np.asarray(values, float)
    middle = len(shares) // 2
    keys = [Key("median", COLOURS[0])]
    for i in range(middle - 1, -1, -1):  # bands lie one over the other
        keys.append(Key(_in_words(shares[i], shares[-1 - i]), COLOURS[0], "band", strength=1 - 0.78 ** (i + 1)))
    plot = Plot(
        x,
        y,
        at,
        [*quantiles.ravel().tolist(), *(level.at for level in levels)],
        legend=keys,
        beside=BESIDE if histograms else 0,
    )
    parts = [_band(plot, at, quantiles[:, i], quantiles[:, -1 - i]) for i in range(middle)]
    parts.append(plot.frame())
    parts += [plot.level(level.at, level.text) for level in levels]
    parts.append(path(drawn(plot, at, quantiles[:, middle].tolist()), COLOURS[0], 2))
    bars = [
        _bars(plot, low, high, counts)
        for (low, high), (_, _, counts) in zip(quantiles[:, [0, -1]].tolist(), histograms, strict=False)
    ]
    if bars:
        parts.append(tag("g", bars[-1], data_frame=""))
        steps, texts, counts = zip(*histograms, strict=True)
        motion = Motion(steps, texts, bars, list(at))
    first, last = quantiles[0], quantiles[-1]
    text = text or (
        f"{y.label} over {x.label}: the median from {y.format(first[middle])} to {y.format(last[middle])}, all from "
        f"{y.format(first[0])} to {y.format(first[-1])} at first, from {y.format(last[0])} to {y.format(last[-1])} at "
        "last."
    )
    head = [x.label, *(f"{100 * share:g} %" for share in shares)]
    rows = [(x.format(step), *map(y.format, row)) for step, row in zip(at, quantiles.tolist(), strict=True)]
    numbers = {"x": x.label, "y": y.label, "kind": "fan", "at": list(at), "shares": list(shares)}
    drawing = svg(360, plot.height, text, *parts, **plot.data)
    numbers |= {"values": quantiles.tolist()}
    if not bars:
        return Figure(name, title, drawing, text, numbers, head, rows, note)
    numbers |= {"counts": list(counts[-1])}
    return Figure(name, title, drawing, text, numbers, head, rows, note, motion=motion)


def _bars(plot: Plot, low: float, high: float, counts: Sequence[int]) -> Html:
    """Return a histogram that lies along the y axis, at the right of it."""
    most = max(counts, default=0)
    if not most or not np.isfinite([low, high]).all():
        return Html("")
    edges = np.linspace(low, high, len(counts) + 1).tolist()
    d = ""
    for (start, stop), count in zip(itertools.pairwise(edges), counts, strict=True):
        if count:
            top, bottom = plot.y(stop), plot.y(start)
            width = short(max(0.5, count / most * (BESIDE - 8)))
            d += f"M{short(plot.right + 5)} {short(top)}h{width}v{short(max(0.6, bottom - top))}h-{width}z"
    return tag("path", d=Html(d), fill=COLOURS[0])


def _band(plot: Plot, at: Sequence[float], low: np.ndarray, high: np.ndarray) -> Html:
    there = np.isfinite(low) & np.isfinite(high)
    points = [(plot.x(a), plot.y(b)) for a, b, seen in zip(at, high, there, strict=True) if seen]
    points += [(plot.x(a), plot.y(b)) for a, b, seen in list(zip(at, low, there, strict=True))[::-1] if seen]
    d = "M" + "L".join(f"{short(a)} {short(b)}" for a, b in points) + "z" if points else ""
    return tag("path", d=Html(d), fill=COLOURS[0], fill_opacity="0.22", class_="cr-band")


def _in_words(low: float, high: float) -> str:
    return "all" if (low, high) == (0, 1) else f"{100 * low:g} to {100 * high:g} %"
