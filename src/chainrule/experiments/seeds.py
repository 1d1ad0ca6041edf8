"""``chainrule train --seeds N``: one network for each seed, all at once, and one model of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import metrics
from chainrule.cli.messages import say
from chainrule.cli.tell import say_start
from chainrule.cli.train import say_folder, say_test
from chainrule.errors import DivergedError
from chainrule.evaluation.ensemble_gain import EnsembleGain, ensemble_gain
from chainrule.experiments.data import Part, fingerprint_of
from chainrule.experiments.evaluate import judge_and_report, scores_of
from chainrule.experiments.plan import Task, find_task
from chainrule.experiments.presets import TrainSettings
from chainrule.experiments.resume import going_on, saving
from chainrule.experiments.single import RUNS, result
from chainrule.outcome import Outcome
from chainrule.population import Member, Population, PopulationTrainer
from chainrule.population.checkpointer import Checkpointer
from chainrule.population.fit import train_with_checkpoints
from chainrule.population.member_factory import list_members
from chainrule.report import write_report
from chainrule.runs.files import MEMBERS_FOLDER
from chainrule.runs.folder import RunFolder, create_run_dir, write_result
from chainrule.runs.members import mean_records, write_members
from chainrule.statistics import summary
from chainrule.training import History, Run
from chainrule.training.prepared_run import describe
from chainrule.training.state import recipe_of


def train_members(settings: TrainSettings, typed: Collection[str] = (), *, out: Path | None, resume: bool) -> Path:
    """Train a network for each seed, save one model of them, and tell what came of it; gives the run's folder."""
    task = find_task(settings, typed)
    count = settings.seeds or 1
    first, last = settings.seed, settings.seed + count - 1
    say_start(
        task.settings,
        task.data,
        task.part,
        task.test,
        task.model,
        f"seeds     {first} to {last}, on the same rows each",
    )
    trainer, members = enlisted(task)
    described = [describe(member.job, task.settings.engine, task.settings.devices) for member in members]
    with create_run_dir(out, RUNS, task.data.name, resume=resume) as path:
        folder = RunFolder(path, resume=resume)
        with going_on(path), folder.opened():
            checkpointer = Checkpointer(path / MEMBERS_FOLDER, members, described, keep=task.settings.keep)
            if resume:
                say(f"Going on: {checkpointer.progress}.")
            if not resume or not all(member.done for member in members):
                folder.start(dataclasses.asdict(task.settings))
            train_with_checkpoints(trainer, members, checkpointer, f"chainrule train --resume {path}")
            trained = SeveralSeeds(task, path, Population(members))
            with saving(trained.run):
                trained.write(folder)
            trained.say()
            judge_and_report(trained.run, task.data, task.part, task.test, task.settings, task.table)
            say_folder(path)
            say(f"Next: chainrule evaluate {path} {task.settings.data}")
    return path


def enlisted(task: Task) -> tuple[PopulationTrainer, list[Member]]:
    """Return the networks before their first step; their validation rows are those that the first seed draws."""
    settings = task.settings
    words = {name: value for name, value in task.words.items() if name != "validation"}
    trainer = PopulationTrainer(task.model.net, task.split(), engine=settings.engine, devices=settings.devices, **words)
    return trainer, trainer.add_members(list_members(settings.seeds or 1, settings.seed))


@dataclass(frozen=True)
class Saved:
    """The model of several networks.

    Attributes
    ----------
    run : with the model
    what : what it is, in words
    """

    run: Run
    what: str


class SeveralSeeds:
    """What came of the networks of several seeds."""

    def __init__(self, task: Task, folder: Path, population: Population) -> None:
        self.task, self.folder, self.population = task, folder, population
        self.alive = [run for run in population if not run.outcome.diverged]
        self.metric = metric_of(population)
        self.gain: EnsembleGain | None = None
        self.members = [
            facts_of(run, given, task.test) for run, given in zip(population, population.members, strict=True)
        ]
        if not self.alive:
            self._all_diverged()
        self.saved = self._saved()
        self.run = self.saved.run
        test = task.test
        self.scores = None if test is None else scores_of(self.run, test.x, test.y)
        if test is not None and len(self.alive) > 1:
            self.gain = ensemble_gain(self.alive, test.x, test.y)

    def _saved(self) -> Saved:
        """Return the model, by what --save says."""
        if self.task.settings.save == "best" or len(self.alive) == 1:
            run = self.population.best_by(self.metric)
            seed = self.population.members[list(self.population).index(run)]["seed"]
            by = f"the best of {len(self.population)} by {words(self.metric)}"
            return Saved(_placed(run, self.folder), f"the network of seed {seed}, {by}")
        first = self.alive[0]
        model = self.population.ensemble()
        recipe = recipe_of(model, first.recipe.loss, task=first.recipe.task)
        records = mean_records([run.history.records for run in self.alive])
        early = sum(run.stopped is not None for run in self.alive)
        outcome = Outcome.after(f"{early} of {len(self.alive)} networks" if early else None)
        averaged = "predictions" if first.recipe.task == "regression" else "probabilities"
        what = f"the ensemble of {len(self.alive)} networks, which averages their {averaged}"
        run = Run(
            model,
            History(records),
            recipe,
            best_epoch=None,
            outcome=outcome,
            engine=first.engine,
            traces={},
            metrics={},
        )
        data = self.task.split()
        if data.validation is not None:
            run.metrics = {f"val_{name}": value for name, value in scores_of(run, *data.validation).items()}
        return Saved(_placed(run, self.folder), what)

    def _all_diverged(self) -> None:
        """Write what there is, and say that none has come through."""
        self._write_members("none: all networks diverged")
        outcome = Outcome("diverged", "all networks diverged")
        write_result(self.folder, outcome.to_dict() | {"members": len(self.population)})
        write_report(self.folder)
        raise DivergedError(
            f"All {len(self.population)} networks diverged: their cost became NaN or infinite. "
            "A smaller learning rate (--lr) helps most often.",
            step=0,
            layer="",
            run=self.population[0],
        )

    def write(self, folder: RunFolder) -> None:
        """Write the model, metrics and scores."""
        folder.write_metrics(mean_records([run.history.records for run in self.alive]))
        folder.write_model(self.run.model)
        self._write_members(self.saved.what)
        write_result(
            self.folder,
            result(self.run, self.scores, self.task.test, fingerprint_of(self.task.part, self.task.settings.data))
            | {"members": len(self.population), "model": self.saved.what},
        )

    def _write_members(self, what: str) -> None:
        facts: dict[str, Any] = {"kind": "seeds", "metric": self.metric, "members": self.members, "model": what}
        if self.gain is not None:
            facts["gain"] = in_one_line(self.gain)
        write_members(self.folder, facts, [run.history.records for run in self.population])

    def say(self) -> None:
        """Tell how one network does, and the model."""
        if lost := len(self.population) - len(self.alive):
            say(f"warning: {lost} of {len(self.population)} networks diverged; the figures are those of the others.")
        for name in dict.fromkeys((self.metric, f"test_{metrics.base_name(self.metric)}")):
            if any(name in member["scores"] for member in self.members):
                say(f"{words(name).capitalize()} of one network: {of_members(name, self.members)}.")
        say(f"The model is {self.saved.what}.")
        if (value := self.run.metrics.get(self.metric)) is not None:
            say(f"{words(self.metric).capitalize()} of the model: {metrics.format_value(self.metric, value)}.")
        say_test(self.scores, self.task.test)
        if self.gain is not None:
            say(f"On the test rows: {in_one_line(self.gain)}.")


def in_one_line(gain: EnsembleGain) -> str:
    """Return what the ensemble gains, as part of a sentence."""
    return str(gain).replace("\n", "; ")


def of_members(name: str, members: Iterable[Mapping[str, Any]]) -> str:
    """Mean, deviation and interval of a metric over some members."""
    found = summary(member["scores"].get(name, float("nan")) for member in members)
    return found.format(metrics.find(name))


def facts_of(run: Run, given: Mapping[str, Any], test: Part | None = None) -> dict[str, Any]:
    """Return what is kept of a member: who it is, how its training ended, and its scores at the epoch whose weights it
    has.
    """
    scores = dict(run.metrics)
    if test is not None and not run.outcome.diverged:
        scores |= {f"test_{name}": value for name, value in scores_of(run, test.x, test.y).items()}
    return {
        **{name: given[name] for name in ("repeat", "fold", "seed") if name in given},
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        **run.outcome.to_dict(),
        "scores": scores,
    }


def metric_of(runs: Sequence[Run]) -> str:
    """Return what networks are compared by: validation if there is any."""
    columns = next((run.history.columns for run in runs if len(run.history)), [])
    return metrics.preferred(columns) or "loss"


def words(metric: str) -> str:
    """Return a metric in words, as in ``validation accuracy``."""
    return metrics.label_of(metric, training="training ")


def _placed(run: Run, folder: Path) -> Run:
    """Return a run that knows its folder."""
    run.folder = folder
    return run
