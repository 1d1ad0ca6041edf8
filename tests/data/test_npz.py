from __future__ import annotations

import contextlib
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import read_npz
from chainrule.errors import DataError, FileError

X, Y = np.arange(12.0).reshape(4, 3), np.array([2, 0, 2, 1])


@pytest.mark.parametrize(
    "names",
    [("x", "y"), ("X", "Y"), ("X", "y"), ("x_train", "y_train"), ("data", "target"), ("features", "labels")],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_the_usual_names(tmp_path, names, save):
    save(tmp_path / "some.npz", **{names[0]: X, names[1]: Y, "other": np.zeros(3)})
    data = read_npz(tmp_path / "some.npz")
    assert data.name == "some"
    np.testing.assert_array_equal(data.x, X)
    assert (data.y.tolist(), data.classes, data.test) == ([2, 0, 2, 1], (0, 1, 2), None)


def test_reads_a_test_part_and_images(tmp_path):
    images = np.full((4, 5, 6), 255, np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=Y, x_test=images[:2], y_test=Y[:2])
    data = read_npz(tmp_path / "mnist.npz")
    assert (data.x.shape, data.x_test.shape) == ((4, 5, 6, 1), (2, 5, 6, 1))
    assert data.x.max() == 1


def test_text_labels_and_regression(tmp_path):
    np.savez(tmp_path / "text.npz", x=X, y=np.array(list("abba")))
    assert read_npz(tmp_path / "text.npz").classes == ("a", "b")
    np.savez(tmp_path / "numbers.npz", x=X, y=Y / 3)
    assert read_npz(tmp_path / "numbers.npz").task == "regression"


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"x": X}, FileError, "holds x; expected features and targets as x and y"),
        ({"a": X, "b": Y}, FileError, "holds a, b"),
        ({"x": X, "y": Y, "x_test": X}, FileError, "both x_test and y_test"),
        (
            {"x": X, "y": np.array([1, None, 2, "a"], object)},
            FileError,
            "'y' holds Python objects.*never loaded",
        ),
        ({"x": X, "y": Y[:2]}, DataError, r"some\.npz: x has 4 rows and y has 2"),
        ({"x": X * np.nan, "y": Y}, DataError, r"some\.npz: x holds values that are not finite: 12 NaN"),
        ({"x": X[:0], "y": Y[:0]}, DataError, "x is empty"),
    ],
)
def test_bad_arrays(tmp_path, arrays, error, words):
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(error, match=words):
        read_npz(tmp_path / "some.npz")


def test_bad_files(tmp_path):
    path = tmp_path / "some.npz"
    with pytest.raises(FileError, match="does not exist"):
        read_npz(path)
    with pytest.raises(FileError, match="is a folder"):
        read_npz(tmp_path)
    for contents, words in (
        (b"", "found an empty file"),
        (b"text", "found 74 65 78 74"),
        (b"PK\x03\x04...", "damaged"),
    ):
        path.write_bytes(contents)
        with pytest.raises(FileError, match=words):
            read_npz(path)
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(FileError, match=r"a single \.npy array"):
        read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", "no array")
        archive.writestr("y.npy", "no array")
    with pytest.raises(FileError, match="'x'"):
        read_npz(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_files(tmp_path, share):
    path = tmp_path / "some.npz"
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileError, match="damaged or truncated"):
        read_npz(path)


@pytest.mark.filterwarnings("ignore")  # the standard library warns of some damage before it fails
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 1200), flip=st.integers(1, 255), compressed=st.booleans())
def test_any_damage_is_an_error_of_ours_or_harmless(tmp_path, at, flip, compressed):
    path = tmp_path / "some.npz"
    (np.savez_compressed if compressed else np.savez)(path, x=X, y=Y)
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] ^= flip
    path.write_bytes(raw)
    with contextlib.suppress(FileError, DataError):
        np.testing.assert_array_equal(read_npz(path).x, X)
