"""The rows that a trained network is evaluated on: those that it has not seen, as far as they are known."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Dataset, load, read_image_folder
from chainrule.data.sources import is_image_data
from chainrule.errors import ChainruleError, DataError, SettingError
from chainrule.experiments.data import (
    Part,
    csv_options,
    fingerprint_of,
    own_test_part,
    place_of,
    prepare_table,
    read_named_table,
    train_and_test,
    whole_part,
)
from chainrule.experiments.find import TrainedModel
from chainrule.experiments.listener import Listener
from chainrule.experiments.settings import ExperimentSettings
from chainrule.models import Model
from chainrule.models.predictions import target_of
from chainrule.tables.inspection import inspect_table
from chainrule.tables.numbers import numbers
from chainrule.tables.read import has_named_columns, is_table, read_table
from chainrule.tables.selection import columns_by_name
from chainrule.tables.target import as_array, has_target, target_column


def rows_to_evaluate(
    trained: TrainedModel,
    data: Any,
    *,
    target: str | None,
    listener: Listener,
    data_dir: str | Path | None = None,
    **csv: str | None,
) -> Part:
    """Return the rows to evaluate a trained network on, of data by its name or path or from memory."""
    if isinstance(data, tuple) and len(data) == 2:
        x, y = data
        return Part(np.arange(len(x)), x, np.asarray(y), "all of them")
    if has_named_columns(data) or (isinstance(data, str) and is_table(data)):
        return _of_table(trained, data, target, listener, **csv)
    if isinstance(data, Dataset):
        return of_dataset(trained, data)
    return of_dataset(trained, load_for(trained.model, data, data_dir), data)


def load_for(model: Model, name: str, data_dir: str | Path | None) -> Dataset:
    """Return the data of a name or path; pictures in the size, channels and classes that a trained model takes."""
    if is_image_data(name):
        height, width, channels = picture_shape(model, name)
        if model.target.classes is None:
            raise DataError(f"{name} has pictures by class, and the network predicts no classes.")
        return read_image_folder(name, (height, width), channels=channels, classes=model.target.classes)
    return load(name, data_dir, download=True)


def _of_table(trained: TrainedModel, data: Any, target: str | None, listener: Listener, **csv: str | None) -> Part:
    """Return rows of a table: those held out of the training if it is the same table, else all that have a target."""
    model, path = trained.model, data if isinstance(data, str) else None
    options = {} if path is None else csv_options(path, trained.settings, **csv)
    settings = dataclasses.replace(trained.settings or ExperimentSettings(), data=path, **options)
    if path is not None and trained.data.get("place") == place_of(path) and target in (None, settings.target):
        part = _rows_held_out(trained, settings)
        if part is not None:
            return part
    name = path or "the table"
    target = target or settings.target
    if target is None:
        raise SettingError(f"Which column of {name} holds the target? Name it: --target NAME.")
    frame = read_table(data, **options)
    column_name = target_column(frame.columns, target)
    column = target_of(model, target)
    y = column.read(frame[column_name])
    column.check(y)
    if model.preparation is not None:
        for note in inspect_table(model.preparation, frame.drop(columns=column_name)).notes():
            listener.on_message(f"{name}: {note}")
    if note := column.reading(frame[column_name]).note:
        listener.on_message(f"{name}: {column_name}: {note}.")
    rows = np.flatnonzero(has_target(y))
    text = "all of them" if len(rows) == len(y) else f"without {len(y) - len(rows):,} that have no {target}"
    frame = frame.iloc[rows]
    x = frame if model.preparation is not None else inputs_of(frame.drop(columns=column.name or target), model)
    return Part(rows, x, as_array(y[rows].tolist()), text + _unlike_training(trained, path))


def inputs_of(frame: Any, model: Model) -> np.ndarray:
    """Return the columns of a table for a network of numbers: those that it knows by name, or all in their order."""
    names = model.inputs.names
    frame = frame if names is None else columns_by_name(frame, names)
    if model.input_shape != (len(frame.columns),):
        raise DataError(
            f"The network takes samples of shape {model.input_shape}, and the table has {len(frame.columns)} columns "
            "of inputs."
        )
    return np.stack([numbers(frame.iloc[:, j]) for j in range(len(frame.columns))], axis=1)


def _rows_held_out(trained: TrainedModel, settings: ExperimentSettings) -> Part | None:
    """Return the test rows of the table that a network was trained on; None if it has none, or its rows have
    changed.
    """
    assert settings.data is not None
    try:
        table = prepare_table(read_named_table(settings), settings, trained.model.preparation)
    except ChainruleError:  # rows that cannot be split or read as those were
        return None
    if not len(table.rows.test) or not _is_training_data(trained, whole_part(table.data), settings.data):
        return None
    return dataclasses.replace(own_test_part(table.data), rows=table.rows.test)


def of_dataset(trained: TrainedModel, data: Dataset, name: str | None = None) -> Part:
    """Return rows of a data set: its test part, or the rows held out of the training if it is the same data, else
    all.
    """
    data = in_unit_of(trained.model, data)
    if data.x_test is not None:
        return own_test_part(data)
    if trained.settings is not None and trained.data.get("place") == (None if name is None else place_of(name)):
        with contextlib.suppress(ChainruleError):  # other rows, which cannot be split as those were
            training, test = train_and_test(data, trained.settings)
            if _is_training_data(trained, training, name):
                return test or dataclasses.replace(training, text="all of them; the network was trained on these")
    everything = whole_part(data)
    return dataclasses.replace(everything, text=everything.text + _unlike_training(trained, name))


def _is_training_data(trained: TrainedModel, training: Part, data: str | None) -> bool:
    """Return whether these are the very rows that a network was trained on: of the same place, value for value."""
    return bool(trained.data) and dict(trained.data) == fingerprint_of(training, data)


def _unlike_training(trained: TrainedModel, data: str | None) -> str:
    """Return what is to be said of rows that come from where those of training came from, and are others."""
    if data is None or trained.data.get("place") != place_of(data):
        return ""
    return (
        "; they have changed since the training, so which of them it was trained on is not known, and none counts as "
        "held out"
    )


def picture_shape(model: Model, name: str) -> tuple[int, int, int]:
    """Return height, width and channels of the pictures that a model takes."""
    if model.preparation is not None or len(model.input_shape) != 3:
        shape = f"samples of shape {model.input_shape}" if model.preparation is None else "the columns of a table"
        raise DataError(f"{name} is a folder of pictures, and the network takes {shape}.")
    height, width, channels = model.input_shape
    return height, width, channels


def in_unit_of(model: Model, data: Dataset) -> Dataset:
    """Return images of bytes as the bytes they were, for a model that was trained on such without dividing them."""
    limits = model.inputs.limits
    if data.byte_scale == 1 or model.inputs.byte_scale != 1 or limits is None:
        return data
    x, x_test = (None if part is None else np.rint(part * data.byte_scale) for part in (data.x, data.x_test))
    assert x is not None
    return dataclasses.replace(data, x=x, x_test=x_test, byte_scale=1)
