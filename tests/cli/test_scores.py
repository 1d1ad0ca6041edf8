"""The score that is shown is the saved model's, wherever it is shown."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.display.numbers import percent
from chainrule.experiments.plan import make_plan
from chainrule.experiments.settings import ExperimentSettings
from report.test_page import page


def validation_of(run: str) -> tuple[Any, Any]:
    """The validation rows of a run, with labels as they were given."""
    config = tomllib.loads(Path(run, "config.toml").read_text())
    config["hidden"] = tuple(config["hidden"])
    data = make_plan(ExperimentSettings(**config)).split()
    assert data.validation is not None
    return data.validation[0], data.labels(data.validation[1])


def right(run: str) -> float:
    """The share of a run's validation rows that its saved model answers rightly."""
    x, y = validation_of(run)
    return float((cr.load_model(Path(run, "model.safetensors")).predict(x) == y).mean())


def result(run: str) -> Any:
    return json.loads(Path(run, "result.json").read_text())


NOISY = ("--epochs", 12, "--hidden", 32, "--lr", 0.1, "--schedule", "constant", "--engine", "numpy")


@pytest.mark.parametrize("more", [("--lr", 0.05), ("--early-stopping", 11)])
def test_one_network(chainrule: Any, more: tuple[Any, ...]) -> None:
    done = chainrule("train", "digits", *NOISY, "--validation", 0.3, *more, "--out", "runs/a")
    epochs = [json.loads(line) for line in Path("runs/a/metrics.jsonl").read_text().splitlines()]
    best, score = result("runs/a")["best_epoch"], right("runs/a")
    assert best == (min(epochs, key=lambda epoch: epoch["val_loss"])["epoch"] if "--early-stopping" in more else 12)
    assert score < max(epoch["val_accuracy"] for epoch in epochs)  # another epoch would look better
    assert result("runs/a")["metrics"]["val_accuracy"] == epochs[best - 1]["val_accuracy"] == pytest.approx(score)
    assert f"Validation accuracy {percent(score)} after epoch {best}" in done.stderr
    assert percent(score) in chainrule("runs").stdout
    assert float(page(Path("runs/a")).keys["kept.val_accuracy"][0]) == pytest.approx(score)


def test_a_run_of_fit_and_one_that_is_cut_off(chainrule: Any) -> None:
    digits, stopping = cr.data.load("digits"), cr.EarlyStopping(patience=12)
    net = cr.Sequential(cr.Flatten(), cr.Dense(32, "relu"), cr.Dense(10, "softmax"))
    words: dict[str, Any] = {"optimizer": cr.Adam(lr=0.1), "epochs": 12, "validation": 0.3, "progress": False}
    run = cr.fit(net, digits, early_stopping=stopping, engine="numpy", out="runs/a", **words)
    assert run.metrics["val_accuracy"] < max(run.history["val_accuracy"])
    assert percent(run.metrics["val_accuracy"]) in chainrule("runs").stdout
    Path("runs/a/model.safetensors").unlink()  # as while it goes on
    assert percent(run.metrics["val_accuracy"]) in chainrule("runs").stdout


def test_an_ensemble_is_measured_and_has_the_weights_of_no_single_epoch(chainrule: Any) -> None:
    words = ("--validation", 0.3, "--early-stopping", 3)
    done = chainrule("train", "digits", *NOISY, *words, "--seeds", 3, "--out", "runs/a")
    score = right("runs/a")
    assert (result("runs/a")["best_epoch"], result("runs/a")["metrics"]["val_accuracy"]) == (None, pytest.approx(score))
    assert f"Validation accuracy of the model: {percent(score)}" in done.stderr
    assert percent(score) in chainrule("runs").stdout
    text = " ".join(page(Path("runs/a")).text)
    members = [member["best_epoch"] for member in json.loads(Path("runs/a/members.json").read_text())["members"]]
    assert "The model has the weights of" not in text
    assert "weights of epoch" not in text or f"weights of epochs {min(members)} to {max(members)}" in text


def test_a_population_and_its_progress_show_what_the_models_are() -> None:
    from chainrule.population.show import line

    words: dict[str, Any] = {"validation": 0.5, "optimizer": cr.Adam(lr=0.3), "engine": "numpy"}
    trainer = cr.PopulationTrainer(cr.mlp([4, 8, 3]), cr.data.load("iris"), epochs=12, **words)
    members = trainer.add_members([{"seed": seed} for seed in range(3)])
    trainer.train(members)
    scores = cr.Population(members).scores()
    assert scores.tolist() == [member.run().metrics["val_accuracy"] for member in members]
    assert f"best val_accuracy {100 * scores.max():.2f} %" in line(members)
    assert max(max(member.history["val_accuracy"]) for member in members) > scores.max()


def test_a_run_that_diverged_has_the_score_of_no_epoch(chainrule: Any) -> None:
    words = ("--optimizer", "sgd", "--lr", 1e30, "--validation", 0.3)
    chainrule("train", "iris", "--hidden", 4, *words, "--out", "runs/wild", code=1)
    assert (result("runs/wild")["best_epoch"], result("runs/wild")["metrics"]) == (None, {})


def test_no_row_is_withheld_that_nothing_needs(chainrule: Any) -> None:
    done = chainrule("train", "iris", "--epochs", 2, "--engine", "numpy", "--out", "a")
    assert "training  120 rows, none for validation" in done.stderr
    assert tomllib.loads(Path("a/config.toml").read_text())["validation"] == 0.0
    assert "overfit" in " ".join(page(Path("a")).text).lower()  # by its training and its test rows
    done = chainrule("train", "iris", "--epochs", 2, "--early-stopping", 1, "--engine", "numpy", "--out", "b")
    assert "10 % of them for validation, to choose the epoch" in done.stderr
    flowers = cr.data.load("iris")
    rows = [[*map(float, x), flowers.classes[y]] for x, y in zip(flowers.x, flowers.y, strict=True)]
    Path("iris.csv").write_text("a,b,c,d,kind\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    words = ("iris.csv", "--target", "kind", "--epochs", 2, "--engine", "numpy")
    assert "120 rows, none for validation" in chainrule("train", *words, "--out", "c").stderr
    assert "108 rows, 12 more for validation" in chainrule("train", *words, "--validation", 0.1, "--out", "d").stderr
    assert "135 rows, 15 more for validation, to judge" in chainrule("train", *words, "--test", 0, "--out", "e").stderr
    assert "for validation" in chainrule("search", *words, "--trials", 2, "--out", "f").stderr
    chainrule("evaluate", "c", "iris.csv")
