"""Could these scores come from a model that never saw the members? Exact tests of exchangeability."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from keepmum.stats.roc import Scores, midranks

TOP_SHARES = (0.1, 0.01, 0.001)


def rank_sum_p_value(members: Scores, nonmembers: Scores) -> float:
    """One-sided Mann–Whitney test that members score higher, with the tie-corrected variance.

    References:
      Mann, Whitney. Annals of Mathematical Statistics 18 (1947), 50–60.
    """
    from scipy.special import ndtr

    m, n = len(members), len(nonmembers)
    pooled = np.concatenate([members, nonmembers])
    total = m + n
    ranks = midranks(pooled)
    counts = np.unique(pooled, return_counts=True)[1].astype(float)
    ties = float((counts**3 - counts).sum()) / (total * (total - 1)) if total > 1 else 0.0
    variance = m * n / 12 * (total + 1 - ties)
    if variance <= 0:
        return 1.0
    statistic = float(ranks[:m].sum()) - m * (m + 1) / 2 - m * n / 2
    return float(ndtr(-(statistic - 0.5) / math.sqrt(variance)))


def top_share_p_value(members: Scores, nonmembers: Scores, share: float) -> float:
    """Are the highest scores members more often than chance? Exact hypergeometric test on the top of the pool.

    The top is the given share of all scores, enlarged to whole groups of equal scores; how large it is depends on
    the pool alone, so the test is exact given the pool.
    """
    from scipy.stats import hypergeom

    pooled = np.concatenate([members, nonmembers])
    size = max(1, math.floor(share * len(pooled)))
    cut = np.partition(pooled, len(pooled) - size)[len(pooled) - size]
    top = int((pooled >= cut).sum())
    found = int((members >= cut).sum())
    return float(hypergeom.sf(found - 1, len(pooled), len(members), top))


def membership_p_value(members: Scores, nonmembers: Scores) -> float:
    """Evidence against "no leak" from the whole ranking and from its top, paid for by Bonferroni.

    Four looks: the rank sum, and the top 10 %, 1 % and 0.1 % of the pool (those that hold at least 3 scores).
    """
    shares = [s for s in TOP_SHARES if s * (len(members) + len(nonmembers)) >= 3]
    looks = [rank_sum_p_value(members, nonmembers)]
    looks += [top_share_p_value(members, nonmembers, share) for share in shares]
    return min(1.0, len(looks) * min(looks))


def sequential_p_value(observed: float, draw: Callable[[], float], most: int = 999, enough: int = 20) -> float:
    """Permutation p-value that stops as soon as it is clearly not small.

    Args:
      observed: Statistic of the data; larger = more extreme.
      draw: Statistic of one more random permutation.
      most: Permutations at the most; the p-value is never below ``1 / (most + 1)``.
      enough: Stop after this many permutations at least as extreme.

    References:
      Besag, Clifford. Sequential Monte Carlo p-values. Biometrika 78 (1991), 301–304.
    """
    exceeded = 0
    for drawn in range(1, most + 1):
        exceeded += draw() >= observed
        if exceeded == enough:
            return enough / drawn
    return (exceeded + 1) / (most + 1)
