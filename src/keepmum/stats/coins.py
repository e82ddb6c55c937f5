"""The least privacy loss that one training run proves: for each of many canaries a coin decided whether it was in.

`one_run` has the same for pairs of which one is in. Here canaries stand alone, and whoever sees the model guesses the
most conspicuous to be in and the least conspicuous to be out, and holds back on the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import ConfigError, DataError
from keepmum.stats._estimate import Estimate
from keepmum.stats.f_dp import epsilon_of
from keepmum.stats.intervals import check_confidence
from keepmum.stats.one_run import FEWEST, epsilon_refuted, largest_refuted

Floats = NDArray[np.float64]


def looks_of(canaries: int) -> list[int]:
    """Numbers of guesses that are looked at where none was fixed: all, half, a quarter …, at least 4."""
    each = [canaries >> halved for halved in range(canaries.bit_length())]
    return [made for made in each if made >= FEWEST] or [canaries]


def right_guesses(scores: Floats, included: NDArray[np.bool_], guesses: int) -> int:
    """Right ones among so many guesses: the higher half of them in, the lower out.

    Equal scores are put in an order that hangs on nothing but their place, which the coins did not see.
    """
    order = np.argsort(scores, kind="stable")
    low, high = guesses // 2, guesses - guesses // 2
    return int((~included[order[:low]]).sum() + included[order[len(order) - high :]].sum())


def epsilon_from_coins(
    scores: Floats,
    included: NDArray[np.bool_],
    delta: float = 0.0,
    confidence: float = 0.95,
    guesses: int | None = None,
) -> Estimate:
    """Lower bound on epsilon for adding or removing one record, from one run, whatever the mechanism.

    Args:
      scores: ``(m,)``, higher = more likely in.
      included: ``(m,)`` what independent fair coins decided before training.
      delta: Of the claim, 0 … 1.
      confidence: One-sided.
      guesses: How many are made, fixed before the scores were seen; None to look at several and pay for each.

    Returns:
      The bound as value and low end.

    Raises:
      DataError: No canaries, scores that are not finite, or another number of coins.
      ConfigError: A setting out of range.

    References:
      Steinke, Nasr, Jagielski. Privacy Auditing with One (1) Training Run. NeurIPS 2023, arXiv:2305.08846.
    """
    looks, error = _looks(scores, included, confidence, guesses)
    if not 0 <= delta <= 1:
        raise ConfigError(f"expected a delta between 0 and 1, got {delta}")
    right = [right_guesses(scores, included, made) for made in looks]
    best = max(epsilon_refuted(len(scores), m, r, delta, error) for m, r in zip(looks, right, strict=True))
    return Estimate(best, best, math.inf, confidence)


def gaussian_epsilon_from_coins(
    scores: Floats,
    included: NDArray[np.bool_],
    delta: float = 1e-5,
    confidence: float = 0.95,
    guesses: int | None = None,
) -> Estimate:
    """Lower bound on epsilon from one run, **if the mechanism is at most as loose as a Gaussian one**.

    The largest mu is looked for under which so many right guesses are too rare; epsilon is that of mu at delta. Without
    the assumption it is an estimate.

    Raises:
      DataError: As for `epsilon_from_coins`.
      ConfigError: As for `epsilon_from_coins`.

    References:
      Mahloujifar, Melis, Chaudhuri. Auditing f-Differential Privacy in One Run. ICML 2025, arXiv:2410.22235.
    """
    looks, error = _looks(scores, included, confidence, guesses)
    right = [right_guesses(scores, included, made) for made in looks]
    best = max(mu_refuted(len(scores), m, r, error) for m, r in zip(looks, right, strict=True))
    found = epsilon_of(best, delta)
    return Estimate(found, found, math.inf, confidence)


def mu_refuted(canaries: int, guesses: int, right: int, error: float, close: float = 1e-4) -> float:
    """The largest mu that is refuted by so many right guesses; 0 if there is none."""
    return largest_refuted(lambda mu: gaussian_refuted(canaries, guesses, right, mu, error), close)


def gaussian_refuted(canaries: int, guesses: int, right: int, mu: float, error: float) -> bool:
    """Whether a mu-Gaussian private mechanism allows so many right guesses with less than this probability.

    If they had it, right and wrong guesses at lower counts would need a mass that grows step by step, since of what is
    right on an event no more than the trade-off allows can be without what is wrong; more than all guesses there are
    is a contradiction.

    Args:
      canaries: Coins, m.
      guesses: Made, at most one a canary.
      right: Of these.
      mu: Of the trade-off, 0 or more.
      error: Probability.

    References:
      arXiv:2410.22235, the recursion of the main theorem, for two alternatives.
    """
    from scipy.special import ndtr, ndtri

    if right <= guesses / 2:
        return False
    whole = guesses / canaries
    hits, misses = error * right / canaries, error * (guesses - right) / canaries
    for count in range(right - 1, -1, -1):
        more = max(misses, float(ndtr(ndtri(hits) - mu)))
        hits += count / (guesses - count) * (more - misses)
        misses = more
        if hits + misses > whole:
            return True
        if hits >= 1:
            return True
    return False


def ceiling(guesses: int, confidence: float = 0.95) -> float:
    """Largest epsilon that so many guesses can prove, all being right: ``logit(alpha^(1/r))``."""
    heads = (1 - confidence) ** (1 / guesses)
    return math.log(heads / (1 - heads))


def guesses_for(mu: float, canaries: int, delta: float = 1e-5, gaussian: bool = False) -> int:
    """How many guesses to make against a mechanism that is taken to be mu-Gaussian: fixed before any score is seen.

    The number for which the bound from the expected number of right guesses is largest.
    """
    from scipy.special import ndtr
    from scipy.stats import norm

    best, most = canaries, -1.0
    for share in np.geomspace(max(FEWEST, canaries / 500) / canaries, 1.0, 24):
        made = max(FEWEST, int(share * canaries))
        # the score of half of them has mean mu: find the level above which the guessed half lies
        levels = np.linspace(-6, mu + 6, 4001)
        above = (norm.sf(levels) + norm.sf(levels - mu)) / 2
        level = float(np.interp(-made / canaries / 2, -above, levels))
        hit = float(ndtr(mu - level) / (ndtr(-level) + ndtr(mu - level)))
        right = int(made * hit)
        if gaussian:
            bound = mu_refuted(canaries, made, right, 0.05, 1e-2)
        else:
            bound = epsilon_refuted(canaries, made, right, delta, 0.05, 1e-2)
        if bound > most:
            best, most = made, bound
    return best


def _looks(
    scores: Floats, included: NDArray[np.bool_], confidence: float, guesses: int | None
) -> tuple[Sequence[int], float]:
    check_confidence(confidence)
    if not len(scores) or scores.shape != included.shape or not np.isfinite(scores).all():
        raise DataError("expected a finite score and a coin for each of at least one canary")
    if guesses is not None and not 1 <= guesses <= len(scores):
        raise ConfigError(f"expected 1 … {len(scores)} guesses, got {guesses}")
    looks = looks_of(len(scores)) if guesses is None else [guesses]
    return looks, (1 - confidence) / len(looks)
