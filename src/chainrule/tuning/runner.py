"""The work of a search in one process: trials are asked for, trained as populations, and told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.checks import is_number
from chainrule.errors import DivergedError, FileError, NothingLeftError, SettingError
from chainrule.population import Member
from chainrule.signals import Interrupted, Terminated
from chainrule.training.history import History
from chainrule.training.run import Run
from chainrule.tuning.experiment import Experiment
from chainrule.tuning.result import SearchResult, Trial
from chainrule.tuning.retrain import retrained
from chainrule.tuning.show import SearchProgress, Watch
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from chainrule.tuning.trial_store import RunningTrial, TrialStore

#: Those who watch are told where the search stands after so many seconds at the earliest.
SAY_EVERY = 0.25


class _Spent(Exception):
    """The time or the epochs are spent."""


class SearchRunner:
    """The trials of this process: asked, trained and told, field by field.

    Parameters
    ----------
    experiment, records : what is trained for a trial, and where trials are kept
    batch : trials to a field of a stage with rungs; None: all of it
    size : trials to one without, by how many are left of the stage
    started : when the search began, by the monotonic clock
    timeout, max_epochs : when it ends at the latest
    """

    def __init__(
        self,
        experiment: Experiment,
        records: TrialStore,
        batch: int | None,
        size: Callable[[int], int],
        started: float,
        timeout: float | None,
        max_epochs: int | None,
    ) -> None:
        self.experiment, self.records, self.batch, self.size = experiment, records, batch, size
        self.started, self.timeout, self.max_epochs = started, timeout, max_epochs
        self.field: dict[int, RunningTrial] = {}  # by the id of the member
        self.told: dict[int, int] = {}  # how often a member has come to the end of an epoch, by its id
        self.best: tuple[tuple[float, float, int], Member] | None = None  # of the trials of this process
        self.leading: tuple[float, int] | None = None  # the best value of a finished trial
        self.epochs, self.begun = 0, False
        self.watchers: list[Watch] = []
        self.last_standing = -math.inf

    def run(self, watchers: Iterable[Watch], kept: bool) -> None:
        """Train until no trial is left, or the time or the epochs are spent."""
        from optuna.exceptions import StorageInternalError

        self.watchers = list(watchers)
        records = self.records
        try:
            with records.workers.present():
                self._fields()
        except (KeyboardInterrupt, Terminated) as error:
            finished = len(records.ranked())
            told = " The same call goes on." if kept else ' With study="search.journal" they would be kept.'
            ended = Terminated if isinstance(error, Terminated) else Interrupted
            raise ended(f"Interrupted: {finished} of {records.total} trials are finished.{told}") from None
        except (OSError, StorageInternalError) as error:
            if not kept:
                raise
            raise FileError(
                f"The search could not go on, since its study cannot be written to: {records.without_secrets(error)}. "
                "What is in it is kept; the same call goes on."
            ) from None

    def _fields(self) -> None:
        records = self.records
        before = records.ranked()
        self.begun, self.epochs = bool(before), records.epochs()
        self.leading = self._lead([(trial.value, trial.number) for trial in before[:1]])
        while not self.spent() and (asked := records.claim(self.size, self.batch, self.spent)):
            self._train(asked)
            self._stand(last=True)

    def spent(self) -> bool:
        """Return whether time or epochs are spent; not before some trials were trained."""
        if not self.begun:
            return False
        if self.timeout is not None and time.monotonic() - self.started >= self.timeout:
            return True
        return self.max_epochs is not None and self.epochs >= self.max_epochs

    def _train(self, asked: list[RunningTrial]) -> None:
        """Train a field to its end, stopping the worst at each rung."""
        stage = self.records.stages[asked[0].stage]
        self.epochs = self.records.epochs()
        try:
            own = [self._given(each.values, stage) for each in asked]
            for each, member in zip(asked, self.experiment.trainer.add_members(own), strict=True):
                each.member = member
            self.field = {id(each.member): each for each in asked}
            self.told = dict.fromkeys(self.field, 0)
            for i, rung in enumerate(stage.rungs):
                last = i == len(stage.rungs) - 1
                members = [each.member for each in asked if not each.told]
                self.experiment.trainer.train(members, until=None if last else rung, watch=self._watch)
                for each in asked:
                    self._take(each)
                if not last:
                    self._thin(asked, stage, i)
        except _Spent:
            for each in asked:
                self._cut(each)
        except BaseException:
            for each in asked:
                if not each.told:
                    self.records.release(each, "interrupted")
            raise
        finally:
            self._keep_best(asked)
            self.field = {}

    def _given(self, values: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
        """Return the differences of a trial's member."""
        found = self.experiment.member(values)
        return found if "epochs" in found else found | {"epochs": stage.epochs}

    def _watch(self, moved: Sequence[Member]) -> None:
        """Some members have come to the end of an epoch."""
        self.begun = True
        for member in moved:
            asked = self.field[id(member)]
            self.told[id(member)] += 1
            # Another thread may be in the middle of a member's last epoch: its end is told here, later.
            if member.done and self.told[id(member)] >= self._to_tell(asked):
                self._take(asked)
            else:
                self._report(asked)
        self._stand()
        if self.spent():
            raise _Spent

    def _to_tell(self, asked: RunningTrial) -> int:
        return len(asked.member.history) + asked.member.diverged

    def _report(self, asked: RunningTrial) -> None:
        records = asked.member.history.records
        self.epochs += len(records) - asked.reported
        self.records.report(asked)

    def _take(self, asked: RunningTrial) -> None:
        """What a member has come to goes into the study; if it is done, so is the trial."""
        if asked.told:
            return
        self._report(asked)
        member = asked.member
        if member.done:
            value = self._value(member)
            reason = member.stopped or (None if value is not None else f"{self.experiment.metric} is no number")
            self._finish(asked, value, reason)

    def _cut(self, asked: RunningTrial) -> None:
        """A trial ends since time or epochs are spent: with what it has, or it waits for the next call."""
        self._take(asked)
        if asked.told:
            return
        if (value := self._value(asked.member)) is not None:
            self._finish(asked, value, "the time or the epochs of the search were spent")
        else:
            self.records.release(asked, "the time or the epochs of the search were spent")

    def _finish(self, asked: RunningTrial, value: float | None, reason: str | None) -> None:
        self.records.finish(asked, value, reason)
        self.leading = self._lead([(value, asked.number)])

    def _thin(self, asked: list[RunningTrial], stage: Stage, rung: int) -> None:
        """Stop the worst of each bracket: of n trials that began, n/factor^(rung+1) go on."""
        epoch = stage.rungs[rung]
        live = [each for each in asked if not each.told]
        own = {each.number for each in live}
        for bracket in {each.bracket for each in live}:
            rivals = [self._key(each) for each in live if each.bracket == bracket]
            # After an interruption some of the bracket are finished already.
            rivals += [
                self.records.key(trial, epoch)
                for trial in self.records.trials()
                if trial.number not in own
                and trial.user_attrs["claim"]["bracket"] == list(bracket)
                and trial.state.is_finished()
                and epoch in trial.intermediate_values
            ]
            keep = stage.keep(bracket[1], rung)
            best = {number for *_, number in sorted(rivals)[:keep]}
            for each in live:
                if each.bracket == bracket and each.number not in best:
                    self.records.finish(each, None, f"not among the best {keep} of {len(rivals)} after epoch {epoch}")
                    each.member.drop_state()

    def _value(self, member: Member) -> float | None:
        """Return the metric at the epoch whose weights a member has; None if it has come to nothing."""
        if member.diverged or not len(member.history):
            return None
        value = member.history[self.experiment.metric][_epoch(member) - 1]
        return value if math.isfinite(value) else None

    def _key(self, asked: RunningTrial) -> tuple[float, float, int]:
        """Return what orders trials that are under way."""
        record = asked.member.history.records[_epoch(asked.member) - 1]
        return self.records.order(record[self.experiment.metric], record["val_loss"], asked.number)

    def _keep_best(self, asked: list[RunningTrial]) -> None:
        """Of all members of this process only the best one keeps its weights."""
        for each in asked:
            member = each.member
            if member is None or member.state is None:
                continue
            if not each.told or self._value(member) is None or (self.best and self._key(each) >= self.best[0]):
                member.drop_state()
                continue
            if self.best is not None:
                self.best[1].drop_state()
            self.best = (self._key(each), member)

    def _lead(self, values: Iterable[tuple[float | None, int]]) -> tuple[float, int] | None:
        """Return the best of these values and that of the trials that are finished, as an order and its trial."""
        keys = [(self.records.cost(v), number) for v, number in values if v is not None and math.isfinite(v)]
        return min([*keys, *([self.leading] if self.leading is not None else [])], default=None)

    def _stand(self, last: bool = False) -> None:
        """Tell those who watch where the search stands; not more than some times a second."""
        now = time.monotonic()
        if not last and now - self.last_standing < SAY_EVERY:
            return
        self.last_standing = now
        states = [state_of(trial) for trial in self.records.trials()]
        training = [each for each in self.field.values() if not each.told]
        value, at = self._lead([(self._value(each.member), each.number) for each in training]) or (None, None)
        standing = SearchProgress(
            finished=sum(state in ("complete", "pruned", "diverged") for state in states),
            trials=self.records.total,
            training=len(training),
            stopped=states.count("pruned"),
            diverged=states.count("diverged"),
            epochs=self.epochs,
            metric=self.experiment.metric,
            value=None if value is None else self.records.cost(value),
            trial=at,
            seconds=now - self.started,
        )
        for watch in self.watchers:
            watch(standing)

    def result(self, staged: bool, retrain: bool) -> SearchResult:
        """Return the search as it stands in the study."""
        experiment, records = self.experiment, self.records
        trials = [_tried(trial, experiment.space) for trial in records.trials()]
        ranking = sorted(trials, key=lambda trial: _rank(trial, records))
        winner = ranking[0] if ranking else None
        if winner is None or winner.value is None:
            if any(trial.state == "diverged" for trial in trials):
                raise _all_diverged(trials)
            if training := [trial for trial in trials if trial.state == "running"]:
                raise NothingLeftError(
                    f"Nothing is left to begin: the other processes of this study train the last {len(training)} of "
                    f"{records.total} trials, and none is finished yet. The same call shows them when they are."
                )
            raise SettingError("No trial has come to the end of an epoch: give the search more time.")
        stage = records.stages[winner.stage]

        def run() -> Run:
            if retrain:
                return retrained(experiment, winner, stage)
            if self.best is not None and self.best[0][-1] == winner.number:
                return self.best[1].run()
            [member] = experiment.trainer.add_members([self._given(experiment.labels(winner.settings), stage)])
            experiment.trainer.train([member], until=winner.epochs)
            return member.run()

        return SearchResult(
            trials,
            winner,
            experiment.metric,
            records.study,
            run,
            ranking=[trial.number for trial in ranking],
            staged=staged,
        )


def state_of(trial: FrozenTrial) -> str:
    """Return what a trial has come to."""
    name = trial.state.name.lower()
    if name == "pruned" and trial.user_attrs.get("diverged", False):
        return "diverged"
    return {"fail": "failed"}.get(name, name)


def _tried(trial: FrozenTrial, space: Space) -> Trial:
    about = trial.user_attrs
    state = state_of(trial)
    steps = sorted(trial.intermediate_values)
    curves = {name: [math.nan if v is None else v for v in values] for name, values in about.get("curves", {}).items()}
    epochs = int(about.get("epochs", max(steps, default=0)))
    records = [{"epoch": i + 1, **{name: values[i] for name, values in curves.items()}} for i in range(epochs)]
    return Trial(
        number=trial.number,
        settings=space.options({name: value for name, value in trial.params.items() if name in space.entries}),
        value=trial.value if state in ("complete", "pruned") and trial.value is not None else None,
        state=state,
        epochs=epochs,
        best_epoch=int(about.get("best_epoch", epochs)),
        seconds=float(about.get("seconds", 0.0)),
        history=History(records if curves else []),
        stopped=about.get("stopped"),
        stage=int(about["claim"]["stage"]),
    )


def _rank(trial: Trial, records: TrialStore) -> tuple[Any, ...]:
    """Complete trials by value, then those that were stopped, the last ones first, then those without a value."""
    states = ("complete", "pruned", "running", "diverged", "failed")
    late = -trial.epochs if trial.state == "pruned" else 0
    if trial.value is None:
        return states.index(trial.state), late, math.inf, math.inf, trial.number
    loss = trial.history["val_loss"][trial.best_epoch - 1] if "val_loss" in trial.history.columns else math.nan
    return states.index(trial.state), late, *records.order(trial.value, loss, trial.number)


def _epoch(member: Member) -> int:
    """Return the epoch whose weights a member has."""
    return member.model_epoch or len(member.history)


def _all_diverged(trials: Sequence[Trial]) -> DivergedError:
    """Return an error that says what was tried."""
    names = dict.fromkeys(name for trial in trials for name in trial.settings)
    tried = []
    for name in names:
        values = [trial.settings[name] for trial in trials if name in trial.settings]
        if all(map(is_number, values)):
            tried.append(f"{name} from {min(values):.4g} to {max(values):.4g}")
        else:
            tried.append(f"{name} {', '.join(dict.fromkeys(map(repr, values)))}")
    return DivergedError(
        f"All {len(trials)} trials diverged: the cost became NaN or infinite. Tried: {'; '.join(tried)}. Search "
        "smaller learning rates, or give the optimizer clip_norm=1.0.",
        step=0,
        layer="",
    )
