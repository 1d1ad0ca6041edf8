"""Initializers: how the weights start.

Equal weights make equal neurons, which get equal gradients and stay equal: a layer of zeros has one effective
neuron (lectures 000, 004). Too small weights let the signal vanish from layer to layer, too large ones
saturate the neurons (lecture 002). Between them lies a variance that fits the fan-in (the number of inputs
of a neuron, n_in), the fan-out (of its outputs, n_out) and the activation; ``init="auto"`` takes the one
the activation names.

The lectures disagree about names. Here each name has its standard meaning, with N(mean, variance):

=================  ===========================  ==================================================================
name               weights                      in the lectures
=================  ===========================  ==================================================================
glorot_uniform     U(±√(6/(n_in + n_out)))      "Xavier", which 000 prints as N(0, 6/(n_in + n_out)): three times
                                                the variance 2/(n_in + n_out) of Glorot and Bengio (2010)
lecun_normal       N(0, 1/n_in)                 003 gives it as the better initialization and cites Glorot and
                                                Bengio; Nielsen's "1/√n weights"
he_normal          N(0, 2/n_in)                 000, and 003 as N(0, 1/(n_in/2)), for ReLU
normal             N(0, 1)                      003's "ad-hoc" initialization
=================  ===========================  ==================================================================
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import activations, random
from chainrule.errors import SettingError, ShapeError
from chainrule.memory import check_numbers
from chainrule.settings import Settings, check_number, find

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Normal",
    "Ones",
    "Orthogonal",
    "TruncatedNormal",
    "Uniform",
    "Zeros",
    "get",
    "shapes_only",
]

Array = Any

_shapes_only: ContextVar[bool] = ContextVar("shapes_only", default=False)


class Initializer(Settings, family="initializer"):
    """Base of the initializers: called with a random key, a shape and the fans, it returns float64 weights.

    A new one is a frozen dataclass with this ``__call__``. The same key gives the same weights.

    Example
    -------
    >>> import chainrule as cr
    >>> weights = cr.initializers.HeNormal()(cr.random.key(0), (784, 30), fan_in=784, fan_out=30)
    >>> weights.shape, round(float(weights.std() * (784 / 2) ** 0.5), 1)
    ((784, 30), 1.0)
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        """Return weights of a shape, for neurons with ``fan_in`` inputs whose output goes to ``fan_out`` neurons."""
        raise NotImplementedError(f"{type(self).__name__} needs a __call__(self, key, shape, fan_in, fan_out).")


@dataclass(frozen=True)
class Zeros(Initializer):
    """All 0: right for biases, wrong for weights: all neurons of a layer then stay equal (lecture 000).

    >>> import chainrule as cr
    >>> cr.initializers.Zeros()(cr.random.key(0), (2,), fan_in=1, fan_out=2)
    array([0., 0.])
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _filled(shape, 0.0)


@dataclass(frozen=True)
class Ones(Initializer):
    """All 1: for factors, such as the γ of batch normalization.

    >>> import chainrule as cr
    >>> cr.initializers.Ones()(cr.random.key(0), (2,), fan_in=1, fan_out=2)
    array([1., 1.])
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _filled(shape, 1.0)


@dataclass(frozen=True)
class Constant(Initializer):
    """All ``value``: as `Zeros`, it leaves one effective neuron per layer (lecture 000).

    >>> import chainrule as cr
    >>> cr.initializers.Constant(0.5)(cr.random.key(0), (2,), fan_in=1, fan_out=2)
    array([0.5, 0.5])
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        check_number("Constant", "value", self.value, -math.inf)

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _filled(shape, self.value)


@dataclass(frozen=True)
class Normal(Initializer):
    """N(mean, std²), by default N(0, 1): lecture 003's "ad-hoc" one.

    The variance of z then grows with n_in, so that sigmoid neurons with many inputs start saturated.

    >>> import chainrule as cr
    >>> w = cr.initializers.Normal(std=0.1)(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.std()), 3)
    0.1
    """

    std: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_number("Normal", "std", self.std, 0.0)
        check_number("Normal", "mean", self.mean, -math.inf)

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return self.mean + self.std * random.normal(key, shape, np.float64)


@dataclass(frozen=True)
class Uniform(Initializer):
    """U(low, high): all values between two bounds are equally likely; variance (high - low)²/12.

    >>> import chainrule as cr
    >>> w = cr.initializers.Uniform(-1.0, 1.0)(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.max()), 3)
    1.0
    """

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        check_number("Uniform", "low", self.low, -math.inf)
        check_number("Uniform", "high", self.high, -math.inf)
        if isinstance(self.low, int | float) and isinstance(self.high, int | float) and self.low > self.high:
            raise SettingError(f"Uniform: low must not be above high, got low={self.low}, high={self.high}.")

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return random.uniform(key, shape, self.low, self.high, np.float64)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """N(mean, std²) without what lies more than two standard deviations from the mean.

    ``std`` is that of the whole normal distribution; without its tails it is 0.8796·std.

    >>> import chainrule as cr
    >>> w = cr.initializers.TruncatedNormal()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.max()), 3)
    2.0
    """

    std: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_number("TruncatedNormal", "std", self.std, 0.0)
        check_number("TruncatedNormal", "mean", self.mean, -math.inf)

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        from scipy.special import ndtr, ndtri  # loaded on use: SciPy takes longer to import than NumPy

        fraction = random.uniform(key, shape, ndtr(-2.0), ndtr(2.0), np.float64)
        return self.mean + self.std * np.clip(ndtri(fraction), -2.0, 2.0)


@dataclass(frozen=True)
class LecunNormal(Initializer):
    """N(0, 1/n_in): z keeps the variance of the inputs. For SELU, and Nielsen's "1/√n" weights.

    Source: LeCun et al. (1998), "Efficient BackProp"; lecture 003.

    >>> import chainrule as cr
    >>> w = cr.initializers.LecunNormal()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.std()), 3)
    0.058
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _normal(key, shape, 1.0 / max(fan_in, 1))


@dataclass(frozen=True)
class LecunUniform(Initializer):
    """U(±√(3/n_in)): the variance 1/n_in of `LecunNormal`, without large values.

    >>> import chainrule as cr
    >>> w = cr.initializers.LecunUniform()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.max()), 3)
    0.1
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _uniform(key, shape, 1.0 / max(fan_in, 1))


@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """N(0, 2/(n_in + n_out)): a compromise between the signal forward and the gradient backward.

    Also called ``xavier_normal``. For sigmoid and tanh. Lecture 000 prints N(0, 6/(n_in + n_out)).

    Source: Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks".

    >>> import chainrule as cr
    >>> w = cr.initializers.GlorotNormal()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.std()), 3)
    0.058
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _normal(key, shape, 2.0 / max(fan_in + fan_out, 1))


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """U(±√(6/(n_in + n_out))), whose variance is 2/(n_in + n_out): the paper's own form of `GlorotNormal`.

    Also called ``xavier_uniform``. For sigmoid, tanh, softmax and linear layers.

    Source: Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks".

    >>> import chainrule as cr
    >>> w = cr.initializers.GlorotUniform()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.max()), 3)
    0.1
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _uniform(key, shape, 2.0 / max(fan_in + fan_out, 1))


@dataclass(frozen=True)
class HeNormal(Initializer):
    """N(0, 2/n_in): as `LecunNormal`, but ReLU passes only half of the signal's power on.

    Source: He et al. (2015), "Delving deep into rectifiers"; lectures 000, 003.

    >>> import chainrule as cr
    >>> w = cr.initializers.HeNormal()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.std()), 3)
    0.082
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _normal(key, shape, 2.0 / max(fan_in, 1))


@dataclass(frozen=True)
class HeUniform(Initializer):
    """U(±√(6/n_in)): the variance 2/n_in of `HeNormal`, without large values.

    >>> import chainrule as cr
    >>> w = cr.initializers.HeUniform()(cr.random.key(0), (300, 300), fan_in=300, fan_out=300)
    >>> round(float(w.max()), 3)
    0.141
    """

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return _uniform(key, shape, 2.0 / max(fan_in, 1))


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random orthogonal matrix times a gain: it turns the inputs without stretching them.

    The last axis is the columns and all others together the rows. The columns are orthonormal, or, if there
    are fewer rows than columns, the rows are.

    Source: Saxe, McClelland and Ganguli (2013), "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks".

    >>> import chainrule as cr
    >>> q = cr.initializers.Orthogonal()(cr.random.key(0), (5, 3), fan_in=5, fan_out=3)
    >>> abs(q.T @ q).round(12)
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("Orthogonal", "gain", self.gain, 0.0)

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        if len(shape) < 2:
            raise ShapeError(
                f"Orthogonal needs a matrix or a kernel, got shape {tuple(shape)}; use 'zeros' for biases."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = random.normal(key, (max(rows, columns), min(rows, columns)), np.float64)
        q, r = np.linalg.qr(tall)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes every orthogonal matrix equally likely
        return self.gain * (q if rows >= columns else q.T).reshape(tuple(shape))


Initializer.registry["xavier_normal"] = GlorotNormal
Initializer.registry["xavier_uniform"] = GlorotUniform


class _ShapeOnly(Initializer):
    """Zeros that take no memory."""

    def __call__(self, key: Array, shape: Sequence[int], fan_in: int, fan_out: int) -> Array:
        return np.broadcast_to(0.0, tuple(shape))


def get(initializer: Any, activation: Any = None) -> Initializer:
    """Return the initializer that was given: a name, a recipe, or ``"auto"`` for the one that fits the activation.

    >>> import chainrule as cr
    >>> cr.initializers.get("xavier_uniform"), cr.initializers.get("auto", "relu")
    (GlorotUniform(), HeNormal())
    """
    if isinstance(initializer, str) and initializer.strip().lower() == "auto":
        initializer = activations.get(activation).init
    initialize = find(Initializer, initializer)
    return _ShapeOnly() if _shapes_only.get() else initialize


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Draw no weights inside: `get` then gives zeros of the right shape, which take neither time nor memory.

    For a network whose weights come from elsewhere, such as a file; a layer is built as always otherwise.

    >>> import chainrule as cr
    >>> with cr.initializers.shapes_only():
    ...     params, _, _ = cr.Dense(100_000).build(cr.random.key(0), (100_000,))
    >>> params["weight"].shape
    (100000, 100000)
    """
    token = _shapes_only.set(True)
    try:
        yield
    finally:
        _shapes_only.reset(token)


def _filled(shape: Sequence[int], value: float) -> Array:
    check_numbers(math.prod(shape))
    return np.full(shape, value, np.float64)


def _normal(key: Array, shape: Sequence[int], variance: float) -> Array:
    return math.sqrt(variance) * random.normal(key, shape, np.float64)


def _uniform(key: Array, shape: Sequence[int], variance: float) -> Array:
    bound = math.sqrt(3.0 * variance)  # U(-b, b) has variance b²/3
    return random.uniform(key, shape, -bound, bound, np.float64)
