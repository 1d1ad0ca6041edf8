"""How likely each cause is, by what was found and by what came of the fixes that were tried.

P(c) ∝ prior(c) · Π P(s | c) over the symptoms · T(c).

- **P(s | c)** are counts on the development set of `bench/doctor.py`, kept in ``evidence.json`` beside
  this file (`learn_counts` makes them), with pseudo-counts: what a finding itself says it speaks for, and against. They
  are all there is where nothing was counted.
- **prior(c)** is larger where a setting is far from what is usual (`chainrule.symptoms.unusual`).
- **T(c)** is what the trials say: the share of bootstrap draws in which a fix of c is the smallest sufficient one.

Source: naive Bayes with pseudo-counts as in Manning, Raghavan and Schütze (2008), chapter 13.
"""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from chainrule.symptoms.catalogue import CAUSES, SYMPTOMS
from chainrule.symptoms.evidence import LITTLE, Cause, Finding, Proof
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.fixes import REMEDIES, fixes_for
from chainrule.symptoms.net_changes import parts
from chainrule.symptoms.pieces import is_own_code
from chainrule.symptoms.subject import Subject
from chainrule.symptoms.unusual import suspicion

__all__ = ["Trial", "learn_counts", "probabilities", "rank"]

Findings = Sequence[Finding]

#: Looks at the same thing at two moments, or from two sides: of a kind the strongest word counts, once.
KINDS = (
    ("signal", "gradient_reaches", "units"),
    ("step_size", "update_ratio", "movement"),
    ("start_cost", "scale"),
    ("labels_related", "inputs_matter"),
    ("fits_training_only", "training_below"),
)

#: Alarms that are true or not, whatever else was found: nothing downstream of them means anything.
EXACT = ("readable", "loss_direction", "samples_apart", "gradient", "rows_twice")

#: How likely an alarm, an advice, a note is where a cause that it names (as its first one, each further one
#: `FURTHER` times as much) is at fault, and where another one is.
NAMED = {"alarm": 0.9, "advice": 0.5, "note": 0.3}
UNNAMED = {"alarm": 0.03, "advice": 0.15, "note": 0.3}
FURTHER = 0.7

#: How likely a check finds nothing wrong where the cause that it speaks against is at fault, and where another one is.
MISSED, FINE = 0.15, 0.8

#: So many cases do these guesses count as beside those that were counted.
PSEUDO = 4.0

#: T of a cause whose fixes were tried and explain less than `LITTLE`; no other is smaller.
NO_EFFECT = 0.02

#: The same for a cause that was not tried, where the fix of another one takes everything away.
LEAST_UNTRIED = 0.005

#: T of a cause that is proven, at least.
PROVEN = 0.5

#: The part of a diagnosis that is about something that has no name here.
UNKNOWN = 0.5

#: Causes that are less likely are not listed, and no more than so many.
LEAST, MOST = 0.01, 8

#: Of equivalent answers, the cheaper one first; it gets this share of what both have.
CHEAPER = (("lr_low", "epochs_few"), ("patience", "overtrained", "no_validation"), ("duplicates", "overlap"))
FIRST_SHARE = 0.8

#: Faults that have no fix: that there is none does not speak against them.
WITHOUT_FIX = ("labels_unrelated", "too_little_data", "shift", "scrambled_pixels")


@dataclass(frozen=True)
class Trial:
    """What came of trying the fixes of a cause.

    Attributes
    ----------
    cause : a name of `chainrule.symptoms.catalogue.CAUSES`
    fix : the one of its fixes that helped most
    smallest : T, the share of bootstrap draws in which one of its fixes is the smallest sufficient one: reaches .8 of
        the best gain with the fewest settings changed
    explained : the share of the gap to the reference that goes away with it, below 0 where it makes things worse
    proof : what `Cause.proof` will be; None where the fix was tried and not proven
    """

    cause: str
    fix: Fix | None
    smallest: float
    explained: float
    proof: Proof | None = None

    @property
    def proven(self) -> bool:
        """Whether the cause was proven."""
        return self.proof is not None and self.proof.verdict == "proven"


def rank(
    findings: Findings,
    trials: Mapping[str, Trial] | None = None,
    subject: Subject | None = None,
    fixes: Mapping[str, Fix] | None = None,
) -> tuple[Cause, ...]:
    """Return the causes, the likeliest first, with what speaks for and against each, and its fix.

    The probabilities add up to 1 with those of causes that are not listed, or have no name here. Causes that cannot be
    at fault (dropout where there is none) are left out, equivalent answers are next to each other, the cheaper one
    first.

    Parameters
    ----------
    findings
        What was found, by checks, looks and trials.
    trials
        What came of the fixes that were tried, by cause.
    subject
        What is examined: causes that are not tried get their first fix for it.
    fixes
        Of what `fit` refuses, so that there is no subject: the fix of each cause that has one.

    Example
    -------
    >>> from chainrule.symptoms.evidence import Finding
    >>> from chainrule.symptoms.rank import rank
    >>> found = [Finding("by_heart", "alarm", "16 rows are not learnt", causes=("lr_high", "init")),
    ...          Finding("signal", "note", "the signal reaches the outputs", against=("init",))]
    >>> causes = rank(found)
    >>> causes[0].name, causes[0].evidence_for == (found[0],)
    ('lr_high', True)
    """
    trials = trials or {}
    likely = _together(probabilities(findings, trials, subject), trials)
    causes = [
        _cause(name, probability, findings, trials, subject)
        for name, probability in likely[:MOST]
        if probability >= LEAST
    ]
    return tuple(replace(each, fix=fixes[each.name]) if fixes and each.name in fixes else each for each in causes)


def probabilities(
    findings: Findings, trials: Mapping[str, Trial] | None = None, subject: Subject | None = None
) -> dict[str, float]:
    """Return how likely each cause is, the likeliest first; they add up to less than 1.

    >>> from chainrule.symptoms.evidence import Finding
    >>> from chainrule.symptoms.rank import probabilities
    >>> next(iter(probabilities([Finding("tails", "alarm", "", causes=("outliers",))])))
    'outliers'
    """
    trials = trials or {}
    counts = _counts()
    telling = _by_kind(findings)
    decided = {cause for finding in findings if is_exact(finding) for cause in finding.causes}
    sure = decided | set(trials)
    names = [name for name in CAUSES if subject is None or name in sure or can_be(name, subject, findings)]
    logs: dict[str | None, float] = {}
    for name in (*names, None):  # None: something else, beside which all others are measured
        prior = UNKNOWN if name is None else 1.0  # how often causes are planted there says nothing of real ones
        if name is not None and subject is not None:
            prior *= suspicion(name, subject) * _by_checks(name, findings)
        by_symptoms = 0.0 if name is None else sum(_of_kind(group, name, counts) for group in telling)
        logs[name] = math.log(prior) + by_symptoms + math.log(_of_trials(name, trials))
        if decided and name not in decided:
            logs[name] -= math.log(1e3)
    top = max(logs.values())
    weights = {name: math.exp(value - top) for name, value in logs.items()}
    total = sum(weights.values())
    likely = {name: weight / total for name, weight in weights.items() if name is not None}
    return dict(sorted(likely.items(), key=lambda item: -item[1]))


def is_exact(finding: Finding) -> bool:
    """Return whether a finding is an alarm that is true or not, without any chance in it."""
    return (
        finding.level == "alarm"
        and finding.symptom in EXACT
        and all(evidence.p is None for evidence in finding.evidence)
    )


def can_be(cause: str, subject: Subject, findings: Findings) -> bool:
    """Return whether a cause can be at fault in this run: there is something of its kind that could be changed."""
    if cause == "scrambled_pixels":
        return len(subject.run.model.input_shape) == 3
    if cause in ("shift", "overlap"):  # rows that are drawn at random are like the others
        alike = subject.run.prepared.validation is None or isinstance(subject.settings.validation, float | int)
        return not alike or any(cause in finding.causes for finding in findings)
    if CAUSES[cause].family == "data" and cause != "imbalance":
        return True
    alarms = (finding for finding in findings if finding.level == "alarm")
    if CAUSES[cause].family == "code" and _has_own_code(subject) and any(cause in each.causes for each in alarms):
        return True
    return bool(fixes_for(cause, subject, findings)) or (subject.run.model is subject.net and cause in REMEDIES)


def _has_own_code(subject: Subject) -> bool:
    """Return whether the loss, a layer or an activation is the user's own."""
    layers = parts(subject.run.model.net)
    return is_own_code(subject.recipe.loss) or any(part.custom or is_own_code(part.function) for part in layers)


def _by_checks(cause: str, findings: Findings) -> float:
    """Return how likely it is that the checks say nothing of a fault of the data, each of which has a check."""
    looked = any(SYMPTOMS[f.symptom].stage == "data" for f in findings if f.symptom in SYMPTOMS)
    named = any(cause in f.causes or cause in f.against for f in findings)
    return MISSED / FINE if CAUSES[cause].family == "data" and looked and not named else 1.0


# --- what findings say ----------------------------------------------------------------------------------------------


def _by_kind(findings: Findings) -> list[list[Finding]]:
    """Return the findings that say something about causes, those of one kind together, of one symptom as one."""
    one_each: dict[str, Finding] = {}
    for finding in findings:
        if not (finding.causes or finding.against) or SYMPTOMS.get(finding.symptom, None) is None:
            continue
        if SYMPTOMS[finding.symptom].stage == "trial":  # T says it
            continue
        before = one_each.get(finding.symptom)
        one_each[finding.symptom] = finding if before is None else _joined(before, finding)
    groups = {symptom: kind for kind in KINDS for symptom in kind}
    together: dict[tuple[str, ...], list[Finding]] = {}
    for symptom, finding in one_each.items():
        together.setdefault(groups.get(symptom, (symptom,)), []).append(finding)
    return list(together.values())


def _joined(first: Finding, second: Finding) -> Finding:
    """Return two findings of a symptom as one: at the higher level, for and against what either is."""
    levels = ("alarm", "advice", "note")
    if levels.index(second.level) < levels.index(first.level):
        first, second = second, first
    causes = tuple(dict.fromkeys(first.causes + second.causes))
    against = tuple(name for name in dict.fromkeys(first.against + second.against) if name not in causes)
    return Finding(first.symptom, first.level, first.text, first.where, first.evidence, causes, against)


def _of_kind(findings: Iterable[Finding], cause: str, counts: Counts) -> float:
    """Return log P(s | c) / P(s | something else) of findings of one kind: that of the one that says most."""
    ratios = [math.log(_likelihood(f, cause, counts) / _likelihood(f, None, counts)) for f in findings]
    return max(ratios, key=abs)


def _likelihood(finding: Finding, cause: str | None, counts: Counts) -> float:
    """Return P(s | c): how likely a finding is where a cause is at fault; None is a cause that has no name here."""
    if finding.causes:
        guess = UNNAMED[finding.level]
        if cause in finding.causes:
            guess = max(guess, NAMED[finding.level] * FURTHER ** finding.causes.index(cause))
    else:
        guess = MISSED if cause in finding.against else FINE
    if cause is None:
        return guess
    seen, of = counts.of(finding, cause)
    return (seen + PSEUDO * guess) / (of + PSEUDO)


def _of_trials(cause: str | None, trials: Mapping[str, Trial]) -> float:
    """Return T(c)."""
    if cause is not None and (trial := trials.get(cause)) is not None:
        if trial.proven:
            return max(trial.smallest, PROVEN)
        return max(trial.smallest, NO_EFFECT) if trial.explained >= LITTLE else NO_EFFECT
    if any(trial.proven for trial in trials.values()):
        return LEAST_UNTRIED
    best = max((trial.explained for trial in trials.values()), default=0.0)
    left = min(1.0, max(0.0, 1.0 - best))
    return max(LEAST_UNTRIED, left**2)  # where another change is enough, nothing else is at fault


# --- equivalent answers, and what belongs to a cause ----------------------------------------------------------------


def _together(likely: Mapping[str, float], trials: Mapping[str, Trial]) -> list[tuple[str, float]]:
    """Return the causes in their order, with equivalent ones next to each other, the cheaper one first."""
    shares = dict(likely)
    for group in CHEAPER:
        members = [name for name in group if shares.get(name, 0.0) >= 0.05 and _helps(name, trials)]
        if len(members) > 1:
            pool = sum(shares[name] for name in members)
            shares[members[0]] = FIRST_SHARE * pool
            for name in members[1:]:
                shares[name] = (1 - FIRST_SHARE) * pool / (len(members) - 1)
    order = sorted(shares, key=lambda name: -shares[name])
    placed: list[str] = []
    for name in order:
        if name not in placed:
            same = [other for other in order if other in CAUSES[name].same_as and shares[other] >= 0.05]
            placed += [name, *(other for other in same if other not in placed)]
    return [(name, shares[name]) for name in placed]


def _helps(cause: str, trials: Mapping[str, Trial]) -> bool:
    """Return whether a cause may be the answer as far as trials go."""
    return cause not in trials or trials[cause].explained >= 0.5


def _cause(
    name: str, probability: float, findings: Findings, trials: Mapping[str, Trial], subject: Subject | None
) -> Cause:
    """Return a cause with what speaks for it and against it, and its fix."""
    speaks_for = tuple(f for f in findings if name in f.causes)
    against = tuple(f for f in findings if name in f.against and name not in f.causes)
    where = next((f.where for f in sorted(speaks_for, key=lambda f: f.level != "alarm") if f.where), "")
    trial = trials.get(name)
    fix, proof = (None, None) if trial is None else (trial.fix, trial.proof)
    if fix is None and subject is not None:
        fix = next(iter(fixes_for(name, subject, findings)), None)
    if proof is None and any(is_exact(f) for f in speaks_for if f.causes[:1] == (name,)):
        proof = Proof("exact", "proven")
    return Cause(name, probability, speaks_for, against, where, fix, proof)


# --- counts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """What was counted on faulty runs whose cause is known: how often each cause, and what was found then."""

    causes: Mapping[str, int]
    symptoms: Mapping[str, Mapping[str, Mapping[str, int]]]

    def of(self, finding: Finding, cause: str) -> tuple[int, int]:
        """Return in how many cases with a cause a symptom said the same, and in how many it was looked at."""
        outcomes = self.symptoms.get(finding.symptom, {})
        seen = outcomes.get(outcome_of(finding), {}).get(cause, 0)
        return seen, sum(outcome.get(cause, 0) for outcome in outcomes.values())


def outcome_of(finding: Finding) -> str:
    """Return what a finding says, for the counts: its first cause with its level; "" where nothing is wrong."""
    return f"{finding.level} {finding.causes[0]}" if finding.causes else ""


def learn_counts(cases: Iterable[tuple[str, Sequence[Finding]]]) -> dict[str, Any]:
    """Return what ``evidence.json`` holds, from faulty runs.

    Parameters
    ----------
    cases : of each run the cause at fault, and what checks and looks found

    >>> from chainrule.symptoms.evidence import Finding
    >>> from chainrule.symptoms.rank import learn_counts
    >>> learn_counts([("outliers", [Finding("tails", "alarm", "", causes=("outliers",))])])
    {'causes': {'outliers': 1}, 'symptoms': {'tails': {'alarm outliers': {'outliers': 1}}}}
    """
    causes: Counter[str] = Counter()
    symptoms: dict[str, dict[str, Counter[str]]] = {}
    for cause, findings in cases:
        causes[cause] += 1
        for group in _by_kind(findings):
            for finding in group:
                outcomes = symptoms.setdefault(finding.symptom, {})
                outcomes.setdefault(outcome_of(finding), Counter())[cause] += 1
    return {
        "causes": dict(sorted(causes.items())),
        "symptoms": {
            symptom: {outcome: dict(sorted(of.items())) for outcome, of in sorted(outcomes.items())}
            for symptom, outcomes in sorted(symptoms.items())
        },
    }


@functools.cache
def _counts() -> Counts:
    plain = json.loads(resources.files("chainrule.symptoms").joinpath("evidence.json").read_text("utf-8"))
    return Counts(plain["causes"], plain["symptoms"])
