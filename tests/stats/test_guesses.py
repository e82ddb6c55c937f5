"""Statistics of guesses against scikit-learn and slow obvious twins; their intervals in simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepmum.errors import ConfigError, DataError, NotResolvableError
from keepmum.stats.guesses import (
    balanced_hit_rate,
    hit_rate,
    mcc,
    ppv_at_k,
    r_squared,
    tpr_at_fpr_guesses,
    within_tolerance,
)
from keepmum.stats.intervals import clopper_pearson, wilson


@st.composite
def guessed(draw, most=5):
    """Guesses and true values of 3 to 40 people."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, values = draw(st.integers(3, 40)), draw(st.integers(2, most))
    return rng.integers(0, values, n), rng.integers(0, values, n)


def coverage(trial, truth, runs, seed):
    rng = np.random.default_rng(seed)
    return np.mean([(e := trial(rng)).low - 1e-12 <= truth <= e.high + 1e-12 for _ in range(runs)])


def test_hit_rate_has_the_exact_interval():
    hits = np.arange(40) < 11
    assert hit_rate(hits) == clopper_pearson(11, 40)


@given(guessed())
def test_balanced_hit_rate_is_the_balanced_accuracy_of_scikit_learn(pair):
    from sklearn.metrics import recall_score

    guess, truth = pair
    estimate = balanced_hit_rate(guess, truth)
    expected = recall_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0)
    assert estimate.value == pytest.approx(expected)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_balanced_hit_rate_gains_nothing_from_the_most_frequent_value():
    truth = np.r_[np.zeros(90, dtype=int), np.ones(10, dtype=int)]
    assert balanced_hit_rate(np.zeros(100, dtype=int), truth).value == 0.5
    assert balanced_hit_rate(truth[:90], truth[:90]) == clopper_pearson(90, 90)


def slow_mcc_influence(guess, truth, person, step=1e-6):
    """Derivative of R_K when a person weighs a little more."""
    from sklearn.metrics import matthews_corrcoef

    weights = np.ones(len(guess))
    weights[person] += step
    return (matthews_corrcoef(truth, guess, sample_weight=weights) - matthews_corrcoef(truth, guess)) / step


@given(guessed())
@settings(max_examples=40)
def test_mcc_is_that_of_scikit_learn(pair):
    from sklearn.metrics import matthews_corrcoef

    guess, truth = pair
    estimate = mcc(guess, truth)
    assert estimate.value == pytest.approx(matthews_corrcoef(truth, guess), abs=1e-12)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


def test_mcc_interval_is_that_of_the_derivatives():
    from scipy.stats import t

    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 60)
    guess = np.where(rng.random(60) < 0.5, truth, rng.integers(0, 3, 60))
    slopes = [slow_mcc_influence(guess, truth, person) for person in range(60)]
    shares = [np.bincount(side) / 60 for side in (guess, truth)]
    pseudo = 1 / math.prod(1 - share @ share for share in shares)
    estimate = mcc(guess, truth)
    # A weight of 1 + h moves the mean by influence * h / n.
    error = math.sqrt(sum((60 * slope) ** 2 for slope in slopes) + pseudo) / 60
    reach = t.ppf(0.975, 59) * error / (1 - estimate.value**2)
    assert math.atanh(estimate.high) - math.atanh(estimate.value) == pytest.approx(reach, rel=1e-4)


@pytest.mark.parametrize("constant", ["guess", "truth"])
def test_mcc_knows_nothing_where_one_side_is_constant(constant):
    side, other = np.zeros(50, dtype=int), np.arange(50) % 3
    estimate = mcc(side, other) if constant == "guess" else mcc(other, side)
    assert (estimate.value, estimate.low, estimate.high) == (0, -1, 1)


def test_mcc_of_guesses_that_are_all_right_leaves_room_below():
    truth = np.arange(100) % 2
    estimate = mcc(truth, truth)
    assert estimate.value == estimate.high == 1
    assert estimate.low == pytest.approx(1 - 2 * (1 - clopper_pearson(100, 100).low))


@pytest.mark.parametrize(("values", "right", "rare"), [(2, 0.0, 0.5), (2, 0.6, 0.1), (3, 0.4, 0.2), (7, 0.97, 1 / 7)])
def test_mcc_covers(values, right, rare):
    shares = np.r_[np.full(values - 1, rare), 1 - rare * (values - 1)]

    def draw(rng, n):
        truth = rng.choice(values, n, p=shares)
        return np.where(rng.random(n) < right, truth, rng.choice(values, n, p=shares)), truth

    # Guess and truth have the same shares: the covariance is right * variance.
    assert coverage(lambda rng: mcc(*draw(rng, 120)), right, 400, values) >= 0.92


def slow_ppv(certainty, hits, k, rng, rounds=3000):
    """Draw among the equally sure, again and again."""
    shares = [hits[np.lexsort((rng.random(len(hits)), -certainty))[:k]].mean() for _ in range(rounds)]
    return np.mean(shares)


def test_ppv_at_k_draws_among_the_equally_sure():
    rng = np.random.default_rng(2)
    certainty, hits = rng.integers(0, 4, 30).astype(float), rng.random(30) < 0.4
    for k in (1, 7, 13, 30):
        assert ppv_at_k(certainty, hits, k).value == pytest.approx(slow_ppv(certainty, hits, k, rng), abs=0.03)


def test_ppv_at_k_without_ties_counts_and_has_wilsons_interval():
    certainty, hits = np.arange(50.0), np.arange(50) % 3 == 0
    assert ppv_at_k(certainty, hits, 10) == wilson(int(hits[-10:].sum()), 10)
    assert ppv_at_k(np.ones(50), hits, 10).value == pytest.approx(hits.mean())


@pytest.mark.parametrize("k", [0, 51])
def test_ppv_at_k_refuses_more_people_than_there_are(k):
    with pytest.raises(ConfigError, match="k between 1 and the 50 people"):
        ppv_at_k(np.ones(50), np.ones(50, dtype=bool), k)


def test_tpr_at_fpr_takes_the_rarest_value_that_ten_people_have():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [400, 20, 9])
    scores = rng.random((len(truth), 3))
    scores[truth == 1, 1] += 1
    assert tpr_at_fpr_guesses(scores, truth).value == 1
    assert tpr_at_fpr_guesses(scores, truth, value=2).value < 0.5
    with pytest.raises(NotResolvableError, match="300 people with another, has 29"):
        tpr_at_fpr_guesses(scores, truth, value=0)
    with pytest.raises(NotResolvableError, match="needs a value that 10 people have, the most is 9"):
        tpr_at_fpr_guesses(scores[-9:], truth[-9:])
    with pytest.raises(ConfigError, match="between 0 and 2"):
        tpr_at_fpr_guesses(scores, truth, value=3)


numbers = st.lists(st.tuples(st.floats(-99, 99), st.floats(-99, 99)), min_size=1, max_size=30)


@given(numbers, st.floats(0.1, 10), st.floats(0, 3))
def test_the_tolerance_is_blind_to_the_sign(pairs, scale, tolerance):
    guess, truth = np.array(pairs).T
    there = within_tolerance(guess, truth, scale, tolerance)
    assert there == within_tolerance(-guess, -truth, scale, tolerance)
    assert there == within_tolerance(truth, guess, scale, tolerance)
    assert there.value == np.mean([abs(a - b) / scale <= tolerance for a, b in zip(guess, truth, strict=True)])


def test_a_far_negative_guess_is_wrong():
    truth = np.array([5.0, 6.0, 7.0])
    assert within_tolerance(np.full(3, -100.0), truth, 1.0, 0.1).value == 0
    assert within_tolerance(-truth, -truth, 1.0, 0.0).value == 1


@pytest.mark.parametrize(("scale", "tolerance"), [(0.0, 0.1), (-1.0, 0.1), (1.0, -0.1), (math.nan, 0.1)])
def test_a_scale_or_tolerance_that_is_none_is_refused(scale, tolerance):
    with pytest.raises(ConfigError, match="scale above 0"):
        within_tolerance(np.ones(3), np.ones(3), scale, tolerance)


@given(st.integers(0, 999), st.floats(-2, 2), st.integers(3, 40))
def test_r_squared_is_that_of_scikit_learn(seed, slope, n):
    from sklearn.metrics import r2_score

    truth, noise = np.random.default_rng(seed).normal(size=(2, n))
    guess = slope * truth + noise
    estimate = r_squared(guess, truth)
    assert estimate.value == pytest.approx(r2_score(truth, guess))
    assert estimate.low < estimate.value < estimate.high <= 1


def test_r_squared_at_its_ends():
    truth = np.arange(50.0)
    perfect = r_squared(truth, truth)
    assert perfect.low < perfect.value == perfect.high == 1
    assert r_squared(np.full(50, truth.mean()), truth).value == pytest.approx(0)
    nothing = r_squared(truth, np.ones(50))
    assert (nothing.value, nothing.low, nothing.high) == (0, -math.inf, 1)


@pytest.mark.parametrize("explained", [-0.5, 0.0, 0.5, 0.95])
def test_r_squared_covers(explained):
    noise = math.sqrt(1 - explained)

    def trial(rng):
        truth = rng.normal(size=120)
        return r_squared(truth + noise * rng.normal(size=120), truth)

    assert coverage(trial, explained, 400, 3) >= 0.92


@given(guessed(), st.integers(0, 99))
def test_the_order_of_people_changes_nothing(pair, seed):
    guess, truth = pair
    order = np.random.default_rng(seed).permutation(len(guess))
    for measure in (mcc, balanced_hit_rate):
        before, after = measure(guess, truth), measure(guess[order], truth[order])
        assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high), abs=1e-9)


@pytest.mark.parametrize("measure", [mcc, balanced_hit_rate, r_squared])
def test_columns_of_different_people_are_refused(measure):
    with pytest.raises(DataError, match="expected guesses and true values"):
        measure(np.zeros(3, dtype=int), np.zeros(4, dtype=int))
    with pytest.raises(ConfigError, match="confidence between 0 and 1"):
        measure(np.arange(9) % 2, np.arange(9) % 3, confidence=95)
