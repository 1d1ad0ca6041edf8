"""Too few rows: half of them teach less, or all of them next to nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.doctor.arms import Arm, ArmResult
from chainrule.doctor.cuts import cut_rows, halved, trial_rows
from chainrule.doctor.few_rows import few_rows_finding
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.subject import subject_of


def trials_in_which(rows: int, wrong: int, wrong_of_half: int) -> Any:
    """Return trials of rows, of which so many are wrong, and so many after training on half of them."""
    data = np.random.default_rng(1).normal(size=(rows, 2)), np.arange(rows) % 2
    subject = subject_of(cr.Dense(1, "sigmoid"), data, TrainingSettings(validation=0.25))
    control = Arm("control", subject.net, data, subject.settings)
    rows_of_trials = trial_rows(subject)
    cuts = cut_rows(rows_of_trials, 4, seed=0)

    def result(count: int) -> ArmResult:
        errors = np.full((4, rows), np.nan)
        for member, cut in zip(errors, cuts, strict=True):
            member[cut.judged] = np.arange(len(cut.judged)) < count / 4
        return ArmResult(control, errors, 0, 0.0, 1, 0.0, 0.0, "numpy")

    return SimpleNamespace(
        rows=rows_of_trials,
        control=control,
        confidence=0.95,
        weights=None,
        seed=0,
        cuts=cuts,
        until=None,
        has_room=lambda members: False,
        comparison=SimpleNamespace(control=result(wrong)),
        laboratory=SimpleNamespace(run=lambda arms, cuts, until: [result(wrong_of_half)]),
    )


@pytest.mark.parametrize(
    ("rows", "wrong", "wrong_of_half", "words"),
    [
        (80, 16, 32, "more would help"),
        (80, 16, 16, ""),  # as many again change nothing
        (80, 4, 24, ""),  # much is learnt already
        (48, 20, 20, "hardly anything is learnt"),
        (120, 16, 32, ""),  # 60 for each class are not few
    ],
)
def test_few_rows_are_told_by_half_of_them(rows: int, wrong: int, wrong_of_half: int, words: str) -> None:
    finding = few_rows_finding(trials_in_which(rows, wrong, wrong_of_half))
    assert (finding is not None) is bool(words)
    if finding is not None:
        assert (finding.level, finding.causes) == ("alarm", ("too_little_data",))
        assert f"only {rows} rows" in finding.text
        assert words in finding.text


def test_half_of_the_rows_has_every_class_and_judges_the_same() -> None:
    trials = trials_in_which(40, 4, 8)
    cut = trials.cuts[0]
    half = halved(cut, trials.rows)
    assert {*half.others.tolist()} < {*cut.others.tolist()}
    assert len(half.others) == pytest.approx(len(cut.others) / 2, abs=2)
    assert np.ptp(np.bincount(trials.rows.labels[half.others])) <= 2
    assert np.array_equal(half.judged, cut.judged)
