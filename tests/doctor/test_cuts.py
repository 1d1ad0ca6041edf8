"""Cuts: which rows train, tell when to stop, and judge."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.doctor.cuts import cut_rows, trial_rows
from chainrule.errors import DataError
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.subject import subject_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)).astype(np.float32), np.repeat([0, 1, 2], 20)


def rows_of(data: object, **settings: object) -> object:
    return trial_rows(subject_of(cr.Dense(3, "softmax"), data, TrainingSettings(**settings)))


def test_every_row_is_judged_once_and_trained_on_otherwise() -> None:
    rows = rows_of((X, Y), validation=0.25)
    cuts = cut_rows(rows, rows.folds, seed=0)
    assert rows.folds == 4
    assert sorted(np.concatenate([cut.judged for cut in cuts]).tolist()) == list(range(60))
    for cut in cuts:
        assert sorted(np.concatenate([cut.train, cut.stop, cut.judged]).tolist()) == list(range(60))
        assert np.bincount(Y[cut.judged]).tolist() == [5, 5, 5]
        assert len(cut.stop) == pytest.approx(45 / 8, abs=3)


@pytest.mark.parametrize(("share", "folds"), [(None, 5), (0.1, 5), (0.2, 5), (0.34, 3), (0.7, 2)])
def test_the_number_of_folds_follows_the_validation_share(share: float | None, folds: int) -> None:
    assert rows_of((X, Y), validation=share).folds == folds


@pytest.mark.parametrize("labels", [True, False])
def test_members_train_on_as_many_rows(labels: bool) -> None:
    """So that one program, compiled once, trains them all."""
    rows = rows_of((X[:59], Y[:59]), validation=0.25)
    rows = rows if labels else dataclasses.replace(rows, labels=None, kind="numbers")
    cuts = [cut for seed in (0, 1) for cut in cut_rows(rows, 6, seed)]
    assert len({(len(cut.train), len(cut.stop)) for cut in cuts}) == 1
    assert len({len(cut.judged) for cut in cuts}) == 2


def test_other_seeds_cut_otherwise_and_the_same_seed_alike() -> None:
    rows = rows_of((X, Y))
    first, again, other = (cut_rows(rows, 5, seed)[0].judged.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_rows_that_were_set_apart_for_validation_take_part() -> None:
    rows = rows_of((X[:40], Y[:40]), validation=(X[40:], Y[40:]))
    assert len(rows.rows) == 60
    assert rows.folds == 3
    assert np.array_equal(rows.x[50], X[50])


def test_test_rows_never_take_part() -> None:
    data = cr.data.Dataset.from_arrays("d", X[:50], Y[:50], X[50:], Y[50:])
    rows = rows_of(data)
    assert len(rows.rows) == 50
    assert rows.data.x_test is None
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=[f"c{v}" for v in Y], split=["train"] * 45 + ["test"] * 15)
    table = cr.Table.read(frame, target="y")
    rows = trial_rows(subject_of(cr.Dense(3, "softmax"), table, TrainingSettings()))
    assert rows.rows.max() == 44


def test_a_class_with_fewer_rows_than_folds_is_always_trained_on() -> None:
    y = Y.copy()
    y[:18] = 1  # two rows of class 0 are left
    rows = rows_of((X, y))
    for cut in cut_rows(rows, 5, seed=0):
        assert {18, 19} <= {*cut.train.tolist(), *cut.stop.tolist()}
        assert 0 in y[cut.train]


def test_of_many_rows_a_sample_is_used() -> None:
    rows = trial_rows(subject_of(cr.Dense(3, "softmax"), (X, Y), TrainingSettings()), most=30)
    assert len(rows.rows) == 30
    assert rows.drawn == 60


def test_too_few_rows_are_refused() -> None:
    subject = subject_of(cr.Dense(3, "softmax"), (X, Y), TrainingSettings())
    few = dataclasses.replace(subject, data=(X[::10], Y[::10]), rows=dataclasses.replace(subject.rows, x=X[::10]))
    with pytest.raises(DataError, match="too few"):
        trial_rows(few)
