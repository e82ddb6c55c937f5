"""Area under the ROC curve of guesses: does the value that is true score higher than where it is not?

One curve a value, one-vs-rest. Scores have shape ``(n, V)``: a belief in each of V values for each of n people. Only
the order within a column matters, and ties count half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError
from keepmum.stats._estimate import Estimate
from keepmum.stats.area import Scores, auc, placements
from keepmum.stats.intervals import check_confidence, difference, normal_quantile

Positions = NDArray[np.intp]


def check_guesses(scores: Scores, truth: Positions) -> None:
    """Refuse scores and true values that do not belong together.

    Raises:
      DataError: Scores not of shape ``(n, V)``, empty or with NaN; true values not ``(n,)`` positions from 0 to V - 1.
    """
    if scores.ndim != 2 or not scores.size:
        raise DataError(f"expected scores of shape (n, values), both above 0, got {scores.shape}")
    if truth.shape != scores.shape[:1]:
        raise DataError(f"expected true values of shape ({len(scores)},), as many as scores, got {truth.shape}")
    if np.isnan(scores).any():
        raise DataError(f"expected a score for each person and value, got {int(np.isnan(scores).sum())} NaN")
    if truth.dtype.kind not in "iu" or truth.min() < 0 or truth.max() >= scores.shape[1]:
        raise DataError(f"expected true values as whole positions from 0 to {scores.shape[1] - 1}, got others")


@dataclass(frozen=True, eq=False)
class _Curves:
    """One curve for each value that occurs.

    Attributes:
      share: ``(K,)`` share of each value that occurs.
      area: ``(K,)`` area of each.
      part: ``(n, K)`` influence of each person on each area, each column with mean 0.
      place: ``(n,)`` which of the K values a person has.
    """

    share: Scores
    area: Scores
    part: Scores
    place: Positions

    @property
    def value(self) -> float:
        """Mean area, values weighted by their shares."""
        return float(self.share @ self.area)

    @property
    def between(self) -> Scores:
        """``(n,)`` influence of each person on the mean through the shares of the values."""
        return np.asarray(self.area[self.place] - self.value)


def _columns(scores: Scores) -> Scores:
    """Of two values that share each person's belief, the second says it all."""
    return np.column_stack([-scores[:, 1], scores[:, 1]]) if scores.shape[1] == 2 else scores


def _curves(scores: Scores, truth: Positions) -> _Curves:
    columns = _columns(scores)
    values, place = np.unique(truth, return_inverse=True)
    n = len(truth)
    share = np.bincount(place) / n
    area, part = np.full(len(values), 0.5), np.zeros((n, len(values)))
    for k, value in enumerate(values if len(values) > 1 else ()):
        has = place == k
        above, below = placements(columns[has, value], columns[~has, value])
        area[k] = above.mean()
        part[has, k] = (above - area[k]) / share[k]
        part[~has, k] = (below - area[k]) / (1 - share[k])
    return _Curves(share, area, part, np.asarray(place, dtype=np.intp))


def value_auc_influence(scores: Scores, truth: Positions) -> tuple[float, Scores]:
    """The area of `value_auc`, and what each person adds to it.

    The influences have mean 0, and the variance of the area is about ``sum(influence**2) / n**2``: DeLong's variance
    where all curves are of one size, and in general with what the random number of people of each value adds.

    Args:
      scores: ``(n, V)`` beliefs.
      truth: ``(n,)`` positions of the true values.

    Returns:
      The area and the influences, ``(n,)``.

    Raises:
      DataError: Scores or true values that are none.

    References:
      DeLong, DeLong, Clarke-Pearson. Biometrics 44 (1988), 837–845; Hampel. JASA 69 (1974), 383–393.
    """
    check_guesses(scores, truth)
    curves = _curves(scores, truth)
    return curves.value, curves.part @ curves.share + curves.between


def value_auc(scores: Scores, truth: Positions, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve of each value against all others, averaged with the shares of the values.

    It is the chance that the value which is true of a random person scores higher for them than for a random person
    of whom it is not true. Of two values the second column is taken, and the estimate is that of `area.auc`.

    Of more values, each curve gets the interval of `area.auc`, and these are put together by the square-and-add rule
    for correlated estimates: one common correlation, taken from the influences of the people, and what the random
    number of people of each value adds. One correlation for all is an approximation. Where the influences show none
    (curves that are flat or without a loss), the curves are taken to move together, which is the widest. Values that
    nobody has count nothing. Where all people have one value there is no curve: the value is 1/2, the interval 0 … 1.

    Args:
      scores: ``(n, V)`` beliefs; only the order within a column matters.
      truth: ``(n,)`` positions of the true values.
      confidence: Two-sided coverage (approximate), between 0 and 1.

    Raises:
      DataError: Scores or true values that are none.
      ConfigError: A confidence out of range.

    References:
      Provost, Domingos. Machine Learning 52 (2003), 199–215 (weighted one-vs-rest);
      Zou, Donner. Statistics in Medicine 27 (2008), 1693–1702 (square-and-add, correlated: equation 8).
    """
    check_guesses(scores, truth)
    check_confidence(confidence)
    curves = _curves(scores, truth)
    if len(curves.share) == 1:
        return Estimate(0.5, 0.0, 1.0, confidence)
    columns, values = _columns(scores), np.unique(truth)
    if len(values) == 2 and scores.shape[1] == 2:
        return auc(columns[truth == 1, 1], columns[truth == 0, 1], confidence)
    each = [auc(columns[truth == v, v], columns[truth != v, v], confidence) for v in values]
    down = curves.share * np.array([e.value - e.low for e in each])
    up = curves.share * np.array([e.high - e.value for e in each])
    together, apart, extra = _spread(curves)
    extra *= normal_quantile(1 - (1 - confidence) / 2) ** 2
    ends = []
    for reach in (down, up):
        most = float(reach.sum()) ** 2
        square = min(most, float(reach @ reach) * max(1.0, together / apart)) if apart > 0 else most
        ends.append(math.sqrt(square + extra))
    return Estimate(curves.value, max(0.0, curves.value - ends[0]), min(1.0, curves.value + ends[1]), confidence)


def _spread(curves: _Curves) -> tuple[float, float, float]:
    """Variance of the mean area as it is, as if the curves were independent, and what the random shares add."""
    n = len(curves.part)
    weighted = curves.part * curves.share
    mean = weighted.sum(axis=1)
    together = float(mean @ mean) / n**2
    whole = mean + curves.between
    return together, float((weighted**2).sum()) / n**2, max(0.0, float(whole @ whole) / n**2 - together)


def auc_difference(
    first: tuple[Scores, Positions], second: tuple[Scores, Positions], confidence: float = 0.95
) -> tuple[Estimate, float]:
    """How much larger the area is among some people than among others, and how sure it is that it is larger at all.

    The interval is the square-and-add rule of the two estimates. The p-value is one-sided, and both agree: it is at
    most ``(1 - confidence) / 2`` exactly where the interval lies above 0. Elsewhere it follows the normal distribution.

    Args:
      first: Scores ``(m, V)`` and true values ``(m,)`` of the people among whom the attack should fare better.
      second: Scores ``(n, V)`` and true values ``(n,)`` of the others.
      confidence: Two-sided coverage (approximate), between 0 and 1.

    Returns:
      The difference, -1 … 1, and the p-value.

    Raises:
      DataError: Scores or true values that are none.
      ConfigError: A confidence out of range.
    """
    from scipy.special import ndtr

    ours, theirs = value_auc(*first, confidence), value_auc(*second, confidence)
    gap = difference(ours, theirs)
    reach = gap.value - gap.low if gap.value > 0 else gap.high - gap.value
    z = normal_quantile(1 - (1 - confidence) / 2) * gap.value / reach
    return gap, float(ndtr(-z))
