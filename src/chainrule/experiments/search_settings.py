"""What a search was asked for: in its folder as ``search.toml``, and read again to go on with it."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.checks import check_whole
from chainrule.errors import FileError, SettingError
from chainrule.experiments.settings import ExperimentSettings, fits, read_settings
from chainrule.experiments.space_syntax import NAMES, NUMBERS, WHOLE
from chainrule.fields import Option, setting, settings_of
from chainrule.files import as_path, check_text, write_atomic
from chainrule.passwords import MASK, mask_passwords
from chainrule.run_settings import BY_PRESET
from chainrule.runs.files import SEARCH_CONFIG
from chainrule.settings import PlainSettings

if TYPE_CHECKING:
    from chainrule.experiments.folder import Out  # which would load NumPy for --help

#: What may be given with --resume to a search: where it goes on, and for how long.
WITH_RESUME = ("data_dir", "engine", "devices", "trials", "timeout", "max_epochs", "retrain", "study")

#: The address of a study may stand in this variable of the environment, so that its password stands nowhere else.
VARIABLE = "CHAINRULE_STUDY"


@dataclass(frozen=True, kw_only=True)
class SearchSettings(metaclass=PlainSettings):
    """What a search can be told besides the settings of its trials: the table ``[search]`` of ``search.toml``."""

    space: str | None = setting(
        None,
        "Settings with a range A..B or options A|B, as in lr=1e-4..1e-1,hidden=64|128,64|256,dropout=0..0.5.",
        Option(
            "NAME=A..B,...",
            BY_PRESET,
            "Settings with a range A..B or options A|B, as in lr=1e-4..1e-1,hidden=64|128,64|256,dropout=0..0.5. For "
            f"{', '.join((*NUMBERS, *WHOLE, *NAMES))}, and paths such as optimizer.beta1. "
            "A range is logarithmic if its ends are above 0 and one "
            "is ten times the other; :log or :linear behind it decides otherwise.",
        ),
    )
    trials: int = setting(64, "How many.", Option("N"))
    sampler: str = setting("random", "random, grid, sobol or tpe.", Option("NAME", complete="samplers"))
    stages: str | None = setting(
        None,
        "coarse_to_fine (half of the trials for a few epochs, the others for more around the best), halving or "
        "hyperband (the worst are stopped on the way).",
        Option("NAME", "all epochs for all trials", complete="stages"),
    )
    metric: str | None = setting(
        None, "val_accuracy (val_mae), val_loss.", Option("NAME", "the first of these", complete="metrics")
    )
    timeout: float | None = setting(None, "End after so many seconds.", Option("SECONDS"))
    max_epochs: int | None = setting(None, "End after so many epochs, all trials together.", Option("N"))
    study: str | None = setting(
        None,
        "Where the trials are kept: a journal file, or a database.",
        Option(
            "FILE_OR_URL",
            "study.journal in the run's folder",
            "Where the trials are kept: a journal file, or a database such as sqlite:///search.db. Several processes "
            "may share it, each with a folder of its own. A password is written nowhere: with --resume give the "
            "address again, or CHAINRULE_STUDY in the environment.",
            complete="files",
        ),
    )
    study_name: str | None = setting(None, "Tells several studies in one place apart.", Option("NAME"))
    retrain: bool = setting(
        False, "Train the best once more, on training and validation rows together.", Option(default="no")
    )

    def __post_init__(self) -> None:
        check_text(vars(self))
        check_whole("trials", self.trials)
        if self.study is not None:
            object.__setattr__(self, "study", _from_any_folder(self.study))


def _from_any_folder(study: str) -> str:
    """Return the place of a study, as it is called from every folder: the search may be gone on with in another one."""
    scheme, separator, path = study.partition(":///")
    if scheme.startswith("sqlite") and separator and not path.startswith((":memory:", "file:")):
        return f"{scheme}:///{Path(path).absolute()}"
    return study if "://" in study else str(Path(study).expanduser().absolute())


def write_search(folder: Path, settings: ExperimentSettings, wanted: SearchSettings) -> None:
    """Write what was asked for, so that the search can be gone on with; without a password."""
    import tomli_w

    from chainrule.runs.folder import without_none

    about = dataclasses.asdict(wanted)
    if wanted.study is not None:
        about["study"] = mask_passwords(wanted.study)
    write_atomic(folder / SEARCH_CONFIG, tomli_w.dumps(without_none(settings.to_dict() | {"search": about})))


def read_search(
    folder: Path, changes: Mapping[str, Any], search_changes: Mapping[str, Any], config: Path | None, out: Out
) -> tuple[ExperimentSettings, SearchSettings]:
    """Read the settings of a search that is gone on with, and what it was asked for."""
    if config is not None or out not in (None, True):
        raise SettingError(
            "--resume goes on in a search's own folder with its own settings: leave out --config and --out."
        )
    for name in (*changes, *search_changes):
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
    settings = ExperimentSettings(**(read_settings(path, leave_out=("search",)) | dict(changes)))
    about = _read_table(path) | dict(search_changes)
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
    known = settings_of(SearchSettings)
    if not isinstance(table, dict) or not all(name in known and fits(known[name], v) for name, v in table.items()):
        raise FileError(f"{path} is damaged: it has no readable table [search].")
    return table
