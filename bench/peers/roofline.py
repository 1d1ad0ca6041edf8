"""The matrix products of a step on dense layers and nothing else: no activations, no update, no data to fetch."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from side import Times, each_epoch, main
from workloads import Workload


def products(x: Any, weights: list[Any], grads: list[Any], dot: Any) -> list[Any]:
    """Forward, then for each layer the weights' gradient and (but for the first) the inputs'."""
    a = [x]
    for w in weights:
        a.append(dot(a[-1], w))
    delta, gradients = a.pop(), []
    for w, grad in zip(reversed(weights), reversed(grads), strict=True):
        gradients.insert(0, dot(a.pop().T, delta, grad))
        if a:
            delta = dot(delta, w.T)
    return gradients


def train(workload: Workload, x: np.ndarray, y: np.ndarray, job: SimpleNamespace) -> Times:
    sizes = [x.shape[1], *(layer[1] for layer in workload.layers)]
    rng = np.random.default_rng(job.seed)
    weights = [rng.standard_normal(shape, np.float32) / np.float32(shape[0] ** 0.5) for shape in pairwise(sizes)]
    grads = [np.zeros_like(w) for w in weights]
    if job.way == "numpy":
        batch = x[: workload.batch].copy()

        def dot(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
            return np.dot(a, b, out=out)

        def epoch(rows: np.ndarray) -> float:
            for _ in rows:
                products(batch, weights, grads, dot)
            return 0.0

        return each_epoch(epoch, workload, job)[0], None

    import jax
    import jax.numpy as jnp

    @jax.jit
    def run(batches: jax.Array, weights: Any, grads: Any) -> Any:
        def body(grads: Any, batch: jax.Array) -> tuple[Any, None]:
            return products(batch, weights, grads, lambda a, b, out=None: a @ b), None

        return jax.lax.scan(body, grads, batches)[0]

    batches = jnp.asarray(x).reshape(-1, workload.batch, x.shape[1])
    return each_epoch(lambda _: jax.block_until_ready(run(batches, weights, grads)), workload, job)[0], None


if __name__ == "__main__":
    main(train=train)
