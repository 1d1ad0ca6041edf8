"""The trials of a study that several processes share: each position has one, whatever the storage."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from chainrule.tuning import Space, Stage, log_uniform, trial_store, workers
from chainrule.tuning.claims import CLAIM
from chainrule.tuning.samplers import PositionalSampler
from chainrule.tuning.storage import quiet
from chainrule.tuning.trial_store import TrialStore
from chainrule.tuning.workers import Process

SPACE = Space({"lr": log_uniform(1e-3, 1.0)})
TRIALS = 8


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, which are slow to make."""
    path = tmp_path_factory.mktemp("database") / "search.db"
    with quiet():
        optuna.storages.RDBStorage(f"sqlite:///{path}")
    return path


#: For tests of what depends on the storage most; a database is slow.
every_storage = pytest.mark.parametrize("storage", ["memory", "journal", "sqlite"], indirect=True)


@pytest.fixture(params=["memory", "journal"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, database: Path) -> Any:
    shutil.copy(database, tmp_path)
    return {
        "memory": optuna.storages.InMemoryStorage(),
        "journal": str(tmp_path / "search.journal"),
        "sqlite": f"sqlite:///{tmp_path / 'search.db'}",
    }[request.param]


@pytest.fixture
def open_store(storage: Any) -> Callable[..., TrialStore]:
    def opened(stages: list[Stage] | None = None) -> TrialStore:
        stages = stages or [Stage(TRIALS, (1,))]
        sampler = PositionalSampler("random", SPACE, stages, seed=0)
        with quiet():
            place = storage
            if not isinstance(storage, str):
                place = optuna.create_study(storage=storage, study_name="one", load_if_exists=True)
            return TrialStore(place, None, "val_loss", {"data": "none"}, SPACE, stages, sampler)

    return opened


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """From now on this process is on another machine."""

    def move(machine: str) -> None:
        monkeypatch.setattr(workers, "this_process", lambda: Process(machine, 1, machine))

    return move


def take(store: TrialStore, most: int = 99) -> list[Any]:
    with quiet():
        return store.claim(lambda left: min(left, most), None, lambda: False)


def finish(store: TrialStore, trials: list[Any], value: float = 0.5) -> None:
    with quiet():
        for running in trials:
            store.study.tell(running.number, value)


def positions(store: TrialStore, *states: TrialState) -> list[int]:
    return sorted(trial.user_attrs[CLAIM]["position"] for trial in store.trials(*states))


@every_storage
def test_positions_have_one_trial_each_however_many_ask_at_once(open_store: Callable[..., TrialStore]) -> None:
    stores = [open_store() for _ in range(3)]
    taken: list[list[Any]] = []

    def work(store: TrialStore) -> None:
        with store.workers.present():
            while trials := store.claim(lambda left: min(2, left), None, lambda: False):
                taken.append(trials)
                for running in trials:
                    store.study.tell(running.number, 0.5)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    with quiet():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(running.claim.position for trials in taken for running in trials) == list(range(TRIALS))
    assert positions(stores[0], TrialState.COMPLETE) == list(range(TRIALS))
    planned = PositionalSampler("random", SPACE, stores[0].stages, seed=0)
    for trial in stores[0].trials(TrialState.COMPLETE):
        position = trial.user_attrs[CLAIM]["position"]
        planned.plan(SPACE, 0, position, position)
        assert trial.params == planned.point


def test_the_trials_of_a_process_that_has_ended_are_taken_with_the_same_values(
    open_store: Callable[..., TrialStore],
) -> None:
    dead, store = open_store(), open_store()
    before = take(dead, 3)  # it never said that it was there: it has ended
    with store.workers.present():
        again = take(store)
    assert [running.claim.position for running in again] == list(range(TRIALS))
    assert [running.values for running in again[:3]] == [running.values for running in before]
    assert len(positions(store)) == TRIALS


@every_storage
def test_what_a_process_had_asked_for_when_it_was_killed_is_not_lost(open_store: Callable[..., TrialStore]) -> None:
    dead, store = open_store(), open_store()
    with quiet():
        dead.study.ask()  # killed before it wrote whose trial this is
    with store.workers.present():
        trials = take(store)
        finish(store, trials)
    assert positions(store, TrialState.COMPLETE) == list(range(TRIALS))
    states = Counter(trial.state for trial in store.study.trials)
    assert states == {TrialState.COMPLETE: TRIALS, TrialState.FAIL: 1}


def test_who_asks_waits_for_those_who_asked_before(
    open_store: Callable[..., TrialStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is between asking and claiming keeps its turn; one that stands still there loses it."""
    slow, store = open_store(), open_store()
    monkeypatch.setattr(trial_store, "TICKET_GRACE", 0.2)
    with slow.workers.present(), store.workers.present():
        with quiet():
            ticket = slow.study.ask()
        [taken] = take(store, 1)
        assert taken.claim.position == 0
        with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
            ticket.set_user_attr(CLAIM, {"position": 0, "stage": 0, "worker": slow.workers.token, "bracket": [0, 0]})
        [other] = take(slow, 1)
        assert other.claim.position == 1


def test_what_a_living_process_trains_is_left_to_it(open_store: Callable[..., TrialStore]) -> None:
    other, store = open_store(), open_store()
    with other.workers.present(), store.workers.present():
        take(other, 5)
        mine = take(store)
        assert [running.claim.position for running in mine] == [5, 6, 7]
        assert take(store) == []


@every_storage
@pytest.mark.parametrize("restarted", ["the same machine", "another machine"])
def test_a_restarted_container_finishes_what_the_one_before_began(
    restarted: str,
    open_store: Callable[..., TrialStore],
    elsewhere: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On another machine it has to wait until that is silent, and says so."""
    monkeypatch.setattr(trial_store, "SAY_AFTER", 0.0)
    elsewhere("one machine")
    dead = open_store()
    dead.workers._write_beat()
    take(dead, 3)
    if restarted == "the same machine":
        monkeypatch.setattr(workers, "this_process", lambda: Process("one machine", 1, "later"))
        monkeypatch.setattr(workers, "_start_time", lambda pid: "later")
    else:
        elsewhere("another machine")
    store = open_store()
    with store.workers.present():
        first = take(store)
        assert [running.claim.position for running in first] == (
            list(range(TRIALS)) if restarted == "the same machine" else [3, 4, 5, 6, 7]
        )
        finish(store, first)
        if restarted == "another machine":
            monkeypatch.setattr(workers, "LEASE", store.workers.silence(dead.workers.token) + 0.4)
            finish(store, take(store))
            assert "Waiting for 3 trials of a process on another machine" in caplog.text
    assert positions(store, TrialState.COMPLETE) == list(range(TRIALS))


def test_a_trial_is_finished_once_by_whoever_is_first(open_store: Callable[..., TrialStore]) -> None:
    """A process that was taken for dead finds its trial failed; it changes nothing of the one that took its place."""
    slow, store = open_store(), open_store()
    [late] = take(slow, 1)
    with store.workers.present():
        [again] = take(store, 1)
        assert again.claim.position == late.claim.position == 0
        finish(store, [again], 0.25)
    with pytest.raises((ValueError, optuna.exceptions.UpdateFinishedTrialError)):
        finish(slow, [late], 0.75)
    [complete] = store.trials(TrialState.COMPLETE)
    assert complete.value == 0.25


@every_storage
def test_of_two_that_finish_a_trial_at_once_one_does(open_store: Callable[..., TrialStore]) -> None:
    stores = [open_store(), open_store()]
    trials = take(stores[0])
    done: list[tuple[int, int]] = []

    def tell(who: int) -> None:
        for running in trials:
            try:
                stores[who].study.tell(running.number, float(who))
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
                continue
            done.append((running.number, who))

    threads = [threading.Thread(target=tell, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == TRIALS
    values = {trial.number: trial.value for trial in stores[0].study.get_trials()}
    assert values == {number: float(who) for number, who in done}


def test_a_stage_that_is_drawn_around_another_waits_for_all_of_it(open_store: Callable[..., TrialStore]) -> None:
    stages = [Stage(4, (1,)), Stage(2, (2,), narrow=0.5)]
    other, store = open_store(stages), open_store(stages)
    with other.workers.present(), store.workers.present():
        take(other, 1)
        mine = take(store)
        assert [running.claim.position for running in mine] == [1, 2, 3]
        finish(store, mine)
        calls = iter([False, False, True])
        assert store.claim(lambda left: left, None, lambda: next(calls)) == []  # the other one is not finished


def test_those_that_are_compared_with_each_other_are_taken_together(open_store: Callable[..., TrialStore]) -> None:
    stages = [Stage(6, (1, 3))]
    other, store = open_store(stages), open_store(stages)
    with other.workers.present(), store.workers.present():
        first = other.claim(lambda left: 1, 4, lambda: False)
        assert [running.claim.bracket for running in first] == [(0, 4)] * 4
        second = store.claim(lambda left: 1, 4, lambda: False)
        assert [running.claim.bracket for running in second] == [(4, 2)] * 2
        assert other.claim(lambda left: 1, 4, lambda: False) == []
        for running in second:
            store.release(running, "interrupted")
        again = other.claim(lambda left: 1, None, lambda: False)
        assert [(running.claim.position, running.claim.bracket) for running in again] == [(4, (4, 2)), (5, (4, 2))]
