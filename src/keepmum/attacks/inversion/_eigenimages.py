"""Eigenimages: the directions in which images of a kind differ, and how far an image is from that kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keepmum.attacks.inversion._base import Floats

FOLDS = 4
"""Parts of the images, each of which is held against eigenimages of the others."""
GRAY_LEVELS = 256
"""Pixels are told apart in as many steps: what is smaller than one is no difference."""


@dataclass(frozen=True, eq=False)
class Eigenimages:
    """Principal components of ``n`` images of ``p`` pixels.

    Attributes:
      mean: ``(p,)``.
      components: ``(d, p)``, orthonormal, the one with the largest variance first.
      deviations: ``(d,)`` standard deviations along them; none is zero.
      inside: Mean squared whitened coordinate of an image of the kind that was not among the ``n``.
      outside: Squared distance of such an image from the span of the components.

    References:
      Turk, Pentland. Eigenfaces for Recognition. Journal of Cognitive Neuroscience 3 (1991), 71-86.
      Moghaddam, Pentland. Probabilistic Visual Learning for Object Representation. IEEE TPAMI 19 (1997), section 2:
      distance in and from the feature space.
    """

    mean: Floats
    components: Floats
    deviations: Floats
    inside: float
    outside: float

    def latents(self, flat: Floats) -> Floats:
        """Whitened coordinates of ``(n, p)`` images; ``(n, d)``."""
        return np.asarray((flat - self.mean) @ self.components.T / self.deviations)

    def images(self, latents: Floats) -> Floats:
        """Images with ``(n, d)`` whitened coordinates; ``(n, p)``."""
        return np.asarray(self.mean + (latents * self.deviations) @ self.components)

    def distance(self, flat: Floats) -> Floats:
        """How far ``(n, p)`` images are from the kind, within the span or off it, whichever is worse; ``(n,)``.

        Both are told as multiples of what they are on average for an image of the kind that was not fitted on. A sum
        would let a picture without anything off the span be twice as odd as any within it.
        """
        within, off = self._parts(flat)
        return np.maximum(within / self.inside, off / self.outside)

    def _parts(self, flat: Floats) -> tuple[Floats, Floats]:
        latents = self.latents(flat)
        off = ((flat - self.images(latents)) ** 2).sum(axis=1)
        return (latents**2).mean(axis=1) if latents.shape[1] else np.zeros(len(flat)), off


def eigenimages(flat: Floats, components: int, span: float) -> Eigenimages:
    """Fit principal components, as many as asked for or as the images have.

    Args:
      flat: ``(n, p)`` images; one has a mean and no component.
      components: Most components.
      span: From the darkest pixel to the brightest, which says what difference is none.
    """
    mean, basis, deviations = _fitted(flat, components)
    folds = min(FOLDS, len(flat))
    parts = []
    for fold in range(folds if folds > 1 else 0):
        # Every fourth, and not a quarter in one piece: images often come sorted by person.
        held = np.arange(len(flat)) % folds == fold
        own = Eigenimages(*_fitted(flat[~held], components), inside=1.0, outside=1.0)
        parts.append(np.stack(own._parts(flat[held])))
    inside, outside = np.concatenate(parts, axis=1).mean(axis=1) if parts else (0.0, 0.0)
    least = flat.shape[1] * (span / GRAY_LEVELS) ** 2 / 12  # variance of rounding to a gray level
    return Eigenimages(mean, basis, deviations, max(float(inside), 1.0), max(float(outside), least))


def _fitted(flat: Floats, components: int) -> tuple[Floats, Floats, Floats]:
    mean = flat.mean(axis=0)
    _, values, rows = np.linalg.svd(flat - mean, full_matrices=False)
    tiny = np.finfo(np.float64).eps * max(flat.shape) * max(float(values[0]), float(np.abs(flat).max()))
    kept = min(components, len(flat) - 1, int((values > tiny).sum()))
    return mean, rows[:kept], values[:kept] / np.sqrt(max(1, len(flat) - 1))
