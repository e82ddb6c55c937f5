"""Rates, thresholds and precision against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keepmum.errors import ConfigError, NotResolvableError
from keepmum.stats.intervals import clopper_pearson, difference
from keepmum.stats.roc import (
    advantage,
    auc_value,
    balanced_accuracy,
    crossed_thresholds,
    precision,
    roc_curve,
    threshold_at_fpr,
    tpr_at_fpr,
)


def scores(low, high):
    tied = st.integers(0, 8).map(float)
    apart = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
    sized = st.integers(low, high)
    return st.one_of(
        sized.flatmap(lambda n: arrays(float, n, elements=tied)),
        sized.flatmap(lambda n: arrays(float, n, elements=apart)),
    )


few, many = scores(1, 30), scores(30, 60)
rates = st.sampled_from([0.1, 0.2, 0.29, 0.5, 0.9])


def slow_curve(members, nonmembers):
    """One corner for each distinct score, by counting who reaches it."""
    corners = [(0.0, 0.0)]
    for cut in sorted({*members, *nonmembers}, reverse=True):
        corners.append((float(np.mean(nonmembers >= cut)), float(np.mean(members >= cut))))
    return np.array(corners).T


@given(few, few)
def test_curve_counts_who_reaches_each_score(members, nonmembers):
    fpr, tpr = roc_curve(members, nonmembers)
    expected = slow_curve(members, nonmembers)
    assert fpr == pytest.approx(expected[0])
    assert tpr == pytest.approx(expected[1])
    assert (fpr[-1], tpr[-1]) == (1.0, 1.0)


@given(few, few)
def test_area_below_the_curve_is_the_auc(members, nonmembers):
    fpr, tpr = roc_curve(members, nonmembers)
    assert np.trapezoid(tpr, fpr) == pytest.approx(auc_value(members, nonmembers))


@given(few, rates)
def test_threshold_is_the_smallest_score_that_so_few_exceed(nonmembers, fpr):
    fits = [s for s in nonmembers if (nonmembers > s).sum() <= fpr * len(nonmembers) + 1e-9]
    assert threshold_at_fpr(nonmembers, fpr) == min(fits)


def test_rounding_of_the_rate_loses_nobody():
    assert 0.29 * 100 < 29
    assert threshold_at_fpr(np.arange(100.0), 0.29) == 70.0  # 71 … 99 exceed it: 29 people


def slow_tpr_interval(members, nonmembers, fpr, confidence):
    """Every pair of counts of non-members above the true threshold that is not too rare, by exact sums."""
    from scipy.stats import beta

    n, m = len(nonmembers), len(members)
    error = 1 - math.sqrt(1 - (1 - confidence) / 2)
    below = np.cumsum([0.0] + [math.comb(n, k) * fpr**k * (1 - fpr) ** (n - k) for k in range(n + 1)])  # P(K < k)
    few = max(k for k in range(n + 1) if below[k] <= error)
    most = min(k for k in range(n + 1) if 1 - below[k + 1] <= error)
    ordered = sorted(nonmembers, reverse=True)
    low_hits = sum(s > ordered[few - 1] for s in members) if few else 0
    low = beta.ppf(error, low_hits, m - low_hits + 1) if few and low_hits else 0.0
    high_hits = sum(s > ordered[most] for s in members) if most < n else m
    high = beta.ppf(1 - error, high_hits + 1, m - high_hits) if high_hits < m else 1.0
    return low, high


@given(few, many, rates, st.sampled_from([0.8, 0.95]))
def test_tpr_interval_is_the_rectangle(members, nonmembers, fpr, confidence):
    estimate = tpr_at_fpr(members, nonmembers, fpr, confidence)
    assert (estimate.low, estimate.high) == pytest.approx(
        slow_tpr_interval(members, nonmembers, fpr, confidence), abs=1e-9
    )
    cut = threshold_at_fpr(nonmembers, fpr)
    assert estimate.value == np.mean(members > cut)


def test_a_rate_close_to_one_leaves_the_upper_end_open():
    assert tpr_at_fpr(np.zeros(50), np.arange(5.0), 0.99).high == 1.0
    assert tpr_at_fpr(np.zeros(50), np.arange(5.0), 0.6).low == 0.0


@given(few, many, rates)
def test_values_lie_in_their_intervals(members, nonmembers, fpr):
    rate = tpr_at_fpr(members, nonmembers, fpr)
    share = precision(members, nonmembers, fpr, 0.1)
    gain = advantage(members, nonmembers, np.random.default_rng(0))
    for estimate in (rate, share, balanced_accuracy(gain)):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert -1 <= gain.low <= gain.value <= gain.high <= 1


@given(few, many, rates, st.floats(0.5, 0.9))
def test_more_confidence_is_wider(members, nonmembers, fpr, confidence):
    for measure in (
        lambda c: tpr_at_fpr(members, nonmembers, fpr, c),
        lambda c: precision(members, nonmembers, fpr, 0.2, c),
        lambda c: advantage(members, nonmembers, np.random.default_rng(1), c),
    ):
        narrow, wide = measure(confidence), measure(confidence + 0.09)
        assert wide.low <= narrow.low <= narrow.high <= wide.high


@given(few, many, st.randoms(use_true_random=False))
def test_monotone_transforms_and_the_order_of_people_change_nothing(members, nonmembers, random):
    def measured(ours, theirs):
        gain = advantage(ours, theirs, np.random.default_rng(5))
        return gain, tpr_at_fpr(ours, theirs, 0.1), precision(ours, theirs, 0.1, 0.1)

    def bent(values):  # monotone and exact: places in the pool
        return np.searchsorted(np.unique(np.concatenate([members, nonmembers])), values).astype(float)

    def shuffled(values):
        return np.array(random.sample(list(values), len(values)))

    assert measured(bent(members), bent(nonmembers)) == measured(members, nonmembers)
    assert measured(shuffled(members), shuffled(nonmembers)) == measured(members, nonmembers)


def slow_best_cut(members, nonmembers):
    """Try every score; of equally good ones the lowest."""
    if not len(members) or not len(nonmembers):
        return math.inf
    cuts = sorted({*members, *nonmembers})
    return max(cuts, key=lambda c: (round(np.mean(members > c) - np.mean(nonmembers > c), 12), -c))


@given(few, few, st.integers(0, 99))
def test_advantage_judges_each_half_by_the_threshold_of_the_other(members, nonmembers, seed):
    members, nonmembers = np.sort(members), np.sort(nonmembers)
    hits = alarms = judged_members = judged_others = 0
    for cut, mine, theirs in crossed_thresholds(members, nonmembers, np.random.default_rng(seed)):
        expected = slow_best_cut(members[~mine], nonmembers[~theirs])
        gains = [
            np.mean(members[~mine] > c) - np.mean(nonmembers[~theirs] > c) if np.isfinite(c) else 0.0
            for c in (cut, expected)
        ]
        assert gains[0] == pytest.approx(gains[1])
        hits += sum(members[mine] > cut)
        alarms += sum(nonmembers[theirs] > cut)
        judged_members += mine.sum()
        judged_others += theirs.sum()
    assert (judged_members, judged_others) == (len(members), len(nonmembers))
    expected = difference(clopper_pearson(int(hits), len(members)), clopper_pearson(int(alarms), len(nonmembers)))
    assert advantage(members, nonmembers, np.random.default_rng(seed)) == expected


def test_advantage_of_a_perfect_and_of_a_blind_attack():
    rng = np.random.default_rng(0)
    assert advantage(np.ones(50), np.zeros(40), rng).value == 1.0
    blind = advantage(np.zeros(50), np.zeros(40), rng)
    assert blind.value == 0.0
    assert blind.low < 0 < blind.high


def test_balanced_accuracy_is_half_way_between_advantage_and_one():
    gain = advantage(np.arange(40.0), np.arange(40.0) - 10, np.random.default_rng(0))
    accuracy = balanced_accuracy(gain)
    assert (2 * accuracy.value - 1, 2 * accuracy.low - 1, 2 * accuracy.high - 1) == pytest.approx(
        (gain.value, gain.low, gain.high)
    )


def test_precision_is_bayes_rule():
    members, nonmembers = np.r_[np.ones(40), np.zeros(60)], np.r_[np.ones(5), np.zeros(95)]
    estimate = precision(members, nonmembers, 0.1, 0.2)
    assert estimate.value == pytest.approx(0.2 * 0.4 / (0.2 * 0.4 + 0.8 * 0.05))


def test_precision_pays_for_the_rank_not_for_the_false_alarms_seen():
    """With ties fewer alarms may be seen than the threshold's rank allows; the lower end must not profit."""
    members = np.ones(50)
    five_seen, ten_seen = np.r_[np.zeros(95), np.full(5, 1.0)] - 1, np.arange(100.0) - 90
    tied, apart = precision(members, five_seen, 0.1, 0.1), precision(members * 1e9, ten_seen, 0.1, 0.1)
    assert tied.low == pytest.approx(apart.low)
    assert tied.high > apart.high


def test_precision_without_anybody_accused_is_the_prior_and_unknown():
    estimate = precision(np.zeros(40), np.zeros(40), 0.1, 0.3)
    assert (estimate.value, estimate.low, estimate.high) == (0.3, 0.0, 1.0)


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_precision_under_a_certain_prior_is_the_prior(prior):
    estimate = precision(np.arange(40.0), np.arange(40.0), 0.1, prior)
    assert (estimate.value, estimate.low, estimate.high) == (prior, prior, prior)


@pytest.mark.parametrize("measure", [lambda a, b, f: tpr_at_fpr(a, b, f), lambda a, b, f: precision(a, b, f, 0.1)])
def test_a_rate_that_the_sample_cannot_resolve_is_refused_with_the_number_that_would_do(measure):
    with pytest.raises(NotResolvableError, match="needs 300 non-members, has 299"):
        measure(np.ones(500), np.zeros(299), 0.01)
    assert measure(np.ones(500), np.zeros(300), 0.01).value == 1.0
    for fpr in (0.0, 1.0, -0.1, 5.0):
        with pytest.raises(ConfigError, match="false positive rate between 0 and 1"):
            measure(np.ones(500), np.zeros(299), fpr)


def test_a_prior_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="prior between 0 and 1"):
        precision(np.ones(40), np.zeros(40), 0.1, 10)
