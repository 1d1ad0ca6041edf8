"""Arms of a trial: the untouched run, the reference, fixes; each as members that are judged on rows of their own."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.doctor.clock import now
from chainrule.doctor.cuts import Cut, TrialRows
from chainrule.doctor.judge import constant_errors, row_errors
from chainrule.errors import ChainruleError
from chainrule.fields import values_of
from chainrule.population.member import Member
from chainrule.population.trainer import PopulationTrainer
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Schedule
from chainrule.symptoms.fix import Fix
from chainrule.tables.table import Table
from chainrule.training.engine_choice import engine_for
from chainrule.training.run import Run

__all__ = ["REFUSALS", "Arm", "ArmResult", "Laboratory", "OutOfTime", "fixed_arm"]

Array = np.ndarray[Any, Any]


#: What `fit` and the parts of the user's own raise where a change does not go together with them.
REFUSALS = (ChainruleError, ArithmeticError, TypeError, ValueError, MemoryError, IndexError, KeyError)

#: Members of a run that takes too long for all of them.
FEWER_MEMBERS = 3

#: Where rows are left out, the number of the others is made a multiple of this.
ROWS_ALIKE = 8

#: About what a program takes to be compiled, and steps for which that is worth it in any case.
COMPILE_SECONDS, MANY = 2.5, 10**9


class OutOfTime(Exception):
    """The seconds of the budget are over."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to train.

    Attributes
    ----------
    name : what it is called: "control", "reference", or the cause that its fix is for
    net, data : as `fit` takes them
    settings : of the run
    changes : what is different from these, in the words of a member of `fit_population`
    without : numbers of rows that are not trained on
    fix : what makes it different from the control, or None
    """

    name: str
    net: Any
    data: Any
    settings: TrainingSettings
    changes: Mapping[str, Any] = field(default_factory=dict)
    without: Array = field(default_factory=lambda: np.zeros(0, np.intp))
    fix: Fix | None = None

    @property
    def stops(self) -> bool:
        """Whether something in it acts on what is measured on rows that are not trained on."""
        stopping = self.changes.get("early_stopping", self.settings.early_stopping)
        monitor = "val_loss" if stopping is True else str(getattr(stopping, "monitor", ""))
        optimizer = self.changes.get("optimizer", self.settings.optimizer)
        schedule = self.changes.get("optimizer.lr", getattr(optimizer, "lr", None))
        acts = isinstance(schedule, Schedule) and type(schedule).after_epoch is not Schedule.after_epoch
        return acts or monitor.startswith("val_")

    @property
    def epochs(self) -> int:
        """How many epochs it is trained for, unless it stops."""
        return int(self.changes.get("epochs", self.settings.epochs))

    def member(self, cut: Cut) -> dict[str, Any]:
        """Return the member of a cut: its rows, and all that it is trained by."""
        rows = {"rows": cut.train, "held_out": cut.stop} if self.stops else {"rows": cut.others}
        if len(self.without):
            rows["rows"] = _without(rows["rows"], self.without, cut)
        settings = values_of(TrainingSettings, self.settings)
        settings = {"net": self.net} | settings | dict(self.changes) | {"validation": None, "seed": cut.seed} | rows
        # Paths last: they lead into what the others say.
        return dict(sorted(settings.items(), key=lambda item: "." in item[0]))


def _without(rows: Array, without: Array, cut: Cut) -> Array:
    """Return the rows without some, and without a few more: members with as many rows are one program.

    How many of them a cut has is a matter of chance (hypergeometric); two deviations more than the mean are left out.
    """
    left, share = np.setdiff1d(rows, without), len(rows) / (len(cut.others) + len(cut.judged))
    count = len(rows) - len(without) * share - 2 * math.sqrt(len(without) * share * (1 - share))
    count = ROWS_ALIKE * int(count / ROWS_ALIKE)
    if not 0.9 * len(left) < count < len(left):
        return left
    return np.sort(np.random.default_rng(cut.seed).choice(left, count, replace=False))


def fixed_arm(control: Arm, name: str, fix: Fix) -> Arm:
    """Return the arm of a fix; raises what `fit` would raise for it.

    Rows that it drops are dropped from the training rows alone: all arms are judged on the same rows.
    """
    dropped = [np.asarray(change.rows, np.intp) for change in fix.data if change.kind == "drop_rows"]
    without = np.unique(np.concatenate([control.without, *dropped]))
    others = tuple(change for change in fix.data if change.kind != "drop_rows")
    net, data = control.net, control.data
    if others:
        only = dataclasses.replace(fix, changes={}, data=others)
        net, data, _ = only.apply(net, data, values_of(TrainingSettings, control.settings))
    changes = {key: value for key, value in fix.changes.items() if key not in ("rows", "validation")}
    return Arm(name, net, data, control.settings, {**control.changes, **changes}, without, fix)


@dataclass(frozen=True, eq=False)
class ArmResult:
    """What came of an arm.

    Attributes
    ----------
    arm : what was trained
    errors : (members, rows of the data): the error of each member on each row that it was judged on, else NaN
    diverged : how many members diverged; theirs are the errors of the constant answer
    stopping : the best value of what early stopping watched, mean over the members; NaN where nothing was
    epochs : the most epochs of a member
    seconds : that it took, with compiling
    training_seconds : of these, what training its members took
    engine : the name of the engine that trained it
    run : its first member as a run, to be looked at
    """

    arm: Arm
    errors: Array
    diverged: int
    stopping: float
    epochs: int
    seconds: float
    training_seconds: float
    engine: str
    run: Run | None = None

    @property
    def member_errors(self) -> list[float]:
        """The mean error of each member."""
        return [float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else math.nan for row in self.errors]

    @property
    def error(self) -> float:
        """The mean error of all judged rows."""
        return float(np.nanmean(self.errors))

    def not_judged_on(self, rows: Array) -> ArmResult:
        """Return it without the errors on some rows."""
        errors = self.errors.copy()
        errors[:, rows] = np.nan
        return dataclasses.replace(self, errors=errors)

    def joined(self, other: ArmResult) -> ArmResult:
        """Return it with more members of the same arm."""
        return ArmResult(
            self.arm,
            np.concatenate([self.errors, other.errors]),
            self.diverged + other.diverged,
            float(np.mean([self.stopping, other.stopping])),
            max(self.epochs, other.epochs),
            self.seconds + other.seconds,
            self.training_seconds + other.training_seconds,
            self.engine,
            self.run,
        )


class Laboratory:
    """Trains arms until the time is over.

    Parameters
    ----------
    rows : what members are trained and judged on
    engine, devices : as for `fit`
    deadline : by `clock.now`
    watch : called now and then, with what is being trained
    """

    def __init__(
        self,
        rows: TrialRows,
        engine: str = "auto",
        devices: Any = None,
        deadline: float = math.inf,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        self.rows, self.engine, self.devices = rows, engine, devices
        self.deadline, self.watch = deadline, watch or (lambda text: None)
        self._trainers: dict[Any, PopulationTrainer] = {}
        self._data: list[Any] = []  # data by whose identity trainers are found

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - now()

    def members(self, arm: Arm, cuts: Sequence[Cut]) -> list[Member]:
        """Return members of an arm, not yet trained; raises what `fit` would raise."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user has seen them, and a fix is judged by its errors
            return self._trainer(arm).add_members([arm.member(cut) for cut in cuts])

    def program(self, arm: Arm, cut: Cut) -> Any:
        """Return what must be equal for arms to be one program; raises what `fit` would raise."""
        return self.members(arm, [cut])[0].program

    def run_within(self, arm: Arm, cuts: Sequence[Cut], seconds: float) -> tuple[ArmResult, int | None, list[Cut]]:
        """Train an arm; of a run that takes longer its beginning, by no more than three members.

        Returns what came of it, the epoch up to which it was trained (None: to its end), and the cuts of its members.
        """
        if self.seconds_left <= 0:
            raise OutOfTime
        began = now()
        members, chosen = self.members(arm, cuts), list(cuts)
        first, epochs = members[0].prepared_run, members[0].prepared_run.epochs
        engine = engine_for(
            *(first.model, first.recipe, self.engine, self.devices),
            steps=epochs * first.steps_per_epoch * len(members),
            batch_size=min(first.batch_size, len(first.prepared.train.x)),
        ).name
        until, first_whole, compiled, later = 1, 2, 0.0, 0.0
        while True:
            started = now()
            done = max(member.epoch for member in members)
            self._train(arm.name, [(self._trainer(arm), members)], until, engine)
            of_epoch = (now() - started) / max(1, until - done)
            elapsed = now() - began
            later += now() - started if until >= first_whole else 0.0  # compiling was a part of the epoch before
            ended = all(member.done for member in members)
            if until < first_whole and not ended:
                if engine == "numpy" and self.engine == "auto" and of_epoch * (epochs - until) > COMPILE_SECONDS:
                    # Measured, this takes longer than was thought; what is compiled serves all arms that follow.
                    self.engine = engine = engine_for(first.model, first.recipe, "auto", steps=MANY, batch_size=1).name
                    first_whole = until + 2 if engine != "numpy" else first_whole
                compiled, until = elapsed, min(until + 1, epochs)
                continue
            left = max(seconds, 2 * compiled) - elapsed
            slow = 2 * left < of_epoch * (epochs - until) and left < 0.75 * seconds
            if slow and not ended and len(members) > FEWER_MEMBERS:
                members, chosen = members[:FEWER_MEMBERS], chosen[:FEWER_MEMBERS]
                continue
            if ended or left < of_epoch:
                lasting = later if until >= first_whole else elapsed
                result = self._judged(arm, members, chosen)
                result = dataclasses.replace(result, seconds=elapsed, training_seconds=lasting)
                return result, None if ended else until, chosen
            until = min(epochs, 2 * until, until + int(left / of_epoch))

    def run(self, arms: Sequence[Arm], cuts: Sequence[Sequence[Cut]], until: int | None = None) -> list[ArmResult]:
        """Train arms, each on its cuts, and judge them.

        Arms of one program are trained together. Raises `OutOfTime` when the deadline has come, and what `fit` would
        raise.
        """
        if self.seconds_left <= 0:
            raise OutOfTime
        began = now()
        members = [self.members(arm, each) for arm, each in zip(arms, cuts, strict=True)]
        pairs = [(self._trainer(arm), group) for arm, group in zip(arms, members, strict=True)]
        self._train(", ".join(dict.fromkeys(arm.name for arm in arms)), pairs, until, self.engine)
        results = [self._judged(*each) for each in zip(arms, members, cuts, strict=True)]
        seconds = (now() - began) / len(arms)
        return [dataclasses.replace(result, seconds=seconds) for result in results]

    def run_twice(
        self, arm: Arm, cuts: Sequence[Cut], until: int | None, change: Callable[[Any], Any]
    ) -> tuple[ArmResult, ArmResult]:
        """Train an arm once, and judge its members on their rows, and on the same rows of changed data."""
        if self.seconds_left <= 0:
            raise OutOfTime
        members = self.members(arm, cuts)
        self._train(arm.name, [(self._trainer(arm), members)], until, self.engine)
        changed = dataclasses.replace(arm, data=change(arm.data))
        return self._judged(arm, members, cuts), self._judged(changed, members, cuts)

    def _train(
        self, text: str, groups: Sequence[tuple[PopulationTrainer, list[Member]]], until: int | None, engine: str
    ) -> None:
        """Train members, those of one trainer together."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for trainer in dict.fromkeys(trainer for trainer, _ in groups):
                members = [member for each, group in groups if each is trainer for member in group]
                trainer.strategy, trainer.engine = (
                    "single",
                    engine,
                )  # batches would be compiled for each mixture of folds
                trainer.train(members, until=until, watch=self._on_epoch(text))

    def _on_epoch(self, text: str) -> Callable[[Sequence[Member]], None]:
        def on_epoch(members: Sequence[Member]) -> None:
            self.watch(text)
            if self.seconds_left <= 0:
                raise OutOfTime

        return on_epoch

    def _trainer(self, arm: Arm) -> PopulationTrainer:
        """Return the trainer of arms with the same data."""
        scaled = bool(arm.changes.get("normalize", arm.settings.normalize)) or not isinstance(arm.data, Table)
        key = (id(arm.data), scaled)
        if key not in self._trainers:
            self._data.append(arm.data)
            common: Mapping[str, Any] = {"normalize": scaled, "engine": self.engine, "devices": self.devices}
            self._trainers[key] = PopulationTrainer(arm.net, arm.data, **common)
        return self._trainers[key]

    def _judged(self, arm: Arm, members: Sequence[Member], cuts: Sequence[Cut]) -> ArmResult:
        errors = np.full((len(cuts), len(self.rows.y)), np.nan)
        watched = []
        for row, member, cut in zip(errors, members, cuts, strict=True):
            if member.diverged:
                row[cut.judged] = constant_errors(self.rows, cut)
                watched.append(math.inf)
                continue
            row[cut.judged] = row_errors(member.run().model, self.rows, cut, arm.data)
            watched.append(_watched(member))
        return ArmResult(
            arm,
            errors,
            diverged=sum(member.diverged for member in members),
            stopping=float(np.mean(watched)),
            epochs=max(member.epoch for member in members),
            seconds=0.0,
            training_seconds=0.0,
            engine=members[0].engine,
            run=members[0].run() if arm.fix is None else None,
        )


def _watched(member: Member) -> float:
    """Return the error (or cost) on the rows that tell when to stop, in the epoch whose weights the model has."""
    measured = member.metrics
    if "val_accuracy" in measured:
        return 1.0 - measured["val_accuracy"]
    return measured.get("val_mae", measured.get("val_loss", math.nan))
