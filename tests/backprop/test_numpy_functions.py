"""NumPy's functions, operators and methods on traced values reach our operations; what cannot, says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.backprop import Tensor
from chainrule.errors import GradientError

X = np.array([[0.3, -1.2, 0.8], [1.1, 0.4, -0.7]])
W = np.array([[0.5, -0.2], [0.1, 0.9], [-0.6, 0.3]])
MASK = np.array([[True, False, True], [False, True, True]])
ROW = np.array([1.0, 2.0, 3.0])

# What a user writes, in NumPy's words. Each must give NumPy's own value, and the right gradient.
WRITTEN: dict[str, Callable[..., Any]] = {
    "operators": lambda t: -t + 2 * t - t / 3 + (1 - t) * 0.5 + (+t),
    "operators from the left": lambda t: ROW + t + ROW * t - ROW / (t + 4) + (ROW - t),
    "a NumPy scalar from the left": lambda t: np.float64(2.0) * t + np.float64(1.0),
    "a NumPy number of shape ()": lambda t: np.array(2.0) * t,
    "in-place operators make a new value": lambda t: _in_place(t),
    "powers": lambda t: t**2 + t**3 + 2.0**t + abs(t) ** 0.5,
    "abs": abs,
    "remainder and floor": lambda t: t % 0.62 + t // 0.62,
    "matrix products": lambda t: t @ W + np.ones((2, 2)) @ t @ W,
    "a product with a vector": lambda t: t @ np.array([1.0, 2.0, 3.0]),
    "np.matmul, np.dot": lambda t: np.matmul(t, W) + np.dot(t, W),
    "t.dot": lambda t: t.dot(W),
    "exp, log, sqrt": lambda t: np.exp(t) + np.log(np.exp(t) + 1) + np.sqrt(t * t + 1),
    "np.maximum": lambda t: np.maximum(t, 0) + np.minimum(0.5, t),
    "np.where": lambda t: np.where(t > 0, t, 0.1 * t),
    "np.where with a mask": lambda t: np.where(MASK, t, -1.0),
    "comparisons as numbers": lambda t: t * (t > 0) + t * (t <= 0.45),
    "masks combined": lambda t: t * ((t > 0) & (t < 1) | ~(t > -1)),
    "a NumPy mask combined": lambda t: t * (MASK & (t > 0)),
    "np.clip": lambda t: np.clip(t, -0.5, 0.5) + t.clip(0.0, 1.0) + np.clip(t, a_min=None, a_max=0.2),
    "np.sum": lambda t: np.sum(t, axis=0, keepdims=True) + np.sum(t, 0) + t.sum(0) + t.sum(axis=-1).sum(),
    "np.mean, np.var, np.std": lambda t: np.mean(t, 1) + t.mean(axis=1) + np.var(t, axis=1) + t.std(axis=1, ddof=1),
    "np.max, np.min": lambda t: np.max(t, 0) + t.min(axis=0) + np.amax(t) + t.max(0, keepdims=True),
    "np.prod, np.cumsum": lambda t: np.prod(t, axis=1) + t.prod() + np.cumsum(t, 0).sum(1),
    "np.linalg.norm": lambda t: np.linalg.norm(t) + np.linalg.norm(t, axis=1),
    "np.trace, np.diagonal": lambda t: np.trace(t @ W) + np.diagonal(t @ W) + (t @ W).trace(),
    "columns": lambda t: t[:, 0] + t[:, -1],
    "rows": lambda t: t[0] + t[1, ::-1],
    "one value": lambda t: t[0, 2] * t[1, 0],
    "a mask": lambda t: t[MASK],
    "integer arrays": lambda t: t[[0, 1, 1], np.array([2, 2, 0])],
    "a position computed from t": lambda t: t[0, np.argmax(t[0])] + t[np.argmin(t, axis=0), [0, 1, 2]],
    "iteration": lambda t: sum(row.sum() * i for i, row in enumerate(t)),
    "unpacking": lambda t: (lambda a, b: a * b)(*t),
    "sum of a list": lambda t: sum([t, t * 2]),
    "np.concatenate, np.stack": lambda t: np.concatenate([t, ROW[None]]).sum(0) + np.stack([t, t], axis=-1).sum((0, 2)),
    "np.concatenate with axis None": lambda t: np.concatenate([t, [[1.0]]], axis=None),
    "np.vstack, np.hstack": lambda t: np.vstack([t, t]).sum(0) + np.hstack([t[:, :1], t])[:, :3].sum(0),
    "a vector from numbers": lambda t: np.stack([t[0, 0], t[1, 1] * 2]),
    "np.reshape": lambda t: np.reshape(t, (3, 2)) + t.reshape(3, 2) + t.reshape((-1, 2)),
    "transposes": lambda t: t.T + np.transpose(t) + t.transpose(1, 0) + np.swapaxes(t, 0, 1) + np.moveaxis(t, 0, 1),
    "ravel and flatten": lambda t: t.ravel() + t.flatten() + np.ravel(t),
    "new axes": lambda t: t[None] + np.expand_dims(t, 0) + t[:, None, :].squeeze(1) + np.squeeze(t[None]),
    "np.broadcast_to": lambda t: np.broadcast_to(t[0], (2, 3)),
    "np.pad": lambda t: np.pad(t, ((1, 0), (0, 2))),
    "np.flip, np.roll": lambda t: np.flip(t, 0) + np.roll(t, 1, axis=1),
    "np.repeat, np.tile": lambda t: np.repeat(t, 2, axis=0) + np.tile(t, (2, 1)),
    "np.split": lambda t: np.split(t, 3, axis=1)[1] + np.split(t, [1], axis=1)[0],
    "np.take": lambda t: np.take(t, [2, 0], axis=1) + t.take([0, 1], 1),
    "np.einsum": lambda t: np.einsum("ij,jk->ki", t, W),
    "np.tensordot, np.outer": lambda t: np.tensordot(t, W, axes=1) + np.outer(t[0], t[1])[:2, :2],
    "np.copy": lambda t: np.copy(t) + t.copy(),
    "zeros_like": lambda t: np.zeros_like(t) + np.ones_like(t) * t,
    "shapes": lambda t: t * t.shape[0] + np.shape(t)[1] * np.ndim(t) + t * t.size / len(t) + t.ndim,
    "softmax by hand": lambda t: (
        np.exp(t - np.max(t, axis=1, keepdims=True))
        / np.sum(np.exp(t - np.max(t, axis=1, keepdims=True)), axis=1, keepdims=True)
    ),
    "control flow on values": lambda t: t * 2 if t[0, 0] > 0 else t,
    "hypot, arctan2, logaddexp": lambda t: np.hypot(t, 1) + np.arctan2(t, 2.0) + np.logaddexp(0, t),
}


def _in_place(t: Any) -> Any:
    y = t + 0
    y += 1
    y *= t
    return y


@pytest.mark.parametrize("f", WRITTEN.values(), ids=WRITTEN)
def test_numpy_code_has_numpys_value_and_the_right_gradient(f: Callable[..., Any]) -> None:
    g = lambda t: np.sum(f(t) ** 2)
    value, gradient = cr.value_and_grad(g)(X)
    assert value == pytest.approx(g(X), rel=1e-13)
    assert gradient.shape == X.shape
    check = cr.check_gradient(g, X)
    assert check, check


@pytest.mark.parametrize("name", [n for n in WRITTEN if n not in ("control flow on values",)])
def test_numpy_code_runs_compiled(name: str) -> None:
    """The same NumPy code on arrays of JAX, inside jit, in float32."""
    g = lambda t: np.sum(WRITTEN[name](t) ** 2)
    value, gradient = jax.jit(cr.value_and_grad(g))(jnp.asarray(X))
    expected, expected_gradient = cr.value_and_grad(g)(X)
    assert value.dtype == gradient.dtype == np.float32
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", [n for n in WRITTEN if n not in ("a NumPy scalar from the left",)])
def test_float32_is_kept(name: str) -> None:
    """Unless float64 arrays come in, as in NumPy."""
    x = X.astype(np.float32)
    if WRITTEN[name](x).dtype == np.float32:
        seen = []
        gradient = cr.grad(lambda t: seen.append(f := WRITTEN[name](t)) or np.sum(f))(x)
        assert seen[0].dtype == np.float32
        assert gradient.dtype == np.float32


# --- teaching errors ------------------------------------------------------------------------------------------


def _write(t: Any) -> Any:
    t[0] = 1.0
    return t.sum()


def _write_into_array(t: Any) -> Any:
    a = np.zeros(3)
    a[:] = t[0]
    return a.sum()


def _add_to_array(t: Any) -> Any:
    a = np.zeros((2, 3))
    a += t
    return a.sum()


ERRORS: dict[str, tuple[Callable[..., Any], str]] = {
    "float": (lambda t: float(t[0, 0]), r"np\.exp\(t\), not math\.exp"),
    "int": (lambda t: int(t[0, 0]), "lose its gradient"),
    "math": (lambda t: math.exp(t[0, 0]), r"np\.exp\(t\), not math\.exp"),
    "np.asarray": (lambda t: np.asarray(t).sum(), r"np\.stack or np\.concatenate"),
    "np.array of tensors": (lambda t: np.array([t[0, 0], t[0, 1]]).sum(), r"np\.stack or np\.concatenate"),
    "indexing a plain array": (lambda t: ROW[t[0].astype(int)].sum(), r"cr\.ops\.index\(a, t\)"),
    "writing": (_write, "cannot be written in place"),
    "writing into an array": (_write_into_array, "cannot become a plain array"),
    "adding to an array": (_add_to_array, "out="),
    "out=": (lambda t: np.exp(t, out=np.zeros((2, 3))), "out="),
    "np.add.reduce": (lambda t: np.add.reduce(t), "reduce"),
    "np.sort": (lambda t: np.sort(t).sum(), r"np\.sort has no derivative here"),
    "np.linalg.inv": (lambda t: np.linalg.inv(t @ W).sum(), r"np\.inv has no derivative here.*primitive"),
    "np.heaviside": (lambda t: np.heaviside(t, 0).sum(), r"np\.heaviside has no derivative here"),
    "an argument that is not supported": (lambda t: np.sum(t, where=MASK), r"unexpected keyword argument 'where'"),
    "np.reshape with order": (lambda t: np.reshape(t, (3, 2), order="F").sum(), "order"),
    "another norm": (lambda t: np.linalg.norm(t, 1), "Euclidean"),
    "np.pad with a mode": (lambda t: np.pad(t, 1, mode="edge").sum(), "constant"),
    "a setting that is traced": (lambda t: cr.ops.sum(t, keepdims=t[0, 0]), "keepdims= is a setting"),
    "two lower limits": (lambda t: cr.ops.clip(t, 0.0, a_min=0.0).sum(), "one lower"),
}


@pytest.mark.parametrize(("f", "message"), ERRORS.values(), ids=ERRORS)
def test_what_would_lose_the_gradient_is_an_error_that_teaches(f: Callable[..., Any], message: str) -> None:
    with pytest.raises(GradientError, match=message):
        cr.grad(f)(X)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no 'item'.*mean"):
        cr.grad(lambda t: t.item())(1.0)


def test_a_near_name_is_offered() -> None:
    with pytest.raises(GradientError, match="did you mean 'amax'"):
        cr.grad(lambda t: np.nanmax(t))(X)


def test_gradient_flows_to_arguments_given_by_name() -> None:
    assert cr.grad(lambda s: cr.ops.leaky_relu(-2.0, slope=s))(0.1) == -2.0
    assert cr.grad(lambda s: cr.ops.leaky_relu(slope=s, z=-2.0))(0.1) == -2.0
    np.testing.assert_allclose(cr.grad(lambda a: cr.ops.elu(np.array([-1.0]), alpha=a).sum())(0.5), math.expm1(-1))


def test_a_value_shows_what_made_it() -> None:
    shown = []
    cr.grad(lambda t: shown.extend([repr(t), repr(t * 2)]) or t)(3.0)
    assert shown == ["Tensor(3.0)", "Tensor(6.0 by multiply)"]


def test_values_that_are_not_traced_can_be_tensors_too() -> None:
    """So that NumPy's functions on arrays of JAX reach our operations where no gradient is taken."""
    compiled = jax.jit(lambda x: np.mean(np.exp(Tensor(x)) @ W).value)
    assert compiled(jnp.asarray(X)) == pytest.approx(np.mean(np.exp(X) @ W), rel=1e-6)
    assert isinstance(np.tanh(Tensor(X)), Tensor)
    np.testing.assert_array_equal(np.tanh(Tensor(X)).value, np.tanh(X))
