"""`chainrule search`: the grammar of the space, the run's folder, going on, and what is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.experiments.presets import PRESETS
from chainrule.experiments.space_syntax import DEFAULT, Axis, default_space, parse_space

SHORT = ("--epochs", 3, "--engine", "numpy", "--hidden", 6)
RATES = ("--space", "lr=1e-3..1,l2=1e-3..1")


def config(run: str) -> dict[str, Any]:
    return tomllib.loads((Path(run) / "config.toml").read_text())


def trials(run: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((Path(run) / "search.json").read_text())["trials"]
    return records


def metrics(run: str) -> list[list[float]]:
    records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
    return [[record[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")] for record in records]


# The grammar


def test_a_space_is_ranges_and_options() -> None:
    assert parse_space("lr=1e-4..1e-1, l2=1e-6..1,hidden=64|128,64|256,dropout=0..0.5,batch-size=16..64") == (
        Axis("lr", 1e-4, 1e-1, log=True),
        Axis("l2", 1e-6, 1.0, log=True),
        Axis("hidden", options=("64", "128,64", "256")),
        Axis("dropout", 0.0, 0.5),
        Axis("batch_size", 16, 64),
    )


@pytest.mark.parametrize(
    ("text", "log"),
    [("lr=1..9", False), ("lr=1..10", True), ("lr=1..9:log", True), ("lr=1..100:linear", False), ("l2=0..1", False)],
)
def test_a_range_is_logarithmic_from_a_ratio_of_ten_on(text: str, log: bool) -> None:
    assert parse_space(text)[0].log is log


def test_every_preset_has_a_space_of_its_own_and_what_is_given_leaves_it() -> None:
    assert set(DEFAULT) == set(PRESETS)
    for text in DEFAULT.values():
        assert parse_space(text)
    assert default_space("linear", ["lr", "epochs"]) == "l2=1e-3..100"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rl=1..2", "there is no setting 'rl' to search; did you mean 'lr'?"),
        ("lr", "begins with 'lr'; it is written as in"),
        ("lr=0.1", "is a single value. Give it as --lr 0.1"),
        ("lr=1e-1..1e-3", "must go from a smaller number to a larger one"),
        ("lr=a..b", "must be numbers, as in lr=1e-4..1e-1"),
        ("batch_size=1.5..3", "must be whole numbers, as in batch_size=16..128"),
        ("lr=0..1:log", "a logarithmic range begins above 0"),
        ("lr=0.1..1:lg", "behind a range stands :log or :linear"),
        ("hidden=16..64", "hidden has no range; write its options, as in hidden=64|128,64"),
        ("hidden=16|many", "takes the units of each hidden layer"),
        ("activation=relu|", "an option of activation is empty"),
        ("activation=relu|relu", "has an option twice"),
        ("batch_size=16|a", "an option of batch_size is a whole number, got 'a'"),
        ("lr=0.1..1,lr=1..2", "names lr twice"),
        ("activation=relu|rleu", "Unknown activation 'rleu'; did you mean 'relu'?"),
        ("lr=1e-3..1,net.layers.0.unitss=1..2", "no setting 'unitss'"),
        (
            "optimizer.beta1=0.5..0.99,optimizer=sgd|rmsprop",
            "none of the optimizers sgd, rmsprop has a setting 'beta1'",
        ),
        ("hidden=8|16,net.layers.0.units=1..2", "does not go together with paths into it"),
    ],
)
def test_a_wrong_space_is_said_in_one_message_and_leaves_nothing(chainrule: Any, text: str, message: str) -> None:
    done = chainrule("search", "iris", "--epochs", 2, "--engine", "numpy", "--trials", 2, "--space", text, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--trials", 0), "trials must be a whole number of at least 1"),
        (("--sampler", "rndom"), "did you mean 'random'?"),
        (("--stages", "halvin"), "did you mean 'halving'?"),
        (("--stages", "coarse_to_fine", "--trials", 2), "needs at least 4 trials"),
        (("--metric", "val_mae"), "'val_mae' is not measured for classification"),
        (("--timeout", -1), "timeout is a number of seconds above 0"),
        (("--validation", 0), "--validation 0.1 sets a tenth apart"),
        (("--lr", 0.1), "lr is in --space and given by --lr, too"),
        (("--study", "nowhere://x"), "cannot be reached"),
        (("--config", "nowhere.toml"), "nowhere.toml cannot be read"),
    ],
)
def test_wrong_words_are_said_in_one_message(chainrule: Any, words: tuple[Any, ...], message: str) -> None:
    done = chainrule("search", "iris", *SHORT, *RATES, *words, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


# The folder


def test_a_search_gets_a_folder_and_the_best_is_its_model(chainrule: Any) -> None:
    done = chainrule("search", "iris", *SHORT, *RATES, "--trials", 6)
    (run,) = Path("runs").iterdir()
    assert run.name.startswith("search-iris-20")
    assert {path.name for path in run.iterdir()} >= {
        "config.toml",
        "search.toml",
        "search.json",
        "leaderboard.csv",
        "study.journal",
        "model.safetensors",
        "metrics.jsonl",
        "result.json",
        "report.html",
    }
    rows = list(csv.DictReader(io.StringIO((run / "leaderboard.csv").read_text())))
    assert [row["rank"] for row in rows] == list("123456")
    scores = [float(row["val_accuracy"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {"trial", "lr", "l2", "epochs", "state"} <= rows[0].keys()
    used = config(str(run))
    assert (used["lr"], used["l2"]) == (float(rows[0]["lr"]), float(rows[0]["l2"]))
    assert done.stdout.splitlines()[1].split()[:2] == ["1", rows[0]["trial"]]
    assert f"Best of 6 trials: trial {rows[0]['trial']}, val_accuracy" in done.stderr
    assert "6 of 6 trials" in done.stderr
    assert f"The run is in {run}" in done.stderr
    assert len(chainrule("predict", run, "iris").stdout.splitlines()) == 31


def test_the_winner_can_be_trained_again(chainrule: Any) -> None:
    space = "lr=1e-3..1,hidden=none|4|8,4,dropout=0..0.5,activation=relu|tanh,batch_size=16|32"
    chainrule("search", "wine", "--epochs", 4, "--engine", "numpy", "--space", space, "--trials", 6, "--out", "a")
    chainrule("train", "--config", "a/config.toml", "--out", "b")
    for one, other in zip(metrics("a"), metrics("b"), strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    assert metrics("a")[-1][3] == max(trial["score"] for trial in trials("a"))


def test_settings_without_an_option_are_searched_by_their_path(chainrule: Any) -> None:
    space = "optimizer.beta1=0.5..0.99,net.layers.0.units=2..6,l2=0.1|1"
    words = ("--optimizer", "adam", "--epochs", 2, "--hidden", 4, "--engine", "numpy", "--trials", 3)
    chainrule("search", "iris", *words, "--space", space, "--out", "a")
    best = min(trials("a"), key=lambda trial: trial["rank"])
    chainrule("train", "--config", "a/config.toml", "--out", "b")
    for one, other in zip(metrics("a"), metrics("b"), strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    assert cr.load_model("b/model.safetensors").net[0].units == best["params"]["net.layers.0.units"]


def test_settings_of_one_optimizer_are_asked_for_with_it_alone(chainrule: Any) -> None:
    space = "optimizer=sgd|adam,lr=1e-3..1,momentum=0..0.9"
    chainrule("search", "iris", *SHORT, "--space", space, "--trials", 8, "--sampler", "sobol", "--out", "a")
    kinds = {trial["params"]["optimizer"] for trial in trials("a")}
    assert kinds == {"sgd", "adam"}
    for trial in trials("a"):
        assert ("momentum" in trial["params"]) == (trial["params"]["optimizer"] == "sgd")
    chainrule("train", "--config", "a/config.toml", "--out", "b")
    assert metrics("b")[-1] == pytest.approx(metrics("a")[-1], rel=1e-5)


def test_coarse_to_fine_on_a_table_with_training_rows_in_the_end(chainrule: Any) -> None:
    random = np.random.default_rng(0)
    lines = ["size,town,big"]
    for i in range(90):
        size = random.normal()
        lines.append(f"{size:.3f},{random.choice(['Rome', 'Oslo'])},{'yes' if size > 0 else 'no'}")
        if i == 40:
            lines.append("1.0,Bonn,")
    Path("houses.csv").write_text("\n".join(lines))
    words = ("--target", "big", "--epochs", 5, "--engine", "numpy", "--hidden", 4, "--trials", 8, "--retrain")
    done = chainrule("search", "houses.csv", *words, "--stages", "coarse_to_fine", *RATES, "--out", "a")
    assert "coarse to fine: 6 of 1 epoch, then 2 of 5 epochs, each around the best of those before" in done.stderr
    assert {trial["epochs"] for trial in trials("a")} == {1, 5}
    assert config("a")["validation"] == 0.0
    assert chainrule("predict", "a", "houses.csv").stdout.count("\n") == 92


def test_numbers_are_searched_by_their_error(chainrule: Any) -> None:
    chainrule("search", "diabetes", *SHORT, *RATES, "--trials", 4, "--out", "a")
    best = min(trials("a"), key=lambda trial: trial["rank"])
    assert best["score"] == min(trial["score"] for trial in trials("a"))
    assert json.loads(Path("a/search.json").read_text())["metric"] == "val_mae"


def test_all_trials_diverging_says_what_was_tried(chainrule: Any) -> None:
    words = ("--optimizer", "sgd", "--no-normalize-target", "--no-normalize", *SHORT)
    done = chainrule("search", "diabetes", *words, "--space", "lr=1e28..1e30", "--trials", 3, "--out", "a", code=1)
    assert "error: All 3 trials diverged" in done.stderr
    assert "lr" in done.stderr.split("Tried:")[1]
    assert "Traceback" not in done.stderr
    assert "diverged" in chainrule("runs", ".").stdout


# Going on


def test_more_trials_are_added_to_a_search(chainrule: Any) -> None:
    chainrule("search", "iris", *SHORT, *RATES, "--trials", 3, "--out", "a")
    first = trials("a")
    chainrule("search", "--resume", "a", "--trials", 5)
    assert [trial["params"] for trial in trials("a")[:3]] == [trial["params"] for trial in first]
    assert len(trials("a")) == 5
    assert "nowhere holds no search" in chainrule("search", "--resume", "nowhere", code=2).stderr
    other = chainrule("search", "--resume", "a", "--lr", 0.1, code=2)
    assert "--lr would make another of it" in other.stderr
    assert "chainrule search --resume a" in chainrule("train", "--resume", "a", code=2).stderr
    assert len(trials("a")) == 5


def test_a_study_of_another_experiment_is_refused(chainrule: Any) -> None:
    chainrule("search", "iris", *SHORT, *RATES, "--trials", 2, "--study", "kept.journal", "--out", "a")
    chainrule("search", "iris", *SHORT, *RATES, "--trials", 2, "--study", "kept.journal", "--out", "b")
    assert trials("a") == trials("b")
    words = ("--trials", 2, "--study", "kept.journal", "--out", "c")
    done = chainrule("search", "wine", *SHORT, *RATES, *words, code=2)
    assert "kept.journal" in done.stderr
    done = chainrule("search", "iris", *SHORT, *RATES, "--activation", "tanh", *words, code=2)
    assert "kept.journal" in done.stderr
    assert not Path("c").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_after_an_interrupt_a_search_goes_on(chainrule: Any) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parent.parent)}
    command = [sys.executable, "-m", "chainrule", "search"]
    words = ["iris", "--engine", "numpy", "--hidden", "4", "--epochs", "60", "--trials", "6", "--sampler", "tpe"]
    start = [*command, *words, "--space", "lr=1e-3..1", "--out", "long"]
    with subprocess.Popen(start, stderr=subprocess.PIPE, text=True, env=environment) as process:
        end = time.monotonic() + 60
        journal = Path("long/study.journal")
        while not (journal.exists() and '"intermediate_value"' in journal.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert "To go on: chainrule search --resume long" in message
    assert "Traceback" not in message
    chainrule("search", "--resume", "long")
    assert sum(trial["state"] == "complete" for trial in trials("long")) == 6


def test_every_setting_of_a_trial_is_an_option() -> None:
    from chainrule.cli.app import app
    from chainrule.experiments.search_settings import SearchSettings
    from chainrule.experiments.settings import FIELDS
    from chainrule.fields import settings_of

    of_this_start = {"config", "out", "resume", "column", "drop", "live", "port", "open"}
    typed = {parameter.name for parameter in app.commands["search"].params}
    of_a_single_run = {"net", "columns", "seeds", "folds", "save", "checkpoint_every", "checkpoint_minutes", "keep"}
    of_a_single_run |= {"doctor", "record"}
    assert typed - of_this_start - {*settings_of(SearchSettings)} == set(FIELDS) - of_a_single_run
