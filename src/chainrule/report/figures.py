"""The figures, as Plotly's plain dicts. A colour "--accent" is a variable of the page's style sheet: the page puts in
what it is in light and in dark."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.display.markup import clean, escape
from chainrule.display.numbers import percent
from chainrule.metrics import format_value, is_fraction, label_of
from chainrule.report.findings import Curves

Figure = dict[str, Any]

#: A curve is drawn with so many points at most.
POINTS = 800


def figures(evaluation: Mapping[str, Any], curves: Curves) -> dict[str, Figure]:
    """Return all figures that there is something to show for, by the id of their place in the page."""
    drawn: dict[str, Figure] = {}
    epochs = thinned(curves)
    if len(curves.epochs) > 0:
        drawn["loss"] = curve(curves, epochs, "loss", "loss")
        if curves.score is not None:
            drawn["score"] = curve(curves, epochs, curves.score, label_of(curves.score))
        if len({e.get("lr") for e in curves.epochs}) > 1:
            drawn["lr"] = learning_rate(curves, epochs)
    if evaluation.get("calibration"):
        drawn["calibration"] = calibration(evaluation["calibration"])
    for i, output in enumerate(evaluation.get("outputs", [])):
        drawn[f"predicted-{i}"] = predicted(output)
        if output["errors"]["counts"]:
            drawn[f"errors-{i}"] = errors(output)
    return drawn


def thinned(curves: Curves) -> list[int]:
    """Return the places of the epochs to draw: all, or the extremes of each stretch; first, last, marked always."""
    n = len(curves.epochs)
    if n <= POINTS:
        return list(range(n))
    values, size = curves.column(curves.watched), math.ceil(2 * n / (POINTS - 3))
    places = {0, n - 1, *(epoch - 1 for epoch in curves.marked)}
    for start in range(0, n, size):
        stretch = [i for i in range(start, min(start + size, n)) if math.isfinite(values[i])]
        if stretch:
            places |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return sorted(places)


def curve(curves: Curves, epochs: list[int], name: str, title: str) -> Figure:
    """Return a metric over the epochs, in training and in validation, with the epoch of the model's weights marked."""
    traces = []
    for column, label, colour in ((name, "training", "--quiet"), (f"val_{name}", "validation", "--accent")):
        if column.startswith("val_") and not curves.validated:
            continue
        values = curves.column(column)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(epochs) <= 30 else "lines",
                "name": label,
                "x": [i + 1 for i in epochs],
                "y": [plain(values[i]) for i in epochs],
                "line": {"color": colour, "width": 2},
                "marker": {"color": colour, "size": 5},
                "hovertemplate": f"epoch %{{x}}: %{{y:{d3_format(name)}}}<extra>{label}</extra>",
            }
        )
    figure: Figure = {
        "data": traces,
        "layout": layout("epoch", title, legend=True) | {"hovermode": "closest"},
    }
    axis = figure["layout"]["yaxis"]
    axis |= tick_format(name, [v for trace in traces for v in trace["y"]])
    if len(curves.epochs) <= 10:
        figure["layout"]["xaxis"] |= {"tickvals": [i + 1 for i in epochs]}
    if len(curves.epochs) > 1:
        places = sorted(curves.marked)
        figure["layout"]["shapes"] = [_line_at(epoch) for epoch in places]
        figure["layout"]["annotations"] = [
            _text_at(epoch, curves.marked[epoch], right=epoch > len(curves.epochs) / 2, row=i)
            for i, epoch in enumerate(places)
        ]
    return figure


def _line_at(epoch: int) -> dict[str, Any]:
    ends = {"x0": epoch, "x1": epoch, "y0": 0, "y1": 1}
    return {"type": "line", "xref": "x", "yref": "paper", "line": {"color": "--ink", "width": 1, "dash": "dot"}} | ends


def _text_at(epoch: int, text: str, *, right: bool, row: int) -> dict[str, Any]:
    """Return a text at the top of an epoch's line; each further one a row lower, as their lines may be close."""
    return {
        "x": epoch,
        "xref": "x",
        "yref": "paper",
        "y": 1 - 0.07 * row,
        "yanchor": "bottom",
        "xanchor": "right" if right else "left",
        "text": text,
        "showarrow": False,
        "font": {"color": "--ink", "size": 12},
    }


def d3_format(column: str) -> str:
    """Return how Plotly writes a value of a column of the history."""
    return ".2%" if is_fraction(column) else ".4g"


def tick_format(column: str, values: Iterable[Any]) -> dict[str, str]:
    """Return how Plotly writes an axis of a column with such values: what it says besides the usual."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    narrow = bool(finite) and max(finite) - min(finite) < 0.05
    return {"tickformat": ".1%" if narrow else ".0%"} if is_fraction(column) else {}


def learning_rate(curves: Curves, epochs: list[int]) -> Figure:
    """Return the learning rate of the last step of each epoch."""
    values = curves.column("lr")
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [i + 1 for i in epochs],
        "y": [plain(values[i]) for i in epochs],
        "line": {"color": "--accent", "width": 2},
        "hovertemplate": "epoch %{x}: %{y:.4g}<extra></extra>",
    }
    frame = layout("epoch", "learning rate")
    frame["yaxis"] |= {"exponentformat": "power"}
    return {"data": [trace], "layout": frame}


def calibration(calibration: Mapping[str, Any]) -> Figure:
    """Return what came true, against the probability that was said."""
    bins = calibration["bins"]
    most = max(b["rows"] for b in bins)
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [b["probability"] for b in bins],
        "y": [b["share"] for b in bins],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, b["interval"][1] - b["share"]) for b in bins],
            "arrayminus": [max(0.0, b["share"] - b["interval"][0]) for b in bins],
            "color": "--accent",
            "thickness": 1,
            "width": 3,
        },
        "marker": {"color": "--accent", "size": [6 + 12 * math.sqrt(b["rows"] / most) for b in bins]},
        "line": {"color": "--accent", "width": 1},
        "text": [f"{b['rows']:,} answers" for b in bins],
        "hovertemplate": "said %{x:.1%}, came true %{y:.1%}<br>%{text}<extra></extra>",
    }
    frame = layout("probability that was said", "share that came true")
    for axis in ("xaxis", "yaxis"):
        frame[axis] |= {"range": [-0.03, 1.03], "tickformat": ".0%", "dtick": 0.25}
    return {"data": [diagonal(0, 1), points], "layout": frame}


def predicted(output: Mapping[str, Any]) -> Figure:
    """Draw predicted against true numbers."""
    points = [p for p in output["points"] if None not in p]
    true, predicted = ([p[i] for p in points] for i in (0, 1))
    low, high = (min([*true, *predicted], default=0.0), max([*true, *predicted], default=1.0))
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": true,
        "y": predicted,
        "marker": {"color": "--accent", "size": 5, "opacity": 0.55 if len(true) > 200 else 0.8},
        "hovertemplate": "true %{x:.5~g}, predicted %{y:.5~g}<extra></extra>",
    }
    return {"data": [diagonal(low, high), trace], "layout": layout("true", "predicted")}


def errors(output: Mapping[str, Any]) -> Figure:
    """Return how often errors of each size occur."""
    edges, counts = output["errors"]["edges"], output["errors"]["counts"]
    trace = {
        "type": "bar",
        "x": [(a + b) / 2 for a, b in itertools.pairwise(edges)],
        "y": counts,
        "width": [b - a for a, b in itertools.pairwise(edges)],
        "marker": {"color": "--accent", "line": {"color": "--surface", "width": 1}},
        "customdata": [[a, b] for a, b in itertools.pairwise(edges)],
        "hovertemplate": "%{customdata[0]:.4~g} to %{customdata[1]:.4~g}: %{y} rows<extra></extra>",
    }
    frame = layout("error (predicted − true)", "rows")
    return {"data": [trace], "layout": frame | {"bargap": 0}}


def diagonal(low: float, high: float) -> dict[str, Any]:
    """Return where predictions would be right."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": "--quiet", "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }


def layout(x: str, y: str, legend: bool = False) -> dict[str, Any]:
    """Return what all figures have in common."""

    def axis(title: str) -> dict[str, Any]:
        return {
            "title": {"text": escape(clean(title)), "font": {"size": 13}, "standoff": 10},
            "gridcolor": "--line",
            "linecolor": "--line",
            "zeroline": False,
            "automargin": True,
            "ticks": "",
            "separatethousands": True,
        }

    return {
        "xaxis": axis(x),
        "yaxis": axis(y),
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top", "font": {"size": 13}},
        "margin": {"l": 12, "r": 12, "t": 26, "b": 12},
        "height": 320,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--muted", "family": "system-ui, sans-serif", "size": 12},
        "hoverlabel": {"bgcolor": "--surface", "bordercolor": "--line", "font": {"color": "--ink"}},
        "dragmode": False,
    }


def plain(value: float) -> float | None:
    """Return a number for JSON."""
    return value if math.isfinite(value) else None


def in_words(curves: Curves, name: str) -> str:
    """Return a curve for those who cannot see it."""
    parts = []
    for column, label in ((name, "training"), (f"val_{name}", "validation")):
        values = curves.column(column)
        if column.startswith("val_") and not curves.validated:
            continue
        parts.append(f"{label} from {format_value(column, values[0])} to {format_value(column, values[-1])}")
    best = f"; lowest {label_of(curves.watched)} after epoch {curves.best}" if curves.best else ""
    return f"{label_of(name)} over {len(curves.epochs):,} epochs: {', '.join(parts)}{best}."


def calibration_in_words(calibration: Mapping[str, Any]) -> str:
    """Return the calibration for those who cannot see it."""
    return "Said and came true: " + "; ".join(
        f"{percent(b['probability'], 0)} and {percent(b['share'], 0)}" for b in calibration["bins"]
    )
