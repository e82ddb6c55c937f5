"""Exposure: each formula beside a slow obvious twin, and what it does to secrets that no model knows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest, norm, skewnorm

from keepmum.errors import DataError
from keepmum.stats.exposure import (
    NULL_BITS,
    Ranks,
    extrapolated_bits,
    log_above,
    null_bits,
    rank_among,
    skew_normal,
    uniformity,
)
from keepmum.stats.multiple import benjamini_hochberg


def ranks(*rows: tuple[int, int, int]) -> Ranks:
    above, ties, others = np.array(rows).T
    return Ranks(above, ties, others)


def unknown(n: int, others: int, seed: int, rounded: int | None = None) -> Ranks:
    """Secrets that are drawn as what they are compared with, their scores rounded or not."""
    rng = np.random.default_rng([seed, 0x6E756C6C])
    rows = []
    for _ in range(n):
        scores = rng.normal(size=others + 1)
        scores = scores if rounded is None else np.round(scores, rounded)
        rows.append((*rank_among(scores[0], scores[1:]), others))
    return ranks(*rows)


def slow_rank(value: float, references: list[float]) -> float:
    """Mean place of the value over both orders of each tie."""
    first = 1 + sum(r > value for r in references)
    last = 1 + sum(r >= value for r in references)
    return (first + last) / 2


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_ranks_are_counted(decimals):
    rng = np.random.default_rng(decimals)
    for _ in range(20):
        value, *others = np.round(rng.normal(size=30), decimals).tolist()
        found = ranks((*rank_among(value, np.array(others)), 29))
        assert found.ranks[0] == slow_rank(value, others)
        assert found.bits[0] == pytest.approx(math.log2(30) - math.log2(slow_rank(value, others)))
        assert found.p_values[0] == sum(r >= value for r in [value, *others]) / 30


def test_by_hand():
    found = ranks((0, 0, 9999), (9999, 0, 9999), (0, 9999, 9999), (0, 0, 255))
    assert found.bits == pytest.approx([math.log2(10_000), 0.0, math.log2(10_000 / 5000.5), 8.0])
    assert found.caps == pytest.approx([13.2877, 13.2877, 13.2877, 8.0], abs=1e-4)
    assert found.p_values == pytest.approx([1e-4, 1, 1, 1 / 256])


@pytest.mark.parametrize("rows", [[(-1, 0, 5)], [(3, 3, 5)], [(0, 0, 0)]])
def test_counts_that_do_not_add_up(rows):
    with pytest.raises(DataError, match="expected"):
        ranks(*rows)


@pytest.mark.parametrize("others", [1, 7, 255, 9999])
def test_exposure_of_the_unknown(others):
    every = np.arange(others + 1)
    slow = np.mean(np.log2(others + 1) - np.log2(every + 1))
    assert null_bits(others) == pytest.approx(slow)
    found = ranks(*((int(above), 0, others) for above in every))
    assert found.bits.mean() == pytest.approx(null_bits(others))
    assert null_bits(others) < NULL_BITS
    assert null_bits(10**7) == pytest.approx(NULL_BITS, abs=1e-4)


@pytest.mark.parametrize("rounded", [None, 0])
def test_p_values_hold_their_level(rounded):
    """Among 2,000 secrets that nobody knows, no more than binomially many alarms, ties or not."""
    p_values = unknown(2000, 63, 1, rounded).p_values
    for level in (0.02, 0.05, 0.2):
        assert (p_values <= level).sum() <= 2000 * level + 3 * math.sqrt(2000 * level * (1 - level))


@pytest.mark.parametrize("rounded", [None, 0])
def test_places_of_the_unknown_are_uniform_even_where_scores_tie(rounded):
    """At level .01, of 200 sets of twins at most 7 are called unfair (more happens once in 1,000)."""
    rng = np.random.default_rng(5)
    alarms = sum(uniformity(unknown(24, 15, seed, rounded).places(rng)) <= 0.01 for seed in range(200))
    assert alarms <= 7


def test_a_model_that_finds_all_alike_is_not_called_unfair():
    alike = Ranks(*(np.full(100, count) for count in (0, 255, 255)))
    assert uniformity(alike.places(np.random.default_rng(0))) > 0.01
    assert alike.p_values.min() == 1


def test_uniformity_is_scipys_and_sees_what_is_not():
    places = np.random.default_rng(0).random(24)
    assert uniformity(places) == kstest(places, "uniform").pvalue
    assert uniformity(places / 3) < 0.01
    assert uniformity(1 - places / 3) < 0.01


@pytest.mark.parametrize("shape", [-4.0, -1.0, 0.0, 1.0, 4.0])
def test_the_tail_is_scipys(shape):
    z = np.array([-6.0, -2.0, -0.3, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    assert log_above(z, shape) == pytest.approx(np.log(skewnorm.sf(z, shape)), abs=2e-4)


def test_the_far_tail_is_right():
    z = np.array([3.0, 8.0, 20.0, 100.0])
    assert log_above(z, 0.0) == pytest.approx(norm.logsf(z), rel=1e-4)
    # For a positive shape the density is all but twice the normal one there; for a negative one, an integral by hand.
    assert log_above(z, 3.0) == pytest.approx(norm.logsf(z) + math.log(2), rel=1e-4)
    for each in (3.0, 8.0):
        at = np.linspace(each, each + 6, 2_000_001)
        logs = math.log(2) + norm.logpdf(at) + norm.logcdf(-3.0 * at)
        slow = logs.max() + math.log(np.trapezoid(np.exp(logs - logs.max()), at))
        assert log_above(np.array([each]), -3.0)[0] == pytest.approx(slow, rel=1e-3)


@pytest.mark.parametrize("shape", [-3.0, 0.0, 2.0])
def test_moments_find_the_distribution_again(shape):
    sample = skewnorm.rvs(shape, loc=-40, scale=6, size=200_000, random_state=np.random.default_rng(2))
    place, scale, found = skew_normal(sample)
    mean, variance, skew = skewnorm.stats(found, loc=place, scale=scale, moments="mvs")
    assert (mean, variance) == pytest.approx((sample.mean(), sample.var()))
    assert skew == pytest.approx(((sample - sample.mean()) ** 3).mean() / sample.std() ** 3, abs=1e-9)


def test_extrapolation_goes_on_where_ranks_end_and_is_calibrated_before():
    rng = np.random.default_rng(3)
    bits = []
    for _ in range(400):
        references = skewnorm.rvs(-2, loc=-30, scale=5, size=255, random_state=rng)
        value = skewnorm.rvs(-2, loc=-30, scale=5, size=1, random_state=rng)
        found = extrapolated_bits(value, references)
        if found is not None:
            bits.append(found[0])
    assert len(bits) > 380
    assert np.mean(bits) == pytest.approx(NULL_BITS, abs=0.25)
    found = extrapolated_bits(np.array([-5.0, 0.0]), references)
    assert found is not None
    assert 8 < found[0] < found[1]


def test_extrapolation_is_refused_where_it_does_not_fit():
    rng = np.random.default_rng(4)
    two_humps = np.r_[rng.normal(-50, 1, 130), rng.normal(-10, 1, 125)]
    value = np.array([-5.0])
    assert extrapolated_bits(value, two_humps) is None
    assert extrapolated_bits(value, np.full(255, -3.0)) is None
    assert extrapolated_bits(value, rng.normal(size=29)) is None


def slow_benjamini_hochberg(p_values: list[float], level: float) -> int:
    """The largest k such that the k-th smallest is at most k/m of the level."""
    ordered = sorted(p_values)
    return max((k for k in range(1, len(ordered) + 1) if ordered[k - 1] <= k / len(ordered) * level), default=0)


def test_benjamini_and_hochberg_by_definition():
    rng = np.random.default_rng(6)
    for _ in range(50):
        p_values = rng.random(20) ** rng.integers(1, 5)
        adjusted = benjamini_hochberg(p_values)
        for level in (0.01, 0.05, 0.3):
            assert (adjusted <= level).sum() == slow_benjamini_hochberg(p_values.tolist(), level)
        assert (adjusted >= p_values - 1e-12).all()
    assert len(benjamini_hochberg(np.empty(0))) == 0
