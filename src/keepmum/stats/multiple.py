"""Several questions at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values that keep the chance of any false alarm at the level, whatever the dependence.

    References:
      Holm. Scandinavian Journal of Statistics 6 (1979), 65–70.
    """
    count = len(p_values)
    order = np.argsort(p_values)
    steps = p_values[order] * (count - np.arange(count))
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if count else steps
    return adjusted


def benjamini_hochberg(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values that keep the expected share of false alarms among all alarms at the level.

    It holds for independent tests, and for those that depend on each other in the positive sense.

    References:
      Benjamini, Hochberg. Journal of the Royal Statistical Society B 57 (1995), 289–300; dependence: Benjamini,
      Yekutieli. Annals of Statistics 29 (2001), 1165–1188.
    """
    count = len(p_values)
    order = np.argsort(p_values)
    steps = p_values[order] * count / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(steps[::-1])[::-1]) if count else steps
    return adjusted
