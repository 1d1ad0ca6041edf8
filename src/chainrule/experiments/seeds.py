"""One network for each seed, all at once, and one model of them: their ensemble, or the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import metrics
from chainrule.errors import DivergedError
from chainrule.evaluation.ensemble_gain import EnsembleGain, ensemble_gain
from chainrule.experiments.data import Part
from chainrule.experiments.evaluation import evaluate_and_report, scores_of
from chainrule.experiments.folder import Out, open_folder
from chainrule.experiments.listener import QUIET, Listener
from chainrule.experiments.plan import Plan
from chainrule.experiments.result import Trained, save_outcome, save_result
from chainrule.experiments.resume import going_on, saving
from chainrule.outcome import Outcome
from chainrule.population import Member, Population, PopulationTrainer, fit_population
from chainrule.population.checkpointer import Checkpointer
from chainrule.population.fit import train_with_checkpoints
from chainrule.population.member_factory import list_members
from chainrule.recipe.prepared_run import describe
from chainrule.recipe.state import recipe_of
from chainrule.report import write_report
from chainrule.runs.files import MEMBERS_FOLDER
from chainrule.runs.folder import RunFolder
from chainrule.runs.members import mean_records, write_members
from chainrule.statistics import summary
from chainrule.training import History, Run


@dataclass(frozen=True, eq=False, repr=False)
class TrainedSeeds(Trained):
    """Networks of several seeds, and the model of them, which `run` holds.

    Attributes
    ----------
    population : the run of each seed
    members : of each seed how its training ended, and its scores
    metric : what the networks are compared by
    gain : what the ensemble gains over one network on the rows for the test; None where it is not measured
    kind : what the model is, in words
    """

    population: Population
    members: Sequence[Mapping[str, Any]]
    metric: str
    gain: EnsembleGain | None
    kind: str

    def _lines(self) -> list[str]:
        lines, alive = [], _alive(self.population)
        if lost := len(self.population) - len(alive):
            text = f"{lost} of {len(self.population)} networks diverged; the figures are those of the others."
            lines.append(f"warning: {text}")
        for name in dict.fromkeys((self.metric, f"test_{metrics.base_name(self.metric)}")):
            if any(name in member["scores"] for member in self.members):
                lines.append(f"{_label(name).capitalize()} of one network: {_over_members(name, self.members)}.")
        lines.append(f"The model is {self.kind}.")
        if (value := self.run.metrics.get(self.metric)) is not None:
            lines.append(
                f"{_label(self.metric).capitalize()} of the model: {metrics.format_value(self.metric, value)}."
            )
        lines += self._test_lines()
        if self.gain is not None:
            lines.append(f"On the test rows: {in_one_line(self.gain)}.")
        return lines


def train_seeds(plan: Plan, *, out: Out = None, resume: bool = False, listener: Listener = QUIET) -> TrainedSeeds:
    """Train a network for each seed, and make one model of them."""
    settings = plan.settings
    count = settings.seeds or 1
    listener.on_start(plan, [f"seeds     {settings.seed} to {settings.seed + count - 1}, on the same rows each"])
    kwargs: dict[str, Any] = {name: value for name, value in plan.fit_kwargs.items() if name != "validation"}
    kwargs |= {"engine": settings.engine, "devices": settings.devices}
    with open_folder(out, plan.data.name, resume=resume) as path:
        if path is None:
            progress = listener.progress
            population = fit_population(plan.model.net, plan.split(), count, progress=progress, **kwargs)
            return _assemble(plan, population, None)
        trainer = PopulationTrainer(plan.model.net, plan.split(), **kwargs)
        members = trainer.add_members(list_members(count, settings.seed))
        folder = RunFolder(path, resume=resume)
        listener.on_folder(path)
        with going_on(path, listener), folder.opened():
            _train(plan, trainer, members, folder, resume=resume, listener=listener)
            trained = _assemble(plan, Population(members), path)
            with saving(trained.run):
                _write(trained, folder)
            evaluate_and_report(trained.run, plan, listener)
    return trained


def _train(
    plan: Plan,
    trainer: PopulationTrainer,
    members: list[Member],
    folder: RunFolder,
    *,
    resume: bool,
    listener: Listener,
) -> None:
    """Train the networks to their end, kept in the folder of the run."""
    settings = plan.settings
    configs = [describe(member.prepared_run, settings.engine, settings.devices) for member in members]
    checkpointer = Checkpointer(folder.path / MEMBERS_FOLDER, members, configs, keep=settings.keep)
    if resume:
        listener.on_message(f"Going on: {checkpointer.progress}.")
    if not resume or not all(member.done for member in members):
        folder.start(settings.to_dict())
    train_with_checkpoints(trainer, members, checkpointer, listener.how_to_resume(folder.path), listener.progress)


def _assemble(plan: Plan, population: Population, folder: Path | None) -> TrainedSeeds:
    """Make one model of the networks, and measure how good they are."""
    metric, test, alive = metric_of(population), plan.test, _alive(population)
    members = [member_facts(run, member, test) for run, member in zip(population, population.members, strict=True)]
    if not alive:
        _all_diverged(population, metric, members, folder)
    if plan.settings.save == "best" or len(alive) == 1:
        run = population.best_by(metric)
        seed = population.members[list(population).index(run)]["seed"]
        kind = f"the network of seed {seed}, the best of {len(population)} by {_label(metric)}"
    else:
        run = _ensemble(plan, population)
        averaged = "predictions" if run.recipe.task == "regression" else "probabilities"
        kind = f"the ensemble of {len(alive)} networks, which averages their {averaged}"
    run.folder = folder
    scores = None if test is None else scores_of(run, test.x, test.y)
    gain = ensemble_gain(alive, test.x, test.y) if test is not None and len(alive) > 1 else None
    return TrainedSeeds(run, plan, scores, folder, population, members, metric, gain, kind)


def _ensemble(plan: Plan, population: Population) -> Run:
    """Return the networks that have not diverged as one model, with the means of their curves."""
    alive = _alive(population)
    first, model = alive[0], population.ensemble()
    early = sum(run.stopped is not None for run in alive)
    run = Run(
        model,
        History(mean_records([run.history.records for run in alive])),
        recipe_of(model, first.recipe.loss, task=first.recipe.task),
        best_epoch=None,
        outcome=Outcome.after(f"{early} of {len(alive)} networks" if early else None),
        engine=first.engine,
        traces={},
        metrics={},
    )
    data = plan.split()
    if data.validation is not None:
        run.metrics = {f"val_{name}": value for name, value in scores_of(run, *data.validation).items()}
    return run


def _all_diverged(
    population: Population, metric: str, members: Sequence[Mapping[str, Any]], folder: Path | None
) -> None:
    """Write what there is, and say that none has come through."""
    if folder is not None:
        kind = "none: all networks diverged"
        facts = {"kind": "seeds", "metric": metric, "members": members, "model": kind}
        write_members(folder, facts, [run.history.records for run in population])
        save_outcome(folder, Outcome("diverged", "all networks diverged"), members=len(population))
        write_report(folder)
    raise DivergedError(
        f"All {len(population)} networks diverged: their cost became NaN or infinite. "
        "A smaller learning rate (--lr) helps most often.",
        step=0,
        layer="",
        run=population[0],
    )


def _write(trained: TrainedSeeds, folder: RunFolder) -> None:
    """Write the model, metrics and scores."""
    population = trained.population
    folder.write_metrics(mean_records([run.history.records for run in _alive(population)]))
    folder.write_model(trained.model)
    facts: dict[str, Any] = {"kind": "seeds", "metric": trained.metric}
    facts |= {"members": trained.members, "model": trained.kind}
    if trained.gain is not None:
        facts["gain"] = in_one_line(trained.gain)
    write_members(folder.path, facts, [run.history.records for run in population])
    more = {"members": len(population), "model": trained.kind}
    save_result(folder.path, trained.run, trained.plan, trained.test, **more)


def in_one_line(gain: EnsembleGain) -> str:
    """Return what the ensemble gains, as part of a sentence."""
    return str(gain).replace("\n", "; ")


def _over_members(name: str, members: Iterable[Mapping[str, Any]]) -> str:
    """Return mean, deviation and interval of a metric over some members."""
    scores = summary(member["scores"].get(name, float("nan")) for member in members)
    return scores.format(metrics.find(name))


def member_facts(run: Run, member: Mapping[str, Any], test: Part | None = None) -> dict[str, Any]:
    """Return who a member is, how its training ended, and its scores at the epoch whose weights it has."""
    scores = dict(run.metrics)
    if test is not None and not run.outcome.diverged:
        scores |= {f"test_{name}": value for name, value in scores_of(run, test.x, test.y).items()}
    return {
        **{name: member[name] for name in ("repeat", "fold", "seed") if name in member},
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        **run.outcome.to_dict(),
        "scores": scores,
    }


def metric_of(runs: Sequence[Run]) -> str:
    """Return what networks are compared by: validation if there is any."""
    columns = next((run.history.columns for run in runs if len(run.history)), [])
    return metrics.preferred(columns) or "loss"


def _label(column: str) -> str:
    """Return a metric in words, as in ``validation accuracy``."""
    return metrics.label_of(column, training="training ")


def _alive(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if not run.outcome.diverged]
