"""A figure: its drawing, what it says in words, its numbers as a table and as JSON; the same in a page, in a notebook
and in a file of its own.

Colours are variables of CSS with a value in case there is no style sheet, so one drawing is right in light and in dark.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.display.markup import Html, escape, join, tag
from chainrule.display.numbers import finite, number
from chainrule.draw.motion import Motion

INK, MUTED, LINE, SURFACE = (
    *("var(--cr-ink, #1c2128)", "var(--cr-muted, #57606a)"),
    *("var(--cr-line, #e1e4e8)", "var(--cr-surface, #ffffff)"),
)

#: Series in their order: dashes, and colours that people with any kind of colour vision tell apart (as those of Okabe
#: and Ito, 2008, darker where they stand on white).
COLOURS = (
    *("var(--cr-1, #0072b2)", "var(--cr-2, #d55e00)", "var(--cr-3, #00805d)"),
    *("var(--cr-4, #7b2d6e)", "var(--cr-5, #4d3c00)", "var(--cr-6, #858e99)"),
)
DASHES = (None, "6 3", "2 2", "8 3 2 3", "4 2", "1 2")

#: So much room is left at the foot of a drawing: there the title of its axis stands, and the way to its table.
FOOT = 16

#: How wide a letter is on average, as a share of its size.
WIDE = 0.53

#: A table below a figure has so many rows at most; of more, every second or third and so on is shown.
MOST_ROWS = 32

STYLE = """
.cr-figure, .cr-figure * { box-sizing: border-box; }
.cr-figure { --cr-ink: #1c2128; --cr-muted: #57606a; --cr-line: #e1e4e8; --cr-surface: #ffffff;
  --cr-1: #0072b2; --cr-2: #d55e00; --cr-3: #00805d; --cr-4: #7b2d6e; --cr-5: #4d3c00; --cr-6: #858e99;
  container-type: inline-size; margin: 0; padding: 6px 7px 3px; min-width: 0; max-width: 640px; position: relative;
  background: var(--cr-surface); color: var(--cr-ink); border: 1px solid var(--cr-line); border-radius: 8px;
  font: 14px/1.4 system-ui, sans-serif; }
@media screen and (prefers-color-scheme: dark) { .cr-figure { --cr-ink: #e6e9ed; --cr-muted: #a0aab4;
  --cr-line: #30363e; --cr-surface: #1b1f24; --cr-1: #5eb6f0; --cr-2: #e8833a; --cr-3: #2fb386; --cr-4: #f0bfe0;
  --cr-5: #f7eb9c; --cr-6: #808a96; } }
.cr-figure .cr-top { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline;
  gap: 0 12px; }
.cr-figure h3, .cr-figure h4 { font-size: 15px; font-weight: 600; margin: 0; }
.cr-figure label { font-size: 13px; color: var(--cr-muted); display: flex; gap: 6px; align-items: center; }
.cr-figure svg { display: block; width: 100%; height: auto; overflow: visible; }
.cr-figure svg text { font-variant-numeric: tabular-nums; }
@container (max-width: 300px) { .cr-figure svg text { font-size: 13px; } }
@container (min-width: 480px) { .cr-figure svg text { font-size: 9.5px; } }
@container (min-width: 560px) { .cr-figure svg text { font-size: 8px; } }
.cr-figure:has(input:checked) > .cr-linear, .cr-figure:has(input:not(:checked)) > .cr-log { display: none; }
.cr-figure figcaption { font-size: 13px; color: var(--cr-muted); padding: 2px 0 0; }
.cr-figure .cr-now { font-size: 13px; margin: 2px 0 0; min-height: 1.4em; font-variant-numeric: tabular-nums; }
.cr-figure svg > image[data-map]:not([data-map="0"]) { opacity: 0.6; }
.cr-figure .cr-grid { stroke: var(--cr-line); fill: none; }
.cr-figure .cr-chosen { fill: var(--cr-1); fill-opacity: 0.15; }
.cr-figure .cr-at { stroke: var(--cr-ink); stroke-width: 1.2; stroke-dasharray: 3 2; fill: none; }
.cr-figure details { border: 0; margin: -21px 0 0; background: none; position: relative; }
.cr-figure output { position: absolute; top: 30px; left: 8px; right: 8px; padding: 1px 2px; font-size: 13px;
  color: var(--cr-ink); background: var(--cr-surface); }
.cr-figure output:empty { display: none; }
.cr-figure svg[role=group] ~ output { display: block; position: static; min-height: 20px; }
.cr-figure:has(svg[role=group]) { overflow-x: auto; }
.cr-figure svg[role=group] ~ details { margin-top: 0; }
.cr-figure summary { cursor: pointer; font-size: 12px; color: var(--cr-muted); padding: 2px 0; width: fit-content; }
.cr-figure .cr-rows { overflow: auto; max-height: 420px; }
.cr-figure table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; min-width: 0; }
.cr-figure th, .cr-figure td { padding: 2px 10px 2px 0; text-align: right; border: 0; font-weight: 400;
  white-space: nowrap;  background: none; color: inherit; }
.cr-figure thead th { color: var(--cr-muted); }
.cr-figure [role=button] { cursor: pointer; }
.cr-figure [role=button]:focus-visible { outline: 2px solid var(--cr-ink); outline-offset: -1px; }
""".strip()


@dataclass(frozen=True)
class Figure:
    """A figure with everything that belongs to it.

    Attributes
    ----------
    name : in the page: ``data-testid="figure-NAME"``, and the address ``#figure-NAME``
    title : what is shown, or the question that it answers
    drawing : an ``<svg>``
    text : what is to be seen, in words: the finding, for those who cannot see it
    numbers : what was drawn, as plain values for JSON
    head, rows : the same as a table: headings, and values or texts
    note : how it is drawn, where that is not plain
    logarithmic : the same on a logarithmic scale, where the reader may choose
    starts_logarithmic : whether that one is shown first
    motion : what moves in it with the cursor of a page; without scripts the drawing stands as it is

    Example
    -------
    >>> from chainrule.draw.axes import Axis
    >>> from chainrule.draw.line import Series, line
    >>> figure = line("loss", "Does it learn?", [Series("training", [1, 2], [0.9, 0.3])], Axis("epoch"), Axis("loss"))
    >>> figure.svg()[:4], figure.rows[1]
    ('<svg', ('2', '0.3'))
    """

    name: str
    title: str
    drawing: Html
    text: str
    numbers: Mapping[str, Any]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    note: str = ""
    logarithmic: Html | None = None
    starts_logarithmic: bool = False
    motion: Motion | None = None

    def svg(self) -> str:
        """Return the drawing alone: a file that a browser or a text program shows."""
        return str(self.logarithmic if self.logarithmic is not None and self.starts_logarithmic else self.drawing)

    def html(self, level: int = 3, *, data: bool = True) -> Html:
        """Return the figure for a page that has `STYLE`: complete without scripts.

        Parameters
        ----------
        level
            The level of its heading.
        data
            Whether what scripts read is in it: its numbers, and what moves.
        """
        box = None
        drawings = [self.drawing]
        if self.logarithmic is not None:
            checked = " checked" if self.starts_logarithmic else ""
            box = tag(
                "label", Html(f'<input type="checkbox" data-log-of="{escape(self.name)}"{checked}>'), "logarithmic"
            )
            drawings = [
                Html(drawing.replace("<svg ", f'<svg class="cr-{scale}" ', 1))
                for scale, drawing in (("linear", self.drawing), ("log", self.logarithmic))
            ]
        scale = "log" if self.starts_logarithmic else "linear"
        return tag(
            "figure",
            tag("div", tag(f"h{level}", self.title), box, class_="cr-top"),
            *drawings,
            self._table(),
            tag("p", self.motion.texts[-1], class_="cr-now") if self.motion and self.motion.texts else None,
            tag("figcaption", self.note) if self.note else None,
            tag("script", Html(as_json(self.numbers)), type="application/json", data_for=self.name) if data else None,
            self.motion.html() if data and self.motion else None,
            class_="cr-figure",
            id=f"figure-{self.name}" if data else None,
            data_testid=f"figure-{self.name}",
            data_scale=scale if self.logarithmic is not None else None,
        )

    def _table(self) -> Html | None:
        if not self.rows:
            return None
        step = math.ceil(len(self.rows) / MOST_ROWS)
        chosen = [*self.rows[::step], *([] if (len(self.rows) - 1) % step == 0 else [self.rows[-1]])]
        head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in self.head)))
        body = tag("tbody", *(tag("tr", *(tag("td", in_words(value)) for value in row)) for row in chosen))
        title = "as a table" if step == 1 else f"as a table ({len(chosen):,} of {len(self.rows):,} rows)"
        return tag(
            "details", tag("summary", title), tag("div", tag("table", head, body), class_="cr-rows", tabindex="0")
        )

    def _repr_html_(self) -> str:
        """Return the figure for a notebook: with its style, without any script."""
        return f"<style>{STYLE}</style>{self.html(data=False)}"


def plain_series(series: Any) -> dict[str, Any]:
    """Return the name and the places of a series, of points or of a path, as plain values for `Figure.numbers`."""
    return {"name": series.name, "x": list(series.x), "y": list(series.y)}


def in_words(value: Any) -> str:
    """Return a value of a table as people read it; nothing for None."""
    return "" if value is None else value if isinstance(value, str) else number(value)


def as_json(numbers: Any) -> str:
    """Return plain values as JSON that can stand in HTML; numbers that are not finite are null.

    >>> as_json({"y": [1.0, float("nan")], "name": "<b>"})
    '{"y":[1.0,null],"name":"\\\\u003cb>"}'
    """
    return json.dumps(finite(numbers), allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace(
        "<", "\\u003c"
    )


def svg(width: float, height: float, text: str, *parts: str, role: str = "img", **data: object) -> Html:
    """Return a drawing of a size in its own units, that scales with its place; ``text`` is said instead of it."""
    return tag(
        "svg",
        *map(Html, parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {short(width)} {short(height)}",
        role=role,
        aria_label=text,
        font_family="system-ui, sans-serif",
        font_size="11",
        fill=MUTED,
        **data,
    )


def words(x: float, y: float, text: object, anchor: str = "start", colour: str | None = None, **more: object) -> Html:
    """Return text in a drawing; None for its colour: that of all text."""
    anchors = None if anchor == "start" else anchor
    return tag("text", text, x=short(x), y=short(y), text_anchor=anchors, fill=colour, **more)


def path(d: str, colour: str | None, width: float = 1.5, **more: object) -> Html:
    """Return a line along a path; None for its colour: what is set around it."""
    return tag("path", d=Html(d), fill="none", stroke=colour, stroke_width=short(width), **more)


def short(value: float) -> str:
    """Return a place in a drawing, to a tenth of a unit.

    >>> short(1.04), short(20.0)
    ('1', '20')
    """
    return f"{round(float(value), 1):g}"


def width_of(text: object, size: float = 11) -> float:
    """Return about how wide a text is."""
    return WIDE * size * len(str(text))


def cut(text: object, room: float, size: float = 11) -> str:
    """Return a text that fits into some room, with … where it does not."""
    plain = str(text)
    most = max(2, int(room / (WIDE * size)))
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def joined(parts: Sequence[str]) -> Html:
    """Return parts of a drawing, one over the other."""
    return join(map(Html, parts))
