"""Confusion by epoch, hard and forgotten rows, and wrong labels that are planted and must be suspected."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.recorded import Recorded
from chainrule.views.derive.confusions import confusions
from chainrule.views.derive.missing import Missing
from chainrule.views.derive.samples import samples
from recording import record

DIGITS = cr.data.load("digits")
X, Y = DIGITS.x[:300].reshape(300, 64), DIGITS.y[:300]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record(cr.mlp([64, 12, 10], hidden="tanh"), X, Y, optimizer=cr.SGD(lr=0.5), epochs=6, validation=(X, Y))


def test_confusion_equals_predictions(recorded: Recorded) -> None:
    seen = confusions(recorded)
    assert seen.part == "validation"
    assert seen.epochs == (1, 2, 3, 4, 5, 6)
    predictions = recorded.model_at(recorded.stops[-1]).predict(X)
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (Y, predictions), 1)
    np.testing.assert_array_equal(seen.counts[-1], expected)
    assert (seen.counts.sum(axis=(1, 2)) == 300).all()
    right, answered = np.argwhere((seen.counts[0] > 0) & ~np.eye(10, dtype=bool))[0]
    rows = seen.rows(right, answered, 0)
    assert len(rows) == seen.counts[0, right, answered]
    assert (Y[rows] == right).all()


def test_rows_are_right_for_good_from_an_epoch_on(recorded: Recorded) -> None:
    seen = confusions(recorded)
    good = seen.first_right_for_good()
    for row in range(0, 300, 7):
        wrong = [epoch for epoch, answer in zip(seen.epochs, seen.answers[:, row], strict=True) if answer != Y[row]]
        expected = 1 if not wrong else 0 if wrong[-1] == 6 else wrong[-1] + 1
        assert good[row] == expected


def test_a_row_is_answered_so_since_an_epoch(recorded: Recorded) -> None:
    seen = confusions(recorded)
    since = seen.answered_since()
    for row in range(0, 300, 7):
        for at, epoch in enumerate(seen.epochs):
            first = int(since[at, row]) - 1
            assert (seen.answers[first : at + 1, row] == seen.answers[at, row]).all()
            assert first == 0 or seen.answers[first - 1, row] != seen.answers[at, row]
            assert first < epoch
    assert seen.steps == tuple(epoch * recorded.steps_per_epoch for epoch in seen.epochs)


def test_without_validation_rows_those_of_training_count(recorded: Recorded) -> None:
    seen = confusions(dataclasses.replace(recorded, validation=None))
    assert seen.part == "training"
    np.testing.assert_array_equal(seen.answers, recorded.rows.answers)


def test_forgetting_equals_a_recount(recorded: Recorded) -> None:
    seen = samples(recorded)
    for row in range(300):
        right = [bool(answer == Y[row]) for answer in recorded.rows.answers[:, row]]
        assert seen.forgotten[row] == sum(a and not b for a, b in itertools.pairwise(right))
        assert seen.ever_right[row] == any(right)
    assert seen.forgotten.sum() > 0
    most = seen.most_forgotten(5)
    assert seen.forgotten[most].min() >= np.sort(seen.forgotten)[-5:].min()
    assert (seen.forgotten[seen.most_forgotten(300)] > 0).all()


def test_hard_rows_and_the_map_of_probabilities(recorded: Recorded) -> None:
    seen = samples(recorded)
    last = recorded.rows.costs[-1]
    assert (last[seen.hardest(5)] >= np.sort(last)[-5:].min()).all()
    p = recorded.model.predict_proba(X)[np.arange(300), Y]
    assert np.corrcoef(np.argsort(np.argsort(p)), np.argsort(np.argsort(seen.certainty)))[0, 1] > 0.5
    np.testing.assert_allclose(seen.certainty, np.exp(-recorded.rows.costs).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(seen.spread, np.exp(-recorded.rows.costs).std(axis=0), rtol=1e-3)
    assert seen.by_chance(30) == pytest.approx(0.1)


def test_costs_that_are_no_log_probability_have_no_map(recorded: Recorded) -> None:
    smooth = dataclasses.replace(recorded.recipe, loss=cr.losses.CrossEntropy(label_smoothing=0.1))
    assert samples(dataclasses.replace(recorded, recipe=smooth)).certainty is None


def test_wrong_labels_are_suspected(data_dir: Path) -> None:
    mnist = cr.data.load("mnist")
    x, y = np.asarray(mnist.x[:2000]).reshape(2000, 784), np.array(mnist.y[:2000])
    rng = np.random.default_rng(1)
    flipped = rng.choice(2000, 100, replace=False)
    y[flipped] = (y[flipped] + rng.integers(1, 10, 100)) % 10
    settings = {"optimizer": cr.Adam(lr=0.001), "epochs": 8, "batch_size": 32}
    seen = samples(record(cr.mlp([784, 32, 10]), x, y, **settings))
    share = np.isin(seen.suspects(100), flipped).mean()
    assert share >= 0.75
    assert seen.by_chance(100) == 0.05


def test_what_is_missing_is_said(recorded: Recorded) -> None:
    nothing = dataclasses.replace(recorded, rows=None, validation=None, missing={"rows": "There are too many."})
    numbers = dataclasses.replace(
        recorded, validation=None, rows=dataclasses.replace(recorded.rows, answers=None, truths=None)
    )
    without = [confusions(nothing), samples(nothing), confusions(numbers)]
    assert all(isinstance(answer, Missing) for answer in without)
    assert without[0].why.endswith("its rows. There are too many.")
    assert "numbers" in without[2].why
    seen = samples(numbers)
    assert seen.forgotten is None
    assert len(seen.most_forgotten()) == 0
    assert len(seen.hardest(3)) == 3
