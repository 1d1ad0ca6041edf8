"""The winner of a search trained once more, on training and validation rows together."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset
from chainrule.errors import DivergedError
from chainrule.population import Crew
from chainrule.tables.table import Table
from chainrule.training.run import Run
from chainrule.training.run_data import SPLIT, unpack
from chainrule.tuning.experiment import Experiment
from chainrule.tuning.result import Tried
from chainrule.tuning.stages import Stage


def retrained(experiment: Experiment, winner: Tried, stage: Stage) -> Run:
    """The winner trained on training and validation rows together, for as many epochs as it had."""
    settings = experiment.settings | {"validation": None, "early_stopping": None}
    data = _together(experiment.data, experiment.settings["validation"], experiment.settings["seed"])
    given = experiment.member(experiment.labels(winner.settings))
    given = {name: value for name, value in given.items() if name.partition(".")[0] != "early_stopping"}
    crew = Crew(experiment.net, data, **settings, **experiment.options)
    [member] = crew.enlist([{"epochs": stage.epochs} | given])
    crew.train([member], until=winner.best_epoch)
    if member.diverged:
        raise DivergedError(
            f"Trained on training and validation rows together, the winner {member.stopped}: take the best trial as it "
            "is (retrain=False).",
            step=0,
            layer="",
        )
    return member.run()


def _together(data: Any, validation: Any, seed: int) -> Any:
    """Training and validation rows as one."""
    if isinstance(data, Table):
        data = data.prepare(validation=0.0, key=random.fold_in(random.key(seed), SPLIT)).data
    parts = [unpack(data)]
    if isinstance(data, Dataset) and data.validation is not None and validation is None:
        parts.append(data.validation)
    elif isinstance(validation, tuple | list | Dataset):
        parts.append(unpack(validation))
    if len(parts) == 1:
        return data
    x, y = (np.concatenate([np.asarray(part[i]) for part in parts]) for i in (0, 1))
    if not isinstance(data, Dataset):
        return x, y
    return Dataset("training and validation", x, y, preparation=data.preparation, notes=data.notes)
