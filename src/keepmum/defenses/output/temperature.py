"""Answers made flatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense
from keepmum.defenses.output._units import first_kept
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats


@dataclass(frozen=True)
class Temperature(OutputDefense):
    """Divides logits by a temperature. Whoever knows it undoes it.

    Attributes:
      temperature: Above 0; above 1 answers get flatter.

    Raises:
      ConfigError: Not above 0.

    References:
      Guo, Pleiss, Sun, Weinberger. ICML 2017, arXiv:1706.04599; as a defense: Shokri, Stronati, Song, Shmatikov. S&P
      2017, arXiv:1610.05820.
    """

    id: ClassVar[str] = "output/temperature"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1706.04599", "arXiv:1610.05820")

    temperature: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise ConfigError(f"expected a temperature above 0, got {self.temperature!r}")

    def answer(self, scores: Floats) -> Floats:
        """``p^(1/T)``, made to sum to 1."""
        return _flattened(scores, self.temperature)

    def undone(self, answers: Floats) -> Floats:
        """``q^T``, made to sum to 1: what the model said, as far as numbers can tell."""
        return _flattened(answers, 1 / self.temperature)


def _flattened(scores: Floats, temperature: float) -> Floats:
    with np.errstate(divide="ignore"):
        logs = np.log(scores) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return first_kept(powers / powers.sum(axis=1, keepdims=True), scores.argmax(axis=1))
