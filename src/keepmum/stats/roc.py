"""Rates and thresholds: how well scores separate members from non-members. Higher means "more likely a member"."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import ConfigError, NotResolvableError
from keepmum.stats._estimate import Estimate
from keepmum.stats.area import Scores, auc, auc_value, check_scores, midranks, placements
from keepmum.stats.intervals import check_confidence, clopper_pearson, difference, proportion_high, proportion_low
from keepmum.stats.power import needed_nonmembers

__all__ = [
    "Scores",
    "advantage",
    "auc",
    "auc_value",
    "balanced_accuracy",
    "crossed_thresholds",
    "midranks",
    "placements",
    "precision",
    "roc_curve",
    "threshold_at_fpr",
    "tpr_at_fpr",
]


def roc_curve(members: Scores, nonmembers: Scores) -> tuple[Scores, Scores]:
    """Corners of the ROC curve: false and true positive rates, ascending from 0 to 1, one step a distinct score."""
    check_scores(members, nonmembers)
    cuts = np.unique(np.concatenate([members, nonmembers]))[::-1]
    true = 1 - np.searchsorted(np.sort(members), cuts, side="left") / len(members)
    false = 1 - np.searchsorted(np.sort(nonmembers), cuts, side="left") / len(nonmembers)
    return np.r_[0.0, false], np.r_[0.0, true]


def _count_above(scores: Scores, threshold: float) -> int:
    return int((scores > threshold).sum())


def threshold_at_fpr(nonmembers: Scores, fpr: float) -> float:
    """Smallest observed score that at most ``fpr`` of the non-members exceed; accuse whoever is strictly above it."""
    n = len(nonmembers)
    return float(np.sort(nonmembers)[n - 1 - _allowed(n, fpr)])


def _allowed(nonmembers: int, fpr: float) -> int:
    """False alarms that the rate allows among so many; the small term undoes rounding (0.29 * 100 < 29)."""
    return min(math.floor(fpr * nonmembers + 1e-9), nonmembers - 1)


def _resolve(nonmembers: int, fpr: float) -> None:
    needed = needed_nonmembers(fpr)
    if nonmembers < needed:
        raise NotResolvableError(f"needs {needed:,} non-members, has {nonmembers:,}")


def tpr_at_fpr(members: Scores, nonmembers: Scores, fpr: float, confidence: float = 0.95) -> Estimate:
    """True positive rate at the threshold that a share ``fpr`` of all non-members exceeds.

    The interval pays for the threshold being chosen on the data: two order statistics of the non-members
    enclose the true threshold, and an exact interval of the members' rate is taken at each (a rectangle as in
    Schäfer, Statistics in Medicine 13 (1994), 1551–1561). It covers at every sample size, also with ties.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      fpr: False positive rate, between 0 and 1.
      confidence: Two-sided coverage, between 0 and 1.

    Raises:
      NotResolvableError: Fewer non-members than ``3 / fpr``: no false alarm among them would not show the rate.
      ConfigError: A rate or a confidence out of range.
    """
    check_scores(members, nonmembers)
    check_confidence(confidence)
    n, m = len(nonmembers), len(members)
    _resolve(n, fpr)
    error = 1 - math.sqrt(1 - (1 - confidence) / 2)
    few, many = _binomial_range(n, fpr, error)
    ordered = np.sort(nonmembers)[::-1]  # ordered[k]: exceeded by at most k of the non-members
    low = proportion_low(_count_above(members, ordered[few - 1]), m, error) if few > 0 else 0.0
    high = proportion_high(_count_above(members, ordered[many]), m, error) if many < n else 1.0
    return Estimate(_count_above(members, threshold_at_fpr(nonmembers, fpr)) / m, low, high, confidence)


@lru_cache(maxsize=1024)  # an audit asks the same for every attack
def _binomial_range(trials: int, share: float, error: float) -> tuple[int, int]:
    """Counts ``(a, b)`` with P(K < a) <= error and P(K > b) <= error for K ~ Binomial(trials, share)."""
    from scipy.stats import binom

    low = int(binom.ppf(error, trials, share))  # P(K <= low) >= error, P(K <= low - 1) < error
    return low, int(binom.ppf(1 - error, trials, share))


def advantage(members: Scores, nonmembers: Scores, rng: np.random.Generator, confidence: float = 0.95) -> Estimate:
    """True minus false positive rate at the best threshold found on other people.

    The threshold is chosen on one random half and judged on the other, both ways round, so that choosing it
    costs nothing. What is estimated is the mean advantage of the two thresholds found, which is at most that of the
    best threshold. Interval: difference of two proportions by the square-and-add rule, from exact limits: the two
    halves judge each other, which spreads the estimate a few percent more than independent trials would, and with
    Wilson's limits the coverage falls to 94 %.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      rng: Draws the halves; among equal scores it does not matter who falls where, nor does the order of the people.
      confidence: Two-sided coverage (approximate), between 0 and 1.

    Raises:
      DataError: Empty or missing scores.
      ConfigError: A confidence out of range.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, definition 4;
      Zou, Donner. Statistics in Medicine 27 (2008), 1693–1702.
    """
    check_scores(members, nonmembers)
    check_confidence(confidence)
    members, nonmembers = np.sort(members), np.sort(nonmembers)
    hits = alarms = 0
    for cut, judged, others in crossed_thresholds(members, nonmembers, rng):
        hits += _count_above(members[judged], cut)
        alarms += _count_above(nonmembers[others], cut)
    rates = clopper_pearson(hits, len(members), confidence), clopper_pearson(alarms, len(nonmembers), confidence)
    return difference(*rates)


def crossed_thresholds(
    members: Scores, nonmembers: Scores, rng: np.random.Generator
) -> list[tuple[float, NDArray[np.bool_], NDArray[np.bool_]]]:
    """The best threshold of each half, with the masks of the members and non-members of the other half to judge."""
    mine, theirs = (rng.permutation(len(side)) < len(side) // 2 for side in (members, nonmembers))
    return [
        (_best_threshold(members[mine == half], nonmembers[theirs == half]), mine != half, theirs != half)
        for half in (True, False)
    ]


def _best_threshold(members: Scores, nonmembers: Scores) -> float:
    """Score above which true minus false positives is largest; infinity (accuse no one) on an empty half."""
    if not len(members) or not len(nonmembers):
        return math.inf
    cuts = np.unique(np.concatenate([members, nonmembers]))
    true = 1 - np.searchsorted(np.sort(members), cuts, side="right") / len(members)
    false = 1 - np.searchsorted(np.sort(nonmembers), cuts, side="right") / len(nonmembers)
    return float(cuts[np.argmax(true - false)])


def balanced_accuracy(gain: Estimate) -> Estimate:
    """Accuracy of the guesses behind an `advantage` when half of the people asked about are members."""
    return Estimate((1 + gain.value) / 2, (1 + gain.low) / 2, (1 + gain.high) / 2, gain.confidence)


def precision(members: Scores, nonmembers: Scores, fpr: float, prior: float, confidence: float = 0.95) -> Estimate:
    """Share of the accused who really are members, when a share ``prior`` of the people asked about are.

    The threshold lets at most ``fpr`` of the observed non-members pass. Bounds combine an exact bound of the true
    positive rate with one of the false positive rate at a threshold chosen by rank. The lower end holds with ties
    too: it takes as many false alarms as the rank allows, however few there were. Where nobody is accused, nothing
    is known: the value is the prior.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      fpr: False positive rate, between 0 and 1.
      prior: Share of members among the people asked about, 0 … 1.
      confidence: Two-sided coverage, between 0 and 1.

    Raises:
      NotResolvableError: As in `tpr_at_fpr`.
      ConfigError: A rate, prior or confidence out of range.
    """
    check_scores(members, nonmembers)
    check_confidence(confidence)
    if not 0 <= prior <= 1:
        raise ConfigError(f"expected a prior between 0 and 1, got {prior}")
    m, n = len(members), len(nonmembers)
    _resolve(n, fpr)
    cut = threshold_at_fpr(nonmembers, fpr)
    hits, alarms = _count_above(members, cut), _count_above(nonmembers, cut)
    error = 1 - math.sqrt(1 - (1 - confidence) / 2)

    def share(true: float, false: float) -> float:
        caught, wronged = prior * true, (1 - prior) * false
        return caught / (caught + wronged) if caught + wronged > 0 else prior

    low = share(proportion_low(hits, m, error), proportion_high(_allowed(n, fpr), n, error))
    high = share(proportion_high(hits, m, error), proportion_low(alarms, n, error))
    return Estimate(share(hits / m, alarms / n), low, high, confidence)
