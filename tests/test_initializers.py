"""Every initializer by its moments, its bounds, and what it does to a signal."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import activations, initializers, random
from chainrule.initializers import Initializer

IN, OUT = 400, 600
SHAPE = (IN, OUT)
CUT = 0.7737413  # the variance of N(0, 1) without what lies beyond ±2

#: name -> mean, variance, smallest and largest possible value for 400 inputs and 600 outputs
MOMENTS = {
    "constant": (0.0, 0.0, 0.0, 0.0),
    "glorot_normal": (0.0, 2 / 1000, -math.inf, math.inf),
    "glorot_uniform": (0.0, 2 / 1000, -math.sqrt(6 / 1000), math.sqrt(6 / 1000)),
    "he_normal": (0.0, 2 / 400, -math.inf, math.inf),
    "he_uniform": (0.0, 2 / 400, -math.sqrt(6 / 400), math.sqrt(6 / 400)),
    "lecun_normal": (0.0, 1 / 400, -math.inf, math.inf),
    "lecun_uniform": (0.0, 1 / 400, -math.sqrt(3 / 400), math.sqrt(3 / 400)),
    "normal": (0.0, 1.0, -math.inf, math.inf),
    "ones": (1.0, 0.0, 1.0, 1.0),
    "orthogonal": (0.0, 1 / 600, -1.0, 1.0),
    "truncated_normal": (0.0, CUT, -2.0, 2.0),
    "uniform": (0.0, 0.1**2 / 12, -0.05, 0.05),
    "zeros": (0.0, 0.0, 0.0, 0.0),
}
NAMES = sorted(Initializer.registry)


def draw(initializer, seed=0, shape=SHAPE, fan_in=IN, fan_out=OUT):
    return initializers.get(initializer)(random.key(seed), shape, fan_in, fan_out)


@pytest.mark.parametrize("name", NAMES)
def test_moments_and_bounds(name):
    weights = draw(name)
    mean, variance, low, high = MOMENTS[initializers.get(name).name]
    error = math.sqrt(variance / weights.size)  # the standard error of the mean
    assert abs(weights.mean() - mean) <= 5 * error
    assert weights.var() == pytest.approx(variance, rel=0.02)
    assert weights.min() >= low
    assert weights.max() <= high


@pytest.mark.parametrize("name", [n for n in NAMES if math.isfinite(MOMENTS[initializers.get(n).name][3])])
def test_bounds_are_reached(name):
    _, variance, low, high = MOMENTS[initializers.get(name).name]
    if name != "orthogonal":  # whose bound ±1 is far outside of what 400 x 600 random values reach
        weights = draw(name)
        assert weights.min() <= low + 0.001 * math.sqrt(variance)
        assert weights.max() >= high - 0.001 * math.sqrt(variance)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (7,), (3, 2), (2, 7), (3, 3, 4, 5), (0, 3)])
def test_shape_type_and_key(name, shape):
    if name == "orthogonal" and len(shape) < 2:
        with pytest.raises(ValueError, match="Orthogonal needs a matrix or a kernel"):
            draw(name, 0, shape)
        return
    weights = draw(name, 1, shape)
    assert weights.shape == shape
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights, draw(name, 1, shape))
    constant = MOMENTS[initializers.get(name).name][1] == 0.0
    if weights.size:
        assert np.array_equal(weights, draw(name, 2, shape)) == constant


@pytest.mark.parametrize("name", NAMES)
def test_no_inputs_is_no_division_by_zero(name):
    shape = (0, 3)
    assert draw(name, 0, shape, 0, 0).shape == shape


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 2, 5), (5, 5)])
def test_orthogonal_rows_or_columns(shape):
    q = draw(initializers.Orthogonal(gain=2.0), 3, shape).reshape(-1, shape[-1])
    rows, columns = q.shape
    gram = q.T @ q if rows >= columns else q @ q.T
    np.testing.assert_allclose(gram, 4.0 * np.eye(min(rows, columns)), atol=1e-12)


def test_settings():
    assert draw(initializers.Constant(0.3)).tolist() == np.full(SHAPE, 0.3).tolist()
    weights = draw(initializers.Normal(std=0.1, mean=2.0))
    assert weights.mean() == pytest.approx(2.0, abs=0.001)
    assert weights.std() == pytest.approx(0.1, rel=0.01)
    weights = draw(initializers.Uniform(1.0, 3.0))
    assert 1.0 <= weights.min() < 1.001
    assert 2.999 < weights.max() < 3.0
    weights = draw(initializers.TruncatedNormal(std=0.5, mean=1.0))
    assert 0.0 <= weights.min() < 0.01
    assert 1.99 < weights.max() <= 2.0


@pytest.mark.parametrize("cls", sorted(set(activations.Activation.registry.values()), key=lambda c: c.name))
def test_auto_takes_the_one_the_activation_names(cls):
    assert initializers.get("auto", cls()).name == cls.init


def test_auto_for_the_common_ones():
    assert initializers.get("auto", "relu").name == "he_normal"
    assert initializers.get("auto", "sigmoid").name == "glorot_uniform"
    assert initializers.get("auto", "selu").name == "lecun_normal"
    assert initializers.get("auto").name == "glorot_uniform"
    assert initializers.get("xavier_normal") == initializers.GlorotNormal()


def through_layers(name, f, width=256, depth=10):
    """The mean square of the signal after some layers, for inputs of mean 0 and variance 1."""
    x = random.normal(random.key(99), (200, width), np.float64)
    for layer in range(depth):
        x = f(x @ draw(name, layer, (width, width), width, width))
    return float((x * x).mean())


def test_the_signal_keeps_its_size_through_ten_layers():
    """Lectures 002 and 003: what each rule was made for, and what too small and too large weights do."""
    assert 0.5 < through_layers("he_normal", cr.ops.relu) < 2.0
    assert 0.5 < through_layers("lecun_normal", cr.ops.selu) < 2.0
    assert 0.5 < through_layers("lecun_normal", cr.ops.linear) < 2.0
    assert 0.5 < through_layers("glorot_uniform", cr.ops.linear) < 2.0
    assert through_layers(initializers.Normal(0.01), np.tanh) < 1e-6  # vanishes
    assert through_layers("normal", np.tanh) > 0.9  # saturates at ±1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.get("he_norma"), r"Unknown initializer 'he_norma'; did you mean 'he_normal'\?"),
        (lambda: initializers.get("xavier"), r"did you mean 'xavier_(normal|uniform)'\?"),
        (lambda: initializers.get(None), "Expected a name or an object for the initializer"),
        (lambda: initializers.get("auto", "rellu"), "Unknown activation 'rellu'"),
        (lambda: initializers.Normal(-1.0), "Normal: std must be at least 0, got -1.0"),
        (lambda: initializers.Normal(float("nan")), "Normal: std"),
        (lambda: initializers.Uniform(1.0, 0.0), "low must not be above high, got low=1.0, high=0.0"),
        (lambda: initializers.Constant("0"), "Constant: value must be a number"),
        (lambda: initializers.Orthogonal(-1.0), "Orthogonal: gain"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
