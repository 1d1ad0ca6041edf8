"""The sections about several networks: the members of a run, its folds, the trials of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.display.numbers import is_number
from chainrule.metrics import find, format_value, label_of
from chainrule.report import population_figures as bands
from chainrule.report import search_figures as landscape
from chainrule.report.components import Page, n, place, row, table, wide
from chainrule.report.findings import Finding
from chainrule.report.markup import Html, join, tag
from chainrule.runs.members import Members, diverged
from chainrule.runs.trials import Trials, at_the_edge, shown

#: Rows of the leaderboard that are shown, and those that are folded away.
LEADERS, MOST_LEADERS = 10, 500

#: Of more networks, the table is folded away.
MOST_MEMBERS = 32


def findings(page: Page) -> list[Finding]:
    """Return what there is to say before anything else where several networks were trained."""
    found = []
    if page.members is not None:
        found += _of_members(page.members)
    if page.trials is not None:
        found += _of_search(page.trials)
    return found


def _of_members(found: Members) -> list[Finding]:
    told = found.summary(found.metric).format(find(found.metric))
    lost = sum(map(diverged, found.all))
    if found.kind == "folds":
        folds = len({member["fold"] for member in found.all})
        made = [
            Finding(
                f"{folds}-fold cross-validation:",
                f"{find(found.metric).label} {told}, each network on rows it has not seen.",
            )
        ]
    else:
        made = [Finding(f"Over {len(found.all)} seeds:", f"{label_of(found.metric)} {told}.")]
        tested = f"test_{found.score}"
        if any(is_number(member["scores"].get(tested)) for member in found.all):
            made.append(
                Finding(
                    "On the test rows:",
                    f"{find(tested).label} of one network {found.summary(tested).format(find(tested))}.",
                )
            )
    if model := found.facts.get("model"):
        made.append(Finding("The model:", f"{model}."))
    if gain := found.facts.get("gain"):
        made.append(Finding("Gain on the test rows:", f"{gain}."))
    if lost:
        who = "1 network" if lost == 1 else f"{lost} networks"
        made.append(Finding("Diverged:", f"{who} of {len(found.all)} became infinite or undefined.", "bad"))
    return made


def _of_search(found: Trials) -> list[Finding]:
    if not found.ranked:
        return [Finding("No trial succeeded.", "", "bad")]
    best = found.ranked[0]
    value = f"{label_of(found.metric)} {format_value(found.metric, best['score'])}"
    settings = ", ".join(
        f"{axis.name} {shown(best['params'][axis.name])}"
        for axis in found.axes
        if best["params"].get(axis.name) is not None
    )
    made = [
        Finding(
            f"Best of {len(found.all):,} trials:",
            f"trial {best['number']}, {value}, with {settings}.",
        )
    ]
    if verdict := found.facts.get("verdict"):
        made.append(Finding("Validation and test:", str(verdict)))
    made += [Finding("Edge of the space:", text) for text in at_the_edge(found)]
    made += [Finding("Warning:", str(note), "bad") for note in found.facts.get("notes", ())]
    return made


def members(page: Page) -> Html | None:
    """Return the networks of a run with several seeds."""
    found = page.members
    if found is None or found.kind != "seeds":
        return None
    return join([_scores(found, "Score of each seed"), _members_table(found)])


def folds(page: Page) -> Html | None:
    """Return the networks of a cross-validation."""
    found = page.members
    if found is None or found.kind != "folds":
        return None
    about = (
        "Each network was trained without the rows of its fold and judged on them; what is learnt from data (scaling, "
        "the columns of a table) was learnt anew in each. Mean, deviation and interval are those of the folds; the "
        "interval allows for the training rows that folds share (Nadeau and Bengio, 2003)."
    )
    curves = [
        place(
            name,
            f"{label_of(column).capitalize()} of the folds",
            bands.curve_in_words(found, column),
            log=column == "loss",
        )
        for name, column in (("members-loss", "loss"), ("members-score", found.score))
        if name in page.figures and column is not None
    ]
    drawn = tag("p", BAND, class_="about")
    return join(
        [_scores(found, "Score of each fold"), tag("p", about, class_="about"), _members_table(found)]
        + ([tag("div", *curves, class_="two"), drawn] if curves else [])
    )


#: What a band is, in words.
BAND = (
    "The line is the mean of the networks, the band goes from the lowest to the highest. Epochs that fewer than half "
    "of them have reached are left out, and so are networks that diverged."
)


def _scores(found: Members, title: str) -> Html:
    told = found.summary(found.metric).format(find(found.metric))
    figure = place("scores", title, bands.scores_in_words(found, found.metric))
    text = f"{label_of(found.metric).capitalize()}: {told}. The dashed line is the mean, the band its interval."
    return join([tag("div", figure, class_="half"), tag("p", text, class_="about")])


def _members_table(found: Members) -> Html:
    names = list(dict.fromkeys(name for member in found.all for name in member["scores"]))
    first = [found.metric, f"test_{found.score}", "val_loss", "test_loss"]
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    rows = []
    ended = any(member.get("reason") for member in found.all)
    for member in found.all:
        cells = [n(format_value(name, member["scores"].get(name))) for name in names]
        epochs = (
            f"{member['best_epoch']:,} of {member['epochs']:,}" if member.get("best_epoch") else f"{member['epochs']:,}"
        )
        ending = str(member.get("reason") or "").partition(" (")[0]
        reason = [tag("td", ending, class_="muted line")] if ended else []
        rows.append(row(bands.name_of(member), *cells, n(epochs), *reason))
    told = [found.summary(name) for name in names]
    means = [format_value(name, one.mean) for name, one in zip(names, told, strict=True)]
    spreads = ["" if one.n < 2 else find(name).format_spread(one.std) for name, one in zip(names, told, strict=True)]
    rest = [n(""), *([tag("td")] if ended else [])]
    summed = [row("mean", *map(n, means), *rest, own=True), row("deviation", *map(n, spreads), *rest)]
    head = ["network", *((label_of(name), "n") for name in names), ("epoch", "n"), *(["ended by"] if ended else [])]
    if len(rows) <= MOST_MEMBERS:
        return table(head, [*rows, *summed])
    folded = tag("details", tag("summary", f"All {len(rows):,} networks"), table(head, rows))
    return join([table(head, summed), folded])


def search(page: Page) -> Html | None:
    """Return how the search went on, and its best trials."""
    found = page.trials
    if found is None:
        return None
    how = tag("p", str(found.facts.get("how", "")), class_="about")
    if not found.ranked:
        return how
    low, high = found.window(found.ranked)
    outside = sum(not low <= trial["score"] <= high for trial in found.ranked)
    notes = [f"{outside:,} trials far from the others stand at the edge, as triangles."] if outside else []
    if found.failed:
        notes.append(f"{len(found.failed):,} trials that diverged are crosses at the foot.")
    figures = [place("progress", "Score of each trial", landscape.in_words(found))]
    if "trials" in page.figures:
        figures.append(place("trials", "Learning curves of the trials", "The score of each trial over its epochs."))
    return join(
        [
            _leaders(found, found.ranked[:LEADERS]),
            tag(
                "details",
                tag("summary", f"All {len(found.all):,} trials"),
                _leaders(found, [*found.ranked, *found.failed][:MOST_LEADERS]),
            )
            if len(found.all) > LEADERS
            else "",
            how,
            tag("div", *figures, class_="two"),
            tag("p", " ".join(notes), class_="about") if notes else "",
        ]
    )


def _leaders(found: Trials, trials: list[Mapping[str, Any]]) -> Html:
    rows = []
    for place_of, trial in enumerate(trials, 1):
        params = [
            wide(shown(v)) if axis.choices else n(shown(v))
            for axis in found.axes
            for v in (trial["params"].get(axis.name),)
        ]
        score = format_value(found.metric, trial["score"]) if is_number(trial.get("score")) else str(trial.get("state"))
        rows.append(
            row(f"{place_of}", n(str(trial["number"])), n(score), *params, n(str(trial["epochs"])), own=place_of == 1)
        )
    head = [
        "",
        ("trial", "n"),
        (label_of(found.metric), "n"),
        *((a.name, None if a.choices else "n") for a in found.axes),
        ("epochs", "n"),
    ]
    return table(head, rows)


def settings(page: Page) -> Html | None:
    """Return the score against each setting that was searched."""
    found = page.trials
    if found is None or not found.ranked:
        return None
    parts = []
    if "parallel" in page.figures:
        text = f"One line for each trial, from its settings down to its score: {landscape.in_words(found)}"
        height = landscape.ROW * (len(found.axes) + 1) + 56
        parts.append(place("parallel", "All settings at once", text, height=height))
    figures = [
        place(name, f"Against {axis.name}", f"The score of each trial against its {axis.name}.")
        for i, axis in enumerate(found.axes)
        if (name := f"against-{i}") in page.figures
    ]
    about = (
        "The large point is the best trial. Blue are the best tenth, and paler the best third. Values of choices are "
        "drawn a little aside, so that trials do not hide each other."
    )
    return join([*parts, tag("div", *figures, class_="two"), tag("p", about, class_="about")])
