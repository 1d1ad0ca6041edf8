"""The figures of one network: what they show, and what is to be seen in each in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.display.numbers import is_number, number, percent, seconds
from chainrule.draw.axes import Axis
from chainrule.draw.bars import bars
from chainrule.draw.figure import Figure
from chainrule.draw.line import Level, Mark, Series, extremes, line
from chainrule.draw.matrix import matrix
from chainrule.draw.scatter import Points, scatter
from chainrule.metrics import format_value, is_fraction, label_of
from chainrule.report.findings import Curves
from chainrule.training.record import Record
from chainrule.training.recorded import StepValues

#: A learning rate of many steps is drawn by the lowest and highest of so many stretches.
STRETCHES = 150

#: Where the value of a curve stands that was measured while its epoch ran.
MIDDLE = (
    "Training: the mean over the batches of an epoch, while the weights moved and with dropout, if any; so it stands "
    "at the middle of its epoch."
)


def figures(
    record: Record, evaluation: Mapping[str, Any], curves: Curves, steps: StepValues | None = None
) -> dict[str, Figure]:
    """Return all figures that there is something to show for, by their names.

    ``steps``: what was recorded of each step, if anything.
    """
    drawn: list[Figure] = []
    if curves.epochs:
        measured = bool(record.config.get("measure_training"))
        drawn.append(curve(curves, "loss", loss_axis(evaluation), naive_loss(evaluation), at_end=measured))
        if curves.score is not None:
            axis = score_axis(curves.score)
            rows = evaluation.get("parts", {}).get("validation", 0)
            naive = naive_score(evaluation, curves)
            drawn.append(curve(curves, curves.score, axis, naive, at_end=measured, rows=rows))
        if len({e.get("lr") for e in curves.epochs}) > 1:
            drawn.append(learning_rate(curves) if steps is None else learning_rate_of_steps(steps))
    if evaluation.get("confusion"):
        drawn.append(confusion(evaluation))
    if evaluation.get("calibration"):
        drawn.append(calibration(evaluation["calibration"]))
    target, several = str(record.config.get("target", "")), evaluation.get("outputs_in_all", 1) > 1
    for i, output in enumerate(evaluation.get("outputs", [])):
        name = f"output {i + 1}" if several else target
        drawn.append(predicted(f"predicted-{i}", output, name, evaluation))
        if output["errors"]["counts"]:
            drawn.append(errors(f"errors-{i}", output, name))
    return {figure.name: figure for figure in drawn}


def loss_axis(evaluation: Mapping[str, Any]) -> Axis:
    """Return the axis of the loss: what it is and in what unit."""
    loss = evaluation.get("loss", {})
    return Axis(loss.get("name", "loss"), loss.get("unit", ""), log=None)


def score_axis(column: str) -> Axis:
    """Return the axis of a score."""
    return Axis(label_of(column), percent=is_fraction(column))


def naive_loss(evaluation: Mapping[str, Any]) -> list[Level]:
    """Return what the loss is of one who only knows how frequent the classes are: −Σ p log q, on the rows judged.

    p are the shares of the classes among these rows, q among the training rows.
    """
    rows = evaluation.get("per_class") or []
    if evaluation.get("task") not in ("classification", "binary") or evaluation.get("classes") != len(rows):
        return []
    training, judged = (sum(row[name] for row in rows) for name in ("training", "support"))
    if not judged or any(row["support"] and not row["training"] for row in rows):
        return []
    terms = [row["support"] / judged * math.log(row["training"] / training) for row in rows if row["support"]]
    return [Level(-math.fsum(terms), "shares of the classes only")] if "entropy" in evaluation["loss"]["name"] else []


def naive_score(evaluation: Mapping[str, Any], curves: Curves) -> list[Level]:
    """Return what always giving the same answer reaches, where that is not so far away that it would flatten the
    curves.
    """
    rule = next((rule for rule in evaluation.get("baselines", ()) if rule["name"].startswith("always")), None)
    if rule is None or evaluation["score"] != curves.score or not is_number(rule["value"]):
        return []
    names = (f"val_{curves.score}", curves.score)
    values = [v for name in names for v in curves.column(str(name)) if math.isfinite(v)]
    span = max(values, default=0.0) - min(values, default=0.0)
    near = min(values, default=0.0) - span <= rule["value"] <= max(values, default=0.0) + span
    return [Level(rule["value"], rule["name"])] if near else []


def curve(
    curves: Curves, name: str, y: Axis, levels: Sequence[Level] = (), *, at_end: bool = False, rows: int = 0
) -> Figure:
    """Return a metric over the epochs, in training and in validation, with the epoch of the model's weights marked.

    ``at_end``: whether training was measured with the weights at the end of each epoch. ``rows``: of validation; a
    share p of these has a band of its standard error, √(p (1 − p) / rows).
    """
    series = []
    for column, label in ((name, "training"), (f"val_{name}", "validation")):
        if column == name or curves.validated:
            before = 0.0 if at_end or column != name else 0.5
            values = [v if math.isfinite(v) else None for v in curves.column(column)]
            one = Series(label, [i + 1 - before for i in range(len(values))], values)
            if column != name and rows and is_fraction(column):
                one = with_standard_error(one, rows)
            series.append(one)
    figure = line(
        "score" if name != "loss" else "loss",
        label_of(name).capitalize(),
        series,
        epochs_axis(len(curves.epochs)),
        y,
        marks=[Mark(float(epoch), text) for epoch, text in sorted(curves.marked.items())],
        levels=levels,
        text=in_words(curves, name),
        note=f"Band: ± one standard error of {rows:,} rows." if any(one.low for one in series) else "",
    )
    table = [
        (f"{i + 1:,}", *(format_value(column, e.get(column)) for column in columns_of(curves, name)))
        for i, e in enumerate(curves.epochs)
    ]
    return dataclasses.replace(figure, head=["epoch", *(one.name for one in series)], rows=table)


def with_standard_error(one: Series, rows: int) -> Series:
    """Return the curve of a share with a band of its standard error."""
    errors = [(p, math.sqrt(max(0.0, p * (1 - p)) / rows)) if p is not None else None for p in one.y]
    low = [max(0.0, of[0] - of[1]) if of else None for of in errors]
    high = [min(1.0, of[0] + of[1]) if of else None for of in errors]
    return dataclasses.replace(one, low=low, high=high)


def columns_of(curves: Curves, name: str) -> list[str]:
    """Return the columns of a metric that were measured."""
    return [name, f"val_{name}"] if curves.validated else [name]


def epochs_axis(count: int) -> Axis:
    """Return an axis from the start to the last epoch."""
    return Axis("epoch", whole=True, low=0.0, high=float(max(1, count)))


def learning_rate(curves: Curves) -> Figure:
    """Return the learning rate of the last step of each epoch."""
    rates = curves.column("lr")
    places = list(range(1, len(rates) + 1))
    return _rates(places, rates, epochs_axis(len(rates)), "of the last step of each epoch")


def learning_rate_of_steps(steps: StepValues) -> Figure:
    """Return the learning rate of every step; of many, the lowest and highest of each stretch."""
    rates = [float(f"{rate:.7g}") for rate in steps.lr]
    stretch = np.arange(len(rates)) * STRETCHES // len(rates)
    places, drawn = extremes(range(1, len(rates) + 1), rates, stretch)
    return _rates(places, drawn, Axis("step", whole=True, low=0.0), "of every step")


def _rates(places: Sequence[float], rates: list[float], x: Axis, of: str) -> Figure:
    text = f"The learning rate {of}, from {number(rates[0])} to {number(rates[-1])}."
    figure = line("lr", "Learning rate", [Series("learning rate", places, rates)], x, Axis("", log=None), text=text)
    return dataclasses.replace(figure, starts_logarithmic=False)  # a schedule is known by its shape


def confusion(evaluation: Mapping[str, Any]) -> Figure:
    """Return what was taken for what."""
    note = (
        "Right answers are blue, by their share of the class; mistakes orange, by the square root of their number. "
        "A cell that is chosen says itself in words."
    )
    return matrix("confusion", "Confusion matrix", evaluation["class_names"], evaluation["confusion"], note=note)


def calibration(calibration: Mapping[str, Any]) -> Figure:
    """Return what came true, against the probability that was predicted."""
    bins = calibration["bins"]
    most = max(b["rows"] for b in bins)
    points = [
        Points(
            *("", [b["probability"]], [b["share"]]),
            radius=2 + 4 * math.sqrt(b["rows"] / most),
            texts=[f"{percent(b['low'], 0)} to {percent(b['high'], 0)}: {b['rows']:,} answers"],
            low=[b["interval"][0]],
            high=[b["interval"][1]],
        )
        for b in bins
    ]
    ends = Axis("predicted probability", percent=True, low=0, high=1), Axis("came true", percent=True, low=0, high=1)
    text = "Predicted and came true: " + "; ".join(
        f"{percent(b['probability'], 0)} and {percent(b['share'], 0)}" for b in bins
    )
    note = "Large points stand for many answers; bars are 95 % intervals. On the dashed line probabilities are right."
    return scatter(
        *("calibration", "Calibration", points, *ends), lines=[Series("", [0, 1], [0, 1])], text=text, note=note
    )


def predicted(name: str, output: Mapping[str, Any], target: str, evaluation: Mapping[str, Any]) -> Figure:
    """Draw predicted against true numbers."""
    points = [p for p in output["points"] if None not in p]
    true, predicted = ([p[i] for p in points] for i in (0, 1))
    low, high = (min([*true, *predicted], default=0.0), max([*true, *predicted], default=1.0))
    cloud = Points("", true, predicted, radius=2, opacity=0.5 if len(true) > 200 else 0.8)
    of = f" {target}" if target else " value"
    text = f"Predicted against true{of}: R² is {number(output['r2'])}, the mean absolute error {number(output['mae'])}."
    note = "On the dashed line predictions are right."
    if evaluation["judged_rows"] > len(output["points"]):
        note += f" Drawn: {len(output['points']):,} of {evaluation['judged_rows']:,} rows, chosen at random."
    return scatter(
        *(name, f"Predicted and true{of}", [cloud], Axis(f"true{of}"), Axis(f"predicted{of}")),
        lines=[Series("", [low, high], [low, high])],
        text=text,
        note=note,
    )


def errors(name: str, output: Mapping[str, Any], target: str) -> Figure:
    """Return how often errors of each size occur."""
    quantiles = output["quantiles"]
    text = f"Half of the errors lie between {number(quantiles['25'])} and {number(quantiles['75'])}."
    of = f" of {target}" if target else ""
    edges, counts = output["errors"]["edges"], output["errors"]["counts"]
    return bars(name, f"Errors{of}", edges, counts, Axis("predicted − true"), Axis("rows", whole=True), text=text)


def in_words(curves: Curves, name: str) -> str:
    """Return a curve for those who cannot see it: how it ended, and whether that was its best."""
    parts = []
    for column, label in zip(columns_of(curves, name), ("training", "validation"), strict=False):
        values = curves.column(column)
        parts.append(f"{label} from {format_value(column, values[0])} to {format_value(column, values[-1])}")
    best = f"; lowest {label_of(curves.watched)} after epoch {curves.best}" if curves.best else ""
    return f"{label_of(name).capitalize()} over {len(curves.epochs):,} epochs: {', '.join(parts)}{best}."


def in_time(column: str, value: Any) -> str:
    """Return a value of an epoch as people read it."""
    return seconds(value) if column == "seconds" else format_value(column, value)
