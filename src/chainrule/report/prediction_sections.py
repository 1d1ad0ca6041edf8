"""What the network answers: class by class, in probabilities, in numbers, and where it is most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import is_number, number, percent
from chainrule.report.components import Page, n, numbers, place, row, scroll, table, wide
from chainrule.report.figures import calibration_in_words

#: Of more classes, the weakest are shown and the others folded away.
CLASSES, WEAKEST = 30, 15


def confusion(page: Page) -> Html | None:
    """Return what was taken for what: a matrix, or of many classes the pairs that are confused most often."""
    evaluation = page.evaluation
    if evaluation.get("confusion"):
        note = (
            "A line for each true class, a column for each answer. Right answers are blue, mistakes orange, by their "
            "share of the class."
        )
        matrix = _matrix(evaluation["class_names"], evaluation["confusion"])
        return join([tag("p", note, class_="muted small"), scroll(matrix, "scroll matrix")])
    if evaluation.get("confused"):
        rows = [
            row(
                pair["true"],
                wide(pair["said"]),
                n(f"{pair['rows']:,}"),
                n(percent(pair["rows"] / pair["of"], 1)),
                wrap=True,
            )
            for pair in evaluation["confused"]
        ]
        head = ["true", "said", ("rows", "n"), ("of the class", "n")]
        return table(head, rows, f"The pairs that were confused most often, of {evaluation['classes']:,} classes")
    return None


def _matrix(names: list[str], counts: list[list[int]]) -> Html:
    head = [tag("th", "true", scope="col"), *(tag("th", name, scope="col", title=name) for name in names)]
    lines = []
    for i, line in enumerate(counts):
        total = sum(line)
        cells = []
        for j, count in enumerate(line):
            fraction = count / total if total else 0.0
            kind = "none" if not count else "right" if i == j else "wrong"
            shade = fraction if i == j else min(1.0, 0.1 + 6 * fraction)  # a single mistake is to be seen, too
            sentence = f"{count:,} of {total:,} rows of “{names[i]}” were called “{names[j]}” ({percent(fraction, 1)})"
            style = f"--share:{shade:.3f}" if count else None
            cells.append(tag("td", f"{count:,}", class_=kind, style=style, title=sentence))
        lines.append(tag("tr", tag("th", names[i], scope="row", title=names[i]), *cells))
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *lines))


def classes(page: Page) -> Html | None:
    """Return precision, recall and F1 of each class."""
    evaluation = page.evaluation
    every = evaluation.get("per_class")
    if not every:
        return None
    head = [
        "class",
        *((name, "n") for name in ("recall", "precision", "F1", f"{evaluation['part']} rows", "training rows")),
    ]

    def row_of(scores: Mapping[str, Any]) -> Html:
        bars = [
            tag("td", percent(scores[name], 1), class_="n bar", style=f"--share:{scores[name]:.3f}")
            for name in ("recall", "precision", "f1")
        ]
        return row(scores["class"], *bars, *(n(f"{scores[name]:,}") for name in ("support", "training")), wrap=True)

    note = tag(
        "p",
        "Recall: how many rows of the class were found. Precision: how many answers with this class were right. F1 is "
        f"both in one, 2·P·R / (P + R); its mean over the classes is {percent(evaluation['mean_f1'], 1)}.",
        class_="about",
    )
    if len(every) <= CLASSES:
        return join([table(head, map(row_of, every)), note])
    weakest = sorted(every, key=lambda scores: scores["f1"])[:WEAKEST]
    all_of = f"All {len(every):,} classes"
    if evaluation["classes"] > len(every):
        all_of = f"The {len(every):,} weakest of {evaluation['classes']:,} classes"
    return join(
        [
            table(head, map(row_of, weakest), f"The {len(weakest)} classes with the lowest F1"),
            tag("details", tag("summary", all_of), table(head, map(row_of, every))),
            note,
        ]
    )


def calibration(page: Page) -> Html | None:
    """Return whether probabilities come true."""
    calibration = page.evaluation.get("calibration")
    if not calibration:
        return None
    rows = [
        row(
            f"{percent(b['low'], 0)} to {percent(b['high'], 0)}",
            n(percent(b["probability"], 1)),
            n(percent(b["share"], 1)),
            n(f"{percent(b['interval'][0], 1)} to {percent(b['interval'][1], 1)}"),
            n(f"{b['rows']:,}"),
        )
        for b in calibration["bins"]
    ]
    head = ["said, from … to", ("on average", "n"), ("came true", "n"), ("95 % interval", "n"), ("answers", "n")]
    share = percent(0.8, 0)
    text = (
        f"Of what is said with a probability of {share}, {share} should come true: the points should lie on the dashed "
        "line. "
        f"What is looked at here is {calibration['about']}. The expected calibration error, the mean distance from the "
        f"line, is {percent(calibration['ece'], 1)}."
    )
    figure = place("calibration", "Probability and outcome", calibration_in_words(calibration))
    drawn = tag("p", "Large points stand for many answers; the bars are 95\u00a0% intervals.", class_="about")
    numbers_too = tag("details", tag("summary", "The bins as a table"), table(head, rows))
    return join([tag("p", text), tag("div", figure, class_="half"), drawn, numbers_too])


def residuals(page: Page) -> Html | None:
    """Return the errors of predicted numbers."""
    outputs = page.evaluation.get("outputs")
    if not outputs:
        return None
    in_all = page.evaluation["outputs_in_all"]
    quantiles = {"0": "smallest", "5": "5 %", "25": "25 %", "50": "50 %", "75": "75 %", "95": "95 %", "100": "largest"}
    head = ["output", *((name, "n") for name in ("MAE", "RMSE", "R²", "mean error", *quantiles.values()))]
    rows = [
        row(
            str(i + 1),
            *(n(number(output[name])) for name in ("mae", "rmse", "r2", "bias")),
            *(n(number(output["quantiles"][q])) for q in quantiles),
        )
        for i, output in enumerate(outputs)
    ]
    blocks = []
    for i in range(len(outputs)):
        of = f" of output {i + 1}" if in_all > 1 else ""
        text = "On the dashed line, predictions are right."
        drawn = [place(f"predicted-{i}", f"Predicted and true{of}", text, caption=True)]
        if f"errors-{i}" in page.figures:
            drawn.append(place(f"errors-{i}", f"Errors{of}", "How many rows have an error of each size.", caption=True))
        blocks.append(tag("div", *drawn, class_="two"))
    notes = []
    if page.evaluation["judged_rows"] > len(outputs[0]["points"]):
        notes.append(f"Drawn: {len(outputs[0]['points']):,} rows, chosen at random.")
    if in_all > len(outputs):
        notes.append(f"Shown: the first {len(outputs)} of {in_all:,} outputs.")
    caption = "The error is predicted − true; the percentages are its quantiles."
    return join([*blocks, tag("p", " ".join(notes), class_="about") if notes else "", table(head, rows, caption)])


def worst(page: Page) -> Html | None:
    """Return the rows with the highest cost, as pictures or as rows of the table."""
    evaluation = page.evaluation
    worst_rows = evaluation.get("worst")
    if not worst_rows:
        return None
    regression = evaluation["task"] == "regression"
    note = tag("p", f"The {evaluation['part']} rows with the highest cost, the worst first.", class_="muted small")
    if "picture" in worst_rows[0]:
        return join([note, tag("ul", *(_card(one, regression) for one in worst_rows), class_="cards")])
    names = list(worst_rows[0].get("values", {}))
    head = ["row", "true", "predicted" if regression else "said", ("cost", "n"), *names]
    rows = [
        row(
            str(one["row"]),
            tag("td", _true(one, regression)),
            tag("td", _predicted_label(one, regression), class_="bad" if _wrong(one, regression) else None),
            n(number(one["cost"])),
            *(tag("td", one["values"].get(name, "")) for name in names),
        )
        for one in worst_rows
    ]
    return join([note, table(head, rows)])


def _card(one: Mapping[str, Any], regression: bool) -> Html:
    true, predicted = _true(one, regression), _predicted_label(one, regression)
    # Only pictures that were made here: a damaged file must not bring anything else in.
    source = one["picture"] if str(one["picture"]).startswith("data:image/png;base64,") else "data:,"
    return tag(
        "li",
        tag("img", src=source, alt=f"Row {one['row']}: it is {true}, the network says {predicted}"),
        tag("div", "says ", tag("b", predicted, class_="bad" if _wrong(one, regression) else None)),
        tag("div", f"it is {true}"),
        tag("div", f"row {one['row']}", class_="muted"),
    )


def _wrong(one: Mapping[str, Any], regression: bool) -> bool:
    return not regression and one["true"] != one["said"]


def _true(one: Mapping[str, Any], regression: bool) -> str:
    return numbers(one["true"]) if regression else str(one["true"])


def _predicted_label(one: Mapping[str, Any], regression: bool) -> str:
    if regression:
        return numbers(one["said"])
    return f"{one['said']} ({percent(one['sure'], 0)})" if is_number(one.get("sure")) else str(one["said"])
