"""What surrounds the network in an ONNX file: inputs, standardizing, labels, metadata, and what may go wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Standardizer, Target
from chainrule.errors import FileError, SettingError
from chainrule.export import check_onnx, onnx_inputs, to_onnx
from chainrule.export.check import largest_difference, open_session, run_onnx

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)


def model_of(units: int, activation: Any, target: Target | None = None, **settings: Any) -> cr.Model:
    net = cr.Sequential(cr.Dense(5, "tanh"), cr.Dense(units, activation))
    return cr.Model(net, input_shape=(4,), target=target, seed=3, **settings)


def outputs_of(model: cr.Model, x: np.ndarray = X) -> dict[str, np.ndarray]:
    file = to_onnx(model)
    assert check_onnx(model, file, x).ok
    return run_onnx(file, onnx_inputs(model, x))


@pytest.mark.parametrize(
    ("units", "activation", "target", "output"),
    [
        (3, "softmax", Target("classification", ("bird", "café", "dog"), 3), "probabilities"),
        (3, "sigmoid", Target("classification", (-5, 0, 7), 3), "probabilities"),
        (2, "softmax", Target("classification", (False, True), 2), "probabilities"),
        (2, "softmax", Target("classification", (0.5, 1.5), 2), "probabilities"),
        (3, "tanh", Target("classification", ("a", "b", "c"), 3), "outputs"),
        (1, "sigmoid", Target("binary", ("no", "yes"), 1), "probabilities"),
        (1, "tanh", Target("binary", ("no", "yes"), 1), "outputs"),
        (3, "sigmoid", Target("multilabel", None, 3), "probabilities"),
        (1, "sigmoid", Target("multilabel", None, 1), "probabilities"),
        (4, "softmax", None, "probabilities"),
    ],
    ids=str,
)
def test_outputs_and_labels_are_those_of_the_model(units: int, activation: str, target: Any, output: str) -> None:
    model = model_of(units, activation, target)
    outputs = outputs_of(model)
    assert list(outputs) == [output, "label"]
    expected = model.predict(X)
    assert outputs["label"].shape == expected.shape
    assert outputs["label"].tolist() == expected.tolist()
    assert len({str(label) for label in expected.tolist()}) > 1


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_numbers_come_in_their_own_unit(precision: str) -> None:
    target = Target("regression", None, 2).standardized(np.array([[1e5, 1.0], [3e5, 2.0], [2e5, 7.0]]))
    model = model_of(2, None, target, precision=precision)
    outputs = outputs_of(model, X.astype(precision))
    assert list(outputs) == ["outputs"]
    assert outputs["outputs"].dtype == precision
    assert outputs["outputs"][:, 0].mean() > 1e4
    np.testing.assert_allclose(outputs["outputs"], model.predict(X), rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_standardizing_is_part_of_the_file(precision: str, dtype: str) -> None:
    years = (2000.0 + 10 * X).astype(dtype)  # far from 0: a difference of large numbers
    model = model_of(3, "softmax", standardizer=Standardizer.fit(years), precision=precision)
    assert check_onnx(model, to_onnx(model), years).ok
    assert check_onnx(model, to_onnx(model)).ok


def test_images_are_standardized_by_channel() -> None:
    images = np.random.default_rng(0).random((6, 5, 4, 3)).astype(np.float32) * np.float32([1, 10, 100])
    net = cr.Sequential(cr.Conv2D(2, 3), cr.Flatten(), cr.Dense(3, "softmax"))
    model = cr.Model(net, input_shape=(5, 4, 3), standardizer=Standardizer.fit(images))
    assert check_onnx(model, to_onnx(model), images).ok


def test_inputs_and_outputs_are_declared_with_a_batch_of_any_length() -> None:
    session = open_session(to_onnx(model_of(3, "softmax")))
    declared = [(value.name, value.type, value.shape) for value in (*session.get_inputs(), *session.get_outputs())]
    assert declared == [
        ("x", "tensor(float)", ["batch", 4]),
        ("probabilities", "tensor(float)", ["batch", 3]),
        ("label", "tensor(int64)", ["batch"]),
    ]


def test_metadata_names_the_task_and_the_classes() -> None:
    file = to_onnx(model_of(2, "softmax", Target("classification", ("cat", "dog"), 2)))
    metadata = {entry.key: entry.value for entry in file.metadata_props}
    assert metadata["task"] == "classification"
    assert json.loads(metadata["classes"]) == ["cat", "dog"]
    assert file.producer_name == "chainrule"


def test_a_trained_model_goes_through_a_file_on_the_disk(tmp_path: Path) -> None:
    run = cr.fit(cr.mlp([4, 8, 3]), cr.data.load("iris"), epochs=2, progress=False)
    path = tmp_path / "folder" / "iris.onnx"
    to_onnx(run.model, path)
    again = cr.load_model(save(run.model, tmp_path))
    result = check_onnx(again, path, cr.data.load("iris").x)
    assert result.ok
    assert result.rows == 150


def save(model: cr.Model, folder: Path) -> Path:
    model.save(folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_how_to_get_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(2, "softmax")
    file = to_onnx(model)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FileError, match=rf"the package {package}: pip install 'chainrule\[all\]'"):
        _ = to_onnx(model) if package == "onnx" else check_onnx(model, file)


def test_files_that_cannot_be_run_are_named(tmp_path: Path) -> None:
    model = model_of(2, "softmax")
    with pytest.raises(FileError, match=r"There is no file .*nothing\.onnx"):
        check_onnx(model, tmp_path / "nothing.onnx")
    (tmp_path / "wrong.onnx").write_bytes(b"not a model")
    with pytest.raises(FileError, match="onnxruntime cannot run the file"):
        check_onnx(model, tmp_path / "wrong.onnx")
    with pytest.raises(FileError, match="onnxruntime cannot run the file"):
        check_onnx(model, to_onnx(cr.Model(cr.Dense(2), input_shape=(7,))))


def test_a_place_that_cannot_be_written_to_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"file"):
        to_onnx(model_of(2, "softmax"), tmp_path / "file" / "model.onnx")


def test_differences_are_relative_above_one_and_infinite_for_what_is_not_there() -> None:
    one, nan = np.array([[1e6]]), np.array([[np.nan]])
    assert largest_difference(one + 1.0, one) == pytest.approx(1e-6)
    assert largest_difference(one * 0 + 1e-3, one * 0) == pytest.approx(1e-3)
    assert largest_difference(nan, nan) == 0.0
    assert largest_difference(nan, one) == np.inf
    assert largest_difference(one, one[0]) == np.inf


def test_the_tolerance_decides() -> None:
    model, other = model_of(3, "softmax"), model_of(3, "softmax")
    other.params["dense_2"]["bias"] = other.params["dense_2"]["bias"] + np.float32([0, 0, 1e-3])
    assert not check_onnx(model, to_onnx(other), X).ok
    assert check_onnx(model, to_onnx(other), X, tolerance=1e-2).ok


def test_a_model_on_the_verge_of_too_large_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.export.model.LIMIT", 100)
    with pytest.raises(FileError, match="holds 100 at most"):
        to_onnx(model_of(2, "softmax"))


def test_settings_errors_are_of_the_library() -> None:
    with pytest.raises(SettingError):
        to_onnx(model_of(2, "softmax"), opset=1)
