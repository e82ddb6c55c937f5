"""Two attacks on the same people: exact twins, and simulated levels and coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepmum.errors import ConfigError, DataError
from keepmum.stats.intervals import wilson
from keepmum.stats.paired import MOST_EXACT, paired_auc_difference, paired_error_p_value, paired_hit_difference
from keepmum.stats.value_area import value_auc


def beliefs(rng, truth, values, strength, hard=False):
    scores = rng.normal(size=(len(truth), values)) + strength * np.eye(values)[truth]
    return np.eye(values)[scores.argmax(axis=1)] if hard else scores


def slow_paired_delong(first, second, truth):
    """Variance of the difference of two areas from the matrices of all pairs."""
    parts = []
    for scores in (first, second):
        ours, theirs = scores[truth == 1, 1], scores[truth == 0, 1]
        kernel = np.array([[float(a > b) + 0.5 * (a == b) for b in theirs] for a in ours])
        parts.append((kernel.mean(axis=1), kernel.mean(axis=0)))
    sides = [one - other for one, other in zip(*parts, strict=True)]
    return sum(side.var(ddof=1) / len(side) for side in sides)


def test_many_people_give_delongs_interval():
    rng = np.random.default_rng(1)
    truth = (rng.random(1500) < 0.4).astype(int)
    first = beliefs(rng, truth, 2, 1.0)
    second = first + 0.5 * rng.normal(size=first.shape)
    first, second = (np.exp(s) / np.exp(s).sum(axis=1, keepdims=True) for s in (first, second))
    estimate, p_value = paired_auc_difference(first, second, truth)
    assert estimate.value == pytest.approx(value_auc(first, truth).value - value_auc(second, truth).value)
    error = math.sqrt(slow_paired_delong(first, second, truth))
    assert (estimate.high - estimate.low) / 2 == pytest.approx(1.96 * error, rel=0.03)
    from scipy.stats import norm

    null = math.hypot(error, estimate.value / math.sqrt(1500))
    assert norm.isf(p_value) == pytest.approx(estimate.value / null, rel=0.05)


@pytest.mark.parametrize("values", [2, 4])
def test_equal_attacks_do_not_differ(values):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, values, 100)
    scores = beliefs(rng, truth, values, 1.0)
    estimate, p_value = paired_auc_difference(scores, scores, truth)
    assert p_value == 1
    assert estimate.value == 0
    assert 3 / 100 < estimate.high == -estimate.low < 6 / 100


def test_areas_without_variance_give_no_certainty():
    truth = np.arange(40) % 2
    perfect, blind = np.eye(2)[truth], np.full((40, 2), 0.5)
    estimate, p_value = paired_auc_difference(perfect, blind, truth)
    assert (estimate.value, estimate.high < 1) == (0.5, True)
    assert 0 < p_value < 1e-4
    assert 0 < estimate.low < 0.45
    assert paired_auc_difference(blind, perfect, truth)[1] > 0.999
    assert paired_auc_difference(perfect[:4], blind[:4], truth[:4])[1] > 0.01


@given(st.integers(0, 9999), st.integers(2, 4), st.booleans())
@settings(max_examples=40)
def test_swapping_attacks_mirrors_and_the_order_of_people_changes_nothing(seed, values, hard):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, values, 30)
    one, other = (beliefs(rng, truth, values, 0.5, hard) for _ in range(2))
    there, p_there = paired_auc_difference(one, other, truth)
    back, p_back = paired_auc_difference(other, one, truth)
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))
    assert p_there + p_back == pytest.approx(1) or p_there == p_back == 1
    order = rng.permutation(30)
    moved, p_moved = paired_auc_difference(one[order], other[order] + [5.0] * values, truth[order])
    assert (moved.low, moved.high, p_moved) == pytest.approx((there.low, there.high, p_there))


CASES = [(2, 0.5, False), (2, 0.5, True), (2, 0.05, False), (2, 0.05, True), (3, 0.05, True), (7, 1 / 7, False)]


@pytest.mark.parametrize(("values", "rare", "hard"), CASES)
def test_p_values_and_intervals_of_equally_good_attacks_keep_their_level(values, rare, hard):
    shares, runs = np.r_[np.full(values - 1, rare), 1 - rare * (values - 1)], 500
    rng = np.random.default_rng([values, hard])
    false = missed = 0
    for _ in range(runs):
        truth = rng.choice(values, 60, p=shares)
        one, other = (beliefs(rng, truth, values, 0.7, hard) for _ in range(2))
        estimate, p_value = paired_auc_difference(one, other, truth)
        false += p_value <= 0.05
        missed += not estimate.low <= 0 <= estimate.high
    assert max(false, missed) / runs <= 0.06 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_better_attack_is_found_and_its_gain_covered():
    rng = np.random.default_rng(8)
    found, covered, runs = 0, 0, 200
    sample = rng.integers(0, 3, 60_000)
    gain = paired_auc_difference(beliefs(rng, sample, 3, 1.5), beliefs(rng, sample, 3, 0.8), sample)[0].value
    for _ in range(runs):
        truth = rng.integers(0, 3, 150)
        estimate, p_value = paired_auc_difference(beliefs(rng, truth, 3, 1.5), beliefs(rng, truth, 3, 0.8), truth)
        found += p_value <= 0.05
        covered += estimate.low <= gain <= estimate.high
    assert found / runs > 0.8
    assert covered / runs > 0.90


def hits_of(both, ours, theirs, none):
    return np.repeat([True, True, False, False], [both, ours, theirs, none]), np.repeat(
        [True, False, True, False], [both, ours, theirs, none]
    )


@pytest.mark.parametrize("counts", [(10, 7, 2, 30), (0, 0, 5, 5), (3, 12, 12, 3), (0, 9, 0, 0), (20, 0, 0, 20)])
def test_mcnemar_counts_who_is_right_alone(counts):
    from scipy.stats import binomtest

    _, ours, theirs, _ = counts
    estimate, p_value = paired_hit_difference(*hits_of(*counts))
    exact = binomtest(ours, ours + theirs, alternative="greater").pvalue if ours + theirs else 1.0
    assert p_value == pytest.approx(exact)
    assert estimate.value == pytest.approx((ours - theirs) / sum(counts))
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1


@pytest.mark.parametrize(
    "counts", [(36, 12, 2, 0), (20, 12, 2, 16), (6, 2, 2, 6), (2, 4, 3, 3), (53, 0, 0, 1), (9, 4, 0, 0)]
)
def test_paired_interval_is_newcombes_method_10(counts):
    """As the paper writes it: cells e, f, g, h; the limits of each share by Wilson; phi as corrected there."""
    e, f, g, h = counts
    n = sum(counts)
    one, other = wilson(e + f, n), wilson(e + g, n)
    product = e * h - f * g
    corrected = product - n / 2 if product > n / 2 else min(0, product)
    margins = (e + f) * (g + h) * (e + g) * (f + h)
    phi = corrected / math.sqrt(margins) if margins else 0
    dl1, du1, dl2, du2 = one.value - one.low, one.high - one.value, other.value - other.low, other.high - other.value
    delta = math.sqrt(dl1**2 - 2 * phi * dl1 * du2 + du2**2)
    epsilon = math.sqrt(du1**2 - 2 * phi * du1 * dl2 + dl2**2)
    estimate, _ = paired_hit_difference(*hits_of(*counts))
    assert (estimate.low, estimate.high) == pytest.approx(((f - g) / n - delta, (f - g) / n + epsilon))


def test_newcombes_example():
    estimate, _ = paired_hit_difference(*hits_of(36, 12, 2, 0))
    assert (estimate.low, estimate.high) == pytest.approx((0.0569, 0.3404), abs=6e-5)


@pytest.mark.parametrize("cells", [(0.25, 0.25, 0.25, 0.25), (0.6, 0.1, 0.02, 0.28), (0.9, 0.04, 0.02, 0.04)])
def test_paired_hits_cover(cells):
    rng = np.random.default_rng(4)
    tables = rng.multinomial(100, cells, 1500)
    ends = [paired_hit_difference(*hits_of(*table))[0] for table in tables]
    assert np.mean([e.low <= cells[1] - cells[2] <= e.high for e in ends]) >= 0.935


def slow_signed_rank(first, second):
    """Try all signs."""
    from scipy.stats import rankdata

    gain = np.array([b - a for a, b in zip(first, second, strict=True) if a != b])
    ranks = rankdata(np.abs(gain))
    won = ranks[gain > 0].sum()
    sums = [
        sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=len(gain))
    ]
    return np.mean([s >= won - 1e-9 for s in sums])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9))
@settings(max_examples=30, deadline=None)
def test_signed_ranks_count_all_signs_also_with_ties(pairs):
    first, second = np.array(pairs, dtype=float).T
    assert paired_error_p_value(first, second) == pytest.approx(slow_signed_rank(first, second))


@pytest.mark.parametrize("n", [25, MOST_EXACT, MOST_EXACT + 1, 400])
def test_signed_ranks_are_wilcoxons(n):
    from scipy.stats import wilcoxon

    rng = np.random.default_rng(n)
    first, second = np.abs(rng.normal(size=n)), np.abs(rng.normal(0, 1.3, n))
    method = "exact" if n <= MOST_EXACT else "asymptotic"
    expected = wilcoxon(first, second, alternative="less", method=method, correction=True).pvalue
    assert paired_error_p_value(first, second) == pytest.approx(expected, rel=1e-6)


def test_the_exact_and_the_normal_tail_meet():
    from scipy.stats import wilcoxon

    rng = np.random.default_rng(0)
    for shift in (0.0, 0.3, 0.6):
        gain = rng.normal(shift, 1, MOST_EXACT + 1)
        exact = wilcoxon(gain, alternative="greater", method="exact").pvalue
        assert paired_error_p_value(np.zeros(len(gain)), gain) == pytest.approx(exact, abs=2e-3)


def test_equal_errors_show_nothing():
    assert paired_error_p_value(np.ones(9), np.ones(9)) == 1
    assert paired_error_p_value(np.zeros(5), np.ones(5)) == pytest.approx(1 / 32)


def test_columns_that_do_not_pair_are_refused():
    with pytest.raises(DataError, match="same people"):
        paired_error_p_value(np.ones(3), np.ones(4))
    with pytest.raises(DataError, match="1 NaN"):
        paired_error_p_value(np.ones(2), np.array([1.0, np.nan]))
    with pytest.raises(DataError, match="same people"):
        paired_hit_difference(np.ones(0, dtype=bool), np.ones(0, dtype=bool))
    with pytest.raises(DataError, match="shape"):
        paired_auc_difference(np.ones((3, 2)), np.ones((4, 2)), np.zeros(3, dtype=int))
    with pytest.raises(ConfigError, match="confidence between 0 and 1"):
        paired_auc_difference(np.ones((3, 2)), np.ones((3, 2)), np.array([0, 1, 1]), 95)
