"""From what a user gives to arrays that can be trained on. What is learned is learned from the training part only."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Target, encode_target, stratified_split
from chainrule.data.check import check_lengths
from chainrule.data.limits import is_coarse
from chainrule.data.rows import Rows
from chainrule.errors import ChainruleWarning, DataError, SettingError, ShapeError
from chainrule.layers import Layer, Sequential
from chainrule.models import Model
from chainrule.models.inputs import Inputs, target_in_order
from chainrule.recipe.metrics_of_steps import as_batch
from chainrule.recipe.recordings import some_rows
from chainrule.recipe.run_data import SPLIT, RunData, pair_of
from chainrule.recipe.step import Batch
from chainrule.settings import check_number, is_ours


@dataclass(frozen=True)
class Prepared:
    """The data of a run, ready for the engine, and what was learned from it.

    ``rows`` and ``validation_rows`` are the numbers of the rows of ``train`` and ``validation``, where they were drawn
    from one data set; None where the two came apart.
    """

    train: Batch
    validation: Batch | None
    inputs: Inputs
    target: Target
    notes: tuple[str, ...] = ()
    rows: np.ndarray | None = None
    validation_rows: np.ndarray | None = None

    @functools.cached_property
    def samples(self) -> tuple[Batch, Batch | None]:
        """Some training and validation rows, as the network gets them."""
        return some_rows(self.train)[1], None if self.validation is None else some_rows(self.validation)[1]


def prepare(
    data: RunData,
    model: Model,
    normalize: bool,
    normalize_target: bool,
    sample_weight: Any,
    class_weight: Any,
    root: Any,
) -> Prepared:
    """Split, encode and standardize. Whatever is learned from the data is learned from the training part."""
    x, y, validation = data.x, data.y, data.validation
    units, activation = model.output_shape[-1], model.last_activation.name
    if model.target_is_known:  # a trained model goes on with its task, however the new rows look
        encoded, target = model.encode(y), model.target
    else:
        encoded, target = encode_target(y, units=units, output_activation=activation)
        target = replace(target, coded=data.coded and target.classes is not None, names=data.target_names)
    if normalize_target and target.task == "regression" and activation != "linear":
        raise SettingError(
            f"normalize_target needs linear outputs, which can take any value; these are {activation}: "
            "write Dense(units) without an activation, or normalize_target=False."
        )
    weight = _sample_weights(sample_weight, len(y))
    held_out: tuple[Any, np.ndarray] | None = None
    if isinstance(validation, bool):
        raise SettingError(f"validation is a fraction such as 0.2, or the pair (x, y); got {validation}.")
    drawn = isinstance(validation, float | int | np.number)
    rows = others = None
    if drawn and validation:
        rows, others = hold_out(encoded, target.task, float(validation), root)
        held_out = (x[others], encoded[others])
        x, encoded, weight = x[rows], encoded[rows], weight[rows]
    counts = weight if sample_weight is not None else None  # a sample of weight 2 counts as two, here too
    inputs = data.inputs
    if inputs.limits is None and not model.target_is_known:  # a trained model keeps its scales
        inputs = inputs.learn(x, normalize, counts, data.pixels, model.net.codes)
        if inputs.standardizer is not None:
            _warn_of_codes(model.net, x)
    else:
        inputs = inputs.widened(x)
    if not drawn and validation is not None:
        held_out = _held_out(validation, inputs, target, units, activation)
    if target.task == "regression" and not model.target_is_known:
        if normalize_target:
            target = target.standardized(encoded, counts)
        elif activation == "linear" and model.precision == "float32" and is_coarse(*_size(encoded)).any():
            target = target.centered(encoded)

    def batch(x: Any, y: np.ndarray, weight: Any) -> Batch:
        return as_batch(inputs.finish(x, model.precision), target.scale(y), weight, model.precision)

    return Prepared(
        train=batch(x, encoded, weight * _class_weights(encoded, target, class_weight, weight)),
        validation=batch(*held_out, None) if held_out else None,
        inputs=inputs,
        target=target,
        notes=data.notes,
        rows=rows,
        validation_rows=others,
    )


def _warn_of_codes(net: Layer, x: Any) -> None:
    """Warn where a first layer of the user's own gets whole numbers that may be codes standardized."""
    while isinstance(net, Sequential) and net.layers:
        net = net[0]
    if is_ours(type(net)) or net.codes:
        return
    some = x.read(0, min(len(x), 256)) if isinstance(x, Rows) else x[:256]
    if bool((some >= 0).all()) and bool((some == np.floor(some)).all()) and some.max() > 1:
        warnings.warn(
            f"The inputs are whole numbers up to {some.max():g}, and they are standardized before {net} gets them. If "
            f"they are codes, such as tokens, say how many features are: codes: ClassVar[int] in the class "
            f"{type(net).__name__}; or give normalize=False.",
            ChainruleWarning,
            stacklevel=2,
        )


def _held_out(validation: Any, inputs: Inputs, target: Target, units: int, activation: str) -> tuple[Any, np.ndarray]:
    """Admit validation data that was given, through the same door as the training data."""
    x, y = pair_of(validation, "validation is a fraction such as 0.2, (x, y) or a Dataset")
    try:
        x = inputs.admit(x)
    except ShapeError:
        raise DataError(
            f"Training samples have shape {inputs.shape}, validation samples {tuple(np.shape(x)[1:])}; they must be "
            "equal."
        ) from None
    y = inputs.read_target(target_in_order(y, target.names))
    encoded = encode_target(y, units=units, output_activation=activation, known=target)[0]
    check_lengths(x, encoded)
    return x, encoded


def _size(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest magnitude and the deviation of each output's targets."""
    return np.abs(y).max(axis=0), y.std(axis=0, dtype=np.float64)


def trained(model: Model, prepared: Prepared, params: Any, state: Any) -> Model:
    """Return the model of a run with these values, and with what was learned from its data."""
    return Model(
        model.net,
        model.input_shape,
        precision=model.precision,
        params=params,
        state=state,
        inputs=prepared.inputs,
        target=prepared.target,
    )


def hold_out(encoded: np.ndarray, task: str, fraction: float, root: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that a run with this key trains on, and those it validates on, where validation is a fraction."""
    stratify = task in ("classification", "binary")
    return stratified_split(encoded, fraction, random.fold_in(root, SPLIT), stratify=stratify)


def _sample_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Return the weight of each sample in the mean cost, as given for all data."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight)
    needs = f"sample_weight needs {n} finite numbers of at least 0 that are not all 0"
    if weight.dtype.kind not in "biuf" or weight.shape != (n,):
        raise DataError(f"{needs}, got {weight.dtype} of shape {weight.shape}.")
    if not np.all(np.isfinite(weight)) or np.any(weight < 0) or not weight.any():
        raise DataError(f"{needs}, got values from {weight.min()} to {weight.max()}.")
    return weight.astype(float)


def _class_weights(y: np.ndarray, target: Target, class_weight: Any, weight: np.ndarray) -> np.ndarray:
    """Return the weight that its class gives each training sample."""
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
    weights: np.ndarray = factors[labels]
    return weights
