"""Running a network on a batch, on either engine."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.engine import Engine
from chainrule.layers import Layer

Array = Any


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


def flops(net: Layer, params: Any, input_shape: tuple[int, ...]) -> float:
    """Multiplications and additions of one sample's training step, roughly: 6 for each use of a weight.

    A dense weight is used once, a convolution's at every position; positions are taken from the images' size.
    """
    total = 0.0
    pixels = float(np.prod(input_shape[:2])) if len(input_shape) == 3 else 1.0
    for path, leaf in tree.leaves_with_path(params):
        if path[-1] == "weight":
            total += 6.0 * leaf.size * (pixels if leaf.ndim == 4 else 1.0)
    return total
