"""Area under the ROC curve: the chance that a member scores above a non-member. Ties count half."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError
from keepmum.stats._estimate import Estimate
from keepmum.stats.intervals import check_confidence, clopper_pearson, normal_quantile

Scores = NDArray[np.float64]

FEW_LOSSES = 10
"""Expected losses of the smaller side below which the normal approximation of the area is not trusted alone."""


def check_scores(members: Scores, nonmembers: Scores) -> None:
    """Refuse scores that are not two filled columns of numbers; infinite scores are fine, they only have an order.

    Raises:
      DataError: Not of shape (n,), empty, or with NaN.
    """
    for name, scores in (("members", members), ("non-members", nonmembers)):
        if scores.ndim != 1 or not len(scores):
            raise DataError(f"expected scores of the {name} of shape (n,), n > 0, got {scores.shape}")
        if np.isnan(scores).any():
            raise DataError(f"expected a score for each of the {name}, got {int(np.isnan(scores).sum())} NaN")


def midranks(values: Scores) -> Scores:
    """Ranks 1 … n in the order of the values; equal values share the mean of their ranks."""
    order = np.argsort(values)
    ordered = values[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    last = np.r_[first[1:], len(values)]
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((first + 1 + last) / 2, last - first)
    return ranks


def placements(members: Scores, nonmembers: Scores) -> tuple[Scores, Scores]:
    """Share of the other side that lies below a member ``(m,)`` and above a non-member ``(n,)``, ties half."""
    m, n = len(members), len(nonmembers)
    ranks = midranks(np.concatenate([members, nonmembers]))
    above = (ranks[:m] - midranks(members)) / n
    below = 1 - (ranks[m:] - midranks(nonmembers)) / m
    return above, below


def auc_value(members: Scores, nonmembers: Scores) -> float:
    """Area under the ROC curve: the probability that a member scores above a non-member, ties half."""
    return float(placements(members, nonmembers)[0].mean())


def auc(members: Scores, nonmembers: Scores, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve with an interval on the logit scale.

    The variance is DeLong's, the quantile Student's with the degrees of freedom of Brunner and Munzel. Two additions
    keep the coverage where DeLong alone loses it:

    * Nearly constant scores (a model that is right about almost everybody): the variance gets the two
      pseudo-observations a side of Agresti and Caffo, weighted by the chance of a tie. For two-valued scores that is
      their interval's variance; without ties it is DeLong's.
    * Nearly separated sides (fewer than `FEW_LOSSES` expected losses): the interval is the hull with
      Newcombe's method 5. Without any loss it is the exact one of ``min(m, n)`` disjoint pairs, all in order.

    One person alone on a side bounds nothing: the interval is 0 … 1.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      confidence: Two-sided coverage, between 0 and 1.

    Raises:
      DataError: Empty or missing scores.
      ConfigError: A confidence out of range.

    References:
      DeLong, DeLong, Clarke-Pearson. Biometrics 44 (1988), 837–845; midranks as in Sun, Xu. IEEE SPL 21 (2014);
      logit scale: Pepe. The Statistical Evaluation of Medical Tests (2003), section 5.2;
      Brunner, Munzel. Biometrical Journal 42 (2000), 17–25; Agresti, Caffo. American Statistician 54 (2000), 280–288;
      Newcombe. Statistics in Medicine 25 (2006), 559–573.
    """
    check_scores(members, nonmembers)
    check_confidence(confidence)
    above, below = placements(members, nonmembers)
    area = float(above.mean())
    pairs = min(len(members), len(nonmembers))
    if pairs == 1:
        return Estimate(area, 0.0, 1.0, confidence)
    if area in (0.0, 1.0):
        return clopper_pearson(int(area) * pairs, pairs, confidence)
    tied = _tie_share(members, nonmembers)
    variance = _variance(above, area, tied) + _variance(below, area, tied)
    quantile = _student(above, below, 1 - (1 - confidence) / 2)
    center, spread = math.log(area / (1 - area)), quantile * math.sqrt(variance) / (area * (1 - area))
    low, high = _expit(center - spread), _expit(center + spread)
    if pairs * min(area, 1 - area) < FEW_LOSSES:
        floor, ceiling = _newcombe(area, len(members), len(nonmembers), confidence)
        low, high = min(low, floor), max(high, ceiling)
    return Estimate(area, low, high, confidence)


def _tie_share(members: Scores, nonmembers: Scores) -> float:
    """Share of the pairs of a member and a non-member that score the same."""
    values, theirs = np.unique(nonmembers, return_counts=True)
    place = np.minimum(np.searchsorted(values, members), len(values) - 1)
    return float(theirs[place][values[place] == members].sum()) / (len(members) * len(nonmembers))


def _variance(placed: Scores, area: float, tied: float) -> float:
    """DeLong's variance of one side, or that with two pseudo-observations if it is larger.

    Two-valued scores place people 1/2 apart, a share p here and 1 - p there. One more of each adds
    ``(p^2 + (1 - p)^2) / 4`` to the sum of squares, and the bracket is the chance of a tie.
    """
    n = len(placed)
    squares = float(((placed - area) ** 2).sum())
    return max(squares / (n - 1) / n, (squares + tied / 4) / (n + 1) / (n + 2))


def _student(above: Scores, below: Scores, probability: float) -> float:
    """Quantile of Student's distribution with Satterthwaite's degrees of freedom."""
    from scipy.special import stdtrit

    parts = [(float(placed.var(ddof=1)) / len(placed), len(placed) - 1) for placed in (above, below)]
    spread = sum(part**2 / free for part, free in parts)
    free = sum(part for part, _ in parts) ** 2 / spread if spread > 0 else len(above) + len(below) - 2
    return float(stdtrit(free, probability))


def _newcombe(area: float, m: int, n: int, confidence: float) -> tuple[float, float]:
    """Score interval with Hanley and McNeil's variance, both sides of the mean size (Newcombe's method 5)."""
    z = normal_quantile(1 - (1 - confidence) / 2)
    others = (m + n) / 2 - 1

    def excluded(truth: float) -> bool:
        shape = 1 + others * ((1 - truth) / (2 - truth) + truth / (1 + truth))
        return (area - truth) ** 2 > z * z * truth * (1 - truth) * shape / (m * n)

    ends = []
    for outside in (0.0, 1.0):
        inside = area
        for _ in range(60):  # bisection to the last bit
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if excluded(middle) else (middle, outside)
        ends.append(outside)
    return ends[0], ends[1]


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
