"""`cr.diagnose` for all that can be named or given: data, networks, runs, folders; and what is wrong use of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import FileError, KeywordError, SettingError

CHECKS: dict[str, Any] = {"trials": False, "progress": False}
SMALL: dict[str, Any] = {"hidden": (8,), "epochs": 2, "engine": "numpy"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def iris() -> cr.Dataset:
    return cr.data.load("iris")


def people(rows: int = 150) -> Path:
    lines = [f"{i % 7},{(i * 37) % 11},{i},{'yn'[(i * 37) % 11 > 5]}" for i in range(rows)]
    Path("people.csv").write_text("\n".join(["a,b,id,y", *lines, ""]))
    return Path("people.csv")


def names(diagnosis: cr.Diagnosis) -> list[str]:
    return [cause.name for cause in diagnosis.causes]


def test_data_by_its_name_is_examined_with_the_network_that_train_would_make() -> None:
    fine = cr.diagnose("iris", **CHECKS, **SMALL)
    assert not fine.alarm
    ill = cr.diagnose("iris", init="zeros", **CHECKS, **SMALL)
    assert ill.alarm
    assert names(ill)[0] == "init"
    assert ill.fix is not None
    assert ill.fix.command() == "--init auto"


def test_a_table_is_examined_by_its_columns() -> None:
    table = people()
    diagnosis = cr.diagnose(table, target="y", **CHECKS, **SMALL)
    assert diagnosis.findings
    frame = cr.Table.read(table, target="y").frame
    assert cr.diagnose(frame, target="y", **CHECKS, **SMALL).findings == diagnosis.findings


def test_rows_for_the_test_are_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is examined are the rows that train would train on, and no others."""
    from chainrule.experiments import diagnosis as module

    seen = []
    monkeypatch.setattr(module, "examine", lambda net, data, **how: seen.append(data) or cr.Diagnosis((), (), ()))
    trained = cr.train(people(), target="y", **SMALL)
    cr.diagnose("iris", **CHECKS, **SMALL)
    cr.diagnose(people(), target="y", **CHECKS, **SMALL)
    cr.diagnose(trained, **CHECKS)
    assert [len(seen[0].x), len(seen[1]), len(seen[2].x)] == [120, 120, 120]
    assert seen[0].test is None
    assert seen[2].test is None
    ids = set(trained.plan.source.frame.loc[trained.plan.table.rows.test, "id"])
    assert not ids & set(seen[1].frame["id"])


def test_a_network_and_a_run_are_examined_with_their_data(iris: cr.Dataset) -> None:
    net = cr.mlp([4, 8, 3], init="zeros")
    assert names(cr.diagnose(net, iris, epochs=30, **CHECKS))[0] == "init"
    assert not cr.diagnose(lambda data: cr.mlp([data.x.shape[1], 8, 3]), iris, epochs=30, **CHECKS).alarm
    run = cr.fit(net, iris, epochs=3, progress=False)
    assert names(cr.diagnose(run, iris, **CHECKS))[0] == "init"


def test_what_train_gave_back_and_its_folder_come_to_the_same() -> None:
    trained = cr.train("iris", out="run", init="zeros", **SMALL)
    from_memory, from_folder = cr.diagnose(trained, **CHECKS), cr.diagnose("run", **CHECKS)
    assert from_memory.alarm
    assert names(from_memory)[0] == names(from_folder)[0] == "init"


def test_a_run_that_has_ended_is_looked_at_with_its_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.experiments import diagnosis as module

    seen = []
    monkeypatch.setattr(module, "examine", lambda run, data, **how: seen.append(run) or cr.Diagnosis((), (), ()))
    trained = cr.train("iris", out="run", **SMALL)
    cr.diagnose("run", **CHECKS)
    assert isinstance(seen[0], cr.Run)
    assert seen[0].recordings.last.step == trained.run.recordings.last.step
    assert len(seen[0].history) == 2
    cr.train("iris", out="other", **SMALL | {"early_stopping": 1, "epochs": 30, "validation": 0.2})
    cr.diagnose("other", **CHECKS)
    assert seen[1].recordings is not None


def test_the_folder_of_a_run_of_fit_needs_its_data(iris: cr.Dataset) -> None:
    cr.fit(cr.mlp([4, 8, 3], init="zeros"), iris, epochs=2, out="run", progress=False)
    without = cr.diagnose("run", **CHECKS)
    assert any("does not name its data" in stage.skipped for stage in without.ran)
    diagnosis = cr.diagnose("run", (iris.x, iris.y), **CHECKS)
    assert names(diagnosis)[0] == "init"


def test_a_folder_whose_data_has_gone_or_changed_says_what_is_left() -> None:
    table = people()
    cr.train(table, target="y", out="run", **SMALL)
    table.write_text(table.read_text() + "1,2,999,y\n")
    changed = cr.diagnose("run", **CHECKS)
    assert any(stage.name == "look" and "has changed" in stage.skipped for stage in changed.ran)
    table.unlink()
    gone = cr.diagnose("run", **CHECKS)
    assert {stage.name for stage in gone.ran if "cannot be read any more" in stage.skipped} >= {"data", "trials"}
    people()
    assert not any("any more" in stage.skipped for stage in cr.diagnose("run", data="people.csv", **CHECKS).ran)


def test_several_seeds_are_examined_as_one_of_them() -> None:
    cr.train("iris", out="seeds", seeds=2, **SMALL)
    diagnosis = cr.diagnose("seeds", **CHECKS)
    assert any("several networks" in stage.skipped for stage in diagnosis.ran)


@pytest.mark.parametrize("y", [np.zeros(30, int), np.full(30, np.nan), np.array(["a"] * 29 + ["b"])])
def test_data_that_cannot_be_used_is_a_finding(y: np.ndarray) -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    x[3, 1] = np.nan
    for diagnosis in (cr.diagnose((x, y), **CHECKS, **SMALL), cr.diagnose(cr.mlp([2, 4, 2]), (x, y), **CHECKS)):
        assert diagnosis.alarm
        assert diagnosis.findings[0].symptom == "readable"
        assert "wrong" in str(diagnosis)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda data: cr.diagnose("nothing.csv", target="y"), FileError, "nothing.csv"),
        (lambda data: cr.diagnose(cr.mlp([4, 3])), SettingError, r"cr\.diagnose\(net, data\)"),
        (lambda data: cr.diagnose(cr.mlp([4, 3]), data, target="y"), SettingError, "target is for data"),
        (lambda data: cr.diagnose(cr.mlp([4, 3]), data, epoch=3), KeywordError, "epochs"),
        (lambda data: cr.diagnose("iris", epoch=3), KeywordError, "epochs"),
        (lambda data: cr.diagnose("iris", budget=-1.0), SettingError, "budget"),
        (lambda data: cr.diagnose("iris", target="species"), SettingError, "target"),
    ],
)
def test_wrong_use_is_an_error(iris: cr.Dataset, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(iris)


def test_a_run_without_its_data_and_with_other_settings_is_refused(iris: cr.Dataset) -> None:
    run = cr.fit(cr.mlp([4, 8, 3]), iris, epochs=1, progress=False)
    with pytest.raises(SettingError, match="data that the run was trained on"):
        cr.diagnose(run)
    trained = cr.train("iris", out="run", **SMALL)
    for subject in (trained, "run"):
        with pytest.raises(SettingError, match="lr has no effect"):
            cr.diagnose(subject, lr=3.0)


def test_nothing_of_the_user_is_changed(iris: cr.Dataset) -> None:
    x, y = iris.x.copy(), iris.y.copy()
    net = cr.mlp([4, 8, 3])
    model = cr.Model(net, (4,), seed=3)
    before = [np.array(value) for value in cr.tree.leaves(model.params)]
    cr.diagnose(model, (x, y), epochs=3, budget=2.0, progress=False)
    assert np.array_equal(x, iris.x)
    assert np.array_equal(y, iris.y)
    assert all(np.array_equal(a, b) for a, b in zip(before, cr.tree.leaves(model.params), strict=True))


def test_the_guide_walks_through_all_steps_and_says_how_to_go_on() -> None:
    guide = cr.experiments.guide("iris", progress=False, budget=60.0, epochs=6, hidden=(16,), engine="numpy")
    assert [step.name for step in guide.steps] == [
        *("baseline", "by heart", "subset", "rate", "penalty", "stopping", "search")
    ]
    assert guide.done == 6
    assert 0 < guide.settings["lr"] < 1
    assert guide.steps[-2].go_on.startswith("cr.train('iris', epochs=6, hidden=(16,), engine='numpy', lr=")
    assert max(map(len, str(guide).splitlines())) <= 130
    assert "cr.experiments.search('iris'" in guide.steps[-1].go_on


def test_the_guide_stops_where_something_is_wrong_and_says_what_to_ask() -> None:
    guide = cr.experiments.guide("iris", progress=False, epochs=3, init="zeros", hidden=(16,), engine="numpy")
    verdicts = {step.name: step for step in guide.steps}
    assert verdicts["by heart"].verdict == "look"
    assert verdicts["by heart"].go_on.startswith("cr.diagnose('iris'")


def test_the_guide_gives_what_there_is_after_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.doctor import guide as module

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "find_lr", interrupted)
    guide = cr.experiments.guide("iris", progress=False, epochs=3, hidden=(16,), engine="numpy")
    assert guide.done == 3
    assert [step.text for step in guide.steps[3:6]] == ["Not done: interrupted."] * 3


def test_numbers_are_walked_through_too(iris: cr.Dataset) -> None:
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    data = dataclasses.replace(cr.Dataset.from_arrays("plane", x, x @ [1.0, -2.0, 0.5]))
    guide = cr.experiments.guide(data, progress=False, budget=20.0, epochs=3, hidden=(8,), engine="numpy")
    assert "mean absolute error" in guide.steps[0].text
