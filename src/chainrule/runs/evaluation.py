"""``evaluation.json``: how good the model of a run is, as `chainrule.evaluation` found it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.files import write_atomic
from chainrule.runs.files import EVALUATION
from chainrule.runs.folder import finite


def write_evaluation(folder: str | Path, facts: Mapping[str, Any]) -> Path:
    """Write the facts to the run's folder; what is not finite is written as null."""
    path = Path(folder) / EVALUATION
    write_atomic(path, json.dumps(finite(facts), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
    return path
