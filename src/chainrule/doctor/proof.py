"""Proof: with fresh seeds and fresh folds, against the untouched run and against changes drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.doctor.arms import REFUSALS, Arm, ArmResult, OutOfTime
from chainrule.doctor.cuts import cut_rows
from chainrule.doctor.ratio import Ratio, error_ratio
from chainrule.doctor.trials import PART, Trials, Tried
from chainrule.statistics import Difference, Summary, summary
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.evidence import Proof

__all__ = ["LOOKS", "difference", "not_tried", "prove", "prove_fix", "tried_proof"]

Array = np.ndarray[Any, Any]

#: Members of each arm at which it is looked, and the share of α = .01 that each look may spend.
LOOKS = ((4, 0.002), (8, 0.003), (16, 0.005))

#: There is no hope where the upper end of the effect is below this share of the gap.
FUTILE = 0.25

#: Fewer changes than this of the control's program make no random arm alone.
FEW_OTHERS = 4

#: A change whose arm has no gap to close must take this much of the error away (as log of the ratio).
LEAST_EFFECT = float(np.log(1.2))


def not_tried(why: str, kind: str = "trial") -> Proof:
    """Return the proof of a cause that was not tried."""
    return Proof(kind, "not tried", why)


def tried_proof(trials: Trials, tried: Tried) -> Proof:
    """Return what came of a fix where it was tried, on the folds by which it was chosen: no proof, but a result."""
    assert trials.comparison is not None
    verdict = "helps" if tried.ratio.low > 0 else "harmful" if tried.ratio.high < 0 else "no effect"
    control = trials.comparison.control
    same_members = replace(control, errors=control.errors[: len(tried.result.errors)])
    return Proof(
        "trial",
        verdict,
        "tried once, on the folds of the comparison",
        control=_summary(trials, same_members),
        fixed=_summary(trials, tried.result),
        effect=difference(tried.ratio),
        explained=tried.explained,
        metric=trials.rows.metric,
        folds=trials.rows.folds,
        seeds=len(tried.result.errors),
        epochs=tried.result.epochs,
        p=tried.ratio.p,
    )


def prove_fix(trials: Trials, tried: Tried, causes: int = 1) -> Proof:
    """Return whether a fix takes the fault away, beside others drawn at random."""
    assert trials.comparison is not None
    pool = random_pool(trials, tried)
    rng = np.random.default_rng([trials.seed, 41])
    draw = (lambda: pool[int(rng.integers(len(pool)))]) if pool else None
    return prove(trials, tried.result.arm, draw, trials.comparison.gap, causes=causes)


def prove(
    trials: Trials,
    arm: Arm,
    draw: Callable[[], Arm] | None,
    gap: float | None,
    *,
    causes: int = 1,
    ignored: Array | None = None,
    weights: Array | None = None,
) -> Proof:
    """Return whether an arm is better than the control, by members that nothing was chosen by.

    Looks after 4, 8 and 16 members of each arm, each of which may spend a part of α (Pocock, 1977).

    Parameters
    ----------
    arm : the control with the fix
    draw : a function that draws an arm with another change; each member of the random arm has one of its own
    gap : log R of what there is to gain; None where only the effect itself counts
    causes : how many causes are proven (Holm: the first of two that fails leaves half of α to the next)
    ignored : numbers of rows that are not judged
    weights : how much a row counts; None: as in the comparison
    """
    cuts = cut_rows(trials.rows, LOOKS[-1][0], trials.seed + 10_000)
    weights = trials.weights if weights is None else weights
    arms: list[ArmResult] = []  # control, fixed, and random if there is one
    alpha = 0.0
    for count, share in LOOKS:
        more = cuts[len(arms[0].errors) if arms else 0 : count]
        drawn = [] if draw is None else [draw() for _ in more]
        if arms and not trials.has_room(3 * len(more)):
            break
        try:
            plan = [trials.control, arm, *drawn]
            results = trials.laboratory.run(plan, [more, more, *([cut] for cut in more[: len(drawn)])], trials.until)
        except OutOfTime:
            break
        except REFUSALS as error:
            return not_tried(f"refused: {error}")
        if ignored is not None:
            results = [result.not_judged_on(ignored) for result in results]
        groups = [results[:1], results[1:2], *([results[2:]] if drawn else [])]
        arms = [_joined([*arms[i : i + 1], *group]) for i, group in enumerate(groups)]
        alpha = share / causes
        effect, *over = (_beside(arms, i, weights) for i in (0, 2) if i < len(arms))
        if all(ratio.p < alpha for ratio in (effect, *over)) or effect.high < FUTILE * (gap or LEAST_EFFECT):
            break
    if not arms:
        return not_tried("the budget was spent")
    return _verdict(trials, arms, weights, gap, alpha, causes)


def _verdict(
    trials: Trials, arms: Sequence[ArmResult], weights: Array | None, gap: float | None, alpha: float, causes: int
) -> Proof:
    effect = _beside(arms, 0, weights)
    over = _beside(arms, 2, weights) if len(arms) > 2 else None
    explained = None if gap is None else effect.log / gap if gap > 0 else 0.0
    enough = effect.log >= LEAST_EFFECT if explained is None else explained >= PART
    why = "" if over is not None else "there was no other change to draw at random"
    if effect.p >= alpha:
        verdict = "harmful" if effect.high < 0 else "no effect"
    elif enough and over is not None and over.p < alpha:
        verdict = "proven"
    else:
        verdict = "helps"
        if over is not None and over.p >= alpha:
            why = "changes drawn at random may do as well"
    return Proof(
        "trial",
        verdict,
        why,
        control=_summary(trials, arms[0]),
        fixed=_summary(trials, arms[1]),
        random=_summary(trials, arms[2]) if over is not None else None,
        effect=difference(effect),
        over_random=None if over is None else difference(over),
        explained=explained,
        metric=trials.rows.metric,
        folds=trials.rows.folds,
        seeds=len(arms[0].errors),
        epochs=arms[0].epochs,
        p=min(1.0, causes * effect.p),
    )


def random_pool(trials: Trials, tried: Tried) -> list[Arm]:
    """Return the arms that a random change is drawn from: of other causes, of the control's program if there are some.

    Those of causes that give equivalent answers are left out, and those that set the same as the fix does: they are no
    other change.
    """
    same = {tried.cause, *CAUSES[tried.cause].same_as}

    def others(arms: Iterable[Arm]) -> list[Arm]:
        return [
            arm
            for arm in arms
            if arm.name not in same
            and arm.epochs <= 2 * trials.control.epochs
            and not any(_overlap(first, second) for first in arm.changes for second in tried.fix.changes)
        ]

    quick = others(trials.quick_arms)
    if len(quick) >= FEW_OTHERS:
        return quick
    compiled = others(each.result.arm for each in trials.tried if not each.same_program)
    return [*quick, *compiled] or others(trials.other_arms)[:FEW_OTHERS]  # these are yet to be compiled


def _overlap(first: str, second: str) -> bool:
    """Return whether two changes are about the same setting, or one is a part of the other."""
    if "net" in (first, second):
        return False  # networks may differ anywhere
    first, second = f"{first}.", f"{second}."
    return first.startswith(second) or second.startswith(first)


def difference(ratio: Ratio) -> Difference:
    """Return log R as a difference of logs."""
    return Difference(ratio.log, ratio.low, ratio.high, ratio.p, len(ratio.members))


def _beside(arms: Sequence[ArmResult], other: int, weights: Array | None) -> Ratio:
    """Return the ratio of the errors of an arm and of that with the fix."""
    return error_ratio(arms[other].errors, arms[1].errors, weights=weights)


def _joined(results: Sequence[ArmResult]) -> ArmResult:
    """Return the members of several results as those of one arm."""
    whole = results[0]
    for result in results[1:]:
        whole = whole.joined(result)
    return whole


def _summary(trials: Trials, result: ArmResult) -> Summary:
    """Return the errors of an arm's members in the unit of the metric."""
    return summary([trials.rows.unit * error for error in result.member_errors])
