"""``chainrule predict``: what a trained network says about data, as CSV or Parquet."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from chainrule.cli.messages import print_message
from chainrule.cli.tell import Printer
from chainrule.display.lines import printable
from chainrule.errors import FileError
from chainrule.experiments.data import path_of
from chainrule.experiments.find import files_of_run, find_model
from chainrule.experiments.prediction import Predictor, blocks_to_predict
from chainrule.experiments.usage import Situation, check_used
from chainrule.files import atomic_open, check_not_read


def predict(
    run: str, data: str, *, out: Path | None, probabilities: bool, data_dir: Path | None, **csv_options: str | None
) -> None:
    """Write index, prediction and, if wanted, what the network gave for each class."""
    trained, listener = find_model(run), Printer()
    situation = Situation(data, task=trained.model.target.task)
    check_used(situation, {"data_dir": data_dir, "predict.probabilities": probabilities, **csv_options})
    if out is not None:
        check_not_read(out, path_of(data), *files_of_run(run))
    if out is not None and out.suffix.lower() not in (".csv", ".parquet", ".txt", ""):
        raise FileError(f"Predictions are written as .csv or .parquet, not as {out.suffix!r}: --out predictions.csv")
    predictor = Predictor(trained.model, probabilities)
    blocks = map(predictor, blocks_to_predict(trained, data, data_dir, listener=listener, **csv_options))
    if out is not None and out.suffix.lower() == ".parquet":
        rows = write_parquet(out, blocks)
    elif out is not None:
        with atomic_open(out) as file:
            rows = write_csv(file, blocks)
    else:
        rows = write_csv(sys.stdout, blocks, printable if sys.stdout.isatty() else str)
    predictor.warn(listener)
    if out is not None:
        print_message(f"{rows:,} predictions are written to {out}")


def write_csv(file: Any, blocks: Iterable[dict[str, Any]], escape: Callable[[str], str] = str) -> int:
    """Write a table with a header; numbers in as many digits as they have. Returns the number of rows.

    ``escape`` changes the text of the file: a terminal is not to obey what a label says.
    """
    rows = 0
    for columns in blocks:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not rows:
            writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        file.write(escape(text.getvalue()))
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
        whole = stack.enter_context(atomic_open(path, binary=True))
        writer = None
        for columns in blocks:
            table = pa.table({name: pa.array(values) for name, values in columns.items()})
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(whole, table.schema))
            writer.write_table(table)
            rows += len(table)
    return rows
