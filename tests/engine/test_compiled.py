"""Compiled programs: those that ran longest ago give way, and what they compute stays the same."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.engine import compiled
from chainrule.engine.compiled import Programs


def test_programs_that_ran_longest_ago_give_way() -> None:
    programs = Programs(most=2)
    traced: list[str] = []

    def named(name: str, factor: float):  # type: ignore[no-untyped-def]
        def f(x):  # type: ignore[no-untyped-def]
            traced.append(name)
            return x * factor

        return programs.jit(f)

    a, b, c = named("a", 2.0), named("b", 3.0), named("c", 4.0)
    x = np.arange(3.0, dtype=np.float32)
    for f in (a, b, a, c):  # b ran longest ago when c comes
        f(x)
    assert (traced, len(programs)) == (["a", "b", "c"], 2)
    a(x)
    assert traced == ["a", "b", "c"]
    np.testing.assert_array_equal(b(x), [0.0, 3.0, 6.0])
    assert (traced[3:], len(programs)) == (["b"], 2)


def test_every_shape_of_a_program_counts() -> None:
    programs = Programs(most=3)
    double, triple = programs.jit(lambda x: 2 * x), programs.jit(lambda x: 3 * x)
    for n in range(1, 4):
        double(np.ones(n, np.float32))
    assert len(programs) == 3
    triple(np.ones(1, np.float32))
    assert len(programs) == 1


def test_a_program_that_runs_does_not_give_way() -> None:
    programs = Programs(most=1)
    inner = programs.jit(lambda x: x + 1)
    outer = programs.jit(lambda x: inner(x) * 2)
    np.testing.assert_array_equal(outer(np.ones(2, np.float32)), [4.0, 4.0])


def test_a_process_keeps_few_programs_and_trains_to_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)

    def trained(units: int) -> list[np.ndarray]:
        run = cr.fit(cr.mlp([3, units, 2]), (x, y), epochs=1, engine="jax", progress=False)
        return tree.leaves(run.model.params)  # type: ignore[no-any-return]

    before = trained(2)
    monkeypatch.setattr(compiled.PROGRAMS, "most", 4)
    for units in (3, 4):
        trained(units)
        assert len(compiled.PROGRAMS) <= 4
    for a, b in zip(before, trained(2), strict=True):
        np.testing.assert_array_equal(a, b)


def test_networks_that_are_trained_again_are_not_compiled_again() -> None:
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    nets = [cr.mlp([3, units, 2]) for units in (5, 6)]
    for net in nets:
        cr.fit(net, (x, y), epochs=1, engine="jax", progress=False)
    assert [cr.fit(net, (x, y), epochs=2, engine="jax", progress=False).traces for net in nets] == [{}, {}]
