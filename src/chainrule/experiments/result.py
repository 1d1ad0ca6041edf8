"""What training gives back: the model, how it was trained, how good it is, and where all of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import metrics
from chainrule.data import Dataset
from chainrule.display.text import Text
from chainrule.experiments.data import Part, fingerprint_of
from chainrule.experiments.plan import Plan
from chainrule.experiments.settings import ExperimentSettings
from chainrule.models import Model
from chainrule.outcome import Outcome
from chainrule.runs.folder import write_result
from chainrule.training import Run


@dataclass(frozen=True, eq=False, repr=False)
class Trained:
    """A network that was trained as `chainrule train` trains one.

    Attributes
    ----------
    run : the model with its history
    plan : the settings, the data and its rows
    test : the metrics on the rows for the test; None where there are none
    folder : where the run is written; None where nothing is
    """

    run: Run
    plan: Plan
    test: Mapping[str, float] | None
    folder: Path | None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.run.model

    @property
    def settings(self) -> ExperimentSettings:
        """All settings, without gaps: what ``config.toml`` holds."""
        return self.plan.settings

    @property
    def data(self) -> Dataset:
        """The data as numbers, with its parts."""
        return self.plan.data

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured of the model in training and on validation rows."""
        return self.run.metrics

    def summary(self) -> Text:
        """Return what came of it, to print."""
        return Text(self)

    def _lines(self) -> list[str]:
        run, lines = self.run, []
        if run.stopped:
            lines.append(f"Stopped early: {run.stopped}.")
        if (name := metrics.score_in(run.metrics, "val_")) is not None:
            score = f"{metrics.base_name(name)} {metrics.format_value(name, run.metrics[name])}"
            lines.append(f"Validation {score} after epoch {run.best_epoch}, whose weights are saved.")
        return [*lines, *self._test_lines(), *self._compiled_lines()]

    def _test_lines(self) -> list[str]:
        if self.test is None or self.plan.test is None:
            return []
        return [f"Test: {format_scores(self.test)} ({len(self.plan.test.x):,} rows that it was not trained on)."]

    def _compiled_lines(self) -> list[str]:
        programs = ", ".join(f"{name} {times}" for name, times in sorted(self.run.traces.items()))
        return [f"Compiled for {self.run.engine}: {programs}."] if programs else []

    def __repr__(self) -> str:
        test = "" if self.test is None else f", test {format_scores(self.test)}"
        return f"{type(self).__name__}({self.data.name!r}{test})"

    def __str__(self) -> str:
        return "\n".join(self._lines())


def format_scores(scores: Mapping[str, float]) -> str:
    """Return metrics with their values, as people read them."""
    return ", ".join(f"{name} {metrics.format_value(name, value)}" for name, value in scores.items())


def save_result(
    folder: Path, run: Any, plan: Plan | None = None, test: Mapping[str, float] | None = None, **more: Any
) -> None:
    """Write ``result.json``: how a run ended, and the fingerprint of the rows that it was trained on.

    Without a plan, the run has come to nothing: it diverged.
    """
    rows: Part | None = None if plan is None else plan.test
    facts = {
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        "metrics": run.metrics,
        "engine": run.engine,
        "compiled": run.traces,
        "parameters": run.model.count(),
        "test": test,
        "test_rows": len(rows.x) if rows is not None and test is not None else None,
        "data": {} if plan is None else fingerprint_of(plan.training, plan.settings.data),
    }
    save_outcome(folder, run.outcome, **facts, **more)


def save_outcome(folder: Path, outcome: Outcome, **facts: Any) -> None:
    """Write ``result.json``: how a run ended, and what is known of it."""
    write_result(folder, outcome.to_dict() | facts)
