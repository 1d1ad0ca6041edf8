"""`chainrule train`: the run folder, settings from options and files, resuming, failing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

import chainrule as cr
from chainrule import tree
from chainrule.runs.folder import without_none

SHORT = ("--epochs", 2, "--hidden", 8, "--engine", "numpy")


def metrics(run: Path | str) -> list[dict[str, float]]:
    """The records of a run without the time they took."""
    records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def config(run: Path | str) -> dict[str, Any]:
    return tomllib.loads((Path(run) / "config.toml").read_text())


def result(run: Path | str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(run) / "result.json").read_text())
    return content


def weights(run: Path | str) -> list[np.ndarray]:
    return tree.leaves(cr.load_model(Path(run) / "model.safetensors").params)


# The run and its folder


def test_a_run_gets_a_folder_with_all_that_was_used_and_measured(chainrule: Any) -> None:
    done = chainrule("train", "iris", *SHORT)
    (run,) = Path("runs").iterdir()
    assert run.name.startswith("iris-20")
    assert {p.name for p in run.iterdir()} == {
        "config.toml",
        "metrics.jsonl",
        "model.safetensors",
        "checkpoints",
        "environment.json",
        "result.json",
        "evaluation.json",
        "report.html",
        "views",
    }
    assert [record["epoch"] for record in metrics(run)] == [1, 2]
    used = config(run)
    assert (used["data"], used["preset"], used["hidden"]) == ("iris", "table", [8])
    assert (used["loss"], used["optimizer"], used["lr"], used["batch_size"]) == ("cross_entropy", "adamw", 0.002, 32)
    assert result(run)["state"] == "finished"
    assert done.stdout == ""
    assert str(run) in done.stderr


def test_each_run_gets_a_folder_of_its_own(chainrule: Any) -> None:
    for _ in range(3):
        chainrule("train", "iris", *SHORT, "--epochs", 1)
    assert len(list(Path("runs").iterdir())) == 3


def test_a_folder_with_a_run_is_not_written_to(chainrule: Any, trained: Path) -> None:
    before = (trained / "model.safetensors").read_bytes()
    done = chainrule("train", "wine", *SHORT, "--out", trained, code=2)
    assert f"error: {trained} already holds a run" in done.stderr
    assert (trained / "model.safetensors").read_bytes() == before


def test_the_test_part_is_held_out_of_training_and_depends_on_the_seed(chainrule: Any) -> None:
    chainrule("train", "iris", *SHORT, "--out", "a")
    chainrule("train", "iris", *SHORT, "--out", "b", "--seed", 1)
    assert result("a")["test_rows"] == 30
    rows = {run: chainrule("predict", run, "iris").stdout for run in ("a", "b")}
    index = {run: [line.split(",")[0] for line in text.splitlines()[1:]] for run, text in rows.items()}
    assert len(index["a"]) == len(index["b"]) == 30
    assert index["a"] != index["b"]


def test_a_test_part_that_the_data_has_is_used(chainrule: Any, flowers: Path, idx_folder: Path) -> None:
    chainrule("train", flowers, *SHORT, "--out", "a")
    assert (result("a")["test_rows"], config("a")["test"]) == (75, 0.0)
    chainrule("train", idx_folder, *SHORT, "--out", "b")
    assert result("b")["test_rows"] == 50


def test_the_models_answers_are_the_labels_of_the_data(chainrule: Any, flowers: Path) -> None:
    chainrule("train", flowers, *SHORT, "--out", "a")
    model = cr.load_model("a/model.safetensors")
    assert set(model.predict(cr.data.load("iris").x)) <= {"setosa", "versicolor", "virginica"}


def test_numbers_are_predicted_by_linear_outputs(chainrule: Any) -> None:
    chainrule("train", "diabetes", *SHORT, "--out", "a")
    assert (config("a")["output"], config("a")["loss"]) == ("linear", "quadratic")
    assert result("a")["test"].keys() == {"loss", "mae"}


def test_early_stopping_says_why_and_when(chainrule: Any) -> None:
    done = chainrule("train", "iris", "--lr", 0.5, "--early-stopping", 1, "--out", "a", "--engine", "numpy")
    assert "Stopped early: val_loss has not improved for 1 epochs" in done.stderr
    assert result("a")["state"] == "stopped early"
    assert result("a")["best_epoch"] == len(metrics("a")) - 1


# Settings


def test_the_same_settings_from_a_file_give_the_same_run(chainrule: Any) -> None:
    words = ("--dropout", 0.2, "--l2", 0.1, "--schedule", "cosine", "--optimizer", "sgd", "--momentum", 0.9)
    chainrule("train", "iris", *SHORT, *words, "--lr", 0.05, "--early-stopping", 7, "--seed", 3, "--out", "a")
    chainrule("train", "--config", "a/config.toml", "--out", "b")
    assert metrics("a") == metrics("b")
    assert config("a") == config("b")
    assert result("a") == result("b")


def test_options_win_over_the_file(chainrule: Any, trained: Path) -> None:
    chainrule("train", "--config", trained / "config.toml", "--epochs", 1, "--hidden", "5,4", "--out", "b")
    assert config("b") == config(trained) | {"epochs": 1, "hidden": [5, 4]}


def test_a_file_may_hold_settings_of_recipes_and_a_network(chainrule: Any) -> None:
    settings = {
        "epochs": 1,
        "net": cr.Sequential(cr.Dense(6, "tanh"), cr.Dense(3, "softmax")).to_dict(),
        "loss": {"type": "cross_entropy", "label_smoothing": 0.1},
        "optimizer": {"type": "adam", "clip_norm": 1.0},
        "schedule": {"type": "step_decay", "every": 1},
        "early_stopping": {"patience": 2, "monitor": "loss"},
    }
    Path("mine.toml").write_text(tomli_w.dumps(without_none(settings)))
    chainrule("train", "iris", "--config", "mine.toml", "--out", "a")
    assert cr.load_model("a/model.safetensors").net[0] == cr.Dense(6, "tanh")
    chainrule("train", "--config", "a/config.toml", "--out", "b")
    assert metrics("a") == metrics("b")


def test_the_file_of_a_run_of_fit_is_accepted(chainrule: Any) -> None:
    net = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(3, "softmax"))
    cr.fit(net, cr.data.load("iris"), epochs=1, optimizer=cr.SGD(cr.schedules.Cosine(0.1)), out="a", progress=False)
    chainrule("train", "iris", "--config", "a/config.toml", "--out", "b")
    assert cr.load_model("b/model.safetensors").net == net
    assert "val_loss" not in metrics("b")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epocs = 3", "c.toml: there is no setting 'epocs'; did you mean 'epochs'?"),
        ('epochs = "3"', "c.toml: epochs is a whole number, got '3'."),
        ("hidden = [1.5]", "c.toml: hidden is a list of whole numbers, such as [128, 64], got [1.5]."),
        ("normalize = 1", "c.toml: normalize is true or false, got 1."),
        ("loss = 3", "c.toml: loss is text in quotes or a table, got 3."),
        ('preset = "mpl"', "c.toml: Unknown preset 'mpl'; did you mean 'mlp'?"),
        ("early_stopping = {patence = 3}", "early_stopping has the settings patience, monitor"),
        ("epochs = ", "c.toml is not a readable TOML file"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(chainrule: Any, text: str, message: str) -> None:
    Path("c.toml").write_text(text)
    done = chainrule("train", "iris", "--config", "c.toml", code=2)
    assert message in done.stderr
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


# Going on


def test_a_run_that_goes_on_is_the_run_that_was_not_interrupted(chainrule: Any) -> None:
    words = ("iris", "--hidden", 8, "--dropout", 0.3, "--engine", "numpy", "--schedule", "constant")
    chainrule("train", *words, "--epochs", 4, "--out", "whole")
    chainrule("train", *words, "--epochs", 2, "--out", "parts")
    done = chainrule("train", "--resume", "parts", "--epochs", 4)
    assert "Going on with parts after epoch 2." in done.stderr
    assert metrics("parts") == metrics("whole")
    assert all(np.array_equal(a, b) for a, b in zip(weights("parts"), weights("whole"), strict=True))
    assert config("parts") == config("whole")
    assert result("parts") == result("whole")


def test_a_complete_run_says_so_and_stays_as_it_is(chainrule: Any, trained: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in trained.rglob("*") if path.is_file()}
    message = chainrule("train", "--resume", trained).stderr
    assert "trained is complete: it has done 2 epochs already" in message
    assert "--epochs 4" in message
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before}


@pytest.mark.parametrize(
    "name", ["model.safetensors", "metrics.jsonl", "result.json", "evaluation.json", "report.html"]
)
def test_what_a_run_lacks_is_made_again(chainrule: Any, trained: Path, name: str) -> None:
    before = (trained / name).read_bytes()
    (trained / name).unlink()
    chainrule("train", "--resume", trained)
    after = (trained / name).read_bytes()
    assert after == before or name in ("evaluation.json", "report.html")  # these have times in them
    assert "is complete" in chainrule("train", "--resume", trained).stderr


def test_what_cannot_go_on_says_why(chainrule: Any, trained: Path) -> None:
    done = chainrule("train", "--resume", trained, "--lr", 0.1, code=2)
    assert "--lr would make another run of it" in done.stderr
    assert "holds no run" in chainrule("train", "--resume", ".", code=2).stderr
    assert "is not a folder" in chainrule("train", "--resume", "nowhere", code=2).stderr
    assert "leave out --config and --out" in chainrule("train", "--resume", trained, "--out", "b", code=2).stderr


def test_a_damaged_checkpoint_is_named(chainrule: Any, trained: Path) -> None:
    for path in (trained / "checkpoints").glob("step-*"):
        path.write_bytes(b"half")
    done = chainrule("train", "--resume", trained, "--epochs", 3, code=2)
    assert "No checkpoint of trained can be read" in done.stderr
    assert ".safetensors is not a readable safetensors file" in done.stderr
    assert (config(trained)["epochs"], result(trained)["state"]) == (2, "finished")


# Failing


def test_a_run_that_diverges_fails_and_keeps_the_last_good_weights(chainrule: Any) -> None:
    done = chainrule("train", "iris", *SHORT, "--optimizer", "sgd", "--lr", 1e30, "--out", "a", code=1)
    assert "error: The cost became NaN or infinite at step" in done.stderr
    assert "The last good weights: a/model.safetensors" in done.stderr
    assert all(np.isfinite(w).all() for w in weights("a"))
    assert result("a")["state"] == "diverged"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("digts",), "did you mean 'digits'?"),
        (("iris", "--preset", "mpl"), "Unknown preset 'mpl'; did you mean 'mlp'?"),
        (("iris", "--activation", "rleu"), "Unknown activation 'rleu'; did you mean 'relu'?"),
        (("iris", "--output", "sofmax"), "Unknown activation 'sofmax'; did you mean 'softmax'?"),
        (("iris", "--loss", "cross_entrpy"), "Unknown loss 'cross_entrpy'; did you mean 'cross_entropy'?"),
        (("iris", "--optimizer", "adm"), "Unknown optimizer 'adm'; did you mean 'adam'?"),
        (("iris", "--schedule", "cosin"), "Unknown schedule 'cosin'; did you mean 'cosine'?"),
        (("iris", "--init", "he_norml"), "Unknown initializer 'he_norml'; did you mean 'he_normal'?"),
        (("iris", "--engine", "nump"), "Unknown engine 'nump'; did you mean 'numpy'?"),
        (("iris", "--precision", "float46"), "Unknown precision 'float46'; did you mean 'float64'?"),
        (("iris", "--momentum", 0.9), "optimizer 'adamw' has no setting 'momentum'"),
        (("iris", "--hidden", "many"), "--hidden takes the units of each hidden layer"),
        (("iris", "--preset", "cnn"), "The preset 'cnn' is for images"),
        (("iris", "--epochs", 0), "epochs must be a whole number of at least 1"),
        (("iris", "--validation", 1), "validation must be a fraction"),
        (("iris", "--validation", 0, "--early-stopping", 2), "there is no validation data"),
        (("iris", "--seed", -1), "seed must be a whole number of at least 0"),
        (("iris", "--config", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("nowhere.npz",), "nowhere.npz does not exist"),
        ((), "Which data?"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(chainrule: Any, words: tuple[Any, ...], message: str) -> None:
    done = chainrule("train", *words, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_unknown_words_get_the_nearest_one(chainrule: Any) -> None:
    assert "--epochs" in chainrule("train", "iris", "--epoch", 3, code=2).stderr
    assert "'train'" in chainrule("trian", "iris", code=2).stderr


def test_every_setting_is_an_option() -> None:
    """What a file may hold can be typed, except a whole network."""
    from chainrule.cli.app import app
    from chainrule.cli.options import ProcessSettings
    from chainrule.experiments.settings import FIELDS
    from chainrule.fields import settings_of

    typed = {parameter.name for parameter in app.commands["train"].params}
    of_this_start = {"config", "out", "resume", "live", "port", "open", *settings_of(ProcessSettings)}
    assert typed - of_this_start - {"column", "drop"} == set(FIELDS) - {"net", "columns"}


def test_more_epochs_under_a_schedule_tell_what_becomes_of_the_rate(chainrule: Any) -> None:
    chainrule("train", "iris", *SHORT, "--schedule", "cosine", "--out", "a")
    done = chainrule("train", "--resume", "a", "--epochs", 4)
    assert "over 4 epochs now, not 2: after epoch 2 it is 0.001, where it had come to 0." in done.stderr
