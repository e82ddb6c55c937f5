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
