"""The diagnosis of a run by what it kept of itself: checks of its code and start, and looks, without any training."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from chainrule.models import Model
from chainrule.recipe.prepare import Prepared
from chainrule.recipe.prepared_run import PreparedRun
from chainrule.recipe.run_data import RunData
from chainrule.symptoms import code_checks
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.evidence import Finding, Stage
from chainrule.symptoms.observed import Observed
from chainrule.symptoms.rank import rank
from chainrule.symptoms.rates import version
from chainrule.symptoms.signs import ALARMING, signs
from chainrule.symptoms.start_checks import gradient_reaches, signal, start_cost
from chainrule.symptoms.subject import Subject

__all__ = ["diagnosis_of_run", "faults", "nothing_kept"]


def diagnosis_of_run(model: Model, run: Observed) -> Diagnosis:
    """Return what the code and start of a run, its history and looks at its moments tell. It never raises.

    Parameters
    ----------
    model : of the run
    run : what it kept of itself
    """
    findings: list[Finding] = []
    ran: list[Stage] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        subject = _subject(model, run)
        for name, look in (("code", functools.partial(_code, subject)), ("start", _start), ("look", signs)):
            began = time.perf_counter()
            new = _findings_of(name, functools.partial(look, run))
            # What the checks of the start have said already is said once.
            alarms = {finding.symptom for finding in findings if finding.level == "alarm"}
            findings += [finding for finding in new if finding.level != "alarm" or finding.symptom not in alarms]
            ran.append(Stage(name, time.perf_counter() - began))
        skipped = [Stage(name, 0.0, "the data of the run are not at hand") for name in ("data", "by heart")]
        skipped.append(Stage("trial", 0.0, "cr.diagnose(run, data) tries what may help"))
        alarm = any(finding.level == "alarm" for finding in findings)
        causes = rank(findings, subject=subject) if alarm else ()
    return Diagnosis(causes, tuple(findings), (*ran, *skipped), version())


def faults(run: Observed, *, start: bool = True) -> list[Finding]:
    """Return the alarms of a run that still goes on; ``start``: those of its first state, too. It never raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        findings = _findings_of("start", functools.partial(_start, run)) if start else []
        findings += _findings_of("look", functools.partial(signs, run, only=ALARMING))
    return [finding for finding in findings if finding.level == "alarm"]


def nothing_kept() -> Diagnosis:
    """Return the diagnosis of a run that kept nothing of itself, such as an ensemble, or one that was loaded."""
    finding = Finding("finite", "note", "This run kept no moments of itself, so there is nothing to look at.")
    return Diagnosis((), (finding,), (Stage("look", 0.0, "the run kept no moments of itself"),), version())


def _findings_of(name: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except Exception as error:
        symptom = {"start": "gradient_reaches", "code": "gradient"}.get(name, "finite")
        reason = f"{type(error).__name__}: {error}".strip(": ")
        return [Finding(symptom, "note", f"This could not be looked at ({name}): {reason}")]


def _code(subject: Subject | None, run: Observed) -> Iterator[Finding]:
    """Yield what the checks of the user's own code find."""
    if subject is None:
        return
    for _, check in code_checks.CHECKS:
        yield from _findings_of("code", functools.partial(check, subject))


def _start(run: Observed) -> Iterator[Finding]:
    """Yield what the checks of the start find in the first state."""
    for check in (gradient_reaches, signal, start_cost):
        look = functools.partial(check, run.recipe, run.recordings.first, run.rows)
        yield from _findings_of("start", look)


def _subject(model: Model, run: Observed) -> Subject | None:
    """Return what was trained, with the rows that were kept, for fixes to be of use for it; None where that fails."""
    rows, settings = run.recordings.rows, run.settings
    stopping: Any = settings.early_stopping
    try:
        prepared = PreparedRun(
            model=model,
            prepared=Prepared(rows, run.recordings.held_out, model.inputs, model.target),
            recipe=run.recipe,
            state=run.recordings.first,
            epochs=int(settings.epochs),
            batch_size=int(settings.batch_size),
            stopping=None if isinstance(stopping, bool) else stopping,
            order=None,
            settings=settings,
        )
        data = RunData(rows.x, rows.y, run.recordings.held_out, model.inputs)
        return Subject(model.net, settings, (rows.x, rows.y), data, prepared)
    except Exception:
        return None
