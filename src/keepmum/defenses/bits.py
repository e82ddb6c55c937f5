"""How much one answer can tell: bits, at the most."""

from __future__ import annotations

import math

from keepmum.errors import ConfigError

DOUBLE = 52
"""Bits of the fraction of a double."""


def bits_per_answer(classes: int, decimals: int | None = None) -> float:
    """Logarithm to base 2 of the number of different rows of probabilities.

    With d decimals there are as many rows as ways to put 10^d units into K classes. Without rounding each of K - 1
    numbers may be any double between 0 and 1: an upper bound, which counts their fractions.

    Args:
      classes: K, at least 2.
      decimals: d, 0 or more; None where nothing is rounded.

    Raises:
      ConfigError: A number out of range.
    """
    if classes < 2 or (decimals is not None and decimals < 0):
        raise ConfigError(f"expected at least 2 classes and 0 decimals or more, got {classes} and {decimals}")
    if decimals is None:
        return float(DOUBLE * (classes - 1))
    return compositions(10**decimals, classes)


def compositions(units: int, parts: int) -> float:
    """Logarithm to base 2 of the number of ways to put units into parts: ``log2 C(units + parts - 1, parts - 1)``."""
    return (math.lgamma(units + parts) - math.lgamma(units + 1) - math.lgamma(parts)) / math.log(2)


def label_bits(classes: int) -> float:
    """Bits of a label alone: ``log2 K``."""
    return math.log2(classes)
