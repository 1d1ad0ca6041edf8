"""Warps against SciPy: the same pixels for the same shift, angle, factor and displacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import chainrule as cr
from chainrule import augment, random
from chainrule.augment import base, warps

rng = np.random.default_rng(0)
images = rng.normal(size=(4, 11, 8, 2))
KEY = random.key(3)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``drawn(first, second)``: the numbers from -1 to 1 that the next calls draw for every image."""

    def set_draws(*values: list[float]) -> None:
        left = list(values)
        take = lambda key, n, like: np.array(left.pop(0), like.dtype)
        monkeypatch.setattr(warps, "signed", take)
        monkeypatch.setattr(base, "signed", take)

    return set_draws


def each(change: Callable[..., Any], *draws: Any, x: np.ndarray = images) -> np.ndarray:
    """``change(image of one channel, its draws)`` for each image and channel."""
    warped = np.empty_like(x)
    for i in range(len(x)):
        for c in range(x.shape[3]):
            warped[i, ..., c] = change(x[i, ..., c], *(d[i] for d in draws))
    return warped


DOWN, RIGHT = [-0.9, 0.05, 0.4, 0.8], [0.3, -0.7, 0.0, 0.95]


def test_shift_between_pixels(drawn: Any) -> None:
    drawn(DOWN, RIGHT)
    warped = augment.Shift(3.7, whole=False)(images, KEY)
    wanted = each(lambda a, d, r: ndimage.shift(a, (3.7 * d, 3.7 * r), order=1, mode="nearest"), DOWN, RIGHT)
    np.testing.assert_allclose(warped, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("made", [augment.Shift(2), augment.Shift(2.9), augment.Crop(2)])
def test_whole_shifts_move_pixels_and_reach_every_distance_equally_often(made: Any) -> None:
    mode = "edge" if made.border == "edge" else "reflect"
    padded = np.pad(images[:1], ((0, 0), (2, 2), (2, 2), (0, 0)), mode=mode)
    windows = [padded[0, i : i + 11, j : j + 8] for i in range(5) for j in range(5)]
    many = made(np.repeat(images[:1], 2000, axis=0), KEY)
    which = [next(i for i, w in enumerate(windows) if np.array_equal(w, image)) for image in many]
    counts = np.bincount(which, minlength=25)
    assert counts.min() > 40  # 80 each on average
    assert counts.max() < 130


def test_rotation(drawn: Any) -> None:
    drawn(DOWN)
    warped = augment.Rotation(40)(images, KEY)
    wanted = each(lambda a, d: ndimage.rotate(a, 40 * d, reshape=False, order=1, mode="nearest"), DOWN)
    np.testing.assert_allclose(warped, wanted, rtol=1e-9, atol=1e-9)


def affine(matrix: Any, image: np.ndarray, mode: str = "nearest") -> np.ndarray:
    """SciPy's affine transform around the middle; the matrix is from the result's positions to the image's."""
    middle = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(image, matrix, middle - matrix @ middle, order=1, mode=mode)


def test_zoom(drawn: Any) -> None:
    drawn(DOWN)
    warped = augment.Zoom(0.5)(images, KEY)
    np.testing.assert_allclose(warped, each(lambda a, d: affine(np.eye(2) / 1.5**d, a), DOWN), rtol=1e-9, atol=1e-9)


def test_shear(drawn: Any) -> None:
    drawn(DOWN)
    warped = augment.Shear(30)(images, KEY)
    slanted = lambda a, d: affine(np.array([[1, 0], [np.tan(np.radians(30 * d)), 1]]), a)
    np.testing.assert_allclose(warped, each(slanted, DOWN), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("made", "axis"), [(augment.HorizontalFlip(), 2), (augment.VerticalFlip(), 1)])
def test_flips_turn_about_half_of_the_images(made: Any, axis: int) -> None:
    many = np.repeat(images[:1], 400, axis=0)
    warped, flipped = made(many, KEY), np.flip(many, axis)
    turned = np.array([np.array_equal(a, b) for a, b in zip(warped, flipped, strict=True)])
    same = np.array([np.array_equal(a, b) for a, b in zip(warped, many, strict=True)])
    assert np.array_equal(turned, ~same)
    assert 150 < turned.sum() < 250


class TestElastic:
    x = rng.normal(size=(3, 37, 30, 1))

    def noise(self, key: Any, shape: tuple[int, ...]) -> np.ndarray:
        return random.uniform(key, shape, -(3**0.5), 3**0.5, dtype=np.float64)

    def test_the_displacement_is_simards(self) -> None:
        """α times noise from -1 to 1 after a Gaussian of σ; away from the edge, where SciPy's Gaussian sums to 1."""
        strength, sigma = 1.3, 2.0
        alpha = np.sqrt(12) * np.sqrt(np.pi) * sigma * strength
        field = self.noise(KEY, (2, 3, 37, 30)) / 3**0.5
        smooth = lambda a: alpha * ndimage.gaussian_filter(a, sigma, mode="constant", truncate=12)
        rows, columns = np.indices((37, 30)).astype(float)
        warped = augment.Elastic(strength, sigma)(self.x, KEY)
        for i in range(3):
            at = [rows + smooth(field[0, i]), columns + smooth(field[1, i])]
            wanted = ndimage.map_coordinates(self.x[i, ..., 0], at, order=1, mode="nearest")
            inner = (slice(12, -12), slice(12, -12))
            np.testing.assert_allclose(warped[i, ..., 0][inner], wanted[inner], rtol=1e-6, atol=1e-6)

    def test_alpha_34_and_sigma_4_are_a_strength_of_1_4(self) -> None:
        assert 34 / (np.sqrt(12) * np.sqrt(np.pi) * 4) == pytest.approx(1.4, abs=0.02)

    @pytest.mark.parametrize("sigma", [1.0, 4.0])
    def test_displacements_have_the_deviation_asked_for_everywhere(self, sigma: float) -> None:
        x = np.zeros((1500, 12, 12, 1), np.float32)
        zero = np.zeros((1, 12, 12), np.float32)
        rows, columns = augment.Elastic(0.7, sigma).moved((zero, zero), x, KEY)
        for moved in (rows, columns):
            deviation = moved.std(axis=0)  # of each place, the corners too
            assert 0.65 < deviation.min() < deviation.max() < 0.75


def test_warps_in_a_row_are_one_interpolation(drawn: Any) -> None:
    """First turned, then enlarged, then shifted: SciPy with the product of the matrices, not three times."""
    drawn(
        DOWN, RIGHT, [0.2, -0.6, 0.5, 0.1], [0.4, 0.3, -0.9, 0.6]
    )  # the last warp is asked first: shift, zoom, rotation
    warped = augment.get("rotation:30,zoom:0.4,shift:2:whole=false")(images, KEY)

    def wanted(a: np.ndarray, down: float, right: float, larger: float, angle: float) -> np.ndarray:
        t, middle = np.radians(30 * angle), (np.array(a.shape) - 1) / 2
        turn = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
        matrix = turn / 1.4**larger
        offset = middle - matrix @ (middle + 2 * np.array([down, right]))
        return ndimage.affine_transform(a, matrix, offset, order=1, mode="nearest")

    draws = (DOWN, RIGHT, [0.2, -0.6, 0.5, 0.1], [0.4, 0.3, -0.9, 0.6])
    np.testing.assert_allclose(warped, each(wanted, *draws), rtol=1e-9, atol=1e-9)


def test_reflection_mirrors_the_image(drawn: Any) -> None:
    drawn(DOWN, RIGHT)
    warped = augment.Shift(9.5, whole=False, border="reflect")(images, KEY)
    wanted = each(lambda a, d, r: ndimage.shift(a, (9.5 * d, 9.5 * r), order=1, mode="mirror"), DOWN, RIGHT)
    np.testing.assert_allclose(warped, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["shift:3", "crop:3", "rotation:45", "zoom:0.8", "shear:40", "elastic:2"])
def test_the_background_of_normalized_images_stays_the_background(name: str) -> None:
    """Standardized digits have a negative background: nothing else may come in from outside."""
    digit = np.full((20, 14, 14, 1), -0.42)
    digit[:, 5:9, 5:9] = 2.8
    warped = augment.get(name)(digit, KEY)
    assert warped.min() >= -0.42 - 1e-12
    assert np.allclose(warped[:, 0, 0], -0.42)
    assert not np.array_equal(warped, digit)


def test_a_warp_of_ones_own_is_joined_with_the_others() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Down(augment.Warp):
        pixels: float = 1.0

        def moved(self, grid: Any, x: Any, key: Any) -> Any:
            return grid[0] - self.pixels, grid[1]

    try:
        both = augment.get((Down(1.25), Down(0.75)))(images, KEY)
        np.testing.assert_allclose(both[:, 2:], images[:, :-2], rtol=1e-12)  # 2 pixels together, nothing is blurred
    finally:
        augment.Augmentation.registry.pop("down")


def test_the_room_is_reached_from_the_package() -> None:
    assert cr.augment.get("shift") == augment.Shift()
