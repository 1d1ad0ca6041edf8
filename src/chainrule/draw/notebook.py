"""What a result shows of itself in a notebook: static, with its own style, right in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.display.markup import Html, join, tag
from chainrule.draw.figure import STYLE, Figure


def cell(*parts: Figure | Html | str | None) -> str:
    """Return parts of an output: figures, HTML, and text, which becomes a paragraph.

    >>> cell("2 epochs on numpy").count("<p>2 epochs on numpy</p>")
    1
    """
    figures = [part.html(4, data=False) for part in parts if isinstance(part, Figure)]
    before = [
        part if isinstance(part, Html) else tag("p", part)
        for part in parts
        if isinstance(part, str) and part is not None
    ]
    side_by_side = "display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 8px"
    return str(
        tag(
            "div",
            tag("style", Html(STYLE)),
            join(before),
            tag("div", *figures, style=side_by_side) if figures else None,
            style="max-width: 980px",
        )
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Return a table."""
    top = tag("tr", *(tag("th", name, scope="col", style="text-align: left") for name in head))
    body = (tag("tr", *(tag("td", value, style="text-align: left") for value in row)) for row in rows)
    return tag("table", tag("thead", top), tag("tbody", *body))
