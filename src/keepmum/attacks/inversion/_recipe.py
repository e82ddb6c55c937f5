"""What an attacker's prior is to be, and what images are declared to look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._public import ranged
from keepmum.attacks.inversion.priors import PcaPrior, PixelPrior, Prior, VaePrior
from keepmum.choices import PriorName
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, DataError

Pixels = tuple[float, float]


@dataclass(frozen=True)
class PriorRecipe:
    """A kind of prior, to be fitted to the attacker's own images.

    Attributes:
      kind: ``"pca"``, principal components; ``"vae"``, a variational auto-encoder, which needs torch; ``"pixels"``, the
        pixels themselves, from the mean image on.
      components: Latent numbers at most; as many as the kind has by itself if None. Pixels have none.

    Raises:
      ConfigError: No such kind, fewer than one component, or components of pixels.
    """

    kind: str = PriorName.PCA
    components: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in list(PriorName):
            raise ConfigError(f"expected the prior {', '.join(PriorName)}, got {self.kind!r}")
        if self.components is not None and (self.components < 1 or self.kind == PriorName.PIXELS):
            raise ConfigError(
                f"expected components of pca or vae, at least 1, got {self.components} of {self.kind}: pixels have none"
            )

    def fit(self, images: Floats, pixels: Pixels | None, seed: int) -> Prior:
        """The prior of public images.

        Args:
          images: ``(n, *shape)``.
          pixels: The darkest and the brightest value of a pixel; those seen if None.
          seed: Of what is trained.

        Raises:
          DataError: Too few images, or pixels out of range.
          MissingExtraError: torch is not installed.
        """
        low, high = pixels or (None, None)
        if self.kind == PriorName.PIXELS:
            images, least, most = ranged(images, low, high)
            return PixelPrior(images.shape[1:], least, most, public=images)
        more = {} if self.components is None else {"components": self.components}
        if self.kind == PriorName.PCA:
            return PcaPrior.fit(images, **more, low=low, high=high)
        size = {} if self.components is None else {"size": self.components}
        return VaePrior.fit(images, **size, low=low, high=high, seed=seed)


def checked_pixels(pixels: object) -> Pixels | None:
    """A declared range of pixels.

    Raises:
      ConfigError: It is none.
    """
    if pixels is None:
        return None
    try:
        low, high = (float(value) for value in pixels)  # type: ignore[attr-defined]  # what is no pair is told below
    except (TypeError, ValueError) as err:
        raise ConfigError(f"expected pixels as the darkest and the brightest value, got {pixels!r}") from err
    if not -np.inf < low < high < np.inf:
        raise ConfigError(f"expected pixels from the darkest to a brighter value, got {low:g} to {high:g}")
    return low, high


def refuse_images(split: Split, pixels: Pixels | None) -> None:
    """Hold the images of an audit against each other and against what is declared of them.

    Raises:
      DataError: The population's are of another shape than the members', or pixels are out of range.
    """
    wanted = tuple(split.members.X.shape[1:])
    sides = {"members": split.members, "nonmembers": split.nonmembers, "population": split.population}
    for name, side in sides.items():
        if side is None:
            continue
        there = tuple(getattr(side.X, "shape", ()))[1:]
        if there != wanted:
            raise DataError(f"{name}: expected images of shape {wanted}, as the members are, got {there}")
        _refuse_range(name, side, pixels)


def _refuse_range(name: str, side: Records, pixels: Pixels | None) -> None:
    if pixels is None or not side.X.size:
        return
    low, high = float(side.X.min()), float(side.X.max())
    if not (pixels[0] <= low and high <= pixels[1]):
        raise DataError(
            f"{name}: expected pixels from {pixels[0]:g} to {pixels[1]:g}, as declared, got {low:g} to {high:g}: "
            "declare the range that they have (pixels=, --pixels)"
        )
