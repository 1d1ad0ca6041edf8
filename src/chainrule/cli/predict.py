"""``chainrule predict``: what a trained network says about data, as CSV."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.cli.data import features_to_predict
from chainrule.cli.messages import say
from chainrule.cli.models import find_model
from chainrule.files import write_atomic
from chainrule.models import Model


def predict(run: str, data: str, *, out: Path | None, probabilities: bool, data_dir: Path | None) -> None:
    """Write index, prediction and, if wanted, what the network gave for each class."""
    found = find_model(run)
    rows, x, text = features_to_predict(data, data_dir, found.settings)
    say(f"{data}: predicting {len(x):,} rows, {text}")
    content = as_csv(found.model, rows, x, probabilities)
    if out is None:
        sys.stdout.write(content)
    else:
        write_atomic(out, content)
        say(f"Written to {out}")


def as_csv(model: Model, rows: np.ndarray, x: np.ndarray, probabilities: bool) -> str:
    """The predictions as a table with a header; numbers in as many digits as they have."""
    outputs = model.predict_proba(x)
    predicted = model.labels(outputs)
    columns: dict[str, Any] = {"index": rows}
    if predicted.ndim > 1:
        columns |= {f"prediction_{i}": column for i, column in enumerate(predicted.T)}
    else:
        columns["prediction"] = predicted
    if probabilities and model.target.task != "regression":
        classes = model.target.classes or range(outputs.shape[-1])
        if model.target.task == "binary":  # one output, the probability of the second class
            outputs = np.concatenate([1 - outputs, outputs], axis=1)
        columns |= {f"probability_{c}": column for c, column in zip(classes, outputs.T, strict=True)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
