"""What the network answers: class by class, in probabilities, in numbers, and where it is most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import is_number, number, percent
from chainrule.report.components import Page, n, numbers, place, row, table, wide

#: Of the rows with the highest cost, so many are shown and the others folded away.
WORST = 8

#: Of more classes, the weakest are shown and the others folded away.
CLASSES, WEAKEST = 30, 15


def confusion(page: Page) -> Html | None:
    """Return what was taken for what: a matrix, or of many classes the pairs that are confused most often."""
    evaluation = page.evaluation
    if evaluation.get("confusion"):
        return place(page, "confusion")
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
        head = ["true", "predicted", ("rows", "n"), ("of the class", "n")]
        return table(head, rows, f"The pairs that were confused most often, of {evaluation['classes']:,} classes")
    return None


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
    share = percent(0.8, 0)
    text = (
        f"Of what is predicted with a probability of {share}, {share} should come true. What is looked at here is "
        f"{calibration['about']}. The expected calibration error, the mean distance from the dashed line, is "
        f"{percent(calibration['ece'], 1)}."
    )
    return join([tag("p", text), place(page, "calibration")])


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
    blocks = [place(page, f"predicted-{i}", f"errors-{i}") or "" for i in range(len(outputs))]
    note = f"Shown: the first {len(outputs)} of {in_all:,} outputs." if in_all > len(outputs) else ""
    caption = "The error is predicted − true; the percentages are its quantiles."
    return join([*blocks, tag("p", note, class_="about") if note else "", table(head, rows, caption)])


def worst(page: Page) -> Html | None:
    """Return the rows with the highest cost, as pictures or as rows of the table: mistakes apart from right answers."""
    evaluation = page.evaluation
    worst_rows = evaluation.get("worst")
    if not worst_rows:
        return None
    part, regression = evaluation["part"], evaluation["task"] == "regression"
    if regression:
        return join([_group(page, f"The {part} rows with the highest cost, the worst first.", worst_rows)])
    wrong = [one for one in worst_rows if _wrong(one, regression)]
    right = [one for one in worst_rows if not _wrong(one, regression)]
    groups = [
        _group(page, f"Mistakes with the highest cost among the {part} rows, the worst first.", wrong),
        _group(page, "Right answers with the highest cost: those that were given least confidently.", right),
    ]
    return join([group for group in groups if group])


def _group(page: Page, title: str, rows: list[Mapping[str, Any]]) -> Html:
    """Return some rows, the first few of them before the others are folded away."""
    if not rows:
        return Html("")
    shown, folded = _rows(page, rows[:WORST]), rows[WORST:]
    note = tag("p", title, class_="about")
    if not folded:
        return join([note, shown])
    return join([note, shown, tag("details", tag("summary", f"{len(folded)} more"), _rows(page, folded))])


def _rows(page: Page, rows: list[Mapping[str, Any]]) -> Html:
    regression = page.evaluation["task"] == "regression"
    if "picture" in rows[0]:
        return tag("ul", *(_card(one, regression) for one in rows), class_="cards")
    names = list(rows[0].get("values", {}))
    head = ["row", "true", "predicted", ("cost", "n"), *names]
    lines = [
        row(
            str(one["row"]),
            tag("td", _true(one, regression)),
            tag("td", _predicted_label(one, regression), class_="bad" if _wrong(one, regression) else None),
            n(number(one["cost"])),
            *(tag("td", one["values"].get(name, "")) for name in names),
        )
        for one in rows
    ]
    return table(head, lines)


def _card(one: Mapping[str, Any], regression: bool) -> Html:
    true, predicted = _true(one, regression), _predicted_label(one, regression)
    # Only pictures that were made here: a damaged file must not bring anything else in.
    source = one["picture"] if str(one["picture"]).startswith("data:image/png;base64,") else "data:,"
    return tag(
        "li",
        tag("img", src=source, alt=f"Row {one['row']}: true {true}, predicted {predicted}"),
        tag("div", "predicted ", tag("b", predicted, class_="bad" if _wrong(one, regression) else None)),
        tag("div", f"true {true}"),
        tag("div", f"row {one['row']}, cost {number(one['cost'], 3)}", class_="muted"),
    )


def _wrong(one: Mapping[str, Any], regression: bool) -> bool:
    return not regression and one["true"] != one["said"]


def _true(one: Mapping[str, Any], regression: bool) -> str:
    return numbers(one["true"]) if regression else str(one["true"])


def _predicted_label(one: Mapping[str, Any], regression: bool) -> str:
    if regression:
        return numbers(one["said"])
    return f"{one['said']} ({percent(one['sure'], 0)})" if is_number(one.get("sure")) else str(one["said"])
