"""The data of the members of one engine, put where it works once for all members that share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engine import Engine
from chainrule.recipe.memory import fitting_data
from chainrule.recipe.prepare import Prepared
from chainrule.recipe.step import Batch
from chainrule.training.loader import EVALUATION_BLOCK, blocks_of

Array = Any


class DeviceCache:
    """Data of members on one engine, by the data sets that it is made of and a number of inputs."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._inputs: dict[Any, Any] = {}
        self._blocks: dict[Any, Any] = {}

    def inputs(self, datasets: Sequence[Prepared], width: int | None = None) -> Array:
        """Return the training inputs of data sets, one after the other in one array, with zeros up to a width."""
        key = data_key(datasets, width)
        x = self._inputs.get(key)  # another thread may forget it meanwhile
        if x is None:
            arrays = [_with_inputs(dataset.train.x, width) for dataset in datasets]
            with fitting_data(arrays[0]):
                x = self.engine.put(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))
            self._inputs[key] = x
        return x

    def validation(self, datasets: Sequence[Prepared], width: int | None = None) -> Batch:
        """Return the validation data in blocks, padded likewise; of several data sets with an axis for them."""
        key = data_key(datasets, width)
        blocks = self._blocks.get(key)
        if blocks is None:
            data = [
                v._replace(x=_with_inputs(v.x, width)) for dataset in datasets if (v := dataset.validation) is not None
            ]
            most = max(len(v.x) for v in data)
            size = min(EVALUATION_BLOCK, most)
            blocked = [blocks_of(v, size, -(-most // size)) for v in data]
            batch = blocked[0] if len(blocked) == 1 else Batch(*map(np.stack, zip(*blocked, strict=True)))
            blocks = self._blocks[key] = self.engine.put(batch)
        return blocks

    def retain(self, keys: set[Any]) -> None:
        """Forget the data of all other keys (see `data_key`); whoever needs it again has it put there anew."""
        for cache in (self._inputs, self._blocks):
            for key in list(cache):
                if key not in keys:
                    cache.pop(key, None)


def data_key(datasets: Sequence[Prepared], width: int | None) -> Any:
    """Return the key of the data of some data sets, padded to a number of inputs."""
    return (*map(id, datasets), width)


def zero_padded(value: Array, shape: tuple[int, ...]) -> Array:
    """Return an array with zeros after its values, up to a shape."""
    array = np.asarray(value)
    room = [(0, target - size) for size, target in zip(array.shape, shape, strict=True)]
    return np.pad(array, room) if any(missing for _, missing in room) else array


def _with_inputs(x: np.ndarray, width: int | None) -> np.ndarray:
    """Return samples with zeros after their inputs, up to a number of inputs; None: as they are."""
    return x if width is None else zero_padded(x, (len(x), width))
