"""Figures of training from inside: what a run recorded, drawn.

Each title says what to look for, each text what is to be seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.checks import check_name
from chainrule.display.markup import Html
from chainrule.display.numbers import number, percent
from chainrule.draw.axes import Axis
from chainrule.draw.fan import fan
from chainrule.draw.figure import Figure
from chainrule.draw.heat import Shade, heat
from chainrule.draw.images import images, of_values
from chainrule.draw.line import Level, Series, Stretch, line
from chainrule.draw.matrix import matrix
from chainrule.draw.motion import SHADES, Maps, Motion, shades_of
from chainrule.draw.plane import Moment, of_classes, plane, shades_of_classes
from chainrule.draw.scatter import Points, scatter
from chainrule.errors import ChainruleError, SettingError
from chainrule.evaluation.gather import MOST_CLASSES
from chainrule.graph.trace import Graph
from chainrule.training.recorded import Recorded, StepValues
from chainrule.views.derive.activations import QUANTILES, Activations, activations
from chainrule.views.derive.boundary import Boundary, boundary
from chainrule.views.derive.confusions import Confusions, confusions
from chainrule.views.derive.contours import contour
from chainrule.views.derive.first_weights import FirstWeights, first_weights
from chainrule.views.derive.flow import Flow, flow, rms
from chainrule.views.derive.landscape import Landscape, landscape
from chainrule.views.derive.missing import Missing
from chainrule.views.derive.network import network
from chainrule.views.derive.ratios import Ratios, ratios
from chainrule.views.derive.samples import Samples, samples

Array = np.ndarray

#: Of more layers, those with the largest share of idle units have a fan of their activations.
FANS = 3

#: A figure travels with so many numbers at most; of pictures with more, only their ranges.
MOST_NUMBERS = 400

#: So many units are shown, and of so many how their weights came about.
UNITS, CHANGED = 16, 8

#: Points of a map of rows.
MOST_POINTS = 300

#: A confusion matrix moves through so many epochs at most.
MOST_MOMENTS = 40

#: The slider of a page has so many places for one figure.
MOST_STEPS = 60

#: Lines of equal cost.
CONTOURS = 5


def loss_by_step(
    steps: StepValues, y: Axis, validation: Sequence[tuple[int, float]] = (), levels: Sequence[Level] = ()
) -> Figure:
    """Return the cost of every batch, with what validation rows cost after each epoch."""
    numbers = list(range(1, len(steps.loss) + 1))
    loss = [
        float(str(v)) if np.isfinite(v) else None for v in np.asarray(steps.loss, np.float32)
    ]  # no digits beyond it
    series = [Series("training, each batch", numbers, loss)]
    if validation:
        series.append(Series("validation, each epoch", [at for at, _ in validation], [v for _, v in validation]))
    last = np.asarray(steps.loss, float)[-max(1, len(steps.loss) // 50) :]
    text = (
        f"The cost of a batch over {len(numbers):,} steps: {number(float(steps.loss[0]))} in the first, in the median "
        f"{number(float(np.median(last)))} in the last {len(last):,}."
    )
    title = "Loss of every batch: does it still fall, does it jump?"
    return line("steps-loss", title, series, Axis("step", whole=True, low=0.0), y, levels=levels, text=text)


def flow_map(seen: Flow) -> Figure:
    """Return the size of δ in each layer at each stop."""
    with np.errstate(divide="ignore"):
        sizes = np.log10(seen.rms)
    sizes[~np.isfinite(sizes)] = np.nan
    factor = seen.factor()
    text = "There is one layer."
    if factor is not None:
        way = "shrinks" if factor < 1 else "grows"
        text = (
            f"At the last stop δ {way} on the way back by ×{number(factor, 2)} a layer, from "
            f"{number(float(seen.rms[-1, -1]), 2)} in {seen.layers[-1]} to {number(float(seen.rms[0, -1]), 2)} in "
            f"{seen.layers[0]}."
        )
    elif len(seen.layers) > 1:
        text = (
            "At the last stop δ of the first or of the last layer is 0 or not finite: layers before it learn nothing."
        )
    figure = heat(
        *("flow", "Gradient flow: does δ reach the first layers?", sizes, range(len(seen.stops)), seen.layers),
        stops_axis(seen.stops),
        Shade("log₁₀ rms of δ"),
        text=text,
        note=f"{text} δ = ∂C/∂z, its root mean square (rms) over the rows that were recorded; one column for each "
        "moment; layers from input (top) to output.",
    )
    factors = [(stop, seen.factor(at)) for at, stop in enumerate(seen.stops)]
    texts = [f"After step {stop:,}" + (f": ×{number(by, 2)} a layer" if by else "") for stop, by in factors]
    moving = Motion(seen.stops, texts, places=middles(range(len(seen.stops))))
    return dataclasses.replace(with_stops(figure, seen.stops), motion=moving)


def ratio_lines(seen: Ratios) -> Figure:
    """Return how far steps move each weight array, beside its size."""
    series = [
        Series(name.removesuffix("/weight"), list(seen.steps), [v if np.isfinite(v) else None for v in row.tolist()])
        for name, row in zip(seen.weights, seen.log10, strict=True)
    ]
    middle = [float(np.median(row[np.isfinite(row)])) if np.isfinite(row).any() else None for row in seen.log10]
    in_words = "; ".join(
        f"{one.name} {number(10**value, 2)}" for one, value in zip(series, middle, strict=True) if value is not None
    )
    text = f"Median of rms(Δw) / rms(w) in a step: {in_words or 'nothing moved'}. About 0.001 is usual."
    note = text
    if seen.source == "snapshots":
        note += " From copies of the weights one step apart, so of the first steps only."
    figure = line(
        *("ratio", "Step size: is the learning rate too large or too small?", series),
        Axis("step", whole=True, log=len(seen.steps) <= 60 < seen.steps[-1]),  # the stops lie so
        Axis("log₁₀ rms(Δw) / rms(w)"),
        levels=[Level(-3.0, "usual")],
        bands=[Stretch(-4.0, -2.0)],
        text=text,
        note=note,
    )
    return with_cursor(figure, seen.steps)


def activation_figures(seen: Activations) -> list[Figure]:
    """Return the share of idle units over the stops, and fans of the activations of a few layers."""
    last = seen.idle[:, -1]
    hidden = [i for i in range(len(seen.layers)) if np.isfinite(last[i])]
    drawn = []
    if hidden:
        series = [Series(seen.layers[i], list(range(len(seen.stops))), seen.idle[i].tolist()) for i in hidden]
        worst = max(hidden, key=lambda i: last[i])
        text = f"At the last stop no unit is idle in any of {len(hidden)} layers."
        if last[worst] > 0:
            silent, saturated = (share[worst, -1] for share in (seen.silent, seen.saturated))
            text = (
                f"At the last stop {percent(last[worst], 0)} of the units of {seen.layers[worst]} are idle "
                f"({percent(silent, 0)} always 0, {percent(saturated, 0)} always at an end of their range): the most "
                "of all layers."
            )
        axis = Axis("idle units", percent=True, low=0.0, high=1.0)
        title = "Idle units: how many give the same for every row?"
        figure = line("idle", title, series, stops_axis(seen.stops), axis, text=text, note=text)
        drawn.append(with_cursor(with_stops_in_rows(figure, seen.stops), seen.stops, range(len(seen.stops))))
    order = sorted(range(len(seen.layers)), key=lambda i: (-np.nan_to_num(last[i]), i))[:FANS]
    for i in sorted(order):
        layer = seen.layers[i]
        values = seen.quantiles[i]
        name = f"activations-{i}"
        figure = fan(
            *(name, f"{layer}: do its values spread, or stick?", range(len(seen.stops)), QUANTILES, values),
            stops_axis(seen.stops),
            Axis(f"a of {layer}"),
            text=(
                f"Values a of {layer}: the median from {number(values[0, 3])} to {number(values[-1, 3])}, all from "
                f"{number(values[-1, 0])} to {number(values[-1, -1])} at the last stop."
            ),
            histograms=[
                (stop, f"After step {stop:,} half of the values lie between {number(low)} and {number(high)}.", counts)
                for stop, low, high, counts in zip(
                    *(seen.stops, values[:, 2].tolist(), values[:, 4].tolist(), seen.counts[i].astype(int).tolist()),
                    strict=True,
                )
            ],
            note="At the right: how often each value occurs at the step of the slider, or at the last one.",
        )
        drawn.append(with_stops_in_rows(figure, seen.stops))
    return drawn


def weight_figures(weights: FirstWeights) -> list[Figure]:
    """Return the first layer's weights at the end, what changed, how they started, and their gradient."""
    kinds = {
        "now": "What the first layer looks for: are there shapes, or noise?",
        "change": "What training changed",
        "start": "The same units before training",
        "gradient": "Their gradient at the last stop",
    }
    drawn = []
    for kind, title in kinds.items():
        units = [str(unit) for unit in weights.units][: UNITS if kind == "now" else CHANGED]
        shown = f"{len(units)} of {weights.in_all} units" if weights.in_all > len(units) else f"all {len(units)} units"
        values = getattr(weights, kind)[: len(units)]
        size = float(np.sqrt(np.mean(np.square(values))))
        text = f"{shown.capitalize()} of {weights.layer}, the largest first; root mean square {number(size)}."
        name = f"weights-{kind}"
        over = list(zip(weights.stops, weights.over[:, : len(units)], strict=True)) if kind == "now" else []
        if weights.pictures:
            pictures = values.mean(axis=-1)
            more = " Colours are averaged." if values.shape[-1] > 1 else ""
            averaged = [(stop, moment.mean(axis=-1)) for stop, moment in over]
            drawn.append(without_values(images(name, title, pictures, units, over=averaged, text=text + more)))
        else:
            limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0
            shade = Shade("weight" if kind != "gradient" else "∂C/∂w", -limit, limit, 0.0)
            inputs = [(float(at), called) for at, called in enumerate(weights.inputs)]
            figure = heat(
                *(name, title, shortest(values), range(values.shape[1]), units, Axis("input", ticks=inputs), shade),
                over=over,
                text=text,
            )
            drawn.append(dataclasses.replace(figure, head=["unit", *weights.inputs]))
    return drawn


def boundary_map(seen: Boundary) -> Figure:
    """Return what is answered where on a plane of the inputs, and what each unit gives there, at every stop."""
    of_class = seen.task in ("classification", "binary")
    rows, wrong = _rows_on_map(seen)
    moments = [
        Moment(step, _at_stop(seen, at, wrong), _ties(seen, at), seen.points[wrong[at]].tolist() if of_class else [])
        for at, step in enumerate(seen.stops)
    ]
    units = seen.maps[:, :, ::2, ::2]
    most = np.abs(units[np.isfinite(units).all(axis=(1, 2, 3))]).max(axis=(0, 2, 3), initial=0.0)[:, None, None]
    maps = [_answer_map(seen), Maps(shades_of(units, -most, most)[:, :, ::-1], of_values())]
    labels = [("answer", "the answer")]
    for name, limit in zip(seen.units, np.ravel(most).tolist(), strict=True):
        ends = f"from {number(-limit, 3)} (orange) to {number(limit, 3)} (blue)"
        labels.append((name.replace("dense_", ""), f"unit {name}, {ends}"))
    text = f"{'Lines: where the answer changes.' if of_class else 'Lines of equal answers.'} "
    text += "Below: what each hidden unit gives; one that is chosen is shown large. " if seen.units else ""
    if seen.explained is not None:
        text += (
            f"The plane of the first two principal components holds {percent(seen.explained, 1)} of the variance; all "
            "other directions are held at their mean, so a row far from the plane can be right on the wrong side. "
        )
    elif seen.plane == "columns":
        text += "All other inputs are held at their median. "
    note = (
        f"{text}Rows: some of training and validation. Maps have {SHADES} shades: off by at most 1/126 of their range."
    )
    x, y = (
        Axis(name, low=float(axis[0]) - _half(axis), high=float(axis[-1]) + _half(axis))
        for name, axis in zip(seen.axes, (seen.x, seen.y), strict=True)
    )
    title = "Decision boundary: what does it answer where?"
    return plane("boundary", title, x, y, rows, moments, maps, labels, note=note)


def _half(axis: Array) -> float:
    """Return half the distance between two places of an axis, each of which is the middle of a cell."""
    return float(axis[1] - axis[0]) / 2


def _answer_map(seen: Boundary) -> Maps:
    """Return the answer at each place and stop.

    Of classes a shade is the class and how probable it is; of numbers, their place between lowest and highest.
    """
    answers = seen.answers
    if seen.task == "binary":
        answers = np.concatenate([1 - answers, answers], axis=1)
    if seen.task not in ("classification", "binary") or answers.shape[1] > MOST_CLASSES:
        first = answers[:, :1]
        return Maps(shades_of(first, np.nanmin(first), np.nanmax(first))[:, :, ::-1], of_values())
    count = answers.shape[1]
    chosen = answers.argmax(axis=1) if seen.task == "classification" else (answers[:, 1] > seen.threshold).astype(int)
    sure = np.take_along_axis(answers, chosen[:, None], axis=1)
    return Maps(shades_of_classes(chosen[:, None], sure, count)[:, :, ::-1], of_classes(count))


def _ties(seen: Boundary, at: int) -> list[Series]:
    """Return the lines along which the answer changes at a stop; of numbers, lines of equal answers."""
    if seen.task in ("classification", "binary", "multilabel"):
        return [_lines(seen, f"after step {seen.stops[at]:,}", _margins(seen, at))]
    low, high = float(seen.answers[-1, 0].min()), float(seen.answers[-1, 0].max())
    levels = np.linspace(low, high, CONTOURS + 2)[1:-1].tolist()
    return [_lines(seen, f"answer {number(level, 3)}", [(seen.answers[at, 0], level)]) for level in levels]


def _at_stop(seen: Boundary, at: int, wrong: Array) -> str:
    """Return what is seen at a stop."""
    step = f"After step {seen.stops[at]:,}"
    if seen.task in ("classification", "binary"):
        return f"{step}: {int(wrong[at].sum()):,} of {wrong.shape[1]:,} rows are answered wrong."
    low, high = (number(float(end), 3) for end in (seen.answers[at, 0].min(), seen.answers[at, 0].max()))
    return f"{step}: answers from {low} to {high} on this plane."


def _lines(seen: Boundary | Landscape, name: str, maps: Sequence[tuple[Array, float]]) -> Series:
    """Return the lines along which maps have a value, as one series with gaps."""
    x: list[float] = []
    y: list[float | None] = []
    for grid, level in maps:
        for places in contour(seen.x, seen.y, grid, level):
            across, up = (shortest(axis) for axis in places.T)
            x += [*across, across[-1]]
            y += [*up, None]
    return Series(name, x, y)


def _margins(seen: Boundary, at: int) -> list[tuple[Array, float]]:
    """Return maps, and the values along whose lines the answer changes: where two classes tie and no third is above."""
    answers = seen.answers[at].astype(float)
    if seen.task != "classification":
        return [(answer, seen.threshold) for answer in answers]
    before = np.maximum.accumulate(answers)
    after = np.maximum.accumulate(answers[::-1])[::-1]
    maps = []
    for k in np.unique(answers.argmax(axis=0)).tolist():  # others are above all nowhere
        if k == len(answers) - 1:
            continue
        later = after[k + 1]
        margin = answers[k] - later
        if k:
            margin[before[k - 1] > np.maximum(answers[k], later)] = np.nan
        maps.append((margin, 0.0))
    return maps


def _rows_on_map(seen: Boundary) -> tuple[list[Points], Array]:
    """Return the fixed rows by class, and which of them are answered wrong at each stop, (stops, rows)."""
    places = np.stack([shortest(axis) for axis in seen.points.T], axis=1)
    wrong = np.zeros(seen.point_answers.shape[:2], bool)
    if seen.task not in ("classification", "binary"):
        return [Points("rows", places[:, 0].tolist(), places[:, 1].tolist(), opacity=0.7)], wrong
    answers = seen.point_answers
    answered = answers.argmax(axis=2) if seen.task == "classification" else (answers[..., 0] > seen.threshold)
    codes = np.asarray(seen.truths).reshape(len(seen.truths), -1)
    codes = codes.argmax(axis=1) if codes.shape[1] > 1 else codes[:, 0].astype(int)
    kinds = ("circle", "square", "up", "down", "diamond")
    points = []
    for code in np.unique(codes).tolist():
        name = str(seen.classes[code]) if code < len(seen.classes) else str(code)
        x, y = places[codes == code].T.tolist()
        points.append(Points(name, x, y, kind=kinds[code % 5], colour=code % 6, radius=2.6))
    return points, answered.astype(int) != codes


def confusion_by_epoch(seen: Confusions) -> list[Figure]:
    """Return the confusion matrix of each epoch, and when each class was learnt; of many classes the latter only."""
    if len(seen.classes) > MOST_CLASSES:
        return [classes_by_epoch(seen)]
    over = [(seen.steps[at], f"After epoch {seen.epochs[at]:,}", seen.counts[at].tolist()) for at in moments(seen)]
    note = f"The {seen.part} rows; the slider at the foot of the page chooses the epoch, a cell shows its rows."
    if seen.part == "training":
        note += " Each row as it was answered in its step: while the weights moved, and with dropout, if any."
    counts = seen.counts[-1].tolist()
    title = f"Confusion matrix of the {seen.part} rows, by epoch"
    return [matrix("confusion-by-epoch", title, seen.classes, counts, note=note, over=over), classes_by_epoch(seen)]


def moments(seen: Confusions) -> list[int]:
    """Return the places of up to 40 of the epochs, close to each other at first; always the first and the last."""
    last = len(seen.epochs) - 1
    if last < MOST_MOMENTS:
        return list(range(last + 1))
    return sorted({0, *np.geomspace(1, last, MOST_MOMENTS - 1).round().astype(int).tolist()})


def classes_by_epoch(seen: Confusions) -> Figure:
    """Return the share of each class that was answered right, epoch by epoch."""
    rows = seen.counts.sum(axis=2)
    with np.errstate(invalid="ignore"):
        right = np.diagonal(seen.counts, axis1=1, axis2=2) / rows
    last = right[-1]
    known = np.flatnonzero(np.isfinite(last))
    weakest = known[np.argmin(last[known])]
    text = (
        f"Of the {seen.part} rows, “{seen.classes[weakest]}” is right least often in the last epoch: "
        f"{percent(float(last[weakest]), 1)}."
    )
    if last[weakest] == 1:
        text = f"In the last epoch all {seen.part} rows are right."
    if (pair := _most_confused(seen)) is not None:
        i, j = pair
        text += (
            f" Most often confused: “{seen.classes[i]}” answered with “{seen.classes[j]}”, "
            f"{seen.counts[0, i, j]:,} times in epoch {seen.epochs[0]:,}, {seen.counts[-1, i, j]:,} "
            f"in epoch {seen.epochs[-1]:,}."
        )
    figure = heat(
        *("classes-by-epoch", "When was each class learnt?", right.T, seen.epochs, seen.classes),
        Axis("epoch", whole=True),
        Shade("share answered right", 0.0, 1.0),
        text=text,
        note=text,
    )
    return with_cursor(figure, seen.steps, middles(seen.epochs))


def _most_confused(seen: Confusions) -> tuple[int, int] | None:
    """Return the classes (true, answered) that are confused most often in the last epoch; None if none are."""
    mistakes = seen.counts[-1] * ~np.eye(len(seen.classes), dtype=bool)
    at = int(mistakes.argmax())
    return divmod(at, len(seen.classes)) if mistakes.flat[at] else None


def map_of_rows(seen: Samples) -> list[Figure]:
    """Return mean and spread of the probability of the right class; [] where the costs do not tell it."""
    if seen.certainty is None or seen.spread is None:
        return []
    chosen = np.arange(len(seen.certainty))
    note = ""
    if len(chosen) > MOST_POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(chosen), MOST_POINTS, replace=False))
        note = f" Drawn: {MOST_POINTS:,} of {len(seen.certainty):,} rows, chosen at random."
    points = Points(
        *("", shortest(seen.spread[chosen]), shortest(seen.certainty[chosen])),
        radius=1.8,
        opacity=0.5,
        texts=[f"row {n}" for n in seen.numbers[chosen].tolist()],
    )
    hard = float((seen.certainty < 0.5).mean())
    text = f"On average over the epochs, {percent(hard, 1)} of the training rows got less than ½ for their right class."
    figure = scatter(
        *("rows", "Which rows are easy, which are hard?", [points]),
        Axis("spread over the epochs", low=0.0),
        Axis("mean probability of the right class", low=0.0, high=1.0),
        text=text,
        note=f"{text} Top left: easy. Right: learnt late or forgotten. Bottom left: never learnt.{note}",
    )
    return [dataclasses.replace(figure, head=(), rows=())]  # what is worth reading of it is in the lists below it


def landscape_map(seen: Landscape, loss: str = "cost") -> Figure:
    """Return lines of equal cost around the path, and the path with its true costs."""
    finite = seen.grid[np.isfinite(seen.grid)]
    low, high = float(finite.min()), float(np.quantile(finite, 0.9))
    shares = np.linspace(0.08, 1.0, CONTOURS)
    levels = low * (high / low) ** shares if low > 0 else low + (high - low) * shares**2
    lines = [_lines(seen, f"{loss} {number(level, 2)}", [(seen.grid, level)]) for level in levels.tolist()]
    largest = float(seen.off.max()) or 1.0
    points = [
        Points(
            "path of the weights" if i == 0 else "",
            [float(place[0])],
            [float(place[1])],
            radius=2.2 + 3.5 * float(off) / largest,
            texts=[
                f"step {step:,}: {loss} {number(true)}, {number(plane)} on the plane, {number(float(off))} beside it"
            ],
        )
        for i, (step, place, off, true, plane) in enumerate(
            zip(
                seen.stops,
                seen.path,
                seen.off,
                seen.loss.tolist(),
                seen.plane_loss.tolist(),
                strict=True,
            )
        )
    ]
    explained = "" if seen.explained is None else f" The plane holds {percent(seen.explained, 1)} of the path."
    text = (
        f"From {number(float(seen.loss[0]))} at the start to {number(float(seen.loss[-1]))} at (0, 0)."
        f"{explained} "
        f"At the start the {loss} on the plane is {number(float(seen.plane_loss[0]))}."
    )
    figure = scatter(
        *("landscape", "Loss landscape: is the way smooth, and how true is this picture?", points),
        Axis("distance along the first direction"),
        Axis("along the second"),
        lines=lines,
        text=text,
        note=(
            f"{text} Lines of equal {loss} of {seen.rows:,} training rows; large points lie far beside the plane, "
            "where the lines say little."
        ),
    )
    head = ["step", f"true {loss}", "on the plane", "distance from the plane", "from the last stop"]
    columns = (seen.loss, seen.plane_loss, seen.off, seen.distance)
    rows = [
        (f"{step:,}", *(number(float(value)) for value in values))
        for step, *values in zip(seen.stops, *columns, strict=True)
    ]
    return dataclasses.replace(figure, head=head, rows=rows)


def middles(at: Sequence[float]) -> list[float]:
    """Return the places in the middle of the cells of a heat map, the last one as wide as that before it.

    >>> middles([0, 1, 3])
    [0.5, 2.0, 4.0]
    """
    places = np.asarray(at, float)
    widths = np.diff(places) if len(places) > 1 else np.ones(1)
    return (places + np.append(widths, widths[-1])[: len(places)] / 2).tolist()


def stops_axis(stops: Sequence[int]) -> Axis:
    """Return an axis with one place for each stop: about a logarithmic scale, which would have no 0."""
    return Axis("step", ticks=[(float(at), f"{stop:,}") for at, stop in enumerate(stops)])


def with_stops(figure: Figure, stops: Sequence[int]) -> Figure:
    """Return a figure over stops with their steps as headings of its table and in its numbers."""
    head = [figure.head[0], *(f"step {stop:,}" for stop in stops)]
    return dataclasses.replace(figure, head=head, numbers={**figure.numbers, "at": list(stops)})


def with_stops_in_rows(figure: Figure, stops: Sequence[int]) -> Figure:
    """Return a figure over stops with their steps in the first column of its table and in its numbers."""
    rows = [(f"{stop:,}", *row[1:]) for stop, row in zip(stops, figure.rows, strict=True)]
    numbers = {**figure.numbers, "stops": list(stops)}
    return dataclasses.replace(figure, rows=rows, numbers=numbers)


def with_cursor(figure: Figure, steps: Sequence[int], places: Sequence[float] = ()) -> Figure:
    """Return a figure in which the slider of the page draws a line at the step, or at its place along the axis.

    Of many steps some are chosen: the slider has one place for each.
    """
    each = -(-len(steps) // MOST_STEPS)
    places = list(places or steps)
    return dataclasses.replace(figure, motion=Motion(steps[::each], places=places[::each]))


def shortest(values: Array) -> Any:
    """Return numbers of float32 as lists, with the fewest digits that say which they are."""
    values = np.asarray(values, np.float32)
    return float(str(values)) if values.ndim == 0 else [shortest(value) for value in values]


def without_values(figure: Figure) -> Figure:
    """Return pictures whose numbers do not travel with the page where they are many; their ranges are in the table."""
    values = np.asarray(figure.numbers["values"])
    if values.size <= MOST_NUMBERS:
        return figure
    ranges = {"lowest": values.min(axis=(1, 2)).tolist(), "highest": values.max(axis=(1, 2)).tolist()}
    return dataclasses.replace(figure, numbers={k: v for k, v in figure.numbers.items() if k != "values"} | ranges)


def boundary_of_rows(recorded: Recorded) -> Boundary | Missing:
    """Return the maps over a plane of the inputs, where a sample is a row of numbers: pictures have no such plane."""
    if len(recorded.model.input_shape) != 1:
        return Missing("A sample is not a row of numbers, so no plane of two inputs says where the boundary is.")
    return boundary(recorded)


def network_graph(graph: Graph) -> Figure:
    """Return the network as a graph folded by layer: what is connected to what, with values and gradients."""
    parameters = [node for node in graph.nodes if node.op == "input"]
    sizes = {node.label: rms(node.gradient) for node in parameters}
    largest = max(sizes, key=lambda label: sizes[label], default="")
    return Figure(
        "network",
        "What is connected to what, and what flows through it?",
        Html(graph._repr_html_()),
        f"{len(graph.nodes)} nodes, and {largest} has the largest gradient, rms {number(sizes.get(largest, 0.0))}.",
        {"cost": float(np.asarray(graph.value)), "nodes": len(graph.nodes), "rms_gradients": sizes},
        note="The mean cost of the fixed rows, with the weights of the last stop.",
    )


#: What is shown of a recording, by the name of its place: what is derived, and how that is drawn.
VIEWS: dict[str, tuple[Callable[[Recorded], Any], Callable[[Any], Figure | list[Figure]]]] = {
    "flow": (flow, flow_map),
    "ratio": (ratios, ratio_lines),
    "activations": (activations, activation_figures),
    "weights": (first_weights, weight_figures),
    "boundary": (boundary_of_rows, boundary_map),
    "classes-by-epoch": (confusions, confusion_by_epoch),
    "samples": (samples, map_of_rows),
    "landscape": (landscape, landscape_map),
    "network": (network, network_graph),
}


def inside(
    recorded: Recorded, *names: str, columns: tuple[int, int] | None = None
) -> dict[str, list[Figure] | Missing]:
    """Return the figures of some views of a recording (of all), by the name of the view, or why there are none.

    The names: "flow", "ratio", "activations", "weights", "boundary", "classes-by-epoch", "samples",
    "landscape", "network". ``columns`` are the places of the two inputs that are the plane of "boundary".
    """
    from threadpoolctl import threadpool_limits

    drawn: dict[str, list[Figure] | Missing] = {}
    for name in names or VIEWS:
        check_name("view", name, VIEWS)
        derive, draw = VIEWS[name]
        try:
            # Products are small: where other programs run, threads that wait for each other take ten times as long.
            # A run that diverged is shown as well.
            with threadpool_limits(1), np.errstate(all="ignore"):
                seen = derive(recorded) if columns is None or name != "boundary" else boundary(recorded, columns)
                figures = seen if isinstance(seen, Missing) else draw(seen)
        except SettingError:  # of who asks, not of the run
            raise
        except ChainruleError as error:  # one view that cannot be made does not take the page with it
            figures = Missing(str(error))
        drawn[name] = [figures] if isinstance(figures, Figure) else figures
    return drawn
