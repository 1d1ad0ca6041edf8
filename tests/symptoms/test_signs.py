"""What a run's history and looks tell: each symptom on a run that has it, and not on a run that does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import DivergedError
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.look import look
from chainrule.symptoms.observed import Observed
from chainrule.symptoms.signs import signs

DIGITS = cr.data.load("digits")
X, Y = DIGITS.x.reshape(len(DIGITS.x), -1)[:700], np.asarray(DIGITS.y)[:700]
NET = cr.Sequential(cr.Dense(32, "relu"), cr.Dense(10, "softmax"))


def fit(net: Any = NET, data: Any = (X, Y), **settings: Any) -> cr.Run:
    fixed: dict[str, Any] = {"epochs": 8, "optimizer": cr.Adam(0.005), "engine": "numpy", "progress": False}
    try:
        return cr.fit(net, data, **(fixed | settings))
    except DivergedError as error:
        run: cr.Run = error.run  # type: ignore[assignment]
        return run


def observed(run: cr.Run) -> Observed:
    assert run.settings is not None
    assert run.recordings is not None
    return Observed(run.recipe, run.settings, run.history, run.recordings, run.outcome)


def finding_of(run: cr.Run, symptom: str, reference: Any = None) -> Finding:
    """The finding about a symptom that says most."""
    findings = [finding for finding in signs(observed(run), reference) if finding.symptom == symptom]
    return max(findings, key=lambda finding: (finding.level == "alarm", len(finding.causes)))


def test_steps_that_are_too_large_and_too_small() -> None:
    high = finding_of(fit(optimizer=cr.SGD(3.0), epochs=1), "step_size")
    assert high.causes[0] == "lr_high"
    assert "uphill" in high.text
    low = finding_of(fit(optimizer=cr.SGD(1e-6)), "step_size")
    assert (low.level, low.causes[0]) == ("advice", "lr_low")
    assert "try ten times the rate" in low.text
    assert finding_of(fit(), "step_size").causes == ()


def test_a_loss_that_does_not_move() -> None:
    assert "lr_low" in finding_of(fit(optimizer=cr.SGD(1e-7)), "movement").causes
    assert finding_of(fit(), "movement").causes == ()


def test_steps_that_lead_uphill_are_an_alarm_though_nothing_overflows() -> None:
    hot = fit(cr.mlp([64, 10]), optimizer=cr.SGD(1e4), epochs=2)
    assert not hot.outcome.diverged
    finding = finding_of(hot, "movement")
    assert (finding.level, finding.causes[0]) == ("alarm", "lr_high")
    assert hot.diagnosis.causes[0].name == "lr_high"


def test_a_loss_that_still_falls_is_advice() -> None:
    slow = finding_of(fit(optimizer=cr.SGD(0.003)), "still_falling")
    assert (slow.level, slow.causes[0]) == ("advice", "epochs_few")
    assert finding_of(fit(epochs=30), "still_falling").causes == ()


def test_answers_that_do_not_depend_on_the_inputs() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 5))
    unrelated = fit(cr.mlp([5, 8, 2]), (x, rng.integers(0, 2, 2000)), epochs=2, optimizer=cr.SGD(0.01))
    assert "labels_unrelated" in finding_of(unrelated, "inputs_matter").causes
    assert finding_of(fit(), "inputs_matter").against == ("labels_unrelated", "code_cut")


def test_modes_that_disagree() -> None:
    net = cr.Sequential(
        cr.Dense(32, init=cr.initializers.Normal(20.0)), cr.BatchNorm(momentum=0.9999), cr.Activation("relu"),
        cr.Dense(10, "softmax"),
    )  # fmt: skip
    assert finding_of(fit(net), "modes_agree").causes[0] == "batch_norm"
    fine = cr.Sequential(cr.Dense(32), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(10, "softmax"))
    assert finding_of(fit(fine), "modes_agree").causes == ()


def test_training_rows_below_validation_rows_are_explained_by_dropout() -> None:
    net = cr.Sequential(cr.Dense(64, "relu"), cr.Dropout(0.7), cr.Dense(10, "softmax"))
    finding = finding_of(fit(net, validation=0.3), "training_below")
    assert finding.causes == ("dropout",)
    assert "dropout explains it" in finding.text


def test_training_rows_that_are_fitted_alone() -> None:
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(Y)) < 0.4, rng.integers(0, 10, len(Y)), Y)
    overfitted = finding_of(fit(cr.mlp([64, 256, 10]), (X, noisy), epochs=40, validation=0.3), "fits_training_only")
    assert {"overtrained", "labels_noisy"} < {*overfitted.causes}
    assert finding_of(fit(validation=0.3, epochs=4), "fits_training_only").causes == ()


def test_a_penalty_that_dominates() -> None:
    assert finding_of(fit(l2=3000.0), "penalty").causes[0] == "regularization"
    assert finding_of(fit(l2=0.1), "penalty").causes == ()


def test_updates_are_compared_with_the_reference_only() -> None:
    fine, slow = fit(), fit(optimizer=cr.SGD(1e-6))
    assert fine.recordings is not None
    assert fine.recordings.early is not None
    reference = look(fine.recipe, fine.recordings.early, fine.recordings.rows, batch_size=32)
    assert finding_of(slow, "update_ratio").causes == ()
    assert finding_of(slow, "update_ratio", reference).causes[0] == "lr_low"
    assert finding_of(fine, "update_ratio", reference).causes == ()


def test_units_that_die_on_the_way() -> None:
    run = fit()
    assert finding_of(run, "units").causes == ()
    assert run.recordings is not None
    last = run.recordings.last
    layer = {**last.params["dense_1"], "bias": np.full(32, -100.0, "float32")}
    last = last._replace(params={**last.params, "dense_1": layer})
    run.recordings = dataclasses.replace(run.recordings, last=last)
    finding = finding_of(run, "units")
    assert (finding.where, finding.causes[0], finding.level) == ("dense_1", "lr_high", "note")


@dataclasses.dataclass(frozen=True)
class Root(cr.losses.Loss):
    """A loss whose gradient at 0 is not finite: √(cost) of the squared error."""

    def __call__(self, a: Any, y: Any) -> Any:
        return np.sqrt(((a - y) ** 2).sum(axis=-1))


def test_values_that_are_not_finite_are_an_alarm() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    diverged = finding_of(fit(cr.mlp([3, 8, 1], output="linear"), (x, 5 * x[:, 0]), optimizer=cr.SGD(1e3)), "finite")
    assert (diverged.level, diverged.causes[0]) == ("alarm", "lr_high")
    assert "at step" in diverged.text
    wrong = fit(cr.Dense(1, init="zeros"), (x, np.zeros(100)), loss=Root(), normalize=False)
    cr.losses.Loss.registry.pop("root")
    finding = finding_of(wrong, "finite")
    assert (finding.level, finding.causes[0]) == ("alarm", "code_gradient")


def wrong_way(a: Any, y: Any) -> Any:
    return ((1.0 - a - y) ** 2).sum(axis=-1)


def test_a_fault_in_a_loss_of_the_users_own_is_named() -> None:
    net = cr.Sequential(cr.Dense(16, "relu"), cr.Dense(10, "sigmoid"))
    diagnosis = fit(net, (X, np.eye(10)[Y]), loss=wrong_way, epochs=3).diagnosis
    assert diagnosis.alarm
    assert diagnosis.causes[0].name == "code_loss"


def test_a_sign_that_fails_is_told_and_the_others_stay() -> None:
    run = observed(fit(epochs=5))
    broken = dataclasses.replace(run, history=cr.History([{"epoch": 1, "loss": "?"}] * 6))  # type: ignore[dict-item]
    findings = signs(broken)
    assert any(f.symptom == "movement" and "could not be looked at" in f.text for f in findings)
    assert any(f.symptom == "step_size" for f in findings)


def test_the_diagnosis_of_a_run_never_raises() -> None:
    run = fit(epochs=1)
    ensemble = cr.fit_population(NET, (X, Y), 2, epochs=1, progress=False)
    assert not ensemble[0].diagnosis.alarm
    bare = cr.Run(
        run.model, run.history, run.recipe, best_epoch=None, outcome=run.outcome, engine="", traces={}, metrics={}
    )
    assert "nothing to look at" in bare.diagnosis.findings[0].text
    assert run.recordings is not None
    broken = dataclasses.replace(run.recordings, rows=None)  # type: ignore[arg-type]
    run.recordings = broken
    diagnosis = run.diagnosis
    assert not diagnosis.alarm
    assert any("could not be looked at" in finding.text for finding in diagnosis.findings)
