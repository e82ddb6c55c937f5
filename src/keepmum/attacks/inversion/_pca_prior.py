"""Images as sums of eigenimages of public ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness, rows_of
from keepmum.attacks.inversion._prior import Prior
from keepmum.attacks.inversion._public import natural_of, ranged
from keepmum.errors import ConfigError


class PcaPrior(Prior):
    """Principal components of public images (eigenfaces), each coordinate scaled to unit variance.

    The attacker takes some pictures of other people and searches only faces that can be mixed from these. That turns
    thousands of pixels into a few dozen numbers, and every picture on the way looks like a face.

    References:
      Turk, Pentland. Eigenfaces for Recognition. Journal of Cognitive Neuroscience 3 (1991), 71-86.
    """

    def __init__(self, shape: tuple[int, ...], low: float, high: float, natural: Naturalness) -> None:
        super().__init__(shape, low, high, len(natural.eigenimages.components))
        self._natural, self._eigen = natural, natural.eigenimages

    @classmethod
    def fit(cls, images: Any, components: int = 40, *, low: float | None = None, high: float | None = None) -> PcaPrior:
        """Fit to public images.

        Args:
          images: ``(n, *shape)``, at least two different ones; of more than 2,000, evenly spread ones are used.
          components: Most latent numbers; fewer where the images differ in fewer ways.
          low: The darkest value of a pixel; the darkest seen, if None.
          high: The brightest value of a pixel; the brightest seen, if None.

        Raises:
          DataError: Too few images, of another shape, or with pixels that are no numbers or out of range.
          ConfigError: Less than one component, or a range that is none.
        """
        if components < 1:
            raise ConfigError(f"expected at least one component, got {components}")
        public, low, high = ranged(images, low, high)
        return cls(public.shape[1:], low, high, natural_of(public, components, high - low))

    def encode(self, images: Any) -> Floats:
        """Whitened coordinates of the nearest images that the components can express; ``(n, d)``.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
        """
        return self._eigen.latents(self._images(images))

    def decode(self, latents: Any) -> Floats:
        """The mean image and so many standard deviations along each component; ``(n, *shape)``, clipped.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        return np.clip(self._eigen.images(self._latents(latents)), self.low, self.high)

    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """The gradient along each component, times its standard deviation; ``(n, d)``.

        Raises:
          DataError: Arrays of another shape, or that are no numbers.
        """
        _, slope = self._where(latents, gradient)
        return np.asarray(rows_of(slope) @ self._eigen.components.T * self._eigen.deviations)

    def natural(self) -> Naturalness:
        """How far from the public images others are."""
        return self._natural
