"""Models in files: safetensors with the recipe as JSON in the header. Loading never runs code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.data import Standardizer, Target
from chainrule.data.limits import Limits
from chainrule.errors import ChainruleError, FileError, UnknownNameError
from chainrule.files import as_path, write_atomic
from chainrule.layers import Layer
from chainrule.models.inputs import Inputs
from chainrule.models.model import Model
from chainrule.tables.preparation import Preprocessor

FORMAT = 2


def save_model(model: Model, path: str | Path) -> None:
    """Write a model to one file; it appears whole or not at all."""
    write_atomic(path, to_bytes(model))


def to_bytes(model: Model) -> bytes:
    """Return what the file of a model holds; the same model gives the same bytes."""
    from safetensors.numpy import save

    recipe: dict[str, Any] = {
        "format": FORMAT,
        "net": model.net.to_dict(),
        "input_shape": model.input_shape,
        "precision": model.precision,
        "target": asdict(model.target),
        "inputs": {"names": model.inputs.names, "byte_scale": model.inputs.byte_scale},
    }
    tensors = flatten({"params": model.params, "state": model.state})
    if model.preparation is not None:
        recipe["preparation"], arrays = model.preparation.to_parts()
        tensors |= flatten({"preparation": arrays})
    if model.standardizer is not None:
        tensors |= flatten({"standardizer": model.standardizer.to_arrays()})
    if model.inputs.limits is not None:
        tensors |= flatten({"limits": model.inputs.limits.to_arrays()})
    recipe["checksum"] = checksum(json.dumps(recipe), tensors)
    content: bytes = save(tensors, {"chainrule": json.dumps(recipe)})
    return content


def load_model(path: str | Path) -> Model:
    """Read a model that `Model.save` wrote.

    Raises
    ------
    FileError
        If the file is missing, damaged, or not a chainrule model.

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Model(cr.mlp([4, 3, 2]), input_shape=(4,))
    >>> model.save("small.safetensors")
    >>> x = np.ones((1, 4))
    >>> bool((cr.load_model("small.safetensors").predict_proba(x) == model.predict_proba(x)).all())
    True
    """
    tensors, recipe = read_tensors(path)
    try:
        net = Layer.from_dict(recipe["net"])
        values = unflatten(tensors)
        inputs = _inputs(recipe, values)
        with np.errstate(over="raise"):  # numbers that the model's precision does not have
            return Model(
                net,
                tuple(recipe["input_shape"]),
                precision=recipe["precision"],
                params=values.get("params", {}),
                state=values.get("state", {}),
                inputs=inputs,
                target=Target(**_tuples(recipe["target"])),
            )
    except UnknownNameError as error:
        hint = "A class of your own must be imported before the file is loaded."
        raise UnknownNameError(f"{path}: {error} {hint}") from None
    except ChainruleError as error:
        raise FileError(f"{path} is damaged: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise FileError(f"{path} is not a complete chainrule model: {error!r}.") from None


def _inputs(recipe: Mapping[str, Any], values: Mapping[str, Any]) -> Inputs:
    """Return what the file says of the model's inputs."""
    prepared, names = recipe.get("preparation"), recipe["inputs"]["names"]
    return Inputs(
        tuple(recipe["input_shape"]),
        preparation=Preprocessor.from_parts(prepared, values.get("preparation", {})) if prepared else None,
        names=None if names is None else tuple(map(str, names)),
        limits=Limits.from_arrays(values["limits"]) if "limits" in values else None,
        byte_scale=int(recipe["inputs"]["byte_scale"]),
        standardizer=Standardizer.from_arrays(values["standardizer"]) if "standardizer" in values else None,
    )


def read_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the recipe in a safetensors file of ours."""
    from safetensors import SafetensorError, safe_open

    if not as_path(path).is_file():
        raise FileError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        recipe = _parsed(metadata.get("chainrule", ""))
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileError(f"{path} is not a readable safetensors file: {error}.") from None
    if not isinstance(recipe, dict) or not isinstance(recipe.get("format"), int):
        raise FileError(f"{path} is a safetensors file, but was not written by chainrule.")
    if recipe["format"] > FORMAT:
        raise FileError(f"{path} was written by a newer chainrule (format {recipe['format']}); update to read it.")
    written = recipe.pop("checksum", None)  # files of older versions have none
    if written is not None and written != checksum(json.dumps(recipe), tensors):
        raise FileError(f"{path} is damaged: what it holds is not what was written.")
    return tensors, recipe


def _parsed(text: str) -> Any:
    """Return what a text in JSON says; None if it says nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, numbers of thousands of digits, thousands of brackets
        return None


def flatten(values: Any) -> dict[str, np.ndarray]:
    """Return a tree of arrays as a dict from "a/b/c" to array."""
    return {"/".join(path): np.asarray(leaf, order="C") for path, leaf in tree.leaves_with_path(values)}


def unflatten(flat: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the inverse of `flatten` (nested dicts)."""
    root: dict[str, Any] = {}
    for name, leaf in flat.items():
        *heads, last = name.split("/")
        node = root
        for head in heads:
            node = node.setdefault(head, {})
        node[last] = leaf
    return root


def checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of everything in a file: the recipe, and names, types, shapes and values of the arrays."""
    found = hashlib.sha256(text.encode())
    for at in sorted(tensors):
        values = np.ascontiguousarray(tensors[at])
        found.update(f"\n{at} {values.dtype.str} {tensors[at].shape}\n".encode())
        found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _tuples(plain: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples they were."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
