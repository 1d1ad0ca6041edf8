"""A class that is given up is found by its recall, with and without class weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.doctor.arms import Arm, ArmResult
from chainrule.doctor.cuts import trial_rows
from chainrule.doctor.rare_class import rare_class_finding
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.subject import subject_of


def trials_in_which(rare: int, hits: int, with_weights: int) -> Any:
    """Return trials of 200 rows, in which so many rows of the rare class are found without and with class weights."""
    rng = np.random.default_rng(1)
    is_rare = np.arange(200) < rare
    data = rng.normal(size=(200, 2)), np.where(is_rare, "ill", "well")
    subject = subject_of(cr.Dense(1, "sigmoid"), data, TrainingSettings(validation=0.25))
    control = Arm("control", subject.net, data, subject.settings)

    def result(right: int) -> ArmResult:
        errors = np.where(is_rare & (np.arange(200) >= right), 1.0, np.arange(200) % 10 == 0)
        members = np.where(np.arange(200) % 4 == np.arange(4)[:, None], errors, np.nan)
        return ArmResult(control, members, 0, 0.0, 1, 0.0, 0.0, "numpy")

    return SimpleNamespace(
        subject=subject,
        rows=trial_rows(subject),
        control=control,
        confidence=0.95,
        cuts=(),
        until=None,
        comparison=SimpleNamespace(control=result(hits)),
        laboratory=SimpleNamespace(run=lambda arms, cuts, until: [result(with_weights)]),
    )


@pytest.mark.parametrize(
    ("rare", "hits", "with_weights", "alarm"),
    [
        (16, 0, 14, True),
        (16, 10, 14, False),
        (16, 1, 2, False),
        (60, 0, 55, False),
        (6, 0, 1, True),
        (6, 1, 2, True),
        (10, 4, 5, True),
        (6, 4, 6, False),
        (6, 3, 6, False),
    ],
)
def test_a_rare_class_is_given_up(rare: int, hits: int, with_weights: int, alarm: bool) -> None:
    """It is where few of its rows are found, and class weights find them; of ten rows, where more of the others are."""
    finding = rare_class_finding(trials_in_which(rare, hits, with_weights))
    assert (finding is not None) is alarm
    if finding is not None:
        assert (finding.level, finding.causes) == ("alarm", ("imbalance",))
        assert f"'ill' ({rare} of 200 rows) is given up" in finding.text
        assert ("too few to tell" in finding.text) is (rare <= 10)


def test_a_class_with_fewer_rows_than_folds_is_judged() -> None:
    folds = [trials_in_which(rare, 0, 0).rows.folds for rare in (2, 3, 9)]
    assert folds == [4, 3, 4]
