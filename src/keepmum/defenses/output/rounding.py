"""Probabilities with few decimals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense, is_whole
from keepmum.defenses.bits import bits_per_answer
from keepmum.defenses.output._units import in_units
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats

MOST = 12


@dataclass(frozen=True)
class Rounding(OutputDefense):
    """Rounds probabilities by largest remainder, so that rows still sum to 1 and no label changes.

    It stops neither inversion by queries nor an attacker whose shadow models stand behind the same rounding.

    Attributes:
      decimals: Decimals that are kept, 0 … 12; of a regression model's values in their own units.

    Raises:
      ConfigError: Decimals out of range.

    References:
      Shokri, Stronati, Song, Shmatikov. S&P 2017, arXiv:1610.05820, on coarse predictions; largest remainder:
      Hamilton's method of apportionment.
    """

    id: ClassVar[str] = "output/rounding"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)

    decimals: int = 2

    def __post_init__(self) -> None:
        if not is_whole(self.decimals) or not 0 <= self.decimals <= MOST:
            raise ConfigError(f"expected 0 to {MOST} decimals, got {self.decimals!r}")

    def answer(self, scores: Floats) -> Floats:
        """Rounded rows."""
        units = 10**self.decimals
        return np.asarray(in_units(scores, units) / units)

    def answer_values(self, values: Floats) -> Floats:
        """Values with so many decimals; halves go to the even one."""
        return np.asarray(np.round(values, self.decimals))

    def bits(self, classes: int) -> float:
        """Logarithm of the number of rounded rows."""
        return bits_per_answer(classes, self.decimals)
