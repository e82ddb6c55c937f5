"""How good guesses of a hidden value are: shares guessed right, correlations, errors of numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import ConfigError, DataError, NotResolvableError
from keepmum.stats._estimate import Estimate
from keepmum.stats.area import FEW_LOSSES, Scores
from keepmum.stats.intervals import check_confidence, clopper_pearson, wilson
from keepmum.stats.power import needed_nonmembers
from keepmum.stats.roc import tpr_at_fpr
from keepmum.stats.value_area import Positions, check_guesses

FEWEST_OF_A_VALUE = 10
"""People of a value below which nothing is said about how many of them are found."""


def _check_columns(guess: NDArray[np.generic], truth: NDArray[np.generic]) -> None:
    if guess.ndim != 1 or guess.shape != truth.shape or not len(guess):
        raise DataError(f"expected guesses and true values of shape (n,), n > 0, got {guess.shape} and {truth.shape}")


def hit_rate(hits: NDArray[np.bool_], confidence: float = 0.95) -> Estimate:
    """Share of people guessed right, with the exact interval.

    Raises:
      DataError: Nobody.
      ConfigError: A confidence out of range.
    """
    return clopper_pearson(int(hits.sum()), len(hits), confidence)


def balanced_hit_rate(guess: Positions, truth: Positions, confidence: float = 0.95) -> Estimate:
    """Share guessed right among the people of each value, averaged over the values that occur.

    Unlike the plain share it gains nothing from guessing the most frequent value. Interval: exact intervals of the
    values, put together by the square-and-add rule; the values are about different people, hence independent.

    Args:
      guess: ``(n,)`` positions of the guessed values.
      truth: ``(n,)`` positions of the true values.
      confidence: Two-sided coverage (approximate, rather more), between 0 and 1.

    Raises:
      DataError: Nobody, or columns of different lengths.
      ConfigError: A confidence out of range.

    References:
      Zou, Donner. Statistics in Medicine 27 (2008), 1693–1702.
    """
    _check_columns(guess, truth)
    hits = guess == truth
    rates = [hit_rate(hits[truth == value], confidence) for value in np.unique(truth)]
    value = float(np.mean([rate.value for rate in rates]))
    down = math.hypot(*(rate.value - rate.low for rate in rates)) / len(rates)
    up = math.hypot(*(rate.high - rate.value for rate in rates)) / len(rates)
    return Estimate(value, max(0.0, value - down), min(1.0, value + up), confidence)


def mcc(guess: Positions, truth: Positions, confidence: float = 0.95) -> Estimate:
    """Matthews correlation of guesses and true values, of two or more values.

    The interval is that of the influences of the people (delta method) on Fisher's scale, with one pseudo-person whose
    guess is turned over; where few guesses are wrong or few are right, its hull with the exact interval of the share
    guessed right, moved to this scale. Where all guesses or all true values are one, the correlation is 0 by
    convention and nothing is known: the interval is -1 … 1.

    Args:
      guess: ``(n,)`` positions of the guessed values.
      truth: ``(n,)`` positions of the true values.
      confidence: Two-sided coverage (approximate), between 0 and 1.

    Raises:
      DataError: Nobody, or columns of different lengths.
      ConfigError: A confidence out of range.

    References:
      Gorodkin. Computational Biology and Chemistry 28 (2004), 367–374 (R_K);
      Jurman, Riccadonna, Furlanello. PLoS ONE 7 (2012), e41882.
    """
    from scipy.special import stdtrit

    _check_columns(guess, truth)
    check_confidence(confidence)
    value, influence, scale = _correlation(guess, truth)
    if scale == 0:
        return Estimate(0.0, -1.0, 1.0, confidence)
    n, hits = len(guess), int((guess == truth).sum())
    error = math.sqrt(float(influence @ influence) + 1 / scale**2) / n
    low, high = value, value
    if abs(value) < 1:
        reach = float(stdtrit(max(1, n - 1), 1 - (1 - confidence) / 2)) * error / (1 - value**2)
        low, high = math.tanh(math.atanh(value) - reach), math.tanh(math.atanh(value) + reach)
    if min(hits, n - hits) < FEW_LOSSES or abs(value) == 1:
        share = clopper_pearson(hits, n, confidence)
        low = min(low, value - (share.value - share.low) / scale)
        high = max(high, value + (share.high - share.value) / scale)
    return Estimate(value, max(-1.0, low), min(1.0, high), confidence)


def _correlation(guess: Positions, truth: Positions) -> tuple[float, Scores, float]:
    """R_K, the influence of each person on it, and the geometric mean of the two variances (0: there is no R_K)."""
    n = len(guess)
    values, place = np.unique(np.concatenate([guess, truth]), return_inverse=True)
    guess, truth = place[:n], place[n:]
    guessed, true = (np.bincount(side, minlength=len(values)) / n for side in (guess, truth))
    if max(guessed.max(), true.max()) == 1:
        return 0.0, np.zeros(n), 0.0
    hits = (guess == truth).astype(np.float64)
    agree = float(guessed @ true)
    within = 1 - float(guessed @ guessed), 1 - float(true @ true)
    scale = math.sqrt(within[0] * within[1])
    value = min(1.0, max(-1.0, (float(hits.mean()) - agree) / scale))
    moved = hits - hits.mean() - (guessed[truth] + true[guess] - 2 * agree)
    stretched = (guessed[guess] - guessed @ guessed) / within[0] + (true[truth] - true @ true) / within[1]
    return value, moved / scale + value * stretched, scale


def ppv_at_k(certainty: Scores, hits: NDArray[np.bool_], k: int, confidence: float = 0.95) -> Estimate:
    """Share guessed right among the k people of whom the attack is surest, with Wilson's interval.

    Among people who are equally sure at the cut, those who count are drawn at random; the value is the mean over
    all draws. The interval takes the k people as given.

    Args:
      certainty: ``(n,)`` how sure the attack is of each guess; only the order matters.
      hits: ``(n,)`` whether each guess is right.
      k: How many people, 1 … n.
      confidence: Two-sided coverage (on average, see `wilson`), between 0 and 1.

    Raises:
      DataError: Nobody, columns of different lengths, or NaN.
      ConfigError: More people than there are, or a confidence out of range.
    """
    _check_columns(certainty, hits)
    if np.isnan(certainty).any():
        raise DataError(f"expected how sure each guess is, got {int(np.isnan(certainty).sum())} NaN")
    if not 1 <= k <= len(hits):
        raise ConfigError(f"expected k between 1 and the {len(hits)} people, got {k}")
    cut = np.partition(certainty, len(hits) - k)[len(hits) - k]
    surer, tied = certainty > cut, certainty == cut
    right = float(hits[surer].sum()) + (k - int(surer.sum())) * float(hits[tied].mean())
    return wilson(right, k, confidence)


def tpr_at_fpr_guesses(
    scores: Scores, truth: Positions, fpr: float = 0.01, value: int | None = None, confidence: float = 0.95
) -> Estimate:
    """Share of the people with one value who are found, where a share ``fpr`` of all others is suspected wrongly.

    Args:
      scores: ``(n, V)`` beliefs.
      truth: ``(n,)`` positions of the true values.
      fpr: False positive rate, between 0 and 1.
      value: Position of the value that is sought; unless given, the rarest that at least 10 people have.
      confidence: Two-sided coverage (guaranteed), between 0 and 1.

    Raises:
      DataError: Scores or true values that are none.
      NotResolvableError: Nobody has the value, or fewer than ``3 / fpr`` people have another.
      ConfigError: A rate, a value or a confidence out of range.
    """
    check_guesses(scores, truth)
    counts = np.bincount(truth, minlength=scores.shape[1])
    if value is None:
        enough = np.flatnonzero(counts >= FEWEST_OF_A_VALUE)
        if not len(enough):
            raise NotResolvableError(f"needs a value that {FEWEST_OF_A_VALUE} people have, the most is {counts.max()}")
        value = int(enough[np.argmin(counts[enough])])
    elif not 0 <= value < scores.shape[1]:
        raise ConfigError(f"expected a value between 0 and {scores.shape[1] - 1}, got {value}")
    needed, others = needed_nonmembers(fpr), len(truth) - int(counts[value])
    if others < needed or not counts[value]:
        raise NotResolvableError(f"needs somebody with the value and {needed:,} people with another, has {others:,}")
    return tpr_at_fpr(scores[truth == value, value], scores[truth != value, value], fpr, confidence)


def within_tolerance(
    guess: Scores, truth: Scores, scale: float, tolerance: float, confidence: float = 0.95
) -> Estimate:
    """Share of numbers guessed with an error ``|guess - truth| / scale`` of at most ``tolerance``; exact interval.

    Args:
      guess: ``(n,)`` guessed numbers.
      truth: ``(n,)`` true numbers.
      scale: What the error is measured in, above 0: a standard deviation, say.
      tolerance: Largest error that counts as right, at least 0.
      confidence: Two-sided coverage (guaranteed), between 0 and 1.

    Raises:
      DataError: Nobody, or columns of different lengths.
      ConfigError: A scale, a tolerance or a confidence out of range.
    """
    _check_columns(guess, truth)
    if not scale > 0 or not tolerance >= 0:
        raise ConfigError(f"expected a scale above 0 and a tolerance of at least 0, got {scale} and {tolerance}")
    return hit_rate(np.abs(guess - truth) / scale <= tolerance, confidence)


def r_squared(guess: Scores, truth: Scores, confidence: float = 0.95) -> Estimate:
    """Share of the variance of the true numbers that the guesses explain; below 0 if their mean explains more.

    The interval is that of the influences of the people on the logarithm of the unexplained share (delta method), with
    one pseudo-person whose error is as large as the spread of the truth. Where the true numbers are all the same
    there is nothing to explain: the value is 0, and the interval ends at minus infinity and 1.

    Args:
      guess: ``(n,)`` guessed numbers.
      truth: ``(n,)`` true numbers.
      confidence: Two-sided coverage (approximate; less where few people carry most of the error), between 0 and 1.

    Raises:
      DataError: Nobody, or columns of different lengths.
      ConfigError: A confidence out of range.
    """
    from scipy.special import stdtrit

    _check_columns(guess, truth)
    check_confidence(confidence)
    errors, spread, n = (guess - truth) ** 2, (truth - truth.mean()) ** 2, len(guess)
    if not spread.any():
        return Estimate(0.0, -math.inf, 1.0, confidence)
    left = float(errors.sum() / spread.sum())
    influence = (errors - left * spread) / float(spread.mean())
    reach = float(stdtrit(max(1, n - 1), 1 - (1 - confidence) / 2)) * math.sqrt(float(influence @ influence) + 1) / n
    if left == 0:
        return Estimate(1.0, 1 - reach, 1.0, confidence)
    return Estimate(1 - left, 1 - left * math.exp(reach / left), 1 - left * math.exp(-reach / left), confidence)
