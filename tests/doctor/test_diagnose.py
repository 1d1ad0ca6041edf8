"""`diagnose`, end to end: faults are found and named, healthy runs are left alone, and nothing is a traceback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.doctor.diagnose import diagnose
from chainrule.symptoms.diagnosis import Diagnosis

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 4)).astype(np.float32)
LABEL = np.array(["low", "middle", "high"])[np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-0.6, 0.6])]
NET = cr.Sequential(cr.Dense(16, "relu"), cr.Dense(3, "softmax"))
GOOD: dict[str, Any] = {"optimizer": cr.Adam(lr=0.02), "epochs": 30, "validation": 0.25, "engine": "numpy"}


def examine(net: Any = NET, data: Any = (X, LABEL), **changes: Any) -> Diagnosis:
    options: dict[str, Any] = {"budget": 60.0, "progress": False}
    return diagnose(net, data, **options | GOOD | changes)


def test_a_healthy_run_raises_no_alarm() -> None:
    diagnosis = examine()
    assert not diagnosis.alarm
    assert not diagnosis.causes
    (finding,) = [each for each in diagnosis.findings if each.symptom == "recipe"]
    assert finding.level != "alarm"
    assert "default recipe" in finding.text


def test_a_rate_that_is_too_low_is_found_and_proven() -> None:
    diagnosis = examine(optimizer=cr.Adam(lr=1e-5))
    assert diagnosis.alarm
    assert diagnosis.proven
    assert diagnosis.causes[0].name in ("lr_low", "epochs_few")
    proof = diagnosis.causes[0].proof
    assert proof is not None
    assert proof.effect is not None
    assert proof.over_random is not None
    assert proof.effect.low > 0
    assert proof.over_random.low > 0
    assert proof.p is not None
    assert proof.p < 0.01
    assert Diagnosis.from_dict(diagnosis.to_dict()).causes[0].name == diagnosis.causes[0].name


def test_without_trials_nothing_is_trained() -> None:
    diagnosis = examine(optimizer=cr.Adam(lr=1e-5), trials=False)
    assert [stage.skipped for stage in diagnosis.ran if stage.name == "trials"] == ["not asked for"]


def test_a_budget_that_is_too_small_says_so() -> None:
    diagnosis = examine(budget=0.0)
    assert "too small" in next(stage.skipped for stage in diagnosis.ran if stage.name == "trials")


def test_what_training_refuses_is_a_finding() -> None:
    diagnosis = examine(data=(np.where(X > 2, np.nan, X), LABEL))
    assert diagnosis.alarm
    assert diagnosis.findings[0].symptom == "readable"


def test_settings_that_there_are_not_raise() -> None:
    with pytest.raises(cr.ChainruleError, match="epoch"):
        examine(epoch=3)
    with pytest.raises(cr.ChainruleError, match="budget"):
        examine(budget=-1)
