"""``evaluation.json``: how good the model of a run is, as `chainrule.evaluation` found it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.files import write_atomic
from chainrule.runs.files import EVALUATION
from chainrule.runs.folder import strict_json


def write_evaluation(folder: str | Path, evaluation: Mapping[str, Any]) -> Path:
    """Write an evaluation to the run's folder; what is not finite is written as null."""
    path = Path(folder) / EVALUATION
    write_atomic(path, strict_json(evaluation))
    return path
