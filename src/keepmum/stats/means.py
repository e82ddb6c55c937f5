"""Means of a few values, with intervals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError
from keepmum.stats._estimate import Estimate


def mean(values: NDArray[np.float64], low: float = -math.inf, high: float = math.inf) -> Estimate:
    """Mean with Student's 95 % interval, kept between two bounds; a single value is bounded by these alone.

    Args:
      values: ``(n,)`` numbers.
      low: The interval is no lower.
      high: The interval is no higher.

    Raises:
      DataError: No values.
    """
    from scipy.special import stdtrit

    n = len(values)
    if not n:
        raise DataError("expected at least one value for a mean, got none")
    value = float(values.mean())
    half = math.inf if n < 2 else float(stdtrit(n - 1, 0.975) * values.std(ddof=1)) / math.sqrt(n)
    return Estimate(value, max(low, value - half), min(high, value + half))


def median(values: NDArray[np.float64], confidence: float = 0.95) -> Estimate:
    """Median with the interval between two order statistics, whatever the distribution.

    Fewer than six values have no such interval at 95 %; theirs is from the smallest to the largest, and the confidence
    is what that has.

    Args:
      values: ``(n,)`` numbers.
      confidence: Coverage, guaranteed where there are enough values.

    Raises:
      DataError: No values.

    References:
      David, Nagaraja. Order Statistics (2003), section 7.1.
    """
    from scipy.special import bdtr

    n = len(values)
    if not n:
        raise DataError("expected at least one value for a median, got none")
    ordered = np.sort(values)
    below = 0
    while bdtr(below, n, 0.5) <= (1 - confidence) / 2 and 2 * below + 2 < n:
        below += 1
    reached = 1 - 2 * 0.5**n if n > 1 else 0.0
    low, high = ordered[max(0, below - 1)], ordered[min(n - 1, n - below)]
    return Estimate(float(np.median(ordered)), float(low), float(high), confidence if below else reached)
