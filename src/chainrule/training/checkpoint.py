"""The state of a run in a file, after every epoch: enough to go on to bit-identical weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.errors import FileError, SettingError
from chainrule.files import write_atomic
from chainrule.models.saving import flatten, read_tensors
from chainrule.training.history import History
from chainrule.training.probe import Probes
from chainrule.training.state import State


def save(
    path: Path, state: State, history: History, probes: Probes | None, best: Any, identity: dict[str, str]
) -> None:
    """Write the state, the history so far, and the best weights so far."""
    from safetensors.numpy import save as to_bytes

    tensors = flatten({"state": _arrays(state), "best": best})
    recipe = {
        "format": 1,
        "records": history.records,
        "steps": history.steps,
        "probes": {"steps": probes.steps, "rows": probes.rows} if probes is not None else {"steps": [], "rows": []},
        "settings": state.settings,
        "step": int(np.asarray(state.step)),
        "identity": identity,
    }
    write_atomic(path, to_bytes(tensors, {"chainrule": json.dumps(recipe)}))


def load(path: Path, like: State, identity: dict[str, str]) -> tuple[State, History, dict[str, Any], Any]:
    """Read what `save` wrote.

    ``like`` is the run's initial state, whose shapes it must have; ``identity`` is what must be as it was, such as
    the settings of the optimizer (only the number of epochs may change).
    """
    if not path.is_file():
        raise FileError(f"There is no run to go on with in {path.parent.parent}: start it without resume=True.")
    tensors, recipe = read_tensors(path)
    for name, now in identity.items():
        before = recipe.get("identity", {}).get(name)
        if before != now:
            raise SettingError(
                f"The run in {path.parent.parent} was started with {name} = {before}, and is to go on with {now}. "
                "Resume with what it was started with, or start a new run in another folder."
            )
    template = {"state": _arrays(like), "best": (like.params, like.layers)}

    def stored(keys: tuple[str, ...], leaf: Any) -> np.ndarray:
        name = "/".join(keys)
        if name not in tensors or tensors[name].shape != np.shape(leaf):
            raise FileError(
                f"{path} is of another run: {name} should have shape {np.shape(leaf)}, "
                f"{'it has ' + str(tensors[name].shape) if name in tensors else 'it is missing'}. "
                "Resume with the network and optimizer that the run was started with."
            )
        return tensors[name]

    values = tree.map_with_path(stored, template)
    if not np.array_equal(values["state"]["key"], like.key):
        raise FileError(f"{path} is of another run: it was started with another seed. Resume with that seed.")
    run = like.settings["run"]
    settings = {"recipe": recipe["settings"]["recipe"], "run": run}
    state = State(settings=settings, step=recipe["step"], **values["state"])
    return state, History(recipe["records"], recipe["steps"]), recipe["probes"], values["best"]


def _arrays(state: State) -> dict[str, Any]:
    return {"params": state.params, "layers": state.layers, "moments": state.moments, "key": state.key}
