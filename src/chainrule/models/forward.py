"""Running a network on a batch, on either engine."""

from __future__ import annotations

import collections
import functools
import math
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop import Tensor
from chainrule.backprop.backward import reachable
from chainrule.backprop.tensor import shape
from chainrule.engine import CostEstimate, Engine, lowering
from chainrule.layers import Layer

Array = Any

#: Numbers that the inputs and activations of a block may take (float32: 32 MB; never all of them are kept at once).
BLOCK_VALUES = 2**23

#: Blocks that may be on their way at once.
IN_FLIGHT = 2

#: Primitives that multiply each result value's row with a column of the second argument.
PRODUCTS = ("_matmul", "_conv2d")


def forward(
    net: Layer, params: Any, state: Any, x: Array, *, key: Array | None = None, train: bool = False
) -> tuple[Array, Any]:
    """Return the network's output and new state, as plain arrays.

    Inside, all values are tensors, so that NumPy's functions in a user's own layer reach our operations on both
    engines, also where no gradient is recorded.
    """
    wrap = functools.partial(tree.map, lambda v: v if isinstance(v, Tensor) else Tensor(v))
    out, new = net.apply(wrap(params), wrap(state), wrap(x), key=key, train=train)
    return _plain(out), tree.map(_plain, new)


def _plain(x: Any) -> Any:
    """Return the array inside; a tensor of a gradient in progress stays one."""
    while isinstance(x, Tensor) and x.level == 0:
        x = x.value
    return x


@functools.lru_cache(maxsize=64)
def _predictor(net: Layer, engine: Engine, lowerings: tuple[str | None, ...]) -> Any:
    return engine.compile(lambda params, state, x: forward(net, params, state, x)[0])


def outputs(net: Layer, params: Any, state: Any, x: Array, engine: Engine, batch_size: int) -> Array:
    """Return the network's outputs for many samples, in blocks that bound the memory.

    The blocks are of about the same size. Where a program is compiled for each shape, that size is rounded up, so that
    not every number of samples means a program of its own, and the last block is filled up.
    """
    run = _predictor(net, engine, lowering.current())
    params, state = engine.put(params), engine.put(state)
    size = -(-len(x) // max(1, -(-len(x) // batch_size)))
    size = min(batch_size, _rounded_up(size)) if engine.compiles else size
    running: collections.deque[Array] = collections.deque()
    done = []
    for i in range(0, max(len(x), 1), max(size, 1)):
        block = x[i : i + size]
        if engine.compiles and len(block) < size:
            block = np.concatenate([block, np.zeros((size - len(block), *x.shape[1:]), x.dtype)])
        running.append(run(params, state, block))
        if len(running) > IN_FLIGHT:  # the engine may still be at it while the next block is prepared
            done.append(engine.fetch(running.popleft()))
    done += map(engine.fetch, running)
    return (np.concatenate(done) if len(done) > 1 else done[0])[: len(x)]


def _rounded_up(n: int) -> int:
    """Round up to at most three binary digits before the trailing zeros: at most a quarter more than n."""
    unit = 1 << max(0, n.bit_length() - 3)
    return -(-n // unit) * unit


def block_size(values: float) -> int:
    """Return how many samples to predict at once: a power of two, whose values are about `BLOCK_VALUES`."""
    return 1 << int(np.clip(np.log2(BLOCK_VALUES / max(values, 1.0)), 5, 13))


def work(net: Layer, params: Any, state: Any, input_shape: tuple[int, ...]) -> CostEstimate:
    """Count on the recorded graph what predicting one sample costs; a training step takes three times that."""
    recorded = tree.map(lambda v: Tensor(v, level=1), params)
    x = Tensor(np.zeros((1, *input_shape), np.float32))
    try:
        with np.errstate(all="ignore"):
            out, _ = net.apply(recorded, tree.map(Tensor, state), x, key=None, train=False)
    except Exception:  # the real run, on real data, says better what is wrong
        return CostEstimate()
    flops = values = 0.0
    for node in reachable(out) if isinstance(out, Tensor) else []:
        size = float(np.prod(node.shape))
        values += size if node.primitive is not None else 0.0
        if node.primitive is not None and node.primitive.name in PRODUCTS:
            flops += 2.0 * size * math.prod(shape(node.args[1])[:-1])
    return CostEstimate(flops, values)
