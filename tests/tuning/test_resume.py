"""Searches that are killed and gone on with, and several processes that share one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from chainrule.tuning.storage import quiet
from tuning.search_process import TRIALS, run_search

SCRIPT = Path(__file__).with_name("search_process.py")


def start(*arguments: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, SCRIPT, *map(str, arguments)])


def finish(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def point(trial: Any) -> tuple[Any, ...]:
    return tuple(trial.params.items())


def stored(path: Path, name: str = "chainrule") -> optuna.Study:
    with quiet():
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
        return optuna.load_study(study_name=name, storage=storage)


def test_a_killed_search_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "search.journal"
    assert finish(start(path, "random", "--kill-after", 23)) == -signal.SIGKILL
    left = stored(path).trials
    done = {trial.number: point(trial) for trial in left if trial.state == TrialState.COMPLETE}
    under_way = {point(trial) for trial in left if trial.state == TrialState.RUNNING}
    assert len(done) == 6  # a batch of four, and two of the next that are done before the others
    assert len(under_way) == 2

    result = run_search(path)
    whole = run_search(None)
    complete = [trial for trial in result.study.trials if trial.state == TrialState.COMPLETE]
    # No point is lost, and none is trained twice; the values are those of a search that was never interrupted.
    assert Counter(map(point, complete)) == Counter(map(point, whole.study.trials))
    assert {trial.number: point(trial) for trial in complete if trial.number in done} == done
    values = {point(trial): trial.value for trial in whole.study.trials}
    assert {point(trial): trial.value for trial in complete} == values
    # What was under way failed, and was trained again: the same values at the same position of the search.
    failed = [trial for trial in result.study.trials if trial.state == TrialState.FAIL]
    assert {point(trial) for trial in failed} == under_way
    again = {trial.user_attrs["claim"]["position"]: point(trial) for trial in complete}
    assert {trial.user_attrs["claim"]["position"]: point(trial) for trial in failed}.items() <= again.items()
    assert len(result.leaderboard) == TRIALS
    assert result.settings == whole.settings
    assert result.best.history["val_accuracy"][-1] == result.score  # its weights are made again if need be


@pytest.mark.parametrize(("stages", "epoch"), [("halving", 11), ("coarse_to_fine", 6), ("coarse_to_fine", 20)])
def test_a_killed_search_with_stages_goes_on_as_if_nothing_had_been(stages: str, epoch: int, tmp_path: Path) -> None:
    path = tmp_path / "search.journal"
    settings: dict[str, Any] = {"stages": stages}
    assert finish(start(path, "random", "--kill-after", epoch, "--stages", stages)) == -signal.SIGKILL
    result, whole = run_search(path, **settings), run_search(None, **settings)
    ends = [Counter((tuple(t.settings.items()), t.state, t.epochs) for t in each.trials) for each in (result, whole)]
    assert ends[0] == ends[1]
    assert result.settings == whole.settings


def test_a_finished_search_trains_nothing_again(tmp_path: Path) -> None:
    first = run_search(tmp_path / "search.journal")
    events: list[Any] = []
    again = run_search(tmp_path / "search.journal", callbacks=events.append)
    assert events == []
    assert again.leaderboard.equals(first.leaderboard)
    assert [t.history["val_loss"] for t in again.trials] == [t.history["val_loss"] for t in first.trials]
    expected = first.best.history.to_pandas().drop(columns="seconds")
    assert again.best.history.to_pandas().drop(columns="seconds").equals(expected)


def test_two_processes_never_train_the_same_trial(tmp_path: Path) -> None:
    path = tmp_path / "search.journal"
    both = [start(path, "grid", "--gate", tmp_path) for _ in range(2)]
    assert [finish(process) for process in both] == [0, 0]
    for name, sampler, stages in (("chainrule", "grid", None), ("staged", "random", "coarse_to_fine")):
        trials = [trial for trial in stored(path, name).trials if "claim" in trial.user_attrs]
        assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS
        alone = run_search(None, sampler, stages=stages)
        assert {point(trial) for trial in trials} == {point(trial) for trial in alone.study.trials}
        assert len({trial.user_attrs["claim"]["worker"] for trial in trials}) == 2
