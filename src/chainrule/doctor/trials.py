"""Trials: is the recipe at fault, and which single change takes the fault away?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.doctor.arms import COMPILE_SECONDS, REFUSALS, Arm, ArmResult, Laboratory, OutOfTime, fixed_arm
from chainrule.doctor.clock import now
from chainrule.doctor.cuts import Cut, TrialRows, cut_rows
from chainrule.doctor.ratio import Ratio, error_ratio, ratio_draws
from chainrule.doctor.yardstick import linear_errors, reference_arms, tree_errors
from chainrule.models import Model
from chainrule.recipe.settings_paths import root_of
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.fixes import fixes_for
from chainrule.symptoms.reference import LEAST_STEPS
from chainrule.symptoms.subject import Subject

__all__ = ["Candidate", "Comparison", "Trials", "Tried"]

#: An alarm needs an error of the control so many times that of the reference; less is headroom.
MATERIAL = 1.20
#: The same, beside a linear model; and where next to nothing of the run was tried (in between by how much was): what is
#: slow at first may be as good in the end.
MATERIAL_LINEAR, MATERIAL_CUT = 1.35, 2.0
#: Trees that are so much better say that a larger network may be, too; which then must be by this.
MATERIAL_TREES, MATERIAL_LARGER = 1.5, 1.3

#: A fix is sufficient when it takes so much of the gap, and a part of the answer from here on.
SUFFICIENT, PART = 0.8, 0.5

#: Shares of the budget: of the control; and up to where members are added to the comparison, and fixes are tried.
CONTROL_SHARE, MORE_SHARE, FIXES_SHARE = 1 / 6, 0.5, 0.65

#: Arms of one program that are trained together with the likeliest.
AT_ONCE = 2

#: Times that members are added where an answer is near, and the share of 1 − confidence that each look may spend.
MORE_LOOKS = 2
FIRST_LOOK, LATER_LOOKS = 0.6, 0.2

#: Where the gap is wider, a fix that explains less than `HOPEFUL` for so many members is not tried on more.
SCREENED, SCREENED_GAP, HOPEFUL = 2, float(np.log(1.5)), 0.3
#: With fewer wrong rows of these members that would be chance.
SCREENED_ERRORS = 15.0

#: The rates of the reference are compared on so many cuts.
RATE_CUTS = 2


@dataclass(frozen=True, eq=False)
class Comparison:
    """The control beside the reference: whether the recipe is at fault.

    Attributes
    ----------
    control, reference : what came of them
    ratio : error of the control / error of the reference
    linear : the same beside a linear model, and its mean error; None where it was not tried
    until : the epoch up to which the control was trained; None: to its end
    material : the ratio from which on the recipe is at fault
    alarm : whether the recipe is at fault
    larger : the same beside a larger network, where that is much better than both
    """

    control: ArmResult
    reference: ArmResult
    ratio: Ratio
    linear: Ratio | None
    linear_error: float | None
    until: int | None
    material: float
    alarm: bool
    larger: Ratio | None = None

    @property
    def gap(self) -> float:
        """Log of the error ratio that a fix is measured by: that of the better yardstick."""
        return max(each.log for each in (self.ratio, self.linear, self.larger) if each is not None)


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


@dataclass(frozen=True)
class Candidate:
    """A fix that may be tried: for which cause, and how likely it is that it helps."""

    cause: str
    fix: Fix
    probability: float


@dataclass(frozen=True, eq=False)
class _Waiting:
    """An arm that may be trained: whether it is of the control's program, and about how many seconds it takes."""

    arm: Arm
    probability: float
    same_program: bool
    cost: float


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
        self.began = now()
        # Where the user has classes count otherwise than by their rows, all count alike here, too.
        self.weights = self.rows.class_weights if self.control.settings.class_weight is not None else None
        self.larger: list[Tried] = []  # networks, by which the recipe was told to be at fault
        self.quick_arms: list[Arm] = []  # of the control's program: nothing is compiled for them
        self.other_arms: list[Arm] = []
        self.cuts = cut_rows(self.rows, max(self.rows.folds, 4), self.seed)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return now() - self.began

    # --- is the recipe at fault? --------------------------------------------------------------------------------

    def compare(self) -> Comparison:
        """Train control and reference, and compare them; sets and returns `comparison`."""
        control, until, cuts = self._control()
        reference_arm, reference = self._reference(control, cuts, until)
        self.cuts = cuts
        model = self.laboratory.members(reference_arm, cuts[:1])[0].run().model
        linear = linear_errors(model, self.rows, cuts)
        self.comparison = self._judge(control, reference, linear, until, FIRST_LOOK)
        for _ in range(MORE_LOOKS):
            if (
                self.comparison.alarm
                or self.comparison.ratio.value < self.comparison.material
                or not self._room_for_more(control, reference)
            ):
                break
            more = cut_rows(self.rows, len(self.cuts), self.seed + 100 * (1 + len(self.cuts)))
            added = self.laboratory.run([control.arm, reference_arm], [more, more], until)
            control, reference = control.joined(added[0]), reference.joined(added[1])
            self.cuts = [*self.cuts, *more]
            self.comparison = self._judge(control, reference, None, until, LATER_LOOKS)
        if not self.comparison.alarm and until is None:
            self._compare_larger(model)
        return self.comparison

    def _compare_larger(self, model: Model) -> None:
        """Compare with larger networks, where trees are much better than the control.

        A reference of the same layers cannot tell that these are too few units.
        """
        assert self.comparison is not None
        control = self.comparison.control
        fixes = fixes_for("too_small", self.subject)
        if not fixes or not self._room_for_more(control, control):
            return
        trees = tree_errors(model, self.rows, self.cuts)
        if trees is None:
            return
        beside = error_ratio(control.errors, trees, self.confidence, self.weights)
        if beside.value < MATERIAL_TREES or beside.low <= 0.0:
            return
        for fix in fixes:
            (larger,) = self.laboratory.run([fixed_arm(self.control, "too_small", fix)], [self.cuts])
            ratio = error_ratio(control.errors, larger.errors, self.confidence, self.weights)
            if ratio.value >= MATERIAL_LARGER and ratio.low > 0.0:
                self.comparison = dataclasses.replace(self.comparison, larger=ratio, alarm=True)
                self.larger.append(Tried("too_small", fix, larger, ratio, ratio.log / self.comparison.gap, False))

    def _control(self) -> tuple[ArmResult, int | None, list[Cut]]:
        """Train the control; of a long run the beginning, with fewer members."""
        return self.laboratory.run_within(self.control, self.cuts, CONTROL_SHARE * self.budget)

    def _reference(self, control: ArmResult, cuts: Sequence[Cut], until: int | None) -> tuple[Arm, ArmResult]:
        """Train the reference, at the rate that the rows which tell when to stop choose."""
        arms = reference_arms(self.subject, self.control, len(cuts[0].train), self._reference_steps(control, until))
        first = list(cuts[:RATE_CUTS])
        results = self.laboratory.run(arms, [first] * len(arms))
        best = min(results, key=lambda result: (np.isnan(result.stopping), result.stopping, result.error))
        if len(first) < len(cuts):
            (others,) = self.laboratory.run([best.arm], [cuts[len(first) :]])
            best = best.joined(others)
        return best.arm, best

    def _reference_steps(self, control: ArmResult, until: int | None) -> int | None:
        """Return the steps of the reference: as many as the control had where that was cut; None: as it likes."""
        if until is None:
            return None
        rows, batch = len(self.cuts[0].others), int(self.control.settings.batch_size)
        whole = self.control.epochs * -(-rows // batch)
        return max(1, round(max(whole, LEAST_STEPS) * until / self.control.epochs))

    def _judge(
        self,
        control: ArmResult,
        reference: ArmResult,
        linear: np.ndarray | None,
        until: int | None,
        share: float,
    ) -> Comparison:
        confidence = 1 - (1 - self.confidence) * share
        ratio = error_ratio(control.errors, reference.errors, confidence, self.weights)
        beside_linear = None if linear is None else error_ratio(control.errors, linear, confidence, self.weights)
        done = 1.0 if until is None else until / self.control.epochs
        material = done * MATERIAL + (1 - done) * MATERIAL_CUT
        alarm = ratio.value >= material and ratio.low > 0.0
        if beside_linear is not None and until is None:
            alarm |= beside_linear.value >= MATERIAL_LINEAR and beside_linear.low > 0.0
        linear_error = None if linear is None else float(np.nanmean(linear))
        return Comparison(control, reference, ratio, beside_linear, linear_error, until, material, alarm)

    def _room_for_more(self, control: ArmResult, reference: ArmResult) -> bool:
        """Return whether as many members again leave half of the budget for fixes."""
        return self.spent + control.training_seconds + reference.seconds < MORE_SHARE * self.budget

    # --- which part? ----------------------------------------------------------------------------------------------

    def try_fixes(self, candidates: Sequence[Candidate]) -> None:
        """Try fixes on the control's cuts until one is sufficient: those first that are likely and cheap.

        What does not fit in the budget, or is refused, goes to `not_tried`.
        """
        waiting = self._waiting(candidates)
        self.quick_arms += [each.arm for each in waiting if each.same_program]
        self.other_arms += [each.arm for each in waiting if not each.same_program]
        while waiting:
            batch = self._next(waiting)
            waiting = [each for each in waiting if each not in batch]
            if self._settled() or not self._fits(batch):
                why = "another change was sufficient" if self._settled() else "the budget was spent"
                self._leave_out(batch, why)
                continue
            try:
                self.tried += self._results(batch)
            except OutOfTime:
                self._leave_out(batch, "the budget was spent")
            except REFUSALS as error:
                self._leave_out(batch, f"refused: {error}")
        # A larger network may make up for anything that holds the units back, so it settles nothing.
        self.tried += [each for each in self.larger if each not in self.tried]
        for tried in self.tried:
            self.not_tried.pop(tried.cause, None)

    def _results(self, batch: Sequence[_Waiting]) -> list[Tried]:
        """Return what comes of arms: of those that do nothing for the first two members, by these alone."""
        assert self.comparison is not None
        first = self.cuts[:SCREENED] if self._screens() else self.cuts
        results = self.laboratory.run([each.arm for each in batch], [first] * len(batch), self.until)
        tried = [self._tried(result, each.same_program) for result, each in zip(results, batch, strict=True)]
        rest = self.cuts[len(first) :]
        hopeful = [at for at, each in enumerate(tried) if each.explained >= HOPEFUL]
        if rest and hopeful:
            more = self.laboratory.run([batch[at].arm for at in hopeful], [rest] * len(hopeful), self.until)
            for at, result in zip(hopeful, more, strict=True):
                tried[at] = self._tried(results[at].joined(result), batch[at].same_program)
        return tried

    def try_pairs(self) -> None:
        """Try the best three in pairs, where no single fix explains half of the gap.

        What a pair does is told of the cause whose fix does more alone.
        """
        if not self.tried or max(each.explained for each in self.tried) >= PART:
            return
        best: list[Tried] = []
        for each in sorted(self.tried, key=lambda tried: -tried.explained):
            if each.cause not in {other.cause for other in best} and each.ratio.high >= 0:
                best.append(each)
        for first, second in itertools.combinations(best[:3], 2):
            if first.fix.data or second.fix.data or {*first.fix.changes} & {*second.fix.changes}:
                continue
            both = Fix(f"{first.fix.text} {second.fix.text}", {**first.fix.changes, **second.fix.changes})
            self.try_fixes([Candidate(first.cause, both, 1.0)])

    @property
    def until(self) -> int | None:
        """The epoch up to which arms are trained; None: each to its end."""
        return None if self.comparison is None else self.comparison.until

    def _waiting(self, candidates: Sequence[Candidate]) -> list[_Waiting]:
        """Return the arms of candidates, the best ratio of probability and cost first."""
        program = self.laboratory.program(self.control, self.cuts[0])
        waiting = []
        for each in candidates:
            try:
                arm = fixed_arm(self.control, each.cause, each.fix)
                same = self.laboratory.program(arm, self.cuts[0]) == program
            except REFUSALS as error:
                self.not_tried.setdefault(each.cause, f"refused: {error}")
                continue
            if self.until is not None and arm.epochs != self.control.epochs:
                self.not_tried.setdefault(each.cause, f"only the first {self.until} epochs were tried")
                continue
            waiting.append(_Waiting(arm, each.probability, same, self._cost(arm, same)))
        return sorted(waiting, key=lambda each: -each.probability / each.cost)

    def _cost(self, arm: Arm, same_program: bool) -> float:
        """Return about how many seconds an arm takes."""
        assert self.comparison is not None
        control = self.comparison.control
        longer = max(1.0, arm.epochs / max(1, control.epochs if arm.stops else self.control.epochs))
        rows, batch = self.control.settings.batch_size, arm.changes.get("batch_size", self.control.settings.batch_size)
        steps = min(4.0, max(1.0, int(rows) / int(batch)))
        compiling = 0.0 if same_program or control.engine == "numpy" else COMPILE_SECONDS
        members = SCREENED / len(self.cuts) if self._screens() else 1.0
        return longer * steps * members * control.training_seconds + compiling

    def _screens(self) -> bool:
        """Return whether two members can tell that a fix does nothing: the gap is wide, and enough rows are wrong."""
        assert self.comparison is not None
        wrong = float(np.nansum(self.comparison.control.errors[:SCREENED]))
        return self.comparison.gap > SCREENED_GAP and wrong >= SCREENED_ERRORS

    def _next(self, waiting: Sequence[_Waiting]) -> list[_Waiting]:
        """Return the arms to train next: the best, and of its program some that are nearly as good."""
        best = waiting[0]
        if not best.same_program:
            return [best]
        others = [each for each in waiting[1:] if each.same_program and each.probability >= best.probability / 4]
        return [best, *others[:AT_ONCE]]

    def _leave_out(self, batch: Sequence[_Waiting], why: str) -> None:
        for each in batch:
            self.not_tried.setdefault(each.arm.name, why)

    def _fits(self, batch: Sequence[_Waiting]) -> bool:
        """Return whether arms are likely to end before the share of the fixes is spent."""
        return self.spent + sum(each.cost for each in batch) < FIXES_SHARE * self.budget

    def has_room(self, members: int) -> bool:
        """Return whether so many members more are likely to be trained within the budget."""
        assert self.comparison is not None
        control = self.comparison.control
        return self.spent + members * control.training_seconds / len(control.errors) < self.budget

    def _settled(self) -> bool:
        """Return whether a fix is sufficient already."""
        return any(each.explained >= SUFFICIENT and each.ratio.low > 0.0 for each in self.tried)

    def _tried(self, result: ArmResult, same_program: bool) -> Tried:
        assert self.comparison is not None
        assert result.arm.fix is not None
        control = self.comparison.control.errors[: len(result.errors)]
        ratio = error_ratio(control, result.errors, self.confidence, self.weights)
        gap = self.comparison.gap
        explained = ratio.log / gap if gap > 0 else 0.0
        return Tried(result.arm.name, result.arm.fix, result, ratio, explained, same_program)

    def smallest_sufficient(self) -> list[float]:
        """Return of each tried fix the share of bootstrap draws in which it is the smallest sufficient one.

        Sufficient is what reaches .8 of the best gain; the smallest is the one that changes the fewest parts of the run
        (a rate in all layers is one), and of several the one that gains most.
        """
        assert self.comparison is not None
        if not self.tried:
            return []
        control = self.comparison.control.errors
        gains = np.stack(
            [ratio_draws(control[: len(each.result.errors)], each.result.errors, self.weights) for each in self.tried]
        )
        sizes = np.array([len({*map(root_of, each.fix.changes)}) + len(each.fix.data) for each in self.tried])
        best = gains.max(axis=0)
        sufficient = (gains >= SUFFICIENT * best) & (best > 0)
        size = np.where(sufficient, sizes[:, None], np.inf)
        smallest = sufficient & (size == size.min(axis=0))
        winner = np.where(smallest, gains, -np.inf).argmax(axis=0)
        counts = np.bincount(winner[best > 0], minlength=len(self.tried))
        shares: list[float] = (counts / max(1, len(best))).tolist()
        return shares
