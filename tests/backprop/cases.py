"""The table of all operations: how to call each, on what, and what else computes the same.

Every name in ``cr.ops.__all__`` has at least one case, and every case is put under every test in test_ops.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from hypothesis import strategies as st
from jax import lax

from chainrule import ops

Array = Any


class Maker:
    """Makes shapes, arrays and settings from what Hypothesis draws."""

    def __init__(self, draw: Callable[[Any], Any], sides: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        self.draw = draw
        self.sides = sides
        self.generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def one_of(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def side(self, least: int = 0) -> int:
        return self.one_of(*(n for n in self.sides if n >= least))

    def shape(self, low: int = 0, high: int = 3, least: int = 0) -> tuple[int, ...]:
        return tuple(self.side(least) for _ in range(self.integer(low, high)))

    def array(self, shape: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> Array:
        return np.asarray(self.generator.uniform(low, high, shape))

    def away(self, shape: tuple[int, ...], low: float, high: float, *kinks: float) -> Array:
        """Values that keep a distance from points where the derivative jumps or has a pole."""
        x = self.array(shape, low, high)
        for kink in kinks:
            x = np.where(abs(x - kink) < 0.05, kink + 0.1, x)
        return x

    def distinct(self, *shapes: tuple[int, ...]) -> list[Array]:
        """Arrays in which no two values are closer than 0.06: no ties."""
        sizes = [math.prod(shape) for shape in shapes]
        values = (self.generator.permutation(sum(sizes)) - sum(sizes) / 2) * 0.07 + 0.013
        parts = np.split(values, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def broadcastable(self, n: int = 2) -> list[tuple[int, ...]]:
        """Shapes that broadcast against each other: some axes are 1, some first axes are missing."""
        full = self.shape(0, 3)
        shapes = []
        for _ in range(n):
            shape = tuple(1 if self.integer(0, 3) == 0 else side for side in full)
            shapes.append(shape[self.integer(0, len(full)) if self.integer(0, 2) == 0 else 0 :])
        return shapes

    def axis(self, ndim: int, none: bool = True, several: bool = True) -> Any:
        """None, a (perhaps negative) number, or a tuple."""
        options: list[Any] = [None] if none else []
        options += list(range(-ndim, ndim))
        if several and ndim > 1:
            options += [(0, -1), (1, 0), tuple(range(ndim)), (-1,)]
        return self.one_of(*options) if options else None

    def reduction(self, least: int = 0) -> tuple[tuple[int, ...], dict[str, Any]]:
        """A shape, and axis and keepdims for it; ``least`` is the length that reduced axes have."""
        shape = self.shape(0 if least < 2 else 1, 3)
        axis = self.axis(len(shape))
        reduced = range(len(shape)) if axis is None else [a % len(shape) for a in np.atleast_1d(axis)]
        shape = tuple(max(n, least) if i in reduced else n for i, n in enumerate(shape))
        return shape, {"axis": axis, "keepdims": self.flag()}


Made = tuple[list[Array], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One way to call an operation.

    ``make`` gives the arrays (which are differentiated) and the settings for it. ``jax`` is the same formula in
    jax.numpy, ``numpy`` NumPy's own function (or SciPy's), where there is one.
    """

    name: str
    make: Callable[[Maker], Made]
    jax: Callable[..., Any]
    numpy: Callable[..., Any] | None = None
    f: Callable[..., Any] | None = None
    label: str = ""
    second: bool = True  # the second derivative exists and is tested
    kind: str = "smooth"  # "constant": no gradient flows; "surrogate": not the derivative, on purpose

    @property
    def call(self) -> Callable[..., Any]:
        return self.f or getattr(ops, self.name)

    @property
    def id(self) -> str:
        return f"{self.name}-{self.label}" if self.label else self.name


CASES: list[Case] = []


def case(name: str, make: Callable[[Maker], Made], jax_f: Any = None, numpy_f: Any = None, **more: Any) -> None:
    """Add a case; the witnesses are by default the functions of that name in jax.numpy and NumPy."""
    numpy_f = getattr(np, name, None) if numpy_f is None else numpy_f or None
    CASES.append(Case(name, make, jax_f or getattr(jnp, name), numpy_f, **more))


# --- elementwise functions of one argument --------------------------------------------------------------------


def unary(name: str, low: float, high: float, *kinks: float, jax_f: Any = None, **more: Any) -> None:
    numpy_f = more.pop("numpy_f", None)
    case(name, lambda m: ([m.away(m.shape(), low, high, *kinks)], {}), jax_f, numpy_f, **more)


for _name in "sin cos tanh sinh cosh exp exp2 expm1 arctan arcsinh negative positive square".split():
    unary(_name, -1.4, 1.4)
for _name in "log log2 log10 sqrt".split():
    unary(_name, 0.3, 3.0)
unary("tan", -1.2, 1.2)
unary("log1p", -0.6, 2.0)
unary("arcsin", -0.9, 0.9)
unary("arccos", -0.9, 0.9)
unary("arctanh", -0.9, 0.9)
unary("arccosh", 1.3, 3.0)
unary("reciprocal", 0.4, 2.0)
unary("cbrt", 0.3, 2.0)
unary("cbrt", -2.0, -0.3, label="negative")
unary("absolute", -2.0, 2.0, 0.0, second=False)
unary("erf", -2.0, 2.0, jax_f=jax.scipy.special.erf, numpy_f=scipy.special.erf)

for _name in "sign floor ceil rint isnan isfinite isinf".split():
    unary(_name, -2.4, 2.4, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, kind="constant")
unary("logical_not", -1.0, 1.0, kind="constant")
case(
    "round",
    lambda m: ([m.array(m.shape(), -20, 20)], {"decimals": m.integer(-1, 2)}),
    kind="constant",
)

unary("linear", -2.0, 2.0, jax_f=lambda z: z, numpy_f=False)
unary("sigmoid", -5.0, 5.0, jax_f=jax.nn.sigmoid, numpy_f=scipy.special.expit)
unary("relu", -2.0, 2.0, 0.0, jax_f=jax.nn.relu, second=False)
unary("relu6", -3.0, 9.0, 0.0, 6.0, jax_f=jax.nn.relu6, second=False)
unary("selu", -2.0, 2.0, 0.0, jax_f=jax.nn.selu)
unary("softplus", -5.0, 5.0, jax_f=jax.nn.softplus, numpy_f=lambda z: np.logaddexp(z, 0.0))
unary("gelu", -3.0, 3.0, jax_f=lambda z: jax.nn.gelu(z, approximate=False))
unary("gelu_sigmoid", -3.0, 3.0, jax_f=lambda z: z * jax.nn.sigmoid(1.702 * z))
unary("silu", -3.0, 3.0, jax_f=jax.nn.silu)
unary("swish", -3.0, 3.0, jax_f=jax.nn.silu, label="plain")
unary("mish", -3.0, 3.0, jax_f=jax.nn.mish)
unary("hard_swish", -5.0, 5.0, -3.0, 3.0, jax_f=jax.nn.hard_swish, second=False)
unary("hard_sigmoid", -5.0, 5.0, -3.0, 3.0, jax_f=jax.nn.hard_sigmoid, second=False)
unary("leaky_relu", -2.0, 2.0, 0.0, jax_f=jax.nn.leaky_relu, second=False)
unary("elu", -2.0, 2.0, 0.0, jax_f=jax.nn.elu, label="plain")
unary("step", -2.0, 2.0, 0.0, jax_f=lambda z: jnp.heaviside(z, 0.0), kind="surrogate")
unary("sign_step", -2.0, 2.0, 0.0, jax_f=jnp.sign, kind="surrogate")
case(
    "glu",
    lambda m: ([m.array((*m.shape(0, 2), 2 * m.side()))], {}),
    lambda z: z[..., : z.shape[-1] // 2] * jax.nn.sigmoid(z[..., z.shape[-1] // 2 :]),
)

# --- elementwise functions of several arguments ---------------------------------------------------------------


def binary(name: str, a: tuple[float, float], b: tuple[float, float], **more: Any) -> None:
    def make(m: Maker) -> Made:
        of_a, of_b = m.broadcastable()
        return [m.array(of_a, *a), m.array(of_b, *b)], {}

    case(name, make, more.pop("jax_f", None), more.pop("numpy_f", None), **more)


for _name in "add subtract multiply logaddexp".split():
    binary(_name, (-2, 2), (-2, 2))
for _name in "greater greater_equal less less_equal equal not_equal logical_and logical_or".split():
    binary(_name, (-2, 2), (-2, 2), kind="constant")
binary("divide", (-2, 2), (0.4, 2))
binary("power", (0.4, 2), (-2, 2))
binary("hypot", (0.3, 2), (-2, -0.3))
binary("arctan2", (-2, 2), (0.3, 2))
binary("arctan2", (0.3, 2), (-2, 2), label="above")
for _exponent in (2, 3.0, 1, 0, -1, 0.5):
    unary(
        "power",
        0.4,
        2.0,
        jax_f=lambda x, p=_exponent: x**p,
        numpy_f=lambda x, p=_exponent: x**p,
        f=lambda x, p=_exponent: ops.power(x, p),
        label=f"to {_exponent}",
    )
unary("power", -2, 2, 0.0, jax_f=lambda x: x**3, numpy_f=lambda x: x**3, f=lambda x: x**3, label="cube")
unary(
    "power",
    -2,
    2,
    jax_f=lambda x: 2.0**x,
    numpy_f=lambda x: np.power(2.0, x),
    f=lambda x: 2.0**x,
    label="of a number",
)
binary(
    "swish",
    (-3, 3),
    (0.5, 1.5),
    jax_f=lambda z, b: z * jax.nn.sigmoid(b * z),
)


def _kinked(low: float) -> Callable[[Maker], Made]:
    def make(m: Maker) -> Made:
        of_z, of_s = m.broadcastable()
        return [m.away(of_z, -2, 2, 0.0), m.array(of_s, low, 1.5)], {}

    return make


case("leaky_relu", _kinked(0.0), jax.nn.leaky_relu, label="slope")
case("prelu", _kinked(0.0), jax.nn.leaky_relu)
case("elu", _kinked(0.5), lambda z, alpha: jnp.where(z > 0, z, alpha * jnp.expm1(z)))


def _apart(m: Maker) -> Made:
    return m.distinct(*m.broadcastable()), {}


case("maximum", _apart, second=False)
case("minimum", _apart, second=False)
case("floor_divide", _apart, kind="constant")


def _remainder(m: Maker) -> Made:
    of_a, of_b = m.broadcastable()
    b = m.array(of_b, 1.0, 1.2)
    a = m.generator.integers(-2, 3, of_a) + m.array(of_a, 0.45, 0.55)
    return [a * 1.1, b], {}  # a / b is not near an integer


case("remainder", _remainder, second=False)


def _where(m: Maker) -> Made:
    of_c, of_a, of_b = m.broadcastable(3)
    return [m.array(of_a), m.array(of_b)], {"condition": m.array(of_c) > 0}


case(
    "where",
    _where,
    lambda a, b, condition: jnp.where(condition, a, b),
    lambda a, b, condition: np.where(condition, a, b),
    f=lambda a, b, condition: ops.where(condition, a, b),
)


def _clip(m: Maker) -> Made:
    shapes = m.broadcastable(3)
    return [m.away(shapes[0], -2, 2, -1.0, 1.0), m.array(shapes[1], -1.02, -0.98), m.array(shapes[2], 0.98, 1.02)], {}


case("clip", _clip, second=False)
case(
    "clip",
    lambda m: ([m.away(m.shape(), -2, 2, 0.5)], m.one_of({"min": 0.5}, {"max": 0.5}, {"min": 0.5, "max": 9.0})),
    label="one limit",
    second=False,
)

# --- reductions -----------------------------------------------------------------------------------------------


def reduction(name: str, least: int, jax_f: Any = None, numpy_f: Any = None, **more: Any) -> None:
    low, high = more.pop("domain", (-2.0, 2.0))

    def make(m: Maker) -> Made:
        shape, settings = m.reduction(least)
        return [m.array(shape, low, high)], settings

    case(name, make, jax_f, numpy_f, **more)


reduction("sum", 0)
reduction("prod", 0)
reduction("mean", 1)
reduction("logsumexp", 1, jax.scipy.special.logsumexp, lambda x, **s: np.log(np.sum(np.exp(x), **s)))
reduction(
    "norm",
    1,
    lambda x, **s: jnp.sqrt(jnp.sum(x * x, **s)),
    lambda x, **s: np.sqrt(np.sum(x * x, **s)),
    domain=(0.5, 2.0),
)


def _distinct_reduction(least: int, ddof: bool = False) -> Callable[[Maker], Made]:
    def make(m: Maker) -> Made:
        shape, settings = m.reduction(least)
        return m.distinct(shape), settings | ({"ddof": m.integer(0, 1)} if ddof else {})

    return make


case("max", _distinct_reduction(1), second=False)
case("min", _distinct_reduction(1), second=False)
case("var", _distinct_reduction(2, ddof=True))
case("std", _distinct_reduction(2, ddof=True))
for _name in ("argmax", "argmin"):
    case(
        _name,
        lambda m: (
            m.distinct(shape := m.shape(1, 3, least=1)),
            {"axis": m.axis(len(shape), several=False), "keepdims": m.flag()},
        ),
        kind="constant",
    )
for _name in ("any", "all"):
    case(
        _name,
        lambda m: ([], (made := m.reduction())[1] | {"x": m.array(made[0]) > 0.5}),
        lambda x, _name=_name, **s: getattr(jnp, _name)(x, **s),
        lambda x, _name=_name, **s: getattr(np, _name)(x, **s),
        kind="constant",
    )
case("cumsum", lambda m: ([m.array(shape := m.shape(1, 3))], {"axis": m.axis(len(shape), several=False)}))


def _along(m: Maker) -> Made:
    shape = m.shape(1, 3, least=1)
    return [m.array(shape)], {"axis": m.axis(len(shape), none=False, several=False)}


case("softmax", _along, jax.nn.softmax, scipy.special.softmax)
case("log_softmax", _along, jax.nn.log_softmax, scipy.special.log_softmax)

# --- fused ----------------------------------------------------------------------------------------------------


def _logits(m: Maker) -> Made:
    shape = (*m.shape(0, 2), m.side(1))
    t = m.array(shape, 0.1, 1.0)
    return [m.array(shape, -4, 4), t / t.sum(-1, keepdims=True) * m.one_of(1.0, 1.5)], {}


case(
    "softmax_cross_entropy",
    _logits,
    lambda z, t: -jnp.sum(t * jax.nn.log_softmax(z), axis=-1),
    lambda z, t: -np.sum(t * scipy.special.log_softmax(z, axis=-1), axis=-1),
)
binary(
    "sigmoid_cross_entropy",
    (-4, 4),
    (0.1, 0.9),
    jax_f=lambda z, t: -t * jax.nn.log_sigmoid(z) - (1 - t) * jax.nn.log_sigmoid(-z),
    numpy_f=lambda z, t: -t * scipy.special.log_expit(z) - (1 - t) * scipy.special.log_expit(-z),
)


def _batch_norm(x: Array, gamma: Array, beta: Array, xp: Any = jnp) -> Array:
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axis=axes)) / xp.sqrt(x.var(axis=axes) + 1e-5) + beta


def _images_and_features(m: Maker) -> Made:
    features = m.side()
    shape = (*(m.side(1) for _ in range(m.integer(0, 2))), 2, features)
    return [*m.distinct(shape), m.array((features,)), m.array((features,))], {}


case(
    "batch_norm",
    _images_and_features,
    _batch_norm,
    lambda *a: _batch_norm(*a, xp=np),
    f=lambda x, gamma, beta: ops.batch_norm(x, gamma, beta)[0],
)
case("stop_gradient", lambda m: ([m.array(m.shape())], {}), lax.stop_gradient, kind="constant")
case("zeros_like", lambda m: ([m.array(m.shape())], {}), kind="constant")
case("ones_like", lambda m: ([m.array(m.shape())], {}), kind="constant")

# --- products -------------------------------------------------------------------------------------------------


def _matmul(m: Maker) -> Made:
    rows, inner, columns = m.side(), m.side(), m.side()
    batch_a, batch_b = m.broadcastable()
    kind = m.one_of("matrix", "batched", "row", "column", "both", "batched row")
    of_a, of_b = {
        "matrix": ((rows, inner), (inner, columns)),
        "batched": ((*batch_a[:2], rows, inner), (*batch_b[:2], inner, columns)),
        "row": ((inner,), (inner, columns)),
        "column": ((rows, inner), (inner,)),
        "both": ((inner,), (inner,)),
        "batched row": ((inner,), (2, inner, columns)),
    }[kind]
    if kind == "batched":  # cut from the left, the first axes need not match any more
        batch = np.broadcast_shapes(batch_a, batch_b)
        of_a, of_b = (*batch, rows, inner), (*(1 for _ in batch), inner, columns)
        of_a, of_b = (of_a, of_b) if m.flag() else ((*batch[1:], rows, inner), (*batch, inner, columns))
    return [m.array(of_a), m.array(of_b)], {}


def _dot(m: Maker) -> Made:
    n, k, inner = m.side(), m.side(), m.side()
    of_a, of_b = m.one_of(
        ((), (n,)), ((inner,), (inner,)), ((n, inner), (inner, k)), ((n, inner), (2, inner, k)), ((n, inner), (inner,))
    )
    return [m.array(of_a), m.array(of_b)], {}


def _tensordot(m: Maker) -> Made:
    a, b, c, d = (m.side() for _ in range(4))
    of_a, of_b, axes = m.one_of(
        ((a, b), (b, c), 1),
        ((a, b, c), (b, c, d), 2),
        ((a, b), (c,), 0),
        ((a, b, c), (c, a), ([0, 2], [1, 0])),
        ((a, b), (d, b), (1, 1)),
        ((a, b), (d, b), ([-1], [-1])),
    )
    return [m.array(of_a), m.array(of_b)], {"axes": axes}


def _einsum(m: Maker) -> Made:
    subscripts = m.one_of(
        "ij,jk->ik", "bij,jk->bik", "ij->ji", "ij->i", "i,j->ij", "i,i->", "bi,bj->ij", "ij,kj,k->i", "ijk->ik"
    )
    lengths = {c: m.side() for c in "ijkb"}
    return [m.array(tuple(lengths[c] for c in t)) for t in subscripts.split("->")[0].split(",")], {
        "subscripts": subscripts
    }


case("matmul", _matmul)
case("dot", _dot)
case("tensordot", _tensordot)
case("outer", lambda m: ([m.array(m.shape(0, 2)), m.array(m.shape(0, 2))], {}))
case(
    "einsum",
    _einsum,
    lambda *a, subscripts: jnp.einsum(subscripts, *a),
    lambda *a, subscripts: np.einsum(subscripts, *a),
    f=lambda *a, subscripts: ops.einsum(subscripts, *a),
)

# --- convolution and pooling ----------------------------------------------------------------------------------


def _padding(m: Maker, image: tuple[int, int], size: tuple[int, int], *others: Any) -> Any:
    """ "same", or another border with which the window fits into the image."""
    if any(k > n for k, n in zip(size, image, strict=True)):
        return "same"
    return m.one_of("same", "valid", *others)


def _conv2d(m: Maker) -> Made:
    size = m.integer(1, 3), m.integer(1, 3)
    stride = m.one_of(1, 2, (1, 2), (3, 1))
    dilation = m.one_of(1, 1, 2, (1, 2))
    image = m.integer(1, 7), m.integer(1, 6)
    channels, filters = m.integer(1, 2), m.integer(1, 3)
    x, w = m.array((m.integer(0, 2), *image, channels)), m.array((*size, channels, filters))
    extent = tuple((k - 1) * d + 1 for k, d in zip(size, _pair(dilation), strict=True))
    padding = _padding(m, image, extent, 1, ((0, 1), (size[1] - 1, 0)))
    return [x, w], {"stride": stride, "padding": padding, "dilation": dilation}


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _pairs(padding: Any) -> Any:
    if isinstance(padding, str):
        return padding.upper()
    return ((padding, padding), (padding, padding)) if isinstance(padding, int) else padding


def _jax_conv2d(x: Array, w: Array, stride: Any, padding: Any, dilation: Any) -> Array:
    return lax.conv_general_dilated(
        x, w, _pair(stride), _pairs(padding), rhs_dilation=_pair(dilation), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


case("conv2d", _conv2d, _jax_conv2d)


def _pool(m: Maker) -> Made:
    size = m.one_of(2, 3, (1, 2), (3, 2))
    border = ((0, _pair(size)[0] - 1), (_pair(size)[1] - 1, 0))
    image = m.integer(1, 6), m.integer(1, 6)
    return m.distinct((m.integer(0, 2), *image, m.integer(1, 2))), {
        "size": size,
        "stride": m.one_of(None, 1, 2, (2, 1)),
        "padding": _padding(m, image, _pair(size), border),
    }


def _jax_pool(x: Array, start: float, add: Any, size: Any, stride: Any, padding: Any) -> Array:
    size = _pair(size)
    stride = size if stride is None else _pair(stride)
    if not isinstance(padding, str):
        padding = ((0, 0), *padding, (0, 0))
    return lax.reduce_window(x, start, add, (1, *size, 1), (1, *stride, 1), _pairs(padding))


case("max_pool2d", _pool, lambda x, **s: _jax_pool(x, -jnp.inf, lax.max, **s), second=False)
case(
    "avg_pool2d",
    _pool,
    lambda x, **s: _jax_pool(x, 0.0, lax.add, **s) / _jax_pool(jnp.ones_like(x), 0.0, lax.add, **s),
)

# --- shapes ---------------------------------------------------------------------------------------------------


def _shaped(m: Maker, low: int = 0, high: int = 3, least: int = 0) -> tuple[Array, int]:
    shape = m.shape(low, high, least)
    return m.array(shape), len(shape)


def _reshape(m: Maker) -> Made:
    x, _ = _shaped(m)
    n = x.size
    shapes = [(n,), (1, n), n, (n, 1, 1)] + ([(-1,), -1, (1, -1)] if n else [(0, 2)])
    return [x], {"shape": m.one_of(*shapes)}


case("reshape", _reshape)


def _transpose(m: Maker) -> Made:
    x, n = _shaped(m)
    order = m.draw(st.permutations(range(n)))
    return [x], {"axes": m.one_of(None, tuple(order), tuple(a - n for a in order))}


def _swapaxes(m: Maker) -> Made:
    x, n = _shaped(m, 1)
    return [x], {"axis1": m.integer(-n, n - 1), "axis2": m.integer(-n, n - 1)}


def _moveaxis(m: Maker) -> Made:
    x, n = _shaped(m, 2)
    places = [((0, -1), (-1, 0)), (0, 1), (-1, 0), ((0,), (n - 1,)), ([0, 1], [1, 0])]
    source, destination = m.one_of(*places)
    return [x], {"source": source, "destination": destination}


def _expand_dims(m: Maker) -> Made:
    x, n = _shaped(m)
    return [x], {"axis": m.one_of(0, -1, n, (0, 1), (-1, 0), (0, n + 1))}


def _squeeze(m: Maker) -> Made:
    shape = (1, *m.shape(0, 2), 1)
    return [m.array(shape)], {"axis": m.one_of(None, 0, -1, (0, -1))}


def _broadcast_to(m: Maker) -> Made:
    full = m.shape()
    cut = tuple(1 if m.flag() else n for n in full)[m.integer(0, len(full)) :]
    return [m.array(cut)], {"shape": full}


case("transpose", _transpose)
case("swapaxes", _swapaxes)
case("moveaxis", _moveaxis)
case("expand_dims", _expand_dims)
case("squeeze", _squeeze)
case("broadcast_to", _broadcast_to)
for _name in ("ravel", "flatten"):
    case(_name, lambda m: ([_shaped(m)[0]], {}), jnp.ravel, np.ravel)
case(
    "astype",
    lambda m: ([_shaped(m)[0]], {"dtype": np.float64}),
    lambda x, dtype: x.astype(dtype),
    lambda x, dtype: x.astype(dtype),
)


def _joined(m: Maker, none: bool = True) -> Made:
    shape = m.shape(1, 3)
    axis = m.axis(len(shape), none=none, several=False)
    arrays = []
    for _ in range(m.integer(1, 3)):
        sizes = list(shape)
        sizes[axis or 0] = m.side()
        arrays.append(m.array(tuple(sizes)))
    return arrays, {"axis": axis}


def _stacked(m: Maker, low: int = 0) -> Made:
    shape = m.shape(low, 2)
    arrays = [m.array(shape) for _ in range(m.integer(1, 3))]
    return arrays, {"axis": m.integer(-len(shape) - 1, len(shape))}


def joined(name: str, make: Callable[[Maker], Made]) -> None:
    case(
        name,
        make,
        lambda *a, **s: getattr(jnp, name)(a, **s),
        lambda *a, **s: getattr(np, name)(a, **s),
        f=lambda *a, **s: getattr(ops, name)(a, **s),
    )


joined("concatenate", _joined)
joined("stack", _stacked)
joined("vstack", lambda m: (_stacked(m)[0], {}))
joined("hstack", lambda m: (_stacked(m)[0], {}))

# --- indexing -------------------------------------------------------------------------------------------------


def _index(m: Maker) -> Made:
    x = m.array((3, m.side(1), 4))
    key = m.one_of(
        0,
        -1,
        slice(None, None, -1),
        slice(1, 3),
        (slice(None), 0),
        (..., slice(0, 3, 2)),
        (None, 1),
        (slice(None), None, slice(None), -1),
        np.array([0, 2, 0]),
        [2, 2, 1],
        (np.array([[0], [2]]), 0, np.array([1, 1, 3])),
        np.array([True, False, True]),
        (..., np.array([0, 0, 3])),
        np.zeros(0, int),
        (),
    )
    return [x], {"key": key}


case(
    "index",
    _index,
    lambda x, key: x[np.array(key) if isinstance(key, list) else key],
    lambda x, key: x[key],
)


def _take(m: Maker) -> Made:
    axis = m.one_of(None, 0, 1, -1)
    return [m.array((3, 4, 3))], {"indices": m.one_of(1, np.array([2, 0, 2]), np.array([[1], [1]])), "axis": axis}


case("take", _take)


def _take_along_axis(m: Maker) -> Made:
    shape, axis = m.shape(1, 3, least=1), 0
    axis = m.integer(-len(shape), len(shape) - 1)
    wanted = list(shape)
    wanted[axis] = m.side()
    return [m.array(shape)], {"indices": m.generator.integers(0, shape[axis], wanted), "axis": axis}


case("take_along_axis", _take_along_axis)


def _gather(m: Maker) -> Made:
    shape = (*m.shape(0, 2), m.side(1))
    return [m.array(shape)], {"indices": m.generator.integers(0, shape[-1], shape[:-1])}


def _gathered(xp: Any) -> Callable[..., Any]:
    return lambda x, indices: xp.take_along_axis(x, indices[..., None], axis=-1)[..., 0]


case("gather", _gather, _gathered(jnp), _gathered(np))
case(
    "one_hot",
    lambda m: ([], {"labels": m.generator.integers(0, 3, m.shape()), "classes": 3}),
    lambda labels, classes: jax.nn.one_hot(labels, classes),
    lambda labels, classes: np.eye(classes)[labels],
    kind="constant",
)
for _name in ("diagonal", "trace"):
    case(_name, lambda m: ([m.array((m.side(), m.side()))], {}))


def _pad(m: Maker) -> Made:
    x, n = _shaped(m, 1)
    width = m.one_of(0, 1, 2, (1, 2), tuple((i, 1) for i in range(n)))
    return [x], {"pad_width": width, "constant_values": m.one_of(0.0, 2.5)}


case("pad", _pad)


def _flip(m: Maker) -> Made:
    x, n = _shaped(m)
    return [x], {"axis": m.axis(n)}


def _roll(m: Maker) -> Made:
    x, n = _shaped(m, 1)
    shift, axis = m.one_of((1, None), (-2, 0), (2, -1), ((1, 2), (0, n - 1)))
    return [x], {"shift": shift, "axis": axis}


def _repeat(m: Maker) -> Made:
    x, n = _shaped(m, 1)
    axis = m.axis(n, several=False)
    length = x.size if axis is None else x.shape[axis]
    return [x], {"repeats": m.one_of(0, 1, 3, m.generator.integers(0, 3, length)), "axis": axis}


def _tile(m: Maker) -> Made:
    return [_shaped(m)[0]], {"reps": m.one_of(2, (2,), (1, 3), (2, 1, 2), (0, 1), ())}


def _split(m: Maker) -> Made:
    axis, sections = m.one_of(0, -1), m.one_of(1, 2, [1], [1, 3], [0, 2])
    return [m.array((4, m.side(), 4))], {"sections": sections, "axis": axis}


case("flip", _flip)
case("roll", _roll)
case("repeat", _repeat)
case("tile", _tile)
case(
    "split",
    _split,
    lambda x, sections, axis: jnp.split(x, sections if isinstance(sections, int) else np.array(sections), axis),
    lambda x, sections, axis: np.split(x, sections, axis),
)
