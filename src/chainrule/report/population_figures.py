"""The figures of several networks: curves with a band, and the score of each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from chainrule.metrics import find, format_value, label_of
from chainrule.report.figures import Figure, d3_format, layout, plain, tick_format
from chainrule.runs.members import Band, Members

#: A band is drawn with so many points at most.
POINTS = 400


def figures(members: Members) -> dict[str, Figure]:
    """Return all figures of the members, by the id of their place."""
    figures_of_members = {"scores": scores(members, members.metric)}
    for name, column in (("members-loss", "loss"), ("members-score", members.score)):
        figure = curve(members, column) if column is not None else None
        if figure is not None:
            figures_of_members[name] = figure
    return figures_of_members


def curve(members: Members, name: str) -> Figure | None:
    """Return a metric over the epochs, in training and in validation: the mean as a line, lowest to highest as
    a band.
    """
    form = d3_format(name)
    traces: list[dict[str, Any]] = []
    for column, label, colour in ((name, "training", "--quiet"), (f"val_{name}", judged_on(members), "--accent")):
        band = thinned(members.band(column))
        if not band.epochs:
            continue
        traces += _band(band, colour)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines" if len(band.epochs) > 1 else "markers",
                "name": label,
                "x": band.epochs,
                "y": [plain(v) for v in band.mean],
                "line": {"color": colour, "width": 2},
                "marker": {"color": colour, "size": 6},
                "customdata": [list(row) for row in zip(band.low, band.high, band.members, strict=True)],
                "hovertemplate": f"epoch %{{x}}: %{{y:{form}}}<br>%{{customdata[0]:{form}}} to "
                f"%{{customdata[1]:{form}}}, %{{customdata[2]}} networks<extra>{label}</extra>",
            }
        )
    if not traces:
        return None
    figure: Figure = {"data": traces, "layout": layout("epoch", label_of(name), legend=True) | {"hovermode": "closest"}}
    figure["layout"]["yaxis"] |= tick_format(name, [v for trace in traces for v in trace["y"]])
    if max(max(trace["x"]) for trace in traces) <= 10:
        figure["layout"]["xaxis"]["tickvals"] = sorted({x for trace in traces for x in trace["x"]})
    return figure


def _band(band: Band, colour: str) -> list[dict[str, Any]]:
    """Draw from the lowest to the highest: two lines that are not seen, and what is between them."""
    edge: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "x": band.epochs,
        "line": {"color": colour, "width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    low, high = ([plain(v) for v in values] for values in (band.low, band.high))
    return [edge | {"y": high}, edge | {"y": low, "fill": "tonexty", "fillcolor": f"{colour}-band"}]


def thinned(band: Band) -> Band:
    """Return a band with few enough points: of each stretch the mean of the means, the lowest and the highest."""
    step = math.ceil(len(band.epochs) / POINTS)
    if step <= 1:
        return band
    pieces = [slice(start, start + step) for start in range(0, len(band.epochs), step)]
    return Band(
        [band.epochs[piece][-1] for piece in pieces],
        [math.fsum(part) / len(part) for part in (band.mean[piece] for piece in pieces)],
        [min(band.low[piece]) for piece in pieces],
        [max(band.high[piece]) for piece in pieces],
        [min(band.members[piece]) for piece in pieces],
    )


def scores(members: Members, metric: str) -> Figure:
    """Return the score of each member, by fold or by seed, with the mean and the interval of the mean."""
    places, labels = _places(members)
    values = members.values(metric)
    summary = members.summary(metric)
    texts = [name_of(member) for member in members.all]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "a network",
        "x": places,
        "y": [plain(v) for v in values],
        "text": texts,
        "marker": {"color": "--accent", "size": 9, "opacity": 0.85},
        "hovertemplate": f"%{{text}}: %{{y:{d3_format(metric)}}}<extra></extra>",
    }
    frame = layout("fold" if members.kind == "folds" else "seed", label_of(metric))
    every = math.ceil(len(labels) / 16)
    frame["xaxis"] |= {
        "range": [-0.6, len(labels) - 0.4],
        "tickvals": list(range(0, len(labels), every)),
        "ticktext": labels[::every],
        "showgrid": False,
    }
    frame["yaxis"] |= tick_format(metric, values)
    frame["shapes"] = []
    whole: dict[str, Any] = {"xref": "paper", "x0": 0, "x1": 1, "layer": "below"}
    if math.isfinite(summary.low):
        low, high = map(find(metric).clip, (summary.low, summary.high))
        band = {"type": "rect", "y0": low, "y1": high, "fillcolor": "--accent-band", "line": {"width": 0}}
        frame["shapes"].append(whole | band)
    if math.isfinite(summary.mean):
        line = {"color": "--accent", "width": 1, "dash": "dash"}
        frame["shapes"].append(whole | {"type": "line", "y0": summary.mean, "y1": summary.mean, "line": line})
    return {"data": [trace], "layout": frame}


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
