"""Images as sums of eigenimages of public ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Eigenimages, eigenimages
from keepmum.attacks.inversion._prior import Prior, checked_images, checked_range
from keepmum.errors import ConfigError, DataError

MOST_IMAGES = 2_000
"""Images that principal components are fitted to, at most; of more, evenly spread ones."""


class PcaPrior(Prior):
    """Principal components of public images (eigenfaces), each coordinate scaled to unit variance.

    The attacker takes some pictures of other people and searches only faces that can be mixed from these. That turns
    thousands of pixels into a few dozen numbers, and every picture on the way looks like a face.

    References:
      Turk, Pentland. Eigenfaces for Recognition. Journal of Cognitive Neuroscience 3 (1991), 71-86.
    """

    def __init__(self, shape: tuple[int, ...], low: float, high: float, fitted: Eigenimages) -> None:
        super().__init__(shape, low, high, len(fitted.components))
        self._fitted = fitted

    @classmethod
    def fit(cls, images: Any, components: int = 40, *, low: float | None = None, high: float | None = None) -> PcaPrior:
        """Fit to public images.

        Args:
          images: ``(n, *shape)``, at least two different ones.
          components: Most latent numbers; fewer where the images differ in fewer ways.
          low: The darkest value of a pixel; the darkest seen, if None.
          high: The brightest value of a pixel; the brightest seen, if None.

        Raises:
          DataError: Too few images, of another shape, or with pixels that are no numbers or out of range.
          ConfigError: Less than one component, or a range that is none.
        """
        if components < 1:
            raise ConfigError(f"expected at least one component, got {components}")
        images = public_images(images, None, low, high)
        if not np.ptp(images, axis=0).any():
            raise DataError(f"expected at least two different images to fit components to, got {len(images)} alike")
        low, high = checked_range(
            images.min() if low is None else low,
            images.max() if high is None else high,
        )
        return cls(images.shape[1:], low, high, fitted_to(images, components, high - low))

    def encode(self, images: Any) -> Floats:
        """Whitened coordinates of the nearest images that the components can express; ``(n, d)``.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
        """
        images = self._images(images)
        return self._fitted.latents(images.reshape(len(images), -1))

    def decode(self, latents: Any) -> Floats:
        """The mean image and so many standard deviations along each component; ``(n, *shape)``, clipped.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        return self._decoded(self._fitted.images(self._latents(latents)))

    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """The gradient along each component, times its standard deviation; ``(n, d)``.

        Raises:
          DataError: Arrays of another shape, or that are no numbers.
        """
        gradient = self._images(gradient, "gradients")
        if len(self._latents(latents)) != len(gradient):
            raise DataError(f"expected a gradient for each of {len(latents)} images, got {len(gradient)}")
        return np.asarray(gradient.reshape(len(gradient), -1) @ self._fitted.components.T * self._fitted.deviations)

    def natural(self) -> Eigenimages:
        """The components themselves."""
        return self._fitted


def public_images(
    images: Any, shape: tuple[int, ...] | None = None, low: float | None = None, high: float | None = None
) -> Floats:
    """The attacker's images, checked.

    Raises:
      DataError: None, of another shape, or with pixels that are no numbers or out of range.
    """
    checked = checked_images(images, shape, "public images")
    if not len(checked):
        raise DataError("expected at least one public image, got none")
    least, most = checked.min(), checked.max()
    if (low is not None and least < low) or (high is not None and most > high):
        raise DataError(
            f"expected pixels from {low} to {high}, got {least:g} to {most:g}: give low and high as they are"
        )
    return checked


def fitted_to(images: Floats, components: int, span: float) -> Eigenimages:
    """Eigenimages of ``(n, *shape)`` images, or of evenly spread ones among many."""
    rows = np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).astype(np.intp)
    return eigenimages(images[rows].reshape(len(rows), -1), components, span)
