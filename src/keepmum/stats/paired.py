"""Two attacks on the same people: is the first better, and by how much?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError
from keepmum.stats._estimate import Estimate
from keepmum.stats.area import Scores, midranks
from keepmum.stats.intervals import check_confidence, wilson
from keepmum.stats.value_area import Positions, check_guesses, value_auc_influence

MOST_EXACT = 60
"""Pairs of errors up to which the p-value counts all signs; beyond, the normal one is off by 0.002 at most."""


def paired_auc_difference(
    first: Scores, second: Scores, truth: Positions, confidence: float = 0.95
) -> tuple[Estimate, float]:
    """How much larger the area of `value_auc` is for the first of two attacks, with a one-sided p-value.

    DeLong's method for correlated curves, with three additions for attacks that differ on few people, and for values
    that few people have:

    * One pseudo-person whose guess changes, as in the interval of Agresti and Min for paired proportions, shared by the
      values; one that few people have gets at least the share of one of them. For equal scores the difference is 0,
      its interval about ``± 4 / n`` where values are equally frequent, and the p-value 1.
    * Student's distribution; its degrees of freedom are Satterthwaite's of the groups of people of one value, and at
      most 2 more than the number of people who carry the variance, ``(sum d^2)^2 / sum d^4``. A difference that
      rests on four people is as sure as four people make it.
    * The p-value takes the variance as it is when both are equally good, as McNemar's test does.

    Args:
      first: ``(n, V)`` beliefs of the attack that should be better.
      second: ``(n, V)`` beliefs of the other.
      truth: ``(n,)`` positions of the true values.
      confidence: Two-sided coverage (approximate), between 0 and 1.

    Returns:
      The difference first - second, -1 … 1, and the p-value of "the first is not better".

    Raises:
      DataError: Scores or true values that are none, or of other people.
      ConfigError: A confidence out of range.

    References:
      DeLong, DeLong, Clarke-Pearson. Biometrics 44 (1988), 837–845;
      Agresti, Min. Statistics in Medicine 24 (2005), 729–740; Satterthwaite. Biometrics Bulletin 2 (1946), 110–114.
    """
    from scipy.special import stdtr, stdtrit

    check_guesses(first, truth)
    check_guesses(second, truth)
    check_confidence(confidence)
    (ours, mine), (theirs, other) = (value_auc_influence(scores, truth) for scores in (first, second))
    value, n = ours - theirs, len(truth)
    change, pseudo, free = _variation(mine - other, truth)
    quantile = float(stdtrit(min(free, _carriers(change) + 2), 1 - (1 - confidence) / 2))
    reach = quantile * math.sqrt(float(change @ change) + pseudo) / n
    interval = Estimate(value, max(-1.0, value - reach), min(1.0, value + reach), confidence)
    if value == 0 and not change.any():
        return interval, 1.0
    raw = change + value
    error = math.sqrt(float(raw @ raw) + pseudo) / n
    return interval, float(stdtr(min(free, _carriers(raw) + 2), -value / error))


def _variation(change: Scores, truth: Positions) -> tuple[Scores, float, float]:
    """What the variance of the difference is made of.

    Returns:
      The influences ``(n,)``, scaled so that their squares are not too small in small groups; the sum of squares of
      the pseudo-people; and Satterthwaite's degrees of freedom of the groups of people of one value.
    """
    _, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    free, mean = np.maximum(1, counts - 1), np.bincount(place, change) / counts
    inflated = counts / free
    pseudo = _flip_squares(counts / len(truth)) * np.maximum(counts / len(truth), 1 / counts)
    parts = np.bincount(place, (change - mean[place]) ** 2) * inflated + pseudo
    scaled = mean[place] + (change - mean[place]) * np.sqrt(inflated)[place]
    return scaled, float(pseudo.sum()), float(parts.sum() ** 2 / (parts**2 / free).sum())


def _flip_squares(share: Scores) -> Scores:
    """Square of the influence of a person of each value whose guess is turned over.

    In their own column they then pass half of the others; in the other columns half of the people of each value.
    """
    if len(share) == 1:
        return np.ones(1)
    odds = share / (1 - share)
    return np.asarray(((1 + odds.sum() - odds) / 2) ** 2)


def _carriers(change: Scores) -> float:
    """Number of people who carry the variance, if all of them carried equally much."""
    squares = change**2
    total = float(squares.sum())
    return total**2 / float(squares @ squares) if total > 0 else 0.0


def paired_hit_difference(
    first_hits: NDArray[np.bool_], second_hits: NDArray[np.bool_], confidence: float = 0.95
) -> tuple[Estimate, float]:
    """How much larger the share of right guesses is for the first of two attacks, with McNemar's exact p-value.

    Args:
      first_hits: ``(n,)`` whether each guess of the attack that should be better is right.
      second_hits: ``(n,)`` the same of the other, about the same people.
      confidence: Two-sided coverage (approximate), between 0 and 1.

    Returns:
      The difference, -1 … 1, by Newcombe's method 10, and the one-sided p-value of "the first is not better".

    Raises:
      DataError: No people, or not the same.
      ConfigError: A confidence out of range.

    References:
      Newcombe. Statistics in Medicine 17 (1998), 2635–2650 (method 10); McNemar. Psychometrika 12 (1947), 153–157.
    """
    from scipy.special import bdtrc

    _check_pair(first_hits, second_hits)
    n = len(first_hits)
    both, ours = int((first_hits & second_hits).sum()), int((first_hits & ~second_hits).sum())
    theirs = int((second_hits & ~first_hits).sum())
    one, other = wilson(both + ours, n, confidence), wilson(both + theirs, n, confidence)
    phi = _phi(both, ours, theirs, n - both - ours - theirs)
    value = (ours - theirs) / n
    low = value - _reach(one.value - one.low, other.high - other.value, phi)
    high = value + _reach(one.high - one.value, other.value - other.low, phi)
    p_value = float(bdtrc(ours - 1, ours + theirs, 0.5)) if ours else 1.0
    return Estimate(value, low, high, confidence), p_value


def _phi(both: int, ours: int, theirs: int, none: int) -> float:
    """Correlation of the hits, a positive one corrected for continuity."""
    margins = (both + ours) * (both + theirs) * (none + ours) * (none + theirs)
    if not margins:
        return 0.0
    excess = float(both * none - ours * theirs)
    if excess > 0:
        excess = max(0.0, excess - (both + ours + theirs + none) / 2)
    return excess / math.sqrt(margins)


def _reach(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def paired_error_p_value(first_errors: Scores, second_errors: Scores) -> float:
    """One-sided p-value that the first of two attacks errs less: Wilcoxon's signed ranks.

    People about whom both err equally are left out. Exact given the sizes of the differences, also with ties, up to
    `MOST_EXACT` people, beyond that normal with corrections for ties and continuity. What is tested is that the
    differences are symmetric about 0.

    Args:
      first_errors: ``(n,)`` distances of the guesses from the truth.
      second_errors: ``(n,)`` those of the other attack, about the same people.

    Raises:
      DataError: No people, or not the same.

    References:
      Wilcoxon. Biometrics Bulletin 1 (1945), 80–83; Pratt, Gibbons. Concepts of Nonparametric Theory (1981), chapter 3.
    """
    from scipy.special import ndtr

    _check_pair(first_errors, second_errors)
    gain = second_errors - first_errors
    if np.isnan(gain).any():
        raise DataError(f"expected an error of each guess, got {int(np.isnan(gain).sum())} NaN")
    gain = gain[gain != 0]
    if not len(gain):
        return 1.0
    doubled = np.rint(2 * midranks(np.abs(gain))).astype(np.intp)
    won = int(doubled[gain > 0].sum())
    if len(gain) <= MOST_EXACT:
        return _exact_tail(doubled, won)
    mean, spread = doubled.sum() / 2, math.sqrt(float((doubled.astype(np.float64) ** 2).sum()) / 4)
    return float(ndtr(-(won - mean - 1) / spread))


def _exact_tail(doubled: NDArray[np.intp], won: int) -> float:
    """Chance that random signs win at least as much: all sums of subsets, counted one rank at a time."""
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(chance)
        moved[rank:] = chance[: len(chance) - rank]
        chance = (chance + moved) / 2
    return min(1.0, float(chance[won:].sum()))


def _check_pair(first: NDArray[np.generic], second: NDArray[np.generic]) -> None:
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise DataError(f"expected two columns about the same people, (n,) each, got {first.shape} and {second.shape}")
