"""What is wrong before the first step: gradients that do not arrive, signals that fade, costs far off."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.run_settings import FitSettings
from chainrule.symptoms import start_checks
from chainrule.symptoms.subject import subject_of

IRIS = cr.data.load("iris")
DIABETES = cr.data.load("diabetes")
Constant, Normal = cr.initializers.Constant, cr.initializers.Normal


def findings(net, data=IRIS, **settings):
    subject = subject_of(net, data, FitSettings(**settings))
    return [finding for _, check in start_checks.CHECKS for finding in check(subject)]


def alarms(*args, **settings):
    return [finding for finding in findings(*args, **settings) if finding.level == "alarm"]


@pytest.mark.parametrize(
    ("net", "symptom", "where"),
    [
        (cr.mlp([4, 8, 3], init="zeros"), "gradient_reaches", "dense_1"),
        (cr.mlp([4, 8, 8, 3], bias_init=Constant(-50.0)), "gradient_reaches", "dense_2"),
        (cr.mlp([4, 8, 8, 3], hidden="step", bias_init=Constant(-50.0)), "gradient_reaches", "dense_2"),
        (cr.mlp([4, 8, 8, 3], hidden="sigmoid", init="zeros"), "signal", "dense_1 or dense_2"),  # as rounding has it
        (cr.mlp([4, 8, 3], init=Constant(0.5)), "signal", "dense_1"),
        (cr.mlp([4, 8, 3], hidden="tanh", init="ones"), "signal", "dense_1"),
    ],
)
def test_a_start_that_cannot_learn_is_the_fault_of_the_first_weights(net, symptom, where):
    first = alarms(net)[0]
    assert (first.symptom, first.causes[0]) == (symptom, "init")
    assert first.where in where.split(" or ")


def test_ten_deep_sigmoid_layers_lose_the_signal():
    (alarm,) = alarms(cr.mlp([4, *[16] * 10, 3], hidden="sigmoid"))
    assert (alarm.symptom, alarm.causes[:2]) == ("signal", ("activation", "too_deep"))


def test_inputs_that_are_all_zero():
    first = alarms(cr.mlp([4, 8, 3]), (np.zeros((60, 4)), np.arange(60) % 3))[0]
    assert (first.where, first.causes[0]) == ("inputs", "labels_unrelated")


@pytest.mark.parametrize(
    "net",
    [
        cr.mlp([4, 8, 3]),
        cr.Dense(3, "softmax"),
        cr.Sequential(cr.Dense(8, "relu"), cr.Dense(3, "softmax", init="zeros")),
        cr.Sequential(cr.Dense(8, "sigmoid", init="zeros"), cr.Dense(3, "softmax")),
        cr.Sequential(cr.Dense(8), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.5), cr.Dense(3, "softmax")),
        cr.Sequential(cr.Dense(8), cr.Residual(cr.Dense(8, "relu"), cr.Dense(8, init="zeros")), cr.Dense(3, "softmax")),
        cr.mlp([4, *[16] * 4, 3], hidden="sigmoid"),
        cr.mlp([4, *[16] * 12, 3], hidden="tanh"),
        cr.mlp([4, 8, 3], init=Normal(1e-3)),
        cr.mlp([4, 8, 3], hidden="step"),
        cr.mlp([4, 1, 3], hidden="tanh"),
    ],
)
def test_starts_that_learn_are_fine(net):
    assert not alarms(net)


def test_units_of_one_input_are_alike_and_fine():
    x = np.linspace(-1.0, 1.0, 60)[:, None]
    assert not alarms(cr.mlp([1, 8, 1], hidden="tanh", output=None), (x, np.sin(3.0 * x)))


def test_sparse_inputs_are_fine():
    rng = np.random.default_rng(0)
    x = rng.random((200, 30)) * (rng.random((200, 30)) < 0.05)
    assert not alarms(cr.mlp([30, 8, 3]), (x, np.arange(200) % 3), normalize=False)


@pytest.mark.parametrize(
    ("net", "data", "loss", "cause"),
    [
        (cr.mlp([4, 8, 8, 3], init=Normal(3.0)), IRIS, "auto", "init"),
        (cr.mlp([10, 8, 1], output=None), (DIABETES.x, DIABETES.y + 2000.0), "auto", "targets_unscaled"),
        (cr.mlp([4, 8, 3]), IRIS, lambda a, y: -1000.0 * np.sum(y * np.log(a), axis=1), "code_scale"),
    ],
)
def test_a_cost_far_from_that_of_a_constant_answer_is_advice(net, data, loss, cause):
    advice = [finding for finding in findings(net, data, loss=loss) if finding.level == "advice"]
    assert [finding.causes[0] for finding in advice] == [cause]


def test_the_best_constant_answer_costs_what_it_should():
    subject = subject_of(cr.mlp([4, 8, 3]), IRIS, FitSettings())
    assert start_checks.constant_cost(subject.recipe, subject.batch()) == pytest.approx(np.log(3), abs=1e-3)
    numbers = subject_of(cr.mlp([10, 8, 1], output=None), DIABETES, FitSettings())
    assert start_checks.constant_cost(numbers.recipe, numbers.batch(442)) == pytest.approx(DIABETES.y.var() / 2, 1e-3)


def test_first_weights_that_cost_hundreds_of_times_too_much_are_an_alarm():
    (alarm,) = alarms(cr.mlp([4, 8, 8, 3], init=Normal(100.0)))
    assert (alarm.symptom, alarm.causes[0]) == ("start_cost", "init")
    assert not alarms(cr.mlp([4, 8, 8, 3]), (IRIS.x * 1e4, IRIS.y), normalize=False)
