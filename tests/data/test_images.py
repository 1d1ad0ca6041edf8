"""Folders of pictures: classes, parts, sizes, colours, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data import read_image_folder
from chainrule.data.images import find_images, read_images
from chainrule.errors import ChainruleError, DataError, FileError, SettingError


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
    paths = find_images(tmp_path)
    assert read_images(paths, (4, 4, 3)).shape == (2, 4, 4, 3)
    assert [p.name for p in paths] == ["a.png", "b.png"]


def test_the_default_size_is_the_same_rule_for_pictures_of_one_size_and_of_several(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, first in ("camera", 150), ("odd", 149):
        for i in range(3):
            put(tmp_path / name / "cat" / f"{i}.png", grey(150 if i else first, 200, i))
    assert read_image_folder(tmp_path / "camera").x.shape == (3, 48, 64, 1)
    assert "150 x 200 pixels (height x width) are brought to 48 x 64" in caplog.text
    assert "--image-size 150x200" in caplog.text
    assert read_image_folder(tmp_path / "odd").x.shape == (3, 48, 64, 1)
    assert read_image_folder(tmp_path / "camera", size=(150, 200)).x.shape == (3, 150, 200, 1)


class TestWalk:
    """Training, evaluating and predicting see the same files."""

    @pytest.mark.parametrize(
        "name",
        [
            "cat/.ipynb_checkpoints/0-checkpoint.png",
            "cat/._0.png",
            "cat/deep/.hidden/0.png",
            "cat/__MACOSX/0.png",
            "__MACOSX/cat/0.png",
            ".thumbnails/0.png",
            "cat/@eaDir/0.png/thumb.jpg",
        ],
    )
    def test_what_is_hidden_or_a_system_s_is_left_out_at_every_level(self, tmp_path: Path, name: str) -> None:
        for pet in "cat", "dog":
            put(tmp_path / pet / "0.png", grey(4, 4))
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
        (tmp_path / "cat" / "Thumbs.db").write_bytes(b"x")
        data = read_image_folder(tmp_path)
        assert (data.classes, data.y.tolist()) == (("cat", "dog"), [0, 1])
        assert [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)] == ["cat/0.png", "dog/0.png"]

    def test_a_hidden_folder_that_is_named_is_read(self, tmp_path: Path) -> None:
        put(tmp_path / ".pets" / "cat" / "0.png", grey(4, 4))
        assert len(cr.data.load(tmp_path / ".pets").x) == 1

    def test_linked_folders_are_followed_as_classes_and_within_them(self, tmp_path: Path) -> None:
        for i in range(5):
            put(tmp_path / "store" / f"{i}.png", grey(4, 4, i))
        put(tmp_path / "pets" / "cat" / "0.png", grey(4, 4, 9))
        (tmp_path / "pets" / "cat" / "more").symlink_to(tmp_path / "store")
        (tmp_path / "pets" / "dog").symlink_to(tmp_path / "store")
        data = read_image_folder(tmp_path / "pets")
        assert np.bincount(data.y).tolist() == [6, 5]
        assert len(find_images(tmp_path / "pets" / "cat")) == 6

    def test_a_folder_in_two_classes_is_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        put(tmp_path / "cat" / "0.png", grey(4, 4))
        (tmp_path / "dog").symlink_to(tmp_path / "cat")
        assert read_image_folder(tmp_path).y.tolist() == [0, 1]
        assert "same folder" in caplog.text
        assert "two classes" in caplog.text

    def test_a_folder_that_is_linked_twice_is_read_once(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        put(tmp_path / "pets" / "cat" / "0.png", grey(4, 4))
        put(tmp_path / "store" / "1.png", grey(4, 4))
        for name in "a", "b":
            (tmp_path / "pets" / "cat" / name).symlink_to(tmp_path / "store")
        assert len(read_image_folder(tmp_path / "pets").x) == 2
        assert "read once" in caplog.text

    def test_a_test_part_that_is_a_link_to_the_training_part_is_told(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        put(tmp_path / "train" / "cat" / "0.png", grey(4, 4))
        (tmp_path / "test").symlink_to(tmp_path / "train")
        assert len(read_image_folder(tmp_path).x_test) == 1
        assert "says nothing about new pictures" in caplog.text

    @pytest.mark.parametrize("to", ["..", "../..", ".", "../../outside"])
    def test_links_in_a_circle_end(self, tmp_path: Path, to: str, caplog: pytest.LogCaptureFixture) -> None:
        put(tmp_path / "pets" / "cat" / "0.png", grey(4, 4))
        put(tmp_path / "outside" / "1.png", grey(4, 4))
        (tmp_path / "outside" / "back").symlink_to(tmp_path / "outside")
        (tmp_path / "pets" / "cat" / "loop").symlink_to(to)
        (tmp_path / "pets" / "all").symlink_to(tmp_path / "pets")
        data = read_image_folder(tmp_path / "pets")
        assert data.classes == ("cat",)
        assert len(data.x) == (1 if to in ("..", ".") else 2)
        assert "leads back to" in caplog.text
        assert len(find_images(tmp_path / "pets")) == len(data.x)

    def test_what_is_not_read_is_counted(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        put(tmp_path / "cat" / "0.png", grey(4, 4))
        put(tmp_path / "cat" / "1.WEBP", grey(4, 4))
        put(tmp_path / "cat" / "2.webp", grey(4, 4))
        (tmp_path / "cat" / "notes.txt").write_text("")
        (tmp_path / "cat" / "gone.png").symlink_to("nowhere.png")
        (tmp_path / "cat" / "itself.png").symlink_to("itself.png")
        put(tmp_path / "beside.png", grey(4, 4))
        assert len(read_image_folder(tmp_path).x) == 1
        assert "3 files left out" in caplog.text
        assert "2 .webp, 1 .txt" in caplog.text
        assert "2 links without a file" in caplog.text
        assert "1 picture beside the folders" in caplog.text

    def test_a_class_of_other_files_says_what_it_has(self, tmp_path: Path) -> None:
        put(tmp_path / "cat" / "0.png", grey(4, 4))
        put(tmp_path / "dog" / "1.webp", grey(4, 4))
        with pytest.raises(FileError, match=r"dog has no pictures.*1 \.webp"):
            read_image_folder(tmp_path)

    def test_pictures_of_kinds_that_are_not_read_alone(self, tmp_path: Path) -> None:
        put(tmp_path / "cat" / "1.webp", grey(4, 4))
        with pytest.raises(FileError, match=r"no pictures of the kinds .*1 \.webp"):
            cr.data.load(tmp_path)

    def test_pictures_far_below_are_found(self, tmp_path: Path) -> None:
        put(tmp_path / "cat" / "2020" / "05" / "01" / "0.png", grey(4, 4))
        assert len(cr.data.load(tmp_path).x) == 1


class TestParts:
    def test_flat_test_pictures_are_left_out_and_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        put(tmp_path / "train" / "cat" / "0.png", grey(4, 4))
        put(tmp_path / "test" / "0.png", grey(4, 4))
        data = read_image_folder(tmp_path)
        assert (len(data.x), data.test) == (1, None)
        assert "test holds 1 picture and no folder for each class" in caplog.text
        assert "chainrule predict" in caplog.text

    def test_training_pictures_without_classes_beside_a_test_part(self, tmp_path: Path) -> None:
        for part in "train", "test":
            put(tmp_path / part / "cat.0.png", grey(4, 4))
        with pytest.raises(FileError, match=r"train .*no folder for each class"):
            read_image_folder(tmp_path)

    def test_other_folders_beside_the_parts_are_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        for name in "train/cat", "extra/cat":
            put(tmp_path / name / "0.png", grey(4, 4))
        assert len(read_image_folder(tmp_path).x) == 1
        assert "left out: extra" in caplog.text

    def test_a_class_may_be_called_train(self, tmp_path: Path) -> None:
        for name in "bus", "train":
            put(tmp_path / name / "0.png", grey(4, 4))
        assert read_image_folder(tmp_path).classes == ("bus", "train")


class TestForANetwork:
    """The size, channels and classes of a trained network."""

    def test_classes_are_matched_by_name(self, tmp_path: Path) -> None:
        for name in "b", "c":
            put(tmp_path / name / "0.png", coloured(6, 6))
        data = read_image_folder(tmp_path, size=(3, 4), channels=1, classes=("c", "a", "b"))
        assert data.x.shape == (2, 3, 4, 1)
        assert data.classes == ("c", "a", "b")
        assert data.labels(data.y).tolist() == ["b", "c"]

    def test_labels_keep_their_type(self, tmp_path: Path) -> None:
        for name in "7", "3":
            put(tmp_path / name / "0.png", grey(4, 4))
        data = read_image_folder(tmp_path, size=(4, 4), channels=1, classes=range(10))
        assert data.labels(data.y).tolist() == [3, 7]

    def test_an_accent_that_is_composed_otherwise_is_the_same_class(self, tmp_path: Path) -> None:
        put(tmp_path / "cafe\u0301" / "0.png", grey(4, 4))
        put(tmp_path / "bar" / "0.png", grey(4, 4))
        assert read_image_folder(tmp_path, classes=("caf\xe9", "bar")).y.tolist() == [1, 0]
        assert read_image_folder(tmp_path).classes == ("bar", "caf\xe9")

    def test_unknown_classes_are_listed_alone(self, tmp_path: Path) -> None:
        for name in "cat", "fox", "owl":
            put(tmp_path / name / "0.png", grey(4, 4))
        with pytest.raises(DataError, match=r"does not have: fox, owl\. It has dog, cat"):
            read_image_folder(tmp_path, classes=("dog", "cat"))

    def test_channels_that_pictures_do_not_have(self, tmp_path: Path) -> None:
        put(tmp_path / "cat" / "0.png", grey(4, 4))
        with pytest.raises(ChainruleError, match="channels is 1"):
            read_image_folder(tmp_path, channels=4)
        with pytest.raises(DataError, match="4 channels"):
            read_images(find_images(tmp_path), (4, 4, 4))


@pytest.mark.parametrize("channels", [1, 3])
def test_one_reader_for_every_kind_of_picture(tmp_path: Path, channels: int) -> None:
    """Turned, with a palette, of 16 bits, in CMYK, animated, transparent: the same pixels, whatever reads the file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    colours = Image.fromarray(coloured(9, 12))
    frames = [Image.fromarray(coloured(9, 12, seed)) for seed in (1, 2)]
    folder = tmp_path / "a"
    folder.mkdir()
    colours.save(folder / "turned.jpg", exif=exif)
    colours.save(folder / "turned.png", exif=exif)
    colours.convert("P").save(folder / "palette.png")
    colours.convert("P").save(folder / "clear.png", transparency=0)
    colours.convert("CMYK").save(folder / "print.jpg")
    colours.convert("LA").save(folder / "alpha.png")
    colours.convert("1").save(folder / "bits.png")
    frames[0].save(folder / "moving.png", save_all=True, append_images=frames[1:])
    Image.fromarray(grey(9, 12).astype(np.uint16) * 257).save(folder / "deep.png")
    data = read_image_folder(tmp_path, size=(6, 8), channels=channels)
    paths = find_images(tmp_path)
    assert len(data.x) == len(paths) == 9
    np.testing.assert_array_equal(read_images(paths, (6, 8, channels)), data.x)
    assert np.isfinite(data.x).all()
    first = np.asarray(frames[0].convert("L" if channels == 1 else "RGB").resize((8, 6), 2, reducing_gap=3.0))
    at = [path.name for path in paths].index("moving.png")
    np.testing.assert_allclose(data.x[at].squeeze() * 255, first, atol=1e-3)


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

    def test_more_pixels_than_fit_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for i in range(4):
            put(tmp_path / "a" / f"{i}.png", np.zeros((100, 200), np.uint8))
        monkeypatch.setattr("chainrule.memory.free_memory", lambda: 100_000.0)
        monkeypatch.setattr("chainrule.data.images.free_memory", lambda: 100_000.0)
        with pytest.raises(
            DataError, match=r"4 pictures of 100 x 200 x 1 are 320 kB.* 1.28 MB .*100 kB are free.*--image-size 19x39"
        ):
            read_image_folder(tmp_path, size=(100, 200))
        assert read_image_folder(tmp_path, size=(19, 39)).x.shape == (4, 19, 39, 1)
        with pytest.raises(DataError, match=r"640 kB .*Evaluate fewer"):
            read_image_folder(tmp_path, size=(100, 200), channels=1, classes=("a",))

    @pytest.mark.parametrize(
        "size", [(0, 4), (4,), (4, -1), (4, 4, 3), (2.5, 4), (True, 4), (4, 10**400), ("4", 4), 64, "48x64"]
    )
    def test_sizes_that_are_none(self, tmp_path: Path, size: Any) -> None:
        put(tmp_path / "a" / "0.png", grey(4, 4))
        with pytest.raises(SettingError, match=r"\(height, width\)"):
            read_image_folder(tmp_path, size=size)

    def test_a_folder_that_may_not_be_read_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="nowhere cannot be read"):
            read_image_folder(tmp_path / "nowhere")

    def test_two_folders_for_one_class(self, tmp_path: Path) -> None:
        for name in "caf\xe9", "cafe\u0301":
            put(tmp_path / name / "0.png", grey(4, 4))
        with pytest.raises(DataError, match="two folders for the class"):
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
