"""``chainrule train --folds K``: how good such a network is, by cross-validation; then the network of all rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.cli.messages import say, show
from chainrule.cli.tell import say_start
from chainrule.cli.train import say_result
from chainrule.errors import DataError, FileError, SettingError
from chainrule.experiments.data import read_named_table
from chainrule.experiments.plan import Task, find_task
from chainrule.experiments.presets import TrainSettings, network
from chainrule.experiments.resume import going_on, saving, say_where
from chainrule.experiments.seeds import facts_of
from chainrule.experiments.single import RUNS, Trained, train_task
from chainrule.population.cross_validation import CrossValidation, cross_validate
from chainrule.runs.files import CONFIG, MEMBERS, MEMBERS_FOLDER
from chainrule.runs.folder import OR_GO_ON, begun, create_run_dir
from chainrule.runs.members import write_members
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.table import Table


def train_folds(settings: TrainSettings, typed: Collection[str] = (), *, out: Path | None, resume: bool) -> Trained:
    """Cross-validate the training rows, then train on all of them with the first seed; gives that run."""
    check(settings)
    task = find_task(settings, typed)
    with create_run_dir(out, RUNS, task.data.name, resume=resume) as path, going_on(path):
        if not resume and begun(path) != path:
            raise FileError(f"{path} already holds a run. {OR_GO_ON} {path}")
        if not (path / MEMBERS).exists():
            say_task(
                task, f"folds     {settings.folds}, with {_seeds(settings)} for each: {_networks(settings)} networks"
            )
            result = cross_validated(task, path / MEMBERS_FOLDER)
            show(result)
            say("Now one network of all training rows:")
            with saving(result):
                write(path, result, watched=task.words["early_stopping"] is not None)
        began = (path / CONFIG).exists()
        if began:
            say_where(path)
        trained = train_task(of_all_rows(task), out=path, resume=began, tell=began)
        say_result(trained)
        say(f"The model is this one network, of seed {settings.seed}; the folds say how good such networks are.")
        say(f"Next: chainrule evaluate {trained.folder} {trained.settings.data}")
    return trained


def say_task(task: Task, *more: str) -> None:
    """What is about to happen; no rows are set apart but those of a fold, and those that early stopping watches."""
    share = task.settings.validation if task.words["early_stopping"] is not None else 0.0
    settings = dataclasses.replace(task.settings, validation=share)
    data = dataclasses.replace(task.data, x_validation=None, y_validation=None)
    part = task.part
    if task.table is not None and task.data.x_validation is not None:
        part = dataclasses.replace(part, x=np.concatenate([part.x, task.data.x_validation]))
    say_start(settings, data, part, task.test, task.model, *more)


def check(settings: TrainSettings) -> None:
    """What does not go together with folds."""
    if settings.time is not None:
        raise SettingError(
            "--folds takes rows from all over the table, and --time says that later ones are not to be known: such "
            "folds would learn from the future. Leave out one of the two."
        )
    if settings.components is not None:
        raise SettingError("--folds cannot be combined with --components yet; leave out one of the two.")


def cross_validated(task: Task, folder: Path) -> CrossValidation:
    """Return the networks of all folds and seeds, on the training rows; the test rows stay out of it.

    They are kept in the folder, and go on from there.
    """
    settings = task.settings
    words = {name: value for name, value in task.words.items() if name not in ("validation", "seed")}
    data: Any = task.training
    net: Any = task.model.net
    if task.table is not None:
        data = rows_to_train(task.given, task.table)
        net = lambda fold: network(settings, fold)  # noqa: E731 - the categories of a column may differ from fold to fold
    return cross_validate(
        net,
        data,
        folds=settings.folds or 5,
        seeds=settings.seeds or 1,
        groups=settings.group,
        seed=settings.seed,
        validation=(settings.validation or None) if words["early_stopping"] is not None else None,
        engine=settings.engine,
        devices=settings.devices,
        out=folder,
        resume=(folder / CONFIG).exists(),
        config=dataclasses.asdict(settings),
        **words,
    )


def rows_to_train(settings: TrainSettings, prepared: PreparedTable) -> Table:
    """Return the rows of a table that are not for the test, as they were read."""
    table = read_named_table(settings)
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


def of_all_rows(task: Task) -> Task:
    """Return the same settings for all training rows: none is left out for validation, unless it says when to stop."""
    if task.words["early_stopping"] is not None or not task.settings.validation:
        return task
    return find_task(dataclasses.replace(task.settings, validation=0.0), tell=False)


def write(folder: Path, found: CrossValidation, watched: bool) -> None:
    """Write the scores and the curves of all networks; ``watched``: they had validation rows for early stopping."""
    splits, seeds = len(found.folds), len(found.seeds)
    cubes = [v if v.ndim == 3 else v[..., None] for v in (found.scores, found.losses)]
    scores, losses = (cube.transpose(2, 0, 1).reshape(splits, seeds) for cube in cubes)
    members = []
    for i, fold in enumerate(found.folds):
        for j, seed in enumerate(found.seeds):
            kept = facts_of(found.runs[i * seeds + j], {"fold": fold.fold, "seed": seed})
            members.append(kept | {"scores": {found.metric: float(scores[i, j]), "loss": float(losses[i, j])}})
    low, high = found.interval()
    told = {
        "mean": found.mean,
        "std": found.std,
        "low": low,
        "high": high,
        "values": found.split_scores.tolist(),
    }
    facts: dict[str, Any] = {
        "kind": "folds",
        "metric": found.metric,
        "members": members,
        "summary": {found.metric: told},
    }
    if "val_loss" in found.runs[0].history.columns and not watched:
        facts["judged_on"] = "held-out fold"
    facts["model"] = f"one network of all training rows, trained with seed {found.seeds[0]}"
    write_members(folder, facts, [run.history.records for run in found.runs])


def _seeds(settings: TrainSettings) -> str:
    return "one seed" if (settings.seeds or 1) == 1 else f"{settings.seeds} seeds"


def _networks(settings: TrainSettings) -> int:
    return (settings.folds or 5) * (settings.seeds or 1)
