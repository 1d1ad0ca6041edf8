"""`cr.train`, `cr.load_data` and `cr.experiments`: what the commands do, from Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import DivergedError, FileError, KeywordError, SettingError

QUICK: dict[str, Any] = {"epochs": 2, "hidden": (4,), "engine": "numpy"}
KINDS: dict[str, dict[str, Any]] = {"single": {}, "seeds": {"seeds": 2}, "folds": {"folds": 2}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def people(folder: Path) -> str:
    """A table whose last column follows from the others."""
    random = np.random.default_rng(0)
    age, city = random.integers(18, 80, 120), random.choice(["Rome", "Oslo"], 120)
    rows = [f"{a},{c},{'high' if a > 45 else 'low'}" for a, c in zip(age, city, strict=True)]
    Path("people.csv").write_text("\n".join(["age,city,income", *rows]) + "\n")
    return "people.csv"


def command(*words: Any) -> None:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output


def options(settings: dict[str, Any]) -> list[str]:
    values = {"hidden": "4", **{name: str(value) for name, value in settings.items() if name != "hidden"}}
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", value)]


def result_of(run: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((Path(run) / "result.json").read_text())
    return result | {"metrics": {name: v for name, v in result["metrics"].items() if name != "seconds"}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", ["iris", "people.csv"])
def test_a_call_gives_what_the_command_gives(people: str, kind: str, data: str) -> None:
    settings = {**QUICK, **KINDS[kind], **({"target": "income"} if data == people else {})}
    command("train", data, *options(settings), "--out", "typed")
    trained = cr.train(data, out="called", **settings)
    for name in ("model.safetensors", "config.toml"):
        assert (Path("called") / name).read_bytes() == (Path("typed") / name).read_bytes()
    assert result_of("called") == result_of("typed")
    assert trained.folder == Path("called")
    assert trained.test == result_of("typed")["test"]
    assert {p.name for p in Path("called").iterdir()} == {p.name for p in Path("typed").iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_folder_the_weights_are_the_same_and_no_file_is_written(people: str, kind: str) -> None:
    settings = {**QUICK, **KINDS[kind]}
    written = cr.train(people, "income", out="run", **settings)
    Path("before").mkdir()
    trained = cr.train(people, "income", **settings)
    assert trained.folder is None
    assert {p.name for p in Path().iterdir()} == {"people.csv", "run", "before"}
    assert trained.test == written.test
    features = written.plan.test.x
    np.testing.assert_array_equal(trained.model.predict_proba(features), written.model.predict_proba(features))


def test_a_call_is_quiet(capfd: pytest.CaptureFixture[str], people: str) -> None:
    for settings in KINDS.values():
        cr.train(people, "income", out=True, **QUICK, **settings)
    cr.experiments.search(people, "income", trials=2, **QUICK)
    cr.experiments.evaluate(cr.train(people, "income", **QUICK), people)
    assert capfd.readouterr() == ("", "")


def test_out_true_makes_a_new_folder_in_runs() -> None:
    trained = cr.train("iris", out=True, **QUICK)
    assert trained.folder is not None
    assert trained.folder.parent == Path("runs")
    assert (trained.folder / "report.html").exists()


def test_several_seeds_and_folds_are_objects(people: str) -> None:
    seeds = cr.train(people, target="income", seeds=3, **QUICK)
    assert isinstance(seeds, cr.experiments.TrainedSeeds)
    assert len(seeds.population) == 3
    assert seeds.gain is not None
    folds = cr.train(people, target="income", folds=3, **QUICK)
    assert isinstance(folds, cr.experiments.TrainedFolds)
    assert folds.cross_validation.scores.shape == (3, 1)
    assert f"cross-validation: {100 * folds.cross_validation.mean:.2f} %" in folds.summary()
    for trained in (seeds, folds):
        assert "Test: loss" in trained.summary()
        assert len(repr(trained)) < 150
        assert trained.settings.epochs == 2


def test_folds_that_were_done_before_are_read_from_the_folder() -> None:
    first = cr.train("iris", folds=2, out="run", **QUICK)
    assert isinstance(first, cr.experiments.TrainedFolds)
    again = cr.train(resume="run")
    assert isinstance(again, cr.experiments.TrainedFolds)
    assert again.summary() == first.summary()
    np.testing.assert_array_equal(again.cross_validation.scores, first.cross_validation.scores)


def test_data_may_be_given_itself(people: str) -> None:
    import pandas as pd
    import pyarrow as pa

    frame = pd.read_csv(people)
    by_path = cr.train(people, "income", **QUICK)
    table = cr.Table.read(people, target="income")
    features = frame.drop(columns="income")
    pairs = [(columns, frame["income"]) for columns in (features, pa.Table.from_pandas(features))]
    for trained in (cr.train(frame, "income", **QUICK), *(cr.train(data, **QUICK) for data in (table, *pairs))):
        assert trained.test == by_path.test
    iris = cr.data.load("iris")
    labels = np.array(iris.classes)[iris.y]
    of_arrays = cr.train((iris.x, labels), test=0.2, **QUICK)
    assert of_arrays.test == cr.train(iris, test=0.2, **QUICK).test == cr.train("iris", **QUICK).test


def test_objects_are_settings_too() -> None:
    trained = cr.train(
        "iris",
        net=cr.mlp([4, 5, 3]),
        optimizer=cr.SGD(lr=0.5),
        early_stopping=cr.EarlyStopping(patience=1),
        validation=0.2,
        epochs=2,
        engine="numpy",
    )
    assert trained.model.count() == 4 * 5 + 5 + 5 * 3 + 3
    assert trained.run.recipe.optimizer == cr.SGD(lr=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_gone_on_with(kind: str) -> None:
    settings = {**QUICK, **KINDS[kind], "schedule": "constant"}
    cr.train("iris", out="short", **settings)
    longer = cr.train(resume="short", epochs=4)
    whole = cr.train("iris", **{**settings, "epochs": 4})
    features = cr.data.load("iris").x
    np.testing.assert_array_equal(longer.model.predict_proba(features), whole.model.predict_proba(features))


def test_data_from_memory_is_given_again_to_go_on() -> None:
    iris = cr.data.load("iris")
    cr.train(iris, out="run", **QUICK)
    with pytest.raises(SettingError, match=r"started in Python.*resume='run'"):
        cr.train(resume="run", epochs=3)
    assert len(cr.train(iris, resume="run", epochs=3).run.history) == 3


def test_errors_are_raised_and_name_arguments(people: str) -> None:
    with pytest.raises(SettingError, match="target='income'"):
        cr.train(people)
    with pytest.raises(SettingError, match=r"^target is for the columns of tables"):
        cr.train("iris", target="species")
    with pytest.raises(SettingError, match=r"^group is for the columns of tables"):
        cr.train(([[0.0], [1.0]] * 10, [0, 1] * 10), group="city")
    with pytest.raises(KeywordError, match="epochs"):
        cr.train("iris", max_iter=3)
    with pytest.raises(FileError, match=r"nowhere\.csv"):
        cr.train("nowhere.csv", "income")
    with pytest.raises(DivergedError):
        cr.train("diabetes", lr=1e30, optimizer="sgd", normalize=False, **QUICK)
    cr.train("iris", out="run", **QUICK)
    with pytest.raises(FileError, match="already holds a run"):
        cr.train("iris", out="run", **QUICK)


def test_a_search_gives_what_the_command_gives(people: str) -> None:
    words = ["--space", "lr=1e-3..1e-1", "--trials", "3", "--target", "income"]
    command("search", people, *words, *options(QUICK), "--out", "typed")
    best = cr.experiments.search(people, "income", space="lr=1e-3..1e-1", trials=3, out="called", **QUICK)
    for name in ("model.safetensors", "config.toml"):
        assert (Path("called") / name).read_bytes() == (Path("typed") / name).read_bytes()
    assert best.leaderboard.shape[0] == 3
    assert best.settings.lr == pytest.approx(best.leaderboard.lr[0])
    assert best.test == result_of("typed")["test"]
    nowhere = cr.experiments.search(people, "income", space="lr=1e-3..1e-1", trials=3, **QUICK)
    assert nowhere.folder is None
    assert nowhere.test == best.test
    more = cr.experiments.search(resume="called", trials=5)
    assert more.leaderboard.shape[0] == 5


def test_predictions_and_evaluations_are_those_of_the_commands(people: str) -> None:
    import pandas as pd

    trained = cr.train(people, "income", out="run", **QUICK)
    command("predict", "run", people, "--probabilities", "--out", "typed.csv")
    for run in ("run", trained, trained.model):
        table = cr.experiments.predict(run, people, probabilities=True)
        pd.testing.assert_frame_equal(table, pd.read_csv("typed.csv"), check_dtype=False)
    assert cr.experiments.predict(trained, pd.read_csv(people)).prediction.tolist() == table.prediction.tolist()
    for run in ("run", trained):
        evaluation = cr.experiments.evaluate(run, people)  # on the rows that were held out
        assert evaluation.samples == len(trained.plan.test.x)
        assert evaluation.metrics == pytest.approx(trained.test)
    assert cr.experiments.evaluate("run", pd.read_csv(people)).samples == 120


def test_a_table_is_loaded_as_data_that_fit_takes(people: str) -> None:
    data = cr.load_data(people, target="income")
    assert data.x_test is not None
    assert len(data.x) + len(data.x_test) == 120
    run = cr.fit(cr.mlp([data.x.shape[1], 4, 2]), data, progress=False, epochs=2, engine="numpy")
    assert run.model.predict(cr.data.PreparedInputs(data.x_test, data.preparation)).shape == data.y_test.shape
    assert repr(cr.load_data("iris")) == repr(cr.data.load("iris"))
    with pytest.raises(FileError, match=r"cr\.load_data"):
        cr.data.load(people)


def test_a_listener_hears_what_happens(people: str) -> None:
    heard: list[str] = []

    class Recorder(cr.experiments.Listener):
        def on_table(self, prepared: Any) -> None:
            heard.append(f"table of {len(prepared.columns)}")

        def on_start(self, plan: Any, details: Sequence[str] = (), validation_use: str | None = None) -> None:
            heard.append(f"start {plan.data.name}")

        def on_cross_validation(self, result: Any) -> None:
            heard.append(f"{len(result.folds)} folds")

        def on_message(self, text: str) -> None:
            heard.append(text)

    cr.train(people, "income", folds=2, out="run", listener=Recorder(), **QUICK)
    assert heard == ["table of 2", "start people", "2 folds"]
    heard.clear()
    cr.train(resume="run", epochs=3, listener=Recorder())
    assert "Going on with run after epoch 2." in heard


def test_config_toml_begins_with_the_data() -> None:
    cr.train("iris", out="run", **QUICK)
    assert Path("run/config.toml").read_text().startswith('data = "iris"')


def test_load_data_refuses_settings_of_the_training() -> None:
    with pytest.raises(KeywordError, match="epochs"):
        cr.load_data("iris", epochs=3)


def test_settings_may_be_objects_or_as_they_are_typed() -> None:
    objects = {"activation": cr.activations.get("tanh"), "early_stopping": True, "hidden": (8,)}
    texts = {"activation": "tanh", "early_stopping": 5, "hidden": "8"}
    one, other = (cr.train("iris", **(QUICK | settings)) for settings in (objects, texts))
    assert one.settings.activation == other.settings.activation == "tanh"
    assert one.test == other.test
