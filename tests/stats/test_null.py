"""Tests of "no leak" against enumeration of all divisions of the pool, and against scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keepmum.errors import DataError
from keepmum.stats.null import (
    ENOUGH,
    median_p_value,
    membership_p_value,
    rank_sum_p_value,
    sequential_p_value,
    top_share_p_value,
)

small = arrays(float, st.integers(2, 9), elements=st.integers(0, 4).map(float))
some = st.integers(1, 50).flatmap(lambda n: arrays(float, n, elements=st.integers(0, 6).map(float)))


def divisions(pool, m):
    """All ways to name m of the pool members."""
    for chosen in combinations(range(len(pool)), m):
        mask = np.zeros(len(pool), dtype=bool)
        mask[list(chosen)] = True
        yield pool[mask], pool[~mask]


def exact_level(p_value, pool, m, level):
    """How often the test rejects when every division is equally likely."""
    p_values = np.array([p_value(*division) for division in divisions(pool, m)])
    return float((p_values <= level + 1e-12).mean())


@given(small, st.data())
@settings(max_examples=30)
def test_exact_tests_keep_their_level_over_all_divisions(pool, data):
    m = data.draw(st.integers(1, len(pool) - 1))
    for test in (median_p_value, lambda a, b: top_share_p_value(a, b, 0.3), rank_sum_p_value):
        for level in (0.05, 0.2, 0.5):
            assert exact_level(test, pool, m, level) <= level + 1e-9


@given(small, st.data())
def test_top_share_counts_divisions_with_as_many_members_on_top(pool, data):
    m = data.draw(st.integers(1, len(pool) - 1))
    size = max(1, int(0.3 * len(pool)))
    cut = np.sort(pool)[-size]
    found = (pool[:m] >= cut).sum()
    expected = np.mean([(members >= cut).sum() >= found for members, _ in divisions(pool, m)])
    assert top_share_p_value(pool[:m], pool[m:], 0.3) == pytest.approx(expected)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_two_distinct_scores_give_fishers_exact_test(a, b, c, d):
    from scipy.stats import fisher_exact

    members, nonmembers = np.r_[np.ones(a), np.zeros(b)], np.r_[np.ones(c), np.zeros(d)]
    expected = fisher_exact([[a, b], [c, d]], alternative="greater").pvalue
    assert rank_sum_p_value(members, nonmembers) == pytest.approx(expected)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("m", "n", "shift"), [(40, 60, 0.0), (200, 80, 0.2), (100, 100, -0.3)])
def test_rank_sum_is_scipys_where_it_is_normal(m, n, shift, ties):
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(m)
    members, nonmembers = rng.normal(shift, 1, m), rng.normal(size=n)
    if ties:
        members, nonmembers = members.round(), nonmembers.round()
    expected = mannwhitneyu(members, nonmembers, alternative="greater", method="asymptotic").pvalue
    assert rank_sum_p_value(members, nonmembers) == pytest.approx(expected, rel=1e-9)


def test_a_few_people_off_a_common_score_are_tested_exactly():
    """Four of 200 are off, all of them non-members: 1 / 16 by counting, not the 0.02 of the normal approximation."""
    members, nonmembers = np.ones(100), np.r_[np.ones(96), np.zeros(3), -1.0]
    exact = 100 * 99 * 98 * 97 / (200 * 199 * 198 * 197)
    assert rank_sum_p_value(members, nonmembers) == pytest.approx(exact)
    assert len(members) < ENOUGH * 49  # the kurtosis of such ranks is about one over their share


def test_both_sides_of_the_median_are_two_looks():
    members, nonmembers = np.r_[np.full(5, 2.0), np.ones(25)], np.r_[np.ones(25), np.zeros(5)]
    one_side = 30 * 29 * 28 * 27 * 26 / (60 * 59 * 58 * 57 * 56)
    assert median_p_value(members, nonmembers) == pytest.approx(2 * one_side)


@pytest.mark.parametrize("test", [rank_sum_p_value, median_p_value, membership_p_value])
@pytest.mark.parametrize("size", [1, 30, 400])
def test_constant_scores_are_no_evidence(test, size):
    assert test(np.zeros(size), np.zeros(size + 1)) == 1.0


@given(some, some)
def test_order_transforms_and_range(members, nonmembers):
    for test in (rank_sum_p_value, median_p_value, membership_p_value):
        p_value = test(members, nonmembers)
        assert 0 <= p_value <= 1
        assert test(np.exp(members)[::-1], np.exp(nonmembers)[::-1]) == pytest.approx(p_value)


@given(some, some)
def test_evidence_for_members_is_evidence_against_nonmembers(members, nonmembers):
    """Turned upside down and swapped, the rank sum is the same question."""
    swapped = rank_sum_p_value(-nonmembers, -members)
    if len(np.unique(np.concatenate([members, nonmembers]))) == 2 or min(len(members), len(nonmembers)) > 3 * ENOUGH:
        assert swapped == pytest.approx(rank_sum_p_value(members, nonmembers), rel=1e-6)


@pytest.mark.parametrize(("side", "looks"), [(10, 1), (15, 2), (150, 3), (1500, 4)])
def test_every_look_is_paid_for(side, looks):
    """Members all on top: the smallest look decides, times the number of looks."""
    members, nonmembers = np.arange(side) + 1e6, np.arange(float(side))
    alone = rank_sum_p_value(members, nonmembers)
    shares = [top_share_p_value(members, nonmembers, share) for share in (0.1, 0.01, 0.001)[: looks - 1]]
    assert membership_p_value(members, nonmembers) == pytest.approx(looks * min([alone, *shares]), rel=1e-9)


def test_a_few_exposed_people_are_found_where_the_average_shows_nothing():
    rng = np.random.default_rng(2)
    members, nonmembers = rng.normal(size=1000), rng.normal(size=1000)
    members[:15] = 100.0
    assert rank_sum_p_value(members, nonmembers) > 0.05
    assert membership_p_value(members, nonmembers) < 0.001


def test_members_that_score_lower_are_no_leak():
    assert membership_p_value(np.arange(100.0), np.arange(100.0) + 50) == 1.0


def test_missing_scores_are_refused():
    with pytest.raises(DataError, match="1 NaN"):
        membership_p_value(np.array([1.0, np.nan]), np.ones(3))


def test_sequential_p_value_counts_the_observed_order_too():
    draws = iter(range(1, 10))
    assert sequential_p_value(8, lambda: next(draws), most=9, enough=20) == (2 + 1) / 10


def test_sequential_p_value_stops_early():
    draws = iter([1.0, 5.0, 5.0, 0.0, 7.0])
    assert sequential_p_value(5, lambda: next(draws), most=999, enough=3) == 3 / 5


def test_sequential_p_value_is_never_zero():
    assert sequential_p_value(1.0, lambda: 0.0, most=99) == 0.01


def test_sequential_p_value_keeps_its_level():
    """Observed and drawn are alike: p <= 0.1 in a tenth of the runs, plus three standard errors."""
    rng = np.random.default_rng(4)
    p_values = np.array([sequential_p_value(rng.random(), rng.random, most=99, enough=10) for _ in range(1000)])
    assert (p_values <= 0.1).mean() <= 0.1 + 3 * np.sqrt(0.09 / 1000)
