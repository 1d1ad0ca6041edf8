"""A fault in a user's own layer or loss is found and named; right ones of every kind are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule.backprop import primitive
from chainrule.run_settings import FitSettings
from chainrule.symptoms import code_checks
from chainrule.symptoms.subject import subject_of

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
CLASSES = (X, np.arange(60) % 3)
BINARY = (X, np.arange(60) % 2)
MANY = (X, rng.integers(0, 2, (60, 3)))
NUMBERS = (X, rng.normal(size=60) * 5 + 20)


def findings(net, data=CLASSES, **settings):
    """Return what the checks find, up to the first alarm."""
    subject = subject_of(net, data, FitSettings(**settings))
    seen = []
    for _, check in code_checks.CHECKS:
        seen += list(check(subject))
        if any(finding.level == "alarm" for finding in seen):
            break
    return seen


def alarms(*args, **settings):
    return [finding for finding in findings(*args, **settings) if finding.level == "alarm"]


@primitive
def cube(xp, x):
    return x * x * x


cube.derivatives(lambda y, x: 2 * x * x)


@primitive
def square(xp, x):
    return x * x


square.derivatives(lambda y, x: 2 * x)


@dataclass(frozen=True)
class Own(cr.Layer):
    """A layer whose work is one of those below."""

    what: str
    random = True

    def init(self, key, shape):
        return {"scale": np.full(shape[-1:], 1.5)}, {}, shape

    def apply(self, params, state, x, *, key, train):
        return WORK[self.what](x, params["scale"], key), state


WORK = {
    "cut": lambda x, s, key: cr.stop_gradient(x) * s,
    "value": lambda x, s, key: x.value * s,
    "array": lambda x, s, key: np.asarray(x) * s,
    "number": lambda x, s, key: x * float(s[0]),
    "cube": lambda x, s, key: cube(x) * s,
    "center": lambda x, s, key: (x - np.mean(x, axis=0)) * s,
    "softmax 0": lambda x, s, key: np.exp(x) / np.sum(np.exp(x), axis=0) * s,
    "rounds": lambda x, s, key: np.round(x / 0.5) * 0.5 * s,
    "fails": lambda x, s, key: x.foo * s,
    "scale": lambda x, s, key: x * s,
    "square": lambda x, s, key: square(x) * s,
    "absolute": lambda x, s, key: np.abs(x) * s,
    "softmax": lambda x, s, key: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True) * s,
    "surrogate": lambda x, s, key: (x + cr.stop_gradient((x > 0).astype(x.dtype) - x)) * s,
    "noise": lambda x, s, key: x * s if key is None else x * s + 0.1 * cr.random.normal(key, x.shape),
    "gate": lambda x, s, key: x * s * cr.stop_gradient((x > 0).astype(x.dtype)),
}


def with_layer(what):
    return cr.Sequential(cr.Dense(8, "tanh"), Own(what), cr.Dense(3, "softmax"))


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("cut", "code_cut"),
        ("value", "code_cut"),
        ("array", "code_cut"),
        ("number", "code_cut"),
        ("cube", "code_gradient"),
        ("rounds", "code_cut"),
        ("center", "code_axis"),
        ("softmax 0", "code_axis"),
        ("fails", "code_axis"),
    ],
)
def test_a_fault_in_a_layer_is_found_and_named(what, cause):
    (alarm,) = alarms(with_layer(what))
    assert (alarm.where, alarm.causes[0]) == ("own_1", cause)
    assert "own_1" in alarm.text


def test_a_fault_inside_of_containers_is_named_by_its_path():
    block = cr.Residual(cr.Sequential(cr.Dense(8, "relu"), Own("cut")), shortcut=cr.Dense(8))
    (alarm,) = alarms(cr.Sequential(block, cr.Dense(3, "softmax")))
    assert alarm.where == "residual_1/sequential_1/own_1"


@pytest.mark.parametrize("what", ["scale", "square", "absolute", "softmax", "surrogate", "noise", "gate"])
def test_right_layers_are_none(what):
    assert not alarms(with_layer(what))


def test_a_wrong_derivative_in_a_plain_function_as_activation():
    (alarm,) = alarms(cr.Sequential(cr.Dense(8, lambda z: cube(z)), cr.Dense(3, "softmax")))
    assert (alarm.where, alarm.causes) == ("dense_1", ("code_gradient",))


def test_a_surrogate_of_a_users_own_is_a_note_that_names_it():
    notes = [finding for finding in findings(with_layer("surrogate")) if "surrogate" in finding.text]
    assert [(finding.level, finding.where) for finding in notes] == [("note", "own_1")]


def right(a, y):
    return -np.sum(y * np.log(a + 1e-9), axis=1)


def wrong_sign(a, y):
    return np.sum(y * np.log(a), axis=1)


def other_order(a, y):
    return -np.sum(y[:, ::-1] * np.log(a), axis=1)


def off_by_one(a, y):
    return -np.sum(np.concatenate([y[:, 1:], y[:, :1]], axis=1) * np.log(a), axis=1)


def summed(a, y):
    return -np.sum(y * np.log(a))


def divided_twice(a, y):
    return -np.sum(y * np.log(a), axis=1) / len(a)


def sum_of_batch(a, y):
    return -np.sum(y * np.log(a)) + 0 * a[:, 0]


def detached(a, y):
    return -np.sum(y * np.log(a.value), axis=1)


@pytest.mark.parametrize(
    ("loss", "cause"),
    [
        (wrong_sign, "code_loss"),
        (other_order, "code_loss"),
        (off_by_one, "code_loss"),
        (summed, "code_axis"),
        (sum_of_batch, "code_axis"),
        (divided_twice, "code_scale"),
        (detached, "code_cut"),
    ],
)
def test_a_fault_in_a_loss_is_found_and_named(loss, cause):
    (alarm,) = alarms(cr.mlp([4, 8, 3]), loss=loss)
    assert (alarm.where, alarm.causes[0]) == (loss.__name__, cause)


def focal(a, y):
    return -np.sum(y * (1 - a) ** 2 * np.log(a), axis=1)


@pytest.mark.parametrize(
    ("net", "data", "loss"),
    [
        (cr.mlp([4, 8, 3]), CLASSES, right),
        (cr.mlp([4, 8, 3]), CLASSES, focal),
        (cr.mlp([4, 8, 3]), CLASSES, cr.losses.CrossEntropy(0.3)),
        (cr.mlp([4, 8, 3]), CLASSES, "quadratic"),
        (cr.mlp([4, 8, 3], output="sigmoid"), CLASSES, "quadratic"),
        (cr.mlp([4, 8, 3], output=None), CLASSES, "quadratic"),
        (cr.mlp([4, 8, 3], output="tanh"), CLASSES, "hinge"),
        (cr.mlp([4, 8, 3], output=None), CLASSES, "hinge"),
        (cr.mlp([4, 8, 1], output="sigmoid"), BINARY, "auto"),
        (cr.mlp([4, 8, 1], output="sigmoid"), BINARY, "mae"),
        (cr.mlp([4, 8, 3], output="sigmoid"), MANY, "auto"),
        (cr.mlp([4, 8, 1], output=None), NUMBERS, "huber"),
        (cr.mlp([4, 8, 1], output=None), NUMBERS, "mae"),
        (cr.mlp([4, 8, 1], output=None), NUMBERS, lambda a, y: np.sum(np.log(np.cosh(a - y)), axis=1)),
        (cr.mlp([4, 8, 1], output=None), NUMBERS, lambda a, y: np.maximum(0.9 * (y - a), 0.1 * (a - y))[:, 0]),
        (cr.mlp([4, 8, 1], output="softplus"), NUMBERS, lambda a, y: ((np.log1p(a) - np.log1p(y)) ** 2)[:, 0]),
    ],
)
def test_right_losses_of_every_kind_are_none(net, data, loss):
    assert not alarms(net, data, loss=loss)


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, y: -((a - y) ** 2)[:, 0],
        lambda a, y: ((a - y - 5) ** 2)[:, 0],
        lambda a, y: ((a - 2 * y) ** 2)[:, 0],
        lambda a, y: ((a + y) ** 2)[:, 0],
    ],
)
def test_a_loss_of_numbers_that_points_elsewhere(loss):
    assert [alarm.causes for alarm in alarms(cr.mlp([4, 8, 1], output=None), NUMBERS, loss=loss)] == [("code_loss",)]


def test_a_link_is_told_as_a_note():
    counts = (X, np.random.default_rng(1).poisson(4.0, 60).astype(float))
    notes = findings(cr.mlp([4, 8, 1], output=None), counts, loss=lambda a, y: (np.exp(a) - y * a)[:, 0])
    assert [finding.level for finding in notes if "link" in finding.text] == ["note"]


@pytest.mark.parametrize("hidden", sorted(set(cr.activations.Activation.registry) - {"softmax"}))
def test_the_activations_of_the_package_are_right(hidden):
    notes = findings(cr.Sequential(cr.Dense(8, hidden), cr.Dropout(0.3), cr.BatchNorm(), cr.Dense(3, "softmax")))
    assert {finding.level for finding in notes} == {"note"}


@pytest.mark.parametrize("init", ["zeros", "ones", cr.initializers.Constant(9.0), cr.initializers.Normal(100.0)])
def test_a_bad_start_is_no_fault_of_the_code(init):
    assert not alarms(cr.mlp([4, 8, 8, 3], init=init))


def test_nothing_is_said_of_a_layer_that_draws_numbers_of_its_own():
    @dataclass(frozen=True)
    class Dice(cr.Layer):
        def apply(self, params, state, x, *, key, train):
            return x + np.random.default_rng().normal(size=x.shape), state

    notes = [f for f in findings(cr.Sequential(Dice(), cr.Dense(3, "softmax"))) if f.symptom == "samples_apart"]
    assert all(finding.level == "note" for finding in notes)


def test_steps_before_all_weights_cut_nothing_off():
    net = cr.Sequential(Own("rounds"), cr.Dense(3, "softmax"))
    assert not alarms(net)


def test_a_loss_that_mixes_samples_is_not_called_one_that_points_elsewhere():
    def normalized_over_the_batch(a, y):
        return -np.sum(y * np.log(a / np.sum(a, axis=0)), axis=1) + np.sum(a) * np.sum(y * a, axis=1)

    first = alarms(cr.mlp([4, 8, 3]), loss=normalized_over_the_batch)[0]
    assert first.causes[0] == "code_axis"
