"""scikit-learn's QuantileTransformer, to a normal distribution, as ONNX nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.export.graph import Graph, Value

#: As scikit-learn has it: so near to the ends counts as the end, and no probability is nearer to 0 or 1.
NEAR = 1e-7

# The quotients of polynomials that are the inverse of the normal distribution function to 16 digits: for probabilities
# within 0.425 of a half, and for the others down to e^-25 (Wichura 1988, algorithm AS 241).
_MIDDLE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)


def write_quantiles(graph: Graph, scaler: Any, x: Value) -> Value:
    """Write each number as the point of the normal distribution below which lie as many training rows."""
    columns = [
        _rank(graph, scaler.quantiles_[:, j], scaler.references_, graph.features(x, j, j + 1))
        for j in range(x.shape[0])
    ]
    ranks = graph.add("Concat", *columns, axis=1, shape=x.shape)
    least = NEAR - np.spacing(1)
    return _normal(graph, graph.add("Clip", ranks, least, 1.0 - least))


def _rank(graph: Graph, quantiles: np.ndarray, references: np.ndarray, x: Value) -> Value:
    """Return the fraction of training rows below x: linear between quantiles; of equal quantiles, the middle of their
    shares.
    """
    at = np.unique(quantiles)
    middle = 0.5 * (np.interp(at, quantiles, references) - np.interp(-at, -quantiles[::-1], -references[::-1]))
    above = references[np.searchsorted(quantiles, at, side="right") - 1]
    slope = np.append((references[np.searchsorted(quantiles, at[1:])] - above[:-1]) / np.diff(at), 0.0)
    passed = graph.cast(graph.add("GreaterOrEqual", x, at, shape=at.shape), np.int64)
    place = graph.add("Sub", graph.add("ReduceSum", passed, [1], keepdims=1, shape=(1,)), 1)
    place = graph.add("Max", place, 0)
    nearest, *values = (
        graph.add("Gather", numbers, place, axis=0, shape=(1,)) for numbers in (at, above, slope, middle)
    )
    between = graph.add("Add", values[0], graph.add("Mul", graph.add("Sub", x, nearest), values[1]))
    rank = graph.add("Where", graph.add("Equal", x, nearest), values[2], between)
    rank = graph.add("Where", graph.add("Greater", graph.add("Add", x, NEAR), float(at[-1])), 1.0, rank)
    return graph.add("Where", graph.add("Less", graph.add("Sub", x, NEAR), float(at[0])), 0.0, rank)


def _normal(graph: Graph, p: Value) -> Value:
    """Return the inverse of the normal distribution function."""
    q = graph.add("Sub", p, 0.5)
    middle = graph.add("Mul", q, _quotient(graph, _MIDDLE, graph.add("Sub", 0.180625, graph.add("Mul", q, q))))
    smaller = graph.add("Min", p, graph.add("Sub", 1.0, p))
    root = graph.add("Sqrt", graph.add("Neg", graph.add("Log", smaller)))
    tail = graph.add("Mul", graph.add("Sign", q), _quotient(graph, _TAIL, graph.add("Sub", root, 1.6)))
    inside = graph.add("LessOrEqual", graph.add("Abs", q), 0.425)
    return graph.add("Where", inside, middle, tail, shape=p.shape)


def _quotient(graph: Graph, coefficients: Any, x: Value) -> Value:
    above, below = (_polynomial(graph, some, x) for some in coefficients)
    return graph.add("Div", above, below)


def _polynomial(graph: Graph, coefficients: tuple[float, ...], x: Value) -> Value:
    """Write c₀ + c₁x + c₂x² + …, by Horner's rule."""
    *rest, last = coefficients
    value = graph.add("Mul", x, last)
    for c in reversed(rest[1:]):
        value = graph.add("Mul", graph.add("Add", value, c), x)
    return graph.add("Add", value, rest[0])
