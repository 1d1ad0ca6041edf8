"""The run folder: everything about a run in plain files, each of which appears whole or not at all.

``config.toml`` (every setting), ``metrics.jsonl`` (one line per epoch), ``model.safetensors`` (enough to predict),
``checkpoints/`` (the states to go on from, see `chainrule.training.checkpoint`), ``environment.json``; and from the
command line ``result.json`` (how it ended, the test). `chainrule.training.record.read_folder` reads them again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chainrule.display.numbers import finite
from chainrule.errors import FileError
from chainrule.files import TEMP_SUFFIX, as_path, locked, remove_parts, write_atomic
from chainrule.models import Model
from chainrule.passwords import mask_passwords
from chainrule.runs.files import (
    BEFORE_THE_SETTINGS,
    CHECKPOINTS,
    CONFIG,
    DIAGNOSIS,
    ENVIRONMENT,
    MEMBERS_FOLDER,
    METRICS,
    MODEL,
    OUTCOME,
    RESULT,
    SEARCH_CONFIG,
    VIEWS,
)

PACKAGES = ("chainrule", "numpy", "jax", "jaxlib", "scipy", "scikit-learn", "pandas", "pillow", "safetensors")


#: How JSON, which has no numbers for them, says what is not finite.
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

#: What to do about a folder that holds a run.
OR_GO_ON = "Choose another folder, or go on with it: chainrule train --resume"


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds a run, or a search that was interrupted before it wrote more than its settings."""
    return (folder / CONFIG).exists() or (folder / SEARCH_CONFIG).exists()


class RunFolder:
    """Writes one run. A folder that already holds a run is refused, so nothing saved is lost."""

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = as_path(path)
        holds_one = holds_run(self.path)
        if holds_one and not resume:
            raise FileError(f"{self.path} already holds a run. Choose another folder, or go on with it: resume=True.")
        if resume and not holds_one and not nothing_saved(self.path):
            raise FileError(f"There is no run to go on with in {self.path}: start it without resume=True.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"Could not make the folder {self.path}: {error.strerror}.") from None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Lock the folder for as long as the run goes on: no other process may write to it."""
        with locked(self.path):
            self.tidy()
            yield

    def tidy(self) -> None:
        """Remove what a write that was killed has left."""
        for folder in (self.path, self.path / CHECKPOINTS, self.path / VIEWS):
            remove_parts(folder)

    def start(self, config: Mapping[str, Any]) -> None:
        """Write the settings and the environment; how the run ended is open again."""
        self.reopen()
        write_atomic(self.path / ENVIRONMENT, json.dumps(environment(), indent=2) + "\n")
        write_config(self.path, config)

    def reopen(self) -> None:
        """Remove what says how the run ended, and what the doctor has said of it."""
        for name in (*OUTCOME, DIAGNOSIS):
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise FileError(f"Could not remove {self.path / name}: {error.strerror}.") from None

    def write_metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write the records of all epochs."""
        write_records(self.path / METRICS, records)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Append the record of an epoch, in one piece."""
        path = self.path / METRICS
        try:
            with open(path, "ab") as file:
                file.write(f"{to_json(record)}\n".encode())
        except OSError as error:
            raise FileError(f"Could not write {path}: {error.strerror}. Make room.") from None

    def write_model(self, model: Model, name: str = MODEL) -> None:
        """Write a model."""
        write_changed(self.path / name, model.to_bytes())


def nothing_saved(folder: Path) -> bool:
    """Return whether a folder is there, and was left by a run before anything of it was saved.

    >>> from chainrule.runs.folder import nothing_saved
    >>> Path("begun/00").mkdir(parents=True)
    >>> nothing_saved(Path("begun")), nothing_saved(Path("nowhere"))
    (True, False)
    """
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return folder.is_dir() and all(
        path.name in BEFORE_THE_SETTINGS or path.name.endswith(TEMP_SUFFIX) for path in files
    )


def write_changed(path: Path, content: bytes) -> None:
    """Write a file, unless this is what it holds: to finish a run that is finished changes nothing."""
    try:
        if path.read_bytes() == content:
            return
    except OSError:  # there is none, or it cannot be read
        pass
    write_atomic(path, content)


def to_json(value: Any, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Return plain values as JSON, in which numbers that are not finite are the texts "NaN", "Infinity" and
    "-Infinity".

    >>> to_json({"loss": float("inf"), "epochs": 3})
    '{"loss": "Infinity", "epochs": 3}'
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: plain(v) for name, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value

    return json.dumps(plain(value), allow_nan=False, indent=indent, ensure_ascii=ensure_ascii)


def from_json(text: str) -> Any:
    """Read what `to_json` wrote.

    >>> from_json('{"loss": "Infinity", "epochs": 3}')
    {'loss': inf, 'epochs': 3}
    """

    def number(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: number(v) for name, v in value.items()}
        if isinstance(value, list):
            return [number(v) for v in value]
        return NOT_FINITE.get(value, value) if isinstance(value, str) else value

    return number(json.loads(text))


def write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the records of epochs, one to a line."""
    write_changed(path, "".join(f"{to_json(record)}\n" for record in records).encode())


@contextlib.contextmanager
def create_run_dir(requested: Path | None, parent: Path, name: str, *, resume: bool = False) -> Iterator[Path]:
    """Make a folder for a new run, at once so that no other run takes it; it is removed if nothing was written to it.

    Without a given one it is ``parent/NAME-YYYYMMDD-HHMMSS``, with -2, -3, … where that is taken.
    """
    requested = None if requested is None else as_path(requested)
    is_new = requested is None or not requested.exists()
    path = requested
    try:
        if requested is not None:
            requested.mkdir(parents=True, exist_ok=True)
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
    if not resume and holds_run(path):
        command = "search" if (path / SEARCH_CONFIG).exists() else "train"
        raise FileError(f"{path} already holds a run. {OR_GO_ON.replace('train', command)} {path}")
    try:
        yield path
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                path.rmdir()


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the settings of a run, as TOML."""
    import tomli_w

    write_atomic(folder / CONFIG, tomli_w.dumps(without_none(config)))


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write how a run ended."""
    write_changed(folder / RESULT, (to_json(result, indent=2) + "\n").encode())


def begun(folder: Path) -> Path:
    """Return where the settings of a run are: in its folder, or with its folds while only they are trained."""
    members = folder / MEMBERS_FOLDER
    inner = not (folder / CONFIG).exists() and (members / CONFIG).exists()
    return members if inner else folder


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read the records of epochs. A missing or damaged file is a `FileError` that names it."""
    return list(read_file(path, _lines))


def read_file(path: Path, parse: Any, default: Any = None) -> Any:
    """Read and parse a file; `FileError` names one that is missing (unless there is a default) or damaged."""
    if default is not None and not path.exists():
        return default
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # of TOML, JSON and UTF-8, and of nesting without end
        raise FileError(f"{path} is damaged: {error}.") from None


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object; `ValueError` for any other value."""
    values = from_json(text)
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, found {type(values).__name__}")
    return values


def _lines(text: str) -> list[dict[str, Any]]:
    """Parse one object to a line; a last line that breaks off is being written, or its writer was killed."""
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        try:
            json.loads(lines[-1])
        except ValueError:
            lines.pop()
    return [json_object(line) for line in lines if line.strip()]


def environment() -> dict[str, Any]:
    """Return versions and machine, for someone who wants to repeat the run."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(map(mask_passwords, sys.argv)),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": dict(_versions()),
    }


@functools.cache
def _versions() -> Mapping[str, str]:
    """Return the versions of packages; each is read from a file of its own, so only once."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def without_none(value: Any) -> Any:
    """Leave out settings that are None: TOML has no null."""
    if isinstance(value, Mapping):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [without_none(v) for v in value if v is not None]
    return value


def strict_json(value: Any, indent: int | None = None) -> str:
    """Return plain values as JSON of one line, or indented; what is not `finite` is null."""
    separators = (",", ":") if indent is None else None
    return json.dumps(finite(value), ensure_ascii=False, allow_nan=False, indent=indent, separators=separators) + "\n"


def member_folder(folder: str | Path, i: int) -> Path:
    """Return where the files of a member lie in the folder of its population."""
    return Path(folder) / f"{i:02d}"
