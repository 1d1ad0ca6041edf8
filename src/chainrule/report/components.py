"""What the sections are made of: all that there is to show, tables, figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import is_number, number
from chainrule.draw.figure import Figure
from chainrule.metrics import metric_of
from chainrule.report.findings import Curves
from chainrule.runs.members import Members
from chainrule.runs.trials import Trials
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.training.record import Record
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing


@dataclass(frozen=True)
class Page:
    """All that there is to show.

    Attributes
    ----------
    record : the run's folder
    evaluation : what `gather` found; {} if there is nothing
    curves : what was measured after each epoch
    figures : by their names
    config : the text of config.toml
    members : what is known about the networks of several seeds or folds, if there are any
    trials : what is known about a search, if there was one
    diagnosis : what the doctor says of the run, if it was asked
    recorded : what the run recorded of its training, if it did
    unrecorded : why that cannot be read, "" if it can or if there is nothing
    inside : the figures of each view of the recording, or why there are none
    """

    record: Record
    evaluation: Mapping[str, Any]
    curves: Curves
    figures: Mapping[str, Figure]
    config: str
    members: Members | None = None
    trials: Trials | None = None
    diagnosis: Diagnosis | None = None
    recorded: Recorded | None = None
    unrecorded: str = ""
    inside: Mapping[str, list[Figure] | Missing] = field(default_factory=dict)


def place(page: Page, *names: str) -> Html | None:
    """Return those of some figures that there are, side by side where there is room; None if there are none."""
    drawn = [page.figures[name].html() for name in names if name in page.figures]
    return tag("div", *drawn, class_="two") if drawn else None


def training_times(page: Page) -> tuple[float, float]:
    """Return the seconds of training of all networks (members or trials) together, and those of the run's own curve.

    Networks that trained at once have equal shares of that time.
    """
    of_run = math.fsum(s for s in page.curves.column("seconds") if s == s)
    if page.members is not None:
        times = [record.get("seconds") for epochs in page.members.epochs for record in epochs]
    elif page.trials is not None:
        times = [trial.get("seconds") for trial in page.trials.all]
    else:
        return of_run, of_run
    return math.fsum(float(s) for s in times if s is not None and is_number(s)), of_run


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
