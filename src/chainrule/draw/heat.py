"""Heat maps: a value for each row at each step, as a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import number
from chainrule.draw.axes import Axis, Scale
from chainrule.draw.figure import COLOURS, FOOT, LINE, Figure, cut, joined, short, svg, width_of, words
from chainrule.draw.motion import Motion

#: So many shades are told apart, and rows have this height (less where there are many).
SHADES, ROW, LEAST = 24, 22.0, 6.0


@dataclass(frozen=True)
class Shade:
    """What a colour means.

    Attributes
    ----------
    title : what the values are, with their unit
    low, high : the values of the palest and the fullest colour; None: the lowest and the highest
    middle : the neutral value of a scale with two colours (below it orange, above it blue); None: one colour
    """

    title: str = ""
    low: float | None = None
    high: float | None = None
    middle: float | None = None


def heat(
    name: str,
    title: str,
    values: Any,
    at: Sequence[float],
    rows: Sequence[str],
    x: Axis | None = None,
    shade: Shade | None = None,
    *,
    over: Sequence[tuple[int, Any]] = (),
    text: str = "",
    note: str = "",
) -> Figure:
    """Return a map with a row for each name and a cell for each step, as wide as it is far to the next.

    Parameters
    ----------
    name, title : of the figure
    values : (rows, steps); what is not finite is left empty
    at : the steps
    rows : what the rows are, the first one above
    x : the axis of the steps
    shade : what the colours mean
    over : what it shows at other moments: steps done, and the values
    text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> figure = heat("flow", "Where does it die?", [[1.0, 0.5], [0.1, 0.2]], [0, 1], ["layer 1", "layer 2"])
    >>> figure.rows[1]
    ('layer 2', '0.1', '0.2')
    """
    x, shade = x or Axis(), shade or Shade()
    grid = np.asarray(values, float)
    finite = grid[np.isfinite(grid)]
    low = shade.low if shade.low is not None else float(finite.min()) if finite.size else 0.0
    high = shade.high if shade.high is not None else float(finite.max()) if finite.size else 1.0
    height = max(LEAST, min(ROW, 320 / max(1, len(rows))))
    left = 7 + max([width_of(cut(row, 110)) for row in rows], default=0.0)
    right, top = 352.0, 22.0
    bottom = top + height * len(rows)
    scale = Scale(x, at, left, right - (right - left) / max(2, len(at)))
    edges = [*(scale(v) for v in at), right]
    every = max(1, round(12 / height))
    named = [
        words(left - 4, top + (i + 0.5) * height + 4, cut(row, 110), "end")
        for i, row in enumerate(rows)
        if i % every == 0
    ]
    ticks = [words(scale(v) + 2, bottom + 13, label, "middle") for v, label in scale.ticks(6)]
    parts: list[str] = [
        tag("g", _cells(grid, edges, top, height, low, high, shade.middle), data_frame=""),
        *named,
        *ticks,
        _legend(shade, low, high),
    ]
    parts.append(words(right, bottom + 27, x.label, "end") if x.label else "")
    text = (
        text
        or f"{shade.title or title}: from {number(low)} to {number(high)} over {len(rows)} rows and {len(at)} steps."
    )
    numbers = {"x": x.label, "kind": "heat", "at": list(at), "rows": list(rows), "values": grid.tolist()}
    table = [(row, *map(number, line)) for row, line in zip(rows, grid.tolist(), strict=True)]
    box = " ".join(map(short, (left, top, scale.stop - left, bottom - top)))
    drawing = svg(360, bottom + 16 + FOOT, text, *parts, data_box=box, data_x=scale.ends)
    frames = [_cells(np.asarray(of, float), edges, top, height, low, high, shade.middle) for _, of in over]
    texts = [f"After step {step:,}" for step, _ in over]
    motion = Motion([step for step, _ in over], texts, frames) if over else None
    return Figure(name, title, drawing, text, numbers, ["", *map(x.format, at)], table, note, motion=motion)


def _cells(
    grid: np.ndarray, edges: Sequence[float], top: float, height: float, low: float, high: float, middle: float | None
) -> Html:
    """Return the cells, one path for each shade: each cell is a line as thick as its row is high."""
    paths: dict[tuple[str, int], list[str]] = {}
    middles = [short(top + (i + 0.5) * height) for i in range(len(grid))]
    for i, line in enumerate(grid):
        for j, value in enumerate(line):
            if not np.isfinite(value):
                continue
            colour, strength = shade_of(float(value), low, high, middle)
            cell = f"M{short(edges[j])} {middles[i]}h{short(max(0.4, edges[j + 1] - edges[j]))}"
            paths.setdefault((colour, round(strength * SHADES)), []).append(cell)
    drawn = joined(
        [
            tag(
                "path",
                d=Html("".join(cells)),
                stroke=colour,
                stroke_opacity=f"{step / SHADES:.2f}" if step < SHADES else None,
            )
            for (colour, step), cells in sorted(paths.items())
            if step
        ]
    )
    return tag("g", drawn, stroke_width=short(height), fill="none")


def shade_of(value: float, low: float, high: float, middle: float | None = None) -> tuple[str, float]:
    """Return the colour of a value and how strong it is, from 0 to 1.

    >>> shade_of(0.5, 0.0, 1.0)[1], shade_of(-2.0, -2.0, 1.0, 0.0) == (COLOURS[1], 1.0)
    (0.525, True)
    """
    if middle is None:
        share = (value - low) / (high - low) if high > low else 1.0
        return COLOURS[0], 0.05 + 0.95 * min(max(share, 0.0), 1.0)
    reach = max(high - middle, middle - low) or 1.0
    return COLOURS[0 if value >= middle else 1], min(abs(value - middle) / reach, 1.0)


def _legend(shade: Shade, low: float, high: float) -> Html:
    """Return the scale: what the palest and the fullest colour stand for."""
    ends = (number(low), number(high))
    start = 352 - width_of(ends[1]) - 4 - 60
    steps = [shade_of(low + (high - low) * (i + 0.5) / 12, low, high, shade.middle) for i in range(12)]
    boxes = [
        tag("rect", x=short(start + 5 * i), y=3, width=5, height=9, fill=colour, fill_opacity=f"{strength:.2f}")
        for i, (colour, strength) in enumerate(steps)
    ]
    frame = tag("rect", x=short(start), y=3, width=60, height=9, fill="none", stroke=LINE)
    title = cut(shade.title, start - width_of(ends[0]) - 12)
    labels = [words(0, 11, title), words(start - 4, 11, ends[0], "end"), words(352, 11, ends[1], "end")]
    return joined([*boxes, frame, *labels])
