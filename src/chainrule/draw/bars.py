"""Bars: how often values of each size occur."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from chainrule.display.markup import tag
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis, Plot
from chainrule.draw.figure import COLOURS, Figure, short, svg


def bars(
    name: str,
    title: str,
    edges: Sequence[float],
    counts: Sequence[int],
    x: Axis | None = None,
    y: Axis | None = None,
    *,
    text: str = "",
    note: str = "",
) -> Figure:
    """Return a histogram.

    Parameters
    ----------
    name, title : of the figure
    edges : where bars begin and the last one ends, rising
    counts : the height of each bar, one fewer than edges
    x, y : the axes
    text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> figure = bars("errors", "Errors", [-1.0, 0.0, 1.0], [3, 5], Axis("error"), Axis("rows"))
    >>> figure.rows
    [('−1 to 0', '3'), ('0 to 1', '5')]
    """
    x, y = x or Axis(), y or Axis(whole=True)
    plot = Plot(x, y, edges, [0, *counts], room=(0.0, 0.0))
    pairs = list(itertools.pairwise(edges))
    drawn = [
        tag(
            *("rect", tag("title", f"{number(a)} to {number(b)}: {count:,}")),
            x=short(plot.x(a) + 0.5),
            y=short(plot.y(count)),
            width=short(max(0.5, plot.x(b) - plot.x(a) - 1)),
            height=short(plot.bottom - plot.y(count)),
        )
        for (a, b), count in zip(pairs, counts, strict=True)
    ]
    most = max(range(len(counts)), key=counts.__getitem__)
    text = text or f"{title}: most are {number(pairs[most][0])} to {number(pairs[most][1])}, {counts[most]:,} times."
    drawing = svg(360, plot.height, text, plot.frame(), tag("g", *drawn, fill=COLOURS[0]))
    rows = [(f"{number(a)} to {number(b)}", f"{count:,}") for (a, b), count in zip(pairs, counts, strict=True)]
    numbers = {"kind": "bars", "x": x.label, "y": y.label, "edges": list(edges), "counts": list(counts)}
    return Figure(name, title, drawing, text, numbers, [x.label, y.label], rows, note)
