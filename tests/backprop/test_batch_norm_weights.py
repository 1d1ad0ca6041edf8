"""Batch normalization with a weight for each sample: a padded batch counts as the samples that are there."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr

WEIGHTS = np.array([1.0, 0.0, 2.5, 0.5])


def example(shape: tuple[int, ...]) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return rng.normal(size=shape), rng.normal(size=shape[-1]), rng.normal(size=shape[-1]), rng.normal(size=shape)


def by_hand(xp: Any, x: Any, gamma: Any, beta: Any, weight: Any) -> Any:
    w = xp.broadcast_to(weight.reshape(-1, *[1] * (x.ndim - 1)), x.shape)
    axes = tuple(range(x.ndim - 1))
    mean = (w * x).sum(axes) / w.sum(axes)
    variance = (w * (x - mean) ** 2).sum(axes) / w.sum(axes)
    return gamma * (x - mean) / xp.sqrt(variance + 1e-5) + beta, mean, variance


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3, 2)])
def test_weights_enter_the_statistics_and_the_gradients(shape: tuple[int, ...]) -> None:
    x, gamma, beta, v = example(shape)
    for gradient, want in zip(
        cr.ops.batch_norm(x, gamma, beta, weight=WEIGHTS), by_hand(np, x, gamma, beta, WEIGHTS), strict=True
    ):
        np.testing.assert_allclose(gradient, want, rtol=1e-12)

    def cost(x: Any, gamma: Any, beta: Any) -> Any:
        return (cr.ops.batch_norm(x, gamma, beta, weight=WEIGHTS)[0] * v).sum()

    with jax.enable_x64(True):
        witness = jax.grad(lambda *a: (by_hand(jnp, *a, jnp.asarray(WEIGHTS))[0] * v).sum(), argnums=(0, 1, 2))
        want = witness(jnp.asarray(x), jnp.asarray(gamma), jnp.asarray(beta))
    for gradient, exact in zip(cr.grad(cost, argnums=(0, 1, 2))(x, gamma, beta), want, strict=True):
        np.testing.assert_allclose(gradient, exact, rtol=1e-10, atol=1e-12)

    def of_gradient(x: Any) -> Any:
        return (cr.grad(cost)(x, gamma, beta) ** 3).sum()

    step, direction = 1e-5, np.random.default_rng(1).normal(size=shape)
    slope = (of_gradient(x + step * direction) - of_gradient(x - step * direction)) / (2 * step)
    np.testing.assert_allclose((cr.grad(of_gradient)(x) * direction).sum(), slope, rtol=1e-6)


def test_samples_of_weight_zero_are_as_good_as_absent() -> None:
    x, gamma, beta, v = example((4, 2, 2, 3))
    here = np.array([1.0, 1.0, 1.0, 0.0])

    def cost(x: Any, v: Any, weight: Any = None) -> Any:
        return (cr.ops.batch_norm(x, gamma, beta, weight=weight)[0] * v).sum()

    padded = np.where(here[:, None, None, None] > 0, v, 0.0)
    gradient, want = cr.grad(cost)(x, padded, here), cr.grad(cost)(x[:3], v[:3])
    np.testing.assert_allclose(gradient[:3], want, rtol=1e-10)
    np.testing.assert_array_equal(gradient[3], 0.0)


def test_a_batch_without_weight_gives_finite_values() -> None:
    x, gamma, beta, _ = example((4, 3))
    for values in cr.ops.batch_norm(x, gamma, beta, weight=np.zeros(4)):
        assert np.isfinite(values).all()
