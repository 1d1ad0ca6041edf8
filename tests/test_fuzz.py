"""Damaged files of every kind that is read: each is refused with a message, or read as what it says; nothing else.

Tables have such tests of their own in ``tests/tables/test_table_fuzz.py``.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import random
import shutil
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as tensors_in
from safetensors.numpy import save as safetensors_of

import chainrule as cr
from chainrule import tree
from chainrule.data import Target, read_idx, read_idx_folder, read_image_folder, read_npz
from chainrule.data.npz import read_npz_features
from chainrule.errors import ChainruleError
from chainrule.experiments.presets import complete, early_stopping, find_loss, network, optimizer
from chainrule.experiments.settings import ExperimentSettings, read_settings
from chainrule.tables.columns import Column
from chainrule.tables.preprocessor import Preprocessor
from chainrule.training import checkpoint
from chainrule.training.record import read_folder

LIMIT = 10.0  # seconds; far more than any small file takes, for a machine that is busy


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes of a file cut off, changed, swapped, put in, taken out or repeated; half of the time at its start."""
    content = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        end = len(content) if rng.random() < 0.5 else min(len(content), 160)
        at = rng.randrange(end) if end else 0
        how = rng.randrange(9)
        if how <= 2 and content:
            content[at] ^= 1 << rng.randrange(8)
        elif how == 3:
            del content[at:]
        elif how == 4 and content:
            other = rng.randrange(len(content))
            content[at], content[other] = content[other], content[at]
        elif how == 5:
            content[at:at] = rng.randbytes(rng.randint(1, 9))
        elif how == 6:
            del content[at : at + rng.randint(1, 20)]
        elif how == 7:
            content[at : at + 4] = rng.choice(
                [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"9999", b"\0\0\0\1"]
            )
        else:
            content[at:at] = content[at : at + rng.randint(1, 40)]
    return bytes(content)


def typed(text: str, rng: random.Random) -> str:
    """A text with mistakes in it, such as are made by hand."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(text) + 1)
        how = rng.randrange(5)
        if how == 0:
            text = text[:at] + text[at + rng.randint(1, 6) :]
        elif how == 1:
            text = text[:at] + rng.choice("0189-.eE\"'[]{},:= \n\\ä\0") + text[at:]
        elif how == 2:
            numbers = [i for i, letter in enumerate(text) if letter.isdigit()]
            at = rng.choice(numbers)
            text = (
                text[:at]
                + rng.choice(["0", "7", "-1", "1.5", "1e9", "1e999", "null", "true", '"a"', "[]", "{}"])
                + text[at + 1 :]
            )
        elif how == 3:
            words = ["null", "true", "[]", "{}", '""', "-1", "inf", "nan", "9" * 5_000, "[" * 3_000, '"x"', "1e400"]
            text = text[:at] + rng.choice(words) + text[at:]
        else:
            other = rng.randrange(len(text) + 1)
            text = text[:at] + text[other : other + rng.randint(1, 30)] + text[at:]
    return text


def read_or_refused(read: Callable[[], Any], case: Any) -> Any:
    """What a call returns; None where it refuses with a message. It may neither warn nor take long."""
    start, result, message = time.monotonic(), None, None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = read()
        except ChainruleError as error:
            message = str(error)
    assert not warned, (case, [str(warning.message) for warning in warned])
    assert time.monotonic() - start < LIMIT, case
    if message is not None:
        assert 20 < len(message) < 20_000, (case, message)
    return result


# Archives of NumPy: a checksum guards every array, so what is read is what was written.

PIXELS = np.random.default_rng(0).normal(size=(14, 6))
NAMES = np.array(["cat", "dog"] * 7)


def archives() -> list[bytes]:
    contents = []
    for write in (np.savez, np.savez_compressed):
        for parts in (
            {"x": PIXELS, "y": NAMES},
            {"x_train": PIXELS, "y_train": NAMES, "x_test": PIXELS[:6], "y_test": NAMES[:6]},
        ):
            file = io.BytesIO()
            write(file, **parts)
            contents.append(file.getvalue())
    return contents


def test_damaged_npz_files(tmp_path: Path) -> None:
    whole, refused = archives(), 0
    path = tmp_path / "data.npz"
    for seed in range(400):
        rng = random.Random(seed)
        path.write_bytes(damaged(rng.choice(whole), rng))
        result = read_or_refused(lambda: read_npz(path), seed)
        refused += result is None
        if result is not None:
            np.testing.assert_array_equal(result.x, PIXELS)
            assert result.classes == ("cat", "dog")
            assert result.y.tolist() == [0, 1] * 7
        features = read_or_refused(lambda: read_npz_features(path), seed)
        if features is not None:
            np.testing.assert_array_equal(features[0], PIXELS[: len(features[0])])
            assert len(features[0]) in (6, 14)
    assert 200 < refused < 400


def test_an_array_that_is_shorter_than_what_lies_there(tmp_path: Path) -> None:
    """A changed bit in the shape asks for less than there is; the checksum must be looked at nevertheless."""
    path = tmp_path / "data.npz"
    np.savez(path, x=np.ones((14, 600)), y=NAMES)
    whole = path.read_bytes()
    assert b"(14, 600)" in whole
    path.write_bytes(whole.replace(b"(14, 600)", b"(14, 400)"))
    assert read_or_refused(lambda: read_npz(path), "shape") is None


# IDX files.


def idx(values: np.ndarray, kind: int) -> bytes:
    return bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def as_said(data: bytes) -> np.ndarray:
    """What a plain IDX file says, read by its description."""
    kind = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[data[2]]
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    return np.frombuffer(data, kind, offset=4 + 4 * data[3]).reshape(shape)


def test_damaged_idx_files(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (6, 5, 4))
    whole = [idx(pictures.astype(kind), code) for code, kind in ((8, ">u1"), (11, ">i2"), (14, ">f8"))]
    path, refused = tmp_path / "images-idx3-ubyte", 0
    for seed in range(250):
        rng = random.Random(seed)
        data = damaged(rng.choice(whole), rng)
        path.write_bytes(data)
        result = read_or_refused(lambda: read_idx(path), seed)
        refused += result is None
        if result is not None and data[:2] != b"\x1f\x8b":
            np.testing.assert_array_equal(result, as_said(data))
    assert 50 < refused < 250


def test_damaged_idx_files_that_are_compressed(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (6, 5, 4)).astype(np.uint8)
    path, refused = tmp_path / "images-idx3-ubyte.gz", 0
    for seed in range(150):
        path.write_bytes(damaged(gzip.compress(idx(pictures, 8), mtime=0), random.Random(seed)))
        result = read_or_refused(lambda: read_idx(path), seed)
        refused += result is None
        if result is not None:
            np.testing.assert_array_equal(result, pictures)
    assert 80 < refused < 150


@pytest.mark.parametrize("shape", [(1,) * 70, (0, 2**32 - 1, 2**32 - 1, 2**32 - 1), (2**32 - 1,) * 255])
def test_an_idx_file_of_more_than_can_be(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + b"\7")
    assert read_or_refused(lambda: read_idx(path), shape) is None
    path.write_bytes(path.read_bytes()[:-1])
    assert read_or_refused(lambda: read_idx(path), shape) is None


def test_damaged_folders_of_idx_files(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (6, 5, 4)).astype(np.uint8)
    whole = {"images-idx3-ubyte": idx(pictures, 8), "labels-idx1-ubyte": idx(np.arange(6, dtype=np.uint8) % 3, 8)}
    for seed in range(100):
        rng = random.Random(seed)
        broken = rng.choice(sorted(whole))
        for name, data in whole.items():
            (tmp_path / name).write_bytes(damaged(data, rng) if name == broken else data)
        result = read_or_refused(lambda: read_idx_folder(tmp_path), seed)
        if result is not None:
            assert len(result.x) == len(result.y) == 6
            assert result.x.ndim == 4
            assert np.isfinite(result.x).all()


# Models.

COLUMNS = (
    Column("age", "number", indicator=True, outliers="clip"),
    Column("rooms", "number", scale="quantile"),
    Column("town", "category"),
    Column("street", "category", encode="embedding"),
    Column("paid", "boolean"),
    Column("born", "date", parts=("year", "month", "elapsed")),
)


def table(n: int = 12) -> Any:
    import pandas as pd

    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "age": [None, *map(str, rng.integers(1, 90, n - 1))],
            "rooms": rng.integers(1, 9, n).astype(float),
            "town": rng.choice(["Ulm", "Bonn", "Ä"], n),
            "street": rng.choice(["x", "y", "z"], n),
            "paid": rng.choice(["yes", "no"], n),
            "born": [f"20{i:02d}-03-04" for i in range(10, 10 + n)],
        }
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, Any, Any]]:
    """Models in files, rows for each, and what it predicts for them."""
    folder = tmp_path_factory.mktemp("models")
    pictures = np.random.default_rng(3).normal(size=(9, 4, 4, 1))
    net = cr.Sequential(cr.Conv2D(2, 3), cr.BatchNorm(), cr.Flatten(), cr.Dropout(0.1), cr.Dense(3, "softmax"))
    plain = cr.fit(net, (pictures, np.array(["a", "b", "c"] * 3)), epochs=1, engine="numpy", progress=False).model
    preparation = Preprocessor.fit(table(), COLUMNS)
    inputs = len(preparation.feature_names)
    net = cr.Sequential(cr.Embedding(tuple(count for _, count in preparation.embedded)), cr.Dense(2, "softmax"))
    prepared = cr.Model(net, (inputs,), preparation=preparation, target=Target("classification", ("no", "yes"), 2))
    files = []
    for model, rows in ((plain, pictures), (prepared, table())):
        path = folder / "model.safetensors"
        model.save(path)
        files.append((path.read_bytes(), rows, model.predict_proba(rows)))
    return files


@pytest.mark.parametrize("which", [0, 1], ids=["images", "table"])
def test_damaged_models(models: list[Any], which: int, tmp_path: Path) -> None:
    whole, rows, expected = models[which]
    path, refused = tmp_path / "model.safetensors", 0
    for seed in range(150):
        path.write_bytes(damaged(whole, random.Random(seed)))
        model = read_or_refused(lambda: cr.load_model(path), seed)
        refused += model is None
        if model is not None:
            assert np.array_equal(model.predict_proba(rows), expected), seed
    assert refused > 130


@pytest.mark.parametrize("which", [0, 1], ids=["images", "table"])
def test_models_with_another_recipe_or_other_arrays(models: list[Any], which: int, tmp_path: Path) -> None:
    whole, rows, expected = models[which]
    tensors, plain = tensors_in(whole), json.loads(recipe_in(whole))
    del plain["checksum"]  # as in older files
    recipe = json.dumps(plain)
    path, refused = tmp_path / "model.safetensors", 0
    for seed in range(150):
        rng = random.Random(seed)
        arrays, text = dict(tensors), recipe
        if rng.random() < 0.6:
            text = typed(text, rng)
        else:
            name = rng.choice(sorted(arrays))
            arrays[name] = odd(arrays[name], rng)
            if rng.random() < 0.3:
                arrays[rng.choice(["params", "x", "params/x/y", name + "/0", "", "standardizer", "preparation/a"])] = (
                    np.ones(2)
                )
            if rng.random() < 0.2:
                del arrays[rng.choice(sorted(arrays))]
        path.write_bytes(safetensors_of(arrays, {"chainrule": text}))
        model = read_or_refused(lambda: cr.load_model(path), seed)
        refused += model is None
        if model is not None:
            with np.errstate(all="ignore"):
                result = read_or_refused(partial(model.predict_proba, rows), seed)
            assert result is None or len(result) == len(expected)
    assert refused > 50


def recipe_in(data: bytes) -> str:
    size = int.from_bytes(data[:8], "little")
    text: str = json.loads(data[8 : 8 + size])["__metadata__"]["chainrule"]
    return text


def odd(values: np.ndarray, rng: random.Random) -> np.ndarray:
    """Other values in the place of an array's."""
    how = rng.randrange(6)
    if how == 0:
        return np.append(values, values).ravel()
    if how == 1:
        with np.errstate(all="ignore"):
            return np.asarray(values.astype(rng.choice(["float16", "int64", "uint8", "bool", "float64"])))
    if how == 2:
        return np.full_like(values, rng.choice([0, 1, 100]))
    if how == 3:
        return np.full(values.shape, rng.choice([math.nan, math.inf, -1e300]), np.float64)
    if how == 4:
        return values[..., None]
    return np.ascontiguousarray(values.ravel()[: values.size // 2])


# Checkpoints: a damaged one is passed over, and the run goes on to the same weights from the one before it.


def train(out: Path, epochs: int, *, resume: bool = False) -> Any:
    features = np.random.default_rng(4).normal(size=(12, 3))
    net = cr.Sequential(cr.Dense(2, "tanh"), cr.Dense(1))
    return cr.fit(
        net,
        (features, features[:, 0]),
        epochs=epochs,
        batch_size=6,
        engine="numpy",
        progress=False,
        out=out,
        resume=resume,
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run of two epochs in its folder, and what three of them come to."""
    folder = tmp_path_factory.mktemp("run")
    train(folder / "two", 2)
    return folder / "two", train(folder / "three", 3).model.params


def test_damaged_checkpoints(begun: tuple[Path, Any], tmp_path: Path) -> None:
    run, _ = begun
    whole = checkpoint.files(run)[0][1].read_bytes()
    expected, recipe = tensors_in(whole), json.loads(recipe_in(whole))
    path, refused = tmp_path / "step-00000004.safetensors", 0
    for seed in range(150):
        path.write_bytes(damaged(whole, random.Random(seed)))
        result = read_or_refused(lambda: checkpoint.read(path), seed)
        refused += result is None
        if result is not None:
            assert result[1] == recipe
            assert {name: array.tobytes() for name, array in result[0].items()} == {
                name: array.tobytes() for name, array in expected.items()
            }
    assert refused > 100


@pytest.mark.parametrize("how_many", [1, 2])
def test_runs_go_on_in_spite_of_damaged_checkpoints(how_many: int, begun: tuple[Path, Any], tmp_path: Path) -> None:
    run, expected = begun
    for seed in range(20):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        shutil.copytree(run, folder)
        for _, path in checkpoint.files(folder)[:how_many]:
            path.write_bytes(damaged(path.read_bytes(), rng))
        result = read_or_refused(partial(train, folder, 3, resume=True), seed)
        assert (result is None) <= (how_many == 2)
        if result is not None:
            for one, other in zip(tree.leaves(result.model.params), tree.leaves(expected), strict=True):
                assert np.array_equal(one, other)


def test_damaged_records_of_a_run(begun: tuple[Path, Any], tmp_path: Path) -> None:
    run, _ = begun
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    for seed in range(100):
        rng = random.Random(seed)
        name = rng.choice(["config.toml", "metrics.jsonl", "environment.json"])
        data = (run / name).read_bytes()
        (folder / name).write_bytes(damaged(data, rng) if rng.random() < 0.5 else typed(data.decode(), rng).encode())
        result = read_or_refused(lambda: read_folder(folder), seed)
        if result is not None:
            assert isinstance(result.config, dict)
            assert all(isinstance(record, dict) for record in result.epochs)
        (folder / name).write_bytes(data)


# Settings.

CONFIG = """\
data = "iris"
columns = {town = "category", street = {use = false}}
hidden = [8, 4]
optimizer = {type = "sgd", lr = 0.1, momentum = 0.9}
schedule = {type = "cosine", end = 0.01}
loss = "cross_entropy"
early_stopping = {patience = 3}
class_weight = "balanced"
augment = "noise:0.1"
epochs = 3
batch_size = 16
validation = 0.25
l2 = 0.001
normalize = true
seed = 1
engine = "numpy"
precision = "float32"
"""


def test_damaged_settings(tmp_path: Path) -> None:
    path, refused, iris = tmp_path / "config.toml", 0, cr.data.load("iris")

    def read() -> ExperimentSettings:
        settings = complete(ExperimentSettings(**read_settings(path)), iris)
        cr.Model(network(settings, iris), (4,))
        for part in (optimizer, find_loss, early_stopping):
            part(settings)
        return settings

    path.write_text(CONFIG)
    assert read().hidden == (8, 4)
    for seed in range(200):
        rng = random.Random(seed)
        text = damaged(CONFIG.encode(), rng) if seed % 2 else typed(CONFIG, rng).encode()
        path.write_bytes(text)
        result = read_or_refused(read, (seed, text))
        refused += result is None
        assert result is None or all(type(units) is int and units > 0 for units in result.hidden or ())
    assert 100 < refused < 200


# Folders of pictures (truncated ones and flipped bits: tests/data/test_images.py).


def pictures() -> Iterator[tuple[str, bytes]]:
    from PIL import Image

    rng = np.random.default_rng(5)
    for mode, depth, ending in (
        ("L", 1, "png"),
        ("RGB", 3, "png"),
        ("RGBA", 4, "png"),
        ("L", 1, "jpeg"),
        ("RGB", 3, "jpeg"),
    ):
        pixels = rng.integers(0, 256, (9, 7, depth), np.uint8)
        image, file = Image.fromarray(pixels.squeeze(), mode), io.BytesIO()
        image.save(file, ending)
        yield ending, file.getvalue()
        image.convert("P" if ending == "png" else mode).save(
            file := io.BytesIO(), ending, comment="x" * 50, optimize=True
        )
        yield ending, file.getvalue()
    Image.fromarray(rng.integers(0, 2**16, (9, 7)).astype(np.uint16)).save(file := io.BytesIO(), "png")
    yield "png", file.getvalue()


def test_damaged_pictures(tmp_path: Path) -> None:
    whole, refused = list(pictures()), 0
    (tmp_path / "a").mkdir()
    for seed in range(150):
        rng = random.Random(seed)
        ending, data = rng.choice(whole)
        path = tmp_path / "a" / f"picture.{ending}"
        path.write_bytes(damaged(data, rng))
        result = read_or_refused(lambda: read_image_folder(tmp_path), seed)
        path.unlink()
        refused += result is None
        if result is not None:
            assert result.x.ndim == 4
            assert 0 <= result.x.min() <= result.x.max() <= 1
            assert ending != "png" or result.x.shape[1:3] == (9, 7)
    assert 50 < refused < 150
