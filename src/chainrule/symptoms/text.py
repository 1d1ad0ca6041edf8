"""A diagnosis in words, for the terminal: one screen.

First what is wrong, why, how that is proven, and what to change; then what else may be at fault, what was checked and
is fine, advice, what was not tried and why, and how often such an alarm is false. Everything that may come from data is
escaped, and no line is longer than `WIDTH`.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chainrule.display.lines import printable
from chainrule.display.numbers import number, percent, seconds
from chainrule.metrics import METRICS
from chainrule.symptoms.answer import Answer
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.evidence import LITTLE, Cause, Evidence, Finding, Proof
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.rates import rate_of

__all__ = [
    "FINE",
    "WIDTH",
    "command_of",
    "error_in_words",
    "fine",
    "format_diagnosis",
    "headline",
    "how_often_false",
    "in_words",
    "is_fraction",
    "measured",
    "next_test",
    "not_tried",
    "proof_in_words",
    "sentence",
    "tried_in_vain",
    "why",
    "wrapped",
]

#: The longest line.
WIDTH = 100

#: How many of the checks that found nothing wrong are named on the screen.
FINE = 4

#: Those that are named first.
FIRST = ("recipe", "by_heart", "gradient", "loss_direction", "signal")

#: Where the texts of the lines "why", "proof" … begin.
MARGIN = 11

#: What came of a trial, in words.
VERDICTS = {"proven": "Proven", "helps": "It helps", "no effect": "No certain effect", "harmful": "It harms"}

#: The symptom of findings about changes that were tried, or not.
TRIAL = "trial"

#: How findings begin of checks that have failed themselves: they say nothing of the run.
FAILED = "Could not be "

#: Causes less likely than this are not named beside the first.
UNLIKELY = 0.05


def format_diagnosis(answer: Answer, *, everything: bool = False) -> str:
    """Return a diagnosis as lines of text; ``everything``: also each check that found nothing, and the time it took."""
    lines = [_first_line(answer)]
    if answer.alarm:
        lines += _of_the_causes(answer, everything)
    lines += _of_the_checks(answer, everything)
    return "\n".join(lines)


def headline(answer: Answer) -> str:
    """Return the answer in a sentence.

    >>> from chainrule.symptoms.answer import Answer
    >>> headline(Answer((), (), ()))
    'Nothing could be examined.'
    """
    if not answer.alarm:
        return "Nothing wrong was found." if answer.findings else "Nothing could be examined."
    if not answer.causes:
        return f"Something is wrong with this run: {_alarms(answer.findings)[0].text}"
    if answer.undetermined:
        return "Something is wrong with this run, and no cause is likelier than all others together."
    cause = answer.causes[0]
    text = f"Something is wrong with this run: {in_words(cause)}"
    figures = (evidence for finding in _alarms(cause.evidence_for) for evidence in finding.evidence)
    figure = next((measured(each, p_value=False) for each in figures if _can_be_read(each.value)), "")
    return f"{text}; {figure}." if figure else f"{text}."


def _can_be_read(value: float | None) -> bool:
    return value is not None and abs(value) < 1e9  # beyond that it stands for a run that has diverged


def in_words(cause: Cause) -> str:
    """Return a cause in words, with where it is."""
    kind = CAUSES.get(cause.name)
    return (kind.text if kind else cause.name) + (f" ({cause.where})" if cause.where else "")


def why(answer: Answer) -> list[str]:
    """Return what speaks for the first cause; where there is none, what the alarms say."""
    alarms = _alarms(answer.findings)
    if not answer.causes:  # the first one is the headline
        return [sentence(finding.text) for finding in alarms[1:]]
    first = answer.causes[0]
    findings = first.evidence_for or [finding for finding in alarms if first.name in finding.causes] or alarms
    notes = (finding for finding in findings if finding.level == "note" and finding.symptom != TRIAL)
    in_order = [*_alarms(findings), *notes]
    others = [finding for finding in alarms if answer.undetermined]
    return list(dict.fromkeys(sentence(finding.text) for finding in [*in_order, *others]))


def proof_in_words(proof: Proof) -> str:
    """Return how a cause was tried, with the random fixes beside it, and what came of it.

    >>> from chainrule.statistics import summary
    >>> from chainrule.symptoms.evidence import Proof
    >>> tried = Proof("trial", "helps", control=summary([0.4]), fixed=summary([0.3]), metric="accuracy", folds=1)
    >>> proof_in_words(tried)
    'error 40.0 % -> 30.0 % (1 fold); fixes drawn at random: not tried. It helps'
    """
    if proof.verdict == "not tried":
        return f"not tried: {proof.why or 'no reason is known'}"
    if proof.kind == "exact":
        return f"exact: the check holds for certain{f' ({proof.why})' if proof.why else ''}. Proven"
    arms = [part for part in (_arms(proof), _gap(proof), _against_random(proof)) if part]
    verdict = VERDICTS[proof.verdict]
    shortened = f" for the first {proof.epochs} epochs" if proof.epochs and "prefix" in proof.why else ""
    extra = f" ({proof.why})" if proof.why and not shortened else ""
    return f"{'; '.join(arms)}. {verdict}{shortened}{extra}"


def tried_in_vain(answer: Answer) -> list[str]:
    """Return the causes whose fix was tried and changed nothing, or made it worse."""
    verdicts = ("no effect", "harmful")
    proofs = [(cause.name, cause.proof) for cause in answer.causes if cause.proof is not None]
    names = [name for name, proof in proofs if proof.verdict in verdicts]
    names += [name for finding in answer.findings if finding.symptom == TRIAL for name in finding.against]
    helped = {name for finding in answer.findings if finding.symptom == TRIAL for name in finding.causes}
    helped |= {name for name, proof in proofs if proof.verdict != "harmful" and (proof.explained or 0.0) >= LITTLE}
    return [name for name in dict.fromkeys(names) if name not in helped]


def next_test(answer: Answer) -> str:
    """Return what would tell the causes of an undetermined diagnosis apart, as a sentence."""
    for cause in answer.causes:
        untried = cause.proof is None or cause.proof.verdict == "not tried"
        if cause.fix is not None and untried:
            return f"try this first. {sentence(cause.fix.text)}"
    if any(stage.skipped for stage in answer.ran):
        return "what was not tried below; a larger budget of seconds allows more: budget=300, or --budget 300."
    return "more members for each change that was tried: a larger budget of seconds, budget=300, or --budget 300."


def fine(answer: Answer) -> list[Finding]:
    """Return what was checked and is fine; that a change had no effect is another matter."""
    notes = (finding for finding in answer.findings if finding.level == "note" and finding.symptom != TRIAL)
    return [finding for finding in notes if not finding.causes and not finding.text.startswith(FAILED)]


def not_tried(answer: Answer) -> list[str]:
    """Return what was left out, with why: stages of the examination, and fixes."""
    left_out: dict[str, list[str]] = {}
    for stage in answer.ran:
        if stage.skipped:
            left_out.setdefault(stage.skipped, []).append(stage.name)
    for cause in answer.causes:
        if cause.proof is not None and cause.proof.verdict == "not tried":
            left_out.setdefault(cause.proof.why, []).append(cause.name)
    for finding in answer.findings:
        name, not_tried_because, reason = finding.text.rstrip(".").partition(": not tried, ")
        if finding.symptom == TRIAL and not_tried_because:
            left_out.setdefault(reason, []).append(name)
        elif finding.text.startswith(FAILED):
            left_out.setdefault(finding.text, []).append(finding.symptom)
    together = ((reason, ", ".join(dict.fromkeys(names))) for reason, names in left_out.items())
    return [f"{names} ({reason})" if reason else names for reason, names in together]


def how_often_false(finding: Finding) -> str:
    """Return how often alarms of this kind are false, as a sentence."""
    rate = rate_of(finding.symptom)
    if rate is None:
        return "How often this kind of alarm is false has not been measured yet."
    return f"This kind of alarm is false in {rate}."


def command_of(fix: Fix) -> str:
    """Return the command that makes the change; "" where there is no option for it."""
    options = fix.command()
    return f"chainrule train ... {options}" if options else ""


def _first_line(answer: Answer) -> str:
    """Return the answer, and at the right edge that it is an alarm."""
    lines = wrapped(headline(answer), WIDTH - (8 if answer.alarm else 0), subsequent="  ")
    if answer.alarm:
        lines[0] = f"{lines[0]:<{WIDTH - 6}} alarm"
    return "\n".join(lines)


def _of_the_causes(answer: Answer, everything: bool) -> list[str]:
    lines = []
    reasons = why(answer)
    for reason in reasons if everything else reasons[:3]:
        lines += _labelled("why", reason)
    if not answer.causes:
        return lines
    first, *others = answer.causes
    if answer.undetermined:
        for cause in answer.causes if everything else answer.causes[:3]:
            lines += _labelled("perhaps", f"{in_words(cause)} (probability {cause.probability:.2f})")
            lines += _proof_and_fix(cause, code=cause is first)
        lines += _labelled("next", next_test(answer))
    else:
        lines += _proof_and_fix(first)
        same = [cause for cause in others if cause.name in _same_as(first)]
        for cause in same:
            lines += _labelled("the same", f"{in_words(cause)}: {cause.fix.text if cause.fix else 'no fix'}")
        rest = [cause for cause in others if cause not in same and cause.probability >= UNLIKELY]
        for cause in rest if everything else rest[:2]:
            lines += _labelled("or", f"{in_words(cause)} (probability {cause.probability:.2f})")
    against = [finding.text for finding in first.evidence_against]
    if vain := tried_in_vain(answer):
        against.append(f"Tried without effect: {', '.join(vain)}")
    for text in against if everything else against[:3]:
        lines += _labelled("against", sentence(text))
    return lines


def _proof_and_fix(cause: Cause, *, code: bool = True) -> list[str]:
    """Return the lines about one cause: how it is proven, and what to change; ``code``: with lines to paste."""
    untried = Proof("trial", "not tried", "no trial was made of it")
    lines = _labelled("proof", proof_in_words(cause.proof or untried))
    if cause.fix is None:
        return [*lines, *_labelled("fix", "there is none that a setting could make; see why")]
    lines += _labelled("fix", sentence(cause.fix.text))
    if code and (to_paste := cause.fix.code()):
        lines += _code(to_paste, "")
    if command := command_of(cause.fix):
        lines += _code(command, " \\")
    return lines


def _code(code: str, end: str) -> list[str]:
    """Return lines of code, the long ones broken between arguments; ``end`` marks that a line goes on."""
    lines = []
    for line in printable(code).splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        held = re.sub(r"(?<=,) (?!cr\.|\w+=)", "\0", line)  # before a layer or a keyword a line may end
        how: dict[str, Any] = {"subsequent_indent": indent, "break_long_words": False, "break_on_hyphens": False}
        pieces = [piece.replace("\0", " ") for piece in textwrap.wrap(held, WIDTH - MARGIN - len(end), **how)]
        if any(len(piece) > WIDTH - MARGIN for piece in pieces):
            pieces = textwrap.wrap(line, WIDTH - MARGIN - len(end), **how)
        lines += [" " * MARGIN + piece + (end if piece is not pieces[-1] else "") for piece in pieces]
    return lines


def _of_the_checks(answer: Answer, everything: bool) -> list[str]:
    """Return what was checked, what is worth doing, what was not tried, and how sure an alarm is."""
    lines: list[str] = []
    if checked := fine(answer):
        lines += _fine(checked, everything)
    noticed = [f for f in answer.findings if f.level == "note" and (f.causes or f.symptom == TRIAL)]
    if everything and noticed:
        lines += ["Noticed:", *_list(finding.text for finding in noticed)]
    for finding in answer.findings:
        if finding.level == "advice":
            lines += wrapped(f"Advice: {sentence(finding.text)}", subsequent="  ")
    if left_out := not_tried(answer):
        lines += wrapped(f"Not tried: {'; '.join(left_out)}.", subsequent="  ")
    for text in dict.fromkeys(how_often_false(finding) for finding in _alarms(answer.findings)):
        lines += wrapped(text, subsequent="  ")
    if answer.alarm and answer.causes and (kind := CAUSES.get(answer.causes[0].name)) and kind.lecture:
        lines.append(f"Explained in {kind.lecture}.")
    if everything and answer.ran:
        took = ", ".join(f"{stage.name} {seconds(stage.seconds)}" for stage in answer.ran if not stage.skipped)
        lines += wrapped(f"Time: {took or 'none'}.", subsequent="  ")
    return lines


def _fine(checked: Sequence[Finding], everything: bool) -> list[str]:
    if everything:
        return ["Checked and fine:", *_list(f"{f.text.rstrip('.')}{_figures(f)}" for f in checked)]
    in_order = sorted(checked, key=lambda f: FIRST.index(f.symptom) if f.symptom in FIRST else len(FIRST))
    shown = "; ".join(_within(finding.text) for finding in in_order[:FINE])
    more = f" ({len(checked) - FINE} more: --all)" if len(checked) > FINE else ""
    return wrapped(f"Checked and fine: {shown}{more}.", subsequent="  ")


def _within(sentence: str) -> str:
    """Return a sentence as part of another: a capital that only begins it is small."""
    begins = sentence[:1] + sentence[1:2].lower() == sentence[:2] and sentence[1:2].isalpha() | sentence[1:2].isspace()
    return (sentence[:1].lower() if begins else sentence[:1]) + sentence[1:].rstrip(".")


def _figures(finding: Finding) -> str:
    """Return the figures of a check with the range they are expected in."""
    figures = "; ".join(measured(evidence) for evidence in finding.evidence)
    return f"  [{figures}]" if figures else ""


def measured(evidence: Evidence, *, p_value: bool = True) -> str:
    """Return a figure with what it was compared with, and how likely it is by chance.

    >>> from chainrule.symptoms.evidence import Evidence
    >>> measured(Evidence("steps until learnt", 7, high=120))
    'steps until learnt 7 (expected at most 120)'
    """
    text = f"{evidence.name} {_value(evidence.value, evidence.unit)}"
    low, high = evidence.low, evidence.high
    if low is not None and high is not None:
        span = "" if low == high else f"{_value(low, '')} to "
        text += f" (expected {span}{_value(high, evidence.unit)})"
    elif low is not None or high is not None:
        bound = (
            f"at least {_value(low, evidence.unit)}" if low is not None else f"at most {_value(high, evidence.unit)}"
        )
        text += f" (expected {bound})"
    if p_value and evidence.p is not None and math.isfinite(evidence.p):
        text += f", p {'< 0.001' if evidence.p < 0.001 else f'= {evidence.p:.3f}'}"
    return text


def _value(value: float | None, unit: str) -> str:
    return f"{number(value, 3)} {unit}".strip()


def _arms(proof: Proof) -> str:
    """Return the errors of the untouched run and with the fix, and their ratio."""
    if proof.control is None or proof.fixed is None:
        return "tried"
    counts = ((proof.folds, "fold"), (proof.seeds, "seed")) if proof.folds else ((proof.control.n, "member"),)
    inside = [", ".join(f"{n} {name}{'' if n == 1 else 's'}" for n, name in counts if n and (n > 1 or name != "seed"))]
    if proof.effect is not None and math.isfinite(_not_none(proof.effect.mean)):
        ratio = f"ratio {math.exp(proof.effect.mean):.2f}"
        if all(math.isfinite(_not_none(end)) for end in (proof.effect.low, proof.effect.high)):
            ratio += f", {math.exp(proof.effect.low):.2f} to {math.exp(proof.effect.high):.2f}"
        inside = [ratio, *inside]
    what = "score with its columns permuted" if proof.kind == "permutation" else "error"
    control, fixed = (error_in_words(part.mean, proof.metric) for part in (proof.control, proof.fixed))
    return f"{what} {control} -> {fixed} ({'; '.join(inside)})"


def _gap(proof: Proof) -> str:
    if proof.explained is None or not math.isfinite(proof.explained):
        return ""
    return f"{percent(proof.explained, 0)} of the gap to the reference goes away"


def _against_random(proof: Proof) -> str:
    """Return the random arm, which is never left out."""
    if proof.kind == "permutation":
        return ""
    if proof.random is None:
        return "fixes drawn at random: not tried"
    return f"fixes drawn at random: {error_in_words(proof.random.mean, proof.metric)}"


def error_in_words(error: float, metric: str) -> str:
    """Return an error as people read it: of classes in percent."""
    return percent(error, 1) if is_fraction(metric) else number(error, 3)


def is_fraction(metric: str) -> bool:
    """Return whether errors of a metric lie between 0 and 1 and are read in percent."""
    known = METRICS.get(metric)
    return known.is_fraction if known is not None else metric in ("", "macro recall", "recall")


def _not_none(value: float | None) -> float:
    return math.nan if value is None else value


def _same_as(cause: Cause) -> tuple[str, ...]:
    kind = CAUSES.get(cause.name)
    return kind.same_as if kind else ()


def _alarms(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == "alarm"]


def sentence(text: str) -> str:
    """Return a text as a sentence: it begins with a capital, and ends.

    >>> sentence("error 9 %, and 2 % with a default recipe")
    'Error 9 %, and 2 % with a default recipe.'
    """
    if text.partition(" ")[0].isalpha():  # others are names: leaky_relu
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _labelled(label: str, text: str) -> list[str]:
    """Return a text beside what it is about: "  why      the share of …"."""
    lines = wrapped(text, WIDTH - MARGIN)
    indent = " " * MARGIN
    return [f"{f'  {label}':<{MARGIN}}{lines[0]}", *(indent + line for line in lines[1:])]


def _list(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from wrapped(f"  - {text}", subsequent="    ")


def wrapped(text: str, width: int = WIDTH, subsequent: str = "") -> list[str]:
    """Return text as lines that are not too long, safe for a terminal."""
    safe = printable(text).replace("\n", " ").replace("\t", " ")
    return textwrap.wrap(safe, width, subsequent_indent=subsequent, break_on_hyphens=False) or [""]
