"""The sections of the page in their order. Each is a function of all that is known about the run, and gives HTML, or
None if it has nothing to show."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.display.markup import Html, tag
from chainrule.report import inside_sections, outcome, population_sections, prediction_sections, run_sections
from chainrule.report.components import Page

SECTIONS: tuple[tuple[Callable[[Page], Html | None], str], ...] = (
    (outcome.verdict, ""),
    (outcome.key_figures, "Key figures"),
    (run_sections.diagnosis, "Diagnosis"),
    (outcome.baselines, "Baselines"),
    (population_sections.members, "Seeds"),
    (population_sections.folds, "Cross-validation"),
    (population_sections.search, "Search"),
    (population_sections.settings, "Score and settings"),
    (outcome.curves, "Learning curves"),
    (inside_sections.steps, "Step by step"),
    (inside_sections.flow, "Gradient flow"),
    (inside_sections.ratio, "Step size"),
    (inside_sections.activations, "Activations"),
    (inside_sections.weights, "First-layer weights"),
    (inside_sections.boundary, "Decision boundary"),
    (prediction_sections.confusion, "Confusion matrix"),
    (inside_sections.classes_by_epoch, "Classes by epoch"),
    (prediction_sections.classes, "Precision and recall"),
    (prediction_sections.calibration, "Calibration"),
    (prediction_sections.residuals, "Errors"),
    (prediction_sections.worst, "Worst rows"),
    (inside_sections.samples, "Hard, forgotten and suspect rows"),
    (run_sections.columns, "Columns"),
    (run_sections.network, "Network"),
    (inside_sections.landscape, "Loss landscape"),
    (run_sections.configuration, "Configuration"),
    (run_sections.timings, "Timings"),
    (run_sections.environment, "Environment"),
)

#: Sections that may break across pages of paper.
LONG = (
    *("classes", "members", "folds", "search", "settings", "worst", "columns", "configuration", "environment"),
    *("diagnosis", "activations", "weights", "samples"),
)


def all_sections(page: Page) -> list[tuple[str, str, Html]]:
    """(id, title, HTML) of the sections that have something to show."""
    sections = []
    for make, title in SECTIONS:
        content = make(page)
        if content is None:
            continue
        name = make.__name__.replace("_", "-")
        kind = "verdict" if not title else "long" if name in LONG else None
        label = None if title else "Verdict"
        body = tag("section", tag("h2", title) if title else None, content, id=name, class_=kind, aria_label=label)
        sections.append((name, title, body))
    return sections
