from __future__ import annotations

from typing import Any

import pytest

from chainrule.errors import ChainruleError
from chainrule.tuning import Stage
from chainrule.tuning.stages import plan


def test_hyperband_has_the_brackets_of_the_paper() -> None:
    """Table 1 of Li et al. (2018), for R = 81 and η = 3."""
    stages = plan("hyperband", 81 + 34 + 15 + 8 + 5, 81)
    assert [(stage.trials, stage.rungs[0]) for stage in stages] == [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    assert [stages[0].keep(81, rung) for rung in range(4)] == [27, 9, 3, 1]


@pytest.mark.parametrize("trials", [3, 4, 7, 10, 50, 64, 200])
@pytest.mark.parametrize("epochs", [3, 10, 27])
def test_brackets_have_all_trials_and_end_with_all_epochs(trials: int, epochs: int) -> None:
    if (epochs, trials) == (27, 3):
        return
    stages = plan("hyperband", trials, epochs)
    assert sum(stage.trials for stage in stages) == trials
    assert {stage.epochs for stage in stages} == {epochs}


def test_halving_begins_so_low_that_one_trial_is_left() -> None:
    assert plan("halving", 27, 27) == [Stage(27, (1, 3, 9, 27))]
    assert plan("halving", 9, 27) == [Stage(9, (3, 9, 27))]
    assert plan("halving", 64, 10) == [Stage(64, (1, 3, 10))]


@pytest.mark.parametrize("trials", [4, 7, 11, 12, 13, 24, 50, 64, 200])
@pytest.mark.parametrize("epochs", [2, 5, 10, 27, 100])
def test_coarse_to_fine_has_all_trials_and_ends_with_all_epochs(trials: int, epochs: int) -> None:
    stages = plan("coarse_to_fine", trials, epochs)
    assert sum(stage.trials for stage in stages) == trials
    assert stages[-1].epochs == epochs
    lengths = [stage.epochs for stage in stages]
    assert lengths == sorted(lengths)
    assert lengths[0] < epochs
    assert all(stage.trials >= 3 for stage in stages[:-1])  # a base to narrow the space by
    assert [bool(stage.narrow) for stage in stages] == [False, *[True] * (len(stages) - 1)]
    if trials >= 12 and epochs >= 10:
        used = sum(stage.trials * stage.epochs for stage in stages)
        assert used < 0.4 * trials * epochs


@pytest.mark.parametrize(
    ("stages", "trials", "epochs", "message"),
    [
        ("coarse_to_fin", 10, 10, "did you mean 'coarse_to_fine'"),
        ("coarse_to_fine", 3, 10, "at least 4 trials"),
        ("coarse_to_fine", 10, 1, "at least 2 epochs"),
        ("halving", 10, 2, "at least 3 epochs"),
        ("halving", 2, 9, "at least 3 trials"),
        ("hyperband", 2, 27, "at least 4 trials"),
        ([Stage(4, (1, 3))], 5, 3, "give trials=4"),
        ([Stage(4, (3,), narrow=0.1)], 4, 3, "first stage"),
        ([4], 4, 3, "a list of chainrule.tuning.Stage"),
    ],
)
def test_stages_that_cannot_be(stages: Any, trials: int, epochs: int, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        plan(stages, trials, epochs)


@pytest.mark.parametrize(
    ("trials", "rungs", "factor", "message"),
    [
        (0, (1,), 3, "trials must be a whole number of at least 1"),
        (3, (), 3, "rungs are epochs in rising order"),
        (3, (3, 1), 3, "rungs are epochs in rising order"),
        (3, (1, 3), 1, "factor is above 1"),
    ],
)
def test_a_stage_that_cannot_be(trials: int, rungs: tuple[int, ...], factor: float, message: str) -> None:
    with pytest.raises(ChainruleError, match=f"Stage: {message}"):
        Stage(trials, rungs, factor)
