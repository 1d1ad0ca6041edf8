"""One contract for all operations; the cases are in cases.py.

The value is NumPy's, on both engines; the gradient is that of central differences and that of JAX; float32 stays
float32; second derivatives are those of JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from backprop.cases import CASES, Case, Maker
from chainrule import ops
from chainrule.backprop import value_and_grad

DIFFERENTIABLE = [c for c in CASES if c.kind == "smooth"]
WITH_ARRAYS = [c for c in CASES if c.name not in ("any", "all", "one_hot")]  # these take truth values or integers
FEW_SHAPES = (0, 1, 3)  # JAX compiles for each shape

every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
every_case_with_arrays = pytest.mark.parametrize("case", WITH_ARRAYS, ids=lambda c: c.id)
every_differentiable_case = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda c: c.id)


def examples(n: int) -> Any:
    return settings(max_examples=n, suppress_health_check=[HealthCheck.function_scoped_fixture])


def parts(out: Any) -> list[Any]:
    return list(out) if isinstance(out, list | tuple) else [out]


def weights_like(out: Any) -> list[Any]:
    """Random weights, by which all values of a result are added up to one number."""
    generator = np.random.default_rng(1)
    return [generator.uniform(0.5, 1.5, np.shape(part)) for part in parts(out)]


def added_up(f: Callable[..., Any], weights: list[Any], sum_of: Any = ops.sum) -> Callable[..., Any]:
    def g(*arrays: Any) -> Any:
        return sum(sum_of(part * w) for part, w in zip(parts(f(*arrays)), weights, strict=True))

    return g


def relative(a: Any, b: Any) -> float:
    """‖a - b‖ / (‖a‖ + ‖b‖), and ‖a - b‖ itself below 1e-3."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a) + np.linalg.norm(b), 1e-3))


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    assert len(parts(actual)) == len(parts(expected))
    for a, b in zip(parts(actual), parts(expected), strict=True):
        assert relative(a, b) <= tolerance


def test_every_operation_has_a_case() -> None:
    assert {case.name for case in CASES} == set(ops.__all__)


@pytest.mark.parametrize("case", [c for c in CASES if c.numpy], ids=lambda c: c.id)
@examples(15)
@given(data=st.data())
def test_value_is_numpys(case: Case, data: st.DataObject) -> None:
    arrays, options = case.make(Maker(data.draw))
    actual, expected = case.call(*arrays, **options), case.numpy(*arrays, **options)
    for a, b in zip(parts(actual), parts(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


@every_differentiable_case
@examples(12)
@given(data=st.data())
def test_gradient_against_central_differences(case: Case, data: st.DataObject) -> None:
    arrays, options = case.make(Maker(data.draw))
    f = lambda *a: case.call(*a, **options)
    check = cr.check_gradient(added_up(f, weights_like(f(*arrays))), *arrays)
    assert check, f"{check}\n{options}"


@every_case
@examples(2)
@given(data=st.data())
def test_both_engines_and_jax_agree(case: Case, data: st.DataObject, x64: None) -> None:
    """Value and gradient: ours on NumPy, ours on JAX inside jit, and JAX's own of the same formula."""
    arrays, options = case.make(Maker(data.draw, FEW_SHAPES))
    ours, theirs = (lambda *a: case.call(*a, **options)), (lambda *a: case.jax(*a, **options))
    on_numpy = ours(*arrays)
    weights = weights_like(on_numpy)
    if case not in WITH_ARRAYS:
        assert_close(theirs(), on_numpy, 1e-14)
        return
    everything = tuple(range(len(arrays)))
    ours_1 = value_and_grad(added_up(ours, weights), everything)
    theirs_1 = jax.value_and_grad(added_up(theirs, weights, jnp.sum), everything)
    on_jax, (value, gradients), (jax_value, jax_gradients) = jax.jit(lambda *a: (ours(*a), ours_1(*a), theirs_1(*a)))(
        *arrays
    )
    numpy_value, numpy_gradients = ours_1(*arrays)
    assert_close(on_jax, on_numpy, 1e-13)
    assert_close([numpy_value, value], [jax_value, jax_value], 1e-13)
    if case.kind == "surrogate":
        jax_gradients = numpy_gradients
    assert_close(numpy_gradients, jax_gradients, 1e-10)
    assert_close(gradients, jax_gradients, 1e-10)


@every_case_with_arrays
@examples(3)
@given(data=st.data())
def test_float32_stays_float32(case: Case, data: st.DataObject, x64: None) -> None:
    """On both engines; on JAX also where float64 is allowed."""
    arrays, options = case.make(Maker(data.draw, FEW_SHAPES))
    if case.name == "astype":
        options = {"dtype": np.float32}
    f = lambda *a: case.call(*a, **options)
    small = [a.astype(np.float32) for a in arrays]
    weights = [w.astype(np.float32) for w in weights_like(f(*arrays))]
    both = lambda *a: (f(*a), value_and_grad(added_up(f, weights), tuple(range(len(a))))(*a)[1])
    on_numpy, on_jax = both(*small), jax.eval_shape(both, *small)
    for value, gradients in (on_numpy, on_jax):
        for part, exact in zip(parts(value), parts(f(*arrays)), strict=True):
            assert part.dtype == (np.float32 if exact.dtype == np.float64 else exact.dtype)
        for g, a in zip(gradients, small, strict=True):
            assert (g.dtype, g.shape) == (np.float32, a.shape)
    for part, exact in zip(parts(on_numpy[0]), parts(f(*arrays)), strict=True):
        np.testing.assert_allclose(part, exact, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("case", [c for c in WITH_ARRAYS if c.kind == "constant"], ids=lambda c: c.id)
@examples(3)
@given(data=st.data())
def test_no_gradient_flows_through_constants(case: Case, data: st.DataObject) -> None:
    arrays, options = case.make(Maker(data.draw))
    f = lambda *a: ops.sum(ops.astype(case.call(*a, **options), float) * 2.0)
    for g, a in zip(cr.grad(f, tuple(range(len(arrays))))(*arrays), arrays, strict=True):
        np.testing.assert_array_equal(g, np.zeros(a.shape))


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if c.second], ids=lambda c: c.id)
@examples(2)
@given(data=st.data())
def test_second_derivative_against_jax(case: Case, data: st.DataObject, x64: None) -> None:
    arrays, options = case.make(Maker(data.draw, FEW_SHAPES))
    ours, theirs = (lambda *a: case.call(*a, **options)), (lambda *a: case.jax(*a, **options))
    weights = weights_like(ours(*arrays))
    everything = tuple(range(len(arrays)))

    def of_gradient(f: Any, grad: Any, sum_of: Any) -> Any:
        gradient = grad(f, everything)
        return grad(added_up(gradient, weights_like(arrays), sum_of), everything)

    squared = lambda f: lambda *a: [part**2 for part in parts(f(*a))]  # so that linear operations have one too
    ours_2 = of_gradient(added_up(squared(ours), weights), cr.grad, ops.sum)
    theirs_2 = of_gradient(added_up(squared(theirs), weights, jnp.sum), jax.grad, jnp.sum)
    assert_close(ours_2(*arrays), jax.jit(theirs_2)(*arrays), 1e-10)


def test_step_units_have_the_straight_through_gradient() -> None:
    z = np.array([-2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0])
    inside = [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    np.testing.assert_array_equal(ops.step(z), [0, 0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(ops.sign_step(z), [-1, -1, -1, -1, 1, 1, 1])
    for f in (ops.step, ops.sign_step):
        np.testing.assert_array_equal(cr.grad(lambda z, f=f: f(z).sum())(z), inside)
        wide = cr.grad(lambda z, f=f: f(z, window=0.5).sum())(z)
        np.testing.assert_array_equal(wide, [0, 0, 1, 1, 1, 0, 0])


def test_ties_share_the_gradient() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    for f, chosen in ((ops.maximum, [0.5, 0, 1]), (ops.minimum, [0.5, 1, 0])):
        of_a, of_b = cr.grad(lambda a, b, f=f: f(a, b).sum(), (0, 1))(a, b)
        np.testing.assert_array_equal(of_a, chosen)
        np.testing.assert_array_equal(of_b, 1 - np.array(chosen))
    x = np.array([[3.0, 3.0, 1.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(cr.grad(lambda x: x.max(axis=1).sum())(x), [[0.5, 0.5, 0], [1 / 3] * 3])
    np.testing.assert_allclose(cr.grad(lambda x: x.min(axis=1).sum())(x), [[0, 0, 1], [1 / 3] * 3])
    image = np.array([1.0, 1.0, 0.0, 1.0]).reshape(1, 2, 2, 1)
    first = cr.grad(lambda x: ops.max_pool2d(x).sum())(image)
    np.testing.assert_allclose(first.ravel(), [1, 0, 0, 0])


def test_kinks_take_a_documented_side() -> None:
    gradient_at_0 = lambda f: cr.grad(f)(0.0)
    assert gradient_at_0(ops.relu) == 0.0
    assert gradient_at_0(ops.relu6) == 0.0
    assert gradient_at_0(ops.absolute) == 0.0
    assert gradient_at_0(lambda z: np.maximum(z, 0.0)) == 0.5
    assert gradient_at_0(lambda z: ops.leaky_relu(z, 0.1)) == pytest.approx(0.1)
    assert gradient_at_0(lambda z: ops.clip(z, 0.0, 1.0)) == 1.0


@pytest.mark.parametrize("z", [-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4])
def test_large_values_neither_overflow_nor_lose_the_gradient(z: float) -> None:
    """With warnings as errors. The gradients are those that the formulas have in the limit."""
    for dtype in (np.float32, np.float64):
        x = np.array([z, 0.0], dtype)
        t = np.array([0.25, 0.75], dtype)
        a = cr.grad(ops.softmax_cross_entropy)(x, t)
        np.testing.assert_allclose(a, ops.softmax(x) - t, rtol=1e-6)
        delta = cr.grad(lambda x, t: ops.sigmoid_cross_entropy(x, t).sum())(x, t)
        np.testing.assert_allclose(delta, ops.sigmoid(x) - t, rtol=1e-6)
        for f in (ops.sigmoid, ops.softplus, ops.elu, ops.selu, ops.silu, ops.mish, ops.gelu, ops.logsumexp):
            gradient = cr.grad(lambda x, f=f: f(x).sum())(x)
            assert np.isfinite(gradient).all(), f
            limit = {"sigmoid": 0.0}.get(f.__name__, 1.0 if z > 0 else 0.0)
            if abs(z) >= 800:
                scale = 1.0507009873554805 if f is ops.selu else 1.0
                assert gradient[0] == pytest.approx(scale * limit, abs=1e-6)


def test_batch_norm_returns_the_statistics_of_the_batch() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 2))
    y, mean, variance = ops.batch_norm(x, np.ones(2), np.zeros(2), eps=0.0)
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)))
    np.testing.assert_allclose(variance, x.var((0, 1, 2)))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1)


def test_shape_errors_say_what_was_expected() -> None:
    image = np.ones((1, 4, 4, 2))
    with pytest.raises(cr.errors.ShapeError, match="same number of channels"):
        ops.conv2d(image, np.ones((3, 3, 1, 5)))
    with pytest.raises(cr.errors.ShapeError, match="does not fit"):
        ops.conv2d(image, np.ones((5, 5, 2, 1)), padding="valid")
    with pytest.raises(cr.errors.ShapeError, match="does not fit"):
        ops.max_pool2d(image, 5, padding="valid")
    with pytest.raises(cr.errors.ShapeError, match=r"batch, height, width, channels"):
        ops.avg_pool2d(np.ones((4, 4)))
    with pytest.raises(cr.errors.ShapeError, match=r"a has 3, .* b has 4"):
        ops.matmul(np.ones((2, 3)), np.ones((4, 2)))
    with pytest.raises(cr.errors.ShapeError, match="must be even"):
        ops.glu(np.ones((2, 3)))
    with pytest.raises(cr.errors.ShapeError, match="3 equal parts"):
        ops.split(np.ones(4), 3)
    with pytest.raises(cr.errors.GradientError, match="write the output"):
        ops.einsum("ij,jk", np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(cr.errors.GradientError, match="mode='constant'"):
        ops.pad(np.ones(2), 1, mode="reflect")
