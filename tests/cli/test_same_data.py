"""What counts as the data of a run: the rows that it was trained on, value for value, where they were."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr

QUICK = ("--engine", "numpy", "--epochs", 1, "--hidden", 4)


def write(path: Path, seed: int, rows: int = 100) -> Path:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=rows)
    path.parent.mkdir(exist_ok=True)
    path.write_text("a,y\n" + "".join(f"{v:.3f},{'p' if v > 0 else 'q'}\n" for v in a))
    return path


def judged(chainrule: Any, *words: Any) -> tuple[int, str]:
    done = chainrule("evaluate", *words, "--json")
    return json.loads(done.stdout)["rows"], done.stderr


@pytest.fixture
def run(folder: Path, chainrule: Any) -> Path:
    write(folder / "t.csv", 0)
    chainrule("train", "t.csv", "--target", "y", "--out", "run", *QUICK)
    return folder / "run"


def test_the_rows_of_the_run_are_told_from_others_by_their_content(run: Path, folder: Path, chainrule: Any) -> None:
    rows, message = judged(chainrule, run, "t.csv")
    assert rows == 20
    assert "held out before anything was learnt" in message
    write(folder / "t.csv", 1)
    rows, message = judged(chainrule, run, "t.csv")
    assert rows == 100
    assert "none counts as held out" in message


@pytest.mark.parametrize("change", ["one value", "one row less", "another order", "another class"])
def test_any_change_of_the_training_rows_is_seen(change: str, run: Path, folder: Path, chainrule: Any) -> None:
    header, *lines = (folder / "t.csv").read_text().splitlines()
    if change == "one value":
        lines = [line.replace(",", "1,", 1) for line in lines]
    elif change == "one row less":
        del lines[3]
    elif change == "another order":
        lines.reverse()
    else:
        lines = [line.replace("p", "maybe") if i == 5 else line for i, line in enumerate(lines)]
    (folder / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    if change == "another class" and any("maybe" in line for line in lines):
        assert "maybe" in chainrule("evaluate", run, "t.csv", code=2).stderr
        return
    rows, message = judged(chainrule, run, "t.csv")
    assert rows == len(lines)
    assert "held out before" not in message


def test_a_file_of_the_same_name_elsewhere_is_another(
    run: Path, folder: Path, chainrule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "elsewhere" / "t.csv", 0)
    monkeypatch.chdir(folder / "elsewhere")
    assert judged(chainrule, run, "t.csv")[0] == 100
    rows, message = judged(chainrule, run, "../t.csv")
    assert rows == 20
    assert "held out" in message


def test_arrays_are_told_by_their_content_too(folder: Path, chainrule: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 2)), rng.integers(0, 2, 80)
    np.savez("d.npz", x=x, y=y)
    chainrule("train", "d.npz", "--test", 0.25, "--out", "run", *QUICK)
    assert judged(chainrule, "run", "d.npz")[0] == 20
    np.savez("d.npz", x=x + 1e-3, y=y)
    rows, message = judged(chainrule, "run", "d.npz")
    assert rows == 80
    assert "none counts as held out" in message
    np.savez("d.npz", x=x[:3], y=y[:3])  # too few to be split
    assert judged(chainrule, "run", "d.npz")[0] == 3


def test_seeds_and_searches_know_their_rows(folder: Path, chainrule: Any) -> None:
    write(folder / "t.csv", 0)
    chainrule("train", "t.csv", "--target", "y", "--out", "seeds", "--seeds", 2, *QUICK)
    chainrule("search", "t.csv", "--target", "y", "--out", "search", "--trials", 2, "--space", "lr=1e-3..1e-1", *QUICK)
    for run in ("seeds", "search"):
        assert judged(chainrule, run, "t.csv")[0] == 20
    write(folder / "t.csv", 1)
    for run in ("seeds", "search"):
        assert judged(chainrule, run, "t.csv")[0] == 100


def test_pixels_as_bytes_and_as_numbers_are_judged_alike(folder: Path, chainrule: Any) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    x = (rng.integers(0, 60, (120, 6, 6)) + 80 * y[:, None, None]).astype(np.uint8)
    np.savez("bytes.npz", x=x, y=y)
    np.savez("floats.npz", x=x.astype(np.float32), y=y)
    np.savez("fractions.npz", x=x / np.float32(255), y=y)
    for train in ("bytes", "floats", "fractions"):
        chainrule("train", f"{train}.npz", "--preset", "mlp", "--out", train, *QUICK[:3], 5)
        scores, predictions = set(), set()
        for new in ("bytes", "floats") if train == "floats" else ("bytes", "floats", "fractions"):
            done = chainrule("evaluate", train, f"{new}.npz", "--json")
            scores.add(round(json.loads(done.stdout)["accuracy"], 6))
            predictions.add(chainrule("predict", train, f"{new}.npz").stdout)
        assert len(scores) == len(predictions) == 1
    assert "divided" in chainrule("evaluate", "floats", "fractions.npz").stderr


def test_inputs_far_outside_are_told_once_for_the_whole_file(run: Path, folder: Path, chainrule: Any) -> None:
    far = folder / "far.csv"
    far.write_text("a\n" + "0.5\n" * 50_000 + "5000\n" * 60_000)
    message = chainrule("predict", run, far, "--out", "p.csv").stderr
    assert message.count("far outside") == 2  # one sentence
    assert "'a' goes from" in message
    assert "60,000 of 110,000 rows" in message


def test_a_network_of_arrays_takes_a_table_of_numbers(folder: Path, chainrule: Any) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"mass": rng.normal(1000, 50, 80), "charge": rng.normal(size=80)})
    y = np.where(frame.mass > 1000, "heavy", "light")
    model = cr.fit(cr.Dense(2, "softmax"), (frame, y), epochs=5, engine="numpy", progress=False).model
    model.save("m.safetensors")
    frame[["charge", "mass"]].assign(y=y).to_csv("t.csv", index=False)
    evaluation = json.loads(chainrule("evaluate", "m.safetensors", "t.csv", "--target", "y", "--json").stdout)
    assert evaluation["accuracy"] == pytest.approx(float(np.mean(model.predict(frame) == y)))
    predicted = pd.read_csv(StringIO(chainrule("predict", "m.safetensors", "t.csv").stdout)).prediction
    assert predicted.tolist() == model.predict(frame).tolist()
    assert "'mass'" in chainrule("predict", "m.safetensors", write(folder / "other.csv", 0), code=2).stderr
