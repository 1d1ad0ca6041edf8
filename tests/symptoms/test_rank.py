"""Causes are ordered by what was found, and by what came of their fixes."""

from __future__ import annotations

import json
import math
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms import rank as rank_module
from chainrule.symptoms.catalogue import CAUSES, SYMPTOMS
from chainrule.symptoms.evidence import Evidence, Finding, Proof
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.rank import Trial, learn_counts, probabilities, rank
from chainrule.symptoms.subject import subject_of

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = np.arange(60) % 3


def subject(net=None, **settings):
    return subject_of(net or cr.mlp([4, 8, 3]), (X, Y), TrainingSettings(**settings))


NORMED = cr.Sequential(cr.Dense(8), cr.BatchNorm(0.9999), cr.Activation("relu"), cr.Dense(3, "softmax"))


def alarm(symptom, *causes, against=(), where=""):
    return Finding(symptom, "alarm", "", where, (Evidence("a figure", 1.0),), causes, against)


def note(symptom, *against):
    return Finding(symptom, "note", "", against=against)


def tried(cause, smallest, explained):
    return cause, Trial(cause, Fix(f"fix of {cause}", {"epochs": 1}), smallest, explained)


@pytest.fixture
def nothing_counted(monkeypatch):
    """Only what findings say themselves, whatever was counted."""
    monkeypatch.setattr(rank_module, "_counts", lambda: rank_module.Counts({}, {}))


def names(*args, **kwargs):
    return [cause.name for cause in rank(*args, **kwargs)]


@pytest.mark.parametrize("symptom", SYMPTOMS)
@pytest.mark.parametrize("level", ["alarm", "advice"])
def test_whatever_speaks_for_a_cause_makes_it_likelier(symptom, level, nothing_counted):
    if SYMPTOMS[symptom].stage == "trial":
        return  # T says what trials do
    finding = Finding(symptom, level, "", causes=("activation", "init"))
    likely = probabilities([finding])
    assert list(likely)[:2] == ["activation", "init"]
    assert sum(likely.values()) < 1


def test_what_speaks_against_a_cause_makes_it_less_likely(nothing_counted):
    findings = [alarm("by_heart", "init", "lr_high")]
    assert names(findings)[0] == "init"
    assert names([*findings, note("signal", "init")])[0] == "lr_high"


def test_symptoms_of_one_kind_count_once(nothing_counted):
    one = probabilities([alarm("signal", "activation"), alarm("tails", "outliers")])
    three = [alarm("signal", "activation"), alarm("units", "activation"), alarm("gradient_reaches", "activation")]
    many = probabilities([*three, alarm("signal", "activation"), alarm("tails", "outliers")])
    assert many["activation"] / many["outliers"] == pytest.approx(one["activation"] / one["outliers"])
    other = probabilities([alarm("signal", "activation"), alarm("by_heart", "activation"), alarm("tails", "outliers")])
    assert other["activation"] > many["activation"]


def test_exact_alarms_decide(nothing_counted):
    findings = [alarm("signal", "init"), alarm("units", "init"), alarm("loss_direction", "code_loss", where="loss")]
    first, *_ = rank(findings)
    assert (first.name, first.where, first.proof.kind, first.proof.verdict) == ("code_loss", "loss", "exact", "proven")
    assert first.probability > 0.9


def test_a_chance_is_not_exact(nothing_counted):
    by_chance = Finding("gradient", "alarm", "", "", (Evidence("z", 9.0, p=0.01),), ("code_gradient",))
    assert rank([by_chance])[0].proof is None


def test_trials_outweigh_symptoms(nothing_counted):
    findings = [alarm("by_heart", "init", "lr_high")]
    trials = dict([tried("init", 0.0, 0.05), tried("lr_high", 0.95, 0.98), tried("optimizer", 0.05, 0.7)])
    causes = rank(findings, trials)
    assert [causes[0].name, causes[0].fix] == ["lr_high", trials["lr_high"].fix]
    assert causes[0].probability > 0.5
    assert probabilities(findings, trials)["init"] < 0.05


def test_causes_that_were_not_tried_stay_where_nothing_that_was_tried_helps(nothing_counted):
    findings = [alarm("labels_trusted", "labels_noisy")]
    trials = dict(tried(name, 0.0, 0.0) for name in ("lr_high", "lr_low", "init", "optimizer"))
    assert names(findings, trials)[0] == "labels_noisy"


def test_nothing_stands_out_where_nothing_was_found(nothing_counted):
    likely = probabilities([])
    assert max(likely.values()) < 0.5
    assert all(math.isfinite(value) for value in likely.values())


def test_equivalent_answers_stand_together_the_cheaper_first(nothing_counted):
    findings = [alarm("movement", "epochs_few", "lr_low", "init")]
    trials = dict([tried("epochs_few", 0.5, 0.9), tried("lr_low", 0.4, 0.9), tried("init", 0.1, 0.5)])
    causes = rank(findings, trials)
    assert [cause.name for cause in causes[:2]] == ["lr_low", "epochs_few"]
    assert causes[0].probability > 0.5
    trials |= dict([tried("lr_low", 0.0, 0.1)])  # it is not equivalent here
    assert names(findings, trials)[0] == "epochs_few"


def test_causes_that_cannot_be_at_fault_are_left_out(nothing_counted):
    likely = probabilities([], subject=subject())
    absent = {"dropout", "augmentation", "regularization", "bias", "schedule", "patience", "shift", "scrambled_pixels"}
    assert not absent & {*likely}
    assert {"lr_high", "labels_noisy", "too_small"} <= {*likely}
    net = cr.Sequential(cr.Dense(8, "relu", bias=False), cr.Dropout(0.5), cr.Dense(3, "softmax"))
    assert {"dropout", "bias"} <= {*probabilities([], subject=subject(net))}
    assert not {name for name in probabilities([], subject=subject()) if name.startswith("code_")}


def test_causes_come_with_what_was_found_and_their_first_fix(nothing_counted):
    findings = [
        Finding("scale", "advice", "", "inputs", causes=("inputs_unscaled",)),
        alarm("start_cost", "inputs_unscaled", "init", where="first cost"),
        note("by_heart", "inputs_unscaled"),
    ]
    first = rank(findings, subject=subject_of(cr.mlp([4, 8, 3]), (X * 1e3, Y), TrainingSettings(normalize=False)))[0]
    assert first.name == "inputs_unscaled"
    assert first.evidence_for == tuple(findings[:2])
    assert first.evidence_against == (findings[2],)
    assert first.where == "first cost"
    assert first.fix.changes == {"normalize": True}


def test_counts_overrule_what_a_finding_says_of_itself(monkeypatch):
    finding = alarm("by_heart", "lr_high", "init")
    cases = [("init", [finding])] * 40 + [("lr_high", [note("by_heart", "lr_high")])] * 40
    counts = learn_counts(cases)
    monkeypatch.setattr(rank_module, "_counts", lambda: rank_module.Counts(counts["causes"], counts["symptoms"]))
    assert names([finding])[0] == "init"
    assert names([note("by_heart", "lr_high")])[0] == "lr_high"


def test_counts_have_the_names_of_the_vocabulary():
    counts = json.loads((Path(rank_module.__file__).parent / "evidence.json").read_text())
    assert {*counts["causes"]} <= {*CAUSES}
    assert {*counts["symptoms"]} <= {*SYMPTOMS}
    assert set(rank_module._counts().causes) <= set(CAUSES)


def test_the_counts_are_part_of_the_package():
    """The wheel takes all files of the package that Git does not ignore."""
    file = Path(rank_module.__file__).parent / "evidence.json"
    root = file.parents[3]
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"packages": ["src/chainrule"]}
    assert file.is_relative_to(root / "src/chainrule")
    ignored = subprocess.run(["git", "check-ignore", "-q", file], cwd=root, check=False)
    assert ignored.returncode != 0


@pytest.mark.parametrize(
    ("cause", "net", "settings"),
    [
        ("lr_high", None, {"optimizer": cr.Adam(lr=3.0)}),
        ("lr_low", None, {"optimizer": cr.SGD(lr=1e-5)}),
        ("schedule", None, {"optimizer": cr.Adam(lr=cr.schedules.StepDecay(0.01, 0.01, 0.5))}),
        ("optimizer", None, {"optimizer": cr.Adam(lr=0.01, eps=10.0)}),
        ("regularization", None, {"l2": 60.0}),
        ("dropout", cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.9), cr.Dense(3, "softmax")), {}),
        ("patience", None, {"validation": 0.2, "early_stopping": cr.EarlyStopping(patience=1)}),
        ("init", cr.mlp([4, 8, 3], init="zeros"), {}),
        ("activation", cr.mlp([4, 8, 3], "step"), {}),
        ("too_small", cr.mlp([4, 1, 3]), {}),
        ("batch_norm", NORMED, {}),
    ],
)
def test_a_setting_far_from_what_is_usual_is_looked_at_first(cause, net, settings, nothing_counted):
    settings = {"optimizer": cr.Adam(lr=0.01), "epochs": 100, "batch_size": 4} | settings
    assert cause in list(probabilities([], subject=subject(net, **settings)))[:2]


def test_code_is_at_fault_where_there_is_some_only(nothing_counted):
    advice = Finding("start_cost", "advice", "", causes=("init", "code_scale"))
    assert "code_scale" not in probabilities([advice], subject=subject())
    assert "shift" not in probabilities([advice], subject=subject(validation=0.2))


def test_a_proven_cause_is_before_those_that_were_not_tried() -> None:
    """Whatever else the checks speak for, louder: a column that is dealt out anew has no fix that is tried."""
    findings = [alarm("classes", "too_little_data"), Finding("one_column", "advice", "", causes=("leak",))]
    assert names(findings)[0] == "too_little_data"
    proven = {"leak": Trial("leak", None, 1.0, 1.0, Proof("permutation", "proven"))}
    assert names(findings, proven)[0] == "leak"
    assert probabilities(findings, proven)["leak"] > 0.5
