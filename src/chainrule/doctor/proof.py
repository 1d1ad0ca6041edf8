"""Proof: with fresh seeds and fresh folds, against the untouched run and against changes drawn at random."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from chainrule.doctor.arms import REFUSALS, Arm, ArmResult, OutOfTime
from chainrule.doctor.cuts import cut_rows
from chainrule.doctor.ratio import Ratio, error_ratio
from chainrule.doctor.trials import PART, Trials, Tried
from chainrule.statistics import Difference, summary
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.evidence import Proof

__all__ = ["LOOKS", "not_tried", "prove"]

#: Members of each arm at which it is looked, and the share of α = .01 that each look may spend.
LOOKS = ((4, 0.002), (8, 0.003), (16, 0.005))

#: There is no hope where the upper end of the effect is below this share of the gap.
FUTILE = 0.25


def not_tried(why: str, kind: str = "trial") -> Proof:
    """Return the proof of a cause that was not tried."""
    return Proof(kind, "not tried", why)


def prove(trials: Trials, tried: Tried, causes: int = 1) -> Proof:
    """Return whether a fix takes the fault away, by members that nothing was chosen by.

    Looks after 4, 8 and 16 members of each arm; ``causes`` is the number of causes that are proven (Holm).
    """
    comparison, laboratory = trials.comparison, trials.laboratory
    assert comparison is not None
    cuts = cut_rows(trials.rows, LOOKS[-1][0], trials.seed + 10_000)
    pool = random_pool(trials, tried)
    rng = np.random.default_rng([trials.seed, 41])
    control = fixed = chance = None
    alpha = 0.0
    for count, share in LOOKS:
        alpha = share / causes
        more = cuts[0 if control is None else len(control.errors) : count]
        drawn = [pool[int(rng.integers(len(pool)))] for _ in more] if pool else []
        if control is not None and not trials.has_room(3 * len(more)):
            break
        try:
            arms = [trials.control, tried.result.arm, *drawn]
            results = laboratory.run(arms, [more, more, *([cut] for cut in more[: len(drawn)])], comparison.until)
        except OutOfTime:
            break
        except REFUSALS as error:
            return not_tried(f"refused: {error}")
        control = _joined(control, results[:1])
        fixed = _joined(fixed, results[1:2])
        chance = _joined(chance, results[2:]) if drawn else None
        effect = error_ratio(control.errors, fixed.errors)
        over = None if chance is None else error_ratio(chance.errors, fixed.errors)
        if effect.p < alpha and (over is None or over.p < alpha):
            break
        if effect.high < FUTILE * comparison.gap:
            break
    if control is None or fixed is None:
        return not_tried("the budget was spent")
    return _proof(trials, control, fixed, chance, alpha, causes)


def _proof(
    trials: Trials, control: ArmResult, fixed: ArmResult, chance: ArmResult | None, alpha: float, causes: int
) -> Proof:
    comparison = trials.comparison
    assert comparison is not None
    effect = error_ratio(control.errors, fixed.errors)
    over = None if chance is None else error_ratio(chance.errors, fixed.errors)
    explained = effect.log / comparison.gap if comparison.gap > 0 else 0.0
    better = effect.p < alpha
    if better and over is not None and over.p < alpha and explained >= PART:
        verdict = "proven"
    elif better:
        verdict = "helps"
    else:
        verdict = "harmful" if effect.high < 0 else "no effect"
    scale = trials.rows.unit
    errors = [None if each is None else summary([scale * e for e in each.member_errors]) for each in (control, fixed)]
    random = None if chance is None else summary([scale * e for e in chance.member_errors])
    return Proof(
        kind="trial",
        verdict=verdict,
        why="" if chance is not None else "there was no other change to draw at random",
        control=errors[0],
        fixed=errors[1],
        random=random,
        effect=_difference(effect),
        over_random=None if over is None else _difference(over),
        explained=explained,
        metric=trials.rows.metric,
        folds=trials.rows.folds,
        seeds=len(control.errors),
        epochs=control.epochs,
        p=min(1.0, causes * effect.p),
    )


def random_pool(trials: Trials, tried: Tried) -> list[Arm]:
    """Return the arms that a random change is drawn from: of other causes, of the control's program if there are some.

    Those of causes that give equivalent answers are left out.
    """
    same = {tried.cause, *CAUSES[tried.cause].same_as}
    arms = [each.result.arm for each in trials.tried if each.cause not in same]
    quick = [arm for arm in trials.quick_arms if arm.name not in same]
    pool = list({id(arm): arm for arm in [*quick, *(arms if len(quick) < 4 else ())]}.values())
    return [arm for arm in pool if arm.epochs <= 2 * trials.control.epochs]


def _joined(before: ArmResult | None, results: Sequence[ArmResult]) -> ArmResult:
    for result in results:
        before = result if before is None else before.joined(result)
    assert before is not None
    return before


def _difference(ratio: Ratio) -> Difference:
    return Difference(ratio.log, ratio.low, ratio.high, ratio.p, len(ratio.members))


def settle(proofs: Sequence[Proof]) -> list[Proof]:
    """Return proofs with p values raised for all that were proven at once (Holm)."""
    from chainrule.statistics import holm

    raised = holm([math.nan if proof.p is None else proof.p for proof in proofs])
    return [
        proof if proof.p is None else dataclasses.replace(proof, p=p) for proof, p in zip(proofs, raised, strict=True)
    ]
