"""What a run's folder says about the run: settings, one record per epoch, how it ended, and which epoch was kept."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.errors import FileError
from chainrule.files import as_path
from chainrule.outcome import Outcome
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.recipe.history import History
from chainrule.runs.files import CONFIG, ENVIRONMENT, METRICS, MODEL, RESULT, SEARCH_CONFIG
from chainrule.runs.folder import begun, json_object, nothing_saved, read_file, read_records
from chainrule.training.decisions import kept_epoch


@dataclass(frozen=True)
class Record:
    """What a run's folder says about the run.

    Attributes
    ----------
    path : the folder
    config : the settings
    epochs : one record per finished epoch
    result : how it ended; {} while it runs, and for runs of `fit`
    environment : versions, machine, and when it was started
    has_model : whether there is a trained model
    """

    path: Path
    config: Mapping[str, Any]
    epochs: list[dict[str, Any]]
    result: Mapping[str, Any]
    environment: Mapping[str, Any]
    has_model: bool

    @property
    def outcome(self) -> Outcome | None:
        """How training ended; None while it runs, and for runs of `fit`."""
        return Outcome.from_dict(self.result) if "state" in self.result else None

    @property
    def diverged(self) -> bool:
        """Whether the cost became NaN or infinite."""
        return self.outcome is not None and self.outcome.diverged

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights the model has, or would have if the run ended now; None: those of no epoch."""
        if "best_epoch" in self.result or not self.epochs or self.diverged:
            return self.result.get("best_epoch")
        stopping = _stopping(self.config)
        best = len(self.epochs)
        if stopping is not None and stopping.monitor in self.epochs[0]:
            values = [math.nan if v is None else v for v in History(self.epochs)[stopping.monitor]]
            best = stopping.best_epoch(values)
        return kept_epoch(stopping, len(self.epochs), best)

    @property
    def metrics(self) -> dict[str, Any]:
        """What was measured of the model, as in `Run.metrics`."""
        measured = self.result.get("metrics")
        return History(self.epochs).at(self.kept_epoch) if measured is None else dict(measured)


def read_folder(path: str | Path) -> Record:
    """Read a run's folder. A missing or damaged file is a `FileError` that names it; results may be missing."""
    path = as_path(path)
    if not (path / CONFIG).is_file():
        kind = "holds no run: it has no config.toml" if path.is_dir() else "is not a folder"
        if (path / SEARCH_CONFIG).exists():
            kind = f"has a search that was interrupted. To go on: chainrule search --resume {path}"
        elif begun(path) != path:
            kind = f"has the folds of a run that was interrupted. To go on: chainrule train --resume {path}"
        elif nothing_saved(path):
            kind = (
                "holds no run: it was left before anything was saved. Start again with the same command, and "
                f"--out {path}"
            )
        raise FileError(f"{path} {kind}.")
    return Record(
        path=path,
        config=read_file(path / CONFIG, tomllib.loads),
        epochs=read_records(path / METRICS) if (path / METRICS).exists() else [],
        result=read_file(path / RESULT, json_object, default={}),
        environment=read_file(path / ENVIRONMENT, json_object, default={}),
        has_model=(path / MODEL).is_file(),
    )


def _stopping(config: Mapping[str, Any]) -> EarlyStopping | None:
    """Return the early stopping of a run: as `fit` writes it, or as the command line does, by its patience."""
    settings = config.get("early_stopping")
    if not settings:
        return None
    return EarlyStopping(**settings) if isinstance(settings, Mapping) else EarlyStopping(settings)
