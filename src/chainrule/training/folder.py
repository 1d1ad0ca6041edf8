"""The run folder: everything about a run in plain files, each of which appears whole or not at all.

``config.toml`` (every setting), ``metrics.jsonl`` (one line per epoch), ``model.safetensors`` (enough to predict),
``checkpoints/`` (the state after the last epoch, to go on from), ``environment.json``.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chainrule.errors import FileError
from chainrule.files import write_atomic

PACKAGES = ("chainrule", "numpy", "jax", "jaxlib", "scipy", "scikit-learn", "safetensors")


class RunFolder:
    """Writes one run. A folder that already holds a run is refused, so nothing saved is lost."""

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = Path(path)
        if (self.path / "config.toml").exists() and not resume:
            raise FileError(
                f"{self.path} already holds a run. Choose another folder, or go on with it: resume=True "
                f"(chainrule train --resume {self.path})."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"Could not make the folder {self.path}: {error.strerror}.") from None

    @property
    def checkpoint(self) -> Path:
        """Where the state after the last epoch is kept."""
        return self.path / "checkpoints" / "last.safetensors"

    def start(self, config: Mapping[str, Any]) -> None:
        """Write the settings and the environment."""
        import tomli_w

        write_atomic(self.path / "config.toml", tomli_w.dumps(without_none(config)))
        write_atomic(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")

    def write_metrics(self, records: list[dict[str, float]]) -> None:
        """Write all records, one per line (JSON has no NaN: it is written as null)."""
        lines = [json.dumps({k: v if v == v else None for k, v in r.items()}) for r in records]
        write_atomic(self.path / "metrics.jsonl", "".join(f"{line}\n" for line in lines))


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
