"""The values of a network: trees of arrays in a precision, checked against the network that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.errors import ShapeError, did_you_mean


def cast(values: Any, precision: str) -> Any:
    """Return a tree of arrays with the floating-point ones in a precision; others (a counter, say) stay as they are."""

    def one(value: Any) -> np.ndarray:
        array = np.asarray(value)
        return array.astype(precision, copy=False) if array.dtype.kind == "f" else array

    return tree.map(one, values)


def fill(template: Any, values: Any, name: str, precision: str | None) -> Any:
    """Return values in the nesting of the template, whose names and shapes they must have."""
    if isinstance(template, dict):
        named = values if isinstance(values, Mapping) else {}
        for key in named:
            if key not in template:
                raise ShapeError(f"{name}: the network has no {key!r}{did_you_mean(str(key), template)}")
        for key in template:
            if key not in named:
                raise ShapeError(f"{name}: {key!r} is missing, which the network needs.")
        return {key: fill(like, named[key], f"{name}.{key}", precision) for key, like in template.items()}
    if isinstance(template, list | tuple):  # in a file, their items are numbered
        items = list(values.values() if isinstance(values, Mapping) else values)
        if len(items) != len(template):
            raise ShapeError(f"{name} has {len(items)} items, and the network needs {len(template)}.")
        pairs = zip(template, items, strict=True)
        parts = [fill(like, item, f"{name}.{i}", precision) for i, (like, item) in enumerate(pairs)]
        return type(template)(*parts) if hasattr(template, "_fields") else type(template)(parts)
    array = np.array(values, precision or template.dtype)  # a copy that the model may write to
    if array.shape != np.shape(template):
        raise ShapeError(f"{name} has shape {array.shape}, and the network needs {np.shape(template)}.")
    return array
