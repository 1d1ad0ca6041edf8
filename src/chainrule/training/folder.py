"""The run folder: everything about a run in plain files, each of which appears whole or not at all.

``config.toml`` (every setting), ``metrics.jsonl`` (one line per epoch), ``model.safetensors`` (enough to predict),
``checkpoints/`` (the states to go on from, see `chainrule.training.checkpoint`), ``environment.json``; and from the
command line ``result.json`` (how it ended, the test). `read_folder` reads them again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chainrule.errors import FileError
from chainrule.files import PART, as_path, held, remove_parts, write_atomic
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.decisions import kept_epoch
from chainrule.training.history import History

PACKAGES = ("chainrule", "numpy", "jax", "jaxlib", "scipy", "scikit-learn", "pandas", "pillow", "plotly", "safetensors")


#: What to do about a folder that holds a run.
OR_GO_ON = "Choose another folder, or go on with it: chainrule train --resume"


#: What lies in a run's folder, besides what commands such as export write there.
OF_A_RUN = (
    "model.safetensors", "config.toml", "search.toml", "metrics.jsonl", "result.json", "environment.json",
    "evaluation.json", "members.json", "search.json", "leaderboard.csv", "study.journal", "report.html", "checkpoints",
    "members",
)  # fmt: skip


class RunFolder:
    """Writes one run. A folder that already holds a run is refused, so nothing saved is lost."""

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = as_path(path)
        holds_one = (self.path / "config.toml").exists()
        if holds_one and not resume:
            raise FileError(f"{self.path} already holds a run. Choose another folder, or go on with it: resume=True.")
        if resume and not holds_one and not self._is_empty():
            raise FileError(f"There is no run to go on with in {self.path}: start it without resume=True.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"Could not make the folder {self.path}: {error.strerror}.") from None

    def _is_empty(self) -> bool:
        """Whether the folder is there, and was left before anything was written."""
        return self.path.is_dir() and all(path.name.endswith(PART) for path in self.path.iterdir())

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """For as long as the run goes on: no other process may write to the folder."""
        with held(self.path):
            self.tidy()
            yield

    def tidy(self) -> None:
        """Remove what a write that was killed has left."""
        for folder in (self.path, self.path / "checkpoints"):
            remove_parts(folder)

    def start(self, config: Mapping[str, Any]) -> None:
        """Write the settings and the environment; how the run ended is open again."""
        (self.path / "result.json").unlink(missing_ok=True)
        write_atomic(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")
        write_config(self.path, config)

    def write_metrics(self, records: list[dict[str, float]]) -> None:
        """Write all records, one per line (JSON has no NaN: it is written as null)."""
        lines = [json.dumps({k: v if v == v else None for k, v in r.items()}) for r in records]
        write_atomic(self.path / "metrics.jsonl", "".join(f"{line}\n" for line in lines))


@contextlib.contextmanager
def claim_folder(given: Path | None, parent: Path, name: str, *, resume: bool = False) -> Iterator[Path]:
    """A folder for a new run, made at once so that no other run takes it; removed if nothing was written to it.

    Without a given one it is ``parent/NAME-YYYYMMDD-HHMMSS``, with -2, -3, … where that is taken.
    """
    given = None if given is None else as_path(given)
    made = given is None or not given.exists()
    path = given
    try:
        if given is not None:
            given.mkdir(parents=True, exist_ok=True)
        else:
            parent.mkdir(parents=True, exist_ok=True)
        start, number = parent / f"{name}-{datetime.now():%Y%m%d-%H%M%S}", 1
        while path is None:
            with contextlib.suppress(FileExistsError):
                path = start if number == 1 else start.with_name(f"{start.name}-{number}")
                path.mkdir()
                break
            path, number = None, number + 1
    except OSError as error:
        raise FileError(f"Could not make a folder for the run: {error.filename}: {error.strerror}.") from None
    if not resume and (path / "config.toml").exists():
        raise FileError(f"{path} already holds a run. {OR_GO_ON} {path}")
    try:
        yield path
    finally:
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                path.rmdir()


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the settings of a run, as TOML."""
    import tomli_w

    write_atomic(folder / "config.toml", tomli_w.dumps(without_none(config)))


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write how a run ended."""
    write_atomic(folder / "result.json", json.dumps(result, indent=2) + "\n")


#: Where the networks lie that a run trains besides its own: its folds, or its seeds.
MEMBERS = "members"


def begun(folder: Path) -> Path:
    """Where the settings of a run are: in its folder, or with its folds while only they are trained."""
    members = folder / MEMBERS
    inner = not (folder / "config.toml").exists() and (members / "config.toml").exists()
    return members if inner else folder


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
    def kept_epoch(self) -> int | None:
        """The epoch whose weights the model has, or would have if the run ended now; None: those of no epoch."""
        if "best_epoch" in self.result or not self.epochs or self.result.get("state") == "diverged":
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
    if not (path / "config.toml").is_file():
        kind = "holds no run: it has no config.toml" if path.is_dir() else "is not a folder"
        if begun(path) != path:
            kind = f"has the folds of a run that was interrupted. To go on: chainrule train --resume {path}"
        raise FileError(f"{path} {kind}.")
    return Record(
        path=path,
        config=_read(path / "config.toml", tomllib.loads),
        epochs=_read(path / "metrics.jsonl", _lines, default=[]),
        result=_read(path / "result.json", _object, default={}),
        environment=_read(path / "environment.json", _object, default={}),
        has_model=(path / "model.safetensors").is_file(),
    )


def _stopping(config: Mapping[str, Any]) -> EarlyStopping | None:
    """The early stopping of a run: as `fit` writes it, or as the command line does, by its patience."""
    settings = config.get("early_stopping")
    if not settings:
        return None
    return EarlyStopping(**settings) if isinstance(settings, Mapping) else EarlyStopping(settings)


def _read(path: Path, parse: Any, default: Any = None) -> Any:
    if default is not None and not path.exists():
        return default
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # of TOML, JSON and UTF-8, and of nesting without end
        raise FileError(f"{path} is damaged: {error}.") from None


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, found {type(found).__name__}")
    return found


def _lines(text: str) -> list[dict[str, Any]]:
    return [_object(line) for line in text.splitlines() if line.strip()]


def environment() -> dict[str, Any]:
    """Versions and machine, for someone who wants to repeat the run."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": versions,
    }


def without_none(value: Any) -> Any:
    """TOML has no null: settings that are None are left out."""
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [without_none(v) for v in value if v is not None]
    return value
