"""`search`: many trials of a space, trained as populations, and the best of them."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule import random
from chainrule.data import Dataset
from chainrule.errors import ChainruleError, DivergedError, FileError, SettingError
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.population import Crew, Member
from chainrule.tables.table import Table
from chainrule.training.callbacks import Callback
from chainrule.training.history import History
from chainrule.training.prepare import SPLIT, unpack
from chainrule.training.run import Run
from chainrule.training.signals import Interrupted
from chainrule.tuning.experiment import Experiment
from chainrule.tuning.judge import judge, test_part
from chainrule.tuning.result import Search, Tried
from chainrule.tuning.show import Standing, Watch
from chainrule.tuning.show import progress as show_progress
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage, plan

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from chainrule.tuning.study import Asked, Records

#: Trials that are asked for, and trained, at once: by samplers that do not look at results, and by those that do.
BATCH, ADAPTIVE_BATCH = 64, 16

#: Those who watch are told where the search stands after so many seconds at the earliest.
SAY_EVERY = 0.25


def search(
    net: Layer | Model | Callable[..., Layer],
    data: Any,
    space: Mapping[str, Any],
    *,
    trials: int = 64,
    sampler: str | BaseSampler = "random",
    stages: str | Sequence[Stage] | None = None,
    metric: str | None = None,
    seed: int = 0,
    epochs: int = 10,
    validation: Any = None,
    batch: int | None = None,
    timeout: float | None = None,
    max_epochs: int | None = None,
    study: str | Path | Study | None = None,
    name: str | None = None,
    retrain: bool = False,
    test: Any = None,
    callbacks: Callback | Sequence[Callback] = (),
    watch: Watch | None = None,
    engine: str = "auto",
    devices: str | int | None = None,
    progress: bool = True,
    **settings: Any,
) -> Search:
    """Search for the settings with which a network does best on validation rows.

    Trials are asked for in batches, and each batch is trained as one population, so that several validations run at the
    same time (lecture 003). All trials have the same seed, training rows, order of these and validation rows: they
    differ in nothing but their settings.

    Parameters
    ----------
    net
        As for `fit`. Or a function of settings of the space that returns a layer, so that structure is searched, too:
        ``def net(layers, width, activation): ...``; with an argument ``data`` it gets the `Dataset`.
    data
        As for `fit`, in memory.
    space
        A distribution (`uniform`, `log_uniform`, `integer`, `choice`) for each setting: an argument of `fit` ("l2",
        "batch_size", "optimizer"), a dotted path ("optimizer.lr", "net.layers.0.units", "net.layers.1.rate"), or an
        argument of ``net``. One that is asked for only sometimes has a condition:
        ``cr.uniform(0, 0.99).when("optimizer", "sgd")``.
    trials
        How many, over all processes that share the study.
    sampler
        "random"; "grid" (all options, and as many evenly spaced values of each range as the trials have room for);
        "sobol" (Sobol, 1967: more even than chance); "tpe" (Bergstra et al., 2011: follows what was good so far); or a
        sampler of Optuna.
    stages
        None: every trial gets all epochs. "coarse_to_fine" (lecture 003): ¾ of the trials for ⅕ of the epochs, the
        others for all of them in the space around the best eighth. "halving" (Jamieson and Talwalkar, 2016): all begin,
        and the best third goes on from where it is, from rung to rung. "hyperband" (Li et al., 2018): several halvings,
        from bold to careful. Or a list of `chainrule.tuning.Stage`.
    metric
        "val_accuracy", "val_mae" (None: the one of these that is measured), "val_loss", …; the value of a trial is that
        of the epoch whose weights it ends with. Of equal ones that with the lower cost on validation rows is better.
    seed
        The search and every trial follow from it.
    epochs
        Of a trial that is not stopped.
    validation
        As for `fit`; None: the data's own part, or else a fifth, drawn once for all trials.
    batch
        Trials asked for at once. None: 64, of "tpe" and samplers of Optuna 16, and of a stage with rungs all.
    timeout, max_epochs
        End after so many seconds, or epochs over all trials. Trials that are under way then count as they are.
    study, name
        Where the search is kept: the path of a journal file, a database's URL, or an Optuna study; None: in memory. The
        same call goes on with what is there: finished trials are not run again, those that were under way when the
        process was killed are. Several processes may share it. ``name`` tells studies in one place apart.
    retrain
        Train the winner once more, on training and validation rows together, for as many epochs as it had.
    test
        ``(x, y)`` or a `Dataset` to judge the winner on, once, at the end; None: the data's test part if it has one;
        False: not at all. A warning says when the search has fitted the validation rows.
    callbacks
        As for `fit_population`: called with an `Event` for each trial after each of its epochs.
    watch
        Called with a `chainrule.tuning.Standing` of the search after every epoch of some trials.
    engine, devices, progress
        As for `fit`.
    settings
        Other settings of `fit`, the same for all trials.

    Returns
    -------
    Search
        ``.leaderboard``, ``.settings`` and ``.best`` (a `Run`) of the best trial, ``.trials`` with their curves,
        ``.study``.

    Raises
    ------
    SettingError
        Before anything is trained: for settings that there are not, ranges that a setting cannot have, a continuous
        range for a structural setting, a study of another experiment.
    FileError
        For a storage that cannot be reached.
    DivergedError
        If all trials diverged, with the ranges tried.
    KeyboardInterrupt
        After Ctrl-C. Finished trials are kept, the others wait for the next call.

    Example
    -------
    >>> import chainrule as cr
    >>> best = cr.search(
    ...     cr.mlp([4, 16, 3]), cr.data.load("iris"),
    ...     {"optimizer.lr": cr.log_uniform(1e-3, 1.0), "l2": cr.log_uniform(1e-4, 1.0)},
    ...     trials=8, epochs=10, progress=False)
    >>> best.score >= 0.9
    True
    """
    started = time.monotonic()
    trials = _count("trials", trials)
    batch = None if batch is None else _count("batch", batch)
    max_epochs = None if max_epochs is None else _count("max_epochs", max_epochs)
    epochs = _count("epochs", epochs)
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0):
        raise SettingError(f"search: timeout is a number of seconds above 0, got {timeout!r}.")
    judged_on = test_part(test, data)
    if validation is None and not (isinstance(data, Dataset) and data.validation is not None):
        validation = 0.2
    whole = Space(space)
    if "epochs" in whole and stages is not None:
        raise SettingError("space: 'epochs' is shared out by stages; leave one of them out.")
    staged = plan(stages, trials, epochs)
    common = settings | {"epochs": epochs, "validation": validation, "seed": seed}
    options = {"engine": engine, "devices": devices, "callbacks": callbacks}

    from chainrule.tuning.samplers import Planned
    from chainrule.tuning.study import Records, quiet

    with quiet():
        source = Planned(sampler, whole, staged, seed) if isinstance(sampler, str) else sampler
        if isinstance(source, Planned) and source.most < staged[0].trials:
            staged = [Stage(int(source.most), staged[0].rungs, staged[0].factor)]
        experiment = Experiment(net, data, whole, common, metric, options)
        # More trials may be added later, but not where their number says how the others are treated.
        fixed = {"trials": trials} if stages is not None or sampler == "grid" else {}
        identity = experiment.identity(stages=stages, **fixed)
        records = Records(study, name, experiment.metric, identity, whole, staged, source)
        size = batch or (BATCH if isinstance(source, Planned) and source.name != "tpe" else ADAPTIVE_BATCH)
        hunt = _Hunt(experiment, records, size if batch else None, size, started, timeout, max_epochs)
        with show_progress(records.total, progress) as show:
            hunt.run([show, *([watch] if watch is not None else [])], study is not None)
        found = hunt.result(stages is not None)
    if retrain:
        found._run = lambda: retrained(experiment, found.winner, staged)
    if judged_on is not None:
        compared = sum(trial.value is not None for trial in found.trials)
        found.verdict = judge(found.best, judged_on, experiment.metric, found.score, compared, experiment.validated)
        if (warning := found.verdict.warning()) is not None:
            warnings.warn(warning, stacklevel=2)
    found.seconds = time.monotonic() - started
    return found


class _Spent(Exception):
    """The time or the epochs are spent."""


class _Hunt:
    """The trials of this process: asked, trained and told, field by field."""

    def __init__(
        self,
        experiment: Experiment,
        records: Records,
        batch: int | None,
        size: int,
        started: float,
        timeout: float | None,
        max_epochs: int | None,
    ) -> None:
        self.experiment, self.records, self.batch, self.size = experiment, records, batch, size
        self.started, self.timeout, self.max_epochs = started, timeout, max_epochs
        self.field: dict[int, Asked] = {}  # by the id of the member
        self.told: dict[int, int] = {}  # how often a member has come to the end of an epoch, by its id
        self.best: tuple[tuple[float, float, int], Member] | None = None  # of the trials of this process
        self.leading: tuple[float, int] | None = None  # the best value of any trial at any epoch
        self.epochs, self.begun = 0, False
        self.watchers: list[Watch] = []
        self.last_standing = -math.inf

    def run(self, watchers: Iterable[Watch], kept: bool) -> None:
        """Train until no trial is left, or the time or the epochs are spent."""
        self.watchers = list(watchers)
        records = self.records
        try:
            with records.present():
                try:
                    self._fields()
                finally:
                    records.put_back()
        except KeyboardInterrupt:
            finished = len(records.ranked())
            told = " The same call goes on." if kept else ' With study="search.journal" they would be kept.'
            raise Interrupted(f"Interrupted: {finished} of {records.total} trials are finished.{told}") from None
        except OSError as error:
            if kept and not isinstance(error, ChainruleError):
                raise FileError(f"The search could not go on: its study cannot be written to ({error}).") from None
            raise

    def _fields(self) -> None:
        records = self.records
        records.begin_again()
        self._lead([(t.value, t.number) for t in records.ranked()[:1]])
        while not self.spent():
            stage = self._next_stage()
            asked = records.ask(self.batch if len(stage.rungs) > 1 else self.size, self.spent)
            if asked:
                self._train(asked)
                self._stand(last=True)
                continue
            records.begin_again()
            if not records.waiting():
                break

    def spent(self) -> bool:
        """Whether time or epochs are spent; not before some trials were trained."""
        if not self.begun:
            return False
        if self.timeout is not None and time.monotonic() - self.started >= self.timeout:
            return True
        return self.max_epochs is not None and self.epochs >= self.max_epochs

    def _next_stage(self) -> Stage:
        records = self.records
        position = records.position(len(records.study.get_trials(deepcopy=False)))
        return records.stages[records.place(position)[0]]

    def _train(self, asked: list[Asked]) -> None:
        """Train a field to its end, stopping the worst at each rung."""
        stage = self.records.stages[asked[0].stage]
        self.epochs = self.records.epochs()
        try:
            own = [self._given(each.values, stage) for each in asked]
            for each, member in zip(asked, self.experiment.crew.enlist(own), strict=True):
                each.member = member
            self.field = {id(each.member): each for each in asked}
            self.told = dict.fromkeys(self.field, 0)
            for i, rung in enumerate(stage.rungs):
                last = i == len(stage.rungs) - 1
                members = [each.member for each in asked if not each.told]
                self.experiment.crew.train(members, until=None if last else rung, watch=self._watch)
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
                    each.told = True
                    self.records.release(each.number, "interrupted")
            raise
        finally:
            self._keep_best(asked)
            self.field = {}

    def _given(self, values: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
        """The differences of a trial's member."""
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

    def _to_tell(self, asked: Asked) -> int:
        return len(asked.member.history) + asked.member.diverged

    def _report(self, asked: Asked) -> None:
        records = asked.member.history.records
        self.epochs += len(records) - asked.reported
        self._lead([(record[self.experiment.metric], asked.number) for record in records[asked.reported :]])
        self.records.report(asked)

    def _take(self, asked: Asked) -> None:
        """What a member has come to goes into the study; if it is done, so is the trial."""
        if asked.told:
            return
        self._report(asked)
        member = asked.member
        if member.done:
            value = self._value(member)
            reason = member.stopped or (None if value is not None else f"{self.experiment.metric} is no number")
            self.records.finish(asked, value, reason)

    def _cut(self, asked: Asked) -> None:
        """A trial ends since time or epochs are spent: with what it has, or it waits for the next call."""
        self._take(asked)
        if asked.told:
            return
        if (value := self._value(asked.member)) is not None:
            self.records.finish(asked, value, "the time or the epochs of the search were spent")
        else:
            asked.told = True
            self.records.release(asked.number, "the time or the epochs of the search were spent")

    def _thin(self, asked: list[Asked], stage: Stage, rung: int) -> None:
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
                and trial.user_attrs.get("bracket") == list(bracket)
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
        """The metric at the epoch whose weights a member has; None if it has come to nothing."""
        if member.diverged or not len(member.history):
            return None
        value = member.history[self.experiment.metric][_epoch(member) - 1]
        return value if math.isfinite(value) else None

    def _key(self, asked: Asked) -> tuple[float, float, int]:
        """What orders trials that are under way."""
        record = asked.member.history.records[_epoch(asked.member) - 1]
        return self.records.order(record[self.experiment.metric], record["val_loss"], asked.number)

    def _keep_best(self, asked: list[Asked]) -> None:
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

    def _lead(self, values: Iterable[tuple[float | None, int]]) -> None:
        for value, at in values:
            if value is not None and math.isfinite(value):
                key = (self.records.sign * value, at)
                self.leading = key if self.leading is None else min(self.leading, key)

    def _stand(self, last: bool = False) -> None:
        """Tell those who watch where the search stands; not more than some times a second."""
        now = time.monotonic()
        if not last and now - self.last_standing < SAY_EVERY:
            return
        self.last_standing = now
        states = [state_of(trial) for trial in self.records.trials()]
        value, at = self.leading if self.leading is not None else (None, None)
        standing = Standing(
            finished=sum(state in ("complete", "pruned", "diverged") for state in states),
            trials=self.records.total,
            training=sum(not each.told for each in self.field.values()),
            stopped=states.count("pruned"),
            diverged=states.count("diverged"),
            epochs=self.epochs,
            metric=self.experiment.metric,
            value=None if value is None else self.records.sign * value,
            trial=at,
            seconds=now - self.started,
        )
        for watch in self.watchers:
            watch(standing)

    def result(self, staged: bool) -> Search:
        """The search as it stands in the study."""
        experiment, records = self.experiment, self.records
        trials = [_tried(trial, experiment.space) for trial in records.trials()]
        ranking = sorted(trials, key=lambda trial: _rank(trial, records))
        winner = ranking[0] if ranking else None
        if winner is None or winner.value is None:
            if any(trial.state == "diverged" for trial in trials):
                raise _all_diverged(trials)
            raise SettingError("No trial has come to the end of an epoch: give the search more time.")
        stage = records.stages[winner.stage]

        def run() -> Run:
            if self.best is not None and self.best[0][-1] == winner.number:
                return self.best[1].run()
            [member] = experiment.crew.enlist([self._given(_labels(winner, experiment.space), stage)])
            experiment.crew.train([member], until=winner.epochs)
            return member.run()

        return Search(
            trials,
            winner,
            experiment.metric,
            records.study,
            run,
            ranking=[trial.number for trial in ranking],
            staged=staged,
        )


def retrained(experiment: Experiment, winner: Tried, stages: Sequence[Stage]) -> Run:
    """The winner trained on training and validation rows together, for as many epochs as it had."""
    settings = experiment.settings | {"validation": None, "early_stopping": None}
    data = _together(experiment.data, experiment.settings["validation"], experiment.settings["seed"])
    given = experiment.member(_labels(winner, experiment.space))
    given = {name: value for name, value in given.items() if name.partition(".")[0] != "early_stopping"}
    crew = Crew(experiment.net, data, **settings, **experiment.options)
    [member] = crew.enlist([{"epochs": stages[winner.stage].epochs} | given])
    crew.train([member], until=winner.best_epoch)
    if member.diverged:
        raise DivergedError(
            f"Trained on training and validation rows together, the winner {member.stopped}: take the best trial as it "
            "is (retrain=False).",
            step=0,
            layer="",
        )
    return member.run()


def state_of(trial: FrozenTrial) -> str:
    """What a trial has come to."""
    name = trial.state.name.lower()
    if name == "pruned" and str(trial.user_attrs.get("stopped", "")).startswith("diverged"):
        return "diverged"
    return {"fail": "failed"}.get(name, name)


def _together(data: Any, validation: Any, seed: int) -> Any:
    """Training and validation rows as one."""
    if isinstance(data, Table):
        data = data.prepare(validation=0.0, key=random.fold_in(random.key(seed), SPLIT)).data
    parts = [unpack(data)]
    if isinstance(data, Dataset) and data.validation is not None and validation is None:
        parts.append((data.x_validation, data.labels(data.validation[1])))
    elif isinstance(validation, tuple | list | Dataset):
        parts.append(unpack(validation))
    if len(parts) == 1:
        return data
    import numpy as np

    x, y = (np.concatenate([np.asarray(part[i]) for part in parts]) for i in (0, 1))
    if not isinstance(data, Dataset):
        return x, y
    return Dataset("training and validation", x, y, preparation=data.preparation)


def _tried(trial: FrozenTrial, space: Space) -> Tried:
    about = trial.user_attrs
    state = state_of(trial)
    steps = sorted(trial.intermediate_values)
    curves = {name: [math.nan if v is None else v for v in values] for name, values in about.get("curves", {}).items()}
    epochs = int(about.get("epochs", max(steps, default=0)))
    records = [{"epoch": i + 1, **{name: values[i] for name, values in curves.items()}} for i in range(epochs)]
    return Tried(
        number=trial.number,
        settings=space.options({name: value for name, value in trial.params.items() if name in space.entries}),
        value=trial.value if state in ("complete", "pruned") and trial.value is not None else None,
        state=state,
        epochs=epochs,
        best_epoch=int(about.get("best_epoch", epochs)),
        seconds=float(about.get("seconds", 0.0)),
        history=History(records if curves else []),
        stopped=about.get("stopped"),
        stage=int(about.get("stage", 0)),
    )


def _labels(trial: Tried, space: Space) -> dict[str, Any]:
    return {name: space.entries[name][0].label(option) for name, option in trial.settings.items()}


def _rank(trial: Tried, records: Records) -> tuple[Any, ...]:
    """Complete trials by value, then those that were stopped, the last ones first, then those without a value."""
    states = ("complete", "pruned", "running", "waiting", "diverged", "failed")
    late = -trial.epochs if trial.state == "pruned" else 0
    if trial.value is None:
        return states.index(trial.state), late, math.inf, math.inf, trial.number
    loss = trial.history["val_loss"][trial.best_epoch - 1] if "val_loss" in trial.history.columns else math.nan
    return states.index(trial.state), late, *records.order(trial.value, loss, trial.number)


def _epoch(member: Member) -> int:
    """The epoch whose weights a member has."""
    return member.best_epoch if member.restores() else len(member.history)


def _all_diverged(trials: Sequence[Tried]) -> DivergedError:
    """An error that says what was tried."""
    names = dict.fromkeys(name for trial in trials for name in trial.settings)
    tried = []
    for name in names:
        values = [trial.settings[name] for trial in trials if name in trial.settings]
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            tried.append(f"{name} from {min(values):.4g} to {max(values):.4g}")
        else:
            tried.append(f"{name} {', '.join(dict.fromkeys(map(repr, values)))}")
    return DivergedError(
        f"All {len(trials)} trials diverged: the cost became NaN or infinite. Tried: {'; '.join(tried)}. Search "
        "smaller learning rates, or give the optimizer clip_norm=1.0.",
        step=0,
        layer="",
    )


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingError(f"search: {name} must be a whole number of at least 1, got {value!r}.")
    return value
