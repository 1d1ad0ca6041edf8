"""The data of a run: read by its name or path, or taken as it is given; and its rows for training and for the test."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset, load, stratified_split
from chainrule.data.sources import NAMES
from chainrule.errors import DataError, SettingError
from chainrule.experiments.presets import LARGE_TABLE, normalize_name, validation_fraction
from chainrule.experiments.settings import ExperimentSettings
from chainrule.files import as_path
from chainrule.tables.prepared import PreparedTable
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.read import as_frame, has_named_columns, is_table, table_columns
from chainrule.tables.table import Table
from chainrule.training.fingerprint import fingerprint

#: The random stream of the test part, apart from those of `fit`.
TEST = 2**32 - 4

#: The fraction of a table's rows for the test.
TABLE_TEST = 0.2


@dataclass(frozen=True)
class Part:
    """Some rows of a data set: their numbers in it, features, labels as they were read, and what they are."""

    rows: np.ndarray
    x: Any
    y: np.ndarray
    text: str

    def of(self, data: Dataset) -> Dataset:
        """Return these rows of the training part of a data set, to train on; its notes are told of the whole."""
        x = _rows_of(data.x, self.rows)
        return dataclasses.replace(data, x=x, y=data.y[self.rows], x_test=None, y_test=None, notes=())


def path_of(data: str | None) -> Path | None:
    """Return the file or folder that data is read from; None for data that comes by its name alone."""
    return None if data is None or normalize_name(data) in NAMES else as_path(data)


def read_data(settings: ExperimentSettings) -> Dataset | Table:
    """Read the data that settings name; ``mnist`` and ``fashion_mnist`` are fetched if no place here has them."""
    if settings.data is None:
        raise SettingError('Which data? Name it: chainrule train digits (or in the config file: data = "digits").')
    if is_table(settings.data):
        return read_named_table(settings)
    return load(settings.data, settings.data_dir, download=True, image_size=settings.image_size)


def read_named_table(settings: ExperimentSettings) -> Table:
    """Read the table that settings name."""
    assert settings.data is not None
    csv = csv_options(settings.data, settings)
    if settings.target is None:
        raise _no_target(settings.data, table_columns(settings.data, **csv))
    kwargs: dict[str, Any] = {"task": settings.task, "missing": settings.missing} | csv
    return _scaled_as_asked(Table.read(settings.data, settings.target, columns=settings.columns, **kwargs), settings)


def as_data(data: Any, settings: ExperimentSettings) -> Dataset | Table:
    """Return data from memory: a `Dataset` or `Table` as it is, arrays and data frames as one of these."""
    if isinstance(data, Table):
        return _scaled_as_asked(data, settings)
    if isinstance(data, Dataset):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        x, y = data
        if not has_named_columns(x):
            return Dataset.from_arrays("data", x, y)
        target = settings.target or str(getattr(y, "name", None) or "target")
        data, settings = as_frame(x).assign(**{target: np.asarray(y)}), dataclasses.replace(settings, target=target)
    if has_named_columns(data):
        if settings.target is None:
            raise _no_target("the table", [str(name) for name in getattr(data, "column_names", data.columns)])
        kwargs: dict[str, Any] = {"task": settings.task, "missing": settings.missing, "name": "table"}
        return _scaled_as_asked(Table.read(data, settings.target, columns=settings.columns, **kwargs), settings)
    raise DataError(
        f"Expected data by a name or path, (x, y), a Dataset, a Table or a data frame; got {type(data).__name__}. What "
        "is larger than memory (a stream) is trained on by cr.fit."
    )


def _scaled_as_asked(table: Table, settings: ExperimentSettings) -> Table:
    """Return a table whose numbers stay as they are where settings say so."""
    return table.unscaled(settings.group, settings.split) if settings.normalize is False else table


def _no_target(data: str, names: Sequence[str]) -> SettingError:
    return SettingError(
        f"Which column of {data} is to be predicted? Name it: --target {names[-1]!r}, or another of "
        f"{', '.join(map(repr, names[:20]))}{', …' if len(names) > 20 else ''}."
    )


def prepare_table(table: Table, settings: ExperimentSettings, preparation: Preprocessor | None = None) -> PreparedTable:
    """Split and prepare a table as settings say."""
    test = TABLE_TEST if settings.test is None else settings.test
    rows = len(table) if table.in_memory else 2 * LARGE_TABLE
    validation = validation_fraction(settings, round(rows * (1 - test)), tested=test > 0)
    components = settings.components
    return table.prepare(
        validation=validation * (1 - test),
        test=test,
        group=settings.group,
        time=settings.time,
        split=settings.split,
        components=int(components) if components is not None and float(components).is_integer() else components,
        preparation=preparation,
        key=random.fold_in(random.key(settings.seed), TEST),
    )


def train_and_test(data: Dataset, settings: ExperimentSettings) -> tuple[Part, Part | None]:
    """Return the training rows (with those for validation), and those for the test: the data's own, or held out."""
    everything = whole_part(data)
    if data.x_test is not None:
        return everything, own_test_part(data)
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


def whole_part(data: Dataset) -> Part:
    """Return all rows but those of the parts that the data came with."""
    return _part(data, np.arange(len(data.x)), "all of them")


def own_test_part(data: Dataset) -> Part:
    """Return the test part that the data came with."""
    assert data.test is not None
    x, y = data.test
    text = f"the test part of {data.name}" if data.preparation is None else "held out before anything was learnt"
    return Part(np.arange(len(x)), x, y, text)


def csv_options(
    data: str, settings: ExperimentSettings | None, encoding: str | None = None, separator: str | None = None
) -> dict[str, Any]:
    """Return how a table's text is written: as it was said, or else as it was when a run was trained on the same
    file.
    """
    same = settings is not None and settings.data is not None and place_of(settings.data) == place_of(data)
    known = {"encoding": settings.encoding, "separator": settings.separator} if same and settings is not None else {}
    return known | {k: v for k, v in (("encoding", encoding), ("separator", separator)) if v is not None}


def place_of(data: str | os.PathLike[str]) -> str:
    """Return where data is, whatever the folder that a command is typed in: its absolute path, or its name."""
    path = path_of(str(data))
    return normalize_name(str(data)) if path is None else str(path.resolve())


def fingerprint_of(part: Part, data: str | None) -> dict[str, str]:
    """Return what the rows of training are known by: where they come from, and their content."""
    return ({} if data is None else {"place": place_of(data)}) | fingerprint(x=part.x, y=part.y)


def _part(data: Dataset, rows: np.ndarray, text: str) -> Part:
    return Part(rows, data.inputs(_rows_of(data.x, rows)), data.labels(data.y[rows]), text)


def _rows_of(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows of x, in rising order; all of them are x itself, which may be larger than memory."""
    return x if len(rows) == len(x) else x[rows]
