"""Boxes and arrows as SVG: from left to right where that is narrow enough, else from top to bottom."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from chainrule.display.markup import Html, escape, join, tag
from chainrule.graph.boxes import LINE_HEIGHT, LINE_WIDTH, Arrow, Box
from chainrule.graph.layout import layout
from chainrule.graph.levels import Level
from chainrule.graph.node import Node

#: A wider drawing goes from top to bottom, in px.
WIDEST = 900.0

#: A place along the way of computation and across it.
_Point = tuple[float, float]


def svg(boxes: list[Box], title: str, link: Callable[[Node | Level], str], is_tall: bool = False) -> Html:
    """Return the drawing of boxes with their arrows; ``link`` gives the address of what a box stands for.

    ``is_tall`` asks for a drawing from top to bottom also where the other would be narrow enough.
    """
    if not is_tall:
        drawing = _svg(boxes, title, link, is_tall)
        if drawing[0] <= WIDEST:
            return drawing[1]
    return _svg(boxes, title, link, True)[1]


def _svg(boxes: list[Box], title: str, link: Callable[[Node | Level], str], is_tall: bool) -> tuple[float, Html]:
    """Return the width of a drawing, in px, and itself."""
    arrows = [arrow for box in boxes for arrow in box.arrows]
    sizes = [_tall(box) if is_tall else _wide(box) for box in boxes]
    plan = layout(
        sizes=[(h, w) for w, h in sizes] if is_tall else sizes,
        arrows=[(arrow.source, b) for b, box in enumerate(boxes) for arrow in box.arrows],
        ports=[w if is_tall else h for w, h in sizes],
        labels=[(LINE_HEIGHT if is_tall else 6.7 * len(arrow.label)) if arrow.label else 0.0 for arrow in arrows],
        gap=36.0 if is_tall else 52.0,
    )

    def turn(point: _Point) -> _Point:
        """Return x and y of a place along the way of computation and across it."""
        return (point[1], point[0]) if is_tall else point

    parts: list[Html] = []
    drawn: set[tuple[_Point, _Point]] = set()
    # The way that several arrows share is drawn once; with a gradient first: dashed only if all of them are.
    for arrow, path in sorted(zip(arrows, plan.paths, strict=True), key=lambda pair: pair[0].is_still):
        parts.append(_draw_arrow(arrow, _not_yet(path, drawn), turn))
    for box, size, place in zip(boxes, sizes, zip(plan.x, plan.y, strict=True), strict=True):
        parts.append(tag("a", _draw_box(box, size, turn(place)), href=link(box.key)))
    for arrow, path in zip(arrows, plan.paths, strict=True):  # last, above all lines
        if arrow.label:
            x, y = turn(path[-1])
            place = (x + 6, y - 9) if is_tall else (x - 9, y - 4)
            parts.append(_text("cr-back" if is_tall else "cr-back cr-end", place, arrow.label))
    width, height = turn((plan.width, plan.height))
    return width, tag(
        "svg",
        *parts,
        role="graphics-document",  # its boxes are links
        aria_label=title,
        style=f"width:{width:.0f}px;height:{height:.0f}px",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
    )


def _tall(box: Box) -> tuple[float, float]:
    """Return width and height of a box at whose top arrows end, with their labels beside them."""
    longest = max((len(arrow.label) for arrow in box.arrows), default=0)
    return max(box.width, len(box.arrows) * (LINE_WIDTH * longest + 10.0)), box.height


def _wide(box: Box) -> tuple[float, float]:
    """Return width and height of a box at whose left side arrows end; many arrows need a high one."""
    return box.width, max(box.height, min(20.0 * len(box.arrows), 240.0))


def _draw_box(box: Box, size: tuple[float, float], place: _Point) -> Html:
    (width, height), (x, y) = size, place
    first = y - LINE_HEIGHT * (len(box.lines) - 1) / 2 + 4.5
    lines = (_text(kind, (x, first + LINE_HEIGHT * at), text) for at, (kind, text) in enumerate(box.lines))
    return tag(
        "g",
        Html(
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8"/>'
        ),
        *lines,
        class_=f"cr-node {box.kind}".strip(),
    )


def _text(kind: str, place: _Point, text: str) -> Html:
    return tag("text", text, class_=kind, x=f"{place[0]:.1f}", y=f"{place[1]:.1f}")


def _not_yet(points: list[_Point], drawn: set[tuple[_Point, _Point]]) -> list[_Point]:
    """Return the end of an arrow from where it leaves the ways already drawn."""
    first = 0
    while first < len(points) - 2 and (points[first], points[first + 1]) in drawn:
        first += 1
    drawn.update(itertools.pairwise(points))
    return points[first:]


def _draw_arrow(arrow: Arrow, points: list[_Point], turn: Callable[[_Point], _Point]) -> Html:
    """Draw an arrow: straight through a column, curved between two columns."""

    def at(along: float, across: float) -> str:
        x, y = turn((along, across))
        return f"{x:.1f},{y:.1f}"

    along, across = points[0]
    way = [f"M{at(along, across)}"]
    for point in points[1:-1]:
        middle = (along + point[0]) / 2
        if abs(point[1] - across) > 0.05:
            way.append(f"C{at(middle, across)} {at(middle, point[1])} {at(*point)}")
        else:
            way.append(f"L{at(*point)}")
        along, across = point
    end, height = points[-1]
    way.append(f"L{at(end - 6, height)}")
    head = f"M{at(end, height)} L{at(end - 8, height - 4)} L{at(end - 8, height + 4)} z"
    still = "cr-still" if arrow.is_still else None
    return tag(
        "g",
        join([_path(" ".join(way), still), _path(head, "cr-head")]),
        class_="cr-arrow",
    )


def _path(way: str, kind: str | None) -> Html:
    return Html(f'<path{f" class={chr(34)}{kind}{chr(34)}" if kind else ""} d="{escape(way)}"/>')
