"""What a network shows of itself in a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.draw.figure import Figure
from chainrule.draw.images import images
from chainrule.draw.notebook import cell, table

#: So many units of the first layer are shown as pictures.
UNITS = 16


def network_in_cell(
    layers: Sequence[tuple[str, str, tuple[int, ...], int]], about: str, params: Any, input_shape: tuple[int, ...]
) -> str:
    """Return the layers as a table, and of a network for pictures what its first units look for.

    Parameters
    ----------
    layers : of each its name, recipe, output shape and number of parameters
    about : what is said of all of it
    params : the parameters by layer
    input_shape : of one sample
    """
    rows = [["input", "", str(input_shape), ""]]
    rows += [[name, recipe, str(shape), f"{count:,}" if count else ""] for name, recipe, shape, count in layers]
    first = next((name for name, *_ in layers if "weight" in params.get(name, {})), None)
    figure = None if first is None else first_units(first, np.asarray(params[first]["weight"], float), input_shape)
    return cell(about, table(["layer", "recipe", "output shape", "parameters"], rows), figure)


def first_units(name: str, weight: np.ndarray, input_shape: tuple[int, ...]) -> Figure | None:
    """Return the weights of the largest units as pictures; None where a sample is no picture."""
    units = np.moveaxis(weight, -1, 0)
    if len(input_shape) == 3 and units.shape[1:] == (math.prod(input_shape),):
        units = units.reshape(-1, *input_shape)
    if units.ndim != 4:
        return None
    norms = np.square(units).reshape(len(units), -1).sum(axis=1)
    chosen = np.argsort(-norms, kind="stable")[:UNITS]
    text = f"{len(chosen)} of {len(units)} units of {name}, the largest first."
    labels = [str(unit) for unit in chosen.tolist()]
    return images("weights", "What the first layer looks for", units[chosen].mean(axis=-1), labels, text=text)
