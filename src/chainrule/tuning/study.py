"""The record of a search: an Optuna study, in memory, in a journal file or in a database, that several processes share.

Imports Optuna: it is itself imported when a search starts. Only Optuna's own objects are stored, so that its dashboard
shows the study while it grows.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from chainrule.population.member import Member
from chainrule.training.history import smaller_is_better
from chainrule.tuning.samplers import Planned
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage
from chainrule.tuning.storage import check_identity, opened, shown

#: A process says so often that it is alive, and counts as dead when it has been silent for so long.
SAYS_EVERY, SILENT = 15.0, 75.0

#: How often to look whether the trials that others train are finished.
LOOK_EVERY = 0.2


@dataclass(eq=False)
class Asked:
    """A trial that this process trains.

    Attributes
    ----------
    trial, number : Optuna's trial
    stage : the number of its stage
    values : labels by setting
    bracket : the number of the first trial of its field and the size of the field, where fields are thinned
    member : what is trained for it
    reported : epochs whose values are in the study
    told : whether it is finished there
    """

    trial: Trial
    stage: int
    values: dict[str, Any]
    bracket: tuple[int, int] = (0, 0)
    member: Member = None  # type: ignore[assignment]
    reported: int = 0
    told: bool = False
    number: int = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.trial.number


class Records:
    """The trials of a search, those of other processes among them.

    Parameters
    ----------
    given : where they are kept: None (in memory), the path of a journal file, a database's URL, or an Optuna study
    name : of the study
    metric : what is compared
    identity : what tells this experiment from others
    space, stages : of the search
    sampler : where values come from
    """

    def __init__(
        self,
        given: Any,
        name: str | None,
        metric: str,
        identity: Mapping[str, str],
        space: Space,
        stages: Sequence[Stage],
        sampler: BaseSampler,
    ) -> None:
        self.metric, self.stages, self.sampler = metric, stages, sampler
        self.sign = 1.0 if smaller_is_better(metric) else -1.0
        self.study = opened(given, name, "minimize" if self.sign > 0 else "maximize")
        self.study.sampler = sampler
        check_identity(self.study, identity, shown(given))
        self.total = sum(stage.trials for stage in stages)
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._spaces: dict[int, Space] = {0: space}
        self._settled, self._apart = 0, list[int]()  # so many trials are finished; which of them have no position
        self._kept: Trial | None = None  # one that was asked and belongs to a later field

    # What is known

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials that count, of these states: not those that others repeat, or that were too many."""
        found = self.study.get_trials(deepcopy=False, states=states or None)
        done = (TrialState.COMPLETE, TrialState.PRUNED)
        return [trial for trial in found if trial.state in done or "left" not in trial.user_attrs]

    def ranked(self) -> list[FrozenTrial]:
        """The trials that are complete, the best first."""
        found = [trial for trial in self.trials(TrialState.COMPLETE) if trial.value is not None]
        return sorted(found, key=lambda t: self.key(t, t.user_attrs.get("best_epoch", t.user_attrs["epochs"])))

    def key(self, trial: FrozenTrial, epoch: int) -> tuple[float, float, int]:
        """The key of a finished trial by what it was after an epoch."""
        losses = trial.user_attrs["curves"].get("val_loss", ())
        loss = losses[epoch - 1] if len(losses) >= epoch else None
        return self.order(trial.intermediate_values[epoch], math.nan if loss is None else loss, trial.number)

    def order(self, value: float, loss: float, number: int) -> tuple[float, float, int]:
        """The smaller the better: by the metric; of equal ones by the cost on validation rows; then the earlier."""
        value *= self.sign
        return value if math.isfinite(value) else math.inf, loss if math.isfinite(loss) else math.inf, number

    def waiting(self) -> bool:
        """Whether trials wait to be trained again."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def epochs(self) -> int:
        """Epochs trained so far, in all processes."""
        found = self.study.get_trials(deepcopy=False)
        return sum(max(trial.intermediate_values, default=0) for trial in found)

    def position(self, number: int) -> int:
        """Where a trial stands in the search: its number, but for those before it that repeat another."""
        trials = self.study.get_trials(deepcopy=False)
        while self._settled < len(trials) and trials[self._settled].state.is_finished():  # these stay as they are
            self._apart += [self._settled] * _is_apart(trials[self._settled])
            self._settled += 1
        return number - bisect_left(self._apart, number) - sum(map(_is_apart, trials[self._settled : number]))

    def place(self, position: int) -> tuple[int, int]:
        """The stage of a position, and the position in it."""
        for i, stage in enumerate(self.stages):
            if position < stage.trials:
                return i, position
            position -= stage.trials
        return len(self.stages) - 1, self.stages[-1].trials - 1

    # Asking

    def ask(self, most: int | None, give_up: Callable[[], bool]) -> list[Asked]:
        """The next trials, all of one stage: at most so many, None: all that are left of it; [] if there are none.

        Trials that a process has left come first. Where a stage is drawn around the best of the one before, this waits
        for those that other processes still train, but not longer than until ``give_up``.
        """
        found: list[Asked] = []
        was_apart = False
        while most is None or len(found) < most:
            trial = self._next(found[0].stage if found else None)
            if trial is None:
                break
            stage, place = self.place(self.position(trial.user_attrs.get("again", trial.number)))
            # Where fields are thinned, those that were left have a field of their own, as they had before.
            apart = len(self.stages[stage].rungs) > 1 and "bracket" in trial.user_attrs
            if found and (stage, apart) != (found[0].stage, was_apart):
                self._kept = trial
                break
            was_apart = apart
            trial.set_user_attr("worker", self.worker)
            trial.set_user_attr("stage", stage)
            if (space := self._space(stage, give_up)) is None:
                self.release(trial.number, "the time was up")
                break
            if isinstance(self.sampler, Planned):
                self.sampler.plan(space, stage, place)
            found.append(Asked(trial, stage, space.suggest(trial)))
        if found and len(self.stages[found[0].stage].rungs) > 1:
            _bracket(found)
        return found

    def _next(self, stage: int | None) -> Trial | None:
        """A trial that waits, or a new one if there is a position left (in a stage)."""
        if (kept := self._kept) is not None:
            self._kept = None
            return kept
        if not self.waiting():
            position = self.position(len(self.study.get_trials(deepcopy=False)))
            if position >= self.total or stage not in (None, self.place(position)[0]):
                return None
        trial = self.study.ask()
        if "again" not in trial.user_attrs and self.position(trial.number) >= self.total:
            for attribute in ("left_over", "left"):  # another process was faster
                trial.set_user_attr(attribute, "the search had all its trials")
            self._tell(trial.number, None, TrialState.FAIL)
            return None
        return trial

    def _space(self, stage: int, give_up: Callable[[], bool]) -> Space | None:
        """The space that a stage is drawn from; None if it is not known in time."""
        if stage not in self._spaces:
            found = self._spaces[0]
            if self.stages[stage].narrow:
                while any(t.user_attrs.get("stage", -1) < stage for t in self.trials(TrialState.RUNNING)):
                    if give_up():
                        return None
                    time.sleep(LOOK_EVERY)
                    self.begin_again()
                before = [t for t in self.ranked() if t.user_attrs["stage"] == stage - 1]
                best = before[: self.stages[stage].around(self.stages[stage - 1].trials)]
                found = found.narrowed([trial.params for trial in best])
            self._spaces[stage] = found
        return self._spaces[stage]

    # Telling

    def report(self, asked: Asked) -> None:
        """Write down the epochs that are new."""
        new = asked.member.history.records[asked.reported :]
        asked.reported += len(new)
        with contextlib.suppress(UpdateFinishedTrialError):  # another process has taken this one for dead
            for record in new:
                asked.trial.report(record[self.metric], int(record["epoch"]))

    def finish(self, asked: Asked, value: float | None, reason: str | None) -> None:
        """A trial is done: with a value, or (without one) it was stopped for a reason."""
        self.report(asked)
        asked.told = True
        history = asked.member.history
        columns = [name for name in history.columns if name not in ("epoch", "seconds")]
        about: dict[str, Any] = {
            "epochs": len(history),
            "seconds": round(asked.member.seconds, 6),
            "seed": asked.member.given["seed"],
            "curves": {name: [v if v == v else None for v in history[name]] for name in columns},
        }
        if asked.member.restores():
            about["best_epoch"] = asked.member.best_epoch
        if reason is not None:
            about["stopped"] = reason
        with contextlib.suppress(UpdateFinishedTrialError):
            for name, told in about.items():
                asked.trial.set_user_attr(name, told)
        self._tell(asked.number, value, TrialState.PRUNED if value is None else TrialState.COMPLETE)

    def release(self, number: int, reason: str) -> None:
        """A trial was left unfinished: it failed, and one with the same values waits in its place.

        Of several processes that find it so, one does it.
        """
        known = self.study.get_trials(deepcopy=False)[number]
        with contextlib.suppress(UpdateFinishedTrialError):
            self.study._storage.set_trial_user_attr(known._trial_id, "left", reason)
        if not self._tell(number, None, TrialState.FAIL):
            return
        attributes: dict[str, Any] = {
            name: known.user_attrs[name] for name in ("stage", "bracket") if name in known.user_attrs
        }
        attributes["again"] = known.user_attrs.get("again", number)
        values = {"fixed_params": known.system_attrs.get("fixed_params", {}) | known.params}
        self.study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=values, user_attrs=attributes))

    def put_back(self) -> None:
        """What was asked and is not going to be trained waits for others."""
        if (kept := self._kept) is not None:
            self._kept = None
            self.release(kept.number, "the search has ended")

    def _tell(self, number: int, value: float | None, state: TrialState) -> bool:
        """Finish a trial; False if it was finished by another process."""
        try:
            self.study.tell(number, value, state=state)
        except (UpdateFinishedTrialError, ValueError):
            if not self.study.get_trials(deepcopy=False)[number].state.is_finished():
                raise
            return False
        return True

    # Who is there

    @contextlib.contextmanager
    def present(self) -> Iterator[None]:
        """Inside, the study says now and then that this process is alive."""
        attribute, ending = f"worker {self.worker}", threading.Event()

        def say() -> None:
            while not ending.wait(SAYS_EVERY):
                with contextlib.suppress(Exception):  # the storage may be away for a while; training goes on
                    self.study.set_user_attr(attribute, time.time())

        self.study.set_user_attr(attribute, time.time())
        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()
            with contextlib.suppress(Exception):
                self.study.set_user_attr(attribute, 0.0)

    def begin_again(self) -> None:
        """Put the trials of dead processes back in line."""
        said = self.study.user_attrs
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = trial.user_attrs.get("worker")
            if worker is None:
                start = trial.datetime_start
                there = start is not None and (datetime.now(start.tzinfo) - start).total_seconds() < SILENT
            else:
                there = worker == self.worker or _alive(worker, float(said.get(f"worker {worker}", 0.0)))
            if not there and (self._kept is None or self._kept.number != trial.number):
                self.release(trial.number, "its process has ended")


def _is_apart(trial: FrozenTrial) -> bool:
    """Whether a trial has no position of its own."""
    return "again" in trial.user_attrs or "left_over" in trial.user_attrs


def _bracket(found: list[Asked]) -> None:
    """Which trials are compared with each other from rung to rung: those that were asked together."""
    new = [asked for asked in found if "bracket" not in asked.trial.user_attrs]
    for asked in new:
        asked.trial.set_user_attr("bracket", [new[0].number, len(new)])
    for asked in found:
        first, size = asked.trial.user_attrs["bracket"]
        asked.bracket = (int(first), int(size))


def _alive(worker: str, said: float) -> bool:
    """Whether a process is there: it has said so lately, and if it is one of this machine, the system knows it."""
    host, process, _ = worker.rsplit(":", 2)
    if time.time() - said > SILENT:
        return False
    if host == socket.gethostname() and os.name == "posix":
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
    return True
