"""Trees of arrays in files: safetensors with a recipe as JSON in the header. Reading never runs code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.errors import FileError
from chainrule.files import as_path

FORMAT = 3


def to_bytes(recipe: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """Return the content of a file with a recipe and a tree of arrays; the same parts give the same bytes."""
    from safetensors.numpy import save

    tensors, written = flatten(values), {"format": FORMAT, **recipe}
    written["checksum"] = checksum(json.dumps(written), tensors)
    content: bytes = save(tensors, {"chainrule": json.dumps(written)})
    return content


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
    if (version := recipe["format"]) > FORMAT:
        raise FileError(f"{path} was written by a newer chainrule (format {version}); update to read it.")
    if version < FORMAT:
        raise FileError(
            f"{path} was written by an older chainrule, which can read it (format {version}, expected {FORMAT})."
        )
    written = recipe.pop("checksum", None)
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
    """Return the SHA-256 of everything in a file: the recipe, and names, types, shapes and values of the arrays."""
    digest = hashlib.sha256(text.encode())
    for at in sorted(tensors):
        values = np.ascontiguousarray(tensors[at])
        digest.update(f"\n{at} {values.dtype.str} {tensors[at].shape}\n".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
