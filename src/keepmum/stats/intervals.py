"""Intervals for proportions and their differences."""

from __future__ import annotations

import math

from keepmum.stats._estimate import Estimate


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Estimate:
    """Exact interval of a proportion.

    Args:
      successes: Number of hits, 0 … trials.
      trials: Number of attempts, at least 1.
      confidence: Two-sided coverage.

    References:
      Clopper, Pearson. Biometrika 26 (1934), 404–413.
    """
    tail = (1 - confidence) / 2
    return Estimate(
        successes / trials,
        proportion_low(successes, trials, tail),
        proportion_high(successes, trials, tail),
        confidence,
    )


def proportion_low(successes: int, trials: int, error: float) -> float:
    """Exact lower bound of a proportion, exceeded by the truth with probability at least ``1 - error``."""
    from scipy.special import betaincinv

    return 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, error))


def proportion_high(successes: int, trials: int, error: float) -> float:
    """Exact upper bound of a proportion, above the truth with probability at least ``1 - error``."""
    from scipy.special import betaincinv

    return 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - error))


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Estimate:
    """Score interval of a proportion (Wilson, JASA 22 (1927), 209–212)."""
    z = normal_quantile(1 - (1 - confidence) / 2)
    share = successes / trials
    center = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Estimate(share, max(0.0, center - half), min(1.0, center + half), confidence)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """``first - second`` of two independent estimates, from their intervals.

    With Wilson intervals this is method 10 of Newcombe (1998); in general the square-and-add rule of
    Zou and Donner, Statistics in Medicine 27 (2008), 1693–1702.
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, low, high, min(first.confidence, second.confidence))


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(probability))
