"""The epsilon bound against a slow twin, and what it must never do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keepmum.errors import ConfigError, DataError
from keepmum.stats.epsilon import epsilon_lower_bound, rank_grid

apart = st.integers(2, 60).flatmap(lambda n: st.permutations(range(n)).map(lambda p: np.array(p, dtype=float)))
tied = st.integers(1, 60).flatmap(lambda n: arrays(float, n, elements=st.integers(0, 3).map(float)))


@pytest.mark.parametrize(
    ("size", "grid"),
    [(1, [0]), (2, [0]), (3, [0, 1]), (20, [0, 1, 3]), (21, [0, 1, 3, 10]), (1000, [0, 1, 3, 10, 32, 100, 316])],
)
def test_rank_grid(size, grid):
    assert rank_grid(size) == grid


@given(st.integers(1, 10**7))
def test_rank_grid_by_filtering_all_half_powers_of_ten(size):
    expected = {0} | {round(math.sqrt(10) ** k) for k in range(18) if round(math.sqrt(10) ** k) < size / 2}
    assert rank_grid(size) == sorted(expected)


def slow_bound(members, nonmembers, delta, confidence):
    """Count at each threshold; scores all distinct, so that nothing is left to chance."""
    from scipy.stats import beta

    m, n = len(members), len(nonmembers)
    looks = len(rank_grid(m)) + len(rank_grid(n))
    error = (1 - confidence) / looks / 2
    best = 0.0
    for rank in rank_grid(n):
        cut = sorted(nonmembers)[n - 1 - rank]
        hits = sum(s > cut for s in members)
        tpr = beta.ppf(error, hits, m - hits + 1) if hits else 0.0
        fpr = beta.ppf(1 - error, rank + 1, n - rank)
        if tpr - delta > fpr:
            best = max(best, math.log((tpr - delta) / fpr))
    for rank in rank_grid(m):
        cut = sorted(members)[rank]
        cleared = sum(s < cut for s in nonmembers)
        tnr = beta.ppf(error, cleared, n - cleared + 1) if cleared else 0.0
        fnr = beta.ppf(1 - error, rank + 1, m - rank)
        if tnr - delta > fnr:
            best = max(best, math.log((tnr - delta) / fnr))
    return best


@given(apart, st.integers(1, 10), st.sampled_from([0.0, 0.05]), st.sampled_from([0.5, 0.95]))
def test_bound_is_the_best_of_all_thresholds(pool, shift, delta, confidence):
    members, nonmembers = pool[::2] + shift * 3 + 0.5, pool[1::2]
    expected = slow_bound(members, nonmembers, delta, confidence)
    assert epsilon_lower_bound(members, nonmembers, delta, confidence).value == pytest.approx(expected)


def test_perfect_attack_on_a_hundred_people():
    """One look of six in each direction: both rates from zero errors among 100."""
    error = 0.05 / 2 / (2 * len(rank_grid(100)))
    rate = error ** (1 / 100)
    bound = epsilon_lower_bound(np.ones(100), np.zeros(100))
    assert bound.value == pytest.approx(math.log(rate / (1 - rate)))
    assert (bound.low, bound.high) == (bound.value, math.inf)


@given(tied, tied, st.sampled_from([0.0, 0.01, 0.3]))
def test_order_of_people_and_monotone_transforms_change_nothing(members, nonmembers, delta):
    before = epsilon_lower_bound(members, nonmembers, delta)
    assert epsilon_lower_bound(np.exp(members)[::-1], np.exp(nonmembers)[::-1], delta) == before
    assert before.value >= 0


@given(tied, tied)
def test_a_weaker_claim_is_harder_to_refute(members, nonmembers):
    bounds = [epsilon_lower_bound(members, nonmembers, delta).value for delta in (0.0, 0.01, 0.2, 1.0)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == 0.0
    assert epsilon_lower_bound(members, nonmembers, confidence=0.99).value <= bounds[0]


@pytest.mark.parametrize("size", [1, 2, 100, 1000])
def test_scores_that_say_nothing_prove_nothing(size):
    assert epsilon_lower_bound(np.zeros(size), np.zeros(size)).value == 0.0


def test_members_that_score_lower_prove_nothing():
    assert epsilon_lower_bound(np.zeros(500), np.ones(500)).value == 0.0


def test_ties_do_not_cost_the_bound_its_strength():
    """Randomized response of epsilon 2 has two scores only; the bound still comes near."""
    members, nonmembers = np.r_[np.ones(881), np.zeros(119)], np.r_[np.ones(119), np.zeros(881)]
    assert 1.6 < epsilon_lower_bound(members, nonmembers).value < 2.0


def test_certainty_from_one_side_alone_is_found_in_both_directions():
    """Members never score low (no misses), or non-members never score high (no alarms)."""
    rng = np.random.default_rng(0)
    no_misses = epsilon_lower_bound(np.ones(400), np.r_[np.ones(200), np.zeros(200)] + rng.random(400) * 1e-6)
    no_alarms = epsilon_lower_bound(np.r_[np.ones(200), np.zeros(200)], np.zeros(400))
    assert no_misses.value > 0
    assert no_alarms.value > 2


@pytest.mark.parametrize("delta", [-0.1, 1.1])
def test_delta_out_of_range_is_refused(delta):
    with pytest.raises(ConfigError, match="delta between 0 and 1"):
        epsilon_lower_bound(np.ones(9), np.zeros(9), delta)


def test_empty_scores_and_wrong_confidence_are_refused():
    with pytest.raises(DataError, match="shape"):
        epsilon_lower_bound(np.ones(0), np.zeros(9))
    with pytest.raises(ConfigError, match="confidence"):
        epsilon_lower_bound(np.ones(9), np.zeros(9), confidence=1.0)
