"""Confusion matrices: what was taken for what."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import percent
from chainrule.draw.figure import COLOURS, FOOT, INK, MUTED, Figure, cut, joined, short, svg, width_of, words
from chainrule.draw.motion import Motion

#: The least size of a cell; a drawing of more classes than fit is wider.
LEAST = 22.0


def matrix(
    name: str,
    title: str,
    classes: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    note: str = "",
    over: Sequence[tuple[int, str, Sequence[Sequence[int]]]] = (),
) -> Figure:
    """Return the rows of each true class by the answer that they got: right ones blue, mistakes orange.

    The colour of a mistake is the square root of its count as a share of the largest, so that few are seen beside many;
    that of right answers goes by their share of the class. Each cell is a button in the page: it says itself in words.

    Parameters
    ----------
    name, title : of the figure
    classes : the names of the classes
    counts : counts[i][j] rows of class i were answered with class j
    note : how it is drawn
    over : what it shows at other moments: steps done, the moment in words, and the counts; the colours are those of all

    Example
    -------
    >>> figure = matrix("confusion", "Confusion matrix", ["cat", "dog"], [[8, 2], [0, 5]])
    >>> figure.text
    '13 of 15 rows are on the diagonal. Most often taken for another: “cat” for “dog” (2 of 10).'
    """
    k = len(classes)
    left = 18 + min(90.0, max(width_of(one) for one in classes))
    size = max(LEAST, min((352 - left) / k, 62.0))
    width, top = max(360.0, left + k * size + 8), 32.0
    height = min(size, 34.0)
    parts: list[Html] = [words(left, 11, "answered"), words(0, 27, "true")]
    for j, one in enumerate(classes):
        parts.append(words(left + (j + 0.5) * size, 27, cut(one, size), "middle", INK))
    for i, one in enumerate(classes):
        parts.append(words(left - 5, top + (i + 0.5) * height + 4, cut(one, left - 8), "end", INK))
    largest = max(map(_most_of_one_mistake, [counts, *(moment for _, _, moment in over)])) or 1
    cells = [_cells(classes, moment, largest, (left, top, size, height)) for _, _, moment in over]
    shown = _cells(classes, counts, largest, (left, top, size, height))
    text = _finding(classes, counts)
    inside = tag("g", shown, text_anchor="middle", fill=MUTED, data_frame="")
    wide = f"min-width: {short(width)}px" if width > 360 else None  # it scrolls where there is less room
    drawing = svg(width, top + k * height + FOOT, text, *parts, inside, role="group", data_cells=k, style=wide)
    head = ["true \\ answered", *classes]
    rows = [(one, *(f"{count:,}" for count in line)) for one, line in zip(classes, counts, strict=True)]
    numbers = {"kind": "matrix", "classes": list(classes), "counts": [list(line) for line in counts]}
    texts = [f"{moment}: {_finding(classes, of)}" for _, moment, of in over]
    motion = Motion([step for step, _, _ in over], texts, cells) if over else None
    return Figure(name, title, drawing, text, numbers, head, rows, note, motion=motion)


def _most_of_one_mistake(counts: Sequence[Sequence[int]]) -> int:
    return max((count for i, line in enumerate(counts) for j, count in enumerate(line) if i != j), default=0)


def _cells(
    classes: Sequence[str],
    counts: Sequence[Sequence[int]],
    largest: int,
    places: tuple[float, float, float, float],
) -> Html:
    """Return the cells: from the left and the top of the first one, in their width and height."""
    left, top, size, height = places
    cells: list[Html] = []
    for i, line in enumerate(counts):
        y = top + i * height
        for j, count in enumerate(line):
            share = count / (sum(line) or 1) if i == j else math.sqrt(count / largest)
            strength = 0.0 if not count else 0.06 + (0.5 if i == j else 0.6) * share
            x, middle = left + j * size, left + (j + 0.5) * size - 0.5
            d = f"M{short(x)} {short(y)}h{short(size - 1)}v{short(height - 1)}h-{short(size - 1)}z"
            colour = COLOURS[0 if i == j else 1] if count else None
            box = tag("path", d=Html(d), fill=colour, fill_opacity=f"{strength:.2f}" if count else "0")
            number = tag(
                "text", f"{count:,}", x=short(middle), y=short(y + height / 2 + 4), fill=INK if count else None
            )
            title = tag("title", in_words(classes, counts, i, j))
            cells.append(tag("g", title, box, number, role="button", tabindex="-1" if cells else "0"))
    return joined(cells)


def in_words(classes: Sequence[str], counts: Sequence[Sequence[int]], i: int, j: int) -> str:
    """Return what a cell says.

    >>> in_words(["cat", "dog"], [[8, 2], [0, 5]], 0, 1)
    '2 of 10 rows of “cat” were answered with “dog” (20.0 %)'
    """
    of = sum(counts[i])
    share = f" ({percent(counts[i][j] / of, 1)})" if of else ""
    return f"{counts[i][j]:,} of {of:,} rows of “{classes[i]}” were answered with “{classes[j]}”{share}"


def _finding(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return how many are right, and which mistake is most frequent."""
    right, of = sum(line[i] for i, line in enumerate(counts)), sum(map(sum, counts))
    text = f"{right:,} of {of:,} rows are on the diagonal."
    wrong = [(count, i, j) for i, line in enumerate(counts) for j, count in enumerate(line) if i != j and count]
    if not wrong:
        return text
    count, i, j = max(wrong, key=lambda one: one[0])
    return f"{text} Most often taken for another: “{classes[i]}” for “{classes[j]}” ({count:,} of {sum(counts[i]):,})."
