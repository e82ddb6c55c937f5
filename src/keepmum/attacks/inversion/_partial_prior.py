"""Images of which part is known, completed as another prior draws them."""

from __future__ import annotations

from typing import Any

import numpy as np

from keepmum.attacks.inversion._adam import Adam
from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness
from keepmum.attacks.inversion._prior import Prior
from keepmum.errors import ConfigError, NotApplicableError

STEPS, RATE = 200, 0.05
"""Steps that the completion of the known part takes, and their size in standard deviations of a latent number."""


class PartialPrior(Prior):
    """Another prior's images, with the pixels that the attacker knows put in.

    The attacker has half of a picture, a face behind sunglasses, say, and looks for the other half. Every image that
    the model is asked about has the known pixels as they are; how usual it is depends on how well the prior's own
    image agrees with them, so that both halves fit together.

    Args:
      prior: Draws whole images.
      given: ``shape`` the image that is known in part.
      free: ``shape`` which pixels are unknown.
      tolerance: Standard deviation of a known pixel around the prior's image, as a share of the range of pixels.

    Raises:
      ConfigError: No pixel is unknown, or a tolerance that is not above 0.
      DataError: Images of another shape, or pixels that are no numbers.
    """

    def __init__(self, prior: Prior, given: Any, free: Any, tolerance: float = 0.1) -> None:
        super().__init__(prior.shape, prior.low, prior.high, prior.size)
        mask = np.asarray(free)
        if mask.dtype != np.bool_ or mask.shape != self.shape or not mask.any():
            raise ConfigError(f"expected free as truth values of shape {self.shape}, some of them true: give a mask")
        if not 0 < tolerance < np.inf:
            raise ConfigError(f"expected a tolerance above 0, got {tolerance!r}")
        self._whole, self._free = prior, mask
        self._given = self._images([given], "given images")[0]
        self._variance = (tolerance * (self.high - self.low)) ** 2

    def encode(self, images: Any) -> Floats:
        """Latent numbers of images with the known pixels put in; ``(n, d)``."""
        return self._whole.encode(self._completed(self._images(images)))

    def decode(self, latents: Any) -> Floats:
        """The prior's images with the known pixels put in; ``(n, *shape)``."""
        return self._completed(self._whole.decode(latents))

    def pull_back(self, latents: Any, gradient: Any) -> Floats:
        """The gradient of the unknown pixels in the latent numbers; ``(n, d)``."""
        return self._whole.pull_back(latents, np.where(self._free, self._images(gradient, "gradients"), 0.0))

    def log_density(self, latents: Any) -> Floats:
        """The prior's, less the squared distance of its image from the known pixels; ``(n,)``."""
        off = self._off(latents)
        misfit = (off**2).reshape(len(off), -1).sum(axis=1) / (2 * self._variance)
        return np.asarray(self._whole.log_density(latents) - misfit)

    def log_density_gradient(self, latents: Any) -> Floats:
        """Gradient of `log_density`; ``(n, d)``."""
        misfit = self._whole.pull_back(latents, self._off(latents) / self._variance)
        return np.asarray(self._whole.log_density_gradient(latents) - misfit)

    def start(self, rng: np.random.Generator) -> Floats:
        """The likeliest completion of what is known; the prior's own start where it tells no gradients; ``(d,)``."""
        latents, climb = self._whole.start(rng)[None], Adam(RATE)
        try:
            for step in range(STEPS):
                latents = latents + climb.step(self.log_density_gradient(latents), 1 - step / STEPS)
        except NotApplicableError:
            pass
        return np.asarray(latents[0])

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Latents of whole images as they are usual; ``(n, d)``."""
        return self._whole.draw(n, rng)

    def refine(self, latents: Any, step: int) -> Floats:
        """As the prior does; ``(n, d)``."""
        return self._whole.refine(latents, step)

    def natural(self) -> Naturalness:
        """What the prior's images look like."""
        return self._whole.natural()

    def _completed(self, images: Floats) -> Floats:
        return np.where(self._free, images, self._given)

    def _off(self, latents: Any) -> Floats:
        """How far known pixels are off in the prior's own images, 0 at unknown ones; ``(n, *shape)``."""
        return np.where(self._free, 0.0, self._whole.decode(latents) - self._given)
