"""How good such a network is, by cross-validation; then the network of all rows."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import metrics
from chainrule.errors import DataError, FileError, SettingError
from chainrule.experiments.folder import Out, open_folder
from chainrule.experiments.listener import QUIET, Listener
from chainrule.experiments.plan import Plan
from chainrule.experiments.presets import network
from chainrule.experiments.result import Trained
from chainrule.experiments.resume import going_on, saving, where_it_goes_on
from chainrule.experiments.seeds import member_facts
from chainrule.experiments.settings import ExperimentSettings
from chainrule.experiments.single import train_single
from chainrule.population.cross_validation import CrossValidation, cross_validate
from chainrule.runs.files import CONFIG, MEMBERS_FOLDER
from chainrule.runs.folder import OR_GO_ON, begun
from chainrule.runs.members import Members, read_members, write_members
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.table import Table


@dataclass(frozen=True, eq=False, repr=False)
class TrainedFolds(Trained):
    """The network of all training rows, and how good such networks are on rows that they have not seen.

    Attributes
    ----------
    cross_validation : the networks of the folds, with their scores; of folds that were done before the run was gone on
        with they are read from its folder
    members : of each network of a fold how its training ended, and its scores
    """

    folds_plan: Plan
    members: Members
    measured: CrossValidation | None

    @functools.cached_property
    def cross_validation(self) -> CrossValidation:
        """The networks of the folds."""
        if self.measured is not None:
            return self.measured
        assert self.folder is not None
        return _cross_validate(self.folds_plan, self.folder / MEMBERS_FOLDER, QUIET)

    def _lines(self) -> list[str]:
        metric = metrics.find(self.members.metric)
        scores = self.members.summary(self.members.metric).format(metric)
        return [
            f"{metric.label.capitalize()} of one network on rows that it has not seen, by cross-validation: {scores}.",
            *super()._lines(),
            f"The model is this one network, of seed {self.settings.seed}; the folds say how good such networks are.",
        ]


def train_folds(plan: Plan, *, out: Out = None, resume: bool = False, listener: Listener = QUIET) -> TrainedFolds:
    """Cross-validate the training rows, then train on all of them with the first seed."""
    with open_folder(out, plan.data.name, resume=resume) as path:
        if path is None:
            return _train(plan, None, resume=False, listener=listener)
        with going_on(path, listener):
            if not resume and begun(path) != path:
                raise FileError(f"{path} already holds a run. {OR_GO_ON} {path}")
            listener.on_folder(path)
            return _train(plan, path, resume=resume, listener=listener)


def _train(plan: Plan, path: Path | None, *, resume: bool, listener: Listener) -> TrainedFolds:
    """Train the networks of the folds, unless that is done, and the one of all rows."""
    result, begun_before = None, False
    members = None if path is None else read_members(path)
    if members is None:
        _announce(plan, listener)
        result = _cross_validate(plan, None if path is None else path / MEMBERS_FOLDER, listener)
        listener.on_cross_validation(result)
        members = _members_of(result, watched=plan.fit_kwargs["early_stopping"] is not None)
        if path is not None:
            with saving(result):
                write_members(path, members.facts, members.epochs)
    if path is not None and (begun_before := (path / CONFIG).exists()) and (text := where_it_goes_on(path)):
        listener.on_message(text)
    whole = _of_all_rows(plan)
    trained = train_single(whole, out=path, resume=begun_before, listener=listener, announce=begun_before)
    return TrainedFolds(trained.run, whole, trained.test, trained.folder, plan, members, result)


def _announce(plan: Plan, listener: Listener) -> None:
    """Tell what is about to happen; no rows are set apart but those of a fold, and those that early stopping
    watches.
    """
    settings, data, training = plan.settings, plan.data, plan.training
    validation = settings.validation if plan.fit_kwargs["early_stopping"] is not None else 0.0
    if plan.table is not None and data.x_validation is not None:
        training = dataclasses.replace(training, x=np.concatenate([training.x, data.x_validation]))
    announced = dataclasses.replace(
        plan,
        settings=dataclasses.replace(settings, validation=validation),
        data=dataclasses.replace(data, x_validation=None, y_validation=None),
        training=training,
    )
    seeds = settings.seeds or 1
    seeds_per_fold = "one seed" if seeds == 1 else f"{seeds} seeds"
    networks = (settings.folds or 5) * seeds
    listener.on_start(announced, [f"folds     {settings.folds}, with {seeds_per_fold} for each: {networks} networks"])


def check_folds(settings: ExperimentSettings) -> None:
    """Refuse what does not go together with folds."""
    if settings.time is not None:
        raise SettingError(
            "--folds takes rows from all over the table, and --time says that later ones are not to be known: such "
            "folds would learn from the future. Leave out one of the two."
        )
    if settings.components is not None:
        raise SettingError("--folds cannot be combined with --components yet; leave out one of the two.")


def _cross_validate(plan: Plan, folder: Path | None, listener: Listener) -> CrossValidation:
    """Train the networks of all folds and seeds on the training rows; the rows for the test stay out of it.

    They are kept in the folder, and go on from there.
    """
    settings = plan.settings
    kwargs = {name: value for name, value in plan.fit_kwargs.items() if name not in ("validation", "seed")}
    data: Any = plan.training_data
    net: Any = plan.model.net
    if plan.table is not None:
        data = rows_to_train(plan, plan.table)
        net = functools.partial(network, settings)  # the categories of a column may differ from fold to fold
    if folder is not None:
        kwargs |= {"out": folder, "resume": (folder / CONFIG).exists()}
    return cross_validate(
        net,
        data,
        folds=settings.folds or 5,
        seeds=settings.seeds or 1,
        groups=settings.group,
        seed=settings.seed,
        validation=(settings.validation or None) if kwargs["early_stopping"] is not None else None,
        engine=settings.engine,
        devices=settings.devices,
        config=settings.to_dict(),
        progress=listener.progress,
        **kwargs,
    )


def rows_to_train(plan: Plan, prepared: PreparedTable) -> Table:
    """Return the rows of a table that are not for the test, as they were read."""
    table, settings = plan.source, plan.requested
    assert isinstance(table, Table)
    if prepared.features is None:
        raise DataError(
            f"--folds needs the table in memory, and {settings.data} is too large: give a part of its rows."
        )
    _, _, present = table.targets()
    rows = np.flatnonzero(present)[np.sort(np.concatenate([prepared.rows.train, prepared.rows.validation]))]
    columns = dict(table.columns)
    if (split := settings.split or table.split_column()) is not None:
        columns[split] = {"use": False}
    task = "regression" if prepared.data.task == "regression" else "classification"
    frame = table.frame.iloc[rows].reset_index(drop=True)
    return dataclasses.replace(table, columns=columns, task=task).with_rows(frame)


def _of_all_rows(plan: Plan) -> Plan:
    """Return the same plan for all training rows: none is left out for validation, unless it says when to stop."""
    if plan.fit_kwargs["early_stopping"] is not None or not plan.settings.validation:
        return plan
    return plan.with_settings(validation=0.0)


def _members_of(result: CrossValidation, watched: bool) -> Members:
    """Return the scores and the curves of all networks; ``watched``: they had validation rows for early stopping."""
    splits, seeds = len(result.folds), len(result.seeds)
    cubes = [v if v.ndim == 3 else v[..., None] for v in (result.scores, result.losses)]
    scores, losses = (cube.transpose(2, 0, 1).reshape(splits, seeds) for cube in cubes)
    members = []
    for i, fold in enumerate(result.folds):
        for j, seed in enumerate(result.seeds):
            facts = member_facts(result.runs[i * seeds + j], {"fold": fold.fold, "seed": seed})
            members.append(facts | {"scores": {result.metric: float(scores[i, j]), "loss": float(losses[i, j])}})
    low, high = result.interval()
    summary = {
        "mean": result.mean,
        "std": result.std,
        "low": low,
        "high": high,
        "values": result.split_scores.tolist(),
    }
    facts = {
        "kind": "folds",
        "metric": result.metric,
        "members": members,
        "summary": {result.metric: summary},
    }
    if "val_loss" in result.runs[0].history.columns and not watched:
        facts["judged_on"] = "held-out fold"
    facts["model"] = f"one network of all training rows, trained with seed {result.seeds[0]}"
    return Members(facts, [run.history.records for run in result.runs])
