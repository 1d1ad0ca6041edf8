"""Maps of what a network answers over its two inputs, and of each hidden unit, at one moment."""

from __future__ import annotations

import numpy as np

from chainrule.draw.axes import Axis
from chainrule.draw.field import field
from chainrule.draw.figure import Figure
from chainrule.draw.images import images
from chainrule.draw.line import Series
from chainrule.draw.plane import of_classes, shades_of_classes
from chainrule.draw.scatter import Points
from chainrule.views.derive.boundary import Boundary
from chainrule.views.derive.contours import contour

Array = np.ndarray

#: Of the hidden units so many are shown, each in steps of a seventh of its largest value.
MOST_UNITS, SHADES = 16, 7
KINDS = ("circle", "square", "up", "diamond", "down")


def answer_map(seen: Boundary, at: int, text: str) -> Figure:
    """Return what is answered where at a stop, by its place: how sure it is of the answer, and where that changes."""
    answers = seen.answers[at]
    binary = len(answers) == 1
    sure = answers[0] if binary else answers.max(axis=0)
    codes = (answers[0] > seen.threshold).astype(int) if binary else answers.argmax(axis=0)
    lines = [Series("", *_parts(seen.x, seen.y, answers[0], seen.threshold))] if binary else [
        Series("", *_parts(seen.x, seen.y, (codes == code).astype(float), 0.5)) for code in range(len(answers))
    ]  # fmt: skip
    count = max(2, len(answers))
    chosen = np.where(codes == 1, sure, 1 - sure) if binary else sure
    colours = of_classes(count)[shades_of_classes(codes, chosen, count)]
    return field(
        "answer", "What it answers where", sure, _axis(seen.axes[0], seen.x), _axis(seen.axes[1], seen.y),
        points=_rows(seen, at), lines=lines, text=text, colours=colours,
        note="Each place has the colour of the class that is answered there, paler where it is less sure; line: where "
        "the answer changes; crosses: rows that are answered wrong.",
    )  # fmt: skip


def unit_maps(seen: Boundary, at: int) -> Figure | None:
    """Return what each hidden unit gives at a stop, by its place; None where there are none."""
    maps = seen.maps[at][:MOST_UNITS, ::-2, ::2]
    if not len(maps):
        return None
    most = np.abs(maps).max(axis=(1, 2), keepdims=True)
    steps = np.round(maps / np.where(most > 0, most, 1) * SHADES) / SHADES
    more = len(seen.units) - len(maps)
    return images(
        "units", "What each hidden unit gives", steps,
        [unit.removeprefix("dense_").replace(" · ", ".") for unit in seen.units[:MOST_UNITS]],
        text=f"Maps of {len(maps)} hidden units." + (f" {more} more are not shown." if more else ""),
        note="Named by layer and unit; below 0 orange, above 0 blue, each on its own scale.",
        columns=4, limit=1.0,
    )  # fmt: skip


def wrong_rows(seen: Boundary, at: int) -> Array:
    """Return which of the rows are answered wrong at a stop, by its place."""
    answers = seen.point_answers[at]
    answered = (answers[:, 0] > seen.threshold).astype(int) if answers.shape[1] == 1 else answers.argmax(axis=1)
    return answered != true_classes(seen)


def true_classes(seen: Boundary) -> Array:
    """Return the class of each row, by its place."""
    truths = np.asarray(seen.truths).reshape(len(seen.truths), -1)
    return truths.argmax(axis=1) if truths.shape[1] > 1 else truths[:, 0].astype(int)


def _rows(seen: Boundary, at: int) -> list[Points]:
    """Return the rows by class, and a cross on each that is answered wrong."""
    codes, wrong = true_classes(seen), wrong_rows(seen, at)
    rows = [
        points_at(str(name), seen.points[codes == code], KINDS[code % len(KINDS)], code)
        for code, name in enumerate(seen.classes)
    ]
    return [*rows, points_at("answered wrong", seen.points[wrong], "cross", None)]


def points_at(name: str, places: Array, kind: str, colour: int | None) -> Points:
    """Return points at places (n, 2), of some kind and colour (by its place; None: that of text)."""
    x, y = places.round(3).T.tolist()
    return Points(name, x, y, kind, colour)


def _axis(name: str, places: Array) -> Axis:
    """Return an axis whose ends are the edges of the cells around these places."""
    half = float(places[1] - places[0]) / 2
    return Axis(name, low=float(places[0]) - half, high=float(places[-1]) + half)


def _parts(x: Array, y: Array, grid: Array, level: float) -> tuple[list[float], list[float | None]]:
    """Return the lines along which a map has a value, parted by None."""
    along: list[float] = []
    up: list[float | None] = []
    for places in contour(x, y, grid, level):
        along += [*places[:, 0].round(3).tolist(), float(places[-1, 0])]
        up += [*places[:, 1].round(3).tolist(), None]
    return along, up
