"""What the sections are made of: all that there is to show, tables, and places for figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.display.markup import Html, clean, escape, tag
from chainrule.display.numbers import number
from chainrule.metrics import metric_of
from chainrule.report.figures import Figure
from chainrule.report.findings import Curves
from chainrule.runs.members import Members
from chainrule.runs.trials import Trials
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.training.record import Record


@dataclass(frozen=True)
class Page:
    """All that there is to show.

    Attributes
    ----------
    record : the run's folder
    evaluation : what `gather` found; {} if there is nothing
    curves : what was measured after each epoch
    figures : by the id of their place
    config : the text of config.toml
    members : what is known about the networks of several seeds or folds, if there are any
    trials : what is known about a search, if there was one
    diagnosis : what the doctor says of the run, if it was asked
    """

    record: Record
    evaluation: Mapping[str, Any]
    curves: Curves
    figures: Mapping[str, Figure]
    config: str
    members: Members | None = None
    trials: Trials | None = None
    diagnosis: Diagnosis | None = None


def place(
    name: str, title: str, text: str, *, log: bool = False, caption: bool = False, height: int | None = None
) -> Html:
    """Return a place for a figure, with its title, and with what it shows in words for those who cannot see it."""
    box = tag("label", Html(f'<input type="checkbox" data-log-of="{escape(name)}">'), "logarithmic") if log else None
    top = tag("div", tag("h3", title), box, class_="top")
    style = None if height is None else f"height:{height}px"
    plot = tag("div", class_="plot", style=style, data_figure=name, role="img", aria_label=clean(text))
    return tag("figure", top, plot, tag("figcaption", text) if caption else None)


def table(head: Sequence[object], rows: Iterable[Html], caption: str | None = None) -> Html:
    """Return a table that scrolls sideways where it is too wide. A heading may come with a class."""
    cells = [cell if isinstance(cell, tuple) else (cell, None) for cell in head]
    top = (
        tag("thead", tag("tr", *(tag("th", text, scope="col", class_=kind) for text, kind in cells))) if cells else None
    )
    return scroll(tag("table", tag("caption", caption) if caption else None, top, tag("tbody", *rows)))


def scroll(inside: Html, class_: str = "scroll") -> Html:
    """Return what may be wider than the page; it scrolls by the keyboard, too."""
    return tag("div", inside, class_=class_, tabindex="0")


def row(first: object, *cells: Html, highlight: bool = False, wrap: bool = False) -> Html:
    """Return a row with a heading; ``highlight`` rows stand out."""
    name = tag("th", first, scope="row", class_="wrap" if wrap else None)
    return tag("tr", name, *cells, class_="own" if highlight else None)


def n(text: object) -> Html:
    """Return a cell with a number."""
    return tag("td", text, class_="n")


def wide(text: object, muted: bool = False) -> Html:
    """Return a cell with text that may be long."""
    return tag("td", text, class_="wrap muted" if muted else "wrap")


def score(evaluation: Mapping[str, Any], value: Any) -> str:
    """Return the share of right answers, or the mean absolute error."""
    return metric_of(evaluation["task"]).format(value)


def numbers(values: Any) -> str:
    """Return one number, or the first few of several."""
    values = values if isinstance(values, list) else [values]
    shown = ", ".join(number(v) for v in values[:4])
    return shown if len(values) <= 4 else f"{shown}, …"


def size(shape: Sequence[int]) -> str:
    """Return a shape."""
    return " × ".join(str(n) for n in shape)
