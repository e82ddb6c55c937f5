"""How alike images are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.errors import DataError, MissingExtraError

WINDOW = 7
"""Side in pixels of the windows that structural similarity compares, in images that are as large."""
FLAT = 1e-12
"""An image whose pixels deviate less than this from their mean is of one tone."""


def correlation(images: Floats, others: Floats) -> Floats:
    """Pearson correlation of every image with every other one, over pixels.

    Args:
      images: ``(n, *shape)``.
      others: ``(m, *shape)``.

    Returns:
      ``(n, m)`` from -1 to 1; 0 where one of the two is of one tone, which tells nothing.

    Raises:
      DataError: Images of different shapes.
    """
    if images.shape[1:] != others.shape[1:]:
        raise DataError(f"expected images of one shape, got {images.shape[1:]} and {others.shape[1:]}")
    return np.asarray(np.clip(normalized(images) @ normalized(others).T, -1, 1))


def normalized(images: Floats) -> Floats:
    """``(n, d)`` pixels with mean 0 and length 1; 0 where the image is of one tone."""
    flat = np.asarray(images, dtype=np.float64).reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    seen = length > FLAT * np.sqrt(flat.shape[1])
    return np.asarray(np.where(seen, flat / np.where(seen, length, 1), 0.0))


def nearest(images: Floats, others: Floats) -> Floats:
    """``(n,)`` correlation of each image with that of the others which it is most like.

    Raises:
      DataError: Images of different shapes, or no others.
    """
    if not len(others):
        raise DataError("expected at least one image to compare with, got none")
    return np.asarray(correlation(images, others).max(axis=1))


def rank_by_class_means(images: Floats, means: Floats, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rank of the right class when classes are sorted by how their mean image correlates with a picture.

    Args:
      images: ``(n, *shape)`` pictures.
      means: ``(K, *shape)`` mean image of each class.
      places: ``(n,)`` which of the means is the right one.

    Returns:
      ``(n,)`` from 1 (the right class is nearest) to K. Classes that tie count as nearer, so that a picture of one
      tone ranks last.
    """
    alike = correlation(images, means)
    own = np.take_along_axis(alike, places[:, None], axis=1)
    return np.asarray((alike >= own).sum(axis=1), dtype=np.intp)


def ssim(images: Floats, others: Floats, low: float, high: float) -> Floats:
    """Structural similarity of pairs of images: 1 for equal ones, about 0 for unrelated ones.

    Args:
      images: ``(n, h, w)`` or ``(n, h, w, c)``.
      others: The same.
      low: Value of black.
      high: Value of white.

    Returns:
      ``(n,)`` from -1 to 1.

    Raises:
      DataError: Images of different shapes, less than 3 pixels wide, or an empty range.
      MissingExtraError: scikit-image is not installed.

    References:
      Wang, Bovik, Sheikh, Simoncelli. Image Quality Assessment. IEEE Transactions on Image Processing 13 (2004).
    """
    _check_pairs(images, others, low, high)
    side = min(images.shape[1:3])
    if side < 3:
        raise DataError(f"expected images at least 3 pixels wide, got {images.shape[1]}x{images.shape[2]}")
    try:
        from skimage.metrics import structural_similarity
    except ImportError as err:
        raise MissingExtraError("scikit-image", "images") from err
    window = min(WINDOW, side - 1 + side % 2)  # odd, and no larger than the image
    channels = 2 if images.ndim == 4 else None
    return np.array(
        [
            structural_similarity(image, other, win_size=window, data_range=high - low, channel_axis=channels)
            for image, other in zip(images.astype(np.float64), others.astype(np.float64), strict=True)
        ],
        dtype=np.float64,
    )


def psnr(images: Floats, others: Floats, low: float, high: float) -> Floats:
    """Peak signal-to-noise ratio of pairs of images, in decibels.

    Args:
      images: ``(n, *shape)``.
      others: The same.
      low: Value of black.
      high: Value of white.

    Returns:
      ``(n,)``; infinite for equal images.

    Raises:
      DataError: Images of different shapes, or an empty range.
    """
    _check_pairs(images, others, low, high)
    squares = ((np.asarray(images, dtype=np.float64) - others) ** 2).reshape(len(images), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(20 * np.log10(high - low) - 10 * np.log10(squares))


def _check_pairs(images: Floats, others: Floats, low: float, high: float) -> None:
    if images.shape != others.shape or images.ndim not in (3, 4):
        raise DataError(f"expected pairs of images (n, h, w) or (n, h, w, c), got {images.shape} and {others.shape}")
    if not low < high:
        raise DataError(f"expected a range of pixels with low < high, got {low} and {high}")
