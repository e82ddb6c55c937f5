"""Areas of hidden values against scikit-learn and slow twins; their intervals and p-values in simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepmum.errors import ConfigError, DataError
from keepmum.stats.area import auc
from keepmum.stats.intervals import difference
from keepmum.stats.value_area import auc_difference, value_auc, value_auc_influence


def beliefs(rng, truth, values, strength, hard=False):
    scores = np.exp(rng.normal(size=(len(truth), values)) + strength * np.eye(values)[truth])
    scores /= scores.sum(axis=1, keepdims=True)
    return np.eye(values)[scores.argmax(axis=1)] if hard else scores


def slow_area(scores, truth, weights=None):
    """Count all pairs of each value, people weighted."""
    weights = np.ones(len(truth)) if weights is None else weights
    total = 0.0
    for value in np.unique(truth):
        has = truth == value
        beats = scores[has, value][:, None] - scores[~has, value][None, :]
        pairs = weights[has][:, None] * weights[~has][None, :]
        total += weights[has].sum() * ((beats > 0) + 0.5 * (beats == 0)).ravel() @ pairs.ravel() / pairs.sum()
    return total / weights.sum()


@st.composite
def played(draw, few=2):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values, n = draw(st.integers(few, 5)), draw(st.integers(8, 40))
    truth = np.r_[np.arange(values), rng.integers(0, values, n - values)]
    return np.round(beliefs(rng, truth, values, 0.7), draw(st.integers(1, 8))), truth


@given(played(3))
@settings(max_examples=40, deadline=None)
def test_area_is_that_of_scikit_learn(play):
    from sklearn.metrics import roc_auc_score

    scores, truth = play
    expected = np.mean([roc_auc_score(truth == v, scores[:, v]) for v in truth])
    estimate = value_auc(scores, truth)
    assert estimate.value == pytest.approx(expected)
    assert estimate.value == pytest.approx(slow_area(scores, truth))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


def test_area_is_the_weighted_one_vs_rest_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    truth = rng.choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])
    scores = beliefs(rng, truth, 4, 1.0)
    expected = roc_auc_score(truth, scores, multi_class="ovr", average="weighted")
    assert value_auc(scores, truth).value == pytest.approx(expected)


def test_of_two_values_it_is_the_area_of_the_second():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 90)
    scores = beliefs(rng, truth, 2, 0.5)
    assert value_auc(scores, truth) == auc(scores[truth == 1, 1], scores[truth == 0, 1])
    assert value_auc(scores[:, ::-1], 1 - truth).value == pytest.approx(value_auc(scores, truth).value)


def test_two_values_of_three_agree_with_two():
    """The common correlation of two mirrored curves is 1: square-and-add gives back the one curve."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 200)
    two = beliefs(rng, truth, 2, 0.8)
    three = value_auc(np.column_stack([two, np.zeros(200)]), truth)
    alone = value_auc(two, truth)
    assert (three.value, three.low, three.high) == pytest.approx((alone.value, alone.low, alone.high), abs=2e-3)


@given(played())
@settings(max_examples=30)
def test_influences_are_the_derivatives_by_the_weight_of_a_person(play):
    scores, truth = play
    scores = np.column_stack([-scores[:, 1], scores[:, 1]]) if scores.shape[1] == 2 else scores
    value, influence = value_auc_influence(scores, truth)
    assert value == pytest.approx(slow_area(scores, truth))
    assert influence.mean() == pytest.approx(0, abs=1e-12)
    for person in range(0, len(truth), 7):
        weights = np.ones(len(truth))
        weights[person] += 1e-6
        slope = (slow_area(scores, truth, weights) - slow_area(scores, truth)) / 1e-6
        assert len(truth) * slope == pytest.approx(influence[person], abs=1e-3)


@given(played(), st.integers(0, 99))
@settings(max_examples=40)
def test_the_order_of_people_and_a_shift_of_a_column_change_nothing(play, seed):
    scores, truth = play
    rng = np.random.default_rng(seed)
    order, shift = rng.permutation(len(truth)), rng.integers(-8, 8, scores.shape[1]) / 1.0
    before = value_auc(np.round(scores, 3), truth)
    after = value_auc(np.round(np.round(scores, 3)[order] + shift, 3), truth[order])
    assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high), abs=1e-9)


@pytest.mark.parametrize("values", [2, 3, 7])
def test_flat_scores_give_one_half_and_admit_that_little_is_known(values):
    estimate = value_auc(np.ones((140, values)), np.arange(140) % values)
    assert estimate.value == pytest.approx(0.5)
    assert 0.005 < estimate.high - 0.5 < 0.3
    assert 0.005 < 0.5 - estimate.low < 0.3


def test_one_value_alone_bounds_nothing():
    estimate = value_auc(np.random.default_rng(0).random((9, 3)), np.ones(9, dtype=int))
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0, 1)


def drawn(rng, n, shares, strength, hard):
    truth = rng.choice(len(shares), n, p=shares)
    return beliefs(rng, truth, len(shares), strength, hard), truth


COVERED = [
    (2, 0.5, 1.0, True),
    (3, 1 / 3, 1.0, True),
    (3, 0.04, 3.0, True),
    (3, 1 / 3, 3.0, False),
    (7, 1 / 7, 1.0, False),
]
COVERED += [(7, 1 / 7, 3.0, True), (7, 0.04, 1.0, False), (7, 0.04, 0.0, True)]


@pytest.mark.parametrize(("values", "rare", "strength", "hard"), COVERED)
def test_intervals_cover(values, rare, strength, hard):
    shares, runs = np.r_[np.full(values - 1, rare), 1 - rare * (values - 1)], 250
    rng = np.random.default_rng([values, hard, 1])
    area = value_auc_influence(*drawn(rng, 300_000, shares, strength, hard))[0]
    ends = [value_auc(*drawn(rng, 100, shares, strength, hard)) for _ in range(runs)]
    covered = np.mean([e.low <= area <= e.high for e in ends])
    assert covered >= 0.94 - 3 * math.sqrt(0.95 * 0.05 / runs)


def test_difference_is_square_and_add_and_agrees_with_its_p_value():
    rng = np.random.default_rng(6)
    seen = set()
    for strength in np.linspace(0, 1.5, 25):
        first, second = drawn(rng, 80, [0.3, 0.7], strength, False), drawn(rng, 60, [0.5, 0.5], 0.3, False)
        gap, p_value = auc_difference(first, second)
        assert gap == difference(value_auc(*first), value_auc(*second))
        assert (p_value <= 0.025) == (gap.low > 0)
        assert (p_value >= 0.975) == (gap.high < 0)
        seen.add(gap.low > 0)
    assert seen == {True, False}


def test_equal_groups_do_not_differ_and_swapping_mirrors():
    rng = np.random.default_rng(7)
    one, other = (drawn(rng, 50, [0.3, 0.3, 0.4], s, False) for s in (0.2, 1.0))
    assert auc_difference(one, one)[1] == pytest.approx(0.5)
    there, back = auc_difference(one, other), auc_difference(other, one)
    assert there[1] + back[1] == pytest.approx(1)
    assert back[1] < 0.5 < there[1]


@pytest.mark.parametrize(
    ("values", "rare", "strength", "hard"),
    [(2, 0.5, 0.5, False), (2, 0.1, 0.5, True), (3, 0.1, 0.5, False), (3, 1 / 3, 4.0, True), (2, 0.5, 9.0, False)],
)
def test_p_values_of_equal_groups_keep_their_level(values, rare, strength, hard):
    shares, runs = np.r_[np.full(values - 1, rare), 1 - rare * (values - 1)], 300
    rng = np.random.default_rng([values, hard, 2])
    wrong = [
        auc_difference(*(drawn(rng, 40, shares, strength, hard) for _ in range(2)))[1] <= 0.05 for _ in range(runs)
    ]
    assert np.mean(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (np.ones(3), np.zeros(3, dtype=int)),
        (np.ones((0, 2)), np.zeros(0, dtype=int)),
        (np.ones((3, 2)), np.zeros(2, dtype=int)),
        (np.full((3, 2), np.nan), np.zeros(3, dtype=int)),
        (np.ones((3, 2)), np.array([0, 1, 2])),
        (np.ones((3, 2)), np.array([0, 1, -1])),
        (np.ones((3, 2)), np.array([0.0, 1.0, 1.0])),
    ],
)
def test_guesses_that_are_none_are_refused(scores, truth):
    with pytest.raises(DataError, match="expected"):
        value_auc(scores, truth)


def test_confidence_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="confidence between 0 and 1"):
        value_auc(np.ones((3, 2)), np.array([0, 1, 1]), 95)
