"""The data of a run: what a user gives, as inputs and targets, with what is known of the inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset, PreparedInputs, Stream
from chainrule.data.check import check_lengths
from chainrule.data.streams import open_pair
from chainrule.errors import DataError
from chainrule.models import Model
from chainrule.models.inputs import Inputs, are_bytes, names_of
from chainrule.tables.table import Table

#: The random stream that draws the validation part (layers fold in small numbers).
SPLIT = 2**32 - 2


@dataclass(frozen=True, eq=False)
class RunData:
    """Data to train on.

    Attributes
    ----------
    x, y : one array (or `Rows`) of inputs, admitted by a trained model or checked for a new one; and the targets
    validation : as it was given (a fraction, a pair, a `Dataset`, a stream), or the part that the data came with
    inputs : what is known of the inputs before anything is learnt from them
    pixels : whether they came as unsigned bytes
    coded : whether a `Dataset` named the classes, see `Target`
    notes : what should be known about the data, as sentences
    target_names : of the columns of targets that came as a data frame of several
    """

    x: Any
    y: np.ndarray
    validation: Any
    inputs: Inputs
    pixels: bool = False
    coded: bool = False
    notes: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()


def run_data(net: Any, data: Any, validation: Any, seed: int) -> RunData:
    """Return the data of a run. A `Table` is split and prepared here; a model to go on from admits what it was trained
    on.
    """
    model = net if isinstance(net, Model) else None
    coded = isinstance(data, Dataset) and data.classes is not None
    data, validation = arranged(data, validation, model, random.key(seed))
    x, y = pair_of(data)
    notes = data.notes if isinstance(data, Dataset) else ()
    names = None if isinstance(data, Dataset) else names_of(x)
    preparation = x.by if isinstance(x, PreparedInputs) else None
    if model is not None:
        inputs = model.inputs
        if inputs.blank:
            inputs = replace(inputs, preparation=preparation, names=names)
        elif preparation is not None and inputs.preparation is None:
            raise DataError(
                "The model was trained on arrays of numbers, and the data is a table whose columns are prepared: make "
                "numbers of the columns as they were then, or train a new network on the table."
            )
        admitted, y = inputs.admit(x), model.read_target(y)
        check_lengths(admitted, y)
        return RunData(admitted, y, validation, inputs, are_bytes(x), coded, notes)
    columns = names_of(y) or ()
    pixels, target_names = are_bytes(x), columns if len(columns) > 1 else ()
    plain, y = open_pair(x.x if isinstance(x, PreparedInputs) else x, y)
    inputs = Inputs(tuple(plain.shape[1:]), preparation, names)
    return RunData(plain, y, validation, inputs, pixels or are_bytes(plain), coded, notes, target_names)


def arranged(data: Any, validation: Any, model: Model | None, root: Any) -> tuple[Any, Any]:
    """Return data and validation data, a `Table` as the `Dataset` that is prepared of it."""
    if isinstance(data, Table):
        drawn = validation is None or isinstance(validation, float | int | np.number)
        data = data.prepare(
            validation=(validation or 0.0) if drawn else 0.0,
            key=random.fold_in(root, SPLIT),
            preparation=None if model is None else model.preparation,
        ).data
        validation = None if drawn else validation
    if validation is None and isinstance(data, Dataset):
        validation = data.validation
    return data, validation


def pair_of(data: Any, what: str = "fit takes the data as (x, y) or a Dataset") -> tuple[Any, Any]:
    """Return inputs and targets of ``(x, y)``, a `Dataset` (its training part), a `Table`, or a stream."""
    if isinstance(data, Dataset):
        return data.train
    if isinstance(data, Table):
        return data.pair()
    if isinstance(data, Stream):
        return data, data.y
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(f"{what}, got {type(data).__name__}.")
    return data[0], data[1]


def unpack(data: Any, what: str = "fit takes the data as (x, y) or a Dataset") -> tuple[Any, np.ndarray]:
    """Return x and y as checked arrays, of whatever `pair_of` takes; x of a stream is `Rows`."""
    x, y = pair_of(data, what)
    if isinstance(x, Stream):
        return open_pair(x, None)
    return open_pair(x.x if isinstance(x, PreparedInputs) else x, y)
