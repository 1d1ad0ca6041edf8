"""A diagnosis as a page that a teacher can show, and as a section of a report: no script, light and dark, any width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources

from chainrule.display.markup import Html, escape, join, tag
from chainrule.display.numbers import percent, seconds
from chainrule.statistics import Summary
from chainrule.symptoms import text
from chainrule.symptoms.answer import Answer
from chainrule.symptoms.catalogue import CAUSES, SYMPTOMS
from chainrule.symptoms.evidence import Cause, Finding, Proof

__all__ = ["page", "section", "section_style"]

#: Heights in the picture of a proof, in pixels: of one arm, and of the axis.
ARM, AXIS = 46, 24


def page(answer: Answer) -> str:
    """Return the whole page."""
    style = f"{_file('diagnosis.css')}\n{section_style()}"
    body = tag("main", tag("h1", "Diagnosis"), section(answer))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(text.headline(answer))}</title>\n<style>\n{style}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section_style() -> str:
    """Return the style of what is in `section`, besides that of the page around it."""
    return _file("section.css")


def _file(name: str) -> str:
    return resources.files("chainrule.symptoms").joinpath(name).read_text("utf-8").strip()


def section(answer: Answer) -> Html:
    """Return the answer, its proof, the causes, and each check; for a page that has the report's style."""
    parts: list[object] = [_answer(answer)]
    if answer.causes:
        first = answer.causes[0]
        if first.proof is not None:
            parts += [tag("h3", "Proof"), _proof(first.proof)]
        parts += [tag("h3", "What to change"), _fix(first)]
        parts += [tag("h3", "Causes"), _causes(answer.causes)]
    if answer.findings:
        parts += [tag("h3", "What was looked at"), _findings(answer.findings, text.fine(answer))]
    if advice := [text.sentence(finding.text) for finding in answer.findings if finding.level == "advice"]:
        parts += [tag("h3", "Advice"), _list(advice)]
    if left_out := text.not_tried(answer):
        parts += [tag("h3", "Not tried"), _list(left_out)]
    parts.append(_small_print(answer))
    return tag("div", *parts, class_="diagnosis")


def _answer(answer: Answer) -> Html:
    """Return the answer in a sentence, with why, and how sure it is."""
    kind = "bad" if answer.alarm else "good"
    signs = [tag("span", "alarm" if answer.alarm else "no alarm", class_=f"sign {kind}")]
    if answer.alarm:
        word = "undetermined" if answer.undetermined else "proven" if answer.proven else "not proven"
        signs.append(tag("span", word, class_=f"sign {'good' if answer.proven else 'quiet'}"))
    next_test = None
    if answer.undetermined:
        next_test = tag("p", tag("strong", "Next: "), text.next_test(answer))
    reasons = _list(text.why(answer)) if answer.alarm else None
    return join([tag("p", text.headline(answer), class_="answer"), tag("p", *signs), reasons or "", next_test or ""])


def _proof(proof: Proof) -> Html:
    """Return how the cause was tried: in words, and as a picture of the arms."""
    words = tag("p", text.sentence(text.proof_in_words(proof)))
    arms = [("as it is", proof.control, "control"), ("with the fix", proof.fixed, "fixed")]
    if proof.kind == "trial":
        arms.append(("fixes drawn at random", proof.random, "random"))
    drawn = [(name, arm, kind) for name, arm, kind in arms if arm is not None and arm.n]
    return tag("figure", _picture(drawn, proof), tag("figcaption", words)) if drawn else words


def _picture(arms: Sequence[tuple[str, Summary, str]], proof: Proof) -> Html:
    """Return each arm on its own line: the members as ticks, the mean as a dot, its interval as a bar."""
    fraction = text.is_fraction(proof.metric)
    ends = [
        v for _, arm, _ in arms for v in (*arm.values, arm.mean, _bound(arm.low), _bound(arm.high)) if _is_finite(v)
    ]
    top = min(max([*ends, 0.0]) * 1.08, 1.0 if fraction else math.inf) or 1.0
    parts = []
    for i, (name, arm, kind) in enumerate(arms):
        y = i * ARM + 32
        low, high = (_bound(end) for end in (arm.low, arm.high))
        if fraction:  # an interval by Student's t may go beyond what an error can be
            low, high = max(low, 0.0), min(high, 1.0)
        interval = ""
        if _is_finite(low) and _is_finite(high):
            interval = f" ({text.error_in_words(low, proof.metric)} to {text.error_in_words(high, proof.metric)})"
            parts.append(_line(max(low, 0.0) / top, min(high, top) / top, y, f"bar {kind}"))
        words = f"{name}: {text.error_in_words(arm.mean, proof.metric)}{interval}"
        parts.append(tag("text", words, x="0", y=str(y - 12)))
        parts += [_tick(value / top, y) for value in arm.values if _is_finite(value) and 0 <= value <= top]
        parts.append(Html(f'<circle cx="{_share(arm.mean / top)}" cy="{y}" r="5" class="{kind}"></circle>'))
    y = len(arms) * ARM + 6
    parts.append(_line(0.0, 1.0, y, "axis"))
    parts.append(tag("text", "0", x="0", y=str(y + 14), class_="muted"))
    parts.append(tag("text", text.error_in_words(top, proof.metric), x="100%", y=str(y + 14), class_="muted end"))
    words = "; ".join(f"{name} {text.error_in_words(arm.mean, proof.metric)}" for name, arm, _ in arms)
    height = str(len(arms) * ARM + AXIS)
    return tag("svg", *parts, width="100%", height=height, role="img", aria_label=f"Error of each arm: {words}")


def _line(start: float, end: float, y: int, kind: str) -> Html:
    return Html(f'<line x1="{_share(start)}" x2="{_share(end)}" y1="{y}" y2="{y}" class="{kind}"></line>')


def _tick(share: float, y: int) -> Html:
    return Html(f'<line x1="{_share(share)}" x2="{_share(share)}" y1="{y - 6}" y2="{y + 6}" class="tick"></line>')


def _share(share: float) -> str:
    """Return a place along the width; what is drawn stays inside."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def _fix(cause: Cause) -> Html:
    """Return what to change, as a sentence, as code, and as a command."""
    if cause.fix is None:
        return tag("p", "There is no setting that takes this away: see why.")
    code, command = cause.fix.code(), text.command_of(cause.fix)
    pasted = [tag("pre", tag("code", each)) for each in (code, command) if each]
    return join([tag("p", text.sentence(cause.fix.text)), *pasted])


def _causes(causes: Sequence[Cause]) -> Html:
    """Return all causes with their probability and what came of trying them."""
    rows = []
    for i, cause in enumerate(causes):
        bar = f"--share: {min(max(cause.probability, 0.0), 1.0):.3f}"
        tried = cause.proof.verdict if cause.proof is not None else "not tried"
        words = tag("td", text.in_words(cause), tag("div", cause.name, class_="sub"), class_="wrap")
        kind = CAUSES.get(cause.name)
        cells = (tag("td", percent(cause.probability, 0), class_="n bar", style=bar), tag("td", tried))
        lecture = tag("td", kind.lecture if kind else "", class_="muted")
        rows.append(tag("tr", words, *cells, lecture, class_="own" if i == 0 else None))
    return _table(("cause", "probability", "tried", "explained in"), rows)


def _findings(findings: Sequence[Finding], fine: Sequence[Finding]) -> Html:
    """Return each check with its figures and the ranges these are expected in."""
    rows = []
    for finding in findings:
        kind = SYMPTOMS.get(finding.symptom)
        title = kind.title if kind else finding.symptom
        where = tag("div", finding.where, class_="sub") if finding.where else None
        is_fine = finding in fine
        level = "bad" if finding.level == "alarm" else "good" if is_fine else "quiet"
        word = "fine" if is_fine else finding.level
        figures = (tag("div", text.measured(evidence), class_="sub") for evidence in finding.evidence)
        looked_at = tag("td", title, where, tag("div", tag("span", word, class_=f"sign {level}")), class_="wrap")
        rows.append(tag("tr", looked_at, tag("td", text.sentence(finding.text), *figures, class_="wrap")))
    return _table(("looked at", "what was found, and where figures are expected"), rows)


def _table(head: Sequence[str], rows: Sequence[Html]) -> Html:
    top = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    return tag("div", tag("table", top, tag("tbody", *rows)), class_="scroll")


def _list(texts: Sequence[str]) -> Html:
    return tag("ul", *(tag("li", each) for each in texts))


def _small_print(answer: Answer) -> Html:
    """Return how often such an alarm is false, and what the examination took."""
    alarms = [finding for finding in answer.findings if finding.level == "alarm"]
    sentences = list(dict.fromkeys(text.how_often_false(finding) for finding in alarms))
    took = [f"{stage.name} {seconds(stage.seconds)}" for stage in answer.ran if not stage.skipped]
    if took:
        sentences.append(f"Time: {', '.join(took)}.")
    if answer.rates:
        sentences.append(f"False alarms were counted by table {answer.rates}.")
    return tag("p", " ".join(sentences), class_="muted small")


def _bound(end: float | None) -> float:
    return math.nan if end is None else end


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
