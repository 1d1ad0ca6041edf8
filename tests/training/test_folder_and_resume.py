"""The run folder, and going on with a run to the same bits as if it had not been interrupted."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import FileError, SettingError
from chainrule.report import write_report
from chainrule.runs.folder import RunFolder, write_result
from chainrule.training.record import read_folder

rng = np.random.default_rng(0)
x = rng.normal(size=(37, 4))
y = np.array(["a", "b", "c"])[rng.integers(0, 3, size=37)]
NET = cr.Sequential(cr.Dense(6), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.3), cr.Dense(3, "softmax"))
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


def fit(out: Path | None = None, **settings: Any) -> Any:
    fixed: dict[str, Any] = {
        "optimizer": cr.SGD(cr.schedules.ReduceOnPlateau(0.2, patience=1, threshold=0.05), momentum=0.9),
        "epochs": 6,
        "batch_size": 8,
        "validation": 0.2,
        "engine": "numpy",
        "progress": False,
    }
    return cr.fit(NET, (x, y), out=out, **(fixed | settings))


def same(first: Any, second: Any) -> None:
    for kind in ("params", "state"):
        for a, b in zip(tree.leaves(getattr(first.model, kind)), tree.leaves(getattr(second.model, kind)), strict=True):
            assert np.array_equal(a, b)
    for column in first.history.columns:
        if column != "seconds":
            assert second.history[column] == first.history[column], column
    assert second.best_epoch == first.best_epoch
    assert second.stopped == first.stopped


class Crash(Exception):
    pass


def crash_after(epoch: int) -> Any:
    def callback(event: cr.Event) -> None:
        if event.epoch == epoch + 1:
            raise Crash

    return callback


def test_what_is_in_the_folder(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", l2=0.5, early_stopping=cr.EarlyStopping(patience=50), seed=3)
    folder = tmp_path / "run"
    assert run.folder == folder
    assert {p.name for p in folder.iterdir()} == {
        "config.toml",
        "metrics.jsonl",
        "model.safetensors",
        "checkpoints",
        "environment.json",
        "views",
    }
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["epochs"] == 6
    assert config["l2"] == 0.5
    assert config["seed"] == 3
    assert config["validation"] == 0.2
    assert config["precision"] == "float32"
    assert cr.Layer.from_dict(config["net"]) == NET
    assert cr.optimizers.Optimizer.from_dict(config["optimizer"]) == cr.SGD(
        cr.schedules.ReduceOnPlateau(0.2, patience=1, threshold=0.05), momentum=0.9
    )
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert records == run.history.records
    assert "numpy" in json.loads((folder / "environment.json").read_text())["packages"]
    again = cr.load_model(folder / "model.safetensors")
    assert again.predict(x).tolist() == run.model.predict(x).tolist()
    assert np.array_equal(again.predict_proba(x), run.model.predict_proba(x))


def records(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_metrics_have_a_line_after_every_epoch(tmp_path: Path) -> None:
    seen = []
    callback = lambda event: seen.append(records(tmp_path / "run"))
    run = fit(tmp_path / "run", callbacks=callback)
    assert [len(lines) for lines in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1] == run.history.records


def test_metrics_after_the_checkpoint_are_dropped_when_a_run_goes_on(tmp_path: Path) -> None:
    whole = fit()
    with pytest.raises(Crash):  # with a checkpoint of the first epoch only
        fit(tmp_path / "run", callbacks=crash_after(3), checkpoint_minutes=None)
    file = tmp_path / "run" / "metrics.jsonl"
    assert [record["epoch"] for record in records(tmp_path / "run")] == [1, 2, 3, 4]
    file.write_text(file.read_text() + '{"epoch": 5, "los')  # it was killed while it wrote
    assert len(read_folder(tmp_path / "run").epochs) == 4
    resumed = fit(tmp_path / "run", resume=True)
    same(whole, resumed)
    assert records(tmp_path / "run") == resumed.history.records


def test_a_damaged_line_within_the_metrics_is_an_error(tmp_path: Path) -> None:
    fit(tmp_path / "run", epochs=2)
    file = tmp_path / "run" / "metrics.jsonl"
    file.write_text(file.read_text().replace("}", "", 1))
    with pytest.raises(FileError, match=r"metrics\.jsonl is damaged"):
        read_folder(tmp_path / "run")


@engines
def test_an_interrupted_run_goes_on_to_the_same_bits(engine: str, tmp_path: Path) -> None:
    stopping = cr.EarlyStopping(patience=20)
    whole = fit(engine=engine, early_stopping=stopping)
    with pytest.raises(Crash):
        fit(tmp_path / "run", engine=engine, early_stopping=stopping, callbacks=crash_after(3))
    resumed = fit(tmp_path / "run", engine=engine, early_stopping=stopping, resume=True)
    same(whole, resumed)
    assert len(set(whole.history["lr"])) > 1  # the schedule had acted before, and was remembered


def test_a_run_of_fewer_epochs_goes_on_to_more(tmp_path: Path) -> None:
    fit(tmp_path / "run", epochs=2)
    same(fit(), fit(tmp_path / "run", resume=True))


def test_what_becomes_of_the_rate_when_more_epochs_follow_a_schedule_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cosine = {"optimizer": cr.SGD(cr.schedules.Cosine(0.4)), "epochs": 4}
    fit(tmp_path / "run", **cosine)
    fit(tmp_path / "run", **cosine, resume=True)
    assert capsys.readouterr().err == ""
    resumed = fit(tmp_path / "run", **cosine | {"epochs": 8}, resume=True)
    message = capsys.readouterr().err
    assert "Cosine(0.4) over 8 epochs now, not 4: after epoch 4 it is 0.2, where it had come to 0." in message
    assert resumed.history["lr"][3] < 0.1 < resumed.history["lr"][4]
    # A schedule that knows no end has nothing to tell.
    steps = {"optimizer": cr.SGD(cr.schedules.StepDecay(0.4, 0.5, 2)), "epochs": 4}
    fit(tmp_path / "other", **steps)
    fit(tmp_path / "other", **steps | {"epochs": 6}, resume=True)
    assert capsys.readouterr().err == ""


def test_settings_that_a_callback_changed_stay_changed(tmp_path: Path) -> None:
    def once(event: cr.Event) -> Any:
        return cr.Decision(settings={"optimizer.lr": 0.01}) if event.epoch == 2 else None

    simple = {"optimizer": cr.SGD(0.2)}
    fit(tmp_path / "run", epochs=3, callbacks=once, **simple)
    resumed = fit(tmp_path / "run", epochs=5, resume=True, **simple)
    assert resumed.history["lr"] == pytest.approx([0.2, 0.2, 0.01, 0.01, 0.01])


def test_a_finished_run_is_given_back_as_it_is(tmp_path: Path) -> None:
    whole = fit(tmp_path / "run")
    same(whole, fit(tmp_path / "run", resume=True))


def test_a_run_that_early_stopping_ended_does_not_go_on(tmp_path: Path) -> None:
    settings = {"early_stopping": cr.EarlyStopping(patience=2), "optimizer": cr.Adam(0.3), "epochs": 100}
    ended = fit(tmp_path / "run", **settings)
    assert len(ended.history) < 100
    same(ended, fit(tmp_path / "run", resume=True, **settings))


def test_a_run_on_one_engine_may_go_on_on_the_other(tmp_path: Path) -> None:
    fit(tmp_path / "run", engine="numpy", epochs=3)
    resumed = fit(tmp_path / "run", engine="jax", resume=True)
    np.testing.assert_allclose(resumed.history["loss"], fit().history["loss"], rtol=1e-4)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="resume=True needs out="):
        fit(resume=True)
    with pytest.raises(FileError, match=r"There is no run to go on with in .*nothing"):
        fit(tmp_path / "nothing", resume=True)
    fit(tmp_path / "run", epochs=1)
    with pytest.raises(FileError, match=r"already holds a run.*resume=True"):
        fit(tmp_path / "run")
    with pytest.raises(SettingError, match=r"optimizer = SGD.*go on with Adam\(\)"):
        fit(tmp_path / "run", optimizer="adam", resume=True)
    with pytest.raises(SettingError, match=r"l2 = 0\.0, .*go on with 3\.0"):
        fit(tmp_path / "run", l2=3.0, resume=True)
    with pytest.raises(FileError, match="started with another seed"):
        fit(tmp_path / "run", seed=1, resume=True)
    with pytest.raises(SettingError, match=r"precision = float32, .*go on with float64"):
        fit(tmp_path / "run", precision="float64", resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(FileError, match="There is no run to go on with in"):
        fit(tmp_path / "other", resume=True)
    for wrong in ({"checkpoint_every": 0}, {"checkpoint_minutes": 0.0}, {"keep": 0}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            fit(tmp_path / "run", resume=True, **wrong)


def test_settings_of_numpy_are_written_and_gone_on_with_like_pythons(tmp_path: Path) -> None:
    def settings(whole: Any, real: Any) -> dict[str, Any]:
        return {
            "seed": whole(3), "batch_size": whole(16), "l1": real(0.25), "l2": real(0.5), "micro_batches": whole(2),
            "validation": real(0.25), "class_weight": {"a": real(2.0), "b": real(0.5)}, "keep": whole(2),
            "early_stopping": cr.EarlyStopping(whole(9)), "optimizer": cr.Adam(real(0.25), clip_norm=real(1.0)),
        }  # fmt: skip

    run = fit(tmp_path / "numpy", **settings(np.int64, np.float32), epochs=np.int64(2))
    fit(tmp_path / "python", **settings(int, float), epochs=2)
    written = [(tmp_path / name / "config.toml").read_text() for name in ("numpy", "python")]
    assert written[0] == written[1]
    same(fit(tmp_path / "numpy", **settings(int, float), epochs=2, resume=True), run)


def test_what_cannot_be_written_is_said_before_training(tmp_path: Path) -> None:
    import optax

    for settings in ({"loss": lambda a, t: (a**2).sum(axis=1)}, {"optimizer": optax.sgd(0.1), "engine": "auto"}):
        with pytest.raises(SettingError, match="cannot be written to a file"):
            fit(tmp_path / "run", callbacks=lambda event: pytest.fail("it was trained"), **settings)
        assert not (tmp_path / "run").exists()


# What is not finite


def read_strictly(line: str) -> Any:
    """What a reader of JSON that keeps to its grammar reads."""
    return json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_numbers_that_are_not_finite_are_json_and_come_back(tmp_path: Path) -> None:
    """The validation cost is above what float32 has: the run goes on, and so does everything that reads it."""

    def train(epochs: int, **words: Any) -> Any:
        held_out = (x[:5], np.full(5, 1e25))
        settings: dict[str, Any] = {"engine": "numpy", "progress": False, "out": tmp_path / "run", **words}
        return cr.fit(cr.Dense(1), (x, x[:, 0]), validation=held_out, epochs=epochs, **settings)

    train(2)
    run = train(3, resume=True)
    assert run.history["val_loss"] == [np.inf] * 3
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [read_strictly(line)["val_loss"] for line in lines] == ["Infinity"] * 3
    assert read_folder(tmp_path / "run").epochs == run.history.records
    data = re.findall(
        r'<script type="application/json"[^>]*>(.*?)</script>', write_report(tmp_path / "run").read_text()
    )
    assert data
    for text in data:
        read_strictly(text)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5])
def test_a_result_and_records_with_any_number_are_json(value: float, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.start({"epochs": 1})
    folder.write_metrics([{"epoch": 1, "loss": value}])
    write_result(tmp_path, {"state": "finished", "reason": None, "test": {"loss": value}})
    for name in ("metrics.jsonl", "result.json"):
        read_strictly((tmp_path / name).read_text())
    record = read_folder(tmp_path)
    assert record.result["reason"] is None
    for number in (record.epochs[0]["loss"], record.result["test"]["loss"]):
        np.testing.assert_equal(number, value)
    write_report(tmp_path)
