"""The work of a search in one process: trials are claimed, trained as populations, and recorded in the study."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.errors import FileError, NothingLeftError, SettingError
from chainrule.population import Member
from chainrule.signals import Terminated, with_message
from chainrule.training.run import Run
from chainrule.tuning.experiment import Experiment
from chainrule.tuning.ranking import all_diverged, rank, read_trial, state_of
from chainrule.tuning.result import SearchResult
from chainrule.tuning.retrain import retrained
from chainrule.tuning.show import SearchProgress, Watch
from chainrule.tuning.stages import Stage

if TYPE_CHECKING:
    from chainrule.tuning.claims import RunningTrial
    from chainrule.tuning.trial_store import TrialStore

#: Seconds between two calls of those who watch, at the least.
SECONDS_BETWEEN_CALLS = 0.25

#: Why a trial ended that had no time or epochs left.
SPENT = "the time or the epochs of the search were spent"


class _BudgetSpent(Exception):
    """The time or the epochs are spent."""


class SearchRunner:
    """The trials of this process, batch by batch.

    Parameters
    ----------
    experiment, store : what is trained for a trial, and where trials are kept
    batch_size : trials to a batch, by how many are left of the stage
    bracket_size : trials to a batch of a stage with rungs, which are compared with each other; None: the whole stage
    started : when the search began, by the monotonic clock
    timeout, max_epochs : when it ends at the latest
    """

    def __init__(
        self,
        experiment: Experiment,
        store: TrialStore,
        batch_size: Callable[[int], int],
        bracket_size: int | None,
        started: float,
        timeout: float | None,
        max_epochs: int | None,
    ) -> None:
        self.experiment, self.store = experiment, store
        self.batch_size, self.bracket_size = batch_size, bracket_size
        self.started, self.timeout, self.max_epochs = started, timeout, max_epochs
        self.batch: dict[int, RunningTrial] = {}  # by the id of the member
        self.epoch_ends: dict[int, int] = {}  # how often a member has come to the end of an epoch, by its id
        self.best_member: tuple[tuple[float, float, int], Member] | None = None  # of the trials of this process
        self.best: tuple[float, int] | None = None  # cost and number of the best finished trial, of all processes
        self.epochs, self.has_begun = 0, False
        self.watchers: list[Watch] = []
        self.last_call = -math.inf  # of those who watch

    def run(self, watchers: Iterable[Watch], stored: bool) -> None:
        """Train until no trial is left, or the time or the epochs are spent; ``stored``: not in memory only."""
        from optuna.exceptions import StorageInternalError

        self.watchers = list(watchers)
        store = self.store
        try:
            with store.workers.present():
                self._run_batches()
        except (KeyboardInterrupt, Terminated) as error:
            finished = len(store.ranked())
            hint = "The same call goes on." if stored else 'With study="search.journal" they would be kept.'
            message = f"Interrupted: {finished} of {store.total} trials are finished."
            raise with_message(error, message, hint) from None
        except (OSError, StorageInternalError) as error:
            if not stored:
                raise
            raise FileError(
                f"The search could not go on, since its study cannot be written to: {store.without_secrets(error)}. "
                "What is in it is kept; the same call goes on."
            ) from None

    def _run_batches(self) -> None:
        """Claim and train batches of trials until none is left, or the budget is spent."""
        finished = self.store.ranked()
        self.has_begun, self.epochs = bool(finished), self.store.epochs()
        if finished:
            self._update_best(finished[0].value, finished[0].number)
        while not self.is_spent() and (trials := self.store.claim(self.batch_size, self.bracket_size, self.is_spent)):
            self._train(trials)
            self._notify(last=True)

    def is_spent(self) -> bool:
        """Return whether time or epochs are spent; not before some trials were trained."""
        if not self.has_begun:
            return False
        if self.timeout is not None and time.monotonic() - self.started >= self.timeout:
            return True
        return self.max_epochs is not None and self.epochs >= self.max_epochs

    def _train(self, trials: list[RunningTrial]) -> None:
        """Train a batch to its end, stopping the worst at each rung."""
        stage = self.store.stages[trials[0].stage]
        self.epochs = self.store.epochs()
        try:
            differences = [self._differences(trial.values, stage) for trial in trials]
            for trial, member in zip(trials, self.experiment.trainer.add_members(differences), strict=True):
                trial.member = member
            self.batch = {id(trial.member): trial for trial in trials}
            self.epoch_ends = dict.fromkeys(self.batch, 0)
            for i, epoch in enumerate(stage.rungs):
                is_last = i == len(stage.rungs) - 1
                members = [trial.member for trial in trials if not trial.finished]
                self.experiment.trainer.train(members, until=None if is_last else epoch, watch=self._watch)
                for trial in trials:
                    self._collect(trial)
                if not is_last:
                    self._prune(trials, stage, i)
        except _BudgetSpent:
            for trial in trials:
                self._truncate(trial)
        except BaseException:
            for trial in trials:
                if not trial.finished:
                    self.store.release(trial, "interrupted")
            raise
        finally:
            self._keep_best_member(trials)
            self.batch = {}

    def _differences(self, values: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
        """Return the differences of a trial's member."""
        return {"epochs": stage.epochs} | self.experiment.member(values)

    def _watch(self, moved: Sequence[Member]) -> None:
        """Record the epoch that some members have come to the end of."""
        self.has_begun = True
        for member in moved:
            trial = self.batch[id(member)]
            self.epoch_ends[id(member)] += 1
            # Another thread may be in the middle of a member's last epoch: its end is recorded later.
            if member.done and self.epoch_ends[id(member)] >= len(member.history) + member.diverged:
                self._collect(trial)
            else:
                self._report(trial)
        self._notify()
        if self.is_spent():
            raise _BudgetSpent

    def _report(self, trial: RunningTrial) -> None:
        """Write the epochs that are new into the study."""
        self.epochs += len(trial.member.history) - trial.reported
        self.store.report(trial)

    def _collect(self, trial: RunningTrial) -> None:
        """Write into the study what a member has come to; if it is done, finish its trial."""
        if trial.finished:
            return
        self._report(trial)
        member = trial.member
        if member.done:
            value = self._value(member)
            reason = member.stopped or (None if value is not None else f"{self.experiment.metric} is no number")
            self._finish(trial, value, reason)

    def _truncate(self, trial: RunningTrial) -> None:
        """End a trial since the budget is spent: with the value that it has, or else it waits for the next call."""
        self._collect(trial)
        if trial.finished:
            return
        if (value := self._value(trial.member)) is not None:
            self._finish(trial, value, SPENT)
        else:
            self.store.release(trial, SPENT)

    def _finish(self, trial: RunningTrial, value: float | None, reason: str | None) -> None:
        self.store.finish(trial, value, reason)
        self._update_best(value, trial.number)

    def _prune(self, trials: list[RunningTrial], stage: Stage, rung: int) -> None:
        """Stop the worst of each bracket: of n trials that began, n/factor^(rung+1) go on."""
        epoch = stage.rungs[rung]
        live = [trial for trial in trials if not trial.finished]
        numbers = {trial.number for trial in live}
        for bracket in {trial.bracket for trial in live}:
            rivals = [self._key(trial) for trial in live if trial.bracket == bracket]
            # After an interruption some of the bracket are finished already.
            rivals += [
                self.store.key(other, epoch)
                for other in self.store.trials()
                if other.number not in numbers
                and other.user_attrs["claim"]["bracket"] == list(bracket)
                and other.state.is_finished()
                and epoch in other.intermediate_values
            ]
            keep = stage.keep(bracket[1], rung)
            best = {number for *_, number in sorted(rivals)[:keep]}
            for trial in live:
                if trial.bracket == bracket and trial.number not in best:
                    self.store.finish(trial, None, f"not among the best {keep} of {len(rivals)} after epoch {epoch}")
                    trial.member.drop_state()

    def _value(self, member: Member) -> float | None:
        """Return the metric at the epoch whose weights a member has; None if it has come to nothing."""
        if member.diverged or not len(member.history):
            return None
        value = member.history[self.experiment.metric][_model_epoch(member) - 1]
        return value if math.isfinite(value) else None

    def _key(self, trial: RunningTrial) -> tuple[float, float, int]:
        """Return what orders trials that are under way."""
        record = trial.member.history.records[_model_epoch(trial.member) - 1]
        return self.store.order(record[self.experiment.metric], record["val_loss"], trial.number)

    def _keep_best_member(self, trials: list[RunningTrial]) -> None:
        """Drop the weights of all members of this process but the best one."""
        for trial in trials:
            member = trial.member
            if member is None or member.state is None:
                continue
            has_value = trial.finished and self._value(member) is not None
            if not has_value or (self.best_member and self._key(trial) >= self.best_member[0]):
                member.drop_state()
                continue
            if self.best_member is not None:
                self.best_member[1].drop_state()
            self.best_member = (self._key(trial), member)

    def _update_best(self, value: float | None, number: int) -> None:
        """Take a finished trial into account for the best one."""
        self.best = self._best_with([(value, number)])

    def _best_with(self, values: Iterable[tuple[float | None, int]]) -> tuple[float, int] | None:
        """Return cost and number of the best of these trials and of those that are finished."""
        costs = [(self.store.cost(v), number) for v, number in values if v is not None and math.isfinite(v)]
        return min([*costs, *([self.best] if self.best is not None else [])], default=None)

    def _notify(self, last: bool = False) -> None:
        """Tell those who watch the progress of the search; not more than some times a second."""
        now = time.monotonic()
        if not last and now - self.last_call < SECONDS_BETWEEN_CALLS:
            return
        self.last_call = now
        states = [state_of(trial) for trial in self.store.trials()]
        training = [trial for trial in self.batch.values() if not trial.finished]
        best = self._best_with([(self._value(trial.member), trial.number) for trial in training])
        progress = SearchProgress(
            finished=sum(state in ("complete", "pruned", "diverged") for state in states),
            trials=self.store.total,
            training=len(training),
            stopped=states.count("pruned"),
            diverged=states.count("diverged"),
            epochs=self.epochs,
            metric=self.experiment.metric,
            value=None if best is None else self.store.cost(best[0]),
            trial=None if best is None else best[1],
            seconds=now - self.started,
        )
        for watch in self.watchers:
            watch(progress)

    def result(self, staged: bool, retrain: bool) -> SearchResult:
        """Return the result of the search, as far as the study has it."""
        experiment, store = self.experiment, self.store
        trials = [read_trial(trial, experiment.space) for trial in store.trials()]
        ranking = rank(trials, store.order)
        winner = ranking[0] if ranking else None
        if winner is None or winner.value is None:
            if any(trial.state == "diverged" for trial in trials):
                raise all_diverged(trials)
            if training := [trial for trial in trials if trial.state == "running"]:
                raise NothingLeftError(
                    f"Nothing is left to begin: the other processes of this study train the last {len(training)} of "
                    f"{store.total} trials, and none is finished yet. The same call shows them when they are."
                )
            raise SettingError("No trial has come to the end of an epoch: give the search more time.")
        stage = store.stages[winner.stage]

        def run() -> Run:
            if retrain:
                return retrained(experiment, winner, stage)
            if self.best_member is not None and self.best_member[0][-1] == winner.number:
                return self.best_member[1].run()
            [member] = experiment.trainer.add_members([self._differences(experiment.labels(winner.settings), stage)])
            experiment.trainer.train([member], until=winner.epochs)
            return member.run()

        return SearchResult(
            trials,
            winner,
            experiment.metric,
            store.study,
            run,
            ranking=[trial.number for trial in ranking],
            staged=staged,
        )


def _model_epoch(member: Member) -> int:
    """Return the epoch whose weights a member has."""
    return member.model_epoch or len(member.history)
