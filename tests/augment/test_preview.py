"""The picture: originals as they are, versions as training sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import augment
from chainrule.augment import preview
from chainrule.errors import FileError, SettingError, ShapeError

digits = cr.data.load("digits").x


def test_originals_stand_in_the_first_column_and_versions_beside_them(tmp_path: Path) -> None:
    from PIL import Image

    picture = preview(digits, "shift:0", rows=2, versions=3, path=tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as file:
        assert np.array_equal(np.asarray(file), picture)
    side = 64  # 8 pixels, enlarged
    wanted = np.rint(digits[0, ..., 0] * 255).repeat(8, axis=0).repeat(8, axis=1)
    for left in (0, side + 12, 2 * side + 16, 3 * side + 20):  # a strength of 0: all alike
        part = picture[:side, left : left + side]
        assert np.abs(part.astype(float) - wanted[..., None]).max() <= 1
    assert (picture[:, side : side + 12] == 255).all()
    assert (picture[side : side + 4] == 255).all()


def test_versions_differ_and_follow_from_the_seed() -> None:
    one, again, other = (preview(digits, "shift:2,mixup", seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[:64, 76:140], one[:64, 144:208])


def test_strengths_mean_what_they_mean_in_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A brightness of 1 is one deviation of the pixels."""
    from chainrule.augment import pixels

    monkeypatch.setattr(pixels, "signed", lambda key, n, like: np.ones(n, like.dtype))
    x = digits * 0.1 + 0.2  # so that nothing is cut off
    x[0, 0, 0], x[0, 0, 1] = 0, 1
    picture = preview(x, "brightness:1", rows=1, versions=1)
    added = picture[32, 76 + 32, 0].astype(float) - picture[32, 32, 0]
    assert added == pytest.approx(255 * x.std(), abs=1.5)


@pytest.mark.parametrize("shape", [(3, 9, 9), (3, 9, 9, 1), (3, 9, 9, 3), (3, 9, 5, 4), (1, 100, 70, 2)])
def test_kinds_of_images(shape: tuple[int, ...]) -> None:
    picture = preview(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8), "rotation:9,noise:0.2")
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3


def test_constant_images_are_no_division_by_zero() -> None:
    assert preview(np.zeros((2, 8, 8, 1)), "contrast,blur", rows=2, versions=1).shape == (132, 140, 3)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="made of images"):
        preview(np.zeros((5, 4)), "noise")
    with pytest.raises(SettingError, match="rows must be a whole number"):
        preview(digits, "shift", rows=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Could not write"):
        preview(digits, "shift", path=tmp_path / "file" / "a.png")


def test_the_room_says_its_names() -> None:
    assert {"shift", "mixup"} < set(augment.names())
    assert not {"compose", "translation", "warp", "built_in"} & set(augment.names())
