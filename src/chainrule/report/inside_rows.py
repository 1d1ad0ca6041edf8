"""The rows in the cells of a confusion matrix: what they are, and since when they are answered so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import number
from chainrule.draw.motion import packed_json
from chainrule.evaluation.worst import picture
from chainrule.report.components import n, row, table, wide
from chainrule.report.inside_figures import moments
from chainrule.training.recorded import Recorded
from chainrule.views.derive.confusions import Confusions

#: So many rows travel with a page, so many of them with what they are, and so many columns of each.
MOST_ROWS, DESCRIBED, COLUMNS = 1500, 64, 6

#: Without scripts so many mistakes of the last epoch are listed.
LISTED = 24


def rows_of_cells(recorded: Recorded, seen: Confusions) -> Html:
    """Return a place where the rows of a chosen cell are listed; at first, the mistakes of the last epoch."""
    chosen = travelling(seen)
    known = descriptions(recorded, seen, chosen)
    at = np.array(moments(seen))
    since = seen.answered_since()
    content = {
        "classes": seen.classes,
        "epochs": [seen.epochs[i] for i in at.tolist()],
        "numbers": seen.numbers[chosen],
        "truths": seen.truths[chosen],
        "answers": seen.answers[np.ix_(at, chosen)],
        "since": since[np.ix_(at, chosen)],
        "what": [known.get(int(place), "") for place in chosen],
        "part": seen.part,
    }
    packed = tag("script", Html(packed_json(content)), type="text/plain", data_rows="")
    mistakes = [place for place in chosen.tolist() if seen.answers[-1, place] != seen.truths[place]]
    rows = [
        row(
            f"{seen.numbers[place]:,}",
            wide(seen.classes[seen.truths[place]]),
            wide(seen.classes[seen.answers[-1, place]]),
            n(f"{since[-1, place]:,}"),
            tag("td", Html(known.get(place, ""))),
        )
        for place in mistakes[:LISTED]
    ]
    in_all = int((seen.answers[-1] != seen.truths).sum())
    title = f"The {seen.part} rows that were answered wrong in epoch {seen.epochs[-1]:,}"
    title += f": {len(rows):,} of {in_all:,}" if in_all > len(rows) else ""
    head = ["row", "true", "answered", ("since epoch", "n"), "what it is"]
    listed = table(head, rows, title) if rows else tag("p", "No mistakes in the last epoch.", class_="about")
    return tag("div", listed, packed, class_="rows-of-cells", id="rows-of-cells", aria_live="polite")


def travelling(seen: Confusions) -> np.ndarray:
    """Return the places of the rows that travel with the page, in their order: those most often wrong, if many."""
    often = (seen.answers != seen.truths).mean(axis=0)
    return np.sort(np.argsort(-often, kind="stable")[:MOST_ROWS])


def descriptions(recorded: Recorded, seen: Confusions, chosen: np.ndarray) -> dict[int, Html]:
    """Return what some of the rows are, by their places: of those that were kept as they came, the most often wrong."""
    fixed = recorded.fixed
    of_part = np.flatnonzero(fixed.is_validation == (seen.part == "validation"))
    place_of = {int(number): place for place, number in enumerate(seen.numbers.tolist())}
    places = {place_of[int(fixed.numbers[at])]: int(at) for at in of_part if int(fixed.numbers[at]) in place_of}
    often = (seen.answers != seen.truths).sum(axis=0)
    wanted = sorted((p for p in chosen.tolist() if p in places), key=lambda p: (-often[p], p))[:DESCRIBED]
    values = recorded.model.inputs.undo(fixed.x[[places[place] for place in wanted]])
    names = recorded.model.inputs.feature_names
    return {place: described(value, names) for place, value in zip(wanted, values, strict=True)}


def described(values: np.ndarray, names: Sequence[str] | None = None) -> Html:
    """Return a row as a small picture, or its first columns in words; of categories those that it has.

    >>> described(np.array([22.0, 0.0, 1.0]), ["age", "city=Oslo", "city=Rome"])
    'age 22, city Rome'
    """
    if values.ndim == 3:
        return tag("img", src=picture(values), alt="")
    if values.ndim != 1:
        return Html("")
    called = names if names is not None and len(names) == len(values) else None
    parts = []
    for at, value in enumerate(values.tolist()):
        name = called[at] if called else f"x{at}"
        column, is_category, category = name.partition("=")
        if is_category and value in (0, 1):
            parts += [f"{column} {category}"] if value else []
        else:
            parts.append(f"{name} {number(value, 3)}")
    more = [] if len(parts) <= COLUMNS else ["…"]
    return join([", ".join([*parts[:COLUMNS], *more])])
