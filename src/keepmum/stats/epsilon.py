"""The least privacy loss that the scores prove."""

from __future__ import annotations

import math

import numpy as np

from keepmum.errors import ConfigError
from keepmum.stats._estimate import Estimate
from keepmum.stats.area import Scores, check_scores
from keepmum.stats.intervals import check_confidence, proportion_high, proportion_low

_TIE_BREAK = 0x65707369


def rank_grid(size: int) -> list[int]:
    """Ranks 0, 1, 3, 10, 32, 100 … below half of ``size``: thresholds fixed before the scores are seen."""
    grid = [0] + [round(10 ** (step / 2)) for step in range(2 * 9)]
    return sorted({rank for rank in grid if rank < max(1, size / 2)})


def epsilon_lower_bound(members: Scores, nonmembers: Scores, delta: float = 0.0, confidence: float = 0.95) -> Estimate:
    """Lower bound on epsilon of any (epsilon, delta) claim that these scores are consistent with.

    At each threshold an (epsilon, delta)-private training obeys ``TPR <= e^eps FPR + delta`` and
    ``1 - FPR <= e^eps (1 - TPR) + delta`` (Kairouz, Oh, Viswanath 2015, theorem 2.1). Both rates get exact bounds.
    Thresholds stand at fixed ranks, and the error is divided among all of them (Bonferroni), so that choosing
    the best is paid for. Equal scores are put in a random order first (fixed seed): an attacker may toss coins, the
    privacy claim holds for that attacker too, and a threshold inside a group of equal scores loses nothing.

    The value is the bound itself; above it nothing is claimed (``high`` is infinite). It takes the scores of
    different people for independent draws: see the page on statistics for what that means when one model is audited.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      delta: The delta of the claim, 0 … 1.
      confidence: One-sided, between 0 and 1.

    Raises:
      DataError: Empty or missing scores.
      ConfigError: A delta or a confidence out of range.

    References:
      Kairouz, Oh, Viswanath. ICML 2015, arXiv:1311.0776; Jagielski, Ullman, Oprea. NeurIPS 2020, arXiv:2006.07709;
      order statistics as thresholds: Wilks. Annals of Mathematical Statistics 12 (1941), 91–96.
    """
    check_scores(members, nonmembers)
    check_confidence(confidence)
    if not 0 <= delta <= 1:
        raise ConfigError(f"expected a delta between 0 and 1, got {delta}")
    ours, theirs = _strict_ranks(members, nonmembers)
    high_ranks, low_ranks = rank_grid(len(nonmembers)), rank_grid(len(members))
    error = (1 - confidence) / (2 * (len(low_ranks) + len(high_ranks)))
    best = max(
        _best_log_ratio(ours, theirs, high_ranks, delta, error),
        _best_log_ratio(-theirs, -ours, low_ranks, delta, error),
    )
    return Estimate(best, best, math.inf, confidence)


def _best_log_ratio(ours: Scores, theirs: Scores, ranks: list[int], delta: float, error: float) -> float:
    """Largest proven ``log((rate of ours - delta) / rate of theirs)`` above the thresholds at these ranks of theirs."""
    best = 0.0
    ordered = np.sort(theirs)[::-1]
    for rank in ranks:
        # The share of all others above the (rank + 1)-th largest of n is Beta(rank + 1, n - rank): this is its bound.
        rare = proportion_high(rank, len(theirs), error)
        common = proportion_low(int((ours > ordered[rank]).sum()), len(ours), error) - delta
        if common > rare:
            best = max(best, math.log(common / rare))
    return best


def _strict_ranks(members: Scores, nonmembers: Scores) -> tuple[Scores, Scores]:
    """Ranks in the pool, equal scores in random order; sorted first, so that the order of the people is forgotten."""
    pool = np.concatenate([np.sort(members), np.sort(nonmembers)])
    coins = np.random.default_rng(_TIE_BREAK).random(len(pool))
    ranks = np.empty(len(pool))
    ranks[np.lexsort((coins, pool))] = np.arange(len(pool))
    return ranks[: len(members)], ranks[len(members) :]
