"""What is to be trained: the settings of one run, checked, and everything that follows from them but the engine."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import losses, metrics, random
from chainrule.data.rows import Rows
from chainrule.engine import PRECISIONS
from chainrule.errors import ChainruleWarning, SettingError, ShapeError
from chainrule.fields import values_of
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.models.forward import forward
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.recipe.memory import check_room
from chainrule.recipe.prepare import Prepared, prepare
from chainrule.recipe.run_data import RunData
from chainrule.recipe.state import Recipe, State, Unit, start
from chainrule.run_settings import TrainingSettings

# The random streams of a run besides `prepare.SPLIT`; layers fold in small numbers, these are out of their way.
SHUFFLE, STEPS = 2**32 - 1, 2**32 - 3

#: The number of a step is kept in 32 bits.
MOST_STEPS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """One run before its first step.

    Attributes
    ----------
    model : the network with its first weights
    prepared : the data, split, encoded and standardized
    recipe, state : what a step depends on
    epochs, batch_size : as asked for
    stopping : the early stopping, if any
    order : the key that the order of the samples follows from
    settings : what it was made of
    """

    model: Model
    prepared: Prepared
    recipe: Recipe
    state: State
    epochs: int
    batch_size: int
    stopping: EarlyStopping | None
    order: Any
    settings: TrainingSettings

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.prepared.train.x) // self.batch_size)


def prepare_run(net: Any, data: RunData, settings: TrainingSettings, prepared: Prepared | None = None) -> PreparedRun:
    """Prepare a run of these settings. ``prepared`` is that of another run, where it is the same."""
    root = random.key(settings.seed)
    _check_steps(len(data.x), settings)
    _check_codes(net, data.inputs.preparation)
    model = _model(net, data.x.shape[1:], settings.seed, settings.precision)
    check_room(model.params)
    if prepared is None:
        prepared = prepare(
            data,
            model,
            settings.normalize,
            settings.normalize_target,
            settings.sample_weight,
            settings.class_weight,
            root,
        )
    if isinstance(settings.loss, str) and settings.loss == "auto":
        task = prepared.target.task
        targets = task if model.target_is_known else _labels(data.y, task)
        losses.check_pair(model.last_activation, targets, model.output_shape[-1])
    recipe, state = first_step(model, prepared, settings, root, data.inputs.preparation)
    batch = min(int(settings.batch_size), len(prepared.train.x))
    _check_batches(model, len(prepared.train.x), batch, recipe.micro_batches)
    stopping = _stopping(settings.early_stopping, recipe.task, prepared.validation is not None)
    order = random.fold_in(root, SHUFFLE)
    epochs, batch_size = int(settings.epochs), int(settings.batch_size)
    return PreparedRun(model, prepared, recipe, state, epochs, batch_size, stopping, order, settings)


def first_step(
    model: Model, prepared: Prepared, settings: TrainingSettings, root: Any, preparation: Any
) -> tuple[Recipe, State]:
    """Return what the first step depends on.

    Parameters
    ----------
    root : the key that all that is drawn follows from
    preparation : of a table's columns, or None
    """
    recipe, state = start(
        model,
        settings.loss,
        settings.optimizer,
        samples=len(prepared.train.x),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        key=random.fold_in(root, STEPS),
        task=prepared.target.task,
        units=tuple(Unit(size) for size in prepared.target.std),
        l1=float(settings.l1),
        l2=float(settings.l2),
        micro_batches=int(settings.micro_batches),
        augment=settings.augment,
        compute="bfloat16" if settings.precision == "bfloat16" else None,
    )
    state.settings["run"]["samples"] = float(prepared.train.weight.sum(dtype=np.float64))  # the n of l1 and l2
    if recipe.augment is not None:
        codes = model.net.codes if preparation is None else len(preparation.embedded)
        recipe.augment.check(model.input_shape, codes=codes)
    return recipe, state


def _check_codes(net: Any, preparation: Any) -> None:
    """Refuse a network that takes codes of categories for quantities: it must begin with their `Embedding`."""
    if preparation is None or not preparation.embedded or isinstance(net, Model):
        return
    if isinstance(net, Layer) and not net.codes:
        columns = ", ".join(f"{name!r} ({count:,})" for name, count in preparation.embedded[:5])
        counts = ", ".join(str(count) for _, count in preparation.embedded)
        raise SettingError(
            f"Columns of many categories become codes, which a network must not take for quantities: {columns}. Begin "
            f"it with cr.Embedding(({counts},)), or give them one input for each category: "
            f'columns={{{preparation.embedded[0][0]!r}: {{"encode": "one_hot"}}}}.'
        )


def describe(run: PreparedRun, engine: str, devices: str | int | None) -> dict[str, Any]:
    """Return the settings of a run as plain values, for ``config.toml``; data is named only.

    Raises `SettingError` for a network or loss made of functions, which cannot be written down.
    """
    recipe, stopping, settings = run.recipe, run.stopping, run.settings
    weights = settings.class_weight
    return values_of(TrainingSettings, settings) | {
        "validation": settings.validation if isinstance(settings.validation, float | int) else None,
        "normalize_target": bool(recipe.units) or None,
        "l1": recipe.l1,
        "l2": recipe.l2,
        "engine": engine,
        "devices": devices,
        "precision": recipe.compute or run.model.precision,
        "net": run.model.net.to_dict(),
        "loss": recipe.loss.to_dict(),
        "optimizer": recipe.optimizer.to_dict(),
        "early_stopping": vars(stopping) if stopping is not None else None,
        "sample_weight": None,
        # Only where they are used: a run cannot be repeated from this file alone, and the command line says so.
        "micro_batches": recipe.micro_batches if recipe.micro_batches > 1 else None,
        "class_weight": {str(k): v for k, v in weights.items()} if isinstance(weights, Mapping) else weights,
        "augment": recipe.augment.to_dict() if recipe.augment is not None else None,
    }


def streams(run: PreparedRun) -> bool:
    """Return whether the training data is read from a file while it is used."""
    return isinstance(run.prepared.train.x, Rows)


def _model(net: Any, input_shape: tuple[int, ...], seed: int, precision: str) -> Model:
    """Return a model with initial weights; or the one given, to go on from."""
    if not isinstance(net, Model):
        if not isinstance(net, Layer):
            raise SettingError(
                f"fit trains a layer, such as cr.Sequential(...) or cr.mlp([...]), or a cr.Model; got {net!r}."
            )
        return Model(net, input_shape, seed=seed, precision=precision)
    if precision != "float32" and PRECISIONS.get(precision) != net.precision:
        raise SettingError(f"The model to go on from is in {net.precision}; make it with precision={precision!r}.")
    if net.input_shape != input_shape:
        raise ShapeError(f"The model takes samples of shape {net.input_shape}, and x has samples of {input_shape}.")
    return net


def refused_alone(model: Model) -> ShapeError | None:
    """Return why a network cannot train on a batch of one sample, if it cannot (batch normalization)."""
    x = np.zeros((1, *model.input_shape), model.precision)
    try:
        forward(model.net, model.params, model.state, x, train=True)
    except ShapeError as error:
        return error
    except Exception:  # a layer of the user's own that needs a key: the run itself says better what is wrong
        return None
    return None


def _check_batches(model: Model, samples: int, batch: int, micro_batches: int) -> None:
    """Refuse batches of one sample, and warn of a last one, where the network looks across samples."""
    size = -(-batch // micro_batches)
    alone = 1 in parts(batch, size)
    if not alone and 1 not in parts(samples % batch, size):
        return
    if (error := refused_alone(model)) is None:
        return
    cut = f" in {micro_batches} micro-batches" if micro_batches > 1 else ""
    if alone:
        raise SettingError(f"fit: batches of {batch}{cut} hand a single sample to the network. {error}")
    larger = (b for b in range(batch + 1, samples + 1) if 1 not in parts(samples % b, -(-b // micro_batches)))
    warnings.warn(
        f"{samples:,} training samples in batches of {batch}{cut} leave one sample alone at the end of each epoch, of "
        "which batch normalization makes β, whatever the sample is (the running averages leave it out). "
        f"batch_size={next(larger)} leaves none alone.",
        ChainruleWarning,
        stacklevel=2,
    )


def parts(samples: int, size: int) -> list[int]:
    """Return how many samples are in each part of a batch: ``size``, and what is left.

    >>> from chainrule.recipe.prepared_run import parts
    >>> parts(7, 3)
    [3, 3, 1]
    """
    return [min(size, samples - i) for i in range(0, samples, size)]


def _labels(y: Any, task: str) -> str:
    """Return what targets are: a task, as their values say it where the output layer takes them for numbers."""
    values = np.asarray(y)
    if task != "regression" or values.dtype.kind not in "biu" or not ((values == 0) | (values == 1)).all():
        return task
    return "binary" if values.ndim == 1 or values.shape[1] == 1 else "multilabel"


def _stopping(early_stopping: Any, task: str, validated: bool) -> EarlyStopping | None:
    """Return the early stopping asked for, if what it watches is measured."""
    stopping = EarlyStopping() if early_stopping is True else early_stopping or None
    if stopping is None:
        return None
    if not isinstance(stopping, EarlyStopping):
        raise SettingError(f"early_stopping is True or cr.EarlyStopping(patience=5), got {early_stopping!r}.")
    if stopping.monitor.startswith("val_") and not validated:
        raise SettingError(
            f"EarlyStopping watches {stopping.monitor!r}, but there is no validation data: give "
            'validation=0.2 (a fraction) or validation=(x, y), or EarlyStopping(monitor="loss").'
        )
    measured = metrics.columns_of(task, ["val_", ""])
    if stopping.monitor not in measured:
        raise SettingError(
            f"EarlyStopping watches {stopping.monitor!r}, which is not measured for {task}: "
            f"watch 'val_loss' or {measured[0]!r}."
        )
    return stopping


def _check_steps(rows: int, settings: TrainingSettings) -> None:
    """Check whether the steps of a run can be counted."""
    if int(settings.epochs) * -(-rows // int(settings.batch_size)) > MOST_STEPS:
        raise SettingError(
            f"fit: epochs={settings.epochs} would be more than {MOST_STEPS:,} steps, and they are counted up to there."
        )
