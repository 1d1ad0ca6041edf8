from __future__ import annotations

import contextlib
import io
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import read_npz
from chainrule.data.npz import read_npz_features
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


def zipped(path, *arrays, compression=zipfile.ZIP_DEFLATED):
    """A zip with members of any name, the same name twice too."""
    with zipfile.ZipFile(path, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there already
        for name, content in arrays:
            if isinstance(content, np.ndarray):
                file = io.BytesIO()
                np.save(file, content)
                content = file.getvalue()
            archive.writestr(name, content)
    return path


def header(text, version=1):
    text = text.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2 if version == 1 else 4, "little") + text


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("X.npy", "x.npy", "y.npy"), "'X' and 'x'"),
        (("x.npy", "X.npy", "Y.npy"), "'x' and 'X'"),
        (("x.npy", "y.npy", "x.npy"), "'x' and 'x'"),
        (("x.npy", "y.npy", "y"), "'y' and 'y'"),
        (("x.npy", "y.npy", "x_test.npy", "X_TEST.npy", "y_test.npy"), "'x_test' and 'X_TEST'"),
    ],
)
def test_two_arrays_that_could_be_meant_are_refused(tmp_path, names, words):
    path = zipped(tmp_path / "some.npz", *[(name, X if "x" in name.lower() else Y) for name in names])
    with pytest.raises(FileError, match=words):
        read_npz(path)


def test_two_arrays_that_could_be_meant_are_refused_in_predicting(tmp_path):
    path = zipped(tmp_path / "some.npz", ("x.npy", X), ("X.npy", X + 1))
    with pytest.raises(FileError, match="'x' and 'X'"):
        read_npz_features(path)


def test_names_that_are_not_asked_for_may_be_alike(tmp_path):
    path = zipped(tmp_path / "some.npz", ("x.npy", X), ("y.npy", Y), ("W.npy", X), ("w.npy", X))
    np.testing.assert_array_equal(read_npz(path).x, X)


def test_what_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((4, 100_000)), y=Y)
    np.testing.assert_array_equal(read_npz(path).x[:, 0], np.zeros(4))
    monkeypatch.setattr("chainrule.memory.LARGE", 1_000_000)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *a, **k: pytest.fail("it was read"))
    for read in read_npz, read_npz_features:
        with pytest.raises(FileError, match=r"bomb\.npz: .* would unpack to 3\.2 MB, more than 200 times"):
            read(path)


def test_arrays_larger_than_the_memory_are_not_read(tmp_path, monkeypatch):
    np.savez(tmp_path / "large.npz", x=np.zeros((4, 1000), np.uint8), y=Y)
    monkeypatch.setattr("chainrule.memory.free_memory", lambda: 15_000.0)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(DataError, match=r"20 kB are needed in memory, and 15 kB are free.*stream"):
        read_npz(tmp_path / "large.npz")


@pytest.mark.parametrize(
    "content",
    [
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000)}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -8)}") + bytes(64),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999)}"),
        header("{'descr': '<U0', 'fortran_order': False, 'shape': (999999999999,)}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}" + " " * 70_000, 2) + bytes(16),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100,
        b"\x93NUMPY\x01",
        b"\x93NUMPY\x09\x00\x10\x00",
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2" + ",(" * 3000),
    ],
)
def test_headers_that_lie(tmp_path, content):
    path = zipped(tmp_path / "some.npz", ("x.npy", content), ("y.npy", Y))
    with pytest.raises((FileError, DataError), match=r"some\.npz"):
        read_npz(path)


def test_python_objects_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    np.savez(tmp_path / "some.npz", x=X, y=np.array([1, None, 2, "a"], object))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(FileError, match="never loaded"):
        read_npz(tmp_path / "some.npz")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_any_compression_of_a_zip_is_read(tmp_path, compression):
    path = zipped(tmp_path / "some.npz", ("x.npy", np.asfortranarray(X)), ("y.npy", Y), compression=compression)
    np.testing.assert_array_equal(read_npz(path).x, X)


def test_arrays_that_are_not_read_are_told(tmp_path, caplog):
    np.savez(tmp_path / "d.npz", x=np.eye(4), y=[0, 1, 0, 1], x_val=np.eye(4), y_val=[0, 1, 0, 1])
    read_npz(tmp_path / "d.npz")
    assert "not read: x_val, y_val" in caplog.text
