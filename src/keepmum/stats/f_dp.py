"""Gaussian differential privacy: trade-offs between false alarms and misses, and what they mean as epsilon."""

from __future__ import annotations

import math

import numpy as np

from keepmum.errors import ConfigError
from keepmum.stats._estimate import Estimate
from keepmum.stats.area import Scores, check_scores
from keepmum.stats.epsilon import rank_grid
from keepmum.stats.intervals import check_confidence, proportion_high, proportion_low


def delta_of(mu: float, epsilon: float) -> float:
    """Delta of a mu-Gaussian private mechanism at an epsilon.

    References:
      Dong, Roth, Su. Gaussian Differential Privacy. JRSS B 84 (2022), arXiv:1905.02383, corollary 2.13; Balle, Wang.
      ICML 2018, arXiv:1805.06530.
    """
    from scipy.special import log_ndtr, ndtr

    if mu <= 0:
        return 0.0
    return float(ndtr(-epsilon / mu + mu / 2) - math.exp(min(epsilon + log_ndtr(-epsilon / mu - mu / 2), 700.0)))


def epsilon_of(mu: float, delta: float) -> float:
    """Smallest epsilon at which a mu-Gaussian private mechanism has this delta; 0 for mu 0.

    Raises:
      ConfigError: A delta that is not between 0 and 1.
    """
    from scipy.optimize import brentq

    if not 0 < delta < 1:
        raise ConfigError(f"expected a delta between 0 and 1, got {delta}")
    if mu <= 0 or delta_of(mu, 0.0) <= delta:
        return 0.0
    high = 1.0
    while delta_of(mu, high) > delta:
        high *= 2
    return float(brentq(lambda epsilon: delta_of(mu, epsilon) - delta, 0.0, high, xtol=1e-10))


def gaussian_epsilon_lower_bound(
    members: Scores, nonmembers: Scores, delta: float = 1e-5, confidence: float = 0.95
) -> Estimate:
    """Lower bound on epsilon **if the mechanism is Gaussian**: no bound without that assumption.

    At thresholds of fixed ranks, rates get exact bounds, and the error is divided among all; mu is at least
    ``quantile(TPR) - quantile(FPR)``.

    Args:
      members: ``(m,)`` scores.
      nonmembers: ``(n,)`` scores.
      delta: At which epsilon is told, between 0 and 1.
      confidence: One-sided.

    Raises:
      DataError: Empty or missing scores.
      ConfigError: A delta or a confidence out of range.

    References:
      Nasr et al. Tight Auditing of Differentially Private Machine Learning. USENIX Security 2023, arXiv:2302.07956.
    """
    from scipy.special import ndtri

    check_scores(members, nonmembers)
    check_confidence(confidence)
    ranks = rank_grid(len(nonmembers))
    error = (1 - confidence) / (4 * len(ranks))
    best = 0.0
    for ours, theirs in ((members, nonmembers), (-nonmembers, -members)):
        ordered = np.sort(theirs)[::-1]
        for rank in (rank for rank in ranks if rank < len(theirs)):
            rare = proportion_high(rank, len(theirs), error)
            common = proportion_low(int((ours > ordered[rank]).sum()), len(ours), error)
            if common > rare:
                best = max(best, float(ndtri(common) - ndtri(rare)))
    found = epsilon_of(best, delta)
    return Estimate(found, found, math.inf, confidence)
