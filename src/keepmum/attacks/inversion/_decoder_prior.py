"""Images as whatever a decoder draws: a generative adversarial network, a variational auto-encoder, a renderer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness
from keepmum.attacks.inversion._prior import Prior
from keepmum.attacks.inversion._public import natural_of
from keepmum.errors import DataError, NotApplicableError

COMPONENTS = 40
"""Principal components of the decoder's own images that tell natural from unnatural."""
SAMPLES = 500
"""Images drawn to fit these to."""


class DecoderPrior(Prior):
    """Any function from latent numbers to images.

    The attacker has a generator of pictures of the same kind, trained on other people, and searches its latent numbers
    for those whose picture the model recognizes.

    Args:
      decode: From ``(n, d)`` latents to ``(n, *shape)`` images.
      size: Number ``d`` of latent numbers.
      shape: Of one image.
      low: The darkest value of a pixel.
      high: The brightest.
      log_density: From ``(n, d)`` latents to ``(n,)``; standard normal, if None.
      pull_back: From ``(n, d)`` latents and ``(n, *shape)`` gradients in the pixels to ``(n, d)`` gradients in the
        latents; without it no attack by gradients.
      encode: From ``(n, *shape)`` images to ``(n, d)`` latents; without it nothing can start from an image.
      draw: From a number and a generator of random numbers to ``(n, d)`` latents; standard normal, if None.

    Raises:
      ConfigError: A shape, size or range that is none.
      DataError: The functions return other shapes, or what are no numbers; told when they are called.
    """

    def __init__(
        self,
        decode: Callable[[Floats], Any],
        size: int,
        shape: tuple[int, ...],
        low: float,
        high: float,
        log_density: Callable[[Floats], Any] | None = None,
        pull_back: Callable[[Floats, Floats], Any] | None = None,
        *,
        encode: Callable[[Floats], Any] | None = None,
        draw: Callable[[int, np.random.Generator], Any] | None = None,
    ) -> None:
        super().__init__(shape, low, high, size)
        self._decode, self._log_density, self._pull_back = decode, log_density, pull_back
        self._encode, self._draw = encode, draw

    @classmethod
    def from_module(cls, module: Any, size: int, shape: tuple[int, ...], low: float, high: float) -> DecoderPrior:
        """A ``torch.nn.Module`` as the decoder, with its gradients.

        Args:
          module: From ``(n, d)`` latents, standard normal, to ``(n, *shape)`` images, or rows of pixels, or images with
            channels first. It is copied, and put in evaluation mode.
          size: Number ``d`` of latent numbers.
          shape: Of one image.
          low: The darkest value of a pixel.
          high: The brightest.

        Raises:
          ConfigError: A shape, size or range that is none.
          TargetError: No module, or one that cannot be copied.
          MissingExtraError: torch is not installed.
        """
        from keepmum.attacks.inversion import _module

        own = _module.copied(module)
        return cls(
            lambda latents: _module.forward(own, latents, tuple(shape)),
            size,
            shape,
            low,
            high,
            pull_back=lambda latents, gradient: _module.backward(own, latents, gradient),
        )

    def encode(self, images: Any) -> Floats:
        """Latents of images, as the given function finds them; ``(n, d)``.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
          NotApplicableError: No such function was given.
        """
        images = self._images(images)
        if self._encode is None:
            raise NotApplicableError("needs a decoder with its encoder to start from an image: give encode=")
        return self._answer(self._encode(images), len(images), (self.size,), "encode")

    def decode(self, latents: Any) -> Floats:
        """Images of latents; ``(n, *shape)``, clipped.

        Raises:
          DataError: Latents of another shape, or that are no numbers; or images that are none.
        """
        latents = self._latents(latents)
        images = self._answer(self._decode(latents), len(latents), self.shape, "decode")
        return np.clip(images, self.low, self.high)

    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """Gradient in the latents, as the given function finds it; ``(n, d)``.

        Raises:
          DataError: Arrays of another shape, or that are no numbers.
          NotApplicableError: No such function was given.
        """
        where, slope = self._where(latents, gradient)
        if self._pull_back is None:
            raise NotApplicableError("needs a decoder that tells gradients: give pull_back=")
        return self._answer(self._pull_back(where, slope), len(where), (self.size,), "pull_back")

    def log_density(self, latents: Any) -> Floats:
        """Logarithm of how usual images are, but for a constant; ``(n,)``.

        Raises:
          DataError: Latents of another shape, or that are no numbers; or answers that are none.
        """
        if self._log_density is None:
            return super().log_density(latents)
        latents = self._latents(latents)
        return self._answer(self._log_density(latents), len(latents), (), "log_density")

    def log_density_gradient(self, latents: Any) -> Floats:
        """Gradient of `log_density`, by differences where the density was given; ``(n, d)``.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        if self._log_density is None:
            return super().log_density_gradient(latents)
        where, step = self._latents(latents), 1e-5
        gradient = np.empty_like(where)
        for j, unit in enumerate(step * np.eye(self.size)):
            gradient[:, j] = (self.log_density(where + unit) - self.log_density(where - unit)) / (2 * step)
        return gradient

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Latents of ``n`` images as they are usual; ``(n, d)``.

        Raises:
          DataError: The given function returns something else.
        """
        return super().draw(n, rng) if self._draw is None else self._answer(self._draw(n, rng), n, (self.size,), "draw")

    def natural(self) -> Naturalness:
        """How far from what the decoder draws other images are.

        Raises:
          DataError: It always draws the same.
        """
        return self._natural

    @cached_property
    def _natural(self) -> Naturalness:
        images = self.decode(self.draw(SAMPLES, np.random.default_rng(0)))
        return natural_of(images, COMPONENTS, self.high - self.low)

    @staticmethod
    def _answer(given: Any, n: int, shape: tuple[int, ...], name: str) -> Floats:
        array = np.asarray(given, dtype=np.float64)
        if array.shape != (n, *shape):
            raise DataError(f"expected {name} to return shape {(n, *shape)}, got {array.shape}")
        if not np.isfinite(array).all():
            raise DataError(f"expected {name} to return numbers, got missing or infinite ones")
        return array
