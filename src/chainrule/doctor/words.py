"""What trials have shown, as findings: sentences with their figures."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.display.numbers import number, percent
from chainrule.doctor.ratio import Ratio
from chainrule.doctor.trials import Trials
from chainrule.symptoms.evidence import LITTLE, Evidence, Finding

__all__ = ["format_error", "recipe_finding", "trial_findings"]


def recipe_finding(trials: Trials) -> Finding:
    """Return what the control beside the reference has shown."""
    comparison = trials.comparison
    assert comparison is not None
    ratio, count = comparison.ratio, len(comparison.control.errors)
    control, reference = (format_error(trials, each.error) for each in (comparison.control, comparison.reference))
    whole = "" if comparison.until is None else f" in its first {comparison.until} epochs"
    text = (
        f"error {control}{whole}, and {reference} of the same network with a default recipe (ratio {_ratio(ratio)}; "
        f"{count} members)"
    )
    if comparison.linear is not None and comparison.linear_error is not None:
        text += f"; a linear model has {format_error(trials, comparison.linear_error)}"
    if comparison.larger is not None:
        text += f"; a larger network is better (ratio {_ratio(comparison.larger)})"
    if comparison.control.diverged:
        text += f"; {comparison.control.diverged} of {count} members diverged"
    evidence = [Evidence("error ratio", ratio.value, None, comparison.material, ratio.p)]
    if comparison.linear is not None:
        evidence.append(Evidence("error ratio to a linear model", comparison.linear.value, p=comparison.linear.p))
    if comparison.alarm:
        level = "alarm"
    else:
        level = "advice" if ratio.value >= 1.05 and ratio.low > 0 else "note"
        if level == "advice":
            text = f"{text}: headroom, not material"
        elif ratio.value >= comparison.material:
            text = f"{text}: whether the recipe is at fault cannot be told from so few rows and members"
        else:
            text = f"{text}: nothing is lost by the recipe"
    return Finding("recipe", level, f"{text}.", evidence=tuple(evidence))


def trial_findings(trials: Trials) -> Iterator[Finding]:
    """Yield what the changes that were tried have shown, and which were not tried."""
    for each in trials.tried:
        error = format_error(trials, each.result.error)
        certain = each.ratio.low > 0
        helps, may_help = (each.explained >= LITTLE and certain is case for case in (True, False))
        if certain:
            share = f"explains {percent(max(0.0, each.explained), 0)} of the gap"
        elif may_help:
            share = f"may help, which {len(each.result.errors)} members cannot tell"
        else:
            share = "makes it worse" if each.ratio.high < 0 else "no effect"
        text = f"{each.fix.text} Error {error} (ratio {_ratio(each.ratio)}): {share}."
        evidence = (Evidence("error ratio", each.ratio.value, p=each.ratio.p), Evidence("explained", each.explained))
        yield Finding(
            "trial",
            "note",
            text,
            evidence=evidence,
            causes=(each.cause,) if helps else (),
            against=() if helps or may_help else (each.cause,),
        )
    for cause, why in trials.not_tried.items():
        yield Finding("trial", "note", f"{cause}: not tried, {why}.")


def format_error(trials: Trials, error: float) -> str:
    """Return an error as people read it: wrong rows in percent, or the mean absolute error in the target's unit."""
    return percent(error) if trials.rows.metric == "accuracy" else f"{number(error * trials.rows.unit)} (mae)"


def _ratio(ratio: Ratio) -> str:
    low, high = ratio.interval
    return f"{ratio.value:.2f}, {low:.2f} to {high:.2f}"
