"""From what a user gives to arrays that can be trained on. What is learned is learned from the training part only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset, Standardizer, Target, check_pair, encode_target, stratified_split
from chainrule.errors import DataError, SettingError
from chainrule.models import Model
from chainrule.training.run import as_batch
from chainrule.training.step import Batch

#: The random stream that draws the validation part (layers fold in small numbers).
SPLIT = 2**32 - 2


@dataclass(frozen=True)
class Prepared:
    """The data of a run, ready for the engine, and what was learned from it."""

    train: Batch
    validation: Batch | None
    standardizer: Standardizer | None
    target: Target


def unpack(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """x and y, checked, of ``(x, y)`` or a `Dataset` (its training part)."""
    if isinstance(data, Dataset):
        data = (data.x, data.y)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(f"fit takes the data as (x, y) or a Dataset, got {type(data).__name__}.")
    return check_pair(*data)


def prepare(
    x: np.ndarray,
    y: np.ndarray,
    model: Model,
    validation: Any,
    normalize: bool,
    sample_weight: Any,
    class_weight: Any,
    root: Any,
) -> Prepared:
    """Split, encode and standardize. Whatever is learned from the data is learned from the training part."""
    known = model.target.classes if model.target_is_known else None
    units, activation = model.output_shape[-1], model.last_activation.name
    encoded, target = encode_target(y, units=units, output_activation=activation, classes=known)
    weight = _weights(encoded, target, sample_weight, class_weight)
    held_out: tuple[np.ndarray, np.ndarray] | None = None
    if isinstance(validation, float | int) and not isinstance(validation, bool):
        if validation:
            stratify = target.task in ("classification", "binary")
            rows, others = stratified_split(encoded, validation, random.fold_in(root, SPLIT), stratify=stratify)
            held_out = (x[others], encoded[others])
            x, encoded, weight = x[rows], encoded[rows], weight[rows]
    elif validation is not None:
        xv, yv = unpack(validation)
        if xv.shape[1:] != x.shape[1:]:
            raise DataError(
                f"Training samples have shape {x.shape[1:]}, validation samples {xv.shape[1:]}; they must be equal."
            )
        held_out = (
            xv,
            encode_target(yv, units=units, output_activation=activation, classes=target.classes)[0],
        )
    standardizer = model.standardizer
    if standardizer is None and normalize:
        standardizer = Standardizer.fit(x)
    if standardizer is not None:
        x = standardizer(x)
        held_out = (standardizer(held_out[0]), held_out[1]) if held_out else None
    return Prepared(
        train=as_batch(x, encoded, weight, model.precision),
        validation=as_batch(*held_out, None, model.precision) if held_out else None,
        standardizer=standardizer,
        target=target,
    )


def _weights(y: np.ndarray, target: Target, sample_weight: Any, class_weight: Any) -> np.ndarray:
    """The weight of each sample in the mean cost."""
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
    if weight.shape != (len(y),) or not np.all(np.isfinite(weight)) or np.any(weight < 0) or not weight.sum():
        raise DataError(
            f"sample_weight needs {len(y)} numbers of at least 0 that are not all 0, got shape {weight.shape}."
        )
    if class_weight is None:
        return weight
    if target.task not in ("classification", "binary") or target.classes is None:
        raise SettingError("class_weight is for classification with one class per sample.")
    labels = y.argmax(axis=1) if target.task == "classification" and y.ndim == 2 else y.reshape(-1).astype(int)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise SettingError(f'class_weight is "balanced" or {{label: weight}}, got {class_weight!r}.')
        counts = np.bincount(labels, minlength=len(target.classes))
        factors = len(labels) / (len(target.classes) * np.maximum(counts, 1))
    else:
        unknown = [label for label in class_weight if label not in target.classes]
        if unknown:
            raise SettingError(f"class_weight names {unknown[0]!r}; the classes are {target.classes}.")
        factors = np.array([float(class_weight.get(label, 1.0)) for label in target.classes])
    return weight * factors[labels]
