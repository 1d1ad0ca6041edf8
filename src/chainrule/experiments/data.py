"""Which rows of the data a command works on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import random
from chainrule.cli.messages import say, show_log
from chainrule.data import Dataset, load, read_image_folder, stratified_split
from chainrule.data.sources import NAMES, is_image_data
from chainrule.errors import ChainruleError, DataError, SettingError
from chainrule.experiments.presets import LARGE_TABLE, TrainSettings, normalize_name, share_for_validation
from chainrule.files import as_path
from chainrule.models import Model
from chainrule.tables.inspection import inspect_table
from chainrule.tables.numbers import numbers
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.read import read_table, table_columns
from chainrule.tables.selection import columns_by_name
from chainrule.tables.table import Table
from chainrule.tables.target import TargetColumn, as_array, has_target, target_column
from chainrule.training.fingerprint import fingerprint

if TYPE_CHECKING:
    from chainrule.experiments.find import TrainedModel

#: The random stream of the test part, apart from those of `fit`.
TEST = 2**32 - 4

#: The share of a table's rows for the test.
TABLE_TEST = 0.2


@dataclass(frozen=True)
class Part:
    """Some rows of a data set: their numbers in it, features, labels as they were given, and how to call them."""

    rows: np.ndarray
    x: Any
    y: np.ndarray
    text: str

    def of(self, data: Dataset) -> Dataset:
        """Return these rows of the training part of a data set, to train on; its notes are printed before
        (`say_table`).
        """
        x = _some(data.x, self.rows)
        return dataclasses.replace(data, x=x, y=data.y[self.rows], x_test=None, y_test=None, notes=())


def path_of(data: str | None) -> Path | None:
    """Return the file or folder that data is read from; None for data that comes by its name alone."""
    return None if data is None or normalize_name(data) in NAMES else as_path(data)


def load_data(
    name: str,
    data_dir: str | Path | None,
    *,
    image_size: Sequence[int] | None = None,
    model: Model | None = None,
) -> Dataset:
    """Return the data of a name or path; ``mnist`` and ``fashion_mnist`` are fetched if they are nowhere on this
    machine.

    Pictures have the size that is given, or that a trained model takes, and then also its channels and classes.
    """
    show_log()
    if model is not None and is_image_data(name):
        height, width, channels = picture_shape(model, name)
        if model.target.classes is None:
            raise DataError(f"{name} has pictures by class, and the network predicts no classes.")
        return read_image_folder(name, (height, width), channels=channels, classes=model.target.classes)
    return load(name, data_dir, download=True, image_size=image_size)


def picture_shape(model: Model, name: str) -> tuple[int, int, int]:
    """Height, width and channels of the pictures that a model takes."""
    if model.preparation is not None or len(model.input_shape) != 3:
        takes = f"samples of shape {model.input_shape}" if model.preparation is None else "the columns of a table"
        raise DataError(f"{name} is a folder of pictures, and the network takes {takes}.")
    height, width, channels = model.input_shape
    return height, width, channels


def read_named_table(settings: TrainSettings) -> Table:
    """Return the table that settings name."""
    assert settings.data is not None
    if settings.target is None:
        names = table_columns(settings.data, **spelling(settings.data, settings))
        raise SettingError(
            f"Which column of {settings.data} is to be predicted? Name it: --target {names[-1]!r}, or another of "
            f"{', '.join(map(repr, names[:20]))}{', …' if len(names) > 20 else ''}."
        )
    words: dict[str, Any] = {"task": settings.task, "missing": settings.missing}
    words |= spelling(settings.data, settings)
    table = Table.read(settings.data, settings.target, columns=settings.columns, **words)
    return table if settings.normalize is not False else table.unscaled(settings.group, settings.split)


def training_table(settings: TrainSettings, preparation: Any = None) -> PreparedTable:
    """Return the table that settings name, split and prepared as they say."""
    table = read_named_table(settings)
    test = TABLE_TEST if settings.test is None else settings.test
    rows = len(table) if table.in_memory else 2 * LARGE_TABLE
    share = share_for_validation(settings, round(rows * (1 - test)), tested=test > 0)
    components = settings.components
    return table.prepare(
        validation=share * (1 - test),
        test=test,
        group=settings.group,
        time=settings.time,
        split=settings.split,
        components=int(components) if components is not None and float(components).is_integer() else components,
        preparation=preparation,
        key=random.fold_in(random.key(settings.seed), TEST),
    )


def train_and_test(data: Dataset, settings: TrainSettings) -> tuple[Part, Part | None]:
    """Return the training rows (with those for validation), and those for the test: the data's own, or held out."""
    everything = whole_part(data)
    if data.x_test is not None:
        return everything, own_test(data)
    if not settings.test or isinstance(data.x, np.memmap):  # a table of which no row is named for the test
        return everything, None
    rows, test = stratified_split(
        data.y,
        settings.test,
        random.fold_in(random.key(settings.seed), TEST),
        stratify=data.task == "classification" and data.y.ndim == 1,
    )
    held_out = f"held out at random (seed {settings.seed}): {data.name} has no test part of its own"
    return _part(data, rows, "the rest"), _part(data, test, held_out)


def spelling(
    given: str, settings: TrainSettings | None, encoding: str | None = None, separator: str | None = None
) -> dict[str, Any]:
    """Return how a table's text is spelt: as it was said, or else as it was when a run was trained on the same file."""
    same = settings is not None and settings.data is not None and place_of(settings.data) == place_of(given)
    known = {"encoding": settings.encoding, "separator": settings.separator} if same and settings is not None else {}
    return known | {k: v for k, v in (("encoding", encoding), ("separator", separator)) if v is not None}


def judged_table(
    path: str,
    trained: TrainedModel,
    target: str | None,
    encoding: str | None = None,
    separator: str | None = None,
) -> tuple[Part, Any]:
    """Return the rows of a table to judge a trained network on, and their columns as they were read."""
    model, known = trained.model, trained.settings
    words = spelling(path, known, encoding, separator)
    settings = dataclasses.replace(known or TrainSettings(), data=path, **words)
    if trained.data.get("place") == place_of(path) and target in (None, settings.target):
        held_out = rows_held_out(trained, settings)
        if held_out is not None:
            return held_out
    target = target or settings.target
    if target is None:
        raise SettingError(f"Which column of {path} holds the target? Name it: --target NAME.")
    frame = read_table(path, **words)
    name = target_column(frame.columns, target)
    column = model.preparation.target if model.preparation is not None else None
    column = column or TargetColumn.of_classes(target, model.target.classes)
    y = column.read(frame[name])
    column.check(y)
    if model.preparation is not None:
        for note in inspect_table(model.preparation, frame.drop(columns=name)).notes():
            say(f"{path}: {note}")
    if note := column.reading(frame[name]).note:
        say(f"{path}: {name}: {note}.")
    rows = np.flatnonzero(has_target(y))
    text = "all of them" if len(rows) == len(y) else f"without {len(y) - len(rows):,} that have no {target}"
    frame = frame.iloc[rows]
    x = frame if model.preparation is not None else numbers_in(frame.drop(columns=column.name or target), model)
    return Part(rows, x, as_array(y[rows].tolist()), text + unlike_training(trained, path)), frame


def numbers_in(frame: Any, model: Model) -> np.ndarray:
    """Return the columns of a table for a network of numbers: those that it knows by name, or all in their order."""
    names = model.inputs.names
    frame = frame if names is None else columns_by_name(frame, names)
    if model.input_shape != (len(frame.columns),):
        raise DataError(
            f"The network takes samples of shape {model.input_shape}, and the table has {len(frame.columns)} columns "
            "of inputs."
        )
    return np.stack([numbers(frame.iloc[:, j]) for j in range(len(frame.columns))], axis=1)


def rows_held_out(trained: TrainedModel, settings: TrainSettings) -> tuple[Part, Any] | None:
    """Return the test rows of the table that a network was trained on; None if it has none, or its rows have
    changed.
    """
    assert settings.data is not None
    try:
        table = training_table(settings, trained.model.preparation)
    except ChainruleError:  # rows that cannot be split or read as those were
        return None
    if not len(table.rows.test) or not is_training_data(trained, whole_part(table.data), settings.data):
        return None
    frame = None if table.features is None else table.features.iloc[table.rows.test]
    return dataclasses.replace(own_test(table.data), rows=table.rows.test), frame


def judged(data: Dataset, path: str, trained: TrainedModel) -> Part:
    """Return the rows to judge a trained network on: those it has not seen, as far as they are known."""
    data = in_unit_of(trained.model, data)
    if data.x_test is not None:
        return own_test(data)
    if trained.settings is not None and trained.data.get("place") == place_of(path):
        with contextlib.suppress(ChainruleError):  # other rows, which cannot be split as those were
            training, test = train_and_test(data, trained.settings)
            if is_training_data(trained, training, path):
                return test or dataclasses.replace(training, text="all of them; the network was trained on these")
    everything = whole_part(data)
    return dataclasses.replace(everything, text=everything.text + unlike_training(trained, path))


def in_unit_of(model: Model, data: Dataset) -> Dataset:
    """Return images of bytes as the bytes they were, for a model that was trained on such without dividing them."""
    limits = model.inputs.limits
    if data.byte_scale == 1 or model.inputs.byte_scale != 1 or limits is None:
        return data
    x, x_test = (None if part is None else np.rint(part * data.byte_scale) for part in (data.x, data.x_test))
    assert x is not None
    return dataclasses.replace(data, x=x, x_test=x_test, byte_scale=1)


def place_of(data: str) -> str:
    """Return where data is, whatever the folder that a command is typed in: its absolute path, or its name."""
    path = path_of(data)
    return normalize_name(data) if path is None else str(path.resolve())


def fingerprint_of(part: Part, data: str | None) -> dict[str, str]:
    """Return what the rows of training are known by: where they come from, and their content."""
    return ({} if data is None else {"place": place_of(data)}) | fingerprint(x=part.x, y=part.y)


def is_training_data(trained: TrainedModel, training: Part, data: str) -> bool:
    """Return whether these are the very rows that a network was trained on: of the same place, value for value."""
    return bool(trained.data) and dict(trained.data) == fingerprint_of(training, data)


def unlike_training(trained: TrainedModel, data: str) -> str:
    """Return what is to be said of rows that come from where those of training came from, and are others."""
    if trained.data.get("place") != place_of(data):
        return ""
    return (
        "; they have changed since the training, so which of them it was trained on is not known, and none counts as "
        "held out"
    )


def whole_part(data: Dataset) -> Part:
    """Return all rows but those of the parts that the data came with."""
    return _part(data, np.arange(len(data.x)), "all of them")


def own_test(data: Dataset) -> Part:
    """Return the test part that the data came with."""
    assert data.test is not None
    x, y = data.test
    text = f"the test part of {data.name}" if data.preparation is None else "held out before anything was learnt"
    return Part(np.arange(len(x)), x, y, text)


def _part(data: Dataset, rows: np.ndarray, text: str) -> Part:
    return Part(rows, data.inputs(_some(data.x, rows)), data.labels(data.y[rows]), text)


def _some(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows of x, in rising order; all of them are x itself, which may be larger than memory."""
    return x if len(rows) == len(x) else x[rows]
