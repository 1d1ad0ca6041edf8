"""From what a user gives to arrays that can be trained on. What is learned is learned from the training part only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset, Standardizer, Stream, Target, encode_target, stratified_split
from chainrule.data.rows import Ready, Rows
from chainrule.data.streams import open_pair
from chainrule.errors import DataError, SettingError
from chainrule.models import Model
from chainrule.settings import check_number
from chainrule.tables.table import Table
from chainrule.training.run import as_batch
from chainrule.training.step import Batch

if TYPE_CHECKING:
    from chainrule.tables.preparation import Preparation

#: The random stream that draws the validation part (layers fold in small numbers).
SPLIT = 2**32 - 2


@dataclass(frozen=True)
class Prepared:
    """The data of a run, ready for the engine, and what was learned from it."""

    train: Batch
    validation: Batch | None
    standardizer: Standardizer | None
    preparation: Preparation | None
    target: Target
    notes: tuple[str, ...] = ()


def arranged(data: Any, validation: Any, net: Any, root: Any) -> tuple[Any, Any, Preparation | None]:
    """Data and validation data as they are trained on, and what made them of the columns of a table.

    A `Table` is split and prepared here; a `Dataset` may have been, and may have a validation part of its own.
    """
    if isinstance(data, Table):
        share = 0.0 if validation is None else validation
        known = net.preparation if isinstance(net, Model) else None
        data = data.prepare(validation=share, key=random.fold_in(root, SPLIT), preparation=known).data
        validation = None
    if not isinstance(data, Dataset):
        return data, validation, None
    if validation is None and data.validation is not None:
        validation = (data.x_validation, data.labels(data.validation[1]))
    return data, validation, data.preparation


def unpack(data: Any, what: str = "fit takes the data as (x, y) or a Dataset") -> tuple[Any, np.ndarray]:
    """x and y, checked, of ``(x, y)``, a `Dataset` (its training part), or a stream, whose x is `Rows`."""
    if isinstance(data, Dataset):
        data = (data.x, data.labels(data.y))
    if isinstance(data, Stream):
        data = (data, None)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(f"{what}, got {type(data).__name__}.")
    return open_pair(*data)


def prepare(
    x: np.ndarray | Rows,
    y: np.ndarray,
    model: Model,
    validation: Any,
    preparation: Preparation | None,
    normalize: bool,
    normalize_target: bool,
    sample_weight: Any,
    class_weight: Any,
    root: Any,
    notes: tuple[str, ...] = (),
) -> Prepared:
    """Split, encode and standardize. Whatever is learned from the data is learned from the training part."""
    known = model.target.classes if model.target_is_known else None
    units, activation = model.output_shape[-1], model.last_activation.name
    encoded, target = encode_target(y, units=units, output_activation=activation, classes=known)
    if model.target_is_known and known is None:  # a trained model goes on with its task, however the new rows look
        target = model.target
    if normalize_target and target.task == "regression" and activation != "linear":
        raise SettingError(
            f"normalize_target needs linear outputs, which can take any value; these are {activation}: "
            "write Dense(units) without an activation, or normalize_target=False."
        )
    weight = _sample_weights(sample_weight, len(y))
    held_out: tuple[Any, np.ndarray] | None = None
    if isinstance(validation, bool):
        raise SettingError(f"validation is a fraction such as 0.2, or the pair (x, y); got {validation}.")
    if isinstance(validation, float | int | np.number):
        if validation:
            rows, others = hold_out(encoded, target.task, float(validation), root)
            held_out = (x[others], encoded[others])
            x, encoded, weight = x[rows], encoded[rows], weight[rows]
    elif validation is not None:
        xv, yv = unpack(validation, "validation is a fraction such as 0.2, (x, y) or a Dataset")
        if xv.shape[1:] != x.shape[1:]:
            raise DataError(
                f"Training samples have shape {x.shape[1:]}, validation samples {xv.shape[1:]}; they must be equal."
            )
        held_out = (
            xv,
            encode_target(yv, units=units, output_activation=activation, classes=target.classes)[0],
        )
    counts = weight if sample_weight is not None else None  # a sample of weight 2 counts as two, here too
    if normalize_target and target.task == "regression" and not model.target_is_known:
        target = target.standardized(encoded, counts)
    standardizer = model.standardizer
    if standardizer is None and normalize and preparation is None and not model.target_is_known:
        # The inputs of a trained model stay as they were; those that were made of a table are scaled already.
        standardizer = Standardizer.fit(x, counts)

    def batch(x: Any, y: np.ndarray, weight: Any) -> Batch:
        if isinstance(x, Rows):
            x = Ready(x, standardizer, model.precision)
        elif standardizer is not None:
            x = standardizer(x)
        return as_batch(x, y, weight, model.precision)

    return Prepared(
        train=batch(x, target.scale(encoded), weight * _class_weights(encoded, target, class_weight, weight)),
        validation=batch(held_out[0], target.scale(held_out[1]), None) if held_out else None,
        standardizer=standardizer,
        preparation=model.preparation or preparation,
        target=target,
        notes=notes,
    )


def trained(model: Model, prepared: Prepared, params: Any, state: Any) -> Model:
    """The model of a run with these values, and with what was learned from its data."""
    return Model(
        model.net,
        model.input_shape,
        precision=model.precision,
        params=params,
        state=state,
        standardizer=prepared.standardizer,
        preparation=prepared.preparation,
        target=prepared.target,
    )


def hold_out(encoded: np.ndarray, task: str, fraction: float, root: Any) -> tuple[np.ndarray, np.ndarray]:
    """The rows that a run with this key trains on, and those it validates on, where validation is a fraction."""
    stratify = task in ("classification", "binary")
    return stratified_split(encoded, fraction, random.fold_in(root, SPLIT), stratify=stratify)


def _sample_weights(given: Any, n: int) -> np.ndarray:
    """The weight of each sample in the mean cost, as given for all data."""
    if given is None:
        return np.ones(n)
    weight = np.asarray(given)
    needs = f"sample_weight needs {n} finite numbers of at least 0 that are not all 0"
    if weight.dtype.kind not in "biuf" or weight.shape != (n,):
        raise DataError(f"{needs}, got {weight.dtype} of shape {weight.shape}.")
    if not np.all(np.isfinite(weight)) or np.any(weight < 0) or not weight.any():
        raise DataError(f"{needs}, got values from {weight.min()} to {weight.max()}.")
    return weight.astype(float)


def _class_weights(y: np.ndarray, target: Target, class_weight: Any, weight: np.ndarray) -> np.ndarray:
    """The weight that its class gives each training sample."""
    if class_weight is None:
        return np.ones(len(y))
    if target.task not in ("classification", "binary") or target.classes is None:
        raise SettingError("class_weight is for classification with one class per sample.")
    labels = y.argmax(axis=1) if target.task == "classification" and y.ndim == 2 else y.reshape(-1).astype(int)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise SettingError(f'class_weight is "balanced" or {{label: weight}}, got {class_weight!r}.')
        counts = np.bincount(labels, weight, minlength=len(target.classes))
        factors = weight.sum() / (len(target.classes) * np.where(counts > 0, counts, 1.0))
    else:
        for value in class_weight.values():
            check_number("fit", "class_weight", value, 0.0)
        unknown = [label for label in class_weight if label not in target.classes]
        if unknown:
            raise SettingError(f"class_weight names {unknown[0]!r}; the classes are {target.classes}.")
        factors = np.array([float(class_weight.get(label, 1.0)) for label in target.classes])
        if not factors[labels].any():
            raise SettingError("class_weight gives every training sample the weight 0.")
    found: np.ndarray = factors[labels]
    return found
