"""What went in, and how, when and where the network was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import seconds
from chainrule.report.components import Page, n, row, scroll, size, table, training_times, wide
from chainrule.runs.files import CONFIG, ENVIRONMENT, EVALUATION, METRICS, RESULT
from chainrule.symptoms.html import section
from chainrule.views.derive.missing import Missing

TASKS = {"binary": "two classes", "multilabel": "several labels at once"}


def columns(page: Page) -> Html | None:
    """Return the columns of the table, and what was done with them."""
    columns = page.evaluation.get("columns")
    if not columns:
        return None
    rows = [
        row(
            column["name"],
            tag("td", column["kind"]),
            wide(column["what"]),
            n(f"{column['missing']:,}"),
            n(f"{column['distinct']:,}"),
            wide(str(column["example"])[:60]),
            wide(column["reason"] if column["use"] else "", muted=True),
            wrap=True,
        )
        for column in columns
    ]
    head = ["column", "kind", "what is done", ("missing", "n"), ("different", "n"), "example", "why"]
    in_all = page.evaluation.get("columns_in_all", len(columns))
    return table(head, rows, f"The first {len(columns):,} of {in_all:,} columns" if in_all > len(columns) else None)


def diagnosis(page: Page) -> Html | None:
    """Return what the doctor says of the run, where it was asked."""
    return None if page.diagnosis is None else section(page.diagnosis)


def network(page: Page) -> Html | None:
    """Return the layers, and the graph of what is connected to what."""
    graph = page.inside.get("network")
    figures = [] if isinstance(graph, Missing | None) else [figure.html() for figure in graph]
    parts = [*([layers(page.evaluation["network"])] if page.evaluation.get("network") else []), *figures]
    return join(parts) if parts else None


def layers(network: Mapping[str, Any]) -> Html:
    """Return the layers as a table."""
    rows = [row("input", tag("td"), n(size(network["input"])), tag("td"))]
    for layer in network["layers"]:
        count = f"{layer['parameters']:,}" if layer["parameters"] else ""
        rows.append(row(layer["name"], wide(tag("code", layer["recipe"])), n(size(layer["shape"])), n(count)))
    parameters = n(f"{network['parameters']:,}")
    rows.append(row("in all", tag("td", network["precision"]), tag("td"), parameters, highlight=True))
    return table(["layer", "recipe", ("output", "n"), ("parameters", "n")], rows)


def configuration(page: Page) -> Html:
    """Return the settings, as they are in config.toml."""
    folded = tag(
        "details",
        tag("summary", CONFIG if page.record.config else "Loss and optimizer"),
        scroll(tag("pre", page.config)),
    )
    if "data" not in page.record.config:
        return folded
    again = tag("code", f"chainrule train --config {page.record.path / CONFIG}")
    return join([folded, tag("p", "The same run again: ", again, class_="about")])


def timings(page: Page) -> Html | None:
    """Return where the time went."""
    spent = [s for s in page.curves.column("seconds") if s == s]
    if not spent:
        return None
    engine = page.evaluation.get("engine") or page.record.result.get("engine")
    in_all, of_one = training_times(page)
    times = [("training, all epochs", of_one)]
    if page.members is not None or page.trials is not None:
        each = "of the winner" if page.trials is not None else "of one network, on average"
        times = [("training of all networks", in_all), (f"training {each}", of_one)]
    times.append(("first epoch, compiling included" if engine == "jax" else "first epoch", spent[0]))
    if len(spent) > 1:
        times.append(("each further epoch, median", sorted(spent[1:])[len(spent[1:]) // 2]))
    extra = page.evaluation.get("timings", {})
    named = (("baselines", "fitting the simpler rules"), ("judging", "judging"))
    times += [(name, extra[key]) for key, name in named if key in extra]
    rows = [row(name, n(seconds(value))) for name, value in times]
    return table([f"engine: {engine}" if engine else "", ("time", "n")], rows)


def environment(page: Page) -> Html | None:
    """Return versions and machine."""
    environment = page.record.environment
    if not environment:
        return None
    packages = environment.get("packages")
    rows = [(key, value) for key, value in environment.items() if key != "packages"]
    rows += packages.items() if isinstance(packages, Mapping) else ()
    cells = [row(key, wide(str(value))) for key, value in rows]
    return tag("details", tag("summary", "Versions and machine"), table([], cells))


def header(page: Page, sections: Sequence[tuple[str, str, Html]]) -> Html:
    """Return the name of the run, what it was made from, and where to find what."""
    record, task = page.record, page.evaluation.get("task")
    parts = [str(record.config.get("data", "started in Python")), *([TASKS.get(task, task)] if task else [])]
    if isinstance(started := record.environment.get("started"), str):
        parts.append(_clock(started))
    links = [tag("a", title, href=f"#{name}") for name, title, _ in sections if name != "verdict"]
    return join(
        [
            tag("h1", f"Run {record.path.resolve().name}"),
            tag("p", " · ".join(parts), class_="about"),
            tag("nav", *links, aria_label="Sections"),
        ]
    )


def _clock(started: str) -> str:
    try:
        return f"{datetime.fromisoformat(started).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return started


def footer(page: Page) -> Html:
    """Return where all of this comes from."""
    packages = page.record.environment.get("packages")
    version = packages.get("chainrule", "") if isinstance(packages, Mapping) else ""
    files = [CONFIG, METRICS, RESULT, EVALUATION, ENVIRONMENT]
    there = [name for name in files if (page.record.path / name).exists()]
    source = f"the files beside this page: {', '.join(there)}" if there else "a run in memory"
    text = f"Written by chainrule {version} from {source}."
    return tag("p", f"{text} It needs no network.")
