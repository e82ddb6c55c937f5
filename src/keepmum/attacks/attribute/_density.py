"""Densities of a model's error, as logarithms: far out in their tails they are 0 otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.attribute._question import Guesses

Floats = NDArray[np.float64]
SMALLEST = 1e-9
"""Errors are never taken to be smaller than this share of the largest."""


def log_gaussian(residuals: Floats, spread: float) -> Floats:
    """Log density of residuals with mean 0 and this standard deviation, up to a constant."""
    return np.asarray(-0.5 * (residuals / floored(spread, residuals)) ** 2)


def log_exponential(losses: Floats, mean: float) -> Floats:
    """Log density of losses with this mean, up to a constant."""
    return np.asarray(-losses / floored(mean, losses))


def floored(size: float, errors: Floats) -> float:
    """A typical error, above 0 also for a model that makes none."""
    return max(size, SMALLEST * float(np.abs(errors).max(initial=0.0)), 1e-300)


def posterior_of_logs(logs: Floats, prior: Floats) -> Guesses:
    """``density · prior``, scaled so that each person's values sum to 1.

    Args:
      logs: ``(n, V, completions)`` log densities, of which the mean density over completions is taken.
      prior: ``(V,)`` or ``(n, V)``.
    """
    top = logs.max(axis=(1, 2), keepdims=True)
    weighed = np.exp(logs - top).mean(axis=2) * prior
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))
