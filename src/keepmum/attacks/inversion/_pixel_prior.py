"""Images as their pixels, kept smooth or near a picture by weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness, rows_of
from keepmum.attacks.inversion._prior import Prior, checked_shape
from keepmum.attacks.inversion._public import natural_of, public_images
from keepmum.errors import ConfigError, NotApplicableError

Start = Literal["mean", "zeros", "blurred", "given", "noise"]
COMPONENTS = 40
"""Principal components of the public images that tell natural from unnatural."""
SMOOTH = 1e-3
"""Share of the range of pixels below which total variation is rounded off, so that it has a gradient."""


def blurred(images: Floats) -> Floats:
    """``(n, height, width, …)`` images with every pixel averaged with its neighbors, weights 1, 2, 1 each way."""
    for axis in range(1, min(images.ndim, 3)):
        wide = np.pad(images, [(int(a == axis), int(a == axis)) for a in range(images.ndim)], mode="edge")
        at = np.moveaxis(wide, axis, 0)
        images = np.moveaxis(0.25 * at[:-2] + 0.5 * at[1:-1] + 0.25 * at[2:], 0, axis)
    return images


class PixelPrior(Prior):
    """The pixels themselves, all of them or those that the attacker does not know.

    The attacker starts from a picture (black, the average of other people, a blurred one, noise, or one of which part
    is known) and moves its pixels. Nothing keeps the result a face, unless weights ask for smoothness.

    Args:
      shape: Of one image.
      low: The darkest value of a pixel.
      high: The brightest.
      start: ``"mean"`` of the public images (the middle of the range, if there are none), ``"zeros"`` (as dark as
        possible, where the range has no 0), ``"blurred"`` (the mean, blurred), ``"given"`` or ``"noise"`` (evenly
        within the range, another for each search).
      public: ``(n, *shape)`` the attacker's own images, or None.
      given: ``shape`` an image that is known in part, or None. Pixels that are not free are always its own.
      free: ``shape`` which pixels are unknown; all, if None.
      total_variation: Weight in the log-density of the total variation, pixels as shares of their range.
      l2: Weight of the squared distance to the start, in the same unit.
      blur_every: Steps of a search after each of which the image is processed; 0 for never.
      process: What is done to ``(n, *shape)`` images then.

    Raises:
      ConfigError: Settings that do not go together.
      DataError: Images of another shape, or pixels that are no numbers or out of range.

    References:
      Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
      Countermeasures. CCS 2015, algorithm 1.
      Rudin, Osher, Fatemi. Nonlinear Total Variation Based Noise Removal Algorithms. Physica D 60 (1992), 259-268.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        low: float,
        high: float,
        start: Start = "mean",
        *,
        public: Any = None,
        given: Any = None,
        free: Any = None,
        total_variation: float = 0.0,
        l2: float = 0.0,
        blur_every: int = 0,
        process: Callable[[Floats], Floats] = blurred,
    ) -> None:
        mask = np.ones(checked_shape(shape), dtype=bool) if free is None else np.asarray(free)
        super().__init__(shape, low, high, int(np.count_nonzero(mask)) or 1)
        _check(self, mask, start, given, total_variation, l2, blur_every)
        self._free = np.flatnonzero(mask)
        self._public = None if public is None else public_images(public, self.shape, low, high)
        self._given = None if given is None else public_images([given], self.shape, low, high, "a given image").ravel()
        self._from, self._weights = start, (float(total_variation), float(l2))
        self._every, self._process = blur_every, process
        self._anchor = self._beginning()

    def encode(self, images: Any) -> Floats:
        """The free pixels; ``(n, d)``.

        Raises:
          DataError: Images of another shape, or pixels that are no numbers.
        """
        return rows_of(self._images(images))[:, self._free]

    def decode(self, latents: Any) -> Floats:
        """The given image with these free pixels; ``(n, *shape)``, clipped.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        flat = self._filled(self._latents(latents))
        return np.clip(flat, self.low, self.high).reshape(len(flat), *self.shape)

    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """The gradient of the free pixels; ``(n, d)``.

        Raises:
          DataError: Arrays of another shape, or that are no numbers.
        """
        return self.encode(self._where(latents, gradient)[1])

    def log_density(self, latents: Any) -> Floats:
        """Minus the weighted total variation and squared distance to the start; ``(n,)``.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        return self._regularized(latents)[0]

    def log_density_gradient(self, latents: Any) -> Floats:
        """Gradient of `log_density`; ``(n, d)``.

        Raises:
          DataError: Latents of another shape, or that are no numbers.
        """
        return self._regularized(latents)[1]

    def start(self, rng: np.random.Generator) -> Floats:
        """The free pixels of the picture that a search begins with; ``(d,)``."""
        if self._from == "noise":
            return rng.uniform(self.low, self.high, self.size)
        return np.array(self._anchor[self._free])

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Public images at random, or noise if there are none; ``(n, d)``."""
        if self._public is None:
            return rng.uniform(self.low, self.high, (n, self.size))
        return self.encode(self._public[rng.integers(len(self._public), size=n)])

    def refine(self, latents: Any, step: int) -> Floats:
        """Latents of the processed images where it is time for that, else as they are; ``(n, d)``."""
        where = self._latents(latents)
        if not self._every or not step or step % self._every:
            return where
        return self.encode(self._process(self.decode(where)))

    def natural(self) -> Naturalness:
        """How far from the public images others are.

        Raises:
          NotApplicableError: There are no two different public images.
        """
        return self._natural

    @cached_property
    def _natural(self) -> Naturalness:
        if self._public is None or not np.ptp(self._public, axis=0).any():
            raise NotApplicableError("needs at least two different public images to tell what is natural: give public=")
        return natural_of(self._public, COMPONENTS, self.high - self.low)

    def _filled(self, latents: Floats) -> Floats:
        if self._given is None:
            return latents
        flat = np.tile(self._given, (len(latents), 1))
        flat[:, self._free] = latents
        return flat

    def _beginning(self) -> Floats:
        mean = np.full(self.shape, (self.low + self.high) / 2) if self._public is None else self._public.mean(axis=0)
        if self._from == "blurred":
            from scipy.ndimage import gaussian_filter1d

            for axis, side in enumerate(self.shape[:2]):
                mean = gaussian_filter1d(mean, side / 10, axis=axis, mode="nearest")
        if self._from == "zeros":
            mean = np.full(self.shape, np.clip(0.0, self.low, self.high))
        if self._from == "given" and self._given is not None:
            mean = self._given
        return np.asarray(mean, dtype=np.float64).ravel()

    def _regularized(self, latents: Any) -> tuple[Floats, Floats]:
        """Log-density and its gradient."""
        span, (smoothness, nearness) = self.high - self.low, self._weights
        flat = self._filled(self._latents(latents)) / span
        variation, slope = _total_variation(flat.reshape(len(flat), *self.shape))
        off = flat - self._anchor / span  # known pixels add a constant
        value = smoothness * variation + nearness * (off**2).sum(axis=1)
        gradient = smoothness * rows_of(slope) + 2 * nearness * off
        return -value, -gradient[:, self._free] / span


def _total_variation(images: Floats) -> tuple[Floats, Floats]:
    """Sum over pixels of the length of the step to the next ones, and its gradient; ``(n,)`` and as the images."""
    steps = []
    for axis in range(1, min(images.ndim, 3)):
        last = np.take(images, [-1], axis=axis)
        steps.append(np.diff(images, axis=axis, append=last))
    length = np.sqrt(sum((step**2 for step in steps), np.zeros_like(images)) + SMOOTH**2)
    gradient = np.zeros_like(images)
    for axis, step in enumerate(steps, start=1):
        # The last step is zero by construction, so that nothing is rolled over the edge.
        unit = step / length
        gradient += np.roll(unit, 1, axis=axis) - unit
    return rows_of(length - SMOOTH).sum(axis=1), gradient


def _check(prior: Prior, mask: Any, start: str, given: Any, total_variation: float, l2: float, blur_every: int) -> None:
    if start not in get_args(Start):
        raise ConfigError(f"expected start as one of {', '.join(get_args(Start))}, got {start!r}")
    if mask.dtype != np.bool_ or mask.shape != prior.shape or not mask.any():
        raise ConfigError(f"expected free as truth values of shape {prior.shape}, some of them true, got {mask.shape}")
    if given is None and (start == "given" or not mask.all()):
        raise ConfigError("expected the image that is known in part, got none: give given=")
    for name, weight in (("total_variation", total_variation), ("l2", l2)):
        if not 0 <= weight < np.inf:
            raise ConfigError(f"expected {name} as a number of at least 0, got {weight!r}")
    if blur_every < 0:
        raise ConfigError(f"expected blur_every as a number of steps, or 0 for never, got {blur_every!r}")
