"""Could these scores come from a model that never saw the members? Tests of exchangeability."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from keepmum.stats.area import Scores, check_scores, midranks

TOP_SHARES = (0.1, 0.01, 0.001)
ENOUGH = 16
"""People on the smaller side, in units of the kurtosis of the ranks, from which the rank sum counts as normal."""


def rank_sum_p_value(members: Scores, nonmembers: Scores) -> float:
    """One-sided test that members score higher: Mann–Whitney, with the tie-corrected variance.

    The normal approximation is used where the smaller side's rank sum is close to normal. Where few scores decide
    (two values only, a handful of people off a common score, a tiny side) it would promise too much; there it is
    replaced by the exact test of `median_p_value`.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.

    References:
      Mann, Whitney. Annals of Mathematical Statistics 18 (1947), 50–60; ties: Lehmann. Nonparametrics (1975), 1.4.
    """
    from scipy.special import ndtr

    m, n = len(members), len(nonmembers)
    centered = midranks(np.concatenate([members, nonmembers])) - (m + n + 1) / 2
    second = float((centered**2).mean())
    if second == 0:
        return 1.0
    kurtosis = float((centered**4).mean()) / second**2
    if min(m, n) < ENOUGH * kurtosis or len(np.unique(centered)) == 2:
        return median_p_value(members, nonmembers)
    variance = m * n * second / (m + n - 1)
    return float(ndtr(-(float(centered[:m].sum()) - 0.5) / math.sqrt(variance)))


def median_p_value(members: Scores, nonmembers: Scores) -> float:
    """One-sided exact test that members lie more often above, or less often below, the median of the pool.

    With two distinct scores it is Fisher's exact test. Otherwise there are two looks, paid for by Bonferroni.

    References:
      Mood. Introduction to the Theory of Statistics (1950), section 16.5.
    """
    from scipy.stats import hypergeom

    m, n = len(members), len(nonmembers)
    pooled = np.sort(np.concatenate([members, nonmembers]))
    middle = pooled[(m + n) // 2]
    looks = []
    for ours, theirs in ((members > middle, nonmembers > middle), (nonmembers < middle, members < middle)):
        found, outside = int(ours.sum()), int(ours.sum() + theirs.sum())
        if outside:
            looks.append(float(hypergeom.sf(found - 1, m + n, outside, len(ours))))
    return min(1.0, len(looks) * min(looks)) if looks else 1.0


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

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.

    Raises:
      DataError: Empty or missing scores.
    """
    check_scores(members, nonmembers)
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
