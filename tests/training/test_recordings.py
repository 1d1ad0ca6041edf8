"""What a run keeps of itself: its settings, three moments, and some rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import DivergedError
from chainrule.recipe import memory

rng = np.random.default_rng(0)
x = rng.normal(size=(600, 5)).astype("float32")
y = (x[:, 0] > x[:, 1]).astype(int)
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


def fit(engine: str = "numpy", **settings: Any) -> cr.Run:
    net = cr.Sequential(cr.Dense(6, "tanh"), cr.Dropout(0.2), cr.Dense(1, "sigmoid"))
    return cr.fit(net, (x, y), **({"epochs": 3, "batch_size": 50, "engine": engine, "progress": False} | settings))


def same(one: Any, other: Any) -> bool:
    (names, ones), (other_names, others) = (zip(*sorted(tree.leaves_with_path(v)), strict=True) for v in (one, other))
    return names == other_names and all(map(np.array_equal, ones, others))


@engines
def test_the_moments_are_those_of_the_run(engine: str) -> None:
    run = fit(engine, validation=0.5)
    recordings = run.recordings
    assert recordings is not None
    assert recordings.early is not None
    first = cr.Model(run.model.net, (5,), seed=0)
    assert same(recordings.first.params, first.params)
    assert same(recordings.early.params, fit(engine, epochs=1, validation=0.5).model.params)
    assert same(recordings.last.params, run.model.params)
    assert [recordings.first.step, recordings.early.step, recordings.last.step] == [0, 6, 18]
    assert all(isinstance(leaf, np.ndarray) for leaf in tree.leaves(recordings.last.opt_state))
    assert all(moments["dense_1"]["weight"].any() for moments in recordings.last.opt_state.values())
    assert recordings.rows.x.shape == (256, 5)
    assert recordings.held_out is not None
    assert recordings.held_out.x.shape == (256, 5)
    standardized = run.model.prepare(x)
    assert all(np.isclose(row, standardized, atol=1e-6).all(axis=1).any() for row in recordings.rows.x)


def test_the_settings_are_those_of_the_call() -> None:
    settings = fit(l2=0.5, seed=3).settings
    assert settings is not None
    assert (settings.l2, settings.seed, settings.batch_size, settings.epochs) == (0.5, 3, 50, 3)


def test_a_run_that_went_on_has_its_first_state(tmp_path: Path) -> None:
    fit(out=tmp_path / "run", epochs=2)
    recordings = fit(out=tmp_path / "run", epochs=4, resume=True).recordings
    assert recordings is not None
    assert same(recordings.first.params, fit(epochs=1).recordings.first.params)  # type: ignore[union-attr]
    assert recordings.early is None
    assert recordings.last.step == 48


@engines
def test_a_run_that_diverged_says_where_and_keeps_the_state_before(engine: str) -> None:
    with pytest.raises(DivergedError) as error:
        cr.fit(
            cr.Sequential(cr.Dense(6, "relu"), cr.Dense(1)), (x, 1e3 * x[:, 0]), optimizer=cr.SGD(100.0),
            engine=engine, progress=False,
        )  # fmt: skip
    recordings = error.value.run.recordings  # type: ignore[attr-defined]
    assert recordings.nonfinite == error.value.layer
    assert recordings.last.step == error.value.step - 1
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(recordings.last.params))


def test_members_have_what_costs_nothing() -> None:
    population = cr.fit_population(cr.Dense(1, "sigmoid"), (x, y), 2, epochs=2, progress=False)
    one, other = (run.recordings for run in population)
    assert one is not None
    assert other is not None
    assert one.rows is other.rows
    assert one.early is None
    assert same(one.last.params, population[0].model.params)
    assert not same(one.first.params, other.first.params)
    assert population[1].settings.seed == 1  # type: ignore[union-attr]


def test_rows_of_a_file_are_kept_too(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x)
    run = cr.fit(
        cr.Dense(1, "sigmoid"), cr.data.stream(str(tmp_path / "x.npy"), y), epochs=1, batch_size=100, progress=False
    )
    assert run.recordings is not None
    recordings = run.recordings.rows
    assert recordings.x.shape == (256, 5)
    at = [int(np.isclose(row, run.model.prepare(x), atol=1e-6).all(axis=1).argmax()) for row in recordings.x]
    assert np.array_equal(recordings.y.ravel(), y[at])


def test_without_room_the_moment_after_the_first_epoch_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGE", 0)
    monkeypatch.setattr(memory, "free_memory", lambda: 0.0)
    recordings = cr.fit(cr.Dense(1, "sigmoid"), (x, y), epochs=1, progress=False)
    assert recordings.recordings is not None
    assert recordings.recordings.early is None
