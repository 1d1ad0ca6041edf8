"""``fit(doctor="watch")``: faults are told once, and nothing of the run changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import UnknownNameError
from chainrule.training import watch

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 6)).astype("float32")
y = (x[:, 0] > x[:, 1]).astype(int)
HEALTHY = cr.Sequential(cr.Dense(16, "relu"), cr.Dropout(0.2), cr.Dense(1, "sigmoid"))
DEAD = cr.Sequential(cr.Dense(16, "relu", bias_init=cr.initializers.Constant(-50.0)), cr.Dense(1, "sigmoid"))
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


def fit(net: Any = HEALTHY, **settings: Any) -> cr.Run:
    fixed: dict[str, Any] = {"epochs": 5, "engine": "numpy", "batch_size": 50}
    return cr.fit(net, (x, y), **(fixed | settings))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks may take as long as they do."""
    monkeypatch.setattr(watch, "SHARE", 1e9)


@engines
@pytest.mark.usefixtures("unhurried")
def test_it_changes_nothing(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (fit(engine=engine, validation=0.2, doctor=doctor) for doctor in ("off", "watch"))
    for a, b in zip(tree.leaves(one.model.params), tree.leaves(other.model.params), strict=True):
        assert np.array_equal(a, b)
    assert one.history["loss"] == other.history["loss"]
    assert one.history["val_loss"] == other.history["val_loss"]
    assert "doctor:" not in capsys.readouterr().err


@engines
@pytest.mark.usefixtures("unhurried")
def test_a_fault_is_told_once(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    fit(DEAD, engine=engine, doctor="watch")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("doctor: ")]
    assert any("dense_1" in line for line in lines)
    assert len(lines) == len(set(lines))


@pytest.mark.usefixtures("unhurried")
def test_without_progress_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    fit(DEAD, doctor="watch", progress=False)
    fit(DEAD)
    assert "doctor" not in capsys.readouterr().err


def test_epochs_1_2_4_and_8_are_looked_at_if_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(watch, "SHARE", 1e9)
    monkeypatch.setattr(watch.Watch, "_faults", lambda self, state, history: seen.append(len(history)) or [])
    fit(epochs=9, doctor="watch")
    assert seen == [1, 2, 4, 8]
    monkeypatch.setattr(watch, "SHARE", 0.0)
    fit(epochs=9, doctor="watch")
    assert seen == [1, 2, 4, 8]


@pytest.mark.usefixtures("unhurried")
def test_a_look_that_fails_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.symptoms import observed

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no look")

    monkeypatch.setattr(observed, "look", fail)
    assert len(fit(doctor="watch").history) == 5


def test_other_values_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="watch"):
        fit(doctor="wach")
