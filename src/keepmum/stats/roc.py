"""How well scores separate members from non-members. Higher scores mean "more likely a member"; ties count half."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError, NotResolvableError
from keepmum.stats._estimate import Estimate
from keepmum.stats.intervals import clopper_pearson, difference, normal_quantile, proportion_high, proportion_low, wilson
from keepmum.stats.power import needed_nonmembers

Scores = NDArray[np.float64]


def _check(members: Scores, nonmembers: Scores) -> None:
    for name, scores in (("members", members), ("non-members", nonmembers)):
        if scores.ndim != 1 or not len(scores):
            raise DataError(f"expected scores of the {name} of shape (n,), n > 0, got {scores.shape}")
        if np.isnan(scores).any():
            raise DataError(f"expected a score for each of the {name}, got {int(np.isnan(scores).sum())} NaN")


def midranks(values: Scores) -> Scores:
    """Ranks 1 … n in the order of the values; equal values share the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    last = np.r_[first[1:], len(values)]
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((first + 1 + last) / 2, last - first)
    return ranks


def placements(members: Scores, nonmembers: Scores) -> tuple[Scores, Scores]:
    """Share of the other side that each score beats, ties half: ``(m,)`` of members, ``(n,)`` of non-members."""
    m, n = len(members), len(nonmembers)
    ranks = midranks(np.concatenate([members, nonmembers]))
    above = (ranks[:m] - midranks(members)) / n
    below = 1 - (ranks[m:] - midranks(nonmembers)) / m
    return above, below


def auc_value(members: Scores, nonmembers: Scores) -> float:
    """Area under the ROC curve: the probability that a member scores above a non-member, ties half."""
    return float(placements(members, nonmembers)[0].mean())


def auc(members: Scores, nonmembers: Scores, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve with DeLong's interval on the logit scale.

    Where the two sides do not overlap at all, DeLong's variance is zero; the bound is then the exact one from
    ``min(m, n)`` disjoint pairs, all of them in order (Clopper–Pearson).

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      confidence: Two-sided coverage.

    References:
      DeLong, DeLong, Clarke-Pearson. Biometrics 44 (1988), 837–845; midranks as in Sun, Xu. IEEE SPL 21 (2014);
      logit scale: Pepe. The Statistical Evaluation of Medical Tests, section 5.2 (2003).
    """
    _check(members, nonmembers)
    above, below = placements(members, nonmembers)
    area = float(above.mean())
    m, n = len(members), len(nonmembers)
    variance = (above.var(ddof=1) / m if m > 1 else 0.25) + (below.var(ddof=1) / n if n > 1 else 0.25)
    pairs = min(m, n)
    if area in (0.0, 1.0):
        return clopper_pearson(int(area) * pairs, pairs, confidence)
    z = normal_quantile(1 - (1 - confidence) / 2)
    center, spread = math.log(area / (1 - area)), z * math.sqrt(variance) / (area * (1 - area))
    return Estimate(area, _expit(center - spread), _expit(center + spread), confidence)


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0


def roc_curve(members: Scores, nonmembers: Scores) -> tuple[Scores, Scores]:
    """Corners of the ROC curve: false and true positive rates, both ascending from 0 to 1, one step a distinct score."""
    _check(members, nonmembers)
    cuts = np.unique(np.concatenate([members, nonmembers]))[::-1]
    true = 1 - np.searchsorted(np.sort(members), cuts, side="left") / len(members)
    false = 1 - np.searchsorted(np.sort(nonmembers), cuts, side="left") / len(nonmembers)
    return np.r_[0.0, false], np.r_[0.0, true]


def _count_above(scores: Scores, threshold: float) -> int:
    return int((scores > threshold).sum())


def threshold_at_fpr(nonmembers: Scores, fpr: float) -> float:
    """Smallest observed score that at most ``fpr`` of the non-members exceed."""
    allowed = math.floor(fpr * len(nonmembers) + 1e-9)
    return float(np.sort(nonmembers)[len(nonmembers) - 1 - min(allowed, len(nonmembers) - 1)])


def tpr_at_fpr(members: Scores, nonmembers: Scores, fpr: float, confidence: float = 0.95) -> Estimate:
    """True positive rate at the threshold that a share ``fpr`` of all non-members exceeds.

    The interval pays for the threshold being chosen on the data: two order statistics of the non-members
    enclose the true threshold, and an exact interval of the members' rate is taken at each (a rectangle as in
    Schäfer, Statistics in Medicine 13 (1994), 1551–1561). It covers at every sample size, also with ties.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      fpr: False positive rate, 0 … 1.
      confidence: Two-sided coverage.

    Raises:
      NotResolvableError: Fewer non-members than ``3 / fpr``: no false alarm among them would not show the rate.
    """
    _check(members, nonmembers)
    needed = needed_nonmembers(fpr)
    n, m = len(nonmembers), len(members)
    if n < needed:
        raise NotResolvableError(f"needs {needed:,} non-members, has {n:,}")
    error = 1 - math.sqrt(1 - (1 - confidence) / 2)
    few, many = _binomial_range(n, fpr, error)
    ordered = np.sort(nonmembers)[::-1]  # ordered[k]: exceeded by at most k of the non-members
    high_cut = ordered[few - 1] if few > 0 else math.inf
    low_cut = ordered[many] if many < n else -math.inf
    low = proportion_low(_count_above(members, high_cut), m, error)
    high = proportion_high(_count_above(members, low_cut), m, error)
    return Estimate(_count_above(members, threshold_at_fpr(nonmembers, fpr)) / m, low, high, confidence)


def _binomial_range(trials: int, share: float, error: float) -> tuple[int, int]:
    """Counts ``(a, b)`` with P(K < a) <= error and P(K > b) <= error for K ~ Binomial(trials, share)."""
    from scipy.stats import binom

    low = int(binom.ppf(error, trials, share))  # P(K <= low) >= error, P(K <= low - 1) < error
    return low, int(binom.ppf(1 - error, trials, share))


def advantage(members: Scores, nonmembers: Scores, rng: np.random.Generator, confidence: float = 0.95) -> Estimate:
    """True minus false positive rate at the best threshold found on other people.

    The threshold is chosen on one random half and judged on the other, both ways round, so that choosing it
    costs nothing. Interval: difference of two proportions, Newcombe's method 10.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, definition 4.
    """
    _check(members, nonmembers)
    hits = alarms = 0
    member_half, other_half = _halves(len(members), rng), _halves(len(nonmembers), rng)
    for half in (True, False):
        cut = _best_threshold(members[member_half == half], nonmembers[other_half == half])
        hits += _count_above(members[member_half != half], cut)
        alarms += _count_above(nonmembers[other_half != half], cut)
    return difference(wilson(hits, len(members), confidence), wilson(alarms, len(nonmembers), confidence))


def _halves(size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.permutation(size) < size // 2


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
    positive rate with one of the false positive rate at a threshold chosen by rank.

    Raises:
      NotResolvableError: As in `tpr_at_fpr`.
    """
    _check(members, nonmembers)
    needed = needed_nonmembers(fpr)
    if len(nonmembers) < needed:
        raise NotResolvableError(f"needs {needed:,} non-members, has {len(nonmembers):,}")
    cut = threshold_at_fpr(nonmembers, fpr)
    hits, alarms = _count_above(members, cut), _count_above(nonmembers, cut)
    error = 1 - math.sqrt(1 - (1 - confidence) / 2)
    m, n = len(members), len(nonmembers)

    def share(true: float, false: float) -> float:
        caught, wronged = prior * true, (1 - prior) * false
        return caught / (caught + wronged) if caught + wronged > 0 else prior

    low = share(proportion_low(hits, m, error), proportion_high(alarms, n, error))
    high = share(proportion_high(hits, m, error), proportion_low(alarms, n, error))
    return Estimate(share(hits / m, alarms / n), low, high, confidence)
