"""The trained model that RUN names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.errors import FileError
from chainrule.experiments.folder import RUNS
from chainrule.experiments.settings import ExperimentSettings, read_settings
from chainrule.files import as_path
from chainrule.models import Model, load_model
from chainrule.runs.files import CHECKPOINTS, CONFIG, MODEL, OF_A_RUN
from chainrule.training.record import read_folder


@dataclass(frozen=True)
class TrainedModel:
    """A model, and what is known of how it was trained.

    Attributes
    ----------
    model : the model
    settings : it was trained with, or None
    data : the fingerprint of the rows that it was trained on (`chainrule.training.fingerprint`), {} where none is kept
    """

    model: Model
    settings: ExperimentSettings | None
    data: Mapping[str, str] = field(default_factory=dict)


def find_model(run: str | os.PathLike[str]) -> TrainedModel:
    """Find the model of a run's folder (also by its name in ``runs/``), or in a .safetensors file."""
    path = _path(run)
    if path.is_file():
        return TrainedModel(load_model(path), None)
    if not path.is_dir():
        raise FileError(f"There is no run and no model {str(run)!r}{_nearest(path)}")
    if not (path / MODEL).exists():
        if (path / CHECKPOINTS).exists():
            raise FileError(f"{path} is not finished. Go on with it: chainrule train --resume {path}")
        raise FileError(f"{path} holds no trained model: it has no {MODEL}.")
    config = path / CONFIG
    model = load_model(path / MODEL)
    if not config.exists():
        return TrainedModel(model, None)
    return TrainedModel(model, ExperimentSettings(**read_settings(config)), read_folder(path).result.get("data", {}))


def files_of_run(run: str | os.PathLike[str]) -> list[Path]:
    """Return what no command may overwrite when it reads a run, or a model's file."""
    path = find_folder(run)
    return [path] if path.is_file() else [path / name for name in OF_A_RUN]


def find_folder(run: str | os.PathLike[str]) -> Path:
    """Find the folder of a run (also by its name in ``runs/``)."""
    path = _path(run)
    if not path.exists():
        raise FileError(f"There is no run {str(run)!r}{_nearest(path)}")
    return path


def _path(run: str | os.PathLike[str]) -> Path:
    path = as_path(run)
    return RUNS / run if not path.exists() and (RUNS / run).is_dir() else path


def _nearest(path: Path) -> str:
    folder = path.parent if path.parent != Path() else RUNS
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(folder / close[0])!r}?" if close else ". See what there is: chainrule runs"
