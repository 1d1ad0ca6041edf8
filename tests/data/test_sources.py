from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import load, sources
from chainrule.errors import DataError, FileError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1797, 8, 8, 1), tuple(range(10))),
        ("iris", (150, 4), ("setosa", "versicolor", "virginica")),
        ("wine", (178, 13), ("class_0", "class_1", "class_2")),
        ("breast_cancer", (569, 30), ("malignant", "benign")),
        ("diabetes", (442, 10), None),
    ],
)
def test_bundled_data(name, shape, classes):
    data = load(name)
    assert (data.name, data.x.shape, data.x.dtype, data.classes) == (name, shape, np.float32, classes)
    assert data.test is None
    assert data.task == ("classification" if classes else "regression")
    if len(shape) == 2:
        assert len(data.feature_names) == shape[1]
    else:
        assert (data.x.min(), data.x.max()) == (0, 1)


@pytest.mark.parametrize("name", ["digits", "iris"])
def test_what_is_read_from_scikit_learns_files_is_what_it_gives(name, monkeypatch):
    read = load(name)
    monkeypatch.setattr(sources, "_from_file", lambda name: None)
    theirs = load(name)
    assert read.x.dtype == theirs.x.dtype
    assert np.array_equal(read.x, theirs.x)
    assert read.y.dtype == theirs.y.dtype
    assert np.array_equal(read.y, theirs.y)
    assert (read.classes, read.feature_names) == (theirs.classes, theirs.feature_names)


def test_names_may_be_spelt_with_a_hyphen_or_capitals():
    assert load("Breast-Cancer").name == "breast_cancer"


def test_scikit_learn_is_loaded_only_when_asked():
    code = "import sys, chainrule.data; print('sklearn' in sys.modules, 'urllib.request' in sys.modules)"
    root = Path(sources.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("place", ["data_dir/mnist", "data_dir", "CHAINRULE_DATA/mnist", "CHAINRULE_DATA", "cache"])
def test_mnist_is_found_where_it_may_lie(tmp_path, small_mnist, monkeypatch, place):
    root = tmp_path / "here"
    root.mkdir()
    small_mnist(tmp_path / "cache/chainrule/mnist" if place == "cache" else root / "mnist" if "/" in place else root)
    if place.startswith("CHAINRULE_DATA"):
        monkeypatch.setenv("CHAINRULE_DATA", str(root))
    data = load("mnist", data_dir=root if place.startswith("data_dir") else None)
    assert data.name == "mnist"
    assert data.classes == tuple(range(10))
    assert data.y.tolist() == [3, 1, 4, 1, 5, 9]  # the codes are the digits, though some do not occur
    assert data.y_test.tolist() == [1, 2]


def test_the_given_folder_comes_before_the_environment(tmp_path, small_mnist, monkeypatch, write_idx):
    small_mnist(tmp_path / "one/mnist")
    small_mnist(tmp_path / "two/mnist")
    write_idx(tmp_path / "two/mnist/train-labels-idx1-ubyte", np.zeros(6, np.uint8))
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "one"))
    assert load("mnist", data_dir=tmp_path / "two").y.tolist() == [0] * 6
    assert load("mnist").y.tolist() == [3, 1, 4, 1, 5, 9]


def test_fashion_mnist_has_names_and_is_not_mistaken_for_mnist(tmp_path, small_mnist):
    small_mnist(tmp_path / "fashion_mnist")
    data = load("fashion_mnist", tmp_path)
    assert [data.classes[c] for c in data.y[:2]] == ["Dress", "Trouser"]
    for folder in (tmp_path, tmp_path / "fashion_mnist"):
        with pytest.raises(DataError, match="mnist is not on this machine"):
            load("mnist", folder)


def test_files_of_mnist_are_not_taken_for_fashion_mnist(data_dir, tmp_path):
    for file in (data_dir / "mnist").iterdir():
        (tmp_path / file.name).symlink_to(file)
    with pytest.raises(DataError, match="fashion_mnist is not on this machine"):
        load("fashion_mnist", tmp_path)


def test_real_mnist(data_dir):
    data = load("mnist", data_dir)
    assert (
        repr(data) == "Dataset('mnist': classification, 60,000 images of 28 x 28 x 1, 10 classes, 10,000 for the test)"
    )


def test_the_checksums_are_those_of_the_real_files(data_dir):
    for file, expected in sources.MIRRORED["mnist"].files.items():
        contents = gzip.decompress((data_dir / "mnist" / file).read_bytes())
        assert hashlib.md5(contents).hexdigest() == expected


def test_absent_data_says_where_to_put_it(tmp_path):
    with pytest.raises(DataError) as caught:
        load("fashion_mnist", tmp_path)
    for word in [
        *("fashion_mnist", str(tmp_path), str(tmp_path / "cache/chainrule/fashion_mnist"), "data_dir"),
        *("CHAINRULE_DATA", "train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "download=True"),
    ]:
        assert word in str(caught.value)


def test_wrong_data_dir_and_labels(tmp_path, small_mnist, write_idx):
    with pytest.raises(FileError, match=r"data_dir .* is not a folder"):
        load("mnist", tmp_path / "nothing")
    small_mnist(tmp_path / "mnist")
    write_idx(tmp_path / "mnist/train-labels-idx1-ubyte", np.full(6, 77, np.uint8))
    with pytest.raises(DataError, match=r"expected labels from 0 to 9, found .*77"):
        load("mnist", tmp_path)


class Mirror:
    """Stands in for the network: answers with files, counts what was asked."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.asked: list[str] = []

    def __call__(self, address: str, timeout: float) -> io.BytesIO:
        self.asked.append(address)
        return io.BytesIO(self.files[address.rsplit("/", 1)[1]])


@pytest.fixture
def mirror(tmp_path, small_mnist, monkeypatch) -> Mirror:
    """A mirror with small files, which are the right ones by their checksums."""
    there = Mirror(small_mnist(tmp_path / "there"))
    monkeypatch.setattr(urllib.request, "urlopen", there)
    for name, md5 in (
        ("mnist", lambda data: hashlib.md5(gzip.decompress(data)).hexdigest()),
        ("fashion_mnist", lambda data: hashlib.md5(data).hexdigest()),
    ):
        for file, data in there.files.items():
            monkeypatch.setitem(sources.MIRRORED[name].files, file, md5(data))
    return there


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_fetching_when_asked(tmp_path, mirror, name):
    with pytest.raises(DataError, match="download=True"):
        load(name)
    assert mirror.asked == []
    data = load(name, download=True)
    assert data.y.tolist() == [3, 1, 4, 1, 5, 9]
    assert len(mirror.asked) == 4
    assert all(address.startswith("https://") for address in mirror.asked)
    assert sorted(p.name for p in (tmp_path / "cache/chainrule" / name).iterdir()) == sorted(mirror.files)
    assert load(name).x.shape == load(name, download=True).x.shape == (6, 2, 3, 1)
    assert len(mirror.asked) == 4  # fetched once


def test_only_what_is_missing_is_fetched(tmp_path, mirror):
    load("mnist", download=True)
    (tmp_path / "cache/chainrule/mnist/t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileError, match="lacks t10k-labels-idx1-ubyte"):
        load("mnist")
    load("mnist", download=True)
    assert len(mirror.asked) == 5


def test_data_that_is_there_is_not_fetched(tmp_path, mirror, small_mnist):
    small_mnist(tmp_path / "data/mnist")
    load("mnist", tmp_path / "data", download=True)
    assert mirror.asked == []


def test_a_wrong_checksum_keeps_nothing(tmp_path, mirror):
    mirror.files["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(DataError, match=r"train-labels.*MD5 .*\w{32}, expected \w{32}"):
        load("mnist", download=True)
    cache = tmp_path / "cache/chainrule/mnist"
    assert [p.name for p in cache.iterdir()] == ["train-images-idx3-ubyte.gz"]


def test_a_second_mirror_is_tried(mirror, monkeypatch):
    first, second = sources.MIRRORED["fashion_mnist"].mirrors

    def one_is_down(address: str, timeout: float) -> io.BytesIO:
        if address.startswith(first):
            raise OSError("down")
        return mirror(address, timeout)

    monkeypatch.setattr(urllib.request, "urlopen", one_is_down)
    assert len(load("fashion_mnist", download=True).x) == 6
    assert all(address.startswith(second) for address in mirror.asked)


def test_offline(tmp_path):
    with pytest.raises(DataError) as caught:
        load("mnist", download=True)
    for word in (
        "could not be fetched",
        "no network in tests",
        "train-images-idx3-ubyte.gz",
        "CHAINRULE_DATA",
    ):
        assert word in str(caught.value)
    assert not (tmp_path / "cache/chainrule/mnist").exists()


def test_paths(tmp_path, small_mnist, monkeypatch):
    small_mnist(tmp_path / "iris")
    np.savez(tmp_path / "some.NPZ.npz", x=np.eye(2), y=[0, 1])
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "iris", str(tmp_path / "iris"), "./iris", Path("iris")):
        assert load(path).x.shape == (6, 2, 3, 1)
    assert load("iris").x.shape == (150, 4)
    assert load(tmp_path / "some.NPZ.npz").x.shape == (2, 2)


def test_what_cannot_be_read(tmp_path, small_mnist, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match=r"cr\.Table\.read\('table\.csv'"):
        load("table.csv")
    (tmp_path / "text.doc").write_text("a")
    with pytest.raises(FileError, match=r"'\.doc', which is not read\. Read are: \.npz files, folders of IDX files"):
        load("text.doc")
    with pytest.raises(FileError, match="only images or only labels: give its folder"):
        load(small_mnist(tmp_path / "mnist") / "train-images-idx3-ubyte.gz")
    with pytest.raises(FileError, match=r"nothing\.npz does not exist"):
        load("nothing.npz")
    with pytest.raises(FileError, match=r"some/where does not exist\. Read are"):
        load("some/where")
    with pytest.raises(FileError, match="empty"):
        load("")
    with pytest.raises(DataError, match="got ndarray"):
        load(np.eye(2))
    with pytest.raises(UnknownNameError, match="'mnits'; did you mean 'mnist'"):
        load("mnits")
