"""Running a network on a batch, on either engine."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.backprop.backward import reachable
from chainrule.backprop.tensor import shape
from chainrule.engine import Engine, Work
from chainrule.layers import Layer

Array = Any

#: Primitives that multiply each result value's row with a column of the second argument.
PRODUCTS = ("_matmul", "_conv2d")


def forward(
    net: Layer, params: Any, state: Any, x: Array, *, key: Array | None = None, train: bool = False
) -> tuple[Array, Any]:
    """The network's output and new state, as plain arrays.

    Inside, all values are tensors, so that NumPy's functions in a user's own layer reach our operations on both
    engines, also where no gradient is recorded.
    """
    wrap = functools.partial(tree.map, lambda v: v if isinstance(v, Tensor) else Tensor(v))
    out, new = net.apply(wrap(params), wrap(state), wrap(x), key=key, train=train)
    return _plain(out), tree.map(_plain, new)


def _plain(x: Any) -> Any:
    """The array inside; a tensor of a gradient in progress stays one."""
    while isinstance(x, Tensor) and x.level == 0:
        x = x.value
    return x


@functools.lru_cache(maxsize=64)
def _predictor(net: Layer, engine: Engine) -> Any:
    return engine.compile(lambda params, state, x: forward(net, params, state, x)[0])


def outputs(net: Layer, params: Any, state: Any, x: Array, engine: Engine, batch_size: int = 1024) -> Array:
    """The network's outputs for many samples, in blocks that bound the memory."""
    run = _predictor(net, engine)
    params, state = engine.place(params), engine.place(state)
    blocks = range(0, max(len(x), 1), batch_size)
    parts = [engine.fetch(run(params, state, engine.place(x[i : i + batch_size]))) for i in blocks]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def work(net: Layer, params: Any, state: Any, input_shape: tuple[int, ...]) -> Work:
    """What predicting one sample is made of, counted on the recorded graph; a training step takes three times that."""
    recorded = tree.map(lambda v: Tensor(v, level=1), params)
    x = Tensor(np.zeros((1, *input_shape), np.float32))
    try:
        with np.errstate(all="ignore"):
            out, _ = net.apply(recorded, tree.map(Tensor, state), x, key=None, train=False)
    except Exception:  # the real run, on real data, says better what is wrong
        return Work()
    flops = values = 0.0
    for node in reachable(out) if isinstance(out, Tensor) else []:
        size = float(np.prod(node.shape))
        values += size if node.primitive is not None else 0.0
        if node.primitive is not None and node.primitive.name in PRODUCTS:
            flops += 2.0 * size * math.prod(shape(node.args[1])[:-1])
    return Work(flops, values)
