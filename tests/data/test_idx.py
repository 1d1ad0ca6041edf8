from __future__ import annotations

import contextlib
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import read_idx, read_idx_folder
from chainrule.errors import DataError, FileError

HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
MAGIC = bytes([0, 0, 8, 1])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
def test_reads_every_kind_of_number(tmp_path, write_idx, dtype, suffix):
    array = np.array([[[0, 1, -2], [100, -100, 7]]]).astype(dtype)
    read = read_idx(write_idx(tmp_path / f"some{suffix}", array))
    assert read.dtype == np.dtype(dtype)  # and in the byte order of this machine
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@HERE
@given(shape=st.lists(st.integers(0, 4), min_size=1, max_size=4), packed=st.booleans())
def test_reads_every_shape(tmp_path, write_idx, shape, packed):
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    read = read_idx(write_idx(tmp_path / ("some.gz" if packed else "some"), array))
    np.testing.assert_array_equal(read, array, strict=True)


def test_compression_is_told_by_the_contents_not_the_name(tmp_path):
    path = tmp_path / "labels-idx1-ubyte"
    path.write_bytes(gzip.compress(MAGIC + struct.pack(">I", 2) + b"\x05\x06"))
    assert read_idx(path).tolist() == [5, 6]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", ["truncated", "4 bytes", "found 0"]),
        (b"\x00\x00\x08", ["truncated", "found 3"]),
        (b"hello world", ["not an IDX file", "68 65 6c 6c"]),
        (bytes([0, 0, 7, 1]), ["not an IDX file", "00 00 07 01", "08, 09, 0b, 0c, 0d, 0e"]),
        (bytes([0, 0, 8, 0]), ["not an IDX file", "at least one dimension"]),
        (bytes([0, 0, 8, 2, 0, 0]), ["truncated", "8 bytes", "2 dimensions", "found 2"]),
        (MAGIC + struct.pack(">I", 5) + b"abc", ["truncated", "5 bytes", "found 3"]),
        (MAGIC + struct.pack(">I", 2) + b"abc", ["trailing bytes", "2 bytes", "at least 3"]),
        (bytes([0, 0, 14, 3]) + b"\xff" * 12 + b"abc", ["truncated", "4294967295 x 4294967295", "found 3"]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_say_what_was_found_and_expected(tmp_path, contents, words, packed):
    path = tmp_path / ("file.gz" if packed else "file")
    path.write_bytes(gzip.compress(contents) if packed else contents)
    with pytest.raises(FileError) as caught:
        read_idx(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_gzip_problems_are_named(tmp_path, write_idx):
    good = write_idx(tmp_path / "good.gz", np.arange(1000, dtype=np.int32)).read_bytes()
    cases = {
        "not a gzip file": b"plain text",
        "damaged or truncated": good[: len(good) // 2],
        "damaged": good[:30] + bytes([good[30] ^ 0xFF]) + good[31:],
        "damaged ": good[:-5] + bytes([good[-5] ^ 1]) + good[-4:],  # the checksum at the end
        "not a gzip file: expected it to start with 1f 8b, found an empty file": b"",
    }
    for words, contents in cases.items():
        path = tmp_path / "bad.gz"
        path.write_bytes(contents)
        with pytest.raises(FileError, match=words.strip()):
            read_idx(path)


@HERE
@given(data=st.data())
def test_any_damage_is_a_file_error_or_leaves_an_array(tmp_path, write_idx, data):
    path = write_idx(tmp_path / "some.gz", np.arange(50, dtype=np.int16).reshape(5, 10))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    with contextlib.suppress(FileError):  # or else a bit in the name or time inside gzip's header
        np.testing.assert_array_equal(read_idx(path), np.arange(50).reshape(5, 10))


def test_missing_file_and_folder_for_a_file(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(FileError, match="is a folder"):
        read_idx(tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_folder_becomes_images_in_0_1_and_codes(tmp_path, small_mnist, suffix):
    data = read_idx_folder(small_mnist(tmp_path / "digits", suffix))
    assert data.name == "digits"
    assert data.x.shape == (6, 2, 3, 1)
    assert data.x.dtype == np.float32
    np.testing.assert_allclose(data.x[1, 1, 2, 0], 11 * 7 / 255, rtol=1e-6)
    assert data.x.min() == 0
    assert data.x.max() <= 1
    # Label 2 occurs in the test part only: codes are counted over both parts.
    assert data.classes == (1, 2, 3, 4, 5, 9)
    assert [data.classes[c] for c in data.y] == [3, 1, 4, 1, 5, 9]
    assert [data.classes[c] for c in data.y_test] == [1, 2]
    assert data.x_test.shape == (2, 2, 3, 1)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images-idx3-ubyte", "labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ],
)
def test_usual_names_without_a_test_part(tmp_path, write_idx, images, labels):
    write_idx(tmp_path / images, np.zeros((2, 2, 2), np.uint8))
    write_idx(tmp_path / labels, np.array([0, 1], np.uint8))
    (tmp_path / "readme.txt").write_text("not data")
    data = read_idx_folder(tmp_path)
    assert data.x.shape == (2, 2, 2, 1)
    assert data.test is None


def test_test_part_may_be_called_test(tmp_path, small_mnist):
    small_mnist(tmp_path)
    for what in ("images-idx3", "labels-idx1"):
        (tmp_path / f"t10k-{what}-ubyte.gz").rename(tmp_path / f"test-{what}-ubyte.gz")
    assert len(read_idx_folder(tmp_path).x_test) == 2


def test_the_plain_file_is_read_where_both_are_there(tmp_path, small_mnist, write_idx):
    small_mnist(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(6, np.uint8))
    assert set(read_idx_folder(tmp_path).y) == {0}


def test_float_images_keep_their_values(tmp_path, write_idx):
    write_idx(tmp_path / "images-idx4-float", np.full((2, 3, 3, 2), -1.5, np.float32))
    write_idx(tmp_path / "labels-idx1-ubyte", np.array([7, 8], np.uint8))
    data = read_idx_folder(tmp_path)
    assert data.x.shape == (2, 3, 3, 2)
    assert set(data.x.ravel()) == {-1.5}


def test_folder_problems_are_named(tmp_path, small_mnist, write_idx):
    with pytest.raises(FileError, match="does not exist"):
        read_idx_folder(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match=r"no IDX files; expected train-images-idx3-ubyte.*It holds nothing"):
        read_idx_folder(tmp_path / "empty")
    folder = small_mnist(tmp_path / "some")
    labels = folder / "train-labels-idx1-ubyte.gz"
    with pytest.raises(FileError, match="is a file"):
        read_idx_folder(labels)
    labels.rename(folder / "old")
    with pytest.raises(FileError, match="lacks train-labels-idx1-ubyte"):
        read_idx_folder(folder)
    write_idx(labels, np.zeros(5, np.uint8))
    with pytest.raises(DataError, match=r"some: x has 6 rows and y has 5"):
        read_idx_folder(folder)
    write_idx(labels, np.zeros((6, 1), np.uint8))
    with pytest.raises(FileError, match=r"labels .*one dimension.*uint8 of shape \(6, 1\)"):
        read_idx_folder(folder)
    write_idx(labels, np.zeros(6, np.uint8))
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileError, match="lacks t10k-labels-idx1-ubyte"):
        read_idx_folder(folder)
    write_idx(folder / "images-idx3-ubyte", np.zeros((6, 2, 3), np.uint8))
    with pytest.raises(FileError, match="could be the train images; keep one"):
        read_idx_folder(folder)


def test_test_images_must_have_the_shape_of_the_training_images(tmp_path, small_mnist, write_idx):
    write_idx(small_mnist(tmp_path) / "t10k-images-idx3-ubyte.gz", np.zeros((2, 5, 5), np.uint8))
    with pytest.raises(DataError, match=r"\(2, 3, 1\).*\(5, 5, 1\)"):
        read_idx_folder(tmp_path)


def test_real_mnist(data_dir: Path):
    data = read_idx_folder(data_dir / "mnist")
    assert (data.x.shape, data.x_test.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert (data.x.dtype, data.x.min(), data.x.max()) == (np.float32, 0, 1)
    assert data.classes == tuple(range(10))
    assert data.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_allclose(data.x.mean(dtype=np.float64), 0.1306604762738429, rtol=1e-6)


def test_a_packed_file_that_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "images-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", 3 << 20) + bytes(3 << 20)))
    assert len(read_idx(path)) == 3 << 20
    monkeypatch.setattr("chainrule.data.idx.LARGE", 1 << 20)
    monkeypatch.setattr("chainrule.memory.LARGE", 1 << 20)
    with pytest.raises(FileError, match=r"would unpack to 3\.15 MB"):
        read_idx(path)
