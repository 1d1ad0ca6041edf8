"""`grad` and `value_and_grad`: nesting, several arguments, shared and unused inputs, threads, deep graphs."""

from __future__ import annotations

import gc
import threading
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.backprop import primitive
from chainrule.backprop.tensor import Tensor, context
from chainrule.errors import GradientError


class Line(NamedTuple):
    slope: Any
    offset: Any


def test_the_lectures_graph() -> None:
    f = lambda x, y, z: (x + y) * (y - z)
    assert cr.value_and_grad(f, argnums=(0, 1, 2))(2.0, 1.0, 0.0) == (3.0, (1.0, 4.0, -3.0))


def test_gradients_have_the_nesting_of_the_argument() -> None:
    params = {"a": [np.array([1.0, 2.0]), (3.0,)], "line": Line(np.ones((2, 2)), 0.5), "none": None, "empty": []}

    def f(p: Any) -> Any:
        line = p["line"]
        return (p["a"][0] * p["a"][1][0]).sum() + line.slope.sum() * line.offset

    g = cr.grad(f)(params)
    assert type(g["line"]) is Line
    np.testing.assert_array_equal(g["a"][0], [3.0, 3.0])
    assert g["a"][1] == (3.0,)
    np.testing.assert_array_equal(g["line"].slope, np.full((2, 2), 0.5))
    assert g["line"].offset == 4.0
    assert g["none"] is None
    assert g["empty"] == []


def test_argnums_choose_arguments() -> None:
    f = lambda a, b, c: a * b**2 * c**3
    assert cr.grad(f, 1)(1.0, 2.0, 3.0) == 108.0
    assert cr.grad(f, -1)(1.0, 2.0, 3.0) == 108.0
    assert cr.grad(f, (2, 0))(1.0, 2.0, 3.0) == (108.0, 108.0)
    assert cr.grad(f, [0])(1.0, 2.0, 3.0) == (108.0,)
    assert cr.grad(lambda a, *, k: a * k)(2.0, k=5.0) == 5.0


def test_has_aux_returns_plain_values() -> None:
    def f(w: Any) -> Any:
        hidden = np.tanh(w)
        return hidden.sum(), {"hidden": hidden, "fixed": 3, "text": "as it is"}

    w = np.array([0.5, -0.5])
    (value, aux), gradient = cr.value_and_grad(f, has_aux=True)(w)
    assert value == pytest.approx(0.0)
    np.testing.assert_array_equal(aux["hidden"], np.tanh(w))
    assert type(aux["hidden"]) is np.ndarray
    assert (aux["fixed"], aux["text"]) == (3, "as it is")
    only, again = cr.grad(f, has_aux=True)(w)
    np.testing.assert_array_equal(only, gradient)
    assert set(again) == set(aux)
    with pytest.raises(GradientError, match="a pair"):
        cr.grad(lambda w: w.sum(), has_aux=True)(w)


def test_numbers_stay_numbers_and_integers_count_as_numbers() -> None:
    value, gradient = cr.value_and_grad(lambda x: np.exp(x) * 0 + x * x)(3)
    assert (value, gradient) == (9.0, 6.0)
    assert type(value) is float
    assert type(gradient) is float


def test_no_path_gives_zeros_in_shape_and_type() -> None:
    unused, number, used = cr.grad(lambda a, b, c: c * c, (0, 1, 2))(np.ones((2, 3), np.float32), 1.0, 2.0)
    np.testing.assert_array_equal(unused, np.zeros((2, 3), np.float32))
    assert unused.dtype == np.float32
    assert (number, used) == (0.0, 4.0)
    np.testing.assert_array_equal(cr.grad(lambda a: 5.0)(np.ones(2)), [0, 0])
    np.testing.assert_array_equal(cr.grad(lambda a: ops.stop_gradient(a).sum())(np.ones(2)), [0, 0])
    np.testing.assert_array_equal(cr.grad(lambda a: (a.astype(int) * 1.5).sum())(np.ones(2)), [0, 0])


def test_gradients_of_all_uses_add_up() -> None:
    assert cr.grad(lambda x: x * x + 3 * x + np.sin(x) * x)(0.0) == 3.0
    w = np.array([2.0, 3.0])
    np.testing.assert_array_equal(cr.grad(lambda p: (p["a"] * p["b"]).sum())({"a": w, "b": w})["a"], w)
    shared = cr.grad(lambda w: (w * w).sum() + w[0])(w)
    np.testing.assert_array_equal(shared, [5.0, 6.0])


def test_a_second_call_gives_the_same_result() -> None:
    f = cr.value_and_grad(lambda w: np.sum(np.tanh(w) ** 2))
    w = np.linspace(-1, 1, 7)
    (v1, g1), (v2, g2) = f(w), f(w)
    assert v1 == v2
    np.testing.assert_array_equal(g1, g2)


def test_gradients_can_be_changed_in_place() -> None:
    """They share memory with nothing: not with each other, not with the arguments."""
    a, b = np.ones(3), np.ones(3)
    for f in (lambda a, b: np.sum((a + b) ** 2), lambda a, b: np.sum(a + b), lambda a, b: np.sum(a * b)):
        of_a, of_b = cr.grad(f, (0, 1))(a, b)
        before = of_b.copy()
        of_a += 100.0
        np.testing.assert_array_equal(of_b, before)
        np.testing.assert_array_equal(a, np.ones(3))
    cr.grad(lambda a: a.reshape(3, 1).sum())(a)[:] = 5.0


def test_arguments_are_not_changed() -> None:
    w = np.array([1.0, -2.0])
    params = {"w": w}
    cr.grad(lambda p: np.sum(np.exp(p["w"])))(params)
    assert params["w"] is w
    np.testing.assert_array_equal(w, [1.0, -2.0])


def test_gradients_of_micro_batches_add_up_to_that_of_the_whole_batch() -> None:
    """Lecture 004's Δ ← Δ + a·δ."""
    r = np.random.default_rng(0)
    x, y, w = r.normal(size=(12, 3)), r.normal(size=(12, 2)), r.normal(size=(3, 2))
    cost = lambda w, x, y: np.sum((np.tanh(x @ w) - y) ** 2)
    parts = [cr.grad(cost)(w, x[i : i + 4], y[i : i + 4]) for i in (0, 4, 8)]
    np.testing.assert_allclose(sum(parts), cr.grad(cost)(w, x, y), rtol=1e-12)


# --- nested derivatives ---------------------------------------------------------------------------------------


def test_derivatives_of_derivatives() -> None:
    f = lambda x: x**4
    for order, expected in enumerate([32.0, 48.0, 48.0, 24.0, 0.0], start=1):
        f = cr.grad(f)
        assert f(2.0) == expected, order


def test_inner_and_outer_gradients_are_not_confused() -> None:
    # d/dx [x · d/dy (x + y)] = 1, not 2 (Siskind and Pearlmutter, 2005).
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert cr.grad(lambda x: cr.grad(lambda y: x * y * y)(3.0))(2.0) == 6.0
    assert cr.grad(lambda x: cr.grad(lambda y: y * y)(x))(5.0) == 2.0
    assert cr.grad(lambda x: cr.grad(lambda y: 2.0 * x)(3.0) + x)(5.0) == 1.0


def test_hessian_row_by_row() -> None:
    a = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 1.0]])
    gradient = cr.grad(lambda x: 0.5 * x @ a @ x)
    rows = [cr.grad(lambda x, i=i: gradient(x)[i])(np.array([1.0, 2.0, 3.0])) for i in range(3)]
    np.testing.assert_allclose(rows, a)


def test_a_gradient_penalty_trains() -> None:
    """The gradient of a gradient's norm, through a network with every kind of layer's operation."""

    def network(w: Any, x: Any) -> Any:
        return np.tanh(ops.max_pool2d(ops.conv2d(x, w))).mean()

    x = np.random.default_rng(0).normal(size=(2, 4, 4, 1))
    w = np.random.default_rng(1).normal(size=(3, 3, 1, 2))
    check = cr.check_gradient(lambda w: np.sum(cr.grad(network)(w, x) ** 2), w)
    assert check, check


# --- data types -----------------------------------------------------------------------------------------------


def test_parameters_keep_their_data_type() -> None:
    params = {"w": np.ones((3, 2), np.float32), "b": np.zeros(2, np.float64), "scale": np.float32(2.0)}
    x = np.random.default_rng(0).normal(size=(5, 3))  # float64 data
    g = cr.grad(lambda p: np.sum(np.tanh(x @ p["w"] + p["b"]) * p["scale"]))(params)
    assert (g["w"].dtype, g["b"].dtype, g["scale"].dtype) == (np.float32, np.float64, np.float32)


def test_half_precision_is_kept() -> None:
    g = cr.grad(lambda w: np.sum(np.exp(w)))(np.ones(3, np.float16))
    assert g.dtype == np.float16


# --- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "args", "message"),
    [
        (lambda x: x, (np.ones(3),), r"returned shape \(3,\).*np\.sum"),
        (lambda x: "text", (1.0,), "must return a number"),
        (lambda x: x, (np.ones(3, int),), r"argument 0 contains an array of int64.*astype"),
        (lambda x: x, ("text",), "argument 0 contains 'text'"),
        (lambda x: x, (True,), "argument 0 contains True"),
        (lambda x: x["a"], ({"a": 1.0, "b": [np.array([1j])]},), "complex"),
    ],
)
def test_what_has_no_gradient_is_an_error(f: Any, args: Any, message: str) -> None:
    with pytest.raises(GradientError, match=message):
        cr.grad(f)(*args)


@pytest.mark.parametrize(("argnums", "message"), [(1, "asks for argument 1"), (-2, "asks for argument -2")])
def test_an_argument_that_is_not_there(argnums: int, message: str) -> None:
    with pytest.raises(GradientError, match=message):
        cr.grad(lambda x: x, argnums)(1.0)


def test_an_error_inside_leaves_no_trace() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            cr.grad(fails)(1.0)
        with pytest.raises(KeyError, match="mine"):
            cr.grad(lambda x: cr.grad(fails)(x))(1.0)
        assert context.level == 0
    assert cr.grad(cr.grad(lambda x: x**3))(2.0) == 12.0


# --- threads and depth ----------------------------------------------------------------------------------------


def test_threads_do_not_disturb_each_other() -> None:
    results: dict[int, float] = {}
    start = threading.Barrier(8)

    def work(i: int) -> None:
        start.wait()
        f = lambda x: cr.grad(lambda y: x * y**3)(2.0) + sum(np.sin(x * k) for k in range(20))
        results[i] = [cr.grad(f)(float(i)) for _ in range(20)][-1]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(8):
        assert results[i] == pytest.approx(12.0 + sum(k * np.cos(i * k) for k in range(20)))
    assert context.level == 0


def test_deep_graphs_need_no_recursion() -> None:
    n = 50_000
    tensors = lambda: sum(isinstance(o, Tensor) for o in gc.get_objects())
    before = tensors()

    def f(x: Any) -> Any:
        for _ in range(n):
            x = x * 1.000001
        return x

    value, gradient = cr.value_and_grad(f)(2.0)
    assert gradient == pytest.approx(1.000001**n, rel=1e-9)
    assert value == pytest.approx(2.0 * gradient, rel=1e-9)
    assert tensors() <= before, "the graph outlived its gradient"


def test_wide_graphs_sum_every_use() -> None:
    assert cr.grad(lambda x: sum(x * float(i) for i in range(2_000)))(1.0) == sum(range(2_000))


# --- primitives of one's own ----------------------------------------------------------------------------------


def test_a_primitive_of_ones_own() -> None:
    @primitive
    def cube(xp: Any, x: Any) -> Any:
        return x * x * x

    cube.derivatives(lambda y, x: 3 * x * x)
    assert cr.grad(cube)(2.0) == 12.0
    assert cr.grad(cr.grad(cube))(2.0) == 12.0

    @primitive
    def scaled(xp: Any, x: Any, *, by: float) -> Any:
        return x * by

    assert cr.grad(lambda x: scaled(x, by=3.0))(2.0) == 0.0  # without rules it is a constant
    scaled.gradients(lambda g, y, x, *, by: scaled(g, by=by))
    assert cr.grad(lambda x: scaled(x, by=3.0))(2.0) == 3.0
    assert repr(scaled) == "<primitive scaled>"


class TestInPlace:
    """A name on the left of += gets a new tensor; where NumPy would give another result, that is an error."""

    x = np.array([1.0, 2.0, 3.0])

    def test_names_that_are_used_alone_are_right(self) -> None:
        def f(x: Any) -> Any:
            total = 0.0
            x += 1
            x *= x
            for value in x:
                total += value
            twice = total
            twice += total  # numbers: NumPy does not change these either
            return total + twice

        np.testing.assert_allclose(cr.grad(f)(self.x), 6 * (self.x + 1))
        assert self.x.tolist() == [1.0, 2.0, 3.0]

    @pytest.mark.parametrize("change", ["+=", "-=", "*=", "/=", "**=", "@="])
    def test_another_name_for_what_was_changed(self, change: str) -> None:
        def f(x: Any) -> Any:
            y = x
            other = np.ones((3, 3)) if change == "@=" else 2.0
            match change:
                case "+=":
                    y += other
                case "-=":
                    y -= other
                case "*=":
                    y *= other
                case "/=":
                    y /= other
                case "**=":
                    y **= other
                case "@=":
                    y @= other
            return (x * y).sum()

        with pytest.raises(GradientError, match=r"in place .* another name"):
            cr.grad(f)(self.x)
        assert cr.grad(lambda x: (x * x).sum())(self.x).tolist() == [2.0, 4.0, 6.0]  # nothing is remembered

    def test_plain_arrays_take_in_no_traced_value(self) -> None:
        def number(x: Any) -> Any:
            total = np.zeros(3)
            total[0] = x[0]
            return total.sum()

        def array(x: Any) -> Any:
            total = np.zeros(3)
            total += x
            return total.sum()

        for f in (number, array):
            with pytest.raises(GradientError, match="cannot be written into a plain array"):
                cr.grad(f)(self.x)
