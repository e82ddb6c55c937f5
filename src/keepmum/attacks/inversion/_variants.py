"""Other pictures that could have been taken of the same: moved, lit otherwise, with noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats

COPIES = 8
REACH, SMALL = 2, 20
"""Farthest move in pixels, by one only in images with a side of fewer than `SMALL` pixels."""
LIGHT, NOISE = 0.3, 0.15
"""Standard deviations of a slope of light across an image and of noise, in those of the image's pixels."""


def varied(
    images: Floats, rng: np.random.Generator, copies: int = COPIES, *, mirror: bool = False
) -> tuple[Floats, NDArray[np.intp]]:
    """Images and variants of them.

    Args:
      images: ``(n, h, w)`` or ``(n, h, w, c)``.
      rng: Randomness.
      copies: Variants of each.
      mirror: Whether to mirror every other variant.

    Returns:
      ``((copies + 1) * n, …)`` images, those given first, and ``((copies + 1) * n,)`` the image that each is of.
    """
    height, width = images.shape[1:3]
    reach = REACH if min(height, width) >= SMALL else 1
    more = [images]
    for copy in range(copies):
        moved = _moved(images, rng.integers(-reach, reach + 1, (len(images), 2)), reach)
        if mirror and copy % 2:
            moved = moved[:, :, ::-1]
        spread = moved.std(axis=tuple(range(1, moved.ndim)), keepdims=True)
        more.append(moved + spread * (_light(moved.shape, rng) + rng.normal(0, NOISE, moved.shape)))
    return np.concatenate(more), np.tile(np.arange(len(images)), copies + 1)


def _moved(images: Floats, by: NDArray[np.intp], reach: int) -> Floats:
    """Each image moved down and right by its own whole pixels; what comes in repeats the edge."""
    sides = ((0, 0), (reach, reach), (reach, reach), *((0, 0),) * (images.ndim - 3))
    wide = np.pad(images, sides, mode="edge")
    rows = np.arange(images.shape[1]) + reach - by[:, :1]
    columns = np.arange(images.shape[2]) + reach - by[:, 1:]
    return np.asarray(wide[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]])


def _light(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Slopes across ``(n, h, w, …)`` images, of random steepness and direction."""
    n, height, width = shape[:3]
    down, right = rng.normal(0, LIGHT, (2, n, 1, 1))
    slope = down * np.linspace(-1, 1, height)[:, None] + right * np.linspace(-1, 1, width)
    return np.asarray(slope.reshape(n, height, width, *(1,) * (len(shape) - 3)))
