"""The winner of a search trained once more, on training and validation rows together."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset
from chainrule.errors import DivergedError
from chainrule.population import PopulationTrainer
from chainrule.recipe.run_data import SPLIT, pair_of, run_data
from chainrule.recipe.settings_paths import root_of
from chainrule.tables.table import Table
from chainrule.training.run import Run
from chainrule.tuning.experiment import Experiment
from chainrule.tuning.result import Trial
from chainrule.tuning.stages import Stage


def retrained(experiment: Experiment, winner: Trial, stage: Stage) -> Run:
    """Train the winner on training and validation rows together, for as many epochs as it had."""
    settings = experiment.settings | {"validation": None, "early_stopping": None}
    data = _all_rows(experiment.data, experiment.settings["validation"], experiment.settings["seed"])
    differences = experiment.member(experiment.labels(winner.settings))
    differences = {name: value for name, value in differences.items() if root_of(name) != "early_stopping"}
    trainer = PopulationTrainer(experiment.net, data, **settings, **experiment.options)
    [member] = trainer.add_members([{"epochs": stage.epochs} | differences])
    trainer.train([member], until=winner.best_epoch)
    if member.diverged:
        raise DivergedError(
            f"Trained on training and validation rows together, the winner {member.stopped}: take the best trial as it "
            "is (retrain=False).",
            step=0,
            layer="",
        )
    return member.run()


def _all_rows(data: Any, validation: Any, seed: int) -> Any:
    """Return training and validation rows as one."""
    if isinstance(data, Table):
        data = data.prepare(validation=0.0, key=random.fold_in(random.key(seed), SPLIT)).data
    if isinstance(data, Dataset) and data.validation is not None and validation is None:
        x, y = np.concatenate([data.x, data.x_validation]), np.concatenate([data.y, data.y_validation])
        return dataclasses.replace(data, x=x, y=y, x_validation=None, y_validation=None)
    if not isinstance(validation, tuple | list | Dataset):
        return data
    training = run_data(None, data, None, seed)
    further_x, further_y = pair_of(validation)
    x = np.concatenate([training.x, training.inputs.admit(further_x)])
    y = np.concatenate([training.y, training.inputs.read_target(further_y)])
    if training.inputs.preparation is not None:
        return Dataset("training and validation", x, y, preparation=training.inputs.preparation, notes=training.notes)
    if training.inputs.names is None:
        return x, y
    from pandas import DataFrame

    return DataFrame(x, columns=list(training.inputs.names)), y
