"""Each layer as ONNX nodes.

ONNX's convolutions and poolings take images with their channels first, and our layers have them last. Images are
turned where such an operation needs it, stay turned through everything that does not mind, and are turned back where
something does (`Flatten`, `Dense`, the outputs).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import layers
from chainrule.engine.convolution import positions, resolve_padding
from chainrule.export.graph import Graph, Value, converts, feature_axis
from chainrule.layers.embedding import Embedding

Window = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[tuple[int, int], tuple[int, int]]]


@converts(layers.Sequential, any_layout=True)
def _sequential(graph: Graph, layer: layers.Sequential, params: Any, state: Any, x: Value) -> Value:
    for name, inner in zip(layer.names, layer.layers, strict=True):
        x = _inner(graph, name, inner, params, state, x)
    return x


@converts(layers.Residual, any_layout=True)
def _residual(graph: Graph, layer: layers.Residual, params: Any, state: Any, x: Value) -> Value:
    around = x if layer.shortcut is None else _inner(graph, "shortcut", layer.shortcut, params, state, x)
    y = x
    for name, inner in zip(layer.names, layer.layers, strict=True):
        y = _inner(graph, name, inner, params, state, y)
    return graph.add("Add", *graph.same_layout([around, y]))


@converts(layers.Concat, any_layout=True)
def _concat(graph: Graph, layer: layers.Concat, params: Any, state: Any, x: Value) -> Value:
    named = zip(layer.names, layer.layers, strict=True)
    parts = graph.same_layout([_inner(graph, name, inner, params, state, x) for name, inner in named])
    shape = (*parts[0].shape[:-1], sum(part.shape[-1] for part in parts))
    return graph.add("Concat", *parts, axis=feature_axis(parts[0]), shape=shape)


@converts(layers.Average, any_layout=True)
def _average(graph: Graph, layer: layers.Average, params: Any, state: Any, x: Value) -> Value:
    named = zip(layer.names, layer.layers, strict=True)
    parts = graph.same_layout([_inner(graph, name, inner, params, state, x) for name, inner in named])
    return graph.add("Div", graph.add("Sum", *parts), float(len(parts)))


@converts(layers.Rescale, any_layout=True)
def _rescale(graph: Graph, layer: layers.Rescale, params: Any, state: Any, x: Value) -> Value:
    scaled = graph.add("Mul", x, graph.per_feature(state["scale"], x, "scale"))
    return graph.add("Add", scaled, graph.per_feature(state["shift"], x, "shift"))


def _inner(graph: Graph, name: str, layer: layers.Layer, params: Any, state: Any, x: Value) -> Value:
    with graph.scope(name):
        return graph.layer(layer, params.get(name, {}), state.get(name, {}), x)


@converts(layers.Dense)
def _dense(graph: Graph, layer: layers.Dense, params: Any, state: Any, x: Value) -> Value:
    return graph.activation(layer.activation, params, _product(graph, params, x))


@converts(layers.Maxout)
def _maxout(graph: Graph, layer: layers.Maxout, params: Any, state: Any, x: Value) -> Value:
    lead = x.shape[:-1]
    pieces = _reshaped(graph, _product(graph, params, x), (*lead, layer.units, layer.pieces))
    return graph.add("ReduceMax", pieces, [len(lead) + 2], keepdims=0, shape=(*lead, layer.units))


def _product(graph: Graph, params: Any, x: Value) -> Value:
    weight = params["weight"]
    z = graph.add("MatMul", x, graph.constant(weight, "weight"), shape=(*x.shape[:-1], weight.shape[1]))
    return graph.add("Add", z, graph.constant(params["bias"], "bias")) if "bias" in params else z


@converts(layers.Conv2D, any_layout=True)
def _conv2d(graph: Graph, layer: layers.Conv2D, params: Any, state: Any, x: Value) -> Value:
    weight, bias = params["weight"], params.get("bias")
    window = _window(x, layer.size, layer.stride, layer.padding, layer.dilation)
    shape = (*_places(x, window), weight.shape[3])
    if graph.double:
        seen = _windows(graph, x, window)
        rows = _reshaped(graph, seen, (seen.shape[0], math.prod(seen.shape[1:])))
        z = graph.add("MatMul", rows, weight.reshape(-1, shape[2]), shape=(seen.shape[0], shape[2]))
        z = _reshaped(graph, z if bias is None else graph.add("Add", z, bias), shape)
    else:
        kernels = graph.constant(weight.transpose(3, 2, 0, 1), "weight")
        weights = [kernels] if bias is None else [kernels, graph.constant(bias, "bias")]
        z = graph.add("Conv", graph.channels_first(x), *weights, shape=shape, dilations=window[2], **_sliding(window))
    return graph.activation(layer.activation, params, z)


@converts(layers.MaxPool2D, any_layout=True)
def _max_pool2d(graph: Graph, layer: layers.MaxPool2D, params: Any, state: Any, x: Value) -> Value:
    window = _window(x, layer.size, layer.stride or layer.size, layer.padding)
    shape = (*_places(x, window), x.shape[2])
    return graph.add("MaxPool", graph.channels_first(x), shape=shape, **_sliding(window))


@converts(layers.AvgPool2D, any_layout=True)
def _avg_pool2d(graph: Graph, layer: layers.AvgPool2D, params: Any, state: Any, x: Value) -> Value:
    window = _window(x, layer.size, layer.stride or layer.size, layer.padding)
    shape = (*_places(x, window), x.shape[2])
    if not graph.double:
        settings = _sliding(window)
        return graph.add("AveragePool", graph.channels_first(x), shape=shape, count_include_pad=0, **settings)
    seen = _windows(graph, x, window)
    inside = _indices(np.pad(np.ones(x.shape[:2]), window[3]), window)
    total = graph.add("ReduceSum", seen, [2], keepdims=0, shape=(seen.shape[0], seen.shape[2]))
    return _reshaped(graph, graph.add("Div", total, inside.sum(axis=1)[:, None]), shape)


@converts(layers.GlobalAvgPool2D, any_layout=True)
def _global_avg_pool2d(graph: Graph, layer: layers.GlobalAvgPool2D, params: Any, state: Any, x: Value) -> Value:
    axes = [2, 3] if x.channels_first else [1, 2]
    return graph.add("ReduceMean", x, axes, keepdims=0, shape=x.shape[2:], first=False)


def _window(x: Value, size: Any, stride: Any, padding: str, dilation: Any = 1) -> Window:
    """Return size, stride and dilation of a sliding window, and the border of the image."""
    size, stride, dilation = ((v, v) if isinstance(v, int) else v for v in (size, stride, dilation))
    return size, stride, dilation, resolve_padding(padding, (x.shape[0], x.shape[1]), size, stride, dilation)


def _places(x: Value, window: Window) -> tuple[int, int]:
    """Return rows and columns of the result."""
    size, stride, dilation, border = window
    rows, columns = (positions(x.shape[i] + sum(border[i]), size[i], stride[i], dilation[i]) for i in (0, 1))
    return rows, columns


def _sliding(window: Window) -> dict[str, Any]:
    """Return a sliding window as ONNX's attributes."""
    size, stride, _, ((top, bottom), (left, right)) = window
    return {"kernel_shape": size, "strides": stride, "pads": (top, left, bottom, right)}


def _windows(graph: Graph, x: Value, window: Window) -> Value:
    """Return what a sliding window sees: (places, places in the window, channels).

    For float64, for which onnxruntime has neither convolutions nor mean pooling.
    """
    x = graph.channels_last(x)
    (top, bottom), (left, right) = window[3]
    height, width, channels = x.shape[0] + top + bottom, x.shape[1] + left + right, x.shape[2]
    if any((top, bottom, left, right)):
        x = graph.add("Pad", x, [0, top, left, 0, 0, bottom, right, 0], shape=(height, width, channels))
    pixels = _reshaped(graph, x, (height * width, channels))
    at = _indices(np.arange(height * width).reshape(height, width), window)
    return graph.add("Gather", pixels, at, axis=1, shape=(*at.shape, channels))


def _indices(image: np.ndarray, window: Window) -> np.ndarray:
    """Return the pixels (with the border) that a window sees at each of its places: (places, places in the window)."""
    (kh, kw), (sh, sw), (dh, dw), _ = window
    reach = ((kh - 1) * dh + 1, (kw - 1) * dw + 1)
    seen = np.lib.stride_tricks.sliding_window_view(image, reach)[::sh, ::sw, ::dh, ::dw]
    return seen.reshape(-1, kh * kw)


@converts(layers.Flatten)
def _flatten(graph: Graph, layer: layers.Flatten, params: Any, state: Any, x: Value) -> Value:
    return x if len(x.shape) == 1 else _reshaped(graph, x, (math.prod(x.shape),))


@converts(layers.Reshape)
def _reshape(graph: Graph, layer: layers.Reshape, params: Any, state: Any, x: Value) -> Value:
    return _reshaped(graph, x, layer.init(None, x.shape)[2])


def _reshaped(graph: Graph, x: Value, shape: tuple[int, ...]) -> Value:
    return graph.add("Reshape", x, [0, *shape], shape=shape)  # 0: the batch as it is


@converts(layers.Activation, any_layout=True)
def _activation(graph: Graph, layer: layers.Activation, params: Any, state: Any, x: Value) -> Value:
    return graph.activation(layer.activation, params, x)


@converts(layers.Dropout, any_layout=True)
def _dropout(graph: Graph, layer: layers.Dropout, params: Any, state: Any, x: Value) -> Value:
    return x  # it acts in training only


@converts(layers.BatchNorm, any_layout=True)
def _batch_norm(graph: Graph, layer: layers.BatchNorm, params: Any, state: Any, x: Value) -> Value:
    scale = params["gamma"] / np.sqrt(state["variance"] + layer.eps)
    centred = graph.add("Sub", x, graph.per_feature(state["mean"], x, "mean"))
    scaled = graph.add("Mul", centred, graph.per_feature(scale, x, "scale"))
    return graph.add("Add", scaled, graph.per_feature(params["beta"], x, "beta"))


@converts(layers.LayerNorm)
def _layer_norm(graph: Graph, layer: layers.LayerNorm, params: Any, state: Any, x: Value) -> Value:
    axes = [len(x.shape)]
    centred = graph.add("Sub", x, graph.add("ReduceMean", x, axes, keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes, keepdims=1)
    std = graph.add("Sqrt", graph.add("Add", variance, float(layer.eps)))
    scaled = graph.add("Mul", centred, graph.constant(params["gamma"], "gamma"))
    return graph.add("Add", graph.add("Div", scaled, std), graph.constant(params["beta"], "beta"))


@converts(Embedding)
def _embedding(graph: Graph, layer: Embedding, params: Any, state: Any, x: Value) -> Value:
    plain = x.shape[0] - len(layer.categories)
    parts = [graph.features(x, 0, plain)] if plain else []
    for j, (n, width) in enumerate(zip(layer.categories, layer.widths, strict=True)):
        code = graph.add("Round", graph.add("Squeeze", graph.features(x, plain + j, plain + j + 1), [1], shape=()))
        code = graph.cast(graph.add("Clip", code, 0.0, float(n - 1)), "int64")
        vectors = graph.constant(params[f"column_{j + 1}"]["weight"], f"column_{j + 1}")
        parts.append(graph.add("Gather", vectors, code, axis=0, shape=(width,)))
    return graph.add("Concat", *parts, axis=1, shape=(sum(part.shape[0] for part in parts),))
