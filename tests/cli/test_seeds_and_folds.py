"""`chainrule train --seeds` and `--folds`: several networks, and the one model that comes of them."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.population.checkpointer import Checkpointer

SHORT = ("--epochs", 3, "--hidden", 8, "--engine", "numpy")


def lines(path: Path | str) -> list[dict[str, float]]:
    records = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def read(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text())
    return content


def close(one: list[dict[str, float]], other: list[dict[str, float]]) -> None:
    assert [record.keys() for record in one] == [record.keys() for record in other]
    for a, b in zip(one, other, strict=True):
        assert list(a.values()) == pytest.approx(list(b.values()), rel=1e-5)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``interrupted(n, code=130)`` makes Ctrl-C come when some networks have come to the end of their n-th epoch."""

    def after(calls: int, number: int = signal.SIGINT) -> None:
        should_save, seen = Checkpointer.should_save, []

        def asked(checkpointer: Checkpointer, members: Any) -> bool:
            seen.append(members)
            if len(seen) == calls:
                os.kill(os.getpid(), number)
            return should_save(checkpointer, members)

        monkeypatch.setattr(Checkpointer, "should_save", asked)

    return after


@pytest.fixture
def houses() -> Path:
    """A table with a number, a column of text, and a column of which some values are rare."""
    random = np.random.default_rng(0)
    size = random.normal(size=120)
    frame = pd.DataFrame({"size": size, "town": random.choice(["Rome", "Oslo", "Bonn"], 120, p=[0.6, 0.37, 0.03])})
    frame["big"] = np.where(size + 0.3 * random.normal(size=120) > 0, "yes", "no")
    frame.loc[[5, 50], "big"] = None
    frame.to_csv("houses.csv", index=False)
    return Path("houses.csv")


# Seeds


def test_several_seeds_make_one_model_and_a_folder_for_each(chainrule: Any) -> None:
    done = chainrule("train", "iris", *SHORT, "--seeds", 3, "--seed", 5, "--validation", 0.1, "--out", "a")
    assert {path.name for path in Path("a").iterdir()} == {
        "config.toml",
        "environment.json",
        "evaluation.json",
        "members",
        "members.json",
        "metrics.jsonl",
        "model.safetensors",
        "report.html",
        "result.json",
    }
    facts = read("a/members.json")
    assert [member["seed"] for member in facts["members"]] == [5, 6, 7]
    each = [lines(f"a/members/{i:02d}/metrics.jsonl") for i in range(3)]
    mean = [np.mean([records[e]["val_loss"] for records in each]) for e in range(3)]
    assert [record["val_loss"] for record in lines("a/metrics.jsonl")] == pytest.approx(mean)
    assert facts["members"][1]["scores"]["val_accuracy"] == each[1][-1]["val_accuracy"]
    assert done.stdout == ""
    assert "seeds     5 to 7, on the same rows each" in done.stderr
    assert "3 of 3 members done, best val_accuracy" in done.stderr
    assert "Test accuracy of one network: " in done.stderr
    assert " % interval of the mean: " in done.stderr
    assert "The model is the ensemble of 3 networks, which averages their probabilities." in done.stderr
    models = [cr.load_model(f"a/members/{i:02d}/model.safetensors") for i in range(3)]
    x = cr.data.load("iris").x
    together = cr.load_model("a/model.safetensors").predict_proba(x)
    np.testing.assert_allclose(together, np.mean([m.predict_proba(x) for m in models], axis=0), atol=1e-6)


def test_the_first_seed_is_the_run_without_seeds(chainrule: Any) -> None:
    chainrule("train", "iris", *SHORT, "--seed", 2, "--out", "one")
    chainrule("train", "iris", *SHORT, "--seed", 2, "--seeds", 2, "--out", "two")
    close(lines("two/members/00/metrics.jsonl"), lines("one/metrics.jsonl"))
    test = {name.removeprefix("test_"): v for name, v in read("two/members.json")["members"][0]["scores"].items()}
    assert test["accuracy"] == pytest.approx(read("one/result.json")["test"]["accuracy"])
    other = lines("two/members/01/metrics.jsonl")
    assert other != lines("two/members/00/metrics.jsonl")


def test_the_best_one_can_be_the_model(chainrule: Any) -> None:
    done = chainrule("train", "iris", *SHORT, "--seeds", 3, "--save", "best", "--out", "a")
    members = read("a/members.json")["members"]
    best = max(members, key=lambda member: member["scores"]["val_accuracy"])
    assert f"The model is the network of seed {best['seed']}, the best of 3 by validation accuracy." in done.stderr
    same = cr.load_model(f"a/members/{members.index(best):02d}/model.safetensors")
    for one, other in zip(
        tree.leaves(cr.load_model("a/model.safetensors").params), tree.leaves(same.params), strict=True
    ):
        assert np.array_equal(one, other)


def test_a_run_of_several_seeds_is_a_run_like_others(chainrule: Any) -> None:
    chainrule("train", "diabetes", *SHORT, "--seeds", 2, "--out", "runs/a")
    assert "mae" in chainrule("evaluate", "a", "diabetes").stdout
    assert len(chainrule("predict", "a", "diabetes").stdout.splitlines()) == 1 + 88
    listed = chainrule("runs").stdout.splitlines()[1]
    assert "x 2 seeds" in listed
    assert "finished" in listed
    chainrule("train", "--config", "runs/a/config.toml", "--out", "b")
    close(lines("b/members/01/metrics.jsonl"), lines("runs/a/members/01/metrics.jsonl"))
    again = chainrule("train", "--resume", "runs/a")
    assert "runs/a is complete: its 2 networks have done 3 epochs already" in again.stderr
    assert "--epochs 6" in again.stderr


def test_each_seed_stops_early_by_itself(chainrule: Any) -> None:
    words = ("--early-stopping", 1, "--lr", 0.5, "--epochs", 30, "--hidden", 4, "--engine", "numpy", "--seeds", 3)
    chainrule("train", "iris", *words, "--out", "a")
    assert "is complete: its 3 networks have stopped early" in chainrule("train", "--resume", "a").stderr
    members = read("a/members.json")["members"]
    stopped = sum(member["state"] != "finished" for member in members)
    assert len({member["epochs"] for member in members}) > 1
    assert read("a/result.json")["reason"] == f"{stopped} of 3 networks"
    for i, member in enumerate(members):
        records = lines(f"a/members/{i:02d}/metrics.jsonl")
        assert member["epochs"] == len(records)
        assert member["scores"]["val_loss"] == min(record["val_loss"] for record in records)


def test_a_table_gives_all_seeds_the_same_rows(chainrule: Any, houses: Path) -> None:
    chainrule("train", houses, "--target", "big", *SHORT, "--seeds", 2, "--out", "a")
    predicted = chainrule("predict", "a", houses).stdout.splitlines()
    assert len(predicted) == 121
    assert read("a/result.json")["members"] == 2


def test_one_network_that_diverges_is_left_out(chainrule: Any) -> None:
    words = ("--optimizer", "sgd", "--no-normalize-target", "--no-normalize", "--epochs", 1, "--engine", "numpy")
    done = chainrule("train", "diabetes", *words, "--lr", 1e30, "--seeds", 2, "--out", "a", code=1)
    assert "error: All 2 networks diverged" in done.stderr
    assert "A smaller learning rate (--lr)" in done.stderr
    assert read("a/result.json")["state"] == "diverged"
    assert "Traceback" not in done.stderr
    assert "became infinite or undefined" in Path("a/report.html").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_seeds_go_on_after_an_interruption(chainrule: Any, interrupted: Any, number: int, code: int) -> None:
    words = ("iris", "--epochs", 6, "--hidden", 8, "--engine", "numpy", "--seeds", 2)
    interrupted(5, number)
    ended = chainrule("train", *words, "--out", "a", code=code)
    assert "2 networks are kept in a/members, up to epoch 2 to 3. To go on: chainrule train --resume a" in ended.stderr
    assert not Path("a/model.safetensors").exists()
    assert "already holds a run" in chainrule("train", *words, "--out", "a", code=2).stderr
    done = chainrule("train", "--resume", "a")
    assert "Going on: 2 networks are kept in a/members, up to epoch 2 to 3." in done.stderr
    chainrule("train", *words, "--out", "b")
    assert read("a/members.json")["members"] == read("b/members.json")["members"]
    assert lines("a/metrics.jsonl") == lines("b/metrics.jsonl")
    assert Path("a/report.html").exists()


def test_seeds_go_on_for_more_epochs(chainrule: Any) -> None:
    words = ("iris", "--hidden", 8, "--engine", "numpy", "--schedule", "constant", "--seeds", 2)
    chainrule("train", *words, "--epochs", 2, "--out", "a")
    chainrule("train", "--resume", "a", "--epochs", 4)
    chainrule("train", *words, "--epochs", 4, "--out", "b")
    assert lines("a/metrics.jsonl") == lines("b/metrics.jsonl")
    assert read("a/members.json")["members"] == read("b/members.json")["members"]


# Folds


def test_folds_go_on_after_an_interruption(chainrule: Any, interrupted: Any) -> None:
    words = ("iris", "--epochs", 4, "--hidden", 8, "--engine", "numpy", "--folds", 3)
    interrupted(7)
    ended = chainrule("train", *words, "--out", "a", code=130)
    assert "3 networks are kept in a/members, up to epoch 2 to 3. To go on: chainrule train --resume a" in ended.stderr
    assert "already holds a run" in chainrule("train", *words, "--out", "a", code=2).stderr
    assert "was interrupted. To go on: chainrule train --resume a." in chainrule("report", "a", code=2).stderr
    (listed,) = chainrule("runs", ".").stdout.splitlines()[1:]
    assert "x 3 folds" in listed
    assert "unfinished" in listed
    done = chainrule("train", "--resume", "a")
    whole = chainrule("train", *words, "--out", "b")
    assert done.stdout == whole.stdout
    assert read("a/members.json") == read("b/members.json")
    assert lines("a/metrics.jsonl") == lines("b/metrics.jsonl")
    assert "is complete: it has done 4 epochs already" in chainrule("train", "--resume", "a").stderr


def test_folds_are_judged_and_the_model_is_trained_on_all_rows(chainrule: Any) -> None:
    done = chainrule("train", "iris", *SHORT, "--folds", 3, "--seeds", 2, "--out", "a")
    assert done.stdout.startswith("3 folds x 2 seeds: accuracy ")
    assert "interval of the mean" in done.stdout
    facts = read("a/members.json")
    assert [(member["fold"], member["seed"]) for member in facts["members"]] == [
        (fold, seed) for fold in (1, 2, 3) for seed in (0, 1)
    ]
    accuracy = facts["summary"]["accuracy"]
    scores = np.array([member["scores"]["accuracy"] for member in facts["members"]]).reshape(3, 2)
    assert accuracy["mean"] == pytest.approx(scores.mean())
    assert accuracy["std"] == pytest.approx(scores.mean(axis=1).std(ddof=1))
    config = tomllib.loads(Path("a/config.toml").read_text())
    assert (config["folds"], config["seeds"], config["validation"]) == (3, 2, 0.0)
    assert "in the mean of the folds" in Path("a/report.html").read_text()
    assert read("a/evaluation.json")["parts"] == {"training": 120, "test": 30}
    assert len(chainrule("predict", "a", "iris").stdout.splitlines()) == 31


def test_the_last_network_is_the_one_that_train_makes_of_all_rows(chainrule: Any) -> None:
    chainrule("train", "iris", *SHORT, "--folds", 2, "--out", "a")
    chainrule("train", "iris", *SHORT, "--validation", 0, "--out", "b")
    assert lines("a/metrics.jsonl") == lines("b/metrics.jsonl")


def test_the_last_network_goes_on_without_the_folds_being_done_again(chainrule: Any) -> None:
    words = ("iris", "--hidden", 8, "--engine", "numpy", "--schedule", "constant")
    chainrule("train", *words, "--epochs", 2, "--folds", 2, "--seeds", 2, "--out", "a")
    folds = Path("a/members.json").read_bytes()
    done = chainrule("train", "--resume", "a", "--epochs", 4)
    chainrule("train", *words, "--epochs", 4, "--validation", 0, "--out", "b")
    assert lines("a/metrics.jsonl") == lines("b/metrics.jsonl")
    assert Path("a/members.json").read_bytes() == folds
    assert done.stdout == ""


def test_folds_of_a_table_leave_the_test_rows_out(chainrule: Any, houses: Path) -> None:
    frame = pd.read_csv(houses)
    chainrule("train", houses, "--target", "big", *SHORT, "--folds", 3, "--out", "a")
    facts = read("a/members.json")
    rows = read("a/evaluation.json")["parts"]
    assert rows["training"] + rows["test"] == frame["big"].notna().sum() == 118
    assert [member["fold"] for member in facts["members"]] == [1, 2, 3]
    assert all(np.isfinite(member["scores"]["accuracy"]) for member in facts["members"])


def test_early_stopping_in_folds_watches_rows_of_their_own(chainrule: Any) -> None:
    words = ("--early-stopping", 1, "--lr", 0.5, "--epochs", 9, "--hidden", 4, "--engine", "numpy")
    chainrule("train", "iris", *words, "--folds", 2, "--validation", 0.2, "--out", "a")
    facts = read("a/members.json")
    assert "judged_on" not in facts
    assert any(member["reason"] for member in facts["members"])
    assert tomllib.loads(Path("a/config.toml").read_text())["validation"] == 0.2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("iris", "--seeds", 0), "seeds must be a whole number of at least 1"),
        (("iris", "--folds", 1), "folds must be a whole number of at least 2"),
        (("iris", "--save", "best"), "--save chooses the model of several seeds"),
        (("iris", "--seeds", 2, "--save", "bset"), "did you mean 'best'?"),
        (("iris", "--folds", 3, "--save", "best"), "--folds trains one model in the end"),
        (("iris", "--folds", 60), "folds"),
        (("iris", "--seeds", 2, "--checkpoint-every", 5), "--checkpoint-every counts the steps of one network"),
        (("houses.csv", "--target", "big", "--folds", 3, "--time", "size"), "would learn from the future"),
        (("iris", "--seeds", 2, "--early-stopping", 2, "--validation", 0), "there is no validation data"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(
    chainrule: Any, houses: Path, words: tuple[Any, ...], message: str
) -> None:
    done = chainrule("train", *words, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("runs").exists() or not list(Path("runs").iterdir())
