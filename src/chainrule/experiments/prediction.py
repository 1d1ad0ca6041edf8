"""What a trained network says about data, some rows at a time."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.data import Dataset, PreparedInputs
from chainrule.data.images import find_images, read_images
from chainrule.data.limits import Outside
from chainrule.data.npz import read_npz_features
from chainrule.data.sources import is_image_data
from chainrule.errors import DataError
from chainrule.experiments.data import csv_options
from chainrule.experiments.find import TrainedModel
from chainrule.experiments.held_out import inputs_of, load_for, of_dataset, picture_shape
from chainrule.experiments.listener import Listener
from chainrule.files import as_path, as_text
from chainrule.models import Model
from chainrule.models.inputs import frame_of
from chainrule.tables.inspection import TableInspection
from chainrule.tables.read import is_table, read_chunks

#: Rows of a table that are read, predicted and written at once.
ROWS = 50_000

#: Values of pictures that are read, predicted and written at once: 64 MB.
PICTURE_VALUES = 1 << 24


class Block(NamedTuple):
    """Some rows to predict: their numbers, what they are called (a picture's file), their inputs, and their cells."""

    index: Any
    names: list[str] | None
    x: Any
    frame: Any = None


def blocks_to_predict(
    trained: TrainedModel,
    data: Any,
    data_dir: str | Path | None = None,
    *,
    listener: Listener,
    **csv: str | None,
) -> Iterator[Block]:
    """Yield the rows to predict, those of a table a stretch at a time; targets are not needed, except for named data.

    ``data`` is a name or path, or the inputs themselves: an array, a data frame, a `Dataset`.
    """
    model = trained.model
    if isinstance(data, Dataset):
        part = of_dataset(trained, data)
        yield Block(part.rows, None, part.x)
    elif not isinstance(data, str | os.PathLike):
        frame = frame_of(data)
        x = data if frame is None else frame if model.preparation is not None else inputs_of(frame, model)
        yield Block(np.arange(len(x)), None, x, frame)
    else:
        yield from _of_path(trained, os.fspath(data), data_dir, listener, **csv)


def _of_path(
    trained: TrainedModel, data: str, data_dir: str | Path | None, listener: Listener, **csv: str | None
) -> Iterator[Block]:
    model = trained.model
    if is_table(data):
        yield from _of_table(model, data, csv_options(data, trained.settings, **csv), listener)
        return
    if model.preparation is not None:
        raise DataError(
            f"The network was trained on a table with the columns {', '.join(model.preparation.inputs[:10])}; "
            f"expected a .csv, .tsv or .parquet file with these, got {data}."
        )
    if Path(data).suffix.lower() == ".npz":
        x, name = read_npz_features(data)
        listener.on_message(f"{data}: predicting {len(x):,} rows, its array {name!r}")
        yield Block(np.arange(len(x)), None, x)
    elif is_image_data(data):
        yield from _of_pictures(data, picture_shape(model, data), listener)
    else:
        part = of_dataset(trained, load_for(model, data, data_dir), data)
        listener.on_message(f"{data}: predicting {len(part.x):,} rows, {part.text}")
        yield Block(part.rows, None, part.x)


def _of_pictures(data: str, shape: tuple[int, int, int], listener: Listener) -> Iterator[Block]:
    folder = as_path(data)
    paths = find_images(folder)
    listener.on_message(f"{data}: predicting {len(paths):,} pictures")
    rows = max(1, PICTURE_VALUES // math.prod(shape))
    for start in range(0, len(paths), rows):
        some = paths[start : start + rows]
        names = [as_text(path.relative_to(folder)) for path in some]
        yield Block(np.arange(start, start + len(some)), names, read_images(some, shape))


def _of_table(model: Model, data: str, options: dict[str, Any], listener: Listener) -> Iterator[Block]:
    """Yield the rows of a table in blocks, which are read alike: how the table is written is told of the whole of
    it.
    """
    if model.preparation is None:
        done = 0
        for frame in read_chunks(data, ROWS, **options):
            yield Block(np.arange(done, done + len(frame)), None, inputs_of(frame, model))
            done += len(frame)
        return
    reading = TableInspection(model.preparation)
    frames: list[Any] = []
    for frame in read_chunks(data, ROWS, **options):
        reading.add(frame)
        frames = [*frames, frame] if reading.rows <= ROWS else []  # a table of one block is not read twice
    for note in reading.notes():
        listener.on_message(f"{data}: {note}")
    reading.check()
    done, columns = 0, reading.columns
    lenient = dataclasses.replace(model.preparation, lenient=model.preparation.inputs)  # the whole is checked
    for frame in frames or read_chunks(data, ROWS, **options):
        x = PreparedInputs(lenient(frame, columns), model.preparation)
        yield Block(np.arange(done, done + len(frame)), None, x, frame)
        done += len(frame)


class Predictor:
    """Predicts blocks of rows, and adds up what is unusual about their inputs: what is told is about all of them."""

    def __init__(self, model: Model, probabilities: bool) -> None:
        self.model, self.probabilities = model, probabilities
        self.outside: Outside | None = None

    def __call__(self, block: Block) -> dict[str, Any]:
        """Return the predictions for a block as columns with names."""
        model = self.model
        x = model.inputs.admit(block.x)
        outside = model.inputs.outside(x)
        if outside is not None:
            self.outside = outside if self.outside is None else self.outside + outside
        return self._columns(block, model.outputs(model.inputs.finish(x, model.precision)))

    def warn(self, listener: Listener) -> None:
        """Tell which inputs were far outside of the range of the training data."""
        if self.outside:
            listener.on_warning(self.outside.sentence(self.model.inputs.feature_names))

    def _columns(self, block: Block, outputs: np.ndarray) -> dict[str, Any]:
        """Return the predictions as columns with names."""
        model = self.model
        predicted = model.labels(outputs)
        columns: dict[str, Any] = {"index": block.index} | ({} if block.names is None else {"file": block.names})
        if predicted.ndim > 1:
            columns |= {f"prediction_{i}": column for i, column in enumerate(predicted.T)}
        else:
            columns["prediction"] = predicted
        if self.probabilities and model.target.task != "regression":
            classes = model.target.classes or range(outputs.shape[-1])
            if model.target.task == "binary":  # one output, the probability of the second class
                outputs = np.concatenate([1 - outputs, outputs], axis=1)
            columns |= {f"probability_{c}": column for c, column in zip(classes, outputs.T, strict=True)}
        return columns
