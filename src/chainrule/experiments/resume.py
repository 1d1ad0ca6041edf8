"""Going on with a run: what may be given with its folder, whether there is something left to do, and how it is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainrule.errors import FileError, SettingError, UnsavedError
from chainrule.experiments.folder import Out
from chainrule.experiments.listener import Listener
from chainrule.experiments.settings import ExperimentSettings, read_settings
from chainrule.files import as_path
from chainrule.runs.files import CONFIG, MEMBERS, METRICS, MODEL, OUTCOME, SEARCH_CONFIG
from chainrule.runs.folder import begun
from chainrule.runs.members import read_members
from chainrule.signals import Terminated, with_message
from chainrule.training import checkpoint
from chainrule.training.record import read_folder

#: What may be given with --resume: nothing that would make another run of it.
WITH_RESUME = ("data", "data_dir", "epochs", "engine", "devices", "checkpoint_every", "checkpoint_minutes", "keep")


def settings_to_resume(
    typed: Mapping[str, Any], folder: Path, config: Path | None, out: Out, *, has_data: bool = False
) -> ExperimentSettings:
    """Return the settings in a run's folder, with those that are asked for now put over them.

    ``has_data``: whether the data itself is given again.
    """
    if config is not None or out not in (None, True):
        raise SettingError(
            "--resume goes on in a run's own folder with its own settings: leave out --config and --out."
        )
    for name in typed:
        if name not in WITH_RESUME:
            raise SettingError(
                f"--resume takes the settings of the run; --{name.replace('_', '-')} would make another run of it. "
                f"For a new run with its settings: --config {folder / CONFIG}."
            )
    folder = as_path(folder)
    if (folder / SEARCH_CONFIG).exists():
        raise SettingError(f"{folder} is a search. Go on with it: chainrule search --resume {folder}")
    began = begun(folder)
    settings = read_folder(began).config
    if "data" not in settings and not has_data:
        how = f"resume={str(folder)!r}" if "preset" in settings else f"out={str(folder)!r} and resume=True"
        raise SettingError(
            f"{folder} was started in Python, and its data is not known here. Go on with it there: the same call with "
            f"{how}."
        )
    return ExperimentSettings(**(read_settings(began / CONFIG) | dict(typed)))


#: What the folder of a run has when it is complete, besides how it ended.
TRAINED = (CONFIG, METRICS, MODEL)


def why_complete(folder: Path, settings: ExperimentSettings) -> str:
    """Return why there is nothing left to do in the folder of a run, in words; "" if there is something."""
    several = settings.folds is not None or (settings.seeds or 1) > 1
    if missing(folder, several=several):
        return ""
    record = read_folder(folder)
    if several and settings.folds is None and (members := read_members(folder)) is not None:
        done = [member["epochs"] for member in members.all if member["state"] == "finished"]
        who, stopped = f"its {len(members.all)} networks have", "stopped early or diverged"
    else:
        early = record.outcome is not None and record.outcome.kind == "stopped early"
        done = [] if early else [len(record.epochs)]
        who, stopped = "it has", f"stopped early: {record.result.get('reason')}"
    if any(epochs < (settings.epochs or 0) for epochs in done):
        return ""
    if not done:
        return f"{folder} is complete: {who} {stopped}."
    most = max(done)
    return f"{folder} is complete: {who} done {most} epochs already. To go on, ask for more: --epochs {2 * most}."


def missing(folder: Path, *, several: bool) -> list[str]:
    """Return the files that a run still lacks."""
    names = (*TRAINED, *((MEMBERS,) if several else ()), *OUTCOME)
    return [name for name in names if not (folder / name).exists()]


def where_it_goes_on(folder: Path) -> str:
    """Return after which epoch the network of a run goes on, as a sentence; "" where it has no checkpoint."""
    newest, _ = checkpoint.newest(folder)  # before anything in the folder changes
    if newest is None:
        return ""
    position = checkpoint.read(newest)[1]["position"]
    done = position["epoch"] - 1
    steps = f" ({position['done']:,} steps of epoch {done + 1} are done, too.)" if position["done"] else ""
    return f"Going on with {folder} after epoch {done}.{steps}"


@contextlib.contextmanager
def going_on(folder: Path, listener: Listener) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM, and a result that cannot be saved, say what goes on with the run of a folder."""
    to_go_on = f"To go on: {listener.how_to_resume(folder)}"
    try:
        yield
    except (KeyboardInterrupt, Terminated) as error:
        raise with_message(error, *_interrupted(folder, error, to_go_on)) from None
    except UnsavedError as error:
        raise UnsavedError(error.message, to_go_on, run=error.run) from None


def _interrupted(folder: Path, error: BaseException, to_go_on: str) -> tuple[str, str]:
    """Return what a folder has after an interruption, and how to go on."""
    if not (begun(folder) / CONFIG).exists():
        return "Interrupted before anything was saved.", "Start again with the same command."
    if getattr(error, "to_go_on", ""):  # of several networks: it says up to where they are kept
        return error.message, to_go_on  # type: ignore[attr-defined]
    files = checkpoint.files(folder)
    saved = f"the run up to step {files[0][0]:,}" if files else "what is done"
    return f"Interrupted. {folder} keeps {saved}.", to_go_on


@contextlib.contextmanager
def saving(run: Any) -> Iterator[None]:
    """Turn a file that cannot be written into a result that could not be saved."""
    try:
        yield
    except FileError as error:
        raise UnsavedError(f"The run has ended, but could not be saved. {error}", run=run) from None
