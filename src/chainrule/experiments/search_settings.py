"""What a search was asked for: in its folder as ``search.toml``, and read again to go on with it."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.errors import FileError, SettingError
from chainrule.experiments.presets import TrainSettings
from chainrule.experiments.settings import read_settings
from chainrule.files import as_path, check_text, write_atomic
from chainrule.passwords import MASK, mask_passwords
from chainrule.runs.files import SEARCH_CONFIG
from chainrule.runs.folder import without_none

#: What may be given with --resume to a search: where it goes on, and for how long.
WITH_RESUME = ("data_dir", "engine", "devices", "trials", "timeout", "max_epochs", "retrain", "study")

#: The address of a study may stand in this variable of the environment, so that its password stands nowhere else.
VARIABLE = "CHAINRULE_STUDY"


@dataclass(frozen=True)
class SearchSettings:
    """What a search can be told besides the settings of `train`: the table ``[search]`` of ``search.toml``.

    Attributes
    ----------
    space : as typed; None: by the preset
    trials, sampler, stages, metric, timeout, max_epochs, study, study_name, retrain : as in `chainrule.tuning.search`
    """

    space: str | None = None
    trials: int = 64
    sampler: str = "random"
    stages: str | None = None
    metric: str | None = None
    timeout: float | None = None
    max_epochs: int | None = None
    study: str | None = None
    study_name: str | None = None
    retrain: bool = False

    def __post_init__(self) -> None:
        check_text(vars(self))
        if self.trials < 1:
            raise SettingError(f"trials must be a whole number of at least 1, got {self.trials}.")
        if self.study is not None:
            object.__setattr__(self, "study", _from_any_folder(self.study))


def _from_any_folder(study: str) -> str:
    """Return the place of a study, as it is called from every folder: the search may be gone on with in another one."""
    scheme, separator, path = study.partition(":///")
    if scheme.startswith("sqlite") and separator and not path.startswith((":memory:", "file:")):
        return f"{scheme}:///{Path(path).absolute()}"
    return study if "://" in study else str(Path(study).expanduser().absolute())


def write_search(folder: Path, settings: TrainSettings, wanted: SearchSettings) -> None:
    """Write what was asked for, so that the search can be gone on with; without a password."""
    import tomli_w

    about = dataclasses.asdict(wanted)
    if wanted.study is not None:
        about["study"] = mask_passwords(wanted.study)
    write_atomic(folder / SEARCH_CONFIG, tomli_w.dumps(without_none(dataclasses.asdict(settings) | {"search": about})))


def read_search(
    folder: Path, given: Mapping[str, Any], asked: Mapping[str, Any], config: Path | None, out: Path | None
) -> tuple[TrainSettings, SearchSettings]:
    """Return the settings of a search that is gone on with, and what it was asked for."""
    if config is not None or out is not None:
        raise SettingError(
            "--resume goes on in a search's own folder with its own settings: leave out --config and --out."
        )
    for name in (*given, *asked):
        if name not in WITH_RESUME:
            raise SettingError(
                f"--resume takes what the search was asked for; --{name.replace('_', '-')} would make another of it."
            )
    path = as_path(folder) / SEARCH_CONFIG
    if not path.exists():
        raise FileError(
            f"{folder} holds no search: it has no {SEARCH_CONFIG}. "
            f"To begin one there: chainrule search … --out {folder}"
        )
    settings = TrainSettings(**(read_settings(path, leave_out=("search",)) | dict(given)))
    about = _read_table(path) | dict(asked)
    about["study"] = _address(path, about.get("study"))
    return settings, SearchSettings(**about)


def _address(path: Path, study: str | None) -> str | None:
    """Return where the trials are kept: a password, which is in no file, is asked for again."""
    if study is None or MASK not in study:
        return study
    address = os.environ.get(VARIABLE)
    if address is None:
        raise SettingError(
            f"The trials are kept in {study}, and the password is not written into {path}. Give the address again: "
            f"--study URL, or the environment variable {VARIABLE}."
        )
    if mask_passwords(address) != study:
        raise SettingError(
            f"{VARIABLE} is {mask_passwords(address)}, and the trials are kept in {study}. Give the address with its "
            "password, or another one by --study URL."
        )
    return address


def _read_table(path: Path) -> dict[str, Any]:
    """Return the table [search] of a file that `read_settings` has read."""
    table = tomllib.loads(path.read_text(encoding="utf-8")).get("search")
    kinds = {
        "space": str, "trials": int, "sampler": str, "stages": str, "metric": str, "timeout": int | float,
        "max_epochs": int, "study": str, "study_name": str, "retrain": bool,
    }  # fmt: skip
    if not isinstance(table, dict) or not all(isinstance(v, kinds.get(k, ())) for k, v in table.items()):
        raise FileError(f"{path} is damaged: it has no readable table [search].")
    return table
