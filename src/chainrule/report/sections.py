"""The sections of the page in their order. Each is a function of all that is known about the run, and gives HTML, or
None if it has nothing to show."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.report import outcome
from chainrule.report import population_sections as many
from chainrule.report import prediction_sections as answers
from chainrule.report import run_sections as circumstances
from chainrule.report.components import Page
from chainrule.report.markup import Html, tag

SECTIONS: tuple[tuple[Callable[[Page], Html | None], str], ...] = (
    (outcome.verdict, ""),
    (outcome.key_figures, "Key figures"),
    (outcome.baselines, "Beside simpler rules"),
    (many.members, "The networks of all seeds"),
    (many.folds, "Cross-validation"),
    (many.search, "The search"),
    (many.settings, "Score and settings"),
    (outcome.curves, "Learning curves"),
    (answers.confusion, "What was taken for what"),
    (answers.classes, "Class by class"),
    (answers.calibration, "Are its probabilities true?"),
    (answers.residuals, "Errors"),
    (answers.worst, "Worst rows"),
    (circumstances.columns, "Columns"),
    (circumstances.network, "Network"),
    (circumstances.configuration, "Configuration"),
    (circumstances.timings, "Timings"),
    (circumstances.environment, "Environment"),
)

#: Sections that may break across pages of paper.
LONG = ("classes", "members", "folds", "search", "settings", "worst", "columns", "configuration", "environment")


def all_sections(page: Page) -> list[tuple[str, str, Html]]:
    """(id, title, HTML) of the sections that have something to show."""
    found = []
    for make, title in SECTIONS:
        made = make(page)
        if made is None:
            continue
        name = make.__name__.replace("_", "-")
        kind = "verdict" if not title else "long" if name in LONG else None
        label = None if title else "Verdict"
        body = tag("section", tag("h2", title) if title else None, made, id=name, class_=kind, aria_label=label)
        found.append((name, title, body))
    return found
