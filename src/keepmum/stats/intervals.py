"""Intervals for proportions and their differences."""

from __future__ import annotations

import math

from keepmum.errors import ConfigError, DataError
from keepmum.stats._estimate import Estimate


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is none.

    Raises:
      ConfigError: Not between 0 and 1, ends excluded.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"expected a confidence between 0 and 1, as in 0.95, got {confidence}")


def _check_counts(successes: float, trials: int) -> None:
    if not 0 <= successes <= trials or trials < 1:
        raise DataError(f"expected 0 … n successes in n > 0 trials, got {successes} in {trials}")


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Estimate:
    """Exact interval of a proportion.

    Args:
      successes: Number of hits, 0 … trials.
      trials: Number of attempts, at least 1.
      confidence: Two-sided coverage, between 0 and 1; guaranteed.

    Raises:
      DataError: No trials, or more successes than trials.
      ConfigError: A confidence out of range.

    References:
      Clopper, Pearson. Biometrika 26 (1934), 404–413.
    """
    _check_counts(successes, trials)
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    return Estimate(
        successes / trials,
        proportion_low(successes, trials, tail),
        proportion_high(successes, trials, tail),
        confidence,
    )


def proportion_low(successes: int, trials: int, error: float) -> float:
    """Exact lower bound: it is above the true proportion with probability at most ``error``."""
    from scipy.special import betaincinv

    return 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, error))


def proportion_high(successes: int, trials: int, error: float) -> float:
    """Exact upper bound: it is below the true proportion with probability at most ``error``."""
    from scipy.special import betaincinv

    return 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - error))


def wilson(successes: float, trials: int, confidence: float = 0.95) -> Estimate:
    """Score interval of a proportion: its *mean* coverage over all proportions is close to ``confidence``.

    At single proportions near 0 or 1 it covers less (0.91 where half a success is expected, 0.84 at 0.17); where a
    guarantee is needed, take `clopper_pearson`.

    Raises:
      DataError: No trials, or more successes than trials.
      ConfigError: A confidence out of range.

    References:
      Wilson. JASA 22 (1927), 209–212; Brown, Cai, DasGupta. Statistical Science 16 (2001), 101–133.
    """
    _check_counts(successes, trials)
    check_confidence(confidence)
    z = normal_quantile(1 - (1 - confidence) / 2)
    share = successes / trials
    center = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    low = max(0.0, center - half) if successes else 0.0  # exact ends where rounding would leave 5e-17
    high = min(1.0, center + half) if successes < trials else 1.0
    return Estimate(share, low, high, confidence)


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
