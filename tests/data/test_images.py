"""Folders of pictures: classes, parts, sizes, colours, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data import read_image_folder
from chainrule.data.images import read_images
from chainrule.errors import ChainruleError, DataError, FileError


def put(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def grey(h: int, w: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (h, w), np.uint8)


def coloured(h: int, w: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)


def test_pixels_and_classes_are_those_of_the_files(tmp_path: Path) -> None:
    pictures = {("cat", "a"): grey(5, 4, 1), ("cat", "b"): grey(5, 4, 2), ("dog", "a"): grey(5, 4, 3)}
    for (name, file), pixels in pictures.items():
        put(tmp_path / name / f"{file}.png", pixels)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    data = cr.data.load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.y.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(data.x[..., 0], np.stack(list(pictures.values())).astype(np.float32) / 255)


def test_parts_have_folders_of_their_own(tmp_path: Path) -> None:
    for part, n in (("train", 4), ("val", 2), ("test", 3)):
        for i in range(n):
            put(tmp_path / part / ("day", "night")[i % 2] / f"{i}.jpg", coloured(8, 8, i))
    data = read_image_folder(tmp_path)
    assert data.x.shape == (4, 8, 8, 3)
    assert data.validation is not None
    assert data.test is not None
    assert [len(data.validation[0]), len(data.test[0])] == [2, 3]


def test_a_data_set_s_own_validation_part_is_used_by_fit(tmp_path: Path) -> None:
    for part, n in (("train", 6), ("validation", 2)):
        for i in range(n):
            put(tmp_path / part / ("day", "night")[i % 2] / f"{i}.png", np.full((4, 4), 200 * (i % 2), np.uint8))
    net = cr.Sequential(cr.Flatten(), cr.Dense(2, "softmax"))
    run = cr.fit(net, cr.data.load(tmp_path), epochs=1, progress=False)
    assert "val_accuracy" in run.history.columns


def test_several_sizes_are_brought_to_one(tmp_path: Path) -> None:
    for i, (h, w) in enumerate([(100, 200), (100, 200), (300, 400)]):
        put(tmp_path / "one" / f"{i}.png", np.full((h, w), 128, np.uint8))
    put(tmp_path / "two" / "0.png", np.full((100, 200), 255, np.uint8))
    x = read_image_folder(tmp_path).x
    assert x.shape == (4, 32, 64, 1)
    np.testing.assert_allclose(x[:3], 128 / 255, rtol=1e-6)
    assert read_image_folder(tmp_path, size=(7, 9)).x.shape == (4, 7, 9, 1)


def test_one_coloured_picture_makes_three_channels_and_what_is_transparent_white(tmp_path: Path) -> None:
    put(tmp_path / "a" / "grey.png", np.full((2, 2), 51, np.uint8))
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0] = (255, 0, 0, 255)
    put(tmp_path / "b" / "clear.png", clear)
    x = read_image_folder(tmp_path).x
    np.testing.assert_allclose(x[0], 0.2, rtol=1e-6)
    assert x[1, 0, 0].tolist() == [1, 0, 0]
    assert x[1, 1, 0].tolist() == [1, 1, 1]


def test_sixteen_bits_of_grey_are_not_cut_off(tmp_path: Path) -> None:
    put(tmp_path / "a" / "deep.png", np.array([[0, 257 * 100], [65535, 257]], np.uint16))
    np.testing.assert_allclose(read_image_folder(tmp_path).x[0, :, :, 0] * 255, [[0, 100], [255, 1]], atol=1e-3)


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255
    put(tmp_path / "a" / "0.jpg", pixels, exif=exif, quality=100)
    x = read_image_folder(tmp_path).x
    assert x.shape == (1, 16, 8, 1)
    assert x[0, :6].mean() > 0.95
    assert x[0, -6:].mean() < 0.05


def test_pictures_to_predict_are_brought_to_what_the_network_takes(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "b.png", coloured(10, 10))
    put(tmp_path / "a.png", grey(6, 6))
    x, paths = read_images(tmp_path, (4, 4, 3))
    assert x.shape == (2, 4, 4, 3)
    assert [p.name for p in paths] == ["a.png", "b.png"]


class TestBadInput:
    def test_a_damaged_picture_is_named(self, tmp_path: Path) -> None:
        put(tmp_path / "a" / "good.png", grey(8, 8))
        path = put(tmp_path / "a" / "cut.png", coloured(64, 64))
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(FileError, match=r"cut\.png cannot be read"):
            read_image_folder(tmp_path)

    def test_a_file_of_another_kind_is_named(self, tmp_path: Path) -> None:
        put(tmp_path / "a" / "good.png", grey(8, 8))
        (tmp_path / "a" / "text.png").write_text("hello")
        with pytest.raises(FileError, match=r"text\.png .*neither a PNG nor a JPEG"):
            read_image_folder(tmp_path)

    def test_pictures_without_classes(self, tmp_path: Path) -> None:
        put(tmp_path / "a.png", grey(8, 8))
        with pytest.raises(FileError, match="no folder for each class"):
            read_image_folder(tmp_path)

    def test_a_class_that_only_the_test_part_has(self, tmp_path: Path) -> None:
        put(tmp_path / "train" / "a" / "0.png", grey(8, 8))
        put(tmp_path / "test" / "b" / "0.png", grey(8, 8))
        with pytest.raises(DataError, match="does not have"):
            read_image_folder(tmp_path)

    def test_an_empty_class(self, tmp_path: Path) -> None:
        put(tmp_path / "a" / "0.png", grey(8, 8))
        (tmp_path / "b").mkdir()
        with pytest.raises(FileError, match="b has no pictures"):
            read_image_folder(tmp_path)

    def test_a_huge_picture_is_refused_before_it_is_decoded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(tmp_path / "a" / "0.png", grey(100, 100))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        with pytest.raises(FileError, match="larger than 1,000 pixels"):
            read_image_folder(tmp_path)

    @pytest.mark.parametrize("ending", ["png", "jpg"])
    def test_flipped_bits_and_cut_files_give_a_message_or_a_picture(self, tmp_path: Path, ending: str) -> None:
        whole = put(tmp_path / "whole" / f"0.{ending}", coloured(16, 16)).read_bytes()
        path = tmp_path / "damaged" / "a" / f"0.{ending}"
        path.parent.mkdir(parents=True)
        rng = np.random.default_rng(0)
        refused = 0
        for _ in range(200):
            content = bytearray(whole)
            for at in rng.integers(0, len(content), rng.integers(1, 4)):
                content[at] ^= 1 << rng.integers(8)
            path.write_bytes(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.5 else content)
            try:
                x = read_image_folder(path.parent.parent).x
            except ChainruleError as error:
                refused += path.name in str(error)
            else:
                assert np.isfinite(x).all()
                refused += 0
        assert refused > 50
