"""Folders of pictures on the command line: train, evaluate and predict read them alike."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import chainrule as cr

Command = Callable[..., Any]

SMALL = ("--epochs", 3, "--engine", "numpy", "--preset", "linear", "--validation", 0)


def pictures(root: str, classes: tuple[str, ...] = ("cat", "dog"), n: int = 6, size: tuple[int, int] = (8, 8)) -> Path:
    """Cats are bright at the top, dogs in the middle, foxes at the bottom: told by the first letter of the class."""
    rng = np.random.default_rng(0)
    for name in classes:
        folder = Path(root, name)
        folder.mkdir(parents=True)
        third = "cdf".index(name[0])
        for i in range(n):
            pixels = rng.integers(0, 60, size)
            pixels[third * size[0] // 3 : (third + 1) * size[0] // 3] += 180
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    return Path(root)


def settings(run: str) -> dict[str, object]:
    return tomllib.loads(Path(run, "config.toml").read_text())


def accuracy(answer: Any) -> float:
    return float(json.loads(answer.stdout)["accuracy"])


def predicted(answer: Any) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(answer.stdout))
    return {row["file"]: row["prediction"] for row in rows}


@pytest.fixture
def run(chainrule: Command) -> str:
    pictures("pets", ("cat", "dog", "fox"))
    chainrule("train", "pets", "--out", "run", *SMALL, "--epochs", 40)
    return "run"


def test_evaluate_brings_pictures_to_what_the_network_takes_as_predict_does(chainrule: Command, run: str) -> None:
    pictures("larger", ("cat", "dog", "fox"), size=(16, 12))
    for i, path in enumerate(sorted(Path("larger").rglob("*.png"))):
        if i % 2:
            Image.open(path).convert("RGB").save(path)
    answers = predicted(chainrule("predict", run, "larger"))
    right = np.mean([file.split("/")[0] == label for file, label in answers.items()])
    assert right == 1
    assert accuracy(chainrule("evaluate", run, "larger", "--json")) == right


@pytest.mark.parametrize("classes", [("dog", "fox"), ("fox",)])
def test_some_of_the_classes_are_matched_by_name(chainrule: Command, run: str, classes: tuple[str, ...]) -> None:
    pictures("some", classes)
    assert accuracy(chainrule("evaluate", run, "some", "--json")) == 1


def test_unknown_classes_are_listed_alone(chainrule: Command, run: str) -> None:
    pictures("wild", ("cat", "cow", "dingo"))
    output = chainrule("evaluate", run, "wild", code=2).output
    assert "cow, dingo" in output


def test_a_network_of_numbers_evaluates_pictures_by_their_names(chainrule: Command) -> None:
    for name in "9", "3":
        pictures("named", ("cat" if name == "3" else "dog",))
        Path("named", "cat" if name == "3" else "dog").rename(Path("named", name))
    data = cr.data.load("named")
    np.savez("digits.npz", x=data.x, y=np.array([3, 9])[data.y])
    chainrule("train", "digits.npz", "--out", "numbers", *SMALL, "--epochs", 40)
    assert accuracy(chainrule("evaluate", "numbers", "named", "--json")) == 1


def test_networks_that_take_no_pictures_say_so(chainrule: Command, trained: Path) -> None:
    pictures("pets")
    for command in "evaluate", "predict":
        assert "folder of pictures" in chainrule(command, trained, "pets", code=2).output


def test_the_size_is_kept_with_the_run(chainrule: Command) -> None:
    pictures("pets")
    words = ("train", "pets", *SMALL, "--image-size", "4x6")
    chainrule(*words, "--out", "run")
    assert settings("run")["image_size"] == [4, 6]
    assert cr.load_model("run/model.safetensors").input_shape == (4, 6, 1)
    chainrule("train", "--resume", "run", "--epochs", 5)
    for command in "evaluate", "predict":
        chainrule(command, "run", "pets")
    chainrule("train", "--config", "run/config.toml", "--out", "again")
    assert cr.load_model("again/model.safetensors").input_shape == (4, 6, 1)


@pytest.mark.parametrize("words", [("--seeds", 2), ("--folds", 2)])
def test_the_size_reaches_seeds_and_folds(chainrule: Command, words: tuple[object, ...]) -> None:
    pictures("pets")
    chainrule("train", "pets", *SMALL, "--image-size", "3", "--out", "run", *words)
    assert cr.load_model("run/model.safetensors").input_shape == (3, 3, 1)
    assert settings("run")["image_size"] == [3, 3]


def test_the_size_reaches_a_search(chainrule: Command) -> None:
    pictures("pets")
    words = ("--trials", 2, "--space", "lr=1e-3..1e-1", "--image-size", "3x5", "--validation", 0.3)
    chainrule("search", "pets", *SMALL, *words, "--out", "run")
    assert cr.load_model("run/model.safetensors").input_shape == (3, 5, 1)


def test_the_size_that_was_chosen_is_written_down(chainrule: Command) -> None:
    pictures("photos", size=(150, 200), n=3)
    output = chainrule("train", "photos", *SMALL, "--out", "run").output
    assert settings("run")["image_size"] == [48, 64]
    assert "150 x 200 pixels (height x width) are brought to 48 x 64" in output


@pytest.mark.parametrize("size", ["4by6", "0x4", "4x", "x", "-1x4", "4x4x3", "9" * 400, "9" * 5000])
def test_sizes_that_are_none(chainrule: Command, size: str) -> None:
    pictures("pets")
    assert "height" in chainrule("train", "pets", "--image-size", size, code=2).output


def test_a_size_for_other_data_is_an_error(chainrule: Command) -> None:
    assert "pictures" in chainrule("train", "iris", "--image-size", "4x4", code=2).output


def test_flat_test_pictures_are_left_out_of_training_and_predicted(chainrule: Command) -> None:
    pictures("contest/train")
    Path("contest/test").mkdir()
    for i, name in enumerate(("cat", "dog")):
        Path(f"contest/train/{name}/0.png").rename(f"contest/test/{i}.png")
    output = chainrule("train", "contest", "--out", "run", *SMALL, "--epochs", 40).output
    assert "test holds 2 pictures" in output
    assert predicted(chainrule("predict", "run", "contest/test")) == {"0.png": "cat", "1.png": "dog"}
    assert "the network was trained on these" in chainrule("evaluate", "run", "contest").output


def test_more_pictures_than_a_block_have_their_own_names(
    chainrule: Command, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.experiments.prediction.PICTURE_VALUES", 5 * 64)
    answers = predicted(chainrule("predict", run, "pets"))
    assert len(answers) == 18
    assert all(file.startswith(label) for file, label in answers.items())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_pictures_are_predict_and_evaluate_agree(chainrule: Command, run: str, seed: int) -> None:
    """Other sizes, colours, kinds of files, some of the classes, hidden files, links: the same answers."""
    rng = np.random.default_rng(seed)
    classes = tuple(np.array(["cat", "dog", "fox"])[rng.permutation(3)[: rng.integers(1, 4)]])
    pictures("new", classes, size=(int(rng.integers(6, 40)), int(rng.integers(6, 40))))
    for path in sorted(Path("new").rglob("*.png")):
        mode = str(rng.choice(["L", "RGB", "P", "LA", "RGBA", "CMYK"]))
        picture = Image.open(path).convert(mode)
        path.unlink()
        picture.save(path.with_suffix(".jpg" if mode == "CMYK" else ".png"))
    Path("new", classes[0], "._0.png").write_bytes(b"x")
    Path("elsewhere").mkdir()
    Path("new", classes[-1], "5.png").unlink(missing_ok=True)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("elsewhere/dark.png")
    Path("new", classes[-1], "more").symlink_to(Path("elsewhere").resolve())
    answers = predicted(chainrule("predict", run, "new"))
    right = np.mean([file.split("/")[0] == label for file, label in answers.items()])
    evaluation = json.loads(chainrule("evaluate", run, "new", "--json").stdout)
    assert evaluation["rows"] == len(answers)
    assert evaluation["accuracy"] == pytest.approx(right)


def test_onnx_predicts_pictures_of_another_size(chainrule: Command, run: str) -> None:
    pytest.importorskip("onnxruntime")
    pictures("larger", size=(16, 12))
    assert "rows of larger" in chainrule("export", run, "--check", "larger").output
