"""The least privacy loss that one training run proves: which of each pair was trained on, guessed for many pairs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import ConfigError, DataError
from keepmum.stats._estimate import Estimate
from keepmum.stats.intervals import check_confidence

Floats = NDArray[np.float64]

LARGEST = 50.0
"""No larger epsilon is looked for."""
FEWEST = 4
"""Fewer guesses than this are not counted apart."""


def epsilon_one_run(differences: Floats, delta: float = 0.0, confidence: float = 0.95) -> Estimate:
    """Lower bound on epsilon from coin flips: of each pair of secrets, a fair coin decided which was trained on.

    Whoever sees the model guesses the one that it favors, and holds back where it favors neither by much. If training
    is (epsilon, delta)-private, so that replacing one secret of a pair *with all its copies* by the other changes
    little, right guesses are no more frequent than flips of a coin that shows heads with ``e^eps / (1 + e^eps)``. How
    many guesses are made is fixed beforehand: all, and the surest half, quarter, eighth … of the pairs; the error
    is divided among these looks (Bonferroni). A pair of equal scores counts as a wrong guess.

    Args:
      differences: ``(m,)`` score of the planted secret minus that of its twin, higher = more likely trained on.
      delta: The delta of the claim, 0 … 1.
      confidence: One-sided, between 0 and 1.

    Returns:
      The bound as value and low end; above it nothing is claimed (``high`` is infinite).

    Raises:
      DataError: No pairs, or differences that are not finite.
      ConfigError: A delta or a confidence out of range.

    References:
      Steinke, Nasr, Jagielski. Privacy Auditing with One (1) Training Run. NeurIPS 2023, arXiv:2305.08846,
      theorem 5.2.
    """
    check_confidence(confidence)
    if not 0 <= delta <= 1:
        raise ConfigError(f"expected a delta between 0 and 1, got {delta}")
    if not len(differences) or not np.isfinite(differences).all():
        raise DataError("expected a finite difference of scores for each of at least one pair")
    pairs = len(differences)
    right = differences[np.lexsort((differences, -np.abs(differences)))] > 0  # equal sizes: wrong guesses first
    looks = [pairs >> halved for halved in range(pairs.bit_length()) if pairs >> halved >= FEWEST] or [pairs]
    error = (1 - confidence) / len(looks)
    best = max(epsilon_refuted(pairs, made, int(right[:made].sum()), delta, error) for made in looks)
    return Estimate(best, best, math.inf, confidence)


def epsilon_refuted(pairs: int, made: int, right: int, delta: float, error: float, close: float = 1e-4) -> float:
    """The largest epsilon under which so many right guesses are too rare to believe; 0 if there is none."""
    return largest_refuted(lambda epsilon: one_run_p_value(pairs, made, right, epsilon, delta) <= error, close)


def largest_refuted(refuted: Callable[[float], bool], close: float = 1e-4) -> float:
    """The largest number that is refuted, where all below it are; 0 if none is, and no more than `LARGEST`."""
    if not refuted(0.0):
        return 0.0
    low, high = 0.0, LARGEST
    while high - low > close:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def one_run_p_value(pairs: int, made: int, right: int, epsilon: float, delta: float = 0.0) -> float:
    """Chance, at the most, of so many right guesses if training is (epsilon, delta)-private.

    Args:
      pairs: Coins flipped, ``m``.
      made: Guesses made, at most one a pair.
      right: Guesses that were right.
      epsilon: Of the claim, 0 or more.
      delta: Of the claim, 0 … 1.

    References:
      arXiv:2305.08846, theorem 5.2, with its correction for delta.
    """
    from scipy.stats import binom

    heads = 1 / (1 + math.exp(-epsilon))
    chance = float(binom.sf(right - 1, made, heads))
    if delta == 0 or right == 0:
        return chance
    fewer = np.arange(1, right + 1)
    below = np.cumsum(binom.pmf(right - fewer, made, heads))  # P(right > W >= right - i)
    return min(1.0, chance + 2 * pairs * delta * float((below / fewer).max()))
