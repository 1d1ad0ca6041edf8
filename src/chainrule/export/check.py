"""Whether an ONNX file predicts what the model predicts, by running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import FileError
from chainrule.export.needs import package
from chainrule.files import as_path
from chainrule.models import Model

#: The largest difference that counts as equal: float32 sums added in another order differ by less.
TOLERANCE = 1e-5

#: Random rows to compare where no others are given.
ROWS = 64


@dataclass(frozen=True)
class OnnxCheck:
    """What comparing a file with its model gave.

    Attributes
    ----------
    ok : whether the outputs agree within the tolerance and the labels are those of the outputs
    max_difference : the largest |file - model| / max(1, |model|) of all outputs
    rows : how many rows were compared
    labels_agree : whether the file's labels are what `Model.labels` makes of the file's outputs (True if it has none)
    """

    ok: bool
    max_difference: float
    rows: int
    labels_agree: bool


def check_onnx(model: Model, path: Any, x: Any = None, *, tolerance: float = TOLERANCE) -> OnnxCheck:
    """Run an ONNX file with onnxruntime and compare its outputs with those of the model.

    Parameters
    ----------
    model : the model that the file was made from
    path : the file, or what `to_onnx` returned
    x : samples to compare (a data frame, for a model that was trained on a table); None takes random ones
    tolerance : of |file - model| / max(1, |model|)

    Raises
    ------
    FileError
        The onnxruntime package is missing, or the file is none that it can run.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.export import check_onnx, to_onnx
    >>> model = cr.Model(cr.mlp([4, 3, 2]), input_shape=(4,))
    >>> check_onnx(model, to_onnx(model)).ok
    True
    """
    x = random_rows(model) if x is None else x
    outputs = run_onnx(path, onnx_inputs(model, x))
    expected = model.predict_proba(x)
    predictions = next(iter(outputs.values()))
    worst = largest_difference(predictions, expected)
    agree = "label" not in outputs or bool(np.array_equal(outputs["label"], model.labels(predictions)))
    return OnnxCheck(worst <= tolerance and agree, worst, len(expected), agree)


def onnx_inputs(model: Model, x: Any) -> dict[str, np.ndarray]:
    """Return what an ONNX file of a model takes, by the names of its inputs: an array, or the columns of a table.

    Of a model that was trained on a table ``x`` is a data frame. Its columns are found by name in any order, and their
    text is read as it was in training; `chainrule.export.preparation` says what becomes of each kind.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule.export import onnx_inputs
    >>> onnx_inputs(cr.Model(cr.mlp([2, 1], output=None), input_shape=(2,)), [[1, 2]])
    {'x': array([[1., 2.]], dtype=float32)}
    """
    if model.preparation is None:
        from chainrule.export.model import input_precision

        return {"x": np.asarray(model.inputs.admit(x), input_precision(model))}
    from chainrule.export.preparation import column_inputs  # pandas and scikit-learn come with it

    return column_inputs(model.preparation, x)


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest |a - b| / max(1, |b|); infinite where shapes differ or one of them alone is not finite."""
    if a.shape != b.shape:
        return float("inf")
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(b)))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def run_onnx(path: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run an ONNX file with onnxruntime; return its outputs by name."""
    session = open_session(path)
    names = [output.name for output in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, inputs), strict=True))
    except Exception as error:  # onnxruntime's own kinds of error, which share no base class
        raise FileError(f"onnxruntime cannot run the file on these inputs: {error}") from None


def open_session(path: Any) -> Any:
    """Open a session of onnxruntime on one CPU core or more, with its warnings off."""
    runtime = package("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if isinstance(path, str | Path) and not as_path(path).is_file():
        raise FileError(f"There is no file {path}.")
    # Not the path itself: onnxruntime takes none that is not UTF-8.
    content = as_path(path).read_bytes() if isinstance(path, str | Path) else path.SerializeToString()
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise FileError(f"onnxruntime cannot run the file: {error}") from None


def random_rows(model: Model, rows: int = ROWS) -> Any:
    """Return samples that look like the training data as far as the model knows it."""
    rng = np.random.default_rng(0)
    if model.preparation is not None:
        from chainrule.export.preparation import random_table

        return random_table(model.preparation, rows, rng)
    x = rng.normal(size=(rows, *model.input_shape))
    return x if model.standardizer is None else np.asarray(model.standardizer.undo(x))
