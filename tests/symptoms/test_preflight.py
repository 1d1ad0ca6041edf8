"""The examination before training: pathologies are named, odd runs that are fine are not, bad input is a finding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DoctorError, KeywordError
from chainrule.symptoms import preflight as module
from chainrule.symptoms.preflight import preflight

IRIS = cr.data.load("iris")
DIABETES = cr.data.load("diabetes")
BINARY = (IRIS.x, (np.arange(150) >= 100).astype(int))
Constant, Normal = cr.initializers.Constant, cr.initializers.Normal
BASE = {"epochs": 60, "optimizer": cr.Adam(lr=0.01)}


def with_nan():
    x = IRIS.x.astype(float)
    x[3, 1] = np.nan
    return x, IRIS.y


#: The lectures' pathologies, with the causes of which the first must be one.
PATHOLOGIES = {
    "all weights zero": (cr.mlp([4, 8, 3], init="zeros"), IRIS, {}, {"init"}),
    "constant weights": (cr.mlp([4, 8, 3], init=Constant(0.5)), IRIS, {}, {"init"}),
    "too small weights": (
        cr.mlp([4, 8, 8, 8, 3], init=Normal(1e-5)),
        IRIS,
        {"optimizer": cr.SGD(lr=0.5)},
        {"init"},
    ),
    "saturated": (cr.mlp([4, 8, 8, 3], hidden="sigmoid", init=Normal(300.0)), IRIS, {}, {"init"}),
    "dead ReLU": (cr.mlp([4, 8, 3], bias_init=Constant(-60.0)), IRIS, {}, {"init"}),
    "zero inputs": (cr.mlp([4, 8, 3]), (np.zeros((150, 4)), IRIS.y), {}, {"labels_unrelated", "inputs_unscaled"}),
    "step far from its window": (
        cr.mlp([4, 8, 3], hidden="step", bias_init=Constant(60.0)),
        IRIS,
        {},
        {"init", "activation"},
    ),
    "ten deep sigmoid layers": (cr.mlp([4, *[16] * 10, 3], hidden="sigmoid"), IRIS, {}, {"activation", "too_deep"}),
    "NaN": (cr.mlp([4, 8, 3]), with_nan(), {}, {"nan"}),
}


@pytest.mark.parametrize("name", PATHOLOGIES)
def test_the_pathologies_are_named(name):
    net, data, settings, causes = PATHOLOGIES[name]
    diagnosis = preflight(net, data, **BASE | settings)
    assert diagnosis.alarm
    assert diagnosis.causes[0].name in causes


@dataclass(frozen=True)
class Scaled(cr.Layer):
    def init(self, key, shape):
        return {"scale": np.ones(shape[-1:])}, {}, shape

    def apply(self, params, state, x, *, key, train):
        return x * params["scale"], state


def sparse():
    rng = np.random.default_rng(0)
    x = rng.random((300, 40)) * (rng.random((300, 40)) < 0.1)
    return x, (x[:, :20].sum(axis=1) > x[:, 20:].sum(axis=1)).astype(int)


#: Runs that look odd and learn.
ODD = {
    "plain": (cr.mlp([4, 8, 3]), IRIS, {}),
    "no hidden layer": (cr.Dense(3, "softmax"), IRIS, {}),
    "sgd and a warm-up": (
        cr.mlp([4, 16, 3]),
        IRIS,
        {"optimizer": cr.SGD(lr=cr.schedules.Warmup(cr.schedules.Cosine(0.5), epochs=10))},
    ),
    "half dropped": (cr.Sequential(cr.Dense(32, "relu"), cr.Dropout(0.5), cr.Dense(3, "softmax")), IRIS, {}),
    "normalized": (
        cr.Sequential(cr.Dense(16), cr.BatchNorm(), cr.Activation("relu"), cr.LayerNorm(), cr.Dense(3, "softmax")),
        IRIS,
        {},
    ),
    "raw inputs": (cr.mlp([4, 16, 3]), IRIS, {"normalize": False}),
    "numbers": (cr.mlp([10, 16, 1], output=None), DIABETES, {"normalize_target": True}),
    "binary and weighted": (cr.mlp([4, 8, 1], output="sigmoid"), BINARY, {"class_weight": "balanced"}),
    "several labels": (
        cr.mlp([10, 16, 2], output="sigmoid"),
        (DIABETES.x, np.stack([DIABETES.y > 140, DIABETES.y > 200], axis=1).astype(int)),
        {},
    ),
    "mostly zeros": (cr.mlp([40, 16, 2]), sparse(), {"normalize": False}),
    "a right layer and a right loss of one's own": (
        cr.Sequential(cr.Dense(8, "tanh"), Scaled(), cr.Dense(3, "softmax")),
        IRIS,
        {"loss": lambda a, y: -np.sum(y * np.log(a + 1e-9), axis=1)},
    ),
    "step units": (cr.mlp([4, 32, 3], hidden="step"), IRIS, {}),
    "zeros on purpose": (
        cr.Sequential(
            cr.Dense(16, "relu"), cr.Residual(cr.Dense(16, "relu"), cr.Dense(16, init="zeros")), cr.Dense(3, "softmax")
        ),
        IRIS,
        {},
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_runs_that_learn_are_no_alarm(name):
    net, data, settings = ODD[name]
    diagnosis = preflight(net, data, **BASE | settings)
    assert [finding.text for finding in diagnosis.findings if finding.level == "alarm"] == []
    assert diagnosis.causes == ()


def test_a_fault_of_the_code_ends_the_examination_and_is_its_own_proof():
    diagnosis = preflight(cr.mlp([4, 8, 3]), IRIS, loss=lambda a, y: np.sum(y * np.log(a), axis=1), **BASE)
    assert diagnosis.causes[0].name == "code_loss"
    assert diagnosis.proven
    assert [bool(stage.skipped) for stage in diagnosis.ran] == [False, False, True, True]
    assert not {"start_cost", "by_heart"} & {finding.symptom for finding in diagnosis.findings}


@pytest.mark.parametrize(
    ("net", "data", "settings", "cause"),
    [
        (cr.mlp([4, 8, 2]), IRIS, {}, "output"),
        (cr.mlp([4, 8, 3], output=None), IRIS, {}, "output"),
        (cr.mlp([4, 8, 3], output="sigmoid"), IRIS, {"loss": "cross_entropy"}, "loss"),
        (cr.Dense(1, "softmax"), IRIS, {}, "output"),
        (cr.Dense(1), (IRIS.x, np.append(np.arange(149.0) / 7, np.inf)), {}, "nan"),
        (cr.Dense(10, "softmax"), cr.data.load("digits"), {}, "output"),
    ],
)
def test_what_fit_refuses_is_a_finding_with_its_cause(net, data, settings, cause):
    diagnosis = preflight(net, data, **settings)
    assert diagnosis.alarm
    assert diagnosis.causes[0].name == cause


@pytest.mark.parametrize(
    ("net", "data", "settings"),
    [
        (5, IRIS, {}),
        (cr.mlp([4, 3]), None, {}),
        (cr.mlp([4, 3]), (IRIS.x, IRIS.y[:20]), {}),
        (cr.mlp([4, 3]), IRIS, {"epochs": 0}),
        (cr.mlp([4, 3]), IRIS, {"early_stopping": True}),
        (cr.mlp([5, 3]), IRIS, {}),
        (cr.Sequential(cr.Conv2D(3, 3), cr.Dense(3, "softmax")), IRIS, {}),
    ],
)
def test_what_cannot_be_used_is_an_alarm_and_no_traceback(net, data, settings):
    diagnosis = preflight(net, data, **settings)
    assert diagnosis.alarm
    assert [finding.symptom for finding in diagnosis.findings] == ["readable"]
    assert str(diagnosis)


def test_a_setting_that_is_refused_has_no_cause_that_is_guessed():
    diagnosis = preflight(cr.mlp([4, 8, 3]), IRIS, class_weight={"rose": 1.0})
    assert "rose" in diagnosis.findings[0].text
    assert (diagnosis.causes, diagnosis.undetermined) == ((), True)


def test_an_error_in_a_layer_of_ones_own_names_it():
    @dataclass(frozen=True)
    class Broken(cr.Layer):
        def init(self, key, shape):
            return {"weight": np.ones(shape[5])}, {}, shape

        def apply(self, params, state, x, *, key, train):
            return x, state

    diagnosis = preflight(cr.Sequential(Broken(), cr.Dense(3, "softmax")), IRIS)
    assert diagnosis.findings[0].where == "Broken"
    assert "IndexError" in diagnosis.findings[0].text


def test_settings_that_fit_does_not_have_raise():
    with pytest.raises(KeywordError, match="lr"):
        preflight(cr.mlp([4, 3]), IRIS, lr=0.1)


def test_a_check_that_fails_ends_nothing(monkeypatch):
    def fails(subject):
        raise ZeroDivisionError("no")

    monkeypatch.setattr(module, "STAGES", (("data", (("tails", fails),)), *module.STAGES[1:]))
    diagnosis = preflight(cr.mlp([4, 8, 3]), IRIS, **BASE)
    assert not diagnosis.alarm
    assert "Could not be checked (tails): ZeroDivisionError: no" in diagnosis.findings[0].text
    assert diagnosis.findings[-1].symptom == "by_heart"


def test_a_function_of_the_data_a_stream_and_a_model():
    net = lambda data: cr.mlp([data.x.shape[1], 8, 3])
    assert not preflight(net, IRIS, **BASE).alarm
    assert not preflight(cr.mlp([4, 8, 3]), cr.data.stream(IRIS.x, IRIS.y), **BASE).alarm
    run = cr.fit(cr.mlp([4, 8, 3]), IRIS, progress=False, **BASE)
    assert not preflight(run.model, IRIS, **BASE).alarm


def test_few_rows_and_one_class_are_results():
    assert preflight(cr.mlp([4, 8, 3]), (IRIS.x[::15], IRIS.y[::15]), **BASE).findings
    assert preflight(cr.mlp([4, 2]), (IRIS.x, np.zeros(150, int)), **BASE).alarm
    assert preflight(cr.mlp([4, 8, 2]), (IRIS.x[:2], [0, 1]), **BASE).findings


def test_the_result_is_the_same_twice_and_plain():
    first, second = (preflight(cr.mlp([4, 8, 3], init="zeros"), IRIS, **BASE) for _ in range(2))
    assert first.findings == second.findings
    assert cr.Diagnosis.from_dict(first.to_dict()) == first


def test_fit_stops_for_an_exact_fault_before_the_first_step():
    def wrong(a, y):
        return np.sum(y * np.log(a), axis=1)

    with pytest.raises(DoctorError, match="falls for only 0 %") as caught:
        cr.fit(cr.mlp([4, 8, 3]), IRIS, loss=wrong, doctor="check", progress=False, **BASE)
    assert caught.value.diagnosis.causes[0].name == "code_loss"


def test_fit_trains_the_same_weights_where_nothing_is_wrong_and_gives_its_own_errors():
    settings = {"epochs": 2, "progress": False, "engine": "numpy"}
    plain, checked = (cr.fit(cr.mlp([4, 8, 3]), IRIS, doctor=doctor, **settings) for doctor in ("off", "check"))
    assert (plain.model.params["dense_1"]["weight"] == checked.model.params["dense_1"]["weight"]).all()
    with pytest.raises(cr.errors.DataError, match="not finite"):
        cr.fit(cr.mlp([4, 8, 3]), with_nan(), doctor="check", **settings)
