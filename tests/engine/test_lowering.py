"""Every lowering of a convolution computes what the NumPy engine computes, and the rule's choice can be overridden."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.engine import convolution, lowering
from chainrule.engine.compiled import JaxEngine
from chainrule.errors import UnknownNameError


@st.composite
def convolutions(draw: Any, winograd: bool = False) -> tuple[Any, ...]:
    """Image, kernels, and (stride, dilation, padding) with which at least one position exists.

    With ``winograd``, only those that its algorithm is for; of all others few are.
    """
    size = draw(st.tuples(st.just(3) if winograd else st.integers(1, 3), st.integers(1, 3)))
    stride = (1, 1) if winograd else draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = (1, 1) if winograd else draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
    least = [max(1, (k - 1) * d + 1 - sum(p)) for k, d, p in zip(size, dilation, padding, strict=True)]
    image = tuple(n + draw(st.integers(0, 5)) for n in least)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    c, filters, n = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    return rng.normal(size=(n, *image, c)), rng.normal(size=(*size, c, filters)), (stride, dilation, padding), rng


@pytest.mark.parametrize("direction", lowering.DIRECTIONS)
@settings(max_examples=12, deadline=None)
@given(case=convolutions())
def test_each_lowering_computes_what_numpy_computes(direction: str, case: tuple[Any, ...]) -> None:
    assert_alike(direction, list(lowering.LOWERINGS[direction]), case)


@pytest.mark.parametrize("direction", lowering.DIRECTIONS)
@settings(max_examples=8, deadline=None)
@given(case=convolutions(winograd=True))
def test_winograds_algorithm_computes_what_numpy_computes(direction: str, case: tuple[Any, ...]) -> None:
    assert_alike(direction, ["winograd"], case)


def assert_alike(direction: str, names: list[str], case: tuple[Any, ...]) -> None:
    """All in one program: it takes longer to compile one than to run it."""
    x, w, how, rng = case
    y = convolution.convolve(np, x, w, *how)
    g = rng.normal(size=y.shape)
    if direction == "forward":
        arrays, fixed, expected = (x, w), how, y
    elif direction == "input":
        arrays, fixed = (g, w), (x.shape[1:3], *how)
        expected = convolution.input_gradient(np, g, w, *fixed)
    else:
        arrays, fixed = (x, g), (w.shape[:2], *how)
        expected = convolution.weight_gradient(np, x, g, *fixed)
    functions = {name: lowering.LOWERINGS[direction][name] for name in names}
    with jax.enable_x64(True):
        results = jax.jit(lambda a, b: {name: f(jnp, a, b, *fixed) for name, f in functions.items()})(*arrays)
    for name, actual in results.items():
        assert actual.shape == expected.shape, name
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10, err_msg=name)


def test_winograd_in_float32_is_nearly_as_exact_as_a_sum_of_products() -> None:
    rng = np.random.default_rng(0)
    x, w = np.maximum(rng.normal(size=(8, 12, 12, 64)), 0), rng.normal(size=(3, 3, 64, 32))
    how = ((1, 1), (1, 1), ((1, 1), (1, 1)))
    y = convolution.convolve(np, x, w, *how)
    g = rng.normal(size=y.shape)
    to_input, to_weight = (
        convolution.input_gradient(np, g, w, (12, 12), *how),
        convolution.weight_gradient(np, x, g, (3, 3), *how),
    )
    jx, jw, jg = (jnp.asarray(a, jnp.float32) for a in (x, w, g))
    winograd = [lowering.LOWERINGS[direction]["winograd"] for direction in lowering.DIRECTIONS]
    for want, have in [
        (y, jax.jit(lambda x, w: winograd[0](jnp, x, w, *how))(jx, jw)),
        (to_input, jax.jit(lambda g, w: winograd[1](jnp, g, w, (12, 12), *how))(jg, jw)),
        (to_weight, jax.jit(lambda x, g: winograd[2](jnp, x, g, (3, 3), *how))(jx, jg)),
    ]:
        assert have.dtype == np.float32
        assert np.abs(have - want).max() < 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("samples", [6, 7])  # three blocks; a prime number of samples stays one
def test_winograds_weight_gradient_in_blocks(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "BLOCK_VALUES", 2 * 5 * 6 * 2)
    rng = np.random.default_rng(0)
    x, w, how = rng.normal(size=(samples, 5, 6, 2)), np.zeros((3, 3, 2, 2)), ((1, 1), (1, 1), ((1, 1), (1, 1)))
    assert_alike("weight", ["winograd"], (x, w, how, rng))


def test_winograd_leaves_numbers_of_16_bits_to_others() -> None:
    x, w = jnp.ones((2, 8, 8, 2), jnp.bfloat16), jnp.ones((3, 3, 2, 2), jnp.bfloat16)
    with lowering.lowering(forward="winograd"):
        winograd = text(lambda x, w: cr.ops.conv2d(x, w), x, w)
    with lowering.lowering(forward="split"):
        assert winograd == text(lambda x, w: cr.ops.conv2d(x, w), x, w)


@pytest.mark.parametrize("direction", lowering.DIRECTIONS)
@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    width=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_the_rule_picks_an_existing_lowering(
    direction: str, platform: str, size: tuple[int, int], width: tuple[int, int], stride: tuple[int, int]
) -> None:
    name = lowering.choose(direction, platform, (*size, *width), stride)
    assert name in lowering.LOWERINGS[direction]
    # Inside a loop on the CPU, XLA's own weight gradient is a hundred times slower than the others.
    assert (direction, platform, name) != ("weight", "cpu", "native")


def test_other_platforms_use_their_own_convolution() -> None:
    assert {lowering.choose(d, "gpu", (3, 3, 64, 64), (1, 1)) for d in lowering.DIRECTIONS} == {"native"}


def test_the_rule_follows_the_platform_that_the_engine_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = np.ones((2, 5, 5, 40), np.float32), np.ones((3, 3, 40, 2), np.float32)

    def lowered_on(platform: str) -> str:
        monkeypatch.setattr(JaxEngine, "platform", platform)
        programs = []

        def f(x: Any, w: Any) -> Any:
            programs.append(text(lambda x, w: cr.ops.conv2d(x, w), x, w))
            return x

        JaxEngine().compile(f)(x, w)
        return programs[0]

    assert "conv_general_dilated" in lowered_on("gpu")
    assert "conv_general_dilated" not in lowered_on("cpu")


def text(f: Any, *args: Any) -> str:
    return str(jax.make_jaxpr(f)(*args))


def test_a_lowering_can_be_chosen() -> None:
    x, w = jnp.ones((2, 5, 5, 40), jnp.float32), jnp.ones((3, 3, 40, 2), jnp.float32)
    assert "conv_general_dilated" not in text(lambda x, w: cr.ops.conv2d(x, w), x, w)
    with lowering.lowering(forward="native"):
        assert lowering.current() == ("native", None, None)
        assert "conv_general_dilated" in text(lambda x, w: cr.ops.conv2d(x, w), x, w)
    assert lowering.current() == (None, None, None)


def test_an_unknown_lowering_is_named_with_those_there_are() -> None:
    with (
        pytest.raises(UnknownNameError, match=r"forward lowering.*colums.*columns"),
        lowering.lowering(forward="colums"),
    ):
        pass


@pytest.mark.parametrize("forward", list(lowering.LOWERINGS["forward"]))
@pytest.mark.parametrize("weight", list(lowering.LOWERINGS["weight"]))
@pytest.mark.parametrize("to_input", list(lowering.LOWERINGS["input"]))
def test_second_derivatives_agree(forward: str, weight: str, to_input: str) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 5, 4, 2)), rng.normal(size=(3, 2, 2, 3))

    def f(w: Any, x: Any) -> Any:
        return (cr.ops.conv2d(x, w, stride=(2, 1)) ** 3).sum()

    def of_gradient(w: Any, x: Any) -> Any:
        return (cr.grad(f, argnums=1)(w, x) ** 2).sum()

    want = cr.grad(of_gradient, argnums=(0, 1))(w, x)
    with jax.enable_x64(True), lowering.lowering(forward, to_input, weight):
        actual = cr.grad(of_gradient, argnums=(0, 1))(jnp.asarray(w), jnp.asarray(x))
    for a, b in zip(actual, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_the_gradient_of_the_first_layers_images_is_not_computed() -> None:
    x, w = jnp.ones((2, 6, 6, 40), jnp.float32), jnp.ones((3, 3, 40, 8), jnp.float32)
    with lowering.lowering(forward="columns", input="native", weight="columns"):
        assert "conv_general_dilated" not in text(cr.grad(lambda w, x: cr.ops.conv2d(x, w).sum()), w, x)
        assert "conv_general_dilated" in text(cr.grad(lambda w, x: cr.ops.conv2d(x, w).sum(), argnums=1), w, x)
