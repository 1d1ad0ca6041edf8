"""What changes values: against SciPy, NumPy and the distributions that are promised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage, stats

from chainrule import augment, random
from chainrule.augment import pixels

rng = np.random.default_rng(0)
images = rng.normal(size=(3, 12, 9, 2))
KEY = random.key(3)


def test_brightness_adds_one_number_to_an_image() -> None:
    many = np.repeat(images[:1], 500, axis=0)
    added = augment.Brightness(0.3)(many, KEY) - many
    assert np.abs(added - added[:, :1, :1, :1]).max() < 1e-12
    assert stats.kstest(added[:, 0, 0, 0], stats.uniform(-0.3, 0.6).cdf).pvalue > 0.01


def test_contrast_scales_around_the_mean_of_each_channel() -> None:
    many = np.repeat(images[:1], 500, axis=0)
    mean = many.mean(axis=(1, 2), keepdims=True)
    factor = (augment.Contrast(0.5)(many, KEY) - mean) / (many - mean)
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1, :1, :1], factor.shape), rtol=1e-9)
    log = np.log(factor[:, 0, 0, 0]) / np.log(1.5)
    assert stats.kstest(log, stats.uniform(-1, 2).cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", [(200, 50), (20, 10, 10, 5)])
def test_noise_is_normal(shape: tuple[int, ...]) -> None:
    added = augment.Noise(0.25)(np.ones(shape), KEY) - 1
    assert stats.kstest(added.ravel(), stats.norm(scale=0.25).cdf).pvalue > 0.01


def test_blur_is_scipys_gaussian(monkeypatch: pytest.MonkeyPatch) -> None:
    """With σ drawn as 0.4, 1.5 and 2.0 pixels. At the edge what lies inside is scaled to a sum of 1."""
    monkeypatch.setattr(pixels, "signed", lambda key, n, like: np.array([0.4, 1.5, 2.0]) - 1)
    augmented = augment.Blur(2.0)(images, KEY)
    for i, sigma in enumerate([0.4, 1.5, 2.0]):
        blur = lambda a, sigma=sigma: ndimage.gaussian_filter(a, sigma, mode="constant", truncate=30)
        for c in range(2):
            wanted = blur(images[i, ..., c]) / blur(np.ones(images.shape[1:3]))
            np.testing.assert_allclose(augmented[i, ..., c], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [1, 4, 5])
def test_cutout_hides_a_square_with_the_mean(size: int) -> None:
    many = np.repeat(images[:1], 300, axis=0)
    hidden = augment.Cutout(size)(many, KEY) != many
    assert np.array_equal(hidden[..., 0], hidden[..., 1])
    middles = set()
    for image in hidden[..., 0]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert image.sum() == len(rows) * len(columns)  # a rectangle, without holes
        assert len(rows) == size or rows[0] == 0 or rows[-1] == 11  # smaller only at the edge
        assert len(columns) == size or columns[0] == 0 or columns[-1] == 8
        middles.add((rows[0], columns[0]))
    assert len(middles) > 50
    augmented = augment.Cutout(size)(many, KEY)
    wanted = np.broadcast_to(many.mean(axis=(1, 2), keepdims=True), many.shape)
    np.testing.assert_allclose(augmented[hidden], wanted[hidden], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_numbers_become_floats_and_floats_keep_their_type(dtype: str) -> None:
    for name in augment.names():
        assert augment.get(name)(images.astype(dtype), KEY).dtype == dtype
    bytes_: Any = np.zeros((2, 8, 8, 1), np.uint8)
    assert augment.Rotation()(bytes_, KEY).dtype == np.float32
