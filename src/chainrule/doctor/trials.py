"""Trials: is the recipe at fault, and which single change takes the fault away?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.doctor.arms import REFUSALS, Arm, ArmResult, Laboratory, OutOfTime, fixed_arm
from chainrule.doctor.cuts import Cut, TrialRows, cut_rows
from chainrule.doctor.ratio import Ratio, error_ratio, ratio_draws
from chainrule.doctor.yardstick import linear_errors, reference_arms
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.subject import Subject

__all__ = ["Comparison", "Trials", "Tried"]

#: An alarm needs an error of the control so many times that of the reference; less is headroom.
MATERIAL = 1.20
#: The same, beside a linear model, and where only the beginning of the run was tried.
MATERIAL_LINEAR, MATERIAL_CUT = 1.5, 2.0

#: A fix is sufficient when it takes so much of the gap, and a part of the answer from here on.
SUFFICIENT, PART = 0.8, 0.5

#: Shares of the budget: of the control, of the reference, and up to where fixes are tried.
CONTROL_SHARE, REFERENCE_SHARE, FIXES_SHARE = 1 / 8, 1 / 4, 0.65

#: Times that members are added where an answer is near.
MORE_LOOKS = 2

#: A run that takes longer is tried with fewer members and fewer rates at first.
QUICK_SECONDS = 1.5


@dataclass(frozen=True, eq=False)
class Comparison:
    """The control beside the reference: whether the recipe is at fault.

    Attributes
    ----------
    control, reference : what came of them
    ratio : error of the control / error of the reference
    linear : the same beside a linear model, and its mean error; None where it was not tried
    until : the epoch up to which the control was trained; None: to its end
    alarm : whether the recipe is at fault
    """

    control: ArmResult
    reference: ArmResult
    ratio: Ratio
    linear: Ratio | None
    linear_error: float | None
    until: int | None
    alarm: bool

    @property
    def gap(self) -> float:
        """Log of the error ratio that a fix is measured by: that of the better yardstick."""
        return max(self.ratio.log, self.linear.log if self.linear is not None else 0.0)


@dataclass(frozen=True, eq=False)
class Tried:
    """A fix that was tried for a cause.

    Attributes
    ----------
    ratio : error of the control / error with the fix
    explained : the share of the gap that goes away, on the scale of log R
    same_program : whether it is of the control's program
    """

    cause: str
    fix: Fix
    result: ArmResult
    ratio: Ratio
    explained: float
    same_program: bool


@dataclass
class Trials:
    """The trials of a run.

    Attributes
    ----------
    tried : the fixes that were tried
    not_tried : causes whose fixes were not, and why
    """

    subject: Subject
    rows: TrialRows
    control: Arm
    laboratory: Laboratory
    budget: float
    confidence: float = 0.95
    seed: int = 0
    comparison: Comparison | None = None
    tried: list[Tried] = field(default_factory=list)
    not_tried: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.quick_arms: list[Arm] = []  # of the control's program: nothing is compiled for them
        self.cuts = cut_rows(self.rows, max(self.rows.folds, 4), self.seed)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    # --- is the recipe at fault? --------------------------------------------------------------------------------

    def compare(self) -> Comparison:
        """Train control and reference, and compare them; sets and returns `comparison`."""
        control, until, cuts = self._control()
        reference_arm, reference = self._reference(control, cuts, until)
        self.cuts = cuts
        model = self.laboratory.members(reference_arm, cuts[:1])[0].run().model
        linear = linear_errors(model, self.rows, cuts)
        self.comparison = self._judge(control, reference, linear, until, self.confidence)
        for _ in range(MORE_LOOKS):
            if self.comparison.alarm or self.comparison.ratio.value < MATERIAL or not self._room_for_more(control):
                break
            more = cut_rows(self.rows, len(self.cuts), self.seed + 100 * (1 + len(self.cuts)))
            added = self.laboratory.run([control.arm, reference_arm], [more, more], until)
            control, reference = control.joined(added[0]), reference.joined(added[1])
            self.cuts = [*self.cuts, *more]
            confidence = 1 - (1 - self.confidence) / 2
            linear = None
            self.comparison = self._judge(control, reference, linear, until, confidence)
        return self.comparison

    def _control(self) -> tuple[ArmResult, int | None, list[Cut]]:
        """Train the control; of a long run the beginning, with fewer members."""
        return self.laboratory.run_within(self.control, self.cuts, CONTROL_SHARE * self.budget)

    def _reference(self, control: ArmResult, cuts: Sequence[Cut], until: int | None) -> tuple[Arm, ArmResult]:
        """Train the reference at the rate that the stopping rows choose."""
        n = len(cuts[0].train)
        arms = reference_arms(self.subject, self.control, n, self._most_reference_epochs(control, n, until))
        first = list(cuts if control.seconds < QUICK_SECONDS else cuts[:1])
        results = self.laboratory.run(arms, [first] * len(arms))
        best = min(results, key=lambda result: (np.isnan(result.stopping), result.stopping, result.error))
        if len(first) < len(cuts):
            (others,) = self.laboratory.run([best.arm], [cuts[1:]])
            best = best.joined(others)
        return best.arm, best

    def _most_reference_epochs(self, control: ArmResult, n: int, until: int | None) -> int | None:
        """Return how many epochs of the reference the budget allows; None: as many as it asks for."""
        return None

    def _judge(
        self,
        control: ArmResult,
        reference: ArmResult,
        linear: np.ndarray | None,
        until: int | None,
        confidence: float,
    ) -> Comparison:
        ratio = error_ratio(control.errors, reference.errors, confidence)
        beside_linear = None if linear is None else error_ratio(control.errors, linear, confidence)
        material = MATERIAL if until is None else MATERIAL_CUT
        alarm = ratio.value >= material and ratio.low > 0.0
        if beside_linear is not None and until is None:
            alarm |= beside_linear.value >= MATERIAL_LINEAR and beside_linear.low > 0.0
        linear_error = None if linear is None else float(np.nanmean(linear))
        return Comparison(control, reference, ratio, beside_linear, linear_error, until, alarm)

    def _room_for_more(self, control: ArmResult) -> bool:
        return self.spent + 4 * control.seconds < FIXES_SHARE * self.budget

    # --- which part? ----------------------------------------------------------------------------------------------

    def try_fixes(self, fixes: Sequence[tuple[str, Fix]]) -> None:
        """Try fixes on the control's cuts, the likeliest first, those of its program before the others.

        What does not fit in the budget, or is refused, goes to `not_tried`.
        """
        assert self.comparison is not None
        arms = list(self._arms(fixes))
        program = self.laboratory.program(self.control, self.cuts[0])
        quick: list[Arm] = []
        others: list[Arm] = []
        for arm in arms:
            try:
                same = self.laboratory.program(arm, self.cuts[0]) == program
            except REFUSALS as error:
                self.not_tried.setdefault(arm.name, f"refused: {error}")
                continue
            (quick if same else others).append(arm)
        self.quick_arms = quick
        batches = [quick[at : at + 4] for at in range(0, len(quick), 4)] + [[arm] for arm in others]
        for batch in batches:
            if self._settled() or not self._fits(batch):
                for arm in batch:
                    why = "another change was sufficient" if self._settled() else "the budget was spent"
                    self.not_tried.setdefault(arm.name, why)
                continue
            try:
                results = self.laboratory.run(batch, [self.cuts] * len(batch), self.comparison.until)
            except OutOfTime:
                for arm in batch:
                    self.not_tried.setdefault(arm.name, "the budget was spent")
                continue
            except REFUSALS as error:
                for arm in batch:
                    self.not_tried.setdefault(arm.name, f"refused: {error}")
                continue
            self.tried += [self._tried(result, result.arm in quick) for result in results]
        for each in self.tried:
            self.not_tried.pop(each.cause, None)

    def _arms(self, fixes: Sequence[tuple[str, Fix]]) -> Iterator[Arm]:
        for cause, fix in fixes:
            try:
                yield fixed_arm(self.control, cause, fix)
            except REFUSALS as error:
                self.not_tried.setdefault(cause, f"refused: {error}")

    def _fits(self, arms: Sequence[Arm]) -> bool:
        """Return whether arms are likely to end before the share of the fixes is spent."""
        assert self.comparison is not None
        control = self.comparison.control
        factor = sum(max(1.0, arm.epochs / max(1, self.control.epochs)) for arm in arms)
        return self.spent + 0.8 * factor * control.seconds < FIXES_SHARE * self.budget

    def has_room(self, members: int) -> bool:
        """Return whether so many members more are likely to be trained within the budget."""
        assert self.comparison is not None
        control = self.comparison.control
        return self.spent + members * control.seconds / len(control.errors) < self.budget

    def _settled(self) -> bool:
        """Return whether a fix is sufficient already."""
        return any(each.explained >= SUFFICIENT and each.ratio.low > 0.0 for each in self.tried)

    def _tried(self, result: ArmResult, same_program: bool) -> Tried:
        assert self.comparison is not None
        assert result.arm.fix is not None
        ratio = error_ratio(self.comparison.control.errors, result.errors, self.confidence)
        gap = self.comparison.gap
        explained = ratio.log / gap if gap > 0 else 0.0
        return Tried(result.arm.name, result.arm.fix, result, ratio, explained, same_program)

    def smallest_sufficient(self) -> list[float]:
        """Return of each tried fix the share of bootstrap draws in which it is the smallest sufficient one.

        Sufficient is what reaches .8 of the best gain; the smallest is the one with the fewest changes, and of several
        the one that gains most.
        """
        assert self.comparison is not None
        if not self.tried:
            return []
        control = self.comparison.control.errors
        gains = np.stack([ratio_draws(control, each.result.errors) for each in self.tried])
        sizes = np.array([len(each.fix.changes) + len(each.fix.data) for each in self.tried])
        best = gains.max(axis=0)
        sufficient = (gains >= SUFFICIENT * best) & (best > 0)
        size = np.where(sufficient, sizes[:, None], np.inf)
        smallest = sufficient & (size == size.min(axis=0))
        winner = np.where(smallest, gains, -np.inf).argmax(axis=0)
        counts = np.bincount(winner[best > 0], minlength=len(self.tried))
        shares: list[float] = (counts / max(1, len(best))).tolist()
        return shares
