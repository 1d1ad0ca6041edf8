"""What tells runs and their data apart, so that one is not gone on with as another by mistake."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import PreparedInputs, Stream
from chainrule.data.rows import Rows
from chainrule.models import Model
from chainrule.models.inputs import frame_of
from chainrule.recipe.state import Recipe

#: Of data in memory every value counts: one sum for each row of bytes, and some rows themselves, so that neither a
#: changed value nor another order of rows or columns goes unnoticed. Of data in a file some stretches of rows count.
STRETCHES, STRETCH = 16, 2**14

#: Up to so many bytes are hashed as they are.
SMALL = 2**22


def identity(
    recipe: Recipe, model: Model, *, samples: int, batch_size: int, shuffled: str, data: Mapping[str, str]
) -> dict[str, str]:
    """Return what must be the same for a run to be gone on with.

    Parameters
    ----------
    recipe, model : what is trained, and how
    samples, batch_size : how many there are, and in a step
    shuffled : what is put in order in each epoch, see `chainrule.training.loader.Loader`
    data : what else must be the same, such as the data's `fingerprint`
    """
    parts = {f.name: repr(getattr(recipe, f.name)) for f in dataclasses.fields(recipe)}
    sizes = {
        "batch_size": str(batch_size),
        "training samples": str(samples),
        "shuffled": shuffled,
        "precision": model.precision,
    }
    return {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in ({**data} | parts | sizes).items()}


def fingerprint(**data: Any) -> dict[str, str]:
    """Return the shape, the type and a hash of each part of the data: ``{"data: x": "float32 (150, 4) 8c3e…"}``.

    >>> import numpy as np
    >>> one = fingerprint(x=np.eye(3), y=np.array(["a", "b", "b"]))
    >>> one == fingerprint(x=np.eye(3), y=np.array(["a", "b", "b"])), one == fingerprint(x=np.eye(3), y=np.arange(3))
    (True, False)
    """
    digests = {}
    for name, values in data.items():
        if values is not None:
            values = _plain(values)
            digests[f"data: {name}"] = f"{values.dtype} {tuple(values.shape)} {_hash(values)}"
    return digests


def _plain(values: Any) -> Any:
    """Return data of any kind as rows or an array; of a data frame a number for each row, and its column names."""
    if isinstance(values, PreparedInputs | Stream):
        values = values.x
    frame = frame_of(values)
    if frame is None:
        return values if isinstance(values, Rows) else np.asarray(values)
    from pandas.util import hash_array, hash_pandas_object

    names = hash_array(np.array(frame.columns, object))
    return np.concatenate([names, hash_pandas_object(frame, index=False).to_numpy()])


def _hash(values: Any) -> str:
    digest = hashlib.sha256()
    if isinstance(values, Rows):
        for part in _stretches(values.shape, values.dtype.itemsize):
            digest.update(np.ascontiguousarray(values.read(part.start, part.stop)).data)
    elif values.dtype.hasobject:
        digest.update(repr(values.tolist()).encode())
    else:
        values = np.ascontiguousarray(values).reshape(len(values) if values.ndim else 1, -1)
        plain = values.view(np.uint8) if values.size else np.zeros((1, 1), np.uint8)
        if plain.size <= SMALL:
            digest.update(plain.data)
        else:
            words = next(kind for kind in (np.uint64, np.uint32, np.uint16, np.uint8)
                         if plain.shape[1] % np.dtype(kind).itemsize == 0)  # fmt: skip
            digest.update(np.add.reduce(plain.view(words), axis=1, dtype=words).data)
            for part in _stretches(plain.shape, 1):
                digest.update(plain[part].data)
    return digest.hexdigest()[:16]


def _stretches(shape: tuple[int, ...], itemsize: int) -> list[slice]:
    """Return some stretches of rows, from the first to the last."""
    rows = max(1, STRETCH // max(1, itemsize * int(np.prod(shape[1:]))))
    starts = np.linspace(0, max(0, shape[0] - rows), STRETCHES).astype(int)
    return [slice(int(start), min(int(start) + rows, shape[0])) for start in np.unique(starts)]
