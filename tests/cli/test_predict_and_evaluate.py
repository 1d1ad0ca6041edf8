"""`chainrule predict` and `chainrule evaluate`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_predictions_are_csv_with_the_rows_and_labels_of_the_data(chainrule: Any, trained: Path) -> None:
    iris = cr.data.load("iris")
    done = chainrule("predict", trained, "iris")
    rows = table(done.stdout)
    model = cr.load_model(trained / "model.safetensors")
    at = [int(row["index"]) for row in rows]
    assert len(at) == 30
    assert [row["prediction"] for row in rows] == model.predict(iris.x[at]).tolist()
    assert "30 rows" in done.stderr


def test_features_without_targets_can_be_predicted(chainrule: Any, trained: Path) -> None:
    x = cr.data.load("iris").x[:5]
    np.savez("new.npz", x=x)
    rows = table(chainrule("predict", trained, "new.npz", "--probabilities").stdout)
    assert [row["index"] for row in rows] == ["0", "1", "2", "3", "4"]
    predicted = np.array([[float(row[f"probability_{c}"]) for c in cr.data.load("iris").classes or ()] for row in rows])
    expected = cr.load_model(trained / "model.safetensors").predict_proba(x)
    assert np.array_equal(predicted.astype(np.float32), expected)


def test_predictions_go_to_a_file(chainrule: Any, trained: Path) -> None:
    printed = chainrule("predict", trained, "iris").stdout
    done = chainrule("predict", trained, "iris", "--out", "p.csv")
    assert done.stdout == ""
    assert Path("p.csv").read_text() == printed


def test_a_binary_network_gives_the_probability_of_both_classes(chainrule: Any) -> None:
    chainrule("train", "breast_cancer", "--output", "sigmoid", "--hidden", 4, "--epochs", 1, "--out", "b")
    assert cr.load_model("b/model.safetensors").output_shape == (1,)
    rows = table(chainrule("predict", "b", "breast_cancer", "--probabilities").stdout)
    for row in rows:
        benign, malignant = float(row["probability_benign"]), float(row["probability_malignant"])
        assert benign + malignant == pytest.approx(1.0)
        assert row["prediction"] == ("benign" if benign >= malignant else "malignant")


def test_numbers_are_predicted_as_numbers(chainrule: Any) -> None:
    chainrule("train", "diabetes", "--epochs", 1, "--hidden", 4, "--out", "d")
    rows = table(chainrule("predict", "d", "diabetes").stdout)
    assert rows[0].keys() == {"index", "prediction"}
    assert np.isfinite([float(row["prediction"]) for row in rows]).all()
    evaluation = json.loads(chainrule("evaluate", "d", "diabetes", "--json").stdout)
    assert {"loss", "mae", "rmse", "r2"} <= evaluation.keys()


def test_a_run_is_judged_on_what_it_was_not_trained_on(chainrule: Any, trained: Path) -> None:
    evaluation = json.loads(chainrule("evaluate", trained, "iris", "--json").stdout)
    known = json.loads((trained / "result.json").read_text())["test"]
    assert evaluation["rows"] == 30
    assert (evaluation["loss"], evaluation["accuracy"]) == pytest.approx((known["loss"], known["accuracy"]))


def test_data_that_was_trained_on_is_called_so(chainrule: Any, flowers: Path) -> None:
    chainrule("train", "iris", "--test", 0, "--epochs", 1, "--hidden", 4, "--out", "a")
    assert "the network was trained on these" in chainrule("evaluate", "a", "iris").stderr
    assert "the test part of flowers" in chainrule("evaluate", "a", flowers).stderr


def test_each_class_is_judged_as_scikit_learn_does(chainrule: Any, trained: Path) -> None:
    from sklearn.metrics import classification_report, confusion_matrix

    iris = cr.data.load("iris")
    np.savez("all.npz", x=iris.x, y=iris.labels(iris.y))
    evaluation = json.loads(chainrule("evaluate", trained, "all.npz", "--json").stdout)
    predicted = cr.load_model(trained / "model.safetensors").predict(iris.x)
    report = classification_report(iris.labels(iris.y), predicted, output_dict=True, zero_division=0.0)
    for row in evaluation["classes"]:
        expected = report[row["class"]]
        assert row["precision"] == pytest.approx(expected["precision"])
        assert row["recall"] == pytest.approx(expected["recall"])
        assert row["f1"] == pytest.approx(expected["f1-score"])
        assert row["support"] == expected["support"] == 50
    assert evaluation["confusion"] == confusion_matrix(iris.labels(iris.y), predicted).tolist()


def test_the_tables_for_people_have_a_row_for_each_class(chainrule: Any, trained: Path) -> None:
    lines = chainrule("evaluate", trained, "iris").stdout.splitlines()
    assert lines[0].startswith("loss")
    assert lines[1].startswith("accuracy")
    assert len([line for line in lines if line.startswith("virginica")]) == 2  # in the scores and the confusion


def test_a_model_file_and_a_name_in_runs_are_runs_too(chainrule: Any, flowers: Path) -> None:
    chainrule("train", flowers, "--epochs", 1, "--hidden", 4)
    (run,) = Path("runs").iterdir()
    printed = {chainrule("evaluate", name, flowers).stdout for name in (run, run.name, run / "model.safetensors")}
    assert len(printed) == 1


def test_folders_of_idx_files(chainrule: Any, idx_folder: Path) -> None:
    chainrule("train", idx_folder, "--epochs", 1, "--hidden", 8, "--out", "a")
    assert json.loads(chainrule("evaluate", "a", idx_folder, "--json").stdout)["rows"] == 50
    assert len(table(chainrule("predict", "a", idx_folder).stdout)) == 50


def test_names_of_runs_that_are_not_there(chainrule: Any) -> None:
    chainrule("train", "iris", "--epochs", 1, "--hidden", 4, "--out", "runs/first")
    assert "did you mean 'runs/first'?" in chainrule("predict", "frist", "iris", code=2).stderr
    assert "did you mean 'runs/first'?" in chainrule("evaluate", "runs/firs", "iris", code=2).stderr


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("trained/model.safetensors", b"half", "model.safetensors is not a readable safetensors file"),
        ("trained/model.safetensors", None, "is not finished. Go on with it: chainrule train --resume trained"),
        ("trained/config.toml", b"epochs = [", "config.toml is not a readable TOML file"),
        ("new.npz", b"PK\x03\x04", "new.npz is a damaged or truncated .npz file"),
        ("new.npz", None, "new.npz does not exist"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_missing_and_damaged_files_are_named(
    chainrule: Any, trained: Path, flowers: Path, command: str, file: str, content: bytes | None, message: str
) -> None:
    flowers.rename("new.npz")
    Path(file).unlink()
    if content is not None:
        Path(file).write_bytes(content)
    done = chainrule(command, trained, "new.npz", code=2)
    assert message in done.stderr
    assert done.stdout == ""


def test_data_of_another_shape_or_with_other_labels(chainrule: Any, trained: Path) -> None:
    np.savez("wide.npz", x=np.ones((2, 9)))
    assert "takes a batch of shape (samples, 4), got (2, 9)" in chainrule("predict", trained, "wide.npz", code=2).stderr
    np.savez("other.npz", x=np.ones((2, 4)), y=["tulip", "rose"])
    assert "'rose', 'tulip'" in chainrule("evaluate", trained, "other.npz", code=2).stderr
    np.savez("none.npz", z=np.ones((2, 4)))
    assert "none.npz holds z; expected features" in chainrule("predict", trained, "none.npz", code=2).stderr


def test_evaluate_gives_the_figures_that_python_gives(chainrule: Any, tmp_path: Path) -> None:
    iris = cr.data.load("iris")
    run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=3, engine="numpy", progress=False)
    run.model.save(tmp_path / "iris.safetensors")
    printed = json.loads(chainrule("evaluate", tmp_path / "iris.safetensors", "iris", "--json").stdout)
    assert {name: printed[name] for name in ("loss", "accuracy")} == run.evaluate(iris.x, iris.y)
