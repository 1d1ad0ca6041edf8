"""A whole model as an ONNX file: what is done to the data, the network, and what its outputs mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.checks import check_whole
from chainrule.data.limits import is_coarse
from chainrule.errors import FileError
from chainrule.export import activations, layers  # noqa: F401 - they register what they write
from chainrule.export.graph import Graph, Value, feature_axis
from chainrule.export.needs import package
from chainrule.files import write_atomic
from chainrule.models import Model
from chainrule.settings import plain

#: The oldest version of ONNX's operations that the files can be written in, and the default: most programs read it.
OPSET = 18

#: The version of the operations of ai.onnx.ml.
ML_OPSET = 3

#: What one file can hold (a limit of its format).
LIMIT = 2**31 - 1


def to_onnx(model: Model, path: str | Path | None = None, *, opset: int = OPSET) -> Any:
    """Write a model to an ONNX file, and return it as an ``onnx.ModelProto``.

    The inputs of the file are "x" (batch, …) in the model's precision (float64 where float32 would merge different
    inputs; images of a model that divides bytes by 255 are from 0 to 1) or, for a model that was trained on a table,
    its columns by name, each (batch, 1) (see `chainrule.export.preparation`; `onnx_inputs` makes them of a data frame).
    The outputs are "probabilities" (or "outputs", where they are none), which `Model.predict_proba` gives, and for
    classes "label", the class as it was given in training, text or number. Numbers are in the target's own unit. The
    batch may have any length. Task, class names and columns are also in the metadata.

    A float64 model is computed in float64, but for settings of activations (a slope), which ONNX keeps in float32, and
    the error function of GELU, which onnxruntime has in float32 only: up to 1e-7.

    Parameters
    ----------
    model : the model
    path : where to write it; None writes nothing
    opset : version of ONNX's operations, 18 or newer

    Raises
    ------
    SettingError
        A layer or an activation of your own has no converter (see `converts`), or the opset is too old or unknown.
    FileError
        The onnx package is missing, or the file cannot be written.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.export import to_onnx
    >>> written = to_onnx(cr.Model(cr.mlp([4, 3, 2]), input_shape=(4,)), "small.onnx")
    >>> [node.op_type for node in written.graph.node]
    ['MatMul', 'Add', 'Relu', 'MatMul', 'Add', 'Softmax', 'Identity', 'ArgMax', 'Gather', 'Identity']

    Source: the ONNX specification, version 1 (Linux Foundation).
    """
    onnx = package("onnx")
    newest = onnx.defs.onnx_opset_version()
    opset = check_whole("opset", plain(opset), OPSET, newest)
    helper = onnx.helper
    graph = Graph(model.precision)
    inputs, x = _inputs(graph, model)
    out = graph.channels_last(graph.layer(model.net, model.params, model.state, x))
    outputs = _outputs(graph, model, out)
    onnx_model = helper.make_model(
        helper.make_graph(graph.nodes, "chainrule", inputs, outputs, graph.constants),
        producer_name="chainrule",
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    onnx_model.ir_version = helper.find_min_ir_version_for(onnx_model.opset_import)
    helper.set_model_props(onnx_model, _metadata(model))
    if onnx_model.ByteSize() > LIMIT:
        raise FileError(f"The model takes {onnx_model.ByteSize():,} bytes, and an ONNX file holds {LIMIT:,} at most.")
    onnx.checker.check_model(onnx_model, full_check=True)
    if path is not None:
        write_atomic(path, onnx_model.SerializeToString())
    return onnx_model


def _inputs(graph: Graph, model: Model) -> tuple[list[Any], Value]:
    """Return the inputs of the file, and the value that the network gets."""
    if model.preparation is None:
        x = Value(graph.reserve("x"), model.input_shape)
        inputs = [_declared("x", input_precision(model), ["batch", *model.input_shape])]
    else:
        from chainrule.export.preparation import write_preparation  # pandas and scikit-learn come with it

        columns, x = write_preparation(graph, model.preparation)
        inputs = [_declared(name, dtype, ["batch", 1]) for name, dtype in columns.items()]
        x = x if model.precision == "float32" else graph.cast(x, model.precision)
    if model.standardizer is None:
        return inputs, x
    with graph.scope("standardizer"):  # in the wider precision of the two, as `Model.prepare` does
        mean, std = model.standardizer.mean, model.standardizer.std
        wide = np.result_type(mean.dtype, model.precision)
        x = x if wide == input_precision(model) else graph.cast(x, wide)
        x = graph.add("Sub", x, graph.constant(mean, "mean", wide))
        x = graph.add("Div", x, graph.constant(std, "std", wide))
        return inputs, x if wide == model.precision else graph.cast(x, model.precision)


def input_precision(model: Model) -> Any:
    """Return the type of the file's input "x": the model's, or float64 where float32 would merge different inputs."""
    scale, limits = model.standardizer, model.inputs.limits
    if model.preparation is not None or scale is None or limits is None:
        return np.dtype(model.precision)
    coarse = is_coarse(np.maximum(abs(limits.low), abs(limits.high)), scale.std)
    return np.result_type(scale.mean.dtype, model.precision) if coarse.any() else np.dtype(model.precision)


def _outputs(graph: Graph, model: Model, out: Value) -> list[Any]:
    """Return what the outputs of the file are: those of the network, and what they mean (`Model.labels`)."""
    target, shape = model.target, ["batch", *out.shape]
    precision = np.dtype(model.precision)
    if target.mean:  # back in the target's own unit
        mean, std = np.array(target.mean), np.array(target.std)
        if is_coarse(mean, std).any() and precision == np.float32:
            out, precision = graph.cast(out, np.float64), np.dtype(np.float64)
        out = graph.add("Mul", out, graph.constant(std, "target_std", precision))
        out = graph.add("Add", out, graph.constant(mean, "target_mean", precision))
    low, high = model.last_activation.range
    name = "probabilities" if target.task != "regression" and (low, high) == (0.0, 1.0) else "outputs"
    declared = [_declared(_named(graph, name, out), precision, shape)]
    if target.task == "regression":
        return declared
    if target.task == "classification":
        code = graph.add("ArgMax", out, axis=feature_axis(out), keepdims=0, shape=out.shape[:-1])
        classes: Any = target.classes or range(out.shape[-1])
    else:
        one = out.shape[-1] == 1
        values = graph.add("Squeeze", out, [feature_axis(out)], shape=out.shape[:-1]) if one else out
        code = graph.cast(graph.add("Greater", values, model.threshold), "int64")
        classes = target.classes if target.task == "binary" and target.classes else (0, 1)
    names = np.asarray(classes)
    label = graph.add("Gather", graph.constant(names, "classes"), code, axis=0, shape=code.shape)
    kind = {"U": object, "i": "int64", "u": "int64", "f": model.precision}.get(names.dtype.kind, names.dtype)
    return [*declared, _declared(_named(graph, "label", label), kind, ["batch", *code.shape])]


def _named(graph: Graph, name: str, value: Value) -> str:
    """Return the value under the name of an output."""
    from onnx import helper

    graph.nodes.append(helper.make_node("Identity", [value.name], [name], name=name))
    return name


def _declared(name: str, dtype: Any, shape: list[Any]) -> Any:
    """Return an input or output of the file."""
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def _metadata(model: Model) -> dict[str, str]:
    """Return what a reader of the file may want to know, as JSON."""
    metadata: dict[str, Any] = {"task": model.target.task}
    if model.preparation is not None:
        metadata["columns"] = {column.name: column.kind for column in model.preparation.columns if column.use}
        metadata["features"] = model.preparation.feature_names
    if model.target.classes is not None:
        metadata["classes"] = np.asarray(model.target.classes).tolist()
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
