"""``chainrule train --resume``: what may be given with it, and whether there is something left to do."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.cli.messages import say
from chainrule.cli.settings import read_settings
from chainrule.errors import FileError, SettingError
from chainrule.files import as_path
from chainrule.presets import TrainSettings
from chainrule.training import checkpoint
from chainrule.training.folder import Record, begun, read_folder

#: What may be given with --resume: nothing that would make another run of it.
WITH_RESUME = ("data", "data_dir", "epochs", "engine", "devices", "checkpoint_every", "checkpoint_minutes", "keep")


def settings_to_resume(given: Mapping[str, Any], folder: Path, config: Path | None, out: Path | None) -> TrainSettings:
    """The settings in a run's folder, if there is something left to do in it."""
    if config is not None or out is not None:
        raise SettingError(
            "--resume goes on in a run's own folder with its own settings: leave out --config and --out."
        )
    for name in given:
        if name not in WITH_RESUME:
            raise SettingError(
                f"--resume takes the settings of the run; --{name.replace('_', '-')} would make another run of it. "
                f"For a new run with its settings: --config {folder / 'config.toml'}."
            )
    folder = as_path(folder)
    if (folder / "search.toml").exists():
        raise SettingError(f"{folder} is a search. Go on with it: chainrule search --resume {folder}")
    began = begun(folder)
    record = read_folder(began)
    if "data" not in record.config:
        raise SettingError(
            f"{folder} was started in Python, and its data is not known here. Go on with it there: the same call with "
            f"out={str(folder)!r} and resume=True."
        )
    settings = TrainSettings(**(read_settings(began / "config.toml") | dict(given)))
    if began == folder and (settings.folds is not None or (settings.seeds or 1) == 1):
        check_left(folder, record, settings)
    return settings


def check_left(folder: Path, record: Record, settings: TrainSettings) -> None:
    """Whether there is something left to do for the network of a run; says from where it goes on."""
    newest, _ = checkpoint.newest(folder)  # before anything in the folder changes
    place = checkpoint.read(newest)[1]["place"] if newest is not None else {"epoch": 1, "done": 0}
    done = place["epoch"] - 1
    if record.result.get("state") == "stopped early":
        raise SettingError(f"{folder} has stopped early: {record.result.get('reason')}.")
    if settings.epochs is not None and done >= settings.epochs and record.result:
        raise SettingError(f"{folder} has done {done} epochs already. To go on, ask for more: --epochs {2 * done}.")
    if newest is not None:
        steps = f" ({place['done']:,} steps of epoch {done + 1} are done, too.)" if place["done"] else ""
        say(f"Going on with {folder} after epoch {done}.{steps}")


#: What may be given with --resume to a search: how long it goes on, and where.
WITH_SEARCH = ("data_dir", "engine", "devices")
ASKED_AGAIN = ("trials", "timeout", "max_epochs", "retrain")


def from_search(
    folder: Path, given: Mapping[str, Any], asked: Mapping[str, Any], config: Path | None, out: Path | None
) -> tuple[TrainSettings, dict[str, Any]]:
    """The settings of a search that is gone on with, and what it was asked for."""
    if config is not None or out is not None:
        raise SettingError(
            "--resume goes on in a search's own folder with its own settings: leave out --config and --out."
        )
    for name in (*given, *asked):
        if name not in WITH_SEARCH and name not in ASKED_AGAIN:
            raise SettingError(
                f"--resume takes what the search was asked for; --{name.replace('_', '-')} would make another of it."
            )
    path = as_path(folder) / "search.toml"
    if not path.exists():
        raise FileError(f"{folder} holds no search: it has no search.toml.")
    settings = read_settings(path, leave_out=("search",)) | dict(given)
    return TrainSettings(**settings), read_asked(path) | dict(asked)


def read_asked(path: Path) -> dict[str, Any]:
    """The table [search] of a file that `read_settings` has read."""
    found = tomllib.loads(path.read_text(encoding="utf-8")).get("search")
    kinds = {
        "space": str, "trials": int, "sampler": str, "stages": str, "metric": str, "timeout": int | float,
        "max_epochs": int, "study": str, "study_name": str, "retrain": bool,
    }  # fmt: skip
    if not isinstance(found, dict) or not all(isinstance(v, kinds.get(k, ())) for k, v in found.items()):
        raise FileError(f"{path} is damaged: it has no readable table [search].")
    return found


def interrupted(folder: Path | None) -> str:
    """After Ctrl-C: what is kept, and how to go on."""
    kept = checkpoint.files(folder) if folder is not None else []
    if folder is None or not kept:
        return "Interrupted." if folder is None else "Interrupted before anything was saved."
    return f"Interrupted. {folder} keeps the run up to step {kept[0][0]:,}. To go on: chainrule train --resume {folder}"
