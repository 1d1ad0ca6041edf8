"""Which engine a job gets, and on how many cores."""

from __future__ import annotations

import os

import pytest

import chainrule as cr
from chainrule.engine import choice


@pytest.mark.parametrize(("machine", "cores"), [(6, 6), (None, 1)])
def test_a_system_that_does_not_say_which_cores_a_process_has(
    monkeypatch: pytest.MonkeyPatch, machine: int | None, cores: int
) -> None:
    """As macOS and Windows: those of the machine count, and a population trains."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: machine)
    assert choice.count_cores() == cores
    ((_, threads),) = choice.workers(choice.choose("jax"))
    assert threads == cores
    runs = cr.fit_population(cr.mlp([4, 3]), cr.data.load("iris"), 2, epochs=1, progress=False, engine="jax")
    assert len(runs) == 2
