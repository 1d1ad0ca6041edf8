"""Networks that are made for the data: a function of the training rows instead of a layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.errors import SettingError
from chainrule.layers import Layer
from chainrule.models import Model

__all__ = ["Network", "network"]

#: What a population takes for a network: a layer, a model, or a function that makes a layer for the training rows.
Network = Layer | Model | Callable[[Dataset], Layer]


def network(net: Any, x: np.ndarray, y: Any, preparation: Any = None) -> Any:
    """Return the network for these training rows: ``net`` itself, or what it makes of them if it is a function.

    The function gets a `Dataset` with the inputs as they are trained on, (n, …), the targets and what made the inputs
    of the columns of a table (``data.preparation.embedded``: how many categories each of the last inputs has). So a
    network can have as many inputs, vectors and outputs as the rows ask for.

    Raises `SettingError` if the function returns something else than a layer.

    >>> import chainrule as cr
    >>> from chainrule.recipe.networks import network
    >>> iris = cr.data.load("iris")
    >>> network(lambda data: cr.mlp([data.x.shape[1], 8, len(data.classes)]), iris.x, iris.y)
    Sequential(Dense(8, 'relu', inputs=4), Dense(3, 'softmax'))
    """
    if isinstance(net, Layer | Model) or not callable(net):
        return net
    # The rules of `Dataset.from_arrays` for targets; the inputs stay as they are (it would give images another axis).
    dataset = Dataset.from_arrays("data", np.zeros((len(x), 1), np.float32), y)
    layer = net(dataclasses.replace(dataset, x=x, preparation=preparation))
    if not isinstance(layer, Layer):
        raise SettingError(
            "A network that is a function of the data returns a layer, as in "
            f"net=lambda data: cr.mlp([data.x.shape[1], 30, 10]); this one returned {layer!r}."
        )
    return layer
