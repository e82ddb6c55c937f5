"""Probabilities as the middles of bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense, is_whole
from keepmum.defenses.bits import label_bits
from keepmum.defenses.output._units import first_kept
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats


@dataclass(frozen=True)
class Bins(OutputDefense):
    """Puts each probability into one of some bins of equal width, tells its middle, and makes rows sum to 1.

    Attributes:
      bins: Between 0 and 1, at least 2.

    Raises:
      ConfigError: Fewer than 2.

    References:
      Shokri, Stronati, Song, Shmatikov. S&P 2017, arXiv:1610.05820, on coarse predictions.
    """

    id: ClassVar[str] = "output/bins"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)

    bins: int = 10

    def __post_init__(self) -> None:
        if not is_whole(self.bins) or self.bins < 2:
            raise ConfigError(f"expected at least 2 bins, got {self.bins!r}")

    def answer(self, scores: Floats) -> Floats:
        """Middles of bins; of several classes in the highest bin the likeliest comes out a little ahead."""
        place = np.minimum(np.floor(scores * self.bins), self.bins - 1)
        middles = (place + 0.5) / self.bins
        told = first_kept(middles / middles.sum(axis=1, keepdims=True), scores.argmax(axis=1))
        return np.asarray(told)

    def bits(self, classes: int) -> float:
        """``K log2 bins`` and the likeliest class, at the most."""
        return classes * math.log2(self.bins) + label_bits(classes)
