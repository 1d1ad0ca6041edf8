"""Sixteen rows are learnt by heart by every recipe that works; where only the reference can, it is told."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.run_settings import FitSettings
from chainrule.symptoms.by_heart import by_heart, rows_to_learn, starting_rate
from chainrule.symptoms.subject import subject_of

IRIS = cr.data.load("iris")
DIABETES = cr.data.load("diabetes")
Normal, Warmup = cr.initializers.Normal, cr.schedules.Warmup
BASE = {"epochs": 60, "optimizer": cr.Adam(lr=0.01)}


def finding(net, data=IRIS, **settings):
    (only,) = by_heart(subject_of(net, data, FitSettings(**BASE | settings)))
    return only


@pytest.mark.parametrize(
    ("net", "settings", "cause"),
    [
        (cr.mlp([4, 8, 3]), {"optimizer": cr.SGD(lr=1e-5)}, "lr_low"),
        (cr.mlp([4, 8, 3]), {"optimizer": cr.SGD(lr=1000.0)}, "lr_high"),
        (cr.mlp([4, 8, 3], init="zeros"), {}, "init"),
        (cr.mlp([4, 8, 8, 3], init=Normal(100.0)), {}, "init"),
        (cr.mlp([4, 8, 3]), {"optimizer": cr.Adam(lr=0.01, eps=100.0)}, "optimizer"),
        (cr.mlp([4, *[16] * 10, 3], hidden="sigmoid"), {}, "activation"),
    ],
)
def test_the_change_that_helps_names_the_cause(net, settings, cause):
    alarm = finding(net, **settings)
    assert (alarm.level, alarm.causes[0]) == ("alarm", cause)


def test_targets_on_a_scale_far_from_one():
    alarm = finding(cr.mlp([10, 8, 1], output=None), (DIABETES.x, DIABETES.y + 2000.0), optimizer="adam", epochs=10)
    assert (alarm.level, alarm.causes[0]) == ("alarm", "targets_unscaled")


@pytest.mark.parametrize(
    ("net", "settings"),
    [
        (cr.mlp([4, 8, 3]), {}),
        (cr.Dense(3, "softmax"), {}),
        (cr.Sequential(cr.Dense(16, "relu"), cr.Dropout(0.5), cr.Dense(3, "softmax")), {}),
        (
            cr.Sequential(cr.Dense(16), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(3, "softmax")),
            {"batch_size": 64},
        ),
        (cr.mlp([4, 16, 3]), {"optimizer": cr.SGD(lr=Warmup(cr.schedules.Cosine(0.5), epochs=20))}),
        (cr.mlp([4, 16, 3]), {"optimizer": cr.SGD(lr=cr.schedules.OneCycle(0.5))}),
        (cr.mlp([4, 16, 3]), {"l2": 1000.0, "l1": 1000.0, "augment": "noise:90"}),
        (cr.mlp([4, 16, 3]), {"loss": cr.losses.CrossEntropy(0.3)}),
        (cr.mlp([4, 16, 3], output="sigmoid"), {"loss": "quadratic"}),
        (cr.mlp([4, 16, 3]), {"optimizer": cr.AdamW(lr=0.01, weight_decay=10.0)}),
    ],
)
def test_recipes_that_work_learn_the_rows(net, settings):
    note = finding(net, **settings)
    assert (note.level, note.causes) == ("note", ())
    assert "by heart in" in note.text


def test_rows_that_nothing_can_learn_are_no_alarm():
    x = np.repeat(np.linspace(0, 1, 8), 10)[:, None] + np.linspace(0, 1e-6, 80)[:, None]
    note = finding(cr.Dense(2, "softmax"), (x, np.arange(80) % 2))
    assert note.level == "note"
    assert "nor by the same network" in note.text


def test_the_rows_are_of_all_classes_and_differ():
    x = np.repeat(np.arange(40.0), 5)[:, None]
    y = np.array(["rare"] * 5 + ["often"] * 195)
    rows = rows_to_learn(subject_of(cr.mlp([1, 4, 2]), (x, y), FitSettings()))
    assert len(np.unique(rows.batch.x)) == 16
    assert set(rows.batch.y.tolist()) == {0, 1}


def test_too_few_rows_say_nothing():
    subject = subject_of(cr.mlp([1, 4, 2]), (np.arange(3.0)[:, None], [0, 1, 0]), FitSettings(batch_size=2))
    assert list(by_heart(subject)) == []


def test_a_warm_up_is_taken_at_its_end():
    assert starting_rate(Warmup(cr.schedules.Constant(0.5), epochs=3), 10) == pytest.approx(0.5)
    assert starting_rate(cr.schedules.Exponential(0.5, 0.1), 10) == pytest.approx(0.5)


def test_nothing_is_changed():
    subject = subject_of(cr.mlp([4, 8, 3]), IRIS, FitSettings(**BASE))
    before = subject.state.params["dense_1"]["weight"].copy()
    first, second = list(by_heart(subject)), list(by_heart(subject))
    assert first == second
    assert (subject.state.params["dense_1"]["weight"] == before).all()


def test_a_loss_on_another_scale_is_named():
    def tiny(a, y):
        return -1e-7 * np.sum(y * np.log(a + 1e-9), axis=1)

    alarm = finding(cr.mlp([4, 8, 3]), loss=tiny, optimizer=cr.SGD(lr=0.3))
    assert (alarm.level, alarm.causes[0]) == ("alarm", "code_scale")
