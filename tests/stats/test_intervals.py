"""Intervals of proportions against scipy and against their own definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepmum.errors import ConfigError, DataError
from keepmum.stats import Estimate
from keepmum.stats.intervals import (
    clopper_pearson,
    difference,
    normal_quantile,
    proportion_high,
    proportion_low,
    wilson,
)

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.sampled_from([0.5, 0.8, 0.95, 0.99])


@given(counts, confidences)
def test_clopper_pearson_is_scipys(count, confidence):
    from scipy.stats import binomtest

    exact = binomtest(*count).proportion_ci(confidence, method="exact")
    estimate = clopper_pearson(*count, confidence)
    assert (estimate.low, estimate.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert estimate.value == count[0] / count[1]


@given(counts, confidences)
def test_wilson_is_scipys(count, confidence):
    from scipy.stats import binomtest

    score = binomtest(*count).proportion_ci(confidence, method="wilson")
    estimate = wilson(*count, confidence)
    assert (estimate.low, estimate.high) == pytest.approx((score.low, score.high), abs=1e-9)


@given(counts, st.sampled_from([0.001, 0.025, 0.2]))
def test_one_sided_bounds_leave_exactly_the_error(count, error):
    """At the bound itself, a result at least as extreme has exactly this probability."""
    successes, trials = count
    chance = [math.comb(trials, k) for k in range(trials + 1)]

    def weight(p, ks):
        return sum(chance[k] * p**k * (1 - p) ** (trials - k) for k in ks)

    low, high = proportion_low(successes, trials, error), proportion_high(successes, trials, error)
    if successes:
        assert weight(low, range(successes, trials + 1)) == pytest.approx(error, rel=1e-6)
    else:
        assert low == 0.0
    if successes < trials:
        assert weight(high, range(successes + 1)) == pytest.approx(error, rel=1e-6)
    else:
        assert high == 1.0


@given(counts, counts)
def test_difference_is_newcombes_method_10(first, second):
    """Written out as in his table: the roots of both proportions' deviations, squared and added."""
    one, two = wilson(*first), wilson(*second)
    p, q = first[0] / first[1], second[0] / second[1]
    estimate = difference(one, two)
    assert estimate.value == p - q
    assert estimate.low == pytest.approx(p - q - math.sqrt((p - one.low) ** 2 + (two.high - q) ** 2))
    assert estimate.high == pytest.approx(p - q + math.sqrt((one.high - p) ** 2 + (q - two.low) ** 2))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)],
)
def test_difference_gives_the_numbers_printed_by_newcombe(first, second, low, high):
    estimate = difference(wilson(*first), wilson(*second))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)


@given(counts, counts, st.sampled_from([wilson, clopper_pearson]))
def test_difference_stays_in_range_and_mirrors(first, second, interval):
    one, two = interval(*first), interval(*second)
    estimate, mirrored = difference(one, two), difference(two, one)
    assert -1 - 1e-12 <= estimate.low <= estimate.value <= estimate.high <= 1 + 1e-12
    assert (mirrored.value, mirrored.low, mirrored.high) == pytest.approx(
        (-estimate.value, -estimate.high, -estimate.low), abs=1e-12
    )


def test_difference_is_no_surer_than_the_less_sure():
    assert difference(wilson(3, 9, 0.9), wilson(3, 9, 0.99)).confidence == 0.9


@given(counts, st.sampled_from([wilson, clopper_pearson]), st.floats(0.05, 0.9))
def test_value_within_interval_and_more_confidence_is_wider(count, interval, confidence):
    narrow, wide = interval(*count, confidence), interval(*count, confidence + 0.09)
    assert 0 <= wide.low <= narrow.low <= narrow.value + 1e-12
    assert narrow.value - 1e-12 <= narrow.high <= wide.high <= 1


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize("count", [(0, 0), (3, 2), (-1, 2)])
def test_counts_that_are_none_are_refused(interval, count):
    with pytest.raises(DataError, match="successes in n > 0 trials"):
        interval(*count)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, -1])
def test_confidence_out_of_range_is_refused(interval, confidence):
    with pytest.raises(ConfigError, match="confidence between 0 and 1"):
        interval(1, 2, confidence)


def test_normal_quantile():
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054)


def test_estimate_prints_itself():
    assert str(Estimate(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"
