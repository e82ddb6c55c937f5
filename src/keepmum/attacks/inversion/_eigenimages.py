"""Eigenimages: the directions in which images of a kind differ, and how far an image is from that kind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keepmum.attacks.inversion._base import Floats

FOLDS = 4
"""Parts of the images, each of which is held against eigenimages of the others."""
GRAY_LEVELS = 256
"""Pixels are told apart in as many steps: what is smaller than one is no difference."""
MOST_IMAGES = 2_000
"""Images that components are fitted to, at most; of more, evenly spread ones."""
NEGLIGIBLE = 1e-10
"""Share of the largest variance below which a component is rounding error."""


def rows_of(images: Floats) -> Floats:
    """``(n, …)`` images as ``(n, p)``, also where there are none."""
    return images.reshape(len(images), math.prod(images.shape[1:]))


@dataclass(frozen=True, eq=False)
class Oddity:
    """What ``n`` images have that is unusual; three numbers of each.

    Attributes:
      inside: ``(n,)`` mean squared whitened coordinate.
      outside: ``(n,)`` squared distance from the span of the components.
      rough: ``(n,)`` squared steps from pixel to pixel of what is off the span. Noise has several times as much of
        these as a natural picture that is as far off.
    """

    inside: Floats
    outside: Floats
    rough: Floats


@dataclass(frozen=True, eq=False)
class Eigenimages:
    """Principal components of images of ``p`` pixels.

    Attributes:
      shape: Of one image.
      mean: ``(p,)``.
      components: ``(d, p)``, orthonormal, the one with the largest variance first.
      deviations: ``(d,)`` standard deviations along them; none is zero.

    References:
      Turk, Pentland. Eigenfaces for Recognition. Journal of Cognitive Neuroscience 3 (1991), 71-86.
    """

    shape: tuple[int, ...]
    mean: Floats
    components: Floats
    deviations: Floats

    @classmethod
    def fit(cls, images: Floats, components: int) -> Eigenimages:
        """Fit ``(n, *shape)`` images; as many components as asked for, or as the images have."""
        from scipy.linalg import eigh, qr

        flat = rows_of(images)
        mean = flat.mean(axis=0)
        off = flat - mean
        wide = off.shape[0] < off.shape[1]
        # The smaller of the two products has the same variances, and only the largest are asked for: 10 to 50 times
        # faster than all singular values.
        products = off @ off.T if wide else off.T @ off
        most = min(components, len(flat) - 1, len(products))
        if not most:
            return cls(images.shape[1:], mean, np.zeros((0, flat.shape[1])), np.zeros(0))
        squares, vectors = eigh(products, subset_by_index=[len(products) - most, len(products) - 1])
        squares, vectors = squares[::-1], vectors[:, ::-1]
        tiny = off.size * (np.finfo(np.float64).eps * np.abs(flat).max()) ** 2
        kept = squares > max(NEGLIGIBLE * squares[0], tiny)
        basis = qr(off.T @ vectors[:, kept], mode="economic")[0] if wide else vectors[:, kept]
        return cls(images.shape[1:], mean, np.ascontiguousarray(basis.T), np.sqrt(squares[kept] / (len(flat) - 1)))

    def latents(self, images: Floats) -> Floats:
        """Whitened coordinates of ``(n, *shape)`` images; ``(n, d)``."""
        return np.asarray((rows_of(images) - self.mean) @ self.components.T / self.deviations)

    def images(self, latents: Floats) -> Floats:
        """Images with ``(n, d)`` whitened coordinates; ``(n, *shape)``."""
        flat = self.mean + (latents * self.deviations) @ self.components
        return np.asarray(flat).reshape(len(latents), *self.shape)

    def oddity(self, images: Floats) -> Oddity:
        """What ``(n, *shape)`` images have that is unusual."""
        latents, n = self.latents(images), len(images)
        off = images - self.images(latents)
        steps = [rows_of(np.diff(off, axis=axis)) for axis in range(1, min(off.ndim, 3))]
        return Oddity(
            inside=(latents**2).mean(axis=1) if latents.shape[1] else np.zeros(n),
            outside=(rows_of(off) ** 2).sum(axis=1),
            rough=sum(((step**2).sum(axis=1) for step in steps), np.zeros(n)),
        )


@dataclass(frozen=True, eq=False)
class Naturalness:
    """How far images are from a kind, in units of what is usual for that kind.

    Attributes:
      eigenimages: Of the kind.
      inside: Mean squared whitened coordinate of an image of the kind that was not fitted on; at least 1.
      outside: Squared distance of such an image from the span.
      rough: Squared steps of what such an image has off the span.

    References:
      Moghaddam, Pentland. Probabilistic Visual Learning for Object Representation. IEEE TPAMI 19 (1997), section 2:
      distance in and from the feature space.
    """

    eigenimages: Eigenimages
    inside: float
    outside: float
    rough: float

    @classmethod
    def fit(cls, images: Floats, components: int, span: float) -> Naturalness:
        """Fit ``(n, *shape)`` images, and hold parts of them out to learn what is usual.

        Args:
          images: The kind.
          components: Most components.
          span: From the darkest pixel to the brightest, which says what difference is none.
        """
        rows = np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).astype(np.intp)
        images = images[rows]
        # In one piece each, since pictures of one person are often neighbors: an unknown person's are to be natural.
        fold = np.arange(len(images)) * FOLDS // len(images)
        held = [
            Eigenimages.fit(images[fold != k], components).oddity(images[fold == k])
            for k in np.unique(fold)
            if (fold != k).any()
        ]
        inside, outside, rough = (
            float(np.mean(np.concatenate(part))) if held else 0.0
            for part in ([o.inside for o in held], [o.outside for o in held], [o.rough for o in held])
        )
        rounding = math.prod(images.shape[1:]) * (span / GRAY_LEVELS) ** 2 / 12
        whole = Eigenimages.fit(images, components)
        return cls(whole, max(inside, 1.0), max(outside, rounding), max(rough, 4 * rounding))

    def distance(self, images: Floats) -> Floats:
        """How many times as odd ``(n, *shape)`` images are as is usual, in what is worst; ``(n,)``.

        The worst and not the sum: a picture within the span has nothing off it, and might then be several times as
        odd there as any of the kind.
        """
        odd = self.eigenimages.oddity(images)
        off = np.maximum(odd.outside / self.outside, odd.rough / self.rough)
        return np.maximum(odd.inside / self.inside, off)
