"""``chainrule predict``: what a trained network says about data, as CSV or Parquet."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.cli.messages import say, show_log
from chainrule.data import PreparedInputs
from chainrule.data.images import find_images, read_images
from chainrule.data.limits import Outside
from chainrule.data.npz import read_npz_features
from chainrule.data.sources import is_image_data
from chainrule.display.lines import printable
from chainrule.errors import DataError, FileError
from chainrule.experiments.data import judged, load_data, numbers_in, path_of, picture_shape, spelling
from chainrule.experiments.find import TrainedModel, files_of_run, find_model
from chainrule.experiments.usage import Situation, check_used
from chainrule.files import as_path, as_text, check_not_read, writing
from chainrule.models import Model
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


def predict(
    run: str, data: str, *, out: Path | None, probabilities: bool, data_dir: Path | None, **given: str | None
) -> None:
    """Write index, prediction and, if wanted, what the network gave for each class."""
    trained = find_model(run)
    situation = Situation(data, task=trained.model.target.task)
    check_used(situation, {"data_dir": data_dir, "predict.probabilities": probabilities, **given})
    if out is not None:
        check_not_read(out, path_of(data), *files_of_run(run))
    if out is not None and out.suffix.lower() not in (".csv", ".parquet", ".txt", ""):
        raise FileError(f"Predictions are written as .csv or .parquet, not as {out.suffix!r}: --out predictions.csv")
    predictions = Predictions(trained.model, probabilities)
    blocks = map(predictions, blocks_to_predict(trained, data, data_dir, **given))
    if out is not None and out.suffix.lower() == ".parquet":
        rows = write_parquet(out, blocks)
    elif out is not None:
        with writing(out) as file:
            rows = write_csv(file, blocks)
    else:
        rows = write_csv(sys.stdout, blocks, printable if sys.stdout.isatty() else str)
    predictions.say_outside()
    if out is not None:
        say(f"{rows:,} predictions are written to {out}")


def blocks_to_predict(found: TrainedModel, data: str, data_dir: Path | None, **given: str | None) -> Iterator[Block]:
    """The rows to predict, those of a table a stretch at a time; targets are not needed, except for named data."""
    model = found.model
    if is_table(data):
        yield from _of_table(model, data, spelling(data, found.settings, **given))
        return
    if model.preparation is not None:
        raise DataError(
            f"The network was trained on a table with the columns {', '.join(model.preparation.inputs[:10])}; "
            f"expected a .csv, .tsv or .parquet file with these, got {data}."
        )
    if Path(data).suffix.lower() == ".npz":
        x, name = read_npz_features(data)
        say(f"{data}: predicting {len(x):,} rows, its array {name!r}")
        yield Block(np.arange(len(x)), None, x)
    elif is_image_data(data):
        yield from _of_pictures(data, picture_shape(model, data))
    else:
        part = judged(load_data(data, data_dir), data, found)
        say(f"{data}: predicting {len(part.x):,} rows, {part.text}")
        yield Block(part.rows, None, part.x)


def _of_pictures(data: str, shape: tuple[int, int, int]) -> Iterator[Block]:
    show_log()
    folder = as_path(data)
    paths = find_images(folder)
    say(f"{data}: predicting {len(paths):,} pictures")
    rows = max(1, PICTURE_VALUES // math.prod(shape))
    for start in range(0, len(paths), rows):
        some = paths[start : start + rows]
        names = [as_text(path.relative_to(folder)) for path in some]
        yield Block(np.arange(start, start + len(some)), names, read_images(some, shape))


def _of_table(model: Model, data: str, words: dict[str, Any]) -> Iterator[Block]:
    """The rows of a table in blocks, which are read alike: how the table is written is told of the whole of it."""
    if model.preparation is None:
        done = 0
        for frame in read_chunks(data, ROWS, **words):
            yield Block(np.arange(done, done + len(frame)), None, numbers_in(frame, model))
            done += len(frame)
        return
    reading = TableInspection(model.preparation)
    frames: list[Any] = []
    for frame in read_chunks(data, ROWS, **words):
        reading.add(frame)
        frames = [*frames, frame] if reading.rows <= ROWS else []  # a table of one block is not read twice
    for note in reading.notes():
        say(f"{data}: {note}")
    reading.check()
    done, columns = 0, reading.columns
    lenient = dataclasses.replace(model.preparation, lenient=model.preparation.inputs)  # the whole is checked
    for frame in frames or read_chunks(data, ROWS, **words):
        x = PreparedInputs(lenient(frame, columns), model.preparation)
        yield Block(np.arange(done, done + len(frame)), None, x, frame)
        done += len(frame)


class Predictions:
    """Predicts blocks of rows, and adds up what is unusual about their inputs: what is told is about all of them."""

    def __init__(self, model: Model, probabilities: bool) -> None:
        self.model, self.probabilities = model, probabilities
        self.outside: Outside | None = None

    def __call__(self, block: Block) -> dict[str, Any]:
        """Return the predictions for a block as columns with names."""
        x = self.model.inputs.admit(block.x)
        outside = self.model.inputs.outside(x)
        if outside is not None:
            self.outside = outside if self.outside is None else self.outside + outside
        return columns_of(
            self.model, block, self.model.outputs(self.model.inputs.finish(x, self.model.precision)), self.probabilities
        )

    def say_outside(self) -> None:
        """Tell which inputs were far outside of the range of the training data."""
        if self.outside:
            say(f"warning: {self.outside.sentence(self.model.inputs.feature_names)}")


def columns_of(model: Model, block: Block, outputs: np.ndarray, probabilities: bool) -> dict[str, Any]:
    """Return the predictions as columns with names."""
    predicted = model.labels(outputs)
    columns: dict[str, Any] = {"index": block.index} | ({} if block.names is None else {"file": block.names})
    if predicted.ndim > 1:
        columns |= {f"prediction_{i}": column for i, column in enumerate(predicted.T)}
    else:
        columns["prediction"] = predicted
    if probabilities and model.target.task != "regression":
        classes = model.target.classes or range(outputs.shape[-1])
        if model.target.task == "binary":  # one output, the probability of the second class
            outputs = np.concatenate([1 - outputs, outputs], axis=1)
        columns |= {f"probability_{c}": column for c, column in zip(classes, outputs.T, strict=True)}
    return columns


def write_csv(file: Any, blocks: Iterable[dict[str, Any]], shown: Callable[[str], str] = str) -> int:
    """Write a table with a header; numbers in as many digits as they have. Returns the number of rows.

    ``shown`` makes text of the file's text: a terminal is not to obey what a label says.
    """
    rows = 0
    for columns in blocks:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not rows:
            writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        file.write(shown(text.getvalue()))
        rows += len(columns["index"])
    return rows


def write_parquet(path: Path, blocks: Iterable[dict[str, Any]]) -> int:
    """Write a Parquet file, a row group for each block. Returns the number of rows."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise FileError("Parquet files need pyarrow: pip install 'chainrule[all]', or write a .csv file.") from None
    rows = 0
    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(writing(path, binary=True))
        writer = None
        for columns in blocks:
            table = pa.table({name: pa.array(values) for name, values in columns.items()})
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(whole, table.schema))
            writer.write_table(table)
            rows += len(table)
    return rows
