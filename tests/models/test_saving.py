"""Models in files: what is read is what was written, and damaged files are said to be damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import chainrule as cr
from chainrule import tree
from chainrule.errors import FileError, UnknownNameError

rng = np.random.default_rng(0)
x = rng.normal(size=(30, 4, 4, 2)) * 3 + 1
y = np.arange(30) % 3
NET = cr.Sequential(cr.Conv2D(3, 3, "prelu"), cr.BatchNorm(), cr.Flatten(), cr.Dropout(0.1), cr.Dense(3, "softmax"))


def metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return dict(file.metadata())


def same(first: cr.Model, second: cr.Model) -> None:
    assert second.net == first.net
    assert second.input_shape == first.input_shape
    assert second.precision == first.precision
    assert second.target == first.target
    for kind in ("params", "state"):
        a, b = (list(tree.leaves_with_path(getattr(m, kind))) for m in (first, second))
        assert [path for path, _ in a] == [path for path, _ in b]
        for (_, one), (_, other) in zip(a, b, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("labels", [y, y * 10 + 7, np.array(["ape", "bee", "cat"])[y]], ids=["codes", "ints", "text"])
def test_a_trained_model_comes_back_bit_by_bit(tmp_path: Path, labels: np.ndarray, precision: str) -> None:
    model = cr.fit(NET, (x, labels), epochs=2, batch_size=8, precision=precision, progress=False).model
    assert not np.array_equal(model.state["batch_norm_1"]["mean"], np.zeros(3))
    model.save(tmp_path / "model.safetensors")
    again = cr.load_model(tmp_path / "model.safetensors")
    same(model, again)
    assert np.array_equal(again.standardizer.mean, model.standardizer.mean)
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    assert again.predict(x).tolist() == model.predict(x).tolist()
    assert set(again.predict(x).tolist()) <= set(labels.tolist())


@pytest.mark.parametrize(
    ("net", "target"),
    [
        (cr.Dense(1), rng.normal(size=30)),
        (cr.Dense(2), rng.normal(size=(30, 2))),
        (cr.Dense(1, "sigmoid"), y == 1),
        (cr.Dense(3, "sigmoid"), np.eye(3)[y] + np.eye(3)[(y + 1) % 3]),
    ],
)
def test_every_kind_of_target_comes_back(tmp_path: Path, net: Any, target: Any) -> None:
    features = x.reshape(30, -1)
    model = cr.fit(net, (features, target), epochs=1, progress=False).model
    model.save(tmp_path / "m.safetensors")
    again = cr.load_model(tmp_path / "m.safetensors")
    same(model, again)
    assert np.array_equal(again.predict(features), model.predict(features))
    assert again.predict(features).dtype == model.predict(features).dtype


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(cr.Layer.registry)
    yield
    cr.Layer.registry.clear()
    cr.Layer.registry.update(before)


def test_a_layer_of_ones_own_with_values_of_any_nesting(tmp_path: Path, registry: None) -> None:
    @dataclass(frozen=True)
    class Odd(cr.Layer):
        factor: float = 2.0

        def init(self, key: Any, shape: Any) -> Any:
            return {"gain": np.float64(3.0), "list": [np.ones(2), np.zeros(())]}, {"calls": np.int64(5)}, shape

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return x * params["gain"] * params["list"][0][0] * self.factor, state

    model = cr.Model(cr.Sequential(Odd(4.0), cr.Dense(1)), (4,))
    model.save(tmp_path / "m.safetensors")
    again = cr.load_model(tmp_path / "m.safetensors")
    same(model, again)
    assert isinstance(again.params["odd_1"]["list"], list)
    assert again.params["odd_1"]["gain"].shape == ()
    assert again.state["odd_1"]["calls"].dtype == np.int64
    assert np.array_equal(again(np.ones((2, 4))), model(np.ones((2, 4))))

    del cr.Layer.registry["odd"]
    with pytest.raises(UnknownNameError, match=r"m\.safetensors.*Unknown layer 'odd'.*must be imported before"):
        cr.load_model(tmp_path / "m.safetensors")


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "model.safetensors"
        cr.Model(cr.mlp([4, 3]), (4,)).save(path)
        return path

    def rewrite(self, path: Path, tensors: Any = None, **changes: Any) -> None:
        recipe = json.loads(metadata(path)["chainrule"]) | changes
        recipe.pop("checksum", None)
        save_file(tensors or load_file(path), path, {"chainrule": json.dumps(recipe)})

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=r"There is no file .*none\.safetensors"):
            cr.load_model(tmp_path / "none.safetensors")
        with pytest.raises(FileError, match="There is no file"):
            cr.load_model(tmp_path)

    @pytest.mark.parametrize("keep", [0, 4, 100, -10])
    def test_truncated(self, path: Path, keep: int) -> None:
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(FileError, match=r"model\.safetensors is not a readable safetensors file"):
            cr.load_model(path)

    def test_another_kind_of_file(self, path: Path) -> None:
        path.write_text("weights: none\n" * 50)
        with pytest.raises(FileError, match="not a readable safetensors file"):
            cr.load_model(path)

    @pytest.mark.parametrize("note", [None, {"format": "pt"}, {"chainrule": "{"}, {"chainrule": "[1]"}])
    def test_safetensors_of_others(self, path: Path, note: Any) -> None:
        save_file({"w": np.ones(3)}, path, note)
        with pytest.raises(FileError, match="was not written by chainrule"):
            cr.load_model(path)

    @pytest.mark.parametrize(("version", "message"), [(99, r"newer chainrule \(format 99\)"), (2, "older chainrule")])
    def test_another_format(self, path: Path, version: int, message: str) -> None:
        self.rewrite(path, format=version)
        with pytest.raises(FileError, match=message):
            cr.load_model(path)

    def test_wrong_shapes_and_missing_values(self, path: Path) -> None:
        tensors = load_file(path)
        self.rewrite(path, tensors | {"params/dense_1/weight": np.ones((2, 3), np.float32)})
        with pytest.raises(FileError, match=r"damaged.*dense_1\.weight has shape \(2, 3\).*\(4, 3\)"):
            cr.load_model(path)
        del tensors["params/dense_1/bias"]
        self.rewrite(path, tensors)
        with pytest.raises(FileError, match=r"damaged.*dense_1: 'bias' is missing"):
            cr.load_model(path)

    @pytest.mark.parametrize(
        "changes",
        [
            {"net": "dense"},
            {"net": {"type": "dense", "units": -1}},
            {"net": {"type": "dense"}},
            {"net": {"type": "dense", "units": 3, "color": "red"}},
            {"net": {"type": ["dense"], "units": 3}},
            {"input_shape": None},
            {"input_shape": [3]},
            {"precision": "float8"},
            {"target": None},
            {"target": {"task": "regression"}},
        ],
    )
    def test_a_recipe_that_makes_no_sense(self, path: Path, changes: Any) -> None:
        self.rewrite(path, **changes)
        with pytest.raises((FileError, UnknownNameError), match=r"model\.safetensors"):
            cr.load_model(path)

    def test_a_function_cannot_be_written_and_nothing_is_left_behind(self, tmp_path: Path) -> None:
        model = cr.Model(cr.Dense(3, np.tanh), (4,))
        with pytest.raises(cr.ChainruleError, match="cannot be written"):
            model.save(tmp_path / "m.safetensors")
        assert list(tmp_path.iterdir()) == []

    def test_a_failed_write_leaves_the_old_file(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        before = path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(FileError, match="No space left on device"):
            cr.Model(cr.mlp([4, 5]), (4,)).save(path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_a_place_that_cannot_be(self, path: Path) -> None:
        with pytest.raises(FileError, match="Could not write"):
            cr.Model(cr.mlp([4, 5]), (4,)).save(path / "inside" / "m.safetensors")


def test_a_model_is_loaded_without_drawing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are any drawn to describe it, to average it, or for what training gives back."""
    net = cr.Sequential(
        cr.Conv2D(3, 2, "prelu"),
        cr.BatchNorm(),
        cr.Flatten(),
        cr.Dense(4, "tanh", init="orthogonal"),
        cr.Maxout(3, pieces=2),
        cr.Dense(2, "softmax"),
    )
    model = cr.Model(net, input_shape=(4, 4, 1))
    model.save(tmp_path / "model.safetensors")
    text, x = str(model), np.ones((2, 4, 4, 1))

    def refuse(*args: object) -> None:
        raise AssertionError("random numbers were drawn")

    monkeypatch.setattr("chainrule.random.bits", refuse)
    loaded = cr.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(x), model.predict_proba(x))
    assert str(loaded) == text
    np.testing.assert_allclose(cr.ensemble([model, loaded]).predict_proba(x), model.predict_proba(x), rtol=1e-6)
