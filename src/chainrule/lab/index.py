"""The index of the lab: each page with its question, and a small picture where it has been made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chainrule.display.markup import Html, document, tag
from chainrule.draw.figure import STYLE
from chainrule.files import as_path, write_atomic
from chainrule.lab import QUESTIONS
from chainrule.views.reel import Reel, read

TITLE = "The lab of chainrule"
CSS = """
.pages { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 12px; padding: 0;
  list-style: none; }
.pages a { display: block; height: 100%; padding: 12px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--surface); color: inherit; text-decoration: none; }
.pages a:hover { border-color: var(--accent); }
.pages strong { color: var(--accent); }
.pages .cr-figure { border: 0; padding: 8px 0 0; pointer-events: none; }
"""


def index(address: str = "{}.html", reels: Mapping[str, Reel] | None = None) -> str:
    """Return the page that lists the pages.

    Parameters
    ----------
    address : where a page is, with {} for its name
    reels : pages that have been made, by name: their first drawing is shown
    """
    items = (
        tag(
            "li",
            tag("a", tag("strong", name), tag("div", question), _picture((reels or {}).get(name)),
                href=address.format(name)),
        )
        for name, question in QUESTIONS.items()
    )  # fmt: skip
    introduction = "Questions of the lectures, each a page with a picture that moves; chainrule computed every number."
    body = tag("main", tag("h1", TITLE), tag("p", introduction), tag("ul", *items, class_="pages"))
    return document(TITLE, f"{STYLE}\n{read('reel.css')}\n{CSS}", body)


def write_index(folder: str | Path, reels: Mapping[str, Reel]) -> Path:
    """Write the index beside the pages ``NAME.html`` of a folder."""
    path = as_path(folder) / "index.html"
    write_atomic(path, index(reels=reels))
    return path


def _picture(reel: Reel | None) -> Html | None:
    """Return the first drawing of a page."""
    if reel is None or not (figures := reel.frames[reel.start].figures):
        return None
    return tag("div", Html(figures[0].svg()), class_="cr-figure", aria_hidden="true")
