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
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from chainrule import metrics
from chainrule.passwords import without_passwords
from chainrule.runs.files import STUDY_FORMAT
from chainrule.tuning.claims import CLAIM, Claim, RunningTrial, holds_position, is_ticket
from chainrule.tuning.samplers import PositionalSampler, Replayed
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage
from chainrule.tuning.storage import check_identity, format_storage, open_study
from chainrule.tuning.workers import LEASE, Workers

log = logging.getLogger(__name__)

#: Seconds between two looks at what other processes do, and of waiting for them before that is logged.
LOOK_EVERY, SAY_AFTER = 0.2, 2.0

#: Seconds for which a process may hold a ticket without a claim, which takes milliseconds.
TICKET_GRACE = 5.0


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
        check_identity(self.study, {"format": STUDY_FORMAT, **identity}, format_storage(storage))
        self.address = storage if isinstance(storage, str) else ""
        self.total = sum(stage.trials for stage in stages)
        self.workers = Workers(self.study)
        self._stage_spaces: dict[int, Space] = {0: space}
        self._all_finished = 0  # so many trials from the first on are finished, and stay as they are:
        self._finished_positions = set[int]()  # theirs
        self._failed_attempts: dict[int, FrozenTrial] = {}  # the last failed one of them at a position
        self._first_open = 0  # positions below are finished

    # What the study holds

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the trials that hold a position, of these states; attempts that failed do not."""
        trials = self.study.get_trials(deepcopy=False, states=states or None)
        return [trial for trial in trials if holds_position(trial)]

    def ranked(self) -> list[FrozenTrial]:
        """Return the trials that are complete, the best first."""
        complete = [trial for trial in self.trials(TrialState.COMPLETE) if trial.value is not None]
        return sorted(complete, key=lambda t: self.key(t, t.user_attrs.get("best_epoch", t.user_attrs["epochs"])))

    def key(self, trial: FrozenTrial, epoch: int) -> tuple[float, float, int]:
        """Return what orders a finished trial by its values after an epoch."""
        losses = trial.user_attrs["curves"].get("val_loss", ())
        loss = losses[epoch - 1] if len(losses) >= epoch else None
        return self.order(trial.intermediate_values[epoch], math.nan if loss is None else loss, trial.number)

    def order(self, value: float, loss: float, number: int) -> tuple[float, float, int]:
        """Return what orders trials: metric, then cost on validation rows, then number; smaller is better."""
        value = self.cost(value)
        return value if math.isfinite(value) else math.inf, loss if math.isfinite(loss) else math.inf, number

    def epochs(self) -> int:
        """Return the number of epochs trained so far, in all processes."""
        return sum(max(trial.intermediate_values, default=0) for trial in self.study.get_trials(deepcopy=False))

    def stage_of(self, position: int) -> tuple[int, int]:
        """Return the stage of a position, and its first position."""
        first = 0
        for i, stage in enumerate(self.stages):
            if position < first + stage.trials:
                return i, first
            first += stage.trials
        raise IndexError(position)

    def _read_trials(self) -> list[FrozenTrial]:
        """Return all trials, and remember those that are finished."""
        trials = self.study.get_trials(deepcopy=False)
        while self._all_finished < len(trials) and trials[self._all_finished].state.is_finished():
            trial = trials[self._all_finished]
            if (claim := Claim.of(trial)) is not None:
                if holds_position(trial):
                    self._finished_positions.add(claim.position)
                else:
                    self._failed_attempts[claim.position] = trial
            self._all_finished += 1
        while self._first_open in self._finished_positions:
            self._first_open += 1
        return trials

    def _open_positions(self, trials: Sequence[FrozenTrial]) -> Iterator[int]:
        """Yield the positions that nobody has, the first ones first.

        Left out are those of a stage that is drawn around trials which are not finished, and those of a bracket that
        another process trains.
        """
        recent = [(trial, claim) for trial in trials[self._all_finished :] if (claim := Claim.of(trial)) is not None]
        taken = {claim.position for trial, claim in recent if holds_position(trial)}
        running = {claim.position: claim for trial, claim in recent if trial.state == TrialState.RUNNING}
        training_elsewhere = [claim.bracket for claim in running.values() if claim.worker != self.workers.token]
        earliest = self.total  # position that is not finished
        for position in range(self._first_open, self.total):
            if position in self._finished_positions or (position in taken and position not in running):
                continue
            stage, first = self.stage_of(position)
            if self.stages[stage].narrow and earliest < first:
                return
            earliest = min(earliest, position)
            elsewhere = any(start <= position < start + count for start, count in training_elsewhere)
            if position not in taken and not elsewhere:
                yield position

    def without_secrets(self, error: Exception) -> str:
        """Return what an error says, without the password of the study's address."""
        return without_passwords(str(error), self.address)

    # Claiming

    def claim(
        self, batch_size: Callable[[int], int], bracket_size: int | None, give_up: Callable[[], bool]
    ) -> list[RunningTrial]:
        """Take the next trials, all of one stage (of one bracket, where the worst are stopped).

        Waits for trials of other processes that this search goes on from, and for processes that may have ended until
        that is known. [] if there is nothing left to begin, or at ``give_up``.

        Parameters
        ----------
        batch_size : how many to take, by how many are left of the stage; of a bracket all are taken
        bracket_size : how many there are to a bracket; None: the whole stage
        give_up : whether to wait no longer
        """
        begin, announced = time.monotonic(), False
        while not give_up():
            known_workers = self.requeue()
            position = next(self._open_positions(self._read_trials()), None)
            if position is not None:
                stage_number, first = self.stage_of(position)
                stage = self.stages[stage_number]
                count = stage.trials if len(stage.rungs) > 1 else batch_size(first + stage.trials - position)
                claimed: list[RunningTrial] = []
                while len(claimed) < count and (trial := self._claim_next(claimed, bracket_size)) is not None:
                    claimed.append(trial)
                if claimed:
                    return claimed
            elif (reason := self._waiting_for(known_workers)) is None:
                break
            elif not announced and time.monotonic() - begin >= SAY_AFTER:
                announced = True
                log.warning("%s", reason)
            time.sleep(LOOK_EVERY)
        return []

    def _claim_next(self, claimed: Sequence[RunningTrial], bracket_size: int | None) -> RunningTrial | None:
        """Take the next position, of the stage and bracket of those that are claimed; None if there is none."""
        if self._next_claim(claimed, self._read_trials(), bracket_size) is None:
            return None
        trial = self.study.ask()
        first_seen = time.monotonic()
        while True:
            trials = self._read_trials()
            ahead = [t.number for t in trials[self._all_finished : trial.number] if is_ticket(t)]
            if not ahead:
                break
            # Its process is between asking and claiming, or was killed there.
            if time.monotonic() - first_seen >= TICKET_GRACE or not self.workers.others():
                for number in ahead:
                    self._finish_trial(number, None, TrialState.FAIL)
            else:
                time.sleep(0.005)
        claim = self._next_claim(claimed, trials, bracket_size)
        if claim is None:  # others were faster
            self._finish_trial(trial.number, None, TrialState.FAIL)
            return None
        try:
            trial.set_user_attr(CLAIM, {**vars(claim), "bracket": list(claim.bracket)})
        except UpdateFinishedTrialError:  # this process stood still, and was taken for one that had ended
            return self._claim_next(claimed, bracket_size)
        stage, first = self.stage_of(claim.position)
        space = self._space_of(stage)
        self.sampler.replay(self._earlier_values(claim.position, trials))
        if isinstance(self.sampler.sampler, PositionalSampler):
            self.sampler.sampler.plan(space, stage, claim.position - first, claim.position)
        return RunningTrial(trial, claim, space.suggest(trial))

    def _next_claim(
        self, claimed: Sequence[RunningTrial], trials: Sequence[FrozenTrial], bracket_size: int | None
    ) -> Claim | None:
        """Return the claim that this process would make now."""
        for position in self._open_positions(trials):
            stage, first = self.stage_of(position)
            bracket = (0, 0)
            if len(self.stages[stage].rungs) > 1:
                bracket = self._bracket_of(position, first, self.stages[stage].trials, trials, bracket_size)
            if claimed and (stage, bracket) != (claimed[0].stage, claimed[0].bracket):
                return None
            return Claim(position, stage, self.workers.token, bracket)
        return None

    def _bracket_of(
        self, position: int, first: int, count: int, trials: Sequence[FrozenTrial], bracket_size: int | None
    ) -> tuple[int, int]:
        """Return the first and the number of the positions compared with this one: as decided before, or so many."""
        brackets = {claim.bracket for trial in trials if (claim := Claim.of(trial)) is not None and claim.bracket[1]}
        for start, size in brackets:
            if start <= position < start + size:
                return start, size
        end = min([first + count, *(start for start, _ in brackets if start > position)])
        return position, min(end - position, bracket_size or count)

    def _earlier_values(self, position: int, trials: Sequence[FrozenTrial]) -> Mapping[str, Any]:
        """Return the values of the last attempt at a position."""
        attempts = [
            t for t in trials[self._all_finished :] if (c := Claim.of(t)) is not None and c.position == position
        ]
        failed = next(
            (t for t in reversed(attempts) if t.state == TrialState.FAIL), self._failed_attempts.get(position)
        )
        return {} if failed is None else failed.system_attrs.get("fixed_params", {}) | failed.params

    def _space_of(self, stage: int) -> Space:
        """Return the space that a stage is drawn from; the trials that it is drawn around are finished."""
        if stage not in self._stage_spaces:
            space = self._stage_spaces[0]
            if self.stages[stage].narrow:
                before = [t for t in self.ranked() if t.user_attrs[CLAIM]["stage"] == stage - 1]
                best = before[: self.stages[stage].around(self.stages[stage - 1].trials)]
                space = space.narrowed([trial.params for trial in best])
            self._stage_spaces[stage] = space
        return self._stage_spaces[stage]

    def _waiting_for(self, known_workers: Mapping[str, bool | None]) -> str | None:
        """Return what this process has to wait for, in words; None if other processes see to all that is left.

        ``known_workers`` is what `requeue` returned: to look again would be to see a process end that nobody follows.
        """
        running = [claim for trial in self.trials(TrialState.RUNNING) if (claim := Claim.of(trial)) is not None]
        if not running:
            return None
        uncertain = [claim.worker for claim in running if known_workers.get(claim.worker, True) is None]
        if uncertain:
            silence = self.workers.silence(uncertain[0])
            return (
                f"Waiting for {_count_trials(len(uncertain))} of a process on another machine or in another container "
                f"that may have ended: if it stays silent for {max(0.0, LEASE - silence):.0f} seconds more, "
                f"{'it is' if len(uncertain) == 1 else 'they are'} trained here."
            )
        if next(self._blocked_positions(), None) is not None:
            return (
                f"Waiting for {_count_trials(len(running))} of another process, around whose best the next are drawn."
            )
        return None

    def _blocked_positions(self) -> Iterator[int]:
        """Yield the positions that nobody has, of stages that cannot be drawn yet."""
        taken = {claim.position for trial in self.trials() if (claim := Claim.of(trial)) is not None}
        for position in range(self._first_open, self.total):
            if position not in taken and self.stages[self.stage_of(position)[0]].narrow:
                yield position

    # Recording

    def report(self, running: RunningTrial) -> None:
        """Record the epochs that are new."""
        new = running.member.history.records[running.reported :]
        running.reported += len(new)
        with contextlib.suppress(UpdateFinishedTrialError):  # another process has taken this one for dead
            for record in new:
                running.trial.report(record[self.metric], int(record["epoch"]))

    def finish(self, running: RunningTrial, value: float | None, reason: str | None) -> None:
        """Finish a trial with a value, or without one if it was stopped for a reason."""
        self.report(running)
        running.finished = True
        history = running.member.history
        columns = [name for name in history.columns if name not in ("epoch", "seconds")]
        attributes: dict[str, Any] = {
            "epochs": len(history),
            "seconds": round(running.member.seconds, 6),
            "seed": running.member.differences["seed"],
            "curves": {name: [v if v == v else None for v in history[name]] for name in columns},
        }
        if running.member.restores():
            attributes["best_epoch"] = running.member.best_epoch
        if reason is not None:
            attributes |= {"stopped": reason, "diverged": running.member.diverged}
        with contextlib.suppress(UpdateFinishedTrialError):
            for name, attribute in attributes.items():
                running.trial.set_user_attr(name, attribute)
        self._finish_trial(running.number, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)

    def release(self, running: RunningTrial, reason: str) -> None:
        """Let a trial fail that is left unfinished, so that its position is open again."""
        running.finished = True
        with contextlib.suppress(UpdateFinishedTrialError):
            running.trial.set_user_attr("stopped", reason)
        self._finish_trial(running.number, None, TrialState.FAIL)

    def requeue(self) -> dict[str, bool | None]:
        """Open the positions of processes that have ended; return which go on, see `Workers.is_alive`."""
        known_workers: dict[str, bool | None] = {self.workers.token: True}
        for trial in self.trials(TrialState.RUNNING):
            worker = trial.user_attrs[CLAIM]["worker"]
            if worker not in known_workers:
                known_workers[worker] = self.workers.is_alive(worker)
            if known_workers[worker] is False:
                self._finish_trial(trial.number, None, TrialState.FAIL)
        return known_workers

    def _finish_trial(self, number: int, value: float | None, state: TrialState) -> None:
        """Set the state of a trial, unless another process has finished it."""
        try:
            self.study.tell(number, value, state=state)
        except (UpdateFinishedTrialError, ValueError):
            if not self.study.get_trials(deepcopy=False)[number].state.is_finished():
                raise


def _count_trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"
