"""The trials of a search in an Optuna study, in memory, in a journal or in a database, that several processes share.

A search has a fixed number of *positions*, and what is trained at one follows from it. A trial of Optuna is an attempt
at a position: it fails when its process ends before it, and the position is then open again. Nothing else has to be
written for that, so there is no moment at which a killed process could take a position with it.

A process takes a position in two steps, each of which the storage does as a whole: it asks for a trial, whose number is
its *ticket*, and when all those with lower numbers have taken theirs it writes its own claim. So claims come one after
the other (Lamport's bakery, 1974, with numbers from the storage) and no position has two; a ticket whose process was
killed in between fails. A trial that has failed can neither claim nor finish: of several processes one succeeds.

Imports Optuna: it is itself imported when a search starts. Only Optuna's own objects are stored, so that its dashboard
shows the study while it grows.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from chainrule import metrics
from chainrule.passwords import without_passwords
from chainrule.population.member import Member
from chainrule.tuning.samplers import PositionalSampler, Replayed
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage
from chainrule.tuning.storage import check_identity, open_study, shown
from chainrule.tuning.workers import LEASE, Workers

log = logging.getLogger(__name__)

#: How trials are kept in a study, and the attribute of each with its claim.
FORMAT, CLAIM = "3", "claim"

#: How often to look for what other processes do, and how long to wait for it before that is said.
LOOK_EVERY, SAY_AFTER = 0.2, 2.0

#: Seconds for which a process may hold a ticket without a claim, which takes milliseconds.
TICKET_GRACE = 5.0


@dataclass(frozen=True)
class Claim:
    """What a trial is an attempt at.

    Attributes
    ----------
    position, stage : in the search
    worker : the token of the search that trains it
    bracket : the first position and the number of those that are compared with each other, where the worst are stopped
    """

    position: int
    stage: int
    worker: str
    bracket: tuple[int, int] = (0, 0)

    @staticmethod
    def of(trial: FrozenTrial) -> Claim | None:
        """Return the claim of a trial; None if it has none."""
        about = trial.user_attrs.get(CLAIM)
        return None if about is None else Claim(**about | {"bracket": tuple(about["bracket"])})


@dataclass(eq=False)
class RunningTrial:
    """A trial that this process trains.

    Attributes
    ----------
    trial, number : Optuna's trial
    claim : its place in the search
    values : labels by setting
    member : what is trained for it
    reported : epochs whose values are in the study
    told : whether it is finished there
    """

    trial: Trial
    claim: Claim
    values: dict[str, Any]
    member: Member = None  # type: ignore[assignment]
    reported: int = 0
    told: bool = False
    number: int = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.trial.number

    @property
    def stage(self) -> int:
        """The number of its stage."""
        return self.claim.stage

    @property
    def bracket(self) -> tuple[int, int]:
        """Those that it is compared with."""
        return self.claim.bracket


class TrialStore:
    """The trials of a search, those of other processes among them.

    Parameters
    ----------
    storage : where they are kept: None (in memory), the path of a journal file, a database's URL, or an Optuna study
    name : of the study
    metric : what is compared
    identity : what tells this experiment from others
    space, stages : of the search
    sampler : where values come from
    """

    def __init__(
        self,
        storage: Any,
        name: str | None,
        metric: str,
        identity: Mapping[str, str],
        space: Space,
        stages: Sequence[Stage],
        sampler: BaseSampler,
    ) -> None:
        self.metric, self.stages, self.sampler = metric, stages, Replayed(sampler)
        measure = metrics.find(metric)
        self.cost = measure.cost
        self.study = open_study(storage, name, "minimize" if measure.smaller_is_better else "maximize")
        self.study.sampler = self.sampler
        check_identity(self.study, {"format": FORMAT, **identity}, shown(storage))
        self.address = storage if isinstance(storage, str) else ""
        self.total = sum(stage.trials for stage in stages)
        self.workers = Workers(self.study)
        self._spaces: dict[int, Space] = {0: space}
        self._settled = 0  # so many trials from the first on are finished, and stay as they are: …
        self._done, self._failed = set[int](), dict[int, FrozenTrial]()  # … positions of theirs, and failed attempts
        self._first = 0  # positions below are done

    # What is known

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials that stand for a position, of these states; attempts that failed do not."""
        trials = self.study.get_trials(deepcopy=False, states=states or None)
        return [trial for trial in trials if _holds(trial)]

    def ranked(self) -> list[FrozenTrial]:
        """Return the trials that are complete, the best first."""
        complete = [trial for trial in self.trials(TrialState.COMPLETE) if trial.value is not None]
        return sorted(complete, key=lambda t: self.key(t, t.user_attrs.get("best_epoch", t.user_attrs["epochs"])))

    def key(self, trial: FrozenTrial, epoch: int) -> tuple[float, float, int]:
        """Return the key of a finished trial by what it was after an epoch."""
        losses = trial.user_attrs["curves"].get("val_loss", ())
        loss = losses[epoch - 1] if len(losses) >= epoch else None
        return self.order(trial.intermediate_values[epoch], math.nan if loss is None else loss, trial.number)

    def order(self, value: float, loss: float, number: int) -> tuple[float, float, int]:
        """Return the smaller the better: by the metric; of equal ones by the cost on validation rows; then the
        earlier.
        """
        value = self.cost(value)
        return value if math.isfinite(value) else math.inf, loss if math.isfinite(loss) else math.inf, number

    def epochs(self) -> int:
        """Epochs trained so far, in all processes."""
        return sum(max(trial.intermediate_values, default=0) for trial in self.study.get_trials(deepcopy=False))

    def stage_of(self, position: int) -> tuple[int, int]:
        """Return the stage of a position, and its first position."""
        first = 0
        for i, stage in enumerate(self.stages):
            if position < first + stage.trials:
                return i, first
            first += stage.trials
        raise IndexError(position)

    def _trials(self) -> list[FrozenTrial]:
        """Return all trials. What is finished for good is remembered."""
        trials = self.study.get_trials(deepcopy=False)
        while self._settled < len(trials) and trials[self._settled].state.is_finished():
            trial = trials[self._settled]
            if (claim := Claim.of(trial)) is not None:
                if _holds(trial):
                    self._done.add(claim.position)
                else:
                    self._failed[claim.position] = trial
            self._settled += 1
        while self._first in self._done:
            self._first += 1
        return trials

    def _open(self, trials: Sequence[FrozenTrial], batch: int | None = None) -> Iterator[int]:
        """The positions that nobody has, the first ones first.

        Left out are those of a stage that is drawn around trials which are not finished, and those of a bracket that
        another process trains.
        """
        recent = [(trial, claim) for trial in trials[self._settled :] if (claim := Claim.of(trial)) is not None]
        held = {claim.position for trial, claim in recent if _holds(trial)}
        running = {claim.position: claim for trial, claim in recent if trial.state == TrialState.RUNNING}
        elsewhere = [claim.bracket for claim in running.values() if claim.worker != self.workers.token]
        earliest = self.total  # position that is not finished
        for position in range(self._first, self.total):
            if position in self._done or (position in held and position not in running):
                continue
            stage, first = self.stage_of(position)
            if self.stages[stage].narrow and earliest < first:
                return
            earliest = min(earliest, position)
            if position not in held and not any(start <= position < start + count for start, count in elsewhere):
                yield position

    def without_secrets(self, error: Exception) -> str:
        """Return what an error says, without the password of the study's address."""
        return without_passwords(str(error), self.address)

    # Taking

    def claim(self, size: Callable[[int], int], batch: int | None, give_up: Callable[[], bool]) -> list[RunningTrial]:
        """Take the next trials, all of one stage (of one bracket, where the worst are stopped).

        Waits for trials of other processes that this search goes on from, and for processes that may have ended until
        that is known. [] if there is nothing left to begin, or at ``give_up``.

        Parameters
        ----------
        size : how many, of so many that are left of the stage; of a bracket all are taken
        batch : how many there are to a bracket; None: the whole stage
        give_up : whether to wait no longer
        """
        begin, said = time.monotonic(), False
        while not give_up():
            there = self.requeue()
            position = next(self._open(self._trials()), None)
            if position is not None:
                number, first = self.stage_of(position)
                stage = self.stages[number]
                wanted = stage.trials if len(stage.rungs) > 1 else size(first + stage.trials - position)
                claimed: list[RunningTrial] = []
                while len(claimed) < wanted and (trial := self._take(claimed, batch)) is not None:
                    claimed.append(trial)
                if claimed:
                    return claimed
            elif (awaited := self._awaited(there)) is None:
                break
            elif not said and time.monotonic() - begin >= SAY_AFTER:
                said = True
                log.warning("%s", awaited)
            time.sleep(LOOK_EVERY)
        return []

    def _take(self, claimed: Sequence[RunningTrial], batch: int | None) -> RunningTrial | None:
        """Take the next position, of the stage and bracket of those that are claimed; None if there is none."""
        if self._next(claimed, self._trials(), batch) is None:
            return None
        trial = self.study.ask()
        first_seen = time.monotonic()
        while True:
            trials = self._trials()
            ahead = [t.number for t in trials[self._settled : trial.number] if _is_ticket(t)]
            if not ahead:
                break
            # Its process is between asking and claiming, or was killed there.
            if time.monotonic() - first_seen >= TICKET_GRACE or not self.workers.others():
                for number in ahead:
                    self._tell(number, None, TrialState.FAIL)
            else:
                time.sleep(0.005)
        claim = self._next(claimed, trials, batch)
        if claim is None:  # others were faster
            self._tell(trial.number, None, TrialState.FAIL)
            return None
        try:
            trial.set_user_attr(CLAIM, {**vars(claim), "bracket": list(claim.bracket)})
        except UpdateFinishedTrialError:  # this process stood still, and was taken for one that had ended
            return self._take(claimed, batch)
        stage, first = self.stage_of(claim.position)
        space = self._space(stage)
        self.sampler.replay(self._earlier(claim.position, trials))
        if isinstance(self.sampler.sampler, PositionalSampler):
            self.sampler.sampler.plan(space, stage, claim.position - first, claim.position)
        return RunningTrial(trial, claim, space.suggest(trial))

    def _next(self, claimed: Sequence[RunningTrial], trials: Sequence[FrozenTrial], batch: int | None) -> Claim | None:
        """Return the claim that this process would make now."""
        for position in self._open(trials):
            stage, first = self.stage_of(position)
            bracket = (0, 0)
            if len(self.stages[stage].rungs) > 1:
                bracket = self._bracket(position, first, self.stages[stage].trials, trials, batch)
            if claimed and (stage, bracket) != (claimed[0].stage, claimed[0].bracket):
                return None
            return Claim(position, stage, self.workers.token, bracket)
        return None

    def _bracket(
        self, position: int, first: int, count: int, trials: Sequence[FrozenTrial], batch: int | None
    ) -> tuple[int, int]:
        """Return which positions are compared with each other from rung to rung: as it was decided once, or so many."""
        brackets = {claim.bracket for trial in trials if (claim := Claim.of(trial)) is not None and claim.bracket[1]}
        for start, size in brackets:
            if start <= position < start + size:
                return start, size
        end = min([first + count, *(start for start, _ in brackets if start > position)])
        return position, min(end - position, batch or count)

    def _earlier(self, position: int, trials: Sequence[FrozenTrial]) -> Mapping[str, Any]:
        """Return the values of the last attempt at a position."""
        attempts = [t for t in trials[self._settled :] if (c := Claim.of(t)) is not None and c.position == position]
        failed = next((t for t in reversed(attempts) if t.state == TrialState.FAIL), self._failed.get(position))
        return {} if failed is None else failed.system_attrs.get("fixed_params", {}) | failed.params

    def _space(self, stage: int) -> Space:
        """Return the space that a stage is drawn from; the trials that it is drawn around are finished."""
        if stage not in self._spaces:
            space = self._spaces[0]
            if self.stages[stage].narrow:
                before = [t for t in self.ranked() if t.user_attrs[CLAIM]["stage"] == stage - 1]
                best = before[: self.stages[stage].around(self.stages[stage - 1].trials)]
                space = space.narrowed([trial.params for trial in best])
            self._spaces[stage] = space
        return self._spaces[stage]

    def _awaited(self, there: Mapping[str, bool | None]) -> str | None:
        """Return what this process has to wait for, in words; None if other processes see to all that is left.

        ``there`` is what `requeue` has found; to look again would be to see a process end that nobody follows.
        """
        running = [claim for trial in self.trials(TrialState.RUNNING) if (claim := Claim.of(trial)) is not None]
        if not running:
            return None
        unsure = [claim.worker for claim in running if there.get(claim.worker, True) is None]
        if unsure:
            silence = self.workers.silence(unsure[0])
            return (
                f"Waiting for {_trials(len(unsure))} of a process on another machine or in another container that may "
                f"have ended: if it stays silent for {max(0.0, LEASE - silence):.0f} seconds more, "
                f"{'it is' if len(unsure) == 1 else 'they are'} trained here."
            )
        if next(self._blocked(), None) is not None:
            return f"Waiting for {_trials(len(running))} of another process, around whose best the next are drawn."
        return None

    def _blocked(self) -> Iterator[int]:
        """Positions that nobody has, of stages that cannot be drawn yet."""
        held = {claim.position for trial in self.trials() if (claim := Claim.of(trial)) is not None}
        for position in range(self._first, self.total):
            if position not in held and self.stages[self.stage_of(position)[0]].narrow:
                yield position

    # Telling

    def report(self, running: RunningTrial) -> None:
        """Write down the epochs that are new."""
        new = running.member.history.records[running.reported :]
        running.reported += len(new)
        with contextlib.suppress(UpdateFinishedTrialError):  # another process has taken this one for dead
            for record in new:
                running.trial.report(record[self.metric], int(record["epoch"]))

    def finish(self, running: RunningTrial, value: float | None, reason: str | None) -> None:
        """A trial is done: with a value, or (without one) it was stopped for a reason."""
        self.report(running)
        running.told = True
        history = running.member.history
        columns = [name for name in history.columns if name not in ("epoch", "seconds")]
        about: dict[str, Any] = {
            "epochs": len(history),
            "seconds": round(running.member.seconds, 6),
            "seed": running.member.differences["seed"],
            "curves": {name: [v if v == v else None for v in history[name]] for name in columns},
        }
        if running.member.restores():
            about["best_epoch"] = running.member.best_epoch
        if reason is not None:
            about |= {"stopped": reason, "diverged": running.member.diverged}
        with contextlib.suppress(UpdateFinishedTrialError):
            for name, content in about.items():
                running.trial.set_user_attr(name, content)
        self._tell(running.number, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)

    def release(self, running: RunningTrial, reason: str) -> None:
        """A trial is left unfinished: it fails, and its position is open again."""
        running.told = True
        with contextlib.suppress(UpdateFinishedTrialError):
            running.trial.set_user_attr("stopped", reason)
        self._tell(running.number, None, TrialState.FAIL)

    def requeue(self) -> dict[str, bool | None]:
        """Open the positions of processes that have ended; returns who goes on, see `Workers.is_there`."""
        there: dict[str, bool | None] = {self.workers.token: True}
        for trial in self.trials(TrialState.RUNNING):
            worker = trial.user_attrs[CLAIM]["worker"]
            if worker not in there:
                there[worker] = self.workers.is_there(worker)
            if there[worker] is False:
                self._tell(trial.number, None, TrialState.FAIL)
        return there

    def _tell(self, number: int, value: float | None, state: TrialState) -> None:
        """Finish a trial, unless another process has."""
        try:
            self.study.tell(number, value, state=state)
        except (UpdateFinishedTrialError, ValueError):
            if not self.study.get_trials(deepcopy=False)[number].state.is_finished():
                raise


def _holds(trial: FrozenTrial) -> bool:
    """Return whether a trial stands for its position."""
    return CLAIM in trial.user_attrs and trial.state in (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)


def _is_ticket(trial: FrozenTrial) -> bool:
    """Return whether a trial was asked for and has no claim yet."""
    return trial.state == TrialState.RUNNING and CLAIM not in trial.user_attrs


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"
