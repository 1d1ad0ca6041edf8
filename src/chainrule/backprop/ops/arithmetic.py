"""Arithmetic, elementwise functions and comparisons, each with its local derivatives below it.

All broadcast as NumPy does. ``x, a, b`` are arguments and ``y`` is the result in every derivative.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.backprop.tensor import primitive, table
from chainrule.errors import GradientError

__all__ = [
    "absolute",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "equal",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "positive",
    "power",
    "reciprocal",
    "remainder",
    "rint",
    "round",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "where",
]

# --- arithmetic ---------------------------------------------------------------------------------------------


@primitive
def add(xp, a, b):
    """a + b."""
    return a + b


add.derivatives(lambda y, a, b: 1, lambda y, a, b: 1)


@primitive
def subtract(xp, a, b):
    """a - b."""
    return a - b


subtract.derivatives(lambda y, a, b: 1, lambda y, a, b: -1)


@primitive
def multiply(xp, a, b):
    """a · b; each factor's derivative is the other factor."""
    return a * b


multiply.derivatives(lambda y, a, b: b, lambda y, a, b: a)


@primitive
def divide(xp, a, b):
    """a / b; derivatives 1/b and -a/b²."""
    return xp.divide(a, b)


divide.derivatives(lambda y, a, b: 1.0 / b, lambda y, a, b: -y / b)


@primitive
def negative(xp, x):
    """-x."""
    return -x


negative.derivatives(lambda y, x: -1)


@primitive
def positive(xp, x):
    """+x."""
    return +x


positive.derivatives(lambda y, x: 1)


@primitive
def power(xp, a, b):
    """a to the power b; derivatives b·a^(b-1) and a^b·ln a (0 where a ≤ 0: there is no real derivative)."""
    return a**b if hasattr(a, "dtype") else xp.power(a, b)  # a**2 of an array has a short cut


def _less_one(b):
    """b - 1; but 1 where b is 0, for there the derivative is 0, also at a = 0."""
    if isinstance(b, int | float):
        return b - 1 if b != 0 else 1
    return where(equal(b, 0), 1.0, b - 1.0)


power.derivatives(
    lambda y, a, b: b * power(a, _less_one(b)),
    lambda y, a, b: where(a > 0, y * log(where(a > 0, a, 1.0)), 0.0),
)


@primitive
def square(xp, x):
    """x²; derivative 2x."""
    return x * x


square.derivatives(lambda y, x: 2.0 * x)


@primitive
def reciprocal(xp, x):
    """1/x; derivative -1/x²."""
    return 1.0 / x


reciprocal.derivatives(lambda y, x: -y * y)


@primitive
def sqrt(xp, x):
    """√x; derivative 1/(2√x)."""
    return xp.sqrt(x)


sqrt.derivatives(lambda y, x: 0.5 / y)


@primitive
def cbrt(xp, x):
    """Cube root; derivative 1/(3y²)."""
    return xp.cbrt(x)


cbrt.derivatives(lambda y, x: 1.0 / (3.0 * y * y))


@primitive
def absolute(xp, x):
    """|x|; derivative sign(x), 0 at 0."""
    return xp.abs(x)


absolute.derivatives(lambda y, x: sign(x))


@primitive
def hypot(xp, a, b):
    """√(a² + b²); derivatives a/y and b/y."""
    return xp.hypot(a, b)


hypot.derivatives(lambda y, a, b: a / y, lambda y, a, b: b / y)

# --- exponentials and logarithms ----------------------------------------------------------------------------


@primitive
def exp(xp, x):
    """e^x, its own derivative."""
    return xp.exp(x)


exp.derivatives(lambda y, x: y)


@primitive
def exp2(xp, x):
    """2^x; derivative 2^x·ln 2."""
    return xp.exp2(x)


exp2.derivatives(lambda y, x: y * math.log(2.0))


@primitive
def expm1(xp, x):
    """e^x - 1, exact near 0; derivative e^x."""
    return xp.expm1(x)


expm1.derivatives(lambda y, x: y + 1.0)


@primitive
def log(xp, x):
    """ln x; derivative 1/x."""
    return xp.log(x)


log.derivatives(lambda y, x: 1.0 / x)


@primitive
def log2(xp, x):
    """log₂ x; derivative 1/(x ln 2)."""
    return xp.log2(x)


log2.derivatives(lambda y, x: 1.0 / (x * math.log(2.0)))


@primitive
def log10(xp, x):
    """log₁₀ x; derivative 1/(x ln 10)."""
    return xp.log10(x)


log10.derivatives(lambda y, x: 1.0 / (x * math.log(10.0)))


@primitive
def log1p(xp, x):
    """ln(1 + x), exact near 0; derivative 1/(1 + x)."""
    return xp.log1p(x)


log1p.derivatives(lambda y, x: 1.0 / (1.0 + x))


@primitive
def logaddexp(xp, a, b):
    """ln(e^a + e^b) without overflow; derivatives e^(a-y) and e^(b-y)."""
    return xp.logaddexp(a, b)


logaddexp.derivatives(lambda y, a, b: exp(a - y), lambda y, a, b: exp(b - y))


@primitive
def erf(xp, x):
    """The error function 2/√π ∫₀ˣ e^(-t²) dt; derivative 2/√π · e^(-x²)."""
    if xp is np:
        from scipy.special import erf as scipy_erf  # loaded on use: SciPy takes longer to import than NumPy

        return scipy_erf(x)
    from jax.scipy.special import erf as jax_erf

    return jax_erf(x)


erf.derivatives(lambda y, x: 2.0 / math.sqrt(math.pi) * exp(-x * x))

# --- trigonometric and hyperbolic functions -----------------------------------------------------------------


@primitive
def sin(xp, x):
    """sin x; derivative cos x."""
    return xp.sin(x)


sin.derivatives(lambda y, x: cos(x))


@primitive
def cos(xp, x):
    """cos x; derivative -sin x."""
    return xp.cos(x)


cos.derivatives(lambda y, x: -sin(x))


@primitive
def tan(xp, x):
    """tan x; derivative 1 + tan² x."""
    return xp.tan(x)


tan.derivatives(lambda y, x: 1.0 + y * y)


@primitive
def arcsin(xp, x):
    """arcsin x; derivative 1/√(1 - x²)."""
    return xp.arcsin(x)


arcsin.derivatives(lambda y, x: 1.0 / sqrt(1.0 - x * x))


@primitive
def arccos(xp, x):
    """arccos x; derivative -1/√(1 - x²)."""
    return xp.arccos(x)


arccos.derivatives(lambda y, x: -1.0 / sqrt(1.0 - x * x))


@primitive
def arctan(xp, x):
    """arctan x; derivative 1/(1 + x²)."""
    return xp.arctan(x)


arctan.derivatives(lambda y, x: 1.0 / (1.0 + x * x))


@primitive
def arctan2(xp, a, b):
    """The angle of the point (b, a); derivatives b/(a² + b²) and -a/(a² + b²)."""
    return xp.arctan2(a, b)


arctan2.derivatives(lambda y, a, b: b / (a * a + b * b), lambda y, a, b: -a / (a * a + b * b))


@primitive
def sinh(xp, x):
    """sinh x; derivative cosh x."""
    return xp.sinh(x)


sinh.derivatives(lambda y, x: cosh(x))


@primitive
def cosh(xp, x):
    """cosh x; derivative sinh x."""
    return xp.cosh(x)


cosh.derivatives(lambda y, x: sinh(x))


@primitive
def tanh(xp, x):
    """tanh x; derivative 1 - tanh² x."""
    return xp.tanh(x)


tanh.derivatives(lambda y, x: 1.0 - y * y)


@primitive
def arcsinh(xp, x):
    """arsinh x; derivative 1/√(x² + 1)."""
    return xp.arcsinh(x)


arcsinh.derivatives(lambda y, x: 1.0 / sqrt(x * x + 1.0))


@primitive
def arccosh(xp, x):
    """arcosh x; derivative 1/√(x² - 1)."""
    return xp.arccosh(x)


arccosh.derivatives(lambda y, x: 1.0 / sqrt(x * x - 1.0))


@primitive
def arctanh(xp, x):
    """artanh x; derivative 1/(1 - x²)."""
    return xp.arctanh(x)


arctanh.derivatives(lambda y, x: 1.0 / (1.0 - x * x))

# --- choosing -----------------------------------------------------------------------------------------------


@primitive
def maximum(xp, a, b):
    """The larger value; its derivative is 1 (where both are equal, ½ each)."""
    return xp.maximum(a, b)


maximum.derivatives(lambda y, a, b: _chosen(y, a, b, greater), lambda y, a, b: _chosen(y, b, a, greater))


@primitive
def minimum(xp, a, b):
    """The smaller value; its derivative is 1 (where both are equal, ½ each)."""
    return xp.minimum(a, b)


minimum.derivatives(lambda y, a, b: _chosen(y, a, b, less), lambda y, a, b: _chosen(y, b, a, less))


# Never by comparison with the result: a compiled program may compute an argument anew, with another rounding, and
# where none equals the result the gradient would be lost.


def _chosen(y, this, other, wins):
    return where(equal(this, other), 0.5, table["ones_like"](y) * wins(this, other))


@primitive
def where(xp, condition, a, b):
    """a where the condition holds, else b; the gradient goes to the chosen one."""
    return xp.where(condition, a, b)


where.derivatives(
    None,
    lambda y, condition, a, b: not_equal(condition, 0),
    lambda y, condition, a, b: equal(condition, 0),
)


@primitive
def _clip(xp, x, low, high):
    return xp.clip(x, low, high)


def _inside(x, low, high):
    above = True if low is None else greater_equal(x, low)
    return above if high is None else logical_and(above, less_equal(x, high))


_clip.derivatives(
    lambda y, x, low, high: _inside(x, low, high),
    lambda y, x, low, high: less(x, low),
    lambda y, x, low, high: greater(x, high),
)


def clip(x, low=None, high=None, *, min=None, max=None, a_min=None, a_max=None):
    """x limited to [low, high]; derivative 1 inside and at the limits, 0 outside (limits: the reverse).

    Either limit may be None. NumPy's names for them are taken as well.
    """
    lows = [v for v in (low, min, a_min) if v is not None]
    highs = [v for v in (high, max, a_max) if v is not None]
    if len(lows) > 1 or len(highs) > 1:
        raise GradientError("clip takes one lower and one upper limit: clip(x, low, high).")
    return _clip(x, *(lows or [None]), *(highs or [None]))


# --- constant almost everywhere: no gradient flows ----------------------------------------------------------


@primitive
def sign(xp, x):
    """-1, 0 or 1."""
    return xp.sign(x)


@primitive
def floor(xp, x):
    """The largest integer not above x."""
    return xp.floor(x)


@primitive
def ceil(xp, x):
    """The smallest integer not below x."""
    return xp.ceil(x)


@primitive
def rint(xp, x):
    """The nearest integer."""
    return xp.rint(x)


@primitive
def round(xp, x, decimals=0):
    """x rounded to a number of decimals."""
    return xp.round(x, decimals)


@primitive
def floor_divide(xp, a, b):
    """a // b."""
    return a // b


@primitive
def remainder(xp, a, b):
    """a modulo b; derivatives 1 and -⌊a/b⌋."""
    return xp.remainder(a, b)


remainder.derivatives(lambda y, a, b: 1, lambda y, a, b: -floor(a / b))


@primitive
def greater(xp, a, b):
    """a > b."""
    return a > b


@primitive
def greater_equal(xp, a, b):
    """a ≥ b."""
    return a >= b


@primitive
def less(xp, a, b):
    """a < b."""
    return a < b


@primitive
def less_equal(xp, a, b):
    """a ≤ b."""
    return a <= b


@primitive
def equal(xp, a, b):
    """a = b."""
    return xp.equal(a, b)


@primitive
def not_equal(xp, a, b):
    """a ≠ b."""
    return xp.not_equal(a, b)


@primitive
def logical_and(xp, a, b):
    """Both hold."""
    return xp.logical_and(a, b)


@primitive
def logical_or(xp, a, b):
    """Either holds."""
    return xp.logical_or(a, b)


@primitive
def logical_not(xp, x):
    """Does not hold."""
    return xp.logical_not(x)


@primitive
def isnan(xp, x):
    """Is not a number."""
    return xp.isnan(x)


@primitive
def isfinite(xp, x):
    """Is neither infinite nor NaN."""
    return xp.isfinite(x)


@primitive
def isinf(xp, x):
    """Is infinite."""
    return xp.isinf(x)
