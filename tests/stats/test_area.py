"""The area under the ROC curve against slow obvious twins and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keepmum.errors import ConfigError, DataError
from keepmum.stats.area import FEW_LOSSES, auc, auc_value, midranks, placements

few_valued = st.integers(0, 6).map(float)
some = st.integers(2, 40).flatmap(lambda n: arrays(float, n, elements=few_valued))
any_scores = st.one_of(
    some,
    st.integers(2, 40).flatmap(
        lambda n: arrays(float, n, elements=st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False))
    ),
)


def slow_area(members, nonmembers):
    """Count the pairs, all m times n."""
    won = sum((a > b) + 0.5 * (a == b) for a in members for b in nonmembers)
    return won / (len(members) * len(nonmembers))


def slow_delong(members, nonmembers):
    """DeLong's variance from the matrix of all pairs."""
    kernel = np.array([[float(a > b) + 0.5 * (a == b) for b in nonmembers] for a in members])
    return kernel.mean(axis=1).var(ddof=1) / len(members) + kernel.mean(axis=0).var(ddof=1) / len(nonmembers)


def half_width_on_logit(estimate):
    low, high = (math.log(p / (1 - p)) for p in (estimate.low, estimate.high))
    return (high - low) / 2


@given(any_scores, any_scores)
def test_area_counts_pairs(members, nonmembers):
    assert auc_value(members, nonmembers) == pytest.approx(slow_area(members, nonmembers), abs=1e-12)


@given(some, some)
@settings(max_examples=30)
def test_area_is_that_of_scikit_learn_with_ties(members, nonmembers):
    from sklearn.metrics import roc_auc_score

    truth = np.r_[np.ones(len(members)), np.zeros(len(nonmembers))]
    expected = roc_auc_score(truth, np.concatenate([members, nonmembers]))
    assert auc(members, nonmembers).value == pytest.approx(expected, abs=1e-12)


@given(any_scores)
def test_midranks_are_those_of_scipy(values):
    from scipy.stats import rankdata

    assert np.array_equal(midranks(values), rankdata(values))


@given(any_scores, any_scores)
def test_placements_compare_with_everyone_on_the_other_side(members, nonmembers):
    above, below = placements(members, nonmembers)
    for score, share in zip(members, above, strict=True):
        assert share == pytest.approx(np.mean((score > nonmembers) + 0.5 * (score == nonmembers)))
    for score, share in zip(nonmembers, below, strict=True):
        assert share == pytest.approx(np.mean((members > score) + 0.5 * (score == members)))


@pytest.mark.parametrize(("m", "n", "shift"), [(60, 60, 0.0), (50, 200, 0.7), (200, 50, 1.0)])
def test_interval_without_ties_is_delong_with_students_quantile(m, n, shift):
    from scipy.stats import t

    rng = np.random.default_rng(m)
    members, nonmembers = rng.normal(shift, 1, m), rng.normal(size=n)
    estimate = auc(members, nonmembers)
    area = slow_area(members, nonmembers)
    assert min(area, 1 - area) * min(m, n) > FEW_LOSSES
    one = np.array([[a > b for b in nonmembers] for a in members]).astype(float)
    parts = [(one.mean(axis=1).var(ddof=1) / m, m - 1), (one.mean(axis=0).var(ddof=1) / n, n - 1)]
    free = sum(v for v, _ in parts) ** 2 / sum(v * v / f for v, f in parts)
    expected = t.ppf(0.975, free) * math.sqrt(slow_delong(members, nonmembers)) / (area * (1 - area))
    assert half_width_on_logit(estimate) == pytest.approx(expected, rel=1e-9)


def test_two_valued_scores_get_the_variance_of_agresti_and_caffo():
    from scipy.stats import t

    n, right, other = 100, 98, 97
    members, nonmembers = (np.r_[np.ones(k), np.zeros(n - k)] for k in (right, other))
    pseudo = [(k + 1) / (n + 2) for k in (right, other)]
    variance = sum(p * (1 - p) / (n + 2) for p in pseudo) / 4  # the area is 1/2 + half the difference of the shares
    area = 0.5 + (right - other) / n / 2
    expected = t.ppf(0.975, 2 * n - 2) * math.sqrt(variance) / (area * (1 - area))
    assert half_width_on_logit(auc(members, nonmembers)) == pytest.approx(expected, rel=0.01)


def test_nearly_separated_sides_get_the_hull_with_newcombes_method_5():
    rng = np.random.default_rng(3)
    members, nonmembers = rng.normal(3.3, 1, 80), rng.normal(size=60)
    estimate = auc(members, nonmembers)
    area, m, n, z = estimate.value, 80, 60, 1.959963984540054
    assert 0.95 < area < 1

    def distance(theta):
        other = (m + n) / 2 - 1
        variance = theta * (1 - theta) * (1 + other * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (m * n)
        return (area - theta) ** 2 - z * z * variance

    grid = np.linspace(1e-6, 1 - 1e-6, 200_001)
    inside = grid[distance(grid) <= 0]
    assert estimate.low == pytest.approx(inside[0], abs=1e-5)
    assert estimate.high >= inside[-1] - 1e-5


def test_separated_sides_get_the_exact_bound_of_disjoint_pairs():
    from scipy.stats import binomtest

    estimate = auc(np.arange(10.0) + 100, np.arange(25.0))
    exact = binomtest(10, 10).proportion_ci(method="exact")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1.0, exact.low, 1.0))
    mirrored = auc(np.arange(25.0), np.arange(10.0) + 100)
    assert (mirrored.value, mirrored.low, mirrored.high) == pytest.approx((0.0, 0.0, 1 - exact.low))


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 500), (500, 1)])
def test_one_person_on_a_side_bounds_nothing(m, n):
    estimate = auc(np.ones(m), np.zeros(n))
    assert (estimate.value, estimate.low, estimate.high) == (1.0, 0.0, 1.0)


def test_constant_scores_still_admit_that_a_leak_may_have_been_missed():
    estimate = auc(np.zeros(100), np.zeros(100))
    assert estimate.value == 0.5
    assert 0.01 < estimate.high - 0.5 == pytest.approx(0.5 - estimate.low, rel=1e-6)


@given(any_scores, any_scores)
def test_value_lies_in_its_interval_and_the_interval_in_range(members, nonmembers):
    estimate = auc(members, nonmembers)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


@given(some, some)
def test_monotone_transforms_and_the_order_of_people_change_nothing(members, nonmembers):
    before = auc(members, nonmembers)
    after = auc(np.exp(members)[::-1], np.exp(nonmembers)[::-1])
    assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high))


@given(any_scores, any_scores)
def test_swapping_sides_mirrors(members, nonmembers):
    one, other = auc(members, nonmembers), auc(nonmembers, members)
    assert (other.value, other.low, other.high) == pytest.approx((1 - one.value, 1 - one.high, 1 - one.low), abs=1e-9)


@given(any_scores)
def test_the_same_scores_on_both_sides_give_one_half(scores):
    assert auc(scores, scores).value == pytest.approx(0.5)


@given(any_scores, any_scores, st.floats(0.5, 0.98))
def test_more_confidence_is_wider(members, nonmembers, confidence):
    narrow, wide = auc(members, nonmembers, confidence), auc(members, nonmembers, confidence + 0.015)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    assert wide.confidence == confidence + 0.015


def test_infinite_scores_are_only_large():
    members, nonmembers = np.array([np.inf, np.inf, 1.0, 2.0]), np.array([-np.inf, 1.0, np.inf, 0.0])
    finite = auc(np.array([9.0, 9.0, 1.0, 2.0]), np.array([-9.0, 1.0, 9.0, 0.0]))
    assert auc(members, nonmembers) == finite


@pytest.mark.parametrize(
    ("members", "nonmembers"),
    [
        (np.array([]), np.ones(3)),
        (np.ones(3), np.array([])),
        (np.ones((3, 1)), np.ones(3)),
        (np.array([np.nan]), np.ones(3)),
    ],
)
def test_scores_that_are_none_are_refused(members, nonmembers):
    with pytest.raises(DataError, match="expected"):
        auc(members, nonmembers)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_confidence_out_of_range_is_refused(confidence):
    with pytest.raises(ConfigError, match="confidence between 0 and 1"):
        auc(np.ones(3), np.zeros(3), confidence)
