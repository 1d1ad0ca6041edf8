"""What a diagnosis is made of: evidence, findings, causes with their fixes and proofs, and the stages that ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chainrule.statistics import Difference, Summary
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.plain import Plain

__all__ = ["LITTLE", "Cause", "Evidence", "Finding", "Proof", "Stage"]

#: A change that explains less of the gap to the reference has no effect to speak of.
LITTLE = 0.2


@dataclass(frozen=True)
class Evidence(Plain):
    """A figure, and what it was compared with.

    Attributes
    ----------
    name : what was measured, in words
    value : the figure
    low, high : the range in which it lies on this very problem where nothing is wrong; None where there is none
    p : how likely a figure so far from that is by chance; None for what is exact
    unit : of the figure
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Finding(Plain):
    """What a check, a look or a trial has shown, as a sentence with its figures.

    Attributes
    ----------
    symptom : what was looked at: a name of `chainrule.symptoms.catalogue.SYMPTOMS`
    level : "alarm" (something is at fault), "advice" (worth doing) or "note" (for information)
    text : the sentence: what was measured, and what it was compared with
    where : layer, column, setting or rows
    evidence : the figures
    causes, against : names of the causes that it speaks for, the likeliest first, and of those that it speaks against
    """

    symptom: str
    level: str
    text: str
    where: str = ""
    evidence: tuple[Evidence, ...] = ()
    causes: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    parts: ClassVar[Mapping[str, type]] = {"evidence": Evidence}

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


@dataclass(frozen=True)
class Proof(Plain):
    """Whether a change takes the fault away, against the untouched run and against a change drawn at random.

    Attributes
    ----------
    kind : "trial", "exact" (a check that is true or not) or "permutation"
    verdict : "proven", "helps", "no effect", "harmful" or "not tried"
    why : of "not tried", the reason
    control, fixed, random : the error of the untouched run, with the fix, with fixes drawn at random
    effect, over_random : log(error of control / error with the fix), and log(error with random fixes / error with the
        fix), paired
    explained : the share of the gap to the reference that goes away
    metric : what the errors are of: "accuracy" (the error is 1 − accuracy), "mae" …
    folds, seeds, epochs : how it was tried
    p : of the effect, corrected for all that were proven (Holm)
    """

    kind: str
    verdict: str
    why: str = ""
    control: Summary | None = None
    fixed: Summary | None = None
    random: Summary | None = None
    effect: Difference | None = None
    over_random: Difference | None = None
    explained: float | None = None
    metric: str = ""
    folds: int = 0
    seeds: int = 0
    epochs: int = 0
    p: float | None = None

    parts: ClassVar[Mapping[str, type]] = {
        **dict.fromkeys(("control", "fixed", "random"), Summary),
        **dict.fromkeys(("effect", "over_random"), Difference),
    }


@dataclass(frozen=True)
class Cause(Plain):
    """Why a run does not learn, with how likely that is.

    Attributes
    ----------
    name : a name of `chainrule.symptoms.catalogue.CAUSES`
    probability : among all causes, by what was found and tried
    evidence_for, evidence_against : the findings that speak for it and against it
    where : layer, column, setting or rows
    fix : what takes it away; None where nothing does
    proof : whether that was tried, and what came of it
    """

    name: str
    probability: float
    evidence_for: tuple[Finding, ...] = ()
    evidence_against: tuple[Finding, ...] = ()
    where: str = ""
    fix: Fix | None = None
    proof: Proof | None = None

    parts: ClassVar[Mapping[str, type]] = {
        "evidence_for": Finding,
        "evidence_against": Finding,
        "fix": Fix,
        "proof": Proof,
    }


@dataclass(frozen=True)
class Stage(Plain):
    """A part of an examination: what it took, and what was left out and why."""

    name: str
    seconds: float
    skipped: str = ""
