"""What an attacker takes images to look like before any question to the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness
from keepmum.errors import ConfigError, DataError


class Prior(ABC):
    """A way to write images as numbers, and how usual each is.

    The attacker does not search all pictures, most of which are noise, but those that this prior can draw. The better
    it fits the people at risk, the fewer questions an attack needs.

    Attributes:
      shape: Of one image: ``(height, width)`` or ``(height, width, channels)``.
      low: The darkest value of a pixel.
      high: The brightest.
      size: Number ``d`` of latent numbers of an image.

    Raises:
      ConfigError: A shape, size or range that is none.
    """

    def __init__(self, shape: tuple[int, ...], low: float, high: float, size: int) -> None:
        self.shape = checked_shape(shape)
        self.low, self.high = checked_range(low, high)
        if size < 1:
            raise ConfigError(f"expected at least one latent number, got {size}")
        self.size = int(size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, low={self.low:g}, high={self.high:g}, size={self.size})"

    @abstractmethod
    def encode(self, images: Any) -> Floats:
        """Latent numbers of images.

        Args:
          images: ``(n, *shape)``.

        Returns:
          ``(n, d)``.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
          NotApplicableError: The prior can draw images and not read them.
        """

    @abstractmethod
    def decode(self, latents: Any) -> Floats:
        """Images of latent numbers.

        Args:
          latents: ``(n, d)``.

        Returns:
          ``(n, *shape)`` within ``low`` and ``high``.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """

    @abstractmethod
    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """Gradient in the latent numbers of what has a known gradient in the pixels (chain rule).

        That pixels are clipped is ignored: a gradient of zero at the edge of the range would end a search there.

        Args:
          latents: ``(n, d)`` where.
          gradient: ``(n, *shape)`` in the pixels of the decoded images.

        Returns:
          ``(n, d)``.

        Raises:
          DataError: Arrays of another shape, or that are no numbers.
          NotApplicableError: The decoder tells no gradient.
        """

    @abstractmethod
    def natural(self) -> Naturalness:
        """How far images may be from each other and still be of this prior's kind.

        Raises:
          NotApplicableError: The prior knows no images.
        """

    def log_density(self, latents: Any) -> Floats:
        """Logarithm of how usual images are, but for a constant; ``(n,)`` for ``(n, d)``. Here standard normal.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        return np.asarray(-0.5 * (self._latents(latents) ** 2).sum(axis=1))

    def log_density_gradient(self, latents: Any) -> Floats:
        """Gradient of `log_density`; ``(n, d)`` for ``(n, d)``.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
          NotApplicableError: The density tells no gradient.
        """
        return -self._latents(latents)

    def start(self, rng: np.random.Generator) -> Floats:
        """Where a search begins: here the mean image; ``(d,)``."""
        return np.zeros(self.size)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Latents of ``n`` images as they are usual; ``(n, d)``."""
        return rng.standard_normal((n, self.size))

    def refine(self, latents: Any, step: int) -> Floats:
        """Latents as a search goes on with them after ``step`` steps: the hook for denoising; here they stay.

        References:
          Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
          Countermeasures. CCS 2015, algorithm 1: Process.
        """
        return self._latents(latents)

    def distance(self, images: Any) -> Floats:
        """How unnatural images are: about 1 for those of the prior's kind, much larger for noise.

        Natural images have principal components. An image is odd by its mean squared whitened coordinate, by what the
        components cannot express of it, or by how rough that is, whichever is worst; each is told as a multiple of
        what it is for natural images that the components were not fitted to.

        Args:
          images: ``(n, *shape)``.

        Returns:
          ``(n,)``, at least 0.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
          NotApplicableError: The prior knows no images.
        """
        return self.natural().distance(self._images(images))

    def _images(self, images: Any, what: str = "images") -> Floats:
        return checked_images(images, self.shape, what)

    def _latents(self, latents: Any) -> Floats:
        return _finite(latents, (self.size,), "latents")

    def _where(self, latents: Any, gradient: Any) -> tuple[Floats, Floats]:
        """Latents, and a gradient in the pixels of each."""
        where, slope = self._latents(latents), self._images(gradient, "gradients")
        if len(where) != len(slope):
            raise DataError(f"expected a gradient for each of {len(where)} images, got {len(slope)}")
        return where, slope


def checked_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one image.

    Raises:
      ConfigError: It is none.
    """
    try:
        sides = tuple(int(side) for side in shape)
        exact = sides == tuple(shape)
    except (TypeError, ValueError):
        sides, exact = (), False
    if not exact or not 1 <= len(sides) <= 3 or min(sides) < 1:
        raise ConfigError(
            f"expected the shape of one image as (height, width) or (height, width, channels), got {shape!r}"
        )
    return sides


def checked_range(low: float, high: float) -> tuple[float, float]:
    """The darkest and the brightest value of a pixel.

    Raises:
      ConfigError: They span nothing.
    """
    if not -np.inf < low < high < np.inf:
        raise ConfigError(f"expected the range of pixels as low < high, got {low!r} and {high!r}")
    return float(low), float(high)


def checked_images(images: Any, shape: tuple[int, ...] | None = None, what: str = "images") -> Floats:
    """Images as real numbers, ``(n, *shape)``; of whatever shape they all have, if None.

    Raises:
      DataError: Images of another shape, or pixels that are no numbers.
    """
    if shape is None:
        shape = np.shape(images)[1:]
        if not 1 <= len(shape) <= 3 or not min(shape):
            raise DataError(f"expected images of shape (n, height, width) or with channels, got {np.shape(images)}")
    return _finite(images, shape, what)


def _finite(values: Any, shape: tuple[int, ...], what: str) -> Floats:
    wanted = f"expected {what} of shape ({', '.join(['n', *map(str, shape)])})"
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise DataError(f"{wanted}, got {type(values).__name__} that is no array of numbers") from err
    if array.shape[1:] != shape or not array.ndim:
        raise DataError(f"{wanted}, got {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{wanted} without missing or infinite values, got {int((~np.isfinite(array)).sum())} of them")
    return array
