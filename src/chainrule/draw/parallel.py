"""Parallel coordinates: each trial a line, from axis to axis downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.display.markup import Html
from chainrule.draw.axes import HALO, Key, legend_of
from chainrule.draw.figure import FOOT, INK, LINE, Figure, cut, path, short, svg, words

#: The height of an axis with what is written at it, and where axes begin and end.
ROW, LEFT, RIGHT = 46.0, 12.0, 348.0


@dataclass(frozen=True)
class Rail:
    """One axis: its title, and what is written at which of its places, from 0 to 1."""

    title: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Lines:
    """Lines that are drawn alike: for each the places on all axes, None where it has none."""

    name: str
    places: Sequence[Sequence[float | None]]
    colour: str = INK
    width: float = 1.0
    opacity: float = 1.0


def parallel(
    name: str,
    title: str,
    rails: Sequence[Rail],
    groups: Sequence[Lines],
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text: str,
    note: str = "",
) -> Figure:
    """Return lines through parallel axes (Inselberg, 1985), which lie below each other so that a phone shows them.

    Parameters
    ----------
    name, title : of the figure
    rails : the axes, the first one above
    groups : lines, the last ones on top
    head, rows : the same as a table
    text, note : as of `chainrule.draw.line.line`

    Example
    -------
    >>> rails = [Rail("lr", [(0, "0.001"), (1, "0.1")]), Rail("accuracy", [(0, "50 %"), (1, "99 %")])]
    >>> figure = parallel("all", "Trials", rails, [Lines("best", [[0.5, 1.0]])], ["lr", "accuracy"], [], text="One.")
    >>> figure.svg().count("<path")
    4
    """
    keys, count = legend_of("", [Key(one.name, one.colour) for one in groups[::-1]])
    tops = [15.0 * count + 20 + ROW * i for i in range(len(rails))]
    parts: list[Html] = [*keys]
    parts += [path(f"M{short(LEFT)} {short(y)}H{short(RIGHT)}", LINE, 2) for y in tops]
    for one in groups:
        d = "".join(_line(places, tops) for places in one.places)
        parts.append(path(d, one.colour, one.width, stroke_opacity=f"{one.opacity:g}", stroke_linejoin="round"))
    for rail, y in zip(rails, tops, strict=True):
        parts.append(words(LEFT, y - 5, cut(rail.title, RIGHT - LEFT), "start", INK, **HALO))
        parts += [words(_at(at), y + 13, label, _anchor(at), **HALO) for at, label in rail.ticks]
    numbers: dict[str, object] = {"kind": "parallel", "axes": [rail.title for rail in rails]}
    numbers["lines"] = [{"name": one.name, "places": [list(places) for places in one.places]} for one in groups]
    drawing = svg(360, tops[-1] + FOOT + 16, text, *parts)
    return Figure(name, title, drawing, text, numbers, head, rows, note)


def _at(place: float) -> float:
    return LEFT + place * (RIGHT - LEFT)


def _anchor(place: float) -> str:
    return "start" if place < 0.05 else "end" if place > 0.95 else "middle"


def _line(places: Sequence[float | None], tops: Sequence[float]) -> str:
    points = [f"{short(_at(place))} {short(y)}" for place, y in zip(places, tops, strict=True) if place is not None]
    return f"M{'L'.join(points)}" if points else ""
