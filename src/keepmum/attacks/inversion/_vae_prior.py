"""Images as a variational auto-encoder of public ones draws them."""

from __future__ import annotations

from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness, rows_of
from keepmum.attacks.inversion._prior import Prior
from keepmum.attacks.inversion._public import natural_of, ranged
from keepmum.errors import ConfigError
from keepmum.targets._tensors import import_torch

COMPONENTS = 40
"""Principal components of the public images that tell natural from unnatural."""


class VaePrior(Prior):
    """A variational auto-encoder of public images.

    The attacker trains a small network to draw pictures like those of other people, and searches what it can draw.
    Unlike sums of eigenimages these are curved ways from face to face; with few public images that gains nothing.

    Args:
      shape: Of one image.
      low: The darkest value of a pixel.
      high: The brightest.
      encoder: Module from ``(n, p)`` pixels between 0 and 1 to ``(n, 2 d)`` means and log-variances.
      decoder: Module from ``(n, d)`` latents to ``(n, p)`` pixels between 0 and 1.
      size: Number ``d`` of latent numbers.
      natural: What tells natural images from others.

    References:
      Kingma, Welling. Auto-Encoding Variational Bayes. ICLR 2014, arXiv:1312.6114.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        low: float,
        high: float,
        *,
        encoder: Any,
        decoder: Any,
        size: int,
        natural: Naturalness,
    ) -> None:
        super().__init__(shape, low, high, size)
        self._encoder, self._decoder, self._natural = encoder, decoder, natural

    @classmethod
    def fit(
        cls,
        images: Any,
        size: int = 24,
        epochs: int | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        seed: int = 0,
    ) -> VaePrior:
        """Train on public images.

        Args:
          images: ``(n, *shape)``, at least two different ones.
          size: Number of latent numbers.
          epochs: Passes over the images; None for as many as make a thousand steps, and at least 20.
          low: The darkest value of a pixel; the darkest seen, if None.
          high: The brightest value of a pixel; the brightest seen, if None.
          seed: Of the training.

        Raises:
          DataError: Too few images, of another shape, or with pixels that are no numbers or out of range.
          ConfigError: A size, number of epochs or range that is none.
          MissingExtraError: torch is not installed.
        """
        import_torch()
        from keepmum.attacks.inversion import _vae

        if size < 1 or (epochs is not None and epochs < 1):
            raise ConfigError(f"expected at least one latent number and one epoch, got {size} and {epochs}")
        public, low, high = ranged(images, low, high)
        flat = (rows_of(public) - low) / (high - low)
        encoder, decoder = _vae.trained(flat, size, epochs or _vae.enough(len(flat)), seed)
        natural = natural_of(public, COMPONENTS, high - low)
        return cls(public.shape[1:], low, high, encoder=encoder, decoder=decoder, size=size, natural=natural)

    def encode(self, images: Any) -> Floats:
        """Means that the encoder gives to images; ``(n, d)``. What they decode to is like the images, not the same.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
        """
        from keepmum.attacks.inversion._module import forward

        flat = rows_of(self._images(images))
        told = forward(self._encoder, (flat - self.low) / (self.high - self.low), (2 * self.size,))
        return told[:, : self.size]

    def decode(self, latents: Any) -> Floats:
        """What the decoder draws; ``(n, *shape)``, clipped.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        from keepmum.attacks.inversion._module import forward

        drawn = forward(self._decoder, self._latents(latents), self.shape)
        return np.clip(self.low + (self.high - self.low) * drawn, self.low, self.high)

    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """The gradient through the decoder; ``(n, d)``.

        Raises:
          DataError: Arrays of another shape, or that are no numbers.
        """
        from keepmum.attacks.inversion._module import backward

        where, slope = self._where(latents, gradient)
        return backward(self._decoder, where, slope * (self.high - self.low))

    def natural(self) -> Naturalness:
        """How far from the public images others are."""
        return self._natural
