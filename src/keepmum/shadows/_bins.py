"""Records in groups by how surely models answer about them: curves are made of what groups have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 20
"""Groups, at most."""


def bins(values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Groups of about the same size, by value: the mean of each, ascending, and the group of each value."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    groups = np.searchsorted(edges, values, side="right")
    groups = np.unique(groups, return_inverse=True)[1]
    count = int(groups.max()) + 1
    return means(values, groups, count), groups


def means(values: Floats, groups: NDArray[np.intp], count: int) -> Floats:
    """Mean of the values of each group, ``(count,)``."""
    return np.asarray(np.bincount(groups, values, count) / np.bincount(groups, minlength=count))
