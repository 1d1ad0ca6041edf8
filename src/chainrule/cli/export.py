"""``chainrule export``: a trained network as an ONNX file, or its weights for PyTorch."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from chainrule.cli.messages import print_message
from chainrule.cli.tell import Printer
from chainrule.display.text_table import text_table
from chainrule.errors import SettingError
from chainrule.experiments.data import path_of
from chainrule.experiments.find import TrainedModel, files_of_run, find_folder, find_model
from chainrule.experiments.prediction import blocks_to_predict
from chainrule.experiments.usage import Situation, check_used
from chainrule.export import check_onnx, save_torch_weights, to_onnx
from chainrule.files import check_not_read

#: What is written, by the file's ending.
KINDS = (".onnx", ".safetensors")


def export(run: str, *, out: Path | None, check: str | None, opset: int | None, data_dir: Path | None) -> None:
    """Write the file, run it beside the network, and say what goes in and what comes out."""
    trained = find_model(run)
    folder = find_folder(run)
    path = out or (folder if folder.is_dir() else folder.parent) / "model.onnx"
    if path.suffix.lower() not in KINDS:
        raise SettingError(f"--out must end with .onnx or, for PyTorch, with .safetensors; got {path}.")
    options = {"export.check": check, "export.opset": opset, "export.data_dir": data_dir}
    check_used(Situation(check, out=path), options)
    if check is not None and importlib.util.find_spec("onnxruntime") is None:
        raise SettingError("--check needs the package onnxruntime: pip install 'chainrule[all]'.")
    check_not_read(path, path_of(check), *files_of_run(run))
    if path.suffix.lower() == ".safetensors":
        save_torch_weights(trained.model, path)
        print_message(f"Written to {path}: weights under the names and in the layout of PyTorch (docs/pytorch.md).")
        if trained.model.preparation is not None:
            print_message("What is done to the table's columns is not in it; an .onnx file holds that, too.")
        return
    written = to_onnx(trained.model, path, **({} if opset is None else {"opset": opset}))
    print_message(f"Written to {path}")
    print_message()
    rows = [*_rows("input", written.graph.input), *_rows("output", written.graph.output)]
    print_message(text_table([("", "name", "values", "shape"), *rows], left=range(4)))
    print_message()
    _compare(trained, path, check, data_dir)


def _compare(trained: TrainedModel, path: Path, check: str | None, data_dir: Path | None) -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        print_message("Not checked: that needs the package onnxruntime, pip install 'chainrule[all]'.")
        return
    block = None if check is None else next(blocks_to_predict(trained, check, data_dir, listener=Printer()))
    rows = None if block is None else block.x if block.frame is None else block.frame
    result = check_onnx(trained.model, path, rows)
    of = f"{result.rows:,} {'random rows' if check is None else f'rows of {check}'}"
    if not result.ok:
        labels = "" if result.labels_agree else ", and its labels do not fit them"
        print_message(
            f"error: {path} does not predict what the network predicts: on {of} its outputs differ by up to "
            f"{result.max_difference:.2g}{labels}. Do not use it, and please report this."
        )
        raise click.exceptions.Exit(1)
    print_message(f"Checked with onnxruntime on {of}: its outputs differ by {result.max_difference:.2g} at most.")


def _rows(kind: str, values: Any) -> list[tuple[str, str, str, str]]:
    """Return kind, name, type and shape of each input or output."""
    import onnx

    rows = []
    for value in values:
        tensor = value.type.tensor_type
        shape = ", ".join(axis.dim_param or str(axis.dim_value) for axis in tensor.shape.dim)
        rows.append((kind, value.name, onnx.TensorProto.DataType.Name(tensor.elem_type).lower(), f"({shape})"))
    return rows
