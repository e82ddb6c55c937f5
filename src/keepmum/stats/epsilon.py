"""The least privacy loss that the scores prove."""

from __future__ import annotations

import math

import numpy as np

from keepmum.stats._estimate import Estimate
from keepmum.stats.intervals import proportion_high, proportion_low
from keepmum.stats.roc import Scores, _check


def rank_grid(size: int) -> list[int]:
    """Ranks 0, 1, 3, 10, 31, 100 … below half of ``size``: thresholds fixed before the scores are seen."""
    grid = [0] + [round(10 ** (step / 2)) for step in range(2 * 9)]
    return sorted({rank for rank in grid if rank < max(1, size / 2)})


def epsilon_lower_bound(
    members: Scores, nonmembers: Scores, delta: float = 0.0, confidence: float = 0.95
) -> Estimate:
    """Lower bound on epsilon of any (epsilon, delta) claim that these scores are consistent with.

    At each threshold an (epsilon, delta)-private training obeys ``TPR <= e^eps FPR + delta`` and
    ``1 - FPR <= e^eps (1 - TPR) + delta`` (Kairouz, Oh, Viswanath 2015, theorem 2.1). Both rates get exact bounds.
    Thresholds stand at fixed ranks, and the error is divided among all of them (Bonferroni), so that choosing
    the best is paid for. The value is the bound itself; above it nothing is claimed (``high`` is infinite).

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      delta: The delta of the claim, 0 … 1.
      confidence: One-sided.
    """
    _check(members, nonmembers)
    low_ranks, high_ranks = rank_grid(len(members)), rank_grid(len(nonmembers))
    error = (1 - confidence) / (2 * (len(low_ranks) + len(high_ranks)))
    best = 0.0
    for ours, theirs, ranks in ((members, nonmembers, high_ranks), (-nonmembers, -members, low_ranks)):
        ordered = np.sort(theirs)[::-1]
        for rank in ranks:
            hits = int((ours > ordered[rank]).sum())
            rare = proportion_high(rank, len(theirs), error)
            common = proportion_low(hits, len(ours), error) - delta
            if common > rare:
                best = max(best, math.log(common / rare))
    return Estimate(best, best, math.inf, confidence)
