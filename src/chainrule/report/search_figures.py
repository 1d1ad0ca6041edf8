"""The figures of a search: how it went on, its trials as parallel coordinates, and the score against each setting.

Plotly's own parallel coordinates need WebGL, and a script that writes scripts; these are lines like all others, so they
print, follow the colours of the page, and need no permission.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chainrule.display.markup import clean, escape
from chainrule.display.numbers import is_number
from chainrule.metrics import format_value, label_of
from chainrule.report.figures import Figure, d3_format, layout, tick_format
from chainrule.runs.trials import Axis, Trials, format_setting

Trial = Mapping[str, Any]

#: How a group of trials is drawn: colour, width of lines, opacity.
STYLES = {
    "best": ("--ink", 2.5, 1.0),
    "best tenth": ("--accent", 2.0, 0.9),
    "best third": ("--accent", 1.2, 0.45),
    "others": ("--quiet", 1.0, 0.4),
}

#: Settings with a figure of their own; of each group of trials so many are drawn as lines.
MOST_AXES, MOST_LINES = 24, 120

#: The height of a parallel axis with what is written at it.
ROW = 64


def figures(search: Trials) -> dict[str, Figure]:
    """Return all figures of a search, by the id of their place."""
    if not search.ranked:
        return {}
    figures_of_search = {"progress": progress(search)}
    if len(search.axes) > 1:
        figures_of_search["parallel"] = parallel(search)
    figures_of_search |= {f"against-{i}": against(search, axis) for i, axis in enumerate(search.axes[:MOST_AXES])}
    if any(len(trial.get("curve") or ()) > 1 for trial in search.ranked):
        figures_of_search["trials"] = curves(search)
    return figures_of_search


def progress(search: Trials) -> Figure:
    """Return the score of each trial in their order, and the best so far."""
    low, high = search.window(search.ranked)
    traces = [_points(search, trials, name, lambda t: t["number"], low, high) for name, trials in search.groups[::-1]]
    best: list[tuple[int, float]] = []
    for trial in sorted(search.ranked, key=lambda t: t["number"]):
        ahead = not best or (trial["score"] < best[-1][1] if search.smaller else trial["score"] > best[-1][1])
        if ahead and (trial["state"] == "complete" or not search.complete):
            best.append((trial["number"], trial["score"]))
    last = max(trial["number"] for trial in search.all)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": [n for n, _ in best] + [last],
        "y": [v for _, v in best] + [best[-1][1]],
        "line": {"color": "--accent", "width": 1.5, "shape": "hv"},
        "hoverinfo": "skip",
    }
    frame = layout("trial", label_of(search.metric), legend=True) | {"hovermode": "closest"}
    frame["yaxis"] |= _scores(search, low, high)
    frame["legend"] |= {"traceorder": "reversed"}
    return {"data": [line, *_failed(search, lambda t: t["number"]), *traces], "layout": _with_failed(search, frame)}


def against(search: Trials, axis: Axis) -> Figure:
    """Return the score against one setting."""
    low, high = search.window(search.ranked)

    def place(trial: Trial) -> float | None:
        value = trial["params"].get(axis.name)
        if axis.choices:
            text = format_setting(value)
            return axis.choices.index(text) + aside(trial, 0.2) if text in axis.choices else None
        return float(value) if is_number(value) else None

    traces = [_points(search, trials, name, place, low, high, axis) for name, trials in search.groups[::-1]]
    frame = layout(axis.name, label_of(search.metric)) | {"hovermode": "closest"}
    frame["yaxis"] |= _scores(search, low, high)
    if axis.choices:
        frame["xaxis"] |= {
            "tickvals": list(range(len(axis.choices))),
            "ticktext": [label(choice, 36 // len(axis.choices)) for choice in axis.choices],
            "range": [-0.5, len(axis.choices) - 0.5],
            "showgrid": False,
        }
    elif axis.low is not None and axis.high is not None:
        frame["xaxis"] |= scale(axis.low, axis.high, axis.log)
    return {"data": [*_failed(search, place, axis), *traces], "layout": _with_failed(search, frame)}


def curves(search: Trials) -> Figure:
    """Return the score of each trial over its epochs."""
    traces = []
    for name, trials in search.groups[::-1]:
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for trial in trials[:MOST_LINES]:
            values = [v if is_number(v) else None for v in trial.get("curve") or ()]
            x += [*range(1, len(values) + 1), None]
            y += [*values, None]
            text += [f"trial {trial['number']}"] * len(values) + [None]
        hover = f"%{{text}}, epoch %{{x}}: %{{y:{d3_format(search.metric)}}}"
        traces.append(_lines(name, hover, size=2.5, connect=False, x=x, y=y, text=text))
    low, high = search.window(search.ranked)
    seen = [v for t in search.ranked for v in t.get("curve") or () if is_number(v)]
    reach = high - low
    if search.smaller:  # the way down is to be seen, what lies far above is not
        high = min(max(seen), high + 0.5 * reach)
    else:
        low = max(min(seen), low - 0.5 * reach)
    frame = layout("epoch", label_of(search.metric), legend=True) | {"hovermode": "closest"}
    frame["legend"] |= {"traceorder": "reversed"}
    frame["yaxis"] |= _scores(search, low, high)
    if max((len(t.get("curve") or ()) for t in search.ranked), default=0) <= 10:
        frame["xaxis"] |= {"dtick": 1}
    return {"data": traces, "layout": frame}


def _lines(name: str, hover: str, size: float, connect: bool, **points: list[Any]) -> dict[str, Any]:
    """Return the lines of a group of trials; None among its points ends one."""
    colour, width, opacity = STYLES[name]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        **points,
        "line": {"color": colour, "width": width},
        "marker": {"color": colour, "size": size},
        "opacity": opacity,
        "connectgaps": connect,
        "hovertemplate": f"{hover}<extra></extra>",
    }


def parallel(search: Trials) -> Figure:
    """Return one line for each trial, through its settings from above down to its score."""
    low, high = search.window(search.ranked)
    last = Axis(label_of(search.metric), *((high, low) if search.smaller else (low, high)))
    traces = []
    for name, trials in search.groups[::-1]:
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for trial in trials[:MOST_LINES]:
            values = [(axis, trial["params"].get(axis.name)) for axis in search.axes]
            text_of_trial = "<br>".join(
                f"{escape(clean(axis.name))} {escape(label(format_setting(v), 40))}"
                for axis, v in values
                if v is not None
            )
            text_of_trial = f"trial {trial['number']}: {format_value(search.metric, trial['score'])}<br>{text_of_trial}"
            for row, (axis, value) in enumerate(values):
                at = axis.position(value)
                x.append(None if at is None else at + aside(trial, 0.025 if axis.choices else 0.0))
                y.append(-row)
                text.append(text_of_trial)
            at = last.position(min(max(trial["score"], low), high))
            x += [at, None]
            y += [-len(search.axes), None]
            text += [text_of_trial, None]
        traces.append(_lines(name, "%{text}", size=4, connect=True, x=x, y=y, text=text))
        _cut(traces[-1])
    rows = [*search.axes, last]
    frame = layout("", "", legend=True) | {"hovermode": "closest", "height": ROW * len(rows) + 56}
    frame["legend"] |= {"traceorder": "reversed", "y": 0, "yref": "container", "yanchor": "bottom"}
    frame["margin"] |= {"t": 8, "b": 40, "l": 16, "r": 16}
    frame["xaxis"] |= {"range": [-0.06, 1.06], "visible": False, "fixedrange": True}
    frame["yaxis"] |= {"range": [-len(rows) + 0.45, 0.6], "visible": False, "fixedrange": True}
    frame["shapes"] = [
        {
            "type": "line",
            "x0": 0,
            "x1": 1,
            "y0": -i,
            "y1": -i,
            "line": {"color": "--line", "width": 2},
            "layer": "below",
        }
        for i in range(len(rows))
    ]
    frame["annotations"] = [note for i, axis in enumerate(rows) for note in _notes(i, axis, search, axis is last)]
    return {"data": traces, "layout": frame}


def _cut(trace: dict[str, Any]) -> None:
    """Leave out settings that a trial does not have, and lift the pen between trials: a line for each."""
    points = [p for p in zip(trace["x"], trace["y"], trace["text"], strict=True) if p[0] is not None or p[1] is None]
    trace |= {name: [p[i] for p in points] for i, name in enumerate(("x", "y", "text"))} | {"connectgaps": False}


def _notes(i: int, axis: Axis, search: Trials, is_score: bool) -> list[dict[str, Any]]:
    """Return what is written at a parallel axis: its name above, its values below."""
    font = {"size": 12, "color": "--muted"}
    plain: dict[str, Any] = {"showarrow": False, "font": font, "bgcolor": "--surface", "borderpad": 1, "opacity": 0.9}
    name = f"{axis.name}, logarithmic" if axis.log else axis.name
    notes = [
        plain
        | {
            "x": -0.02,
            "y": -i + 0.14,
            "xanchor": "left",
            "yanchor": "bottom",
            "text": f"<b>{escape(clean(label(name, 40)))}</b>",
            "font": font | {"color": "--ink"},
        }
    ]
    if axis.choices:
        size = len(axis.choices)
        step = math.ceil(size / 8)
        chosen = [(axis.position(c) or 0.0, label(c, 40 // min(size, 8))) for c in axis.choices][::step]
    else:
        ends = (axis.low, axis.high)
        chosen = [
            (float(j), format_value(search.metric, v) if is_score else format_setting(v)) for j, v in enumerate(ends)
        ]
        if is_score and is_number(axis.low):
            chosen[0] = (0.0, f"{chosen[0][1]} or worse")
    for at, text in chosen:
        side = "left" if at < 0.05 else "right" if at > 0.95 else "center"
        x = at - 0.02 if side == "left" else at + 0.02 if side == "right" else at
        notes.append(plain | {"x": x, "y": -i - 0.12, "xanchor": side, "yanchor": "top", "text": escape(clean(text))})
    return notes


def _points(
    search: Trials, trials: list[Trial], name: str, place: Any, low: float, high: float, axis: Axis | None = None
) -> dict[str, Any]:
    """Return a group of trials as points; those that lie outside of what is drawn stand at the edge, as triangles."""
    placed = [(at, trial) for trial in trials if (at := place(trial)) is not None]
    colour, _, opacity = STYLES[name]
    outside = "triangle-up" if search.smaller else "triangle-down"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [at for at, _ in placed],
        "y": [min(max(trial["score"], low), high) for _, trial in placed],
        "text": [_hover_text(search, trial, axis) for _, trial in placed],
        "marker": {
            "color": colour,
            "size": 10 if name == "best" else 7,
            "symbol": ["circle" if low <= trial["score"] <= high else outside for _, trial in placed],
            "opacity": max(0.5, opacity),
        },
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
    }


def _failed(search: Trials, place: Any, axis: Axis | None = None) -> list[dict[str, Any]]:
    """Return the trials that have no score, as crosses at the foot of the figure."""
    placed = [(at, trial) for trial in search.failed if (at := place(trial)) is not None]
    if not placed:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "diverged",
            "x": [at for at, _ in placed],
            "y": [0.025] * len(placed),
            "yaxis": "y2",
            "text": [_hover_text(search, trial, axis) for _, trial in placed],
            "marker": {
                "color": "--bad-fill",
                "size": 8,
                "symbol": "x-thin",
                "line": {"color": "--bad-fill", "width": 2},
            },
            "hovertemplate": "%{text}<extra></extra>",
            "cliponaxis": False,
        }
    ]


def _with_failed(search: Trials, frame: dict[str, Any]) -> dict[str, Any]:
    """Return the layout with an axis of their own for trials without a score."""
    if not search.failed:
        return frame
    return frame | {"yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}}


def _hover_text(search: Trials, trial: Trial, axis: Axis | None) -> str:
    value = format_value(search.metric, trial["score"]) if is_number(trial.get("score")) else str(trial.get("state"))
    at = (
        ""
        if axis is None
        else f"<br>{escape(clean(axis.name))} {escape(label(format_setting(trial['params'].get(axis.name)), 40))}"
    )
    return f"trial {trial['number']}: {escape(clean(value))}{at}"


def _scores(search: Trials, low: float, high: float) -> dict[str, Any]:
    """Return the axis of the score."""
    reach = high - low
    axis: dict[str, Any] = {"range": [low - 0.08 * reach, high + 0.08 * reach]}
    return axis | tick_format(search.metric, [low, high])


def scale(low: float, high: float, log: bool) -> dict[str, Any]:
    """Return an axis from low to high with a little room; on a logarithmic one, powers of ten are written at it.

    >>> scale(0.001, 1.0, log=True)["ticktext"], scale(0.1, 0.5, log=True)["ticktext"]
    (['0.001', '0.01', '0.1', '1'], ['0.1', '0.2', '0.5'])
    """
    if not log:
        room = 0.04 * (high - low or 1.0)
        return {"range": [low - room, high + room]}
    start, stop = math.log10(low), math.log10(high)
    room = 0.04 * (stop - start or 1.0)
    first, last = math.floor(start - 0.01), math.ceil(stop + 0.01)
    steps = (1.0,) if stop - start >= 2 else (1.0, 2.0, 5.0)
    ticks = [float(f"{step * 10.0**power:.6g}") for power in range(first, last + 1) for step in steps]
    ticks = [tick for tick in ticks if start - room <= math.log10(tick) <= stop + room]
    ticks = ticks[:: math.ceil(len(ticks) / 7) or 1]
    texts = [f"{tick:g}" for tick in ticks]
    return {"type": "log", "range": [start - room, stop + room], "tickvals": ticks, "ticktext": texts}


def aside(trial: Trial, reach: float) -> float:
    """Return a small step to one side, another for each trial and always the same, so that points do not hide each
    other.
    """
    return reach * (2 * ((trial["number"] * 0.618034) % 1) - 1)


def label(text: str, size: int) -> str:
    """Return text that fits."""
    size = max(3, size)
    return text if len(text) <= size else f"{text[: size - 1]}…"


def in_words(search: Trials) -> str:
    """Return the search for those who cannot see its figures."""
    best = search.ranked[0]
    settings = ", ".join(f"{axis.name} {format_setting(best['params'].get(axis.name))}" for axis in search.axes)
    value = format_value(search.metric, best["score"])
    name = label_of(search.metric)
    return f"{name} of {len(search.ranked):,} trials; the best is {value} with {settings}."
