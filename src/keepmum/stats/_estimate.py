"""A number that tells how sure it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval.

    Attributes:
      value: The estimate.
      low: Lower end of the interval.
      high: Upper end of the interval; infinity for a one-sided lower bound is written as the value None in JSON.
      confidence: Coverage that the interval is made for, 0.95 unless said.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
