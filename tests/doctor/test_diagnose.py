"""`diagnose`, end to end: faults are found and named, healthy runs are left alone, and nothing is a traceback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.doctor import arms
from chainrule.doctor.diagnose import diagnose
from chainrule.symptoms.diagnosis import Diagnosis

RNG = np.random.default_rng(3)
X = RNG.normal(size=(200, 3)).astype(np.float32)
LABEL = np.array(["high", "low"])[(X[:, 0] + X[:, 1] > 0).astype(int)]
NUMBER = (X[:, 0] + X[:, 1] * X[:, 2] + 0.1 * RNG.normal(size=200)).astype(np.float32)
STOP = cr.EarlyStopping(patience=8)
GOOD: dict[str, Any] = {
    "optimizer": cr.Adam(lr=0.03), "epochs": 12, "validation": 0.25, "batch_size": 32, "engine": "numpy",
}  # fmt: skip


def net(init: str = "auto", activation: str = "relu") -> Any:
    return cr.Sequential(cr.Dense(12, activation, init=init), cr.Dense(1, "sigmoid", init=init))


def examine(model: Any = None, data: Any = (X, LABEL), **changes: Any) -> Diagnosis:
    options: dict[str, Any] = {"budget": 60.0, "progress": False}
    return diagnose(net() if model is None else model, data, **options | GOOD | changes)


HEALTHY = {
    "classes": {},
    "momentum": {"optimizer": cr.SGD(lr=0.1, momentum=0.9)},
    # On these cuts the reference is better at first: as many members again show that it is not.
    "tanh and early stopping": {"model": net(activation="tanh"), "early_stopping": STOP, "epochs": 30, "seed": 13},
    "numbers": {
        "model": cr.Sequential(cr.Dense(16, "relu"), cr.Dense(1)), "data": (X, NUMBER), "normalize_target": True,
        "epochs": 60, "early_stopping": STOP,
    },
    "a linear model": {"model": cr.Dense(1, "sigmoid"), "optimizer": cr.Adam(lr=0.1)},
    "raw inputs that are fine": {"normalize": False},
}  # fmt: skip

#: What is changed, and the causes that are right.
FAULTS = {
    "rate too low": ({"optimizer": cr.Adam(lr=1e-5)}, {"lr_low", "epochs_few"}),
    "rate too high": ({"optimizer": cr.SGD(lr=1e4)}, {"lr_high", "optimizer"}),
    "zeros": ({"model": net(init="zeros")}, {"init"}),
    "penalty": ({"l2": 1e4}, {"regularization"}),
    "epochs": ({"epochs": 1, "optimizer": cr.Adam(lr=0.0005)}, {"epochs_few", "lr_low"}),
    "large inputs": ({"data": (1e4 * X + 3e4, LABEL), "normalize": False}, {"inputs_unscaled"}),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_raise_no_alarm(name: str) -> None:
    diagnosis = examine(**HEALTHY[name])
    assert not diagnosis.alarm
    assert not diagnosis.causes
    (finding,) = [each for each in diagnosis.findings if each.symptom == "recipe"]
    assert "default recipe" in finding.text


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found_and_named(name: str) -> None:
    changes, right = FAULTS[name]
    diagnosis = examine(**changes)
    assert diagnosis.alarm
    assert diagnosis.causes[0].name in right
    assert diagnosis.causes[0].fix is not None
    proof = diagnosis.causes[0].proof
    assert proof is not None
    assert proof.verdict in ("proven", "helps")
    if proof.kind == "trial":
        assert proof.effect is not None
        assert proof.effect.low > 0
    assert Diagnosis.from_dict(diagnosis.to_dict()).causes[0].name == diagnosis.causes[0].name


def test_without_trials_nothing_is_trained() -> None:
    diagnosis = examine(optimizer=cr.Adam(lr=1e-5), trials=False)
    assert [stage.skipped for stage in diagnosis.ran if stage.name == "trials"] == ["not asked for"]


@pytest.mark.parametrize("budget", [0.0, 1.0])
def test_a_budget_that_is_too_small_says_so(budget: float) -> None:
    (stage,) = [stage for stage in examine(budget=budget, epochs=4000).ran if stage.name == "trials"]
    assert "budget" in stage.skipped or "only the first" in stage.skipped


@pytest.mark.parametrize(
    ("data", "changes"),
    [((np.where(X > 2, np.nan, X), LABEL), {}), ((X, LABEL), {"epochs": -1}), ((X[:50], LABEL), {})],
)
def test_what_training_refuses_is_a_finding(data: Any, changes: dict[str, Any]) -> None:
    diagnosis = examine(data=data, **changes)
    assert diagnosis.alarm
    assert diagnosis.findings[0].symptom == "readable"


def test_few_rows_and_one_class_are_results() -> None:
    few = examine(data=(X[:6], LABEL[:6]))
    assert any("too few" in stage.skipped for stage in few.ran)
    assert examine(data=(X, np.zeros(200, int)), trials=False).causes[0].name == "labels_unrelated"


def test_settings_that_there_are_not_raise() -> None:
    with pytest.raises(cr.ChainruleError, match="epoch"):
        examine(epoch=3)
    with pytest.raises(cr.ChainruleError, match="budget"):
        examine(budget=-1)


def test_an_interruption_gives_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while fixes are tried: the alarm stays, and the examination says that it was interrupted."""
    run, calls = arms.Laboratory.run, []

    def interrupted(self: Any, *args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:  # two calls are the reference
            raise KeyboardInterrupt
        return run(self, *args, **options)

    monkeypatch.setattr(arms.Laboratory, "run", interrupted)
    diagnosis = examine(optimizer=cr.Adam(lr=1e-5))
    assert diagnosis.alarm
    assert not diagnosis.proven
    assert diagnosis.ran[-1].name == "interrupted"
    assert "interrupted" in str(diagnosis.ran[-2].skipped)


def test_what_the_user_has_is_not_changed() -> None:
    x, y, validation = X.copy(), LABEL.copy(), (X[:40].copy(), LABEL[:40].copy())
    examine(cr.Dense(1, "sigmoid"), (x, y), validation=validation, trials=True, epochs=1, budget=2.0)
    assert np.array_equal(x, X)
    assert np.array_equal(y, LABEL)
    assert np.array_equal(validation[0], X[:40])


def test_tables_streams_models_and_runs_are_examined() -> None:
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=LABEL)
    run = cr.fit(net(), (X, LABEL), epochs=2, progress=False)
    for subject, data in (
        (lambda data: cr.mlp([data.x.shape[1], 1], output="sigmoid"), cr.Table.read(frame, target="y")),
        (run, (X, LABEL)),
        (run.model, (X, LABEL)),
    ):
        diagnosis = examine(subject, data, budget=20.0, epochs=4)
        assert any(finding.symptom == "recipe" for finding in diagnosis.findings)
