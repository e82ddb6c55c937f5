"""Are people trained on nearer to the profile of their class than others of the class?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.stats.null import sequential_p_value

PERMUTATIONS = 9_999
"""So many that a p-value withstands the correction for a whole audit."""


def nearer_p_value(members: list[Floats], others: list[Floats], rng: np.random.Generator) -> float:
    """Permutation test, within classes, that people trained on are nearer to the profile of their class.

    Two looks, paid for by Bonferroni: the mean distance, and that of the nearest person of each side, which tells more
    where a profile is one person of many. Distances are in units of the class's median.

    Args:
      members: For each class ``(k,)`` distances of people trained on.
      others: For each class ``(o,)`` distances of people whom the model never saw.
      rng: Where permutations come from.

    References:
      Besag, Clifford. Sequential Monte Carlo p-values. Biometrika 78 (1991), 301–304.
    """
    halves = [half for pair in zip(members, others, strict=True) for half in pair]
    sizes = np.array([len(half) for half in halves])
    starts = np.cumsum(sizes) - sizes
    group = np.repeat(np.arange(len(members)), sizes[::2] + sizes[1::2])
    units = [max(float(np.median(np.r_[ours, theirs])), 1e-12) for ours, theirs in zip(members, others, strict=True)]
    values = np.concatenate(halves) / np.array(units)[group]
    weights = sizes[::2] * sizes[1::2] / (sizes[::2] + sizes[1::2])

    def means(among: Floats) -> float:
        by_half = np.add.reduceat(among, starts) / sizes
        return float(weights @ (by_half[1::2] - by_half[::2]))

    def nearest(among: Floats) -> float:
        by_half = np.minimum.reduceat(among, starts)
        return float((by_half[1::2] - by_half[::2]).sum())

    def looked(statistic: Callable[[Floats], float]) -> float:
        """Arrangements that are equal but for rounding count as equal."""
        return sequential_p_value(
            round(statistic(values), 9),
            lambda: round(statistic(values[np.argsort(group + rng.random(len(values)))]), 9),
            PERMUTATIONS,
        )

    return min(1.0, 2 * min(looked(means), looked(nearest)))
