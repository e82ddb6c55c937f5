"""How sure a model stays of pictures that are looked at a little differently."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion.oracle import Oracle

SHIFT, ZOOM, LIGHT = 0.05, 0.1, 0.15
"""Largest shift as a share of a side, largest part of a side that is cut away, largest change of brightness."""


def robustness(
    oracle: Oracle, images: Floats, views: int, range_: tuple[float, float], rng: np.random.Generator
) -> Floats:
    """Mean confidence over random views of each image: shifted, cropped, mirrored, brighter or darker.

    What fools one model by chance does not survive that; what looks like the class does. All images are seen in the
    same views, so that none is lucky.

    Args:
      oracle: Who is asked about ``n * views`` images.
      images: ``(n, *shape)``.
      views: Views of each.
      range_: The darkest and the brightest value of a pixel; brightness leaves the darkest alone.
      rng: Where views are drawn from.

    Returns:
      ``(n,)``, 0 … 1.

    Raises:
      BudgetError: The views cost more than the oracle's budget has left; nothing was asked then.

    References:
      Struppek et al. Plug & Play Attacks: Towards Robust and Flexible Model Inversion Attacks. ICML 2022,
      arXiv:2201.12179, section 3.4.
    """
    seen = np.concatenate([view(images, *range_, rng) for _ in range(views)])
    return np.asarray(oracle.confidence(seen).reshape(views, len(images)).mean(axis=0))


def view(images: Floats, low: float, high: float, rng: np.random.Generator) -> Floats:
    """The same images ``(n, *shape)`` in another view; of images of one dimension only the brightness changes."""
    if images.ndim > 2:
        kept = 1 - rng.uniform(0, ZOOM)
        for axis in (1, 2):
            side = images.shape[axis]
            shift = rng.uniform(-1, 1) * max(1.0, SHIFT * side)
            middle = (side - 1) / 2
            images = _resampled(images, axis, middle + shift + kept * (np.arange(side) - middle))
        if rng.integers(2):
            images = images[:, :, ::-1]
    return np.clip(low + (images - low) * rng.uniform(1 - LIGHT, 1 + LIGHT), low, high)


def _resampled(images: Floats, axis: int, where: NDArray[np.float64]) -> Floats:
    """Images along one axis as they are at other places, linear in between and without an end."""
    where = where.clip(0, images.shape[axis] - 1)
    left = np.floor(where).astype(np.intp)
    right = np.minimum(left + 1, images.shape[axis] - 1)
    part = (where - left).reshape([-1 if a == axis else 1 for a in range(images.ndim)])
    return np.asarray((1 - part) * images.take(left, axis=axis) + part * images.take(right, axis=axis))
