"""How alike images are, held against slow obvious twins."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from keepmum.attacks.inversion._resemblance import correlation, nearest, psnr, rank_by_class_means, ssim
from keepmum.errors import DataError, MissingExtraError

RNG = np.random.default_rng(0)
IMAGES, OTHERS = RNG.random((4, 9, 8)), RNG.random((6, 9, 8))


def test_correlation_is_that_of_pixels() -> None:
    expected = [[np.corrcoef(a.ravel(), b.ravel())[0, 1] for b in OTHERS] for a in IMAGES]
    np.testing.assert_allclose(correlation(IMAGES, OTHERS), expected)
    np.testing.assert_allclose(nearest(IMAGES, OTHERS), np.max(expected, axis=1))


def test_brightness_and_contrast_do_not_matter_and_the_negative_is_opposite() -> None:
    np.testing.assert_allclose(correlation(IMAGES, 3 * IMAGES + 7).diagonal(), 1)
    np.testing.assert_allclose(correlation(IMAGES, 1 - IMAGES).diagonal(), -1)


@pytest.mark.parametrize("tone", [0.0, 0.1, 1e6])
def test_an_image_of_one_tone_is_like_nothing(tone: float) -> None:
    flat = np.full((2, 9, 8), tone)
    np.testing.assert_array_equal(correlation(flat, OTHERS), 0)
    np.testing.assert_array_equal(correlation(IMAGES, flat), 0)
    np.testing.assert_array_equal(correlation(flat, flat), 0)


def test_the_rank_is_the_place_of_the_right_class() -> None:
    means = RNG.random((5, 9, 8))
    pictures = np.stack([means[2], means[2] + 0.5 * means[4], np.full((9, 8), 0.3)])
    np.testing.assert_array_equal(rank_by_class_means(pictures[:2], means, np.array([2, 4])), [1, 2])
    assert rank_by_class_means(pictures[:1], means, np.array([0]))[0] > 1
    assert rank_by_class_means(pictures[2:], means, np.array([0]))[0] == 5


def test_structural_similarity_is_one_for_equal_images_and_falls_with_noise() -> None:
    pytest.importorskip("skimage")
    image = np.repeat(np.linspace(0, 1, 20)[None], 20, axis=0)[None]
    noisy = [image + RNG.normal(0, size, image.shape) for size in (0.0, 0.05, 0.3)]
    values = [float(ssim(picture, image, 0, 1)[0]) for picture in noisy]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] + 0.02 > values[2] + 0.1
    assert ssim(image * 255, noisy[1] * 255, 0, 255) == pytest.approx(ssim(image, noisy[1], 0, 1))


def test_structural_similarity_takes_colors_small_images_and_one_tone() -> None:
    pytest.importorskip("skimage")
    colors = RNG.random((2, 12, 10, 3))
    np.testing.assert_allclose(ssim(colors, colors, 0, 1), 1)
    np.testing.assert_allclose(ssim(colors[:, :4, :4, 0], colors[:, :4, :4, 0], 0, 1), 1)
    flat = np.full((1, 9, 8), 0.5)
    assert abs(float(ssim(flat, IMAGES[:1], 0, 1)[0])) < 0.1


def test_the_signal_to_noise_ratio_is_that_of_the_definition() -> None:
    expected = [10 * np.log10(255**2 / np.mean((a - b) ** 2)) for a, b in zip(IMAGES, OTHERS[:4], strict=True)]
    np.testing.assert_allclose(psnr(IMAGES, OTHERS[:4], -55, 200), expected)
    np.testing.assert_array_equal(psnr(IMAGES, IMAGES, 0, 1), np.inf)


@pytest.mark.parametrize("measure", [ssim, psnr])
def test_what_cannot_be_compared_is_refused(measure) -> None:
    with pytest.raises(DataError, match="pairs of images"):
        measure(IMAGES, OTHERS, 0, 1)
    with pytest.raises(DataError, match="low < high"):
        measure(IMAGES, IMAGES, 1, 1)


def test_other_shapes_no_others_and_slivers_are_refused() -> None:
    with pytest.raises(DataError, match="one shape"):
        correlation(IMAGES, OTHERS[:, :5])
    with pytest.raises(DataError, match="at least one"):
        nearest(IMAGES, OTHERS[:0])
    with pytest.raises(DataError, match="3 pixels"):
        ssim(IMAGES[:, :2], IMAGES[:, :2], 0, 1)


def test_without_scikit_image_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(MissingExtraError, match=r"keepmum\[images\]"):
        ssim(IMAGES, IMAGES, 0, 1)
