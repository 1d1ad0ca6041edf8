"""Several runs side by side, as a page: how good each is, what differs, and how they learnt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainrule.display.markup import Html, tag
from chainrule.display.numbers import is_number
from chainrule.draw.axes import Axis
from chainrule.draw.figure import COLOURS, Figure
from chainrule.draw.line import Series, line
from chainrule.draw.parallel import Lines, Rail, parallel
from chainrule.draw.scatter import Points, scatter
from chainrule.metrics import METRICS, base_name, find, is_fraction, label_of
from chainrule.report.compared_run import ComparedRun, is_one_measure
from chainrule.report.components import row, table, wide
from chainrule.report.figures import epochs_axis
from chainrule.report.page import document

#: Curves of so many runs can be told apart.
MOST_CURVES = len(COLOURS)


def page(
    compared: Sequence[ComparedRun],
    settings: Mapping[str, Sequence[Any]],
    rows: Sequence[Sequence[str]],
    sentences: Sequence[str],
) -> str:
    """Return the page of a comparison.

    Parameters
    ----------
    compared : the runs
    settings : those in which they differ: for each the value in every run
    rows : the runs as a table, whose first row is the heading
    sentences : what there is to say
    """
    names = ", ".join(run.name for run in compared)
    sections = {
        "verdict": tag("ul", *(tag("li", sentence) for sentence in sentences)),
        "runs": runs(rows),
        "scores": scores(compared),
        "curves": _side_by_side(curves(compared)),
        "settings": _side_by_side([] if (figure := all_settings(compared, settings)) is None else [figure]),
    }
    titles = {"runs": "Settings that differ", "scores": "Scores", "curves": "Learning curves"}
    titles["settings"] = "All settings at once"
    parts = {"header": tag("h1", f"{len(compared)} runs side by side")}
    for name, content in sections.items():
        if content is not None:
            heading = tag("h2", titles[name]) if name in titles else None
            parts[name] = tag("section", heading, content, id=name, aria_label=None if heading else "Verdict")
    parts["footer"] = tag("p", "Made of the runs' folders by chainrule compare.")
    return document(f"{names} – chainrule", parts)


def runs(rows: Sequence[Sequence[str]]) -> Html:
    """Return the runs, with the settings in which they differ."""
    head, *cells = rows
    return table(head, [row(name, *map(wide, others)) for name, *others in cells])


def scores(compared: Sequence[ComparedRun]) -> Html | None:
    """Return the score of each run with its interval, where they were measured alike."""
    if not is_one_measure(compared):
        return None
    there = [(at, run.score) for at, run in enumerate(compared) if run.score is not None]
    metric = there[0][1].metric
    points = [
        Points(
            *("", [float(at)], [score.value]),
            *("circle", at % MOST_CURVES),
            radius=4,
            texts=[f"{compared[at].name}: {score}, {score.of}"],
            low=[score.low] if math.isfinite(score.low) else None,
            high=[score.high] if math.isfinite(score.high) else None,
        )
        for at, score in there
    ]
    ticks = [(float(at), run.name) for at, run in enumerate(compared)]
    figure = scatter(
        *("scores", f"{metric.label.capitalize()} of each run", points),
        Axis("run", ticks=ticks, low=-0.6, high=len(ticks) - 0.4),
        Axis(metric.label, percent=metric.is_fraction),
        text="; ".join(f"{run.name} {run.score}" for run in compared),
        note="Bars are 95 % intervals: of one network over rows, of several over networks.",
    )
    return _side_by_side([figure])


def curves(compared: Sequence[ComparedRun]) -> list[Figure]:
    """Return the validation of the runs over their epochs, else their training; a band where a run has several."""
    chosen = list(compared)
    if len(chosen) > MOST_CURVES and is_one_measure(compared):
        chosen.sort(key=lambda run: run.score.metric.cost(run.score.value))  # type: ignore[union-attr]
    chosen = chosen[:MOST_CURVES]
    columns = [name for records in map(_epochs, chosen) for record in records[:1] for name in record]
    figures = []
    for name in dict.fromkeys(find(column).name for column in columns if base_name(column) in METRICS):
        column = f"val_{name}" if f"val_{name}" in columns else name
        series = [curve for run in chosen for curve in _curve(run, column)]
        if not series:
            continue
        of = "validation" if column.startswith("val_") else "training"
        last = max(int(one.x[-1]) for one in series)
        left_out = len(compared) - len(chosen)
        figures.append(
            line(
                *(name, f"{label_of(name).capitalize()} of the {of} rows", series, epochs_axis(last)),
                Axis(label_of(name), percent=is_fraction(name), log=None if name == "loss" else False),
                note=f"The {MOST_CURVES} best runs; {left_out} are left out." if left_out else "",
            )
        )
    return figures


def all_settings(compared: Sequence[ComparedRun], settings: Mapping[str, Sequence[Any]]) -> Figure | None:
    """Return one line for each run through the numbers in which they differ, down to its score; None for two runs."""
    if len(compared) < 3 or not is_one_measure(compared):
        return None
    values = {
        name: [float(v) for v in several]
        for name, several in settings.items()
        if all(is_number(v) and math.isfinite(v) for v in several)
    }
    if not values:
        return None
    measured = [run.score for run in compared if run.score is not None]
    label = measured[0].metric.label
    values[label] = [score.value for score in measured]
    rails = [
        Rail(name, [(0.0, f"{min(several):.4g}"), (1.0, f"{max(several):.4g}")] if min(several) < max(several) else [])
        for name, several in values.items()
    ]
    places = [[_place(several[at], several) for several in values.values()] for at in range(len(compared))]
    lines = [
        Lines(run.name, [place], COLOURS[at % MOST_CURVES], 2.0)
        for at, (run, place) in enumerate(zip(compared, places, strict=True))
    ]
    rows = [(run.name, *(f"{several[at]:.4g}" for several in values.values())) for at, run in enumerate(compared)]
    text = f"One line for each run, from its settings down to its {label}."
    return parallel("parallel", "From settings to scores", rails, lines, ["run", *values], rows, text=text)


def _place(value: float, several: list[float]) -> float:
    low, high = min(several), max(several)
    return (value - low) / (high - low) if low < high else 0.5


def _epochs(run: ComparedRun) -> list[dict[str, float]]:
    return run.record.epochs if run.members is None else run.members.mean_records()


def _curve(run: ComparedRun, column: str) -> Iterator[Series]:
    """Yield a metric of a run over its epochs, if it was measured."""
    if run.members is not None:
        band = run.members.band(column)
        if band.epochs:
            yield Series(run.name, band.epochs, band.mean, band.low, band.high)
        return
    values = run.curves.column(column)
    if any(map(math.isfinite, values)):
        yield Series(run.name, list(range(1, len(values) + 1)), [v if math.isfinite(v) else None for v in values])


def _side_by_side(figures: list[Figure]) -> Html | None:
    return tag("div", *(figure.html() for figure in figures), class_="two") if figures else None
