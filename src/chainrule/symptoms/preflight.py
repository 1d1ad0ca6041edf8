"""Checks before training: data, code, start, and sixteen rows by heart, as the lectures' way of working has them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import DoctorError, KeywordError
from chainrule.fields import passes_settings, values_of
from chainrule.run_settings import FitSettings, TrainingSettings
from chainrule.symptoms import by_heart, code_checks, data_checks, start_checks
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.evidence import Finding, Stage
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.rank import rank
from chainrule.symptoms.rates import version
from chainrule.symptoms.refusal import refusal
from chainrule.symptoms.refused_fixes import refused_fixes
from chainrule.symptoms.subject import Subject, subject_of

__all__ = ["Examination", "examine", "preflight", "refuse_faults"]

Check = Callable[[Subject], Iterable[Finding]]

#: The stages in their order, with their checks by symptom.
STAGES: tuple[tuple[str, tuple[tuple[str, Check], ...]], ...] = (
    ("data", data_checks.CHECKS),
    ("code", code_checks.CHECKS),
    ("start", start_checks.CHECKS),
    ("by heart", by_heart.CHECKS),
)

#: Alarms for which ``fit(doctor="check")`` does not begin: these runs would learn nothing, or something else.
REFUSED = ("readable", "loss_direction", "samples_apart", "gradient", "gradient_reaches")

#: Exact alarms after which nothing that comes later means anything.
ENDS = ("readable", "loss_direction", "samples_apart", "gradient")


@dataclass(frozen=True, eq=False)
class Examination:
    """What the checks before training came to.

    Attributes
    ----------
    subject : what was examined, None where `fit` refuses it
    findings, ran : as in a `Diagnosis`
    ended : whether an exact fault was found after which nothing that comes later means anything
    fixes : of what `fit` refuses, the fix of each cause that has one
    """

    subject: Subject | None
    findings: tuple[Finding, ...]
    ran: tuple[Stage, ...]
    ended: bool
    fixes: Mapping[str, Fix] = field(default_factory=dict)


@passes_settings(FitSettings, without=("out", "resume", "config"))
def preflight(net: Any, data: Any, **settings: Any) -> Diagnosis:
    """Check data, code and start of a run before training, and whether it learns sixteen rows by heart.

    The order is that of lecture 003's way of working: are the data what they should be (`labels_related`, `one_column`,
    `rows_twice` …); do loss, layers and gradients of one's own do what they should (exact: a fault ends the
    examination); does the gradient reach every weight and the signal every layer; are 16 rows learnt by heart. Nothing
    is changed, nothing is drawn at random, and rows of a test are never touched. It takes a second or two.

    Parameters
    ----------
    net
        A layer, a model to go on with, or a function of the data that makes a layer.
    data
        As `fit` takes it. Of many rows, and of a stream, 5,000 are looked at.
    settings
        Those of `fit`: {names}.

    Returns
    -------
    Diagnosis
        ``alarm``, ``causes``, ``findings`` with their figures, ``ran`` with the seconds of each stage. Data and
        settings that `fit` refuses are a finding ("readable"), not an error.

    Raises
    ------
    KeywordError
        For settings that `fit` does not have.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.symptoms.preflight import preflight
    >>> iris = cr.data.load("iris")
    >>> diagnosis = preflight(cr.mlp([4, 8, 3], init="zeros"), iris, epochs=30)
    >>> diagnosis.alarm, diagnosis.causes[0].name
    (True, 'init')
    """
    try:
        training = TrainingSettings(**values_of(TrainingSettings, FitSettings(**settings)))
    except KeywordError:
        raise
    except Exception as error:
        return _refused(refusal(error))
    return diagnosis_of(examine(net, data, training))


def examine(net: Any, data: Any, settings: TrainingSettings) -> Examination:
    """Run the checks, stage after stage; an exact fault of the code ends them."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            subject = subject_of(net, data, settings)
        except Exception as error:
            ran = Stage("data", time.perf_counter() - began)
            others = [Stage(name, 0.0, "the data and settings cannot be used") for name, _ in STAGES[1:]]
            finding = refusal(error)
            fixes = refused_fixes(finding.causes, net, data, settings)
            return Examination(None, (finding,), (ran, *others), True, fixes)
        findings: list[Finding] = []
        stages: list[Stage] = []
        ended = ""
        for name, checks in STAGES:
            if ended:
                stages.append(Stage(name, 0.0, ended))
                continue
            findings += _stage(subject, checks)
            stages.append(Stage(name, time.perf_counter() - began))
            began = time.perf_counter()
            fault = any(finding.level == "alarm" and finding.symptom in ENDS for finding in findings)
            if fault:
                ended = f"a fault of the {name} makes it meaningless"
    return Examination(subject, tuple(findings), tuple(stages), bool(ended))


def _stage(subject: Subject, checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """Yield what the checks of a stage find; one that fails is told, and ends nothing but itself."""
    for symptom, check in checks:
        try:
            with np.errstate(all="ignore"):
                findings = list(check(subject))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".strip(": ")
            yield Finding(symptom, "note", f"Could not be checked ({symptom}): {reason}")
            continue
        yield from findings
        if any(finding.level == "alarm" and finding.symptom in ENDS for finding in findings):
            return


def diagnosis_of(examination: Examination) -> Diagnosis:
    """Return what an examination comes to."""
    alarm = any(finding.level == "alarm" and finding.causes for finding in examination.findings)
    causes = rank(examination.findings, None, examination.subject, examination.fixes) if alarm else ()
    return Diagnosis(causes, examination.findings, examination.ran, version())


def refuse_faults(net: Any, data: Any, settings: FitSettings) -> Diagnosis:
    """Return what the checks before training find; raises `DoctorError` for a fault that is exact.

    What `fit` itself refuses is left to its own error, which says more.
    """
    examination = examine(net, data, TrainingSettings(**values_of(TrainingSettings, settings)))
    diagnosis = diagnosis_of(examination)
    faults = [finding for finding in diagnosis.findings if finding.level == "alarm" and finding.symptom in REFUSED]
    if faults and examination.subject is not None:
        texts = " ".join(finding.text for finding in faults)
        raise DoctorError(
            f'A check before training has found a fault. {texts} (doctor="off" trains.)', diagnosis=diagnosis
        )
    return diagnosis


def _refused(finding: Finding) -> Diagnosis:
    stages = [Stage(name, 0.0, "the data and settings cannot be used") for name, _ in STAGES]
    return diagnosis_of(Examination(None, (finding,), tuple(stages), True))
