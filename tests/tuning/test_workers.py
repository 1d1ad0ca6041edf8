"""Who works on a study: what tells processes apart, and when one counts as ended."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from chainrule.tuning import workers
from chainrule.tuning.storage import quiet
from chainrule.tuning.workers import BEAT, LEASE, LONG_SILENCE, Process, Workers, this_process


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1e9

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: clock.now - 5e8, time=lambda: clock.now))
    return clock


@pytest.fixture
def here() -> Workers:
    with quiet():
        return Workers(optuna.create_study())


def say(here: Workers, process: Process, beat: float, ended: bool = False) -> None:
    here.study.set_user_attr("worker other", dataclasses.asdict(process) | {"beat": beat, "ended": ended})


ELSEWHERE = Process("another machine", 1, "100")


def test_a_search_is_there_until_it_ends(here: Workers) -> None:
    assert here.is_alive(here.token) is False
    with here.present():
        assert here.is_alive(here.token) is True
    assert here.is_alive(here.token) is False


def test_a_process_of_this_machine_is_known_to_have_ended_at_once(here: Workers, clock: Clock) -> None:
    say(here, dataclasses.replace(this_process(), pid=2**22 - 3), clock.now)
    assert here.is_alive("other") is False


def test_another_process_with_the_same_number_is_not_taken_for_the_one_before(
    here: Workers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that was restarted: the same name, and number 1 again."""
    before = dataclasses.replace(this_process(), started="1")
    if not this_process().started:
        pytest.skip("the system does not say when a process began")
    say(here, before, clock.now)
    assert here.is_alive("other") is False


def test_a_silent_process_of_another_machine_has_ended_after_the_lease(here: Workers, clock: Clock) -> None:
    say(here, ELSEWHERE, clock.now)
    assert here.is_alive("other") is None
    clock.passes(LEASE - 1)
    assert here.is_alive("other") is None
    clock.passes(2)
    assert here.is_alive("other") is False


@pytest.mark.parametrize("difference", [0.0, -0.9 * LONG_SILENCE, 7200.0])
def test_a_process_of_another_machine_is_there_as_long_as_it_says_so(
    here: Workers, clock: Clock, difference: float
) -> None:
    """Whatever the difference of the two clocks."""
    states = []
    for _ in range(20):
        say(here, ELSEWHERE, clock.now + difference)
        states.append(here.is_alive("other"))
        clock.passes(BEAT)
    assert states == [None] + [True] * 19


def test_a_process_of_another_machine_that_was_silent_for_long_is_not_waited_for(here: Workers, clock: Clock) -> None:
    say(here, ELSEWHERE, clock.now - LONG_SILENCE - 1)
    assert here.is_alive("other") is False
    assert here.others() == {}


def test_a_process_that_said_that_it_ends_is_not_waited_for(here: Workers, clock: Clock) -> None:
    say(here, ELSEWHERE, clock.now, ended=True)
    assert here.is_alive("other") is False
    assert here.is_alive("never heard of") is False


def test_a_search_whose_end_could_not_be_written_has_ended_all_the_same(
    here: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with here.present(), monkeypatch.context() as changed:
        changed.setattr(here, "_write_beat", lambda **_: 1 / 0)
    other = Workers(here.study)
    assert here.study.user_attrs[f"worker {here.token}"]["ended"] is False or here.token
    assert other.is_alive(here.token) is False
    with other.present():
        assert set(here.others()) == {other.token}


def test_records_are_plain_json(here: Workers) -> None:
    with here.present():
        record: dict[str, Any] = here.study.user_attrs[f"worker {here.token}"]
    assert record.keys() == {"machine", "pid", "started", "beat", "ended"}
