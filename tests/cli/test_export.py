"""`chainrule export`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

runtime = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None,
    reason="onnxruntime is not installed (pip install 'chainrule[all]')",
)


@runtime
def test_a_run_becomes_an_onnx_file_that_is_checked(chainrule: Any, trained: Path) -> None:
    from chainrule.export.check import run_onnx

    message = chainrule("export", trained).stderr
    assert "trained/model.onnx" in message
    assert [line.split() for line in message.splitlines() if line.startswith(("input", "output"))] == [
        ["input", "x", "float", "(batch,", "4)"],
        ["output", "probabilities", "float", "(batch,", "3)"],
        ["output", "label", "string", "(batch)"],
    ]
    assert "onnxruntime on 64 random rows" in message
    iris = cr.data.load("iris")
    outputs = run_onnx(trained / "model.onnx", {"x": iris.x.astype(np.float32)})
    model = cr.load_model(trained / "model.safetensors")
    assert outputs["label"].tolist() == model.predict(iris.x).tolist()


@runtime
def test_a_table_goes_in_by_its_columns(chainrule: Any) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal():.3f},{rng.choice(['red', 'blue', ''])},{rng.choice(['cat', 'dog'])}" for _ in range(80)]
    Path("pets.csv").write_text("\n".join(["size,colour,pet", *rows]))
    chainrule("train", "pets.csv", "--target", "pet", "--epochs", 1, "--out", "pets")
    message = chainrule("export", "pets", "--out", "exported/pets.onnx", "--check", "pets.csv").stderr
    assert Path("exported/pets.onnx").is_file()
    assert [line.split()[1:3] for line in message.splitlines() if line.startswith("input")] == [
        ["size", "double"],
        ["colour", "string"],
    ]
    assert "on 80 rows of pets.csv" in message


@runtime
def test_a_model_file_can_be_exported_beside_itself(chainrule: Any) -> None:
    Path("models").mkdir()
    cr.Model(cr.mlp([4, 3, 2]), input_shape=(4,)).save("models/small.safetensors")
    chainrule("export", "models/small.safetensors")
    assert Path("models/model.onnx").is_file()


@runtime
def test_a_file_that_predicts_something_else_is_an_error(
    chainrule: Any, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.export import OnnxCheck

    monkeypatch.setattr("chainrule.cli.export.check_onnx", lambda *arguments: OnnxCheck(False, 0.5, 64, True))
    message = chainrule("export", trained, code=1).stderr
    assert "differ by up to 0.5" in message
    assert "Do not use it" in message


def test_without_onnxruntime_nothing_is_checked_and_that_is_said(
    chainrule: Any, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "Not checked: that needs the package onnxruntime, pip install 'chainrule[all]'" in (
        chainrule("export", trained).stderr
    )


def test_weights_for_pytorch(chainrule: Any, trained: Path) -> None:
    from safetensors.numpy import load_file

    chainrule("export", trained, "--out", "weights.safetensors")
    weights, model = load_file("weights.safetensors"), cr.load_model(trained / "model.safetensors")
    assert np.array_equal(weights["dense_1.weight"], model.params["dense_1"]["weight"].T)


def test_other_endings_are_refused(chainrule: Any, trained: Path) -> None:
    assert "must end with .onnx" in chainrule("export", trained, "--out", "model.pb", code=2).stderr
