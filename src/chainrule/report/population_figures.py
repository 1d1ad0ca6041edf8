"""The figures of several networks: curves with a band, and the score of each."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

from chainrule.draw.axes import Axis
from chainrule.draw.figure import Figure
from chainrule.draw.line import Level, Series, Stretch, line
from chainrule.draw.scatter import Points, scatter
from chainrule.metrics import find, format_value, is_fraction, label_of
from chainrule.report.figures import epochs_axis, loss_axis, score_axis
from chainrule.runs.members import Members


def figures(members: Members, evaluation: Mapping[str, Any], *, at_end: bool) -> dict[str, Figure]:
    """Return all figures of the members, by their names.

    ``at_end``: whether training was measured with the weights at the end of each epoch.
    """
    drawn = [scores(members, members.metric)]
    for name, column in (("members-loss", "loss"), ("members-score", members.score)):
        axis = loss_axis(evaluation) if column == "loss" else score_axis(column or "")
        figure = curve(members, name, column, axis, at_end=at_end) if column is not None else None
        drawn += [] if figure is None else [figure]
    return {figure.name: figure for figure in drawn}


def curve(members: Members, name: str, column: str, y: Axis, *, at_end: bool) -> Figure | None:
    """Return a metric over the epochs, in training and in validation: the mean as a line, lowest to highest as
    a band.
    """
    series, rows = [], []
    for of, label in ((column, "training"), (f"val_{column}", judged_on(members))):
        band = members.band(of)
        if not band.epochs:
            continue
        before = 0.5 if of == column and not at_end else 0.0
        series.append(Series(label, [e - before for e in band.epochs], band.mean, band.low, band.high))
        values = zip(band.epochs, band.mean, band.low, band.high, band.members, strict=True)
        for epoch, *measured, count in values:
            rows.append((f"{epoch:,}", label, *(format_value(of, v) for v in measured), f"{count:,}"))
    if not series:
        return None
    kind = "folds" if members.kind == "folds" else "networks"
    figure = line(
        name,
        f"{label_of(column).capitalize()} of the {kind}",
        series,
        epochs_axis(int(max(one.x[-1] for one in series) + 0.5)),
        y,
        text=curve_in_words(members, column),
    )
    return dataclasses.replace(figure, head=["epoch", "", "mean", "lowest", "highest", "networks"], rows=rows)


def scores(members: Members, metric: str) -> Figure:
    """Return the score of each member, by fold or by seed, with the mean and the interval of the mean."""
    places, labels = _places(members)
    values = members.values(metric)
    summary = members.summary(metric)
    there = [i for i, value in enumerate(values) if math.isfinite(value)]
    points = Points(
        *("", [places[i] for i in there], [values[i] for i in there]),
        radius=4,
        texts=[name_of(members.all[i]) for i in there],
    )
    bands, levels = [], []
    if math.isfinite(summary.low):
        low, high = map(find(metric).clip, (summary.low, summary.high))
        bands = [Stretch(low, high)]
    if math.isfinite(summary.mean):
        levels = [Level(summary.mean, "mean")]
    one = "fold" if members.kind == "folds" else "seed"
    ticks = [(float(i), label) for i, label in enumerate(labels)]
    x = Axis(one, ticks=ticks, low=-0.6, high=len(labels) - 0.4)
    text = scores_in_words(members, metric)
    note = f"{summary.format(find(metric))}. The line is the mean, the band its interval."
    y = Axis(label_of(metric), percent=is_fraction(metric))
    return scatter("scores", f"Score of each {one}", [points], x, y, bands=bands, levels=levels, text=text, note=note)


def _places(members: Members) -> tuple[list[float], list[str]]:
    """Return where each member stands on the axis: a place for each fold (its seeds side by side), or for each seed."""
    if members.kind != "folds":
        return [float(i) for i in range(len(members.all))], [
            str(member.get("seed", i)) for i, member in enumerate(members.all)
        ]
    folds = sorted({member["fold"] for member in members.all})
    seen = dict.fromkeys(folds, 0)
    size = max(sum(member["fold"] == fold for member in members.all) for fold in folds)
    places = []
    for member in members.all:
        aside = (seen[member["fold"]] - (size - 1) / 2) * min(0.12, 0.6 / size)
        places.append(folds.index(member["fold"]) + aside)
        seen[member["fold"]] += 1
    return places, [str(fold) for fold in folds]


def judged_on(members: Members) -> str:
    """Return the rows that the curves are judged on."""
    return str(members.facts.get("judged_on", "validation"))


def name_of(member: Mapping[str, Any]) -> str:
    """Return what a member is called."""
    parts = [f"{name} {member[name]}" for name in ("repeat", "fold", "seed") if member.get(name) is not None]
    return ", ".join(parts)


def scores_in_words(members: Members, metric: str) -> str:
    """Return the scores for those who cannot see them."""
    named = itertools.islice(zip(members.all, members.values(metric), strict=True), 40)
    return f"{find(metric).label}: " + "; ".join(f"{name_of(m)} {format_value(metric, v)}" for m, v in named)


def curve_in_words(members: Members, name: str) -> str:
    """Return a curve with its band for those who cannot see it."""
    parts = []
    for column, label in ((name, "training"), (f"val_{name}", judged_on(members))):
        band = members.band(column)
        if band.epochs:
            values = (band.mean[0], band.mean[-1], band.low[-1], band.high[-1])
            first, last, low, high = (format_value(column, value) for value in values)
            parts.append(f"{label} from {first} to {last} ({low} to {high})")
    return f"Mean {label_of(name)} of {len(members.all)} networks: {', '.join(parts)}."
