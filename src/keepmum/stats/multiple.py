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
