"""The sections about several networks: the members of a run, its folds, the trials of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import is_number
from chainrule.metrics import find, format_value, label_of
from chainrule.report import population_figures
from chainrule.report.components import Page, n, place, row, table, wide
from chainrule.report.findings import Finding
from chainrule.runs.members import Members, diverged
from chainrule.runs.trials import Trials, at_the_edge, format_setting

#: Rows of the leaderboard that are shown, and those that are folded away.
LEADERS, MOST_LEADERS = 10, 500

#: Of more networks, the table is folded away.
MOST_MEMBERS = 32


def findings(page: Page) -> list[Finding]:
    """Return what there is to say before anything else where several networks were trained."""
    findings = []
    if page.members is not None:
        findings += _of_members(page.members)
    if page.trials is not None:
        findings += _of_search(page.trials)
    return findings


def _of_members(members: Members) -> list[Finding]:
    summary = members.summary(members.metric).format(find(members.metric))
    lost = sum(map(diverged, members.all))
    if members.kind == "folds":
        folds = len({member["fold"] for member in members.all})
        sentences = [
            Finding(
                f"{folds}-fold cross-validation:",
                f"{find(members.metric).label} {summary}, each network on rows it has not seen.",
            )
        ]
    else:
        sentences = [Finding(f"Over {len(members.all)} seeds:", f"{label_of(members.metric)} {summary}.")]
        tested = f"test_{members.score}"
        if any(is_number(member["scores"].get(tested)) for member in members.all):
            sentences.append(
                Finding(
                    "On the test rows:",
                    f"{find(tested).label} of one network {members.summary(tested).format(find(tested))}.",
                )
            )
    if model := members.facts.get("model"):
        sentences.append(Finding("The model:", f"{model}."))
    if gain := members.facts.get("gain"):
        sentences.append(Finding("Gain on the test rows:", f"{gain}."))
    if lost:
        who = "1 network" if lost == 1 else f"{lost} networks"
        sentences.append(Finding("Diverged:", f"{who} of {len(members.all)} became infinite or undefined.", "bad"))
    return sentences


def _of_search(search: Trials) -> list[Finding]:
    if not search.ranked:
        return [Finding("No trial succeeded.", "", "bad")]
    best = search.ranked[0]
    value = f"{label_of(search.metric)} {format_value(search.metric, best['score'])}"
    settings = ", ".join(
        f"{axis.name} {format_setting(best['params'][axis.name])}"
        for axis in search.axes
        if best["params"].get(axis.name) is not None
    )
    sentences = [
        Finding(
            f"Best of {len(search.all):,} trials:",
            f"trial {best['number']}, {value}, with {settings}.",
        )
    ]
    if search_gap := search.facts.get("verdict"):
        sentences.append(Finding("Validation and test:", str(search_gap)))
    sentences += [Finding("Edge of the space:", text) for text in at_the_edge(search)]
    sentences += [Finding("Warning:", str(note), "bad") for note in search.facts.get("notes", ())]
    return sentences


def members(page: Page) -> Html | None:
    """Return the networks of a run with several seeds."""
    members = page.members
    if members is None or members.kind != "seeds":
        return None
    return join([place(page, "scores") or "", _members_table(members)])


def folds(page: Page) -> Html | None:
    """Return the networks of a cross-validation."""
    members = page.members
    if members is None or members.kind != "folds":
        return None
    about = (
        "Each network was trained without the rows of its fold and judged on them; what is learnt from data (scaling, "
        "the columns of a table) was learnt anew in each. Mean, deviation and interval are those of the folds; the "
        "interval allows for the training rows that folds share (Nadeau and Bengio, 2003)."
    )
    curves = place(page, "members-loss", "members-score")
    drawn = tag("p", BAND, class_="about")
    return join(
        [place(page, "scores") or "", tag("p", about, class_="about"), _members_table(members)]
        + ([curves, drawn] if curves else [])
    )


#: What a band is, in words.
BAND = (
    "The line is the mean of the networks, the band goes from the lowest to the highest. Epochs that fewer than half "
    "of them have reached are left out, and so are networks that diverged."
)


def _members_table(members: Members) -> Html:
    names = list(dict.fromkeys(name for member in members.all for name in member["scores"]))
    first = [members.metric, f"test_{members.score}", "val_loss", "test_loss"]
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    rows = []
    ended = any(member.get("reason") for member in members.all)
    for member in members.all:
        cells = [n(format_value(name, member["scores"].get(name))) for name in names]
        epochs = (
            f"{member['best_epoch']:,} of {member['epochs']:,}" if member.get("best_epoch") else f"{member['epochs']:,}"
        )
        ending = str(member.get("reason") or "").partition(" (")[0]
        reason = [tag("td", ending, class_="muted line")] if ended else []
        rows.append(row(population_figures.name_of(member), *cells, n(epochs), *reason))
    summaries = [members.summary(name) for name in names]
    summaries_of = list(zip(names, summaries, strict=True))
    means = [format_value(name, summary.mean) for name, summary in summaries_of]
    spreads = ["" if summary.n < 2 else find(name).format_spread(summary.std) for name, summary in summaries_of]
    rest = [n(""), *([tag("td")] if ended else [])]
    summed = [row("mean", *map(n, means), *rest, highlight=True), row("deviation", *map(n, spreads), *rest)]
    head = ["network", *((label_of(name), "n") for name in names), ("epoch", "n"), *(["ended by"] if ended else [])]
    if len(rows) <= MOST_MEMBERS:
        return table(head, [*rows, *summed])
    folded = tag("details", tag("summary", f"All {len(rows):,} networks"), table(head, rows))
    return join([table(head, summed), folded])


def search(page: Page) -> Html | None:
    """Return how the search went on, and its best trials."""
    trials = page.trials
    if trials is None:
        return None
    how = tag("p", str(trials.facts.get("how", "")), class_="about")
    if not trials.ranked:
        return how
    return join(
        [
            _leaders(trials, trials.ranked[:LEADERS]),
            tag(
                "details",
                tag("summary", f"All {len(trials.all):,} trials"),
                _leaders(trials, [*trials.ranked, *trials.failed][:MOST_LEADERS]),
            )
            if len(trials.all) > LEADERS
            else "",
            how,
            place(page, "progress", "trials") or "",
        ]
    )


def _leaders(search: Trials, trials: list[Mapping[str, Any]]) -> Html:
    rows = []
    ranks = {trial["number"]: rank for group in search.budgets.values() for rank, trial in enumerate(group, 1)}
    for i, trial in enumerate(trials):
        params = [
            wide(format_setting(v)) if axis.choices else n(format_setting(v))
            for axis in search.axes
            for v in (trial["params"].get(axis.name),)
        ]
        score = trial.get("score")
        result = format_value(search.metric, score) if is_number(score) else str(trial.get("state"))
        cells = (n(str(trial["number"])), n(result), *params, n(str(trial["epochs"])))
        rows.append(row(str(ranks.get(trial["number"], "")), *cells, highlight=i == 0))
    head = [
        "rank" if len(search.budgets) == 1 else "rank at its epochs",
        ("trial", "n"),
        (label_of(search.metric), "n"),
        *((a.name, None if a.choices else "n") for a in search.axes),
        ("epochs", "n"),
    ]
    return table(head, rows)


def settings(page: Page) -> Html | None:
    """Return the score against each setting that was searched."""
    trials = page.trials
    if trials is None or not trials.ranked:
        return None
    names = [f"against-{i}" for i in range(len(trials.axes))]
    about = (
        "The large point is the best trial. Blue are the best tenth, and paler the best third. Values of choices are "
        "drawn a little aside, so that trials do not hide each other."
    )
    return join([place(page, "parallel", *names) or "", tag("p", about, class_="about")])
