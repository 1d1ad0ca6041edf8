"""Each activation as ONNX nodes."""

from __future__ import annotations

import functools
import math
from typing import Any

from chainrule import activations as a
from chainrule.export.graph import Graph, Value, converts, feature_axis

#: They act on each number (or know the axis of the features), so images may have their channels first or last.
converts_any = functools.partial(converts, any_layout=True)


@converts_any(a.Linear)
def _linear(graph: Graph, f: a.Linear, params: Any, z: Value) -> Value:
    return z


@converts_any(a.Sigmoid)
def _sigmoid(graph: Graph, f: a.Sigmoid, params: Any, z: Value) -> Value:
    return graph.add("Sigmoid", z)


@converts_any(a.Tanh)
def _tanh(graph: Graph, f: a.Tanh, params: Any, z: Value) -> Value:
    return graph.add("Tanh", z)


@converts_any(a.HardSigmoid)
def _hard_sigmoid(graph: Graph, f: a.HardSigmoid, params: Any, z: Value) -> Value:
    return graph.add("HardSigmoid", z, alpha=1 / 6, beta=0.5)


@converts_any(a.Softmax)
def _softmax(graph: Graph, f: a.Softmax, params: Any, z: Value) -> Value:
    return graph.add("Softmax", z, axis=feature_axis(z))


@converts_any(a.Step)
def _step(graph: Graph, f: a.Step, params: Any, z: Value) -> Value:
    return graph.cast(graph.add("Greater", z, 0.0), graph.precision)


@converts_any(a.Sign)
def _sign(graph: Graph, f: a.Sign, params: Any, z: Value) -> Value:
    above = graph.add("Greater", z, 0.0)
    return graph.add("Where", above, 1.0, -1.0)


@converts_any(a.ReLU)
def _relu(graph: Graph, f: a.ReLU, params: Any, z: Value) -> Value:
    return graph.add("Relu", z)


@converts_any(a.ReLU6)
def _relu6(graph: Graph, f: a.ReLU6, params: Any, z: Value) -> Value:
    return graph.add("Clip", z, 0.0, 6.0)


@converts_any(a.LeakyReLU)
def _leaky_relu(graph: Graph, f: a.LeakyReLU, params: Any, z: Value) -> Value:
    return graph.add("LeakyRelu", z, alpha=float(f.slope))


@converts_any(a.PReLU)
def _prelu(graph: Graph, f: a.PReLU, params: Any, z: Value) -> Value:
    return graph.add("PRelu", z, graph.per_feature(params["slope"], z, "slope"))


@converts_any(a.ELU)
def _elu(graph: Graph, f: a.ELU, params: Any, z: Value) -> Value:
    return graph.add("Elu", z, alpha=float(f.alpha))


@converts_any(a.SELU)
def _selu(graph: Graph, f: a.SELU, params: Any, z: Value) -> Value:
    return graph.add("Selu", z)  # ONNX's default constants are the paper's


@converts_any(a.Softplus)
def _softplus(graph: Graph, f: a.Softplus, params: Any, z: Value) -> Value:
    return graph.add("Softplus", z)


@converts_any(a.GELU)
def _gelu(graph: Graph, f: a.GELU, params: Any, z: Value) -> Value:
    scaled = graph.add("Mul", z, math.sqrt(0.5))
    if graph.double:  # onnxruntime has erf for float32 only: right to 1e-7
        erf = graph.cast(graph.add("Erf", graph.cast(scaled, "float32")), "float64")
    else:
        erf = graph.add("Erf", scaled)
    return graph.add("Mul", graph.add("Mul", z, 0.5), graph.add("Add", erf, 1.0))


def gated(graph: Graph, z: Value, beta: Any) -> Value:
    """Write z·σ(βz)."""
    return graph.add("Mul", z, graph.add("Sigmoid", z if beta is None else graph.add("Mul", z, beta)))


@converts_any(a.GELUSigmoid)
def _gelu_sigmoid(graph: Graph, f: a.GELUSigmoid, params: Any, z: Value) -> Value:
    return gated(graph, z, 1.702)


@converts_any(a.SiLU)
def _silu(graph: Graph, f: a.SiLU, params: Any, z: Value) -> Value:
    return gated(graph, z, None)


@converts_any(a.Swish)
def _swish(graph: Graph, f: a.Swish, params: Any, z: Value) -> Value:
    return gated(graph, z, graph.per_feature(params["beta"], z, "beta"))


@converts_any(a.Mish)
def _mish(graph: Graph, f: a.Mish, params: Any, z: Value) -> Value:
    return graph.add("Mul", z, graph.add("Tanh", graph.add("Softplus", z)))


@converts_any(a.HardSwish)
def _hard_swish(graph: Graph, f: a.HardSwish, params: Any, z: Value) -> Value:
    return graph.add("HardSwish", z)


@converts_any(a.GLU)
def _glu(graph: Graph, f: a.GLU, params: Any, z: Value) -> Value:
    half = z.shape[-1] // 2
    return graph.add("Mul", graph.features(z, 0, half), graph.add("Sigmoid", graph.features(z, half, 2 * half)))
