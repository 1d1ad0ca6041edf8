"""What came of the run: the verdict, the key figures, the simpler rules beside it, the curves."""

from __future__ import annotations

from typing import Any

from chainrule.display.markup import Html, escape, join, tag
from chainrule.display.numbers import is_number, number, seconds
from chainrule.metrics import format_value, label_of
from chainrule.report import population_sections
from chainrule.report.components import Page, n, place, row, score, table, training_times
from chainrule.report.figures import MIDDLE
from chainrule.report.findings import Curves, Finding, Kept, findings, headline, rows_of

#: Rows of the table of epochs.
EPOCHS = 60


def verdict(page: Page) -> Html:
    """Return the result in a sentence, and what else can be said."""
    bounds = ""
    if interval := page.evaluation.get("interval"):
        low, high = (score(page.evaluation, interval[side]) for side in ("low", "high"))
        bounds = tag("p", f"95 % interval: {low} to {high} ({interval['method']}).", class_="interval")
    folds = None
    if page.members is not None and page.members.kind == "folds":
        folds = Curves(page.members.mean_records())
    items = [
        tag("li", tag("strong", _linked(finding)), " ", finding.text, class_=finding.sign)
        for finding in [
            *population_sections.findings(page),
            *findings(page.evaluation, page.record, folds, _weights_of_members(page)),
        ]
    ]
    return join([tag("h2", headline(page.evaluation, page.record)), bounds, tag("ul", *items) if items else ""])


def _linked(finding: Finding) -> Html:
    """Return what a finding says first, as a link to what shows it."""
    return tag("a", finding.lead, href=f"#{finding.place}") if finding.place else escape(finding.lead)


def _weights_of_members(page: Page) -> Kept | None:
    """Return which weights the networks have of which a model is the ensemble."""
    if page.record.kept_epoch is not None or page.members is None or page.members.kind != "seeds":
        return None
    members = [member for member in page.members.all if is_number(member.get("best_epoch"))]
    names = {name for member in members for name in member["scores"]}
    metrics = {name: page.members.summary(name).mean for name in names}
    return Kept(tuple(member["best_epoch"] for member in members), metrics) if members else None


def key_figures(page: Page) -> Html:
    """Return the numbers one looks for first, with their exact values in data-value."""
    record, evaluation, curves = page.record, page.evaluation, page.curves
    cells: list[Html] = []

    def cell(key: str, title: str, value: Any, text: str, note: str | None = None) -> None:
        exact = repr(value) if is_number(value) else None
        small = tag("dd", note, class_="note") if note else None
        cells.append(tag("div", tag("dt", title), tag("dd", text, data_key=key, data_value=exact), small))

    test = record.result.get("test") or {}
    for part, measured in (("test", test), (evaluation.get("part"), {} if test else evaluation.get("metrics", {}))):
        for name, value in reversed(measured.items()):  # the score before the loss
            cell(f"{part}.{name}", f"{str(part).capitalize()} {label_of(name)}", value, format_value(name, value))
    if len(evaluation.get("outputs", ())) == 1:
        r2 = evaluation["outputs"][0]["r2"]
        cell(
            f"{evaluation['part']}.r2",
            f"{evaluation['part'].capitalize()} R²",
            r2,
            number(r2),
            "1 is perfect, 0 the mean",
        )
    done, requested, best, kept_epoch = len(curves.epochs), record.config.get("epochs"), curves.best, record.kept_epoch
    if kept_epoch is not None and done:
        lowest = f"lowest {curves.watched_in_words}"
        note = None if best is None else lowest if kept_epoch == best else f"{lowest}: epoch {best:,}"
        cell("kept_epoch", "Epoch of the weights", kept_epoch, f"{kept_epoch:,} of {done:,}", note)
    for name in (f"val_{curves.score}", "val_loss"):
        if name in record.metrics:
            note = "of the ensemble" if kept_epoch is None else f"after epoch {kept_epoch:,}"
            value = record.metrics[name]
            cell(f"kept.{name}", label_of(name).capitalize(), value, format_value(name, value), note)
    if done:
        epoch = done if kept_epoch is None else kept_epoch
        loss = curves.epochs[epoch - 1].get("loss")
        cell("kept.loss", "Training loss", loss, number(loss), f"after epoch {epoch:,}")
        spent, of_one = training_times(page)
        of_others = "one network" if page.members is not None else "the winner" if page.trials is not None else ""
        note = f"{of_others} {seconds(of_one)}" if of_others else f"{seconds(spent / done)} an epoch"
        cell("seconds", f"Training time{_of_all(page)}", spent, seconds(spent), note)
    if is_number(requested) and done != requested:
        cell("epochs", "Epochs done", done, f"{done:,} of {requested:,}")
    parameters = evaluation.get("network", {}).get("parameters", record.result.get("parameters"))
    if parameters is not None:
        several = len(page.members.all) if page.members is not None and page.members.kind == "seeds" else 1
        note = None if several == 1 else f"{parameters // several:,} in each of {several} networks"
        cell("parameters", "Parameters", parameters, f"{parameters:,}", note)
    for name, rows in evaluation.get("parts", {}).items():
        cell(f"rows.{name}", f"{name.capitalize()} rows", rows, f"{rows:,}")
    return tag("dl", *cells, class_="keys")


def _of_all(page: Page) -> str:
    """Return what a training time is of, where it is of several networks."""
    if page.members is not None:
        return f", {len(page.members.all)} networks"
    return "" if page.trials is None else f", {len(page.trials.all):,} trials"


def baselines(page: Page) -> Html | None:
    """Return the network among simpler rules on the same rows, the best first."""
    evaluation = page.evaluation
    if not evaluation:
        return None
    regression = evaluation["task"] == "regression"
    score_here = evaluation["metrics"][evaluation["score"]]
    rows = [(score_here, row("this network", n(score(evaluation, score_here)), tag("td"), highlight=True))]
    for rule in evaluation["baselines"]:
        comparison = {True: "worse", False: "better", None: "undecided"}[rule["better"]]
        about = " ".join(part for part in (f"{rule['about']}.", rule["note"]) if part)
        name = join([tag("div", rule["name"]), tag("div", about, class_="sub")])
        rows.append((rule["value"], row(name, n(score(evaluation, rule["value"])), tag("td", comparison), wrap=True)))
    last = float("inf") if regression else float("-inf")
    rows.sort(key=lambda pair: pair[0] if is_number(pair[0]) else last, reverse=not regression)
    title = "mean absolute error" if regression else "right"
    note = "The linear model is fitted on the training rows, with the inputs that the network gets. “Undecided”: " + (
        "the 95 % interval of the difference of the errors, row by row, holds 0."
        if regression
        else "by McNemar's test, chance makes such a difference more often than in 5 of 100 cases."
    )
    head = [f"on {rows_of(evaluation)}", (title, "n"), "than the network"]
    return join([table(head, [made for _, made in rows]), tag("p", note, class_="about")])


def curves(page: Page) -> Html | None:
    """Return loss and score over the epochs, and the learning rate."""
    curves = page.curves
    if not curves.epochs:
        return None
    notes = [] if page.record.config.get("measure_training") else [MIDDLE]
    rates = {epoch.get("lr") for epoch in curves.epochs}
    if len(rates) == 1 and is_number(rate := next(iter(rates))):
        notes.append(f"The learning rate was {number(rate)} throughout.")
    if page.members is not None and page.members.kind == "seeds":
        notes.insert(0, population_sections.BAND)
    drawn = place(page, "loss", "score", "lr")
    return join([drawn or "", tag("p", " ".join(notes), class_="about") if notes else "", _epochs(curves)])


def _epochs(curves: Curves) -> Html:
    """Return the curves as a table; of many epochs, some."""
    count = len(curves.epochs)
    step = -(-count // EPOCHS)
    chosen = sorted({*range(0, count, step), count - 1, *(epoch - 1 for epoch in curves.marked)})
    names = [name for name in curves.epochs[0] if name != "epoch"]
    rows = []
    for i in chosen:
        measured = [(name, curves.epochs[i].get(name)) for name in names]
        cells = [n(seconds(v) if name == "seconds" else format_value(name, v)) for name, v in measured]
        rows.append(row(f"{i + 1:,}", *cells, highlight=i + 1 == curves.kept_epoch))
    head = ["epoch", *((name.replace("_", " "), "n") for name in names)]
    title = "The epochs as a table" if step == 1 else f"The epochs as a table (one of {step:,})"
    return tag("details", tag("summary", title), table(head, rows))
