"""Checkpoints: the whole state of a run in a file, from which it goes on to bit-identical weights.

``checkpoints/step-00001234.safetensors`` holds the state after 1234 steps: weights, statistics, the optimizer's moments
and the random key; where in its epoch the run is, and the sums of the epoch's metrics so far; the history, the probes,
and the best weights so far. Each file is complete by itself and carries a checksum of all that is in it, so that a
damaged one is known, and the one before it is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from chainrule import tree
from chainrule.errors import FileError, SettingError
from chainrule.files import write_atomic
from chainrule.metrics import METRICS
from chainrule.models.saving import checksum, flatten
from chainrule.outcome import Outcome
from chainrule.recipe.history import History
from chainrule.recipe.state import State
from chainrule.runs.files import CHECKPOINT_FORMAT, CHECKPOINTS, STEP

_NAME = re.compile(r"step-(\d+)\.safetensors")

_NOTHING = (0.0, 0.0, 0.0, 0.0)


@dataclass
class Position:
    """Where a run is.

    Attributes
    ----------
    epoch : the one it is in, from 1
    done : its steps that are done
    sums : of their metrics: costs, weights, scores, and their number
    since : the same since callbacks were last called
    lr : the learning rate of the last step
    seconds : spent on the epoch so far
    """

    epoch: int = 1
    done: int = 0
    sums: tuple[float, ...] = _NOTHING
    since: tuple[float, ...] = _NOTHING
    lr: float = 0.0
    seconds: float = 0.0


class Checkpoint(NamedTuple):
    """A run at one moment.

    Attributes
    ----------
    state : `State`, in NumPy arrays
    position : where it is
    history : `History` so far
    probes : {"steps": ..., "rows": ...} of `Probes` so far
    best : weights and statistics of the best epoch so far
    best_epoch : that epoch, 0 before the first has ended
    engine : by which it was trained: another one would end at other bits
    outcome : of a member of a population, how it ended before its last epoch, unless early stopping says so
    epochs : that the run was to have when this was written; None before it is written
    recording : what `chainrule.training.recorder.Recorder` must know to go on, plain values and arrays
    """

    state: State
    position: Position
    history: History
    probes: Mapping[str, Any]
    best: Any
    best_epoch: int
    engine: str
    outcome: Outcome | None = None
    epochs: float | None = None
    recording: Mapping[str, Any] = MappingProxyType({})


def name(step: int) -> str:
    """Return the file of the state after so many steps."""
    return STEP.format(step)


def files(run: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints in a run's folder, newest first: steps and file."""
    try:
        matches = [(m, path) for path in (run / CHECKPOINTS).iterdir() if (m := _NAME.fullmatch(path.name))]
    except OSError:
        return []
    return sorted(((int(m[1]), path) for m, path in matches), reverse=True)


def save(run: Path, checkpoint: Checkpoint, identity: Mapping[str, str]) -> Path:
    """Write a checkpoint; ``identity`` is what must be the same for the run to be gone on with."""
    from safetensors.numpy import save as to_bytes

    state, current = checkpoint.state, (checkpoint.state.params, checkpoint.state.model_state)
    best_is_current = all(a is b for a, b in zip(tree.leaves(checkpoint.best), tree.leaves(current), strict=True))
    parts = {
        "state": _arrays(state),
        "best": None if best_is_current else checkpoint.best,
        "steps": {name: np.asarray(values, np.float64) for name, values in checkpoint.history.steps.items()},
        "probes": {
            "steps": np.asarray(checkpoint.probes["steps"], np.int64),
            "rows": np.asarray(checkpoint.probes["rows"], np.float64),
        },
    }
    arrays = {name: value for name, value in checkpoint.recording.items() if isinstance(value, np.ndarray)}
    step = int(np.asarray(state.step))
    recipe = {
        "format": CHECKPOINT_FORMAT,
        "kind": "checkpoint",
        "step": step,
        "position": asdict(checkpoint.position),
        "records": checkpoint.history.records,
        "settings": state.settings,
        "best_epoch": checkpoint.best_epoch,
        "engine": checkpoint.engine,
        "outcome": None if checkpoint.outcome is None else checkpoint.outcome.to_dict(),
        "identity": dict(identity),
        "recording": {name: value for name, value in checkpoint.recording.items() if name not in arrays},
    }
    tensors, text = flatten(parts | {"recording": arrays}), json.dumps(recipe)
    path = run / CHECKPOINTS / name(step)
    write_atomic(path, to_bytes(tensors, {"chainrule": text, "checksum": checksum(text, tensors)}))
    return path


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the recipe in a checkpoint, if it is as it was written; else a `FileError`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileError(f"{path} is not a readable safetensors file: {error}.") from None
    text = metadata.get("chainrule", "")
    if metadata.get("checksum") != checksum(text, tensors):
        raise FileError(f"{path} is damaged: what it holds is not what was written.")
    recipe: dict[str, Any] = json.loads(text)
    if (version := recipe["format"]) != CHECKPOINT_FORMAT:
        newer = version > CHECKPOINT_FORMAT
        advice = "a newer chainrule, update to read it" if newer else "an older chainrule, which can read it"
        raise FileError(f"{path} was written by {advice} (format {version}, expected {CHECKPOINT_FORMAT}).")
    return tensors, recipe


def newest(run: Path) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint of a run that is whole, and what is wrong with those that are newer.

    None if there is no checkpoint at all; a `FileError` if there are some, all damaged.
    """
    wrong: list[str] = []
    for _, path in files(run):
        try:
            read(path)
            return path, wrong
        except FileError as error:
            wrong.append(str(error))
    if wrong:
        raise FileError(
            "\n".join([f"No checkpoint of {run} can be read, so there is nothing to go on from.", *wrong])
            + "\nStart a new run in another folder."
        )
    return None, wrong


def engine(run: Path) -> str | None:
    """Return the engine that a run was trained by; None if it never came to a checkpoint that can be read."""
    for _, path in files(run):
        try:
            return str(read(path)[1]["engine"])
        except FileError:
            continue
    return None


def load(path: Path, like: State, identity: Mapping[str, str]) -> Checkpoint:
    """Read what `save` wrote.

    ``like`` is the run's initial state, whose shapes it must have; ``identity`` is what must be as it was, such as
    the settings of the optimizer (only the number of epochs may change).
    """
    tensors, recipe = read(path)
    run = path.parent.parent
    for entry, now in identity.items():
        before = recipe["identity"].get(entry)
        if before != now and entry.startswith("data: "):
            raise SettingError(
                f"The run in {run} was started on other data: {entry.removeprefix('data: ')} was {before}, and is "
                f"{now}. Resume with the same data in the same order, or start a new run in another folder."
            )
        if before != now:
            raise SettingError(
                f"The run in {run} was started with {entry} = {before}, and is to go on with {now}. "
                "Resume with what it was started with, or start a new run in another folder."
            )

    def stored(keys: tuple[str, ...], leaf: Any) -> np.ndarray:
        at = "/".join(keys)
        if at not in tensors or tensors[at].shape != np.shape(leaf):
            raise FileError(
                f"{path} is of another run: {at} should have shape {np.shape(leaf)}, "
                f"{'it has ' + str(tensors[at].shape) if at in tensors else 'it is missing'}. "
                "Resume with the network and optimizer that the run was started with."
            )
        return tensors[at]

    values = tree.map_with_path(stored, {"state": _arrays(like)})["state"]
    if not np.array_equal(values["key"], like.key):
        raise FileError(f"{path} is of another run: it was started with another seed. Resume with that seed.")
    best = (values["params"], values["model_state"])
    if any(at.startswith("best/") for at in tensors):
        best = tree.map_with_path(stored, {"best": best})["best"]
    settings = {"recipe": recipe["settings"]["recipe"], "run": like.settings["run"]}
    position: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe["position"].items()}
    recording = {at.removeprefix("recording/"): v for at, v in tensors.items() if at.startswith("recording/")}
    steps = {at.removeprefix("steps/"): v.tolist() for at, v in tensors.items() if at.startswith("steps/")}
    return Checkpoint(
        State(settings=settings, step=recipe["step"], **values),
        Position(**position),
        History(recipe["records"], _as_in((*METRICS, "lr"), steps)),
        {"steps": tensors["probes/steps"].tolist(), "rows": tensors["probes/rows"].tolist()},
        best,
        recipe["best_epoch"],
        recipe["engine"],
        None if recipe["outcome"] is None else Outcome.from_dict(recipe["outcome"]),
        recipe["settings"]["run"]["epochs"],
        recipe["recording"] | recording,
    )


def _arrays(state: State) -> dict[str, Any]:
    return {"params": state.params, "model_state": state.model_state, "opt_state": state.opt_state, "key": state.key}


def _as_in(order: tuple[str, ...], values: dict[str, Any]) -> dict[str, Any]:
    """Return the same dict with its keys in an order (a safetensors file has one of its own)."""
    return {key: values[key] for key in (*(k for k in order if k in values), *(k for k in values if k not in order))}
