"""The figures of a search: how it went on, its trials as parallel coordinates, and the score against each setting."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.display.numbers import is_number
from chainrule.draw import axes
from chainrule.draw.axes import SHAPES
from chainrule.draw.figure import COLOURS, INK, MUTED, Figure, cut
from chainrule.draw.line import Series, line
from chainrule.draw.parallel import Lines, Rail, parallel
from chainrule.draw.scatter import Points, scatter
from chainrule.metrics import find, format_value, is_fraction, label_of
from chainrule.runs.trials import Axis, Trials, format_setting

Trial = Mapping[str, Any]

#: How a group of trials is drawn: colour, width of lines, opacity.
STYLES = {
    "best": (INK, 2.2, 1.0),
    "best tenth": (COLOURS[0], 1.4, 0.9),
    "best third": (COLOURS[0], 0.9, 0.45),
    "others": (MUTED, 0.7, 0.4),
}

#: Settings with a figure of their own; of each group of trials so many are drawn as lines.
MOST_AXES, MOST_LINES = 24, 120


def figures(search: Trials) -> dict[str, Figure]:
    """Return all figures of a search, by their names."""
    if not search.ranked:
        return {}
    drawn = [progress(search)]
    if len(search.axes) > 1:
        drawn.append(all_settings(search))
    drawn += [against(search, axis, f"against-{i}") for i, axis in enumerate(search.axes[:MOST_AXES])]
    if any(len(trial.get("curve") or ()) > 1 for trial in search.ranked):
        drawn.append(curves(search))
    return {figure.name: figure for figure in drawn}


def progress(search: Trials) -> Figure:
    """Return the score of each trial in their order, and the best so far: of each budget, where there are several."""
    lines = []
    for budget, trials in search.budgets.items():
        x, y = _best_so_far(search, trials)
        of = f" of {_epochs(budget)}" if budget is not None else ""
        lines.append(Series(f"best so far{of}", x, y))
    note = "" if len(search.budgets) == 1 else f"{BUDGETS} {_notes(search)}"
    points = _points(search, lambda trial: float(trial["number"]))
    trial = axes.Axis("trial", whole=True, low=-0.5, high=max(t["number"] for t in search.all) + 0.5)
    return scatter(
        *("progress", "Score of each trial", points, trial, _scores(search)),
        lines=lines,
        text=in_words(search),
        note=note or _notes(search),
    )


#: Why trials are compared with some others only.
BUDGETS = "Shapes tell after how many epochs a trial ended; scores of different budgets do not compare."


def _best_so_far(search: Trials, trials: list[Trial]) -> tuple[list[float], list[float | None]]:
    """Return the corners of the best score so far."""
    cost = find(search.metric).cost
    x: list[float] = []
    y: list[float | None] = []
    for trial in sorted(trials, key=lambda t: t["number"]):
        if not y or cost(trial["score"]) < cost(y[-1]):
            x += [trial["number"]] * (2 if y else 1)
            y += [y[-1], trial["score"]] if y else [trial["score"]]
    return [*x, max(t["number"] for t in search.all)], [*y, y[-1]]


def against(search: Trials, axis: Axis, name: str) -> Figure:
    """Return the score against one setting."""

    def place(trial: Trial) -> float | None:
        value = trial["params"].get(axis.name)
        if axis.choices:
            text = format_setting(value)
            return axis.choices.index(text) + aside(trial, 0.2) if text in axis.choices else None
        return float(value) if is_number(value) else None

    if axis.choices:
        ticks = [(float(i), cut(choice, 300 / len(axis.choices))) for i, choice in enumerate(axis.choices)]
        x = axes.Axis(axis.name, ticks=ticks, low=-0.5, high=len(axis.choices) - 0.5)
    else:
        x = axes.Axis(axis.name, log=axis.log, low=axis.low, high=axis.high)
    text = f"The {label_of(search.metric)} of each trial against its {axis.name}; {_best_of(search)}"
    return scatter(name, f"Against {axis.name}", _points(search, place), x, _scores(search), text=text)


def _points(search: Trials, place: Callable[[Trial], float | None]) -> list[Points]:
    """Return the trials as points: colours by their rank, shapes by their budget; those that lie outside of what is
    drawn stand at the edge, those without a score at the foot as crosses.
    """
    low, high = search.window(search.ranked)
    worst = high if search.smaller else low
    named = len(search.budgets) > 1
    groups: list[Points] = []
    for kind, (budget, trials) in zip(SHAPES * len(search.budgets), search.budgets.items(), strict=False):
        for name, colour, opacity in (("others", 5, 0.5), ("best third", 0, 0.5), ("best tenth", 0, 1.0)):
            ranks = _rank_groups(trials)
            chosen = [(at, t) for t in trials if ranks[t["number"]] == name and (at := place(t)) is not None]
            label = (_epochs(budget) if name == "best tenth" else "") if named else name
            x, y = [at for at, _ in chosen], [min(max(t["score"], low), high) for _, t in chosen]
            groups.append(Points(label, x, y, kind, colour, 3.2, opacity, [_named(search, t) for _, t in chosen]))
    best = search.ranked[0]
    if (at := place(best)) is not None:
        groups.append(Points("best", [at], [best["score"]], "circle", None, 4.5, 1.0, [_named(search, best)]))
    lost = [(at, t) for t in search.failed if (at := place(t)) is not None]
    if lost:
        y = [worst] * len(lost)
        groups.append(
            Points("diverged", [at for at, _ in lost], y, "cross", 1, 3.2, 1.0, [_named(search, t) for _, t in lost])
        )
    return groups


def _rank_groups(trials: list[Trial]) -> dict[int, str]:
    """Return the group of each trial among those of its budget."""
    ordered = sorted(trials, key=lambda t: t["rank"])
    return {
        trial["number"]: "best tenth" if i < 0.1 * len(ordered) else "best third" if i < len(ordered) / 3 else "others"
        for i, trial in enumerate(ordered)
    }


def curves(search: Trials) -> Figure:
    """Return the score of each trial over its epochs."""
    series = []
    for name, trials in search.groups[::-1]:
        x: list[float] = []
        y: list[float | None] = []
        for trial in trials[:MOST_LINES]:
            values = [float(v) if is_number(v) else None for v in trial.get("curve") or ()]
            x += [*map(float, range(1, len(values) + 1)), float(len(values))]
            y += [*values, None]
        series.append(Series(name, x, y, several=True, colour=STYLES[name][0]))
    longer = [t["curve"] for t in search.ranked if len(t.get("curve") or ()) > 1]
    seen = [float(v) for values in longer for v in values if is_number(v)]
    low, high = search.window(search.ranked)
    reach = high - low
    # The way to the scores is to be seen, what lies far away is not.
    ends = (None, min(max(seen), high + 0.5 * reach)) if search.smaller else (max(min(seen), low - 0.5 * reach), None)
    y_axis = axes.Axis(label_of(search.metric), percent=is_fraction(search.metric), low=ends[0], high=ends[1])
    most = max((len(t.get("curve") or ()) for t in search.ranked), default=1)
    text = f"The {label_of(search.metric)} of the trials over their epochs; {_best_of(search)}"
    x_axis = axes.Axis("epoch", whole=True, low=0.0, high=float(most))
    return line("trials", "Learning curves of the trials", series, x_axis, y_axis, text=text)


def all_settings(search: Trials) -> Figure:
    """Return one line for each trial, through its settings from above down to its score."""
    low, high = search.window(search.ranked)
    score = Axis(label_of(search.metric), *((high, low) if search.smaller else (low, high)))
    groups, rows = [], []
    for name, trials in search.groups[::-1]:
        places = []
        for trial in trials[:MOST_LINES]:
            at = [(axis, axis.position(trial["params"].get(axis.name))) for axis in search.axes]
            set_there = [None if p is None else p + aside(trial, 0.025 if axis.choices else 0.0) for axis, p in at]
            places.append([*set_there, score.position(min(max(trial["score"], low), high))])
        groups.append(Lines(name, places, *STYLES[name]))
    for trial in search.ranked:
        params = [format_setting(trial["params"].get(axis.name)) for axis in search.axes]
        rows.append((str(trial["number"]), *params, format_value(search.metric, trial["score"])))
    rails = [_rail(axis, search, axis is score) for axis in (*search.axes, score)]
    text = f"One line for each trial, from its settings down to its score: {in_words(search)}"
    head = ["trial", *(axis.name for axis in search.axes), label_of(search.metric)]
    return parallel("parallel", "All settings at once", rails, groups, head, rows, text=text)


def _rail(axis: Axis, search: Trials, is_score: bool) -> Rail:
    """Return a parallel axis with its values."""
    if axis.choices:
        size = len(axis.choices)
        ticks = [(axis.position(c) or 0.0, cut(c, 260 / min(size, 8))) for c in axis.choices][:: math.ceil(size / 8)]
    else:
        ends = (axis.low, axis.high)
        texts = [format_value(search.metric, v) if is_score else format_setting(v) for v in ends]
        if is_score:
            texts[0] = f"{texts[0]} or worse"
        ticks = [(0.0, texts[0]), (1.0, texts[1])]
    return Rail(f"{axis.name}, logarithmic" if axis.log else axis.name, ticks)


def _scores(search: Trials) -> axes.Axis:
    """Return the axis of the score."""
    return axes.Axis(label_of(search.metric), percent=is_fraction(search.metric))


def _named(search: Trials, trial: Trial) -> str:
    value = format_value(search.metric, trial["score"]) if is_number(trial.get("score")) else str(trial.get("state"))
    return f"trial {trial['number']}: {value} after {_epochs(trial['epochs'])}"


def _epochs(count: int | None) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def _notes(search: Trials) -> str:
    """Return what stands elsewhere than where its score is."""
    low, high = search.window(search.ranked)
    outside = sum(not low <= trial["score"] <= high for trial in search.ranked)
    notes = [f"{outside:,} trials far from the others stand at the edge."] if outside else []
    if search.failed:
        notes.append(f"{len(search.failed):,} trials that diverged are crosses at the foot.")
    return " ".join(notes)


def aside(trial: Trial, reach: float) -> float:
    """Return a small step to one side, another for each trial and always the same, so that points do not hide each
    other.
    """
    return reach * (2 * ((trial["number"] * 0.618034) % 1) - 1)


def _best_of(search: Trials) -> str:
    best = search.ranked[0]
    settings = ", ".join(f"{axis.name} {format_setting(best['params'].get(axis.name))}" for axis in search.axes)
    return f"the best is {format_value(search.metric, best['score'])} with {settings}."


def in_words(search: Trials) -> str:
    """Return the search for those who cannot see its figures."""
    return f"{label_of(search.metric)} of {len(search.ranked):,} trials; {_best_of(search)}"
