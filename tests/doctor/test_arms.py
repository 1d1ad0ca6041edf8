"""Arms: members are of one program, and a run that takes longer than was thought is compiled."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import chainrule as cr
from chainrule.doctor import arms
from chainrule.doctor.arms import Arm, Laboratory
from chainrule.doctor.cuts import cut_rows, trial_rows
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.subject import subject_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(601, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
SUBJECT = subject_of(cr.Dense(1, "sigmoid"), (X, Y), TrainingSettings(validation=0.25, epochs=4))
ROWS = trial_rows(SUBJECT)
CONTROL = Arm("control", SUBJECT.net, SUBJECT.data, SUBJECT.settings)


def test_members_without_some_rows_train_on_as_many() -> None:
    arm = dataclasses.replace(CONTROL, without=RNG.choice(601, 100, replace=False))
    trained_on = [arm.member(cut)["rows"] for cut in cut_rows(ROWS, 8, seed=0)]
    assert {len(rows) for rows in trained_on} == {360}  # of 450, without about 75, as chance has it
    assert not np.isin(np.concatenate(trained_on), arm.without).any()


def test_what_takes_longer_than_was_thought_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few steps are thought to be done sooner by NumPy; its first epoch is measured."""
    cuts = cut_rows(ROWS, 4, seed=0)
    plain = Laboratory(ROWS)
    result, until, _ = plain.run_within(CONTROL, cuts, seconds=60.0)
    assert (result.engine, plain.engine, until) == ("numpy", "auto", None)
    monkeypatch.setattr(arms, "COMPILE_SECONDS", 0.0)
    switching = Laboratory(ROWS)
    compiled, until, _ = switching.run_within(CONTROL, cuts, seconds=60.0)
    assert (compiled.engine, switching.engine, until) == ("jax", "jax", None)
    np.testing.assert_array_equal(compiled.errors, result.errors)
    assert compiled.epochs == 4
