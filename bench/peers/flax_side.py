"""The workloads in Flax NNX with optax.

Three ways to run the steps: ``nnx`` (`nnx.jit` on model and optimizer, as Flax's guide writes it, with cached graph),
``loop`` (a jitted pure step with donated state), ``scan`` (that step inside `lax.scan`, an epoch in one call).
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from side import Times, each_epoch, main
from workloads import Workload

INIT = nnx.initializers.glorot_uniform()
ACTIVATIONS = {"relu": [nnx.relu], "sigmoid": [nnx.sigmoid], None: []}


class Residual(nnx.Module):
    def __init__(self, channels: int, filters: int, stride: int, rngs: nnx.Rngs) -> None:
        self.body = nnx.Sequential(
            *norm_conv(channels, filters, 3, stride, rngs), nnx.relu, *norm_conv(filters, filters, 3, 1, rngs)
        )
        self.shortcut = nnx.Sequential(*norm_conv(channels, filters, 1, stride, rngs)) if stride > 1 else None

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(self.body(x) + (self.shortcut(x) if self.shortcut is not None else x))


def norm_conv(channels: int, filters: int, size: int, stride: int, rngs: nnx.Rngs) -> list[Any]:
    return [
        nnx.Conv(channels, filters, (size, size), stride, use_bias=False, kernel_init=INIT, rngs=rngs),
        nnx.BatchNorm(filters, momentum=0.9, epsilon=1e-5, rngs=rngs),
    ]


def layer(described: tuple[Any, ...], shape: tuple[int, ...], rngs: nnx.Rngs) -> list[Any]:
    """The layers of a description, for samples of a shape."""
    channels = shape[-1]
    match described:
        case "dense", units, activation:
            return [nnx.Linear(channels, units, kernel_init=INIT, rngs=rngs), *ACTIVATIONS[activation]]
        case "conv", filters, size, padding, activation:
            convolution = nnx.Conv(channels, filters, (size, size), padding=padding, kernel_init=INIT, rngs=rngs)
            return [convolution, *ACTIVATIONS[activation]]
        case ("pool",):
            return [partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2))]
        case ("flatten",):
            return [lambda x: x.reshape(len(x), -1)]
        case ("mean",):
            return [lambda x: x.mean(axis=(1, 2))]
        case "norm_conv", filters:
            return [*norm_conv(channels, filters, 3, 1, rngs), nnx.relu]
        case "block", filters, stride:
            return [Residual(channels, filters, stride, rngs)]
    raise ValueError(described)


def network(workload: Workload, seed: int) -> nnx.Module:
    rngs, parts, shape = nnx.Rngs(seed), [], (1, *workload.shape)
    for described in workload.layers:
        made = layer(described, shape, rngs)
        graph, state = nnx.split(nnx.Sequential(*made))
        shape = jax.eval_shape(lambda x, g=graph, s=state: nnx.merge(g, s, copy=True)(x), jnp.zeros(shape)).shape
        parts += made
    return nnx.Sequential(*parts)


def optimizer(workload: Workload) -> optax.GradientTransformation:
    match workload.optimizer:
        case "adam", lr:
            return optax.adam(lr)
        case "sgd", lr, momentum:
            return optax.sgd(lr, momentum=momentum or None)
    raise ValueError(workload.optimizer)


def cost_of(net: nnx.Module, x: jax.Array, y: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(net(x), y).mean()


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    net, moves = network(workload, job.seed), optimizer(workload)
    epoch = as_nnx(net, moves) if job.way == "nnx" else as_functions(net, moves, job.way == "scan")
    images, labels = jnp.asarray(x), jnp.asarray(y, jnp.int32)
    return each_epoch(lambda rows: epoch(images, labels, rows), workload, job)


def as_nnx(net: nnx.Module, moves: optax.GradientTransformation) -> Any:
    """Steps as Flax's guide writes them."""

    @partial(nnx.jit, donate_argnums=(0, 1))
    def step(net: nnx.Module, state: nnx.Optimizer, x: jax.Array, y: jax.Array, rows: jax.Array) -> jax.Array:
        cost, grads = nnx.value_and_grad(cost_of)(net, x[rows], y[rows])
        state.update(net, grads)
        return cost

    cached = nnx.cached_partial(step, net, nnx.Optimizer(net, moves, wrt=nnx.Param))
    return lambda x, y, rows: float(np.mean(jax.device_get([cached(x, y, batch) for batch in rows])))


def as_functions(net: nnx.Module, moves: optax.GradientTransformation, scan: bool) -> Any:
    """Steps as pure functions of the state, called one by one or inside `lax.scan`."""
    graph, params, other = nnx.split(net, nnx.Param, ...)

    def step(state: Any, x: jax.Array, y: jax.Array, rows: jax.Array) -> tuple[Any, jax.Array]:
        params, other, moments = state

        def cost(params: Any) -> tuple[jax.Array, Any]:
            net = nnx.merge(graph, params, other, copy=True)
            value = cost_of(net, x[rows], y[rows])
            return value, nnx.state(net, nnx.Not(nnx.Param))

        (value, other), grads = jax.value_and_grad(cost, has_aux=True)(params)
        changes, moments = moves.update(grads, moments, params)
        return (optax.apply_updates(params, changes), other, moments), value

    def steps(state: Any, x: jax.Array, y: jax.Array, rows: jax.Array) -> tuple[Any, jax.Array]:
        return jax.lax.scan(lambda state, batch: step(state, x, y, batch), state, rows)

    state = (params, other, moves.init(params))
    run = jax.jit(steps if scan else step, donate_argnums=0)

    def epoch(x: jax.Array, y: jax.Array, rows: np.ndarray) -> float:
        nonlocal state
        costs = []
        for batch in [rows] if scan else rows:
            state, cost = run(state, x, y, batch)
            costs.append(cost)
        return float(np.mean(jax.device_get(costs)))

    return epoch


if __name__ == "__main__":
    main(train=train)
