"""Sums in one pass, against loops over records and models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo
from keepmum.shadows import Shadows, balanced_pairs, fidelity, scaled_logit
from keepmum.shadows._fleet import log_probability, moments
from keepmum.targets import RecordedScores


def fleet(models: int = 8, records: int = 40, seed: int = 0, gap: float = 1.0) -> Shadows:
    """Shadow models whose signals are normal, higher by ``gap`` for whom they were trained on."""
    rng = np.random.default_rng(seed)
    trained_on = np.concatenate([mask for mask, _ in balanced_pairs(records, models // 2, seed)])
    hardness = rng.normal(0, 1, records)
    signals = hardness + gap * trained_on + rng.normal(0, 0.7, trained_on.shape)
    return Shadows(np.arange(records), list(signals.astype(np.float32)), trained_on)


def slow(shadows: Shadows, record: int, side: bool, leave: set[int]) -> list[float]:
    return [
        float(np.clip(shadows.signals[k][record], -shadows.edge, shadows.edge))
        for k in range(len(shadows))
        if shadows.trained_on[k, record] == side and k not in leave
    ]


@pytest.mark.parametrize("leave", [None, 3, 4])
def test_sums_equal_loops(leave: int | None) -> None:
    shadows = fleet()
    sums = shadows.sums if leave is None else shadows.without_pair(leave)
    left = set() if leave is None else {leave, leave ^ 1}
    for side, name in ((True, "inside"), (False, "outside")):
        for record in range(len(shadows.ids)):
            values = np.array(slow(shadows, record, side, left))
            p = 1 / (1 + np.exp(-values))
            assert getattr(sums, name)[0, record] == len(values)
            np.testing.assert_allclose(sums.mean(name)[record], values.mean(), atol=1e-9)
            np.testing.assert_allclose(sums.variance(name)[record], values.var(ddof=1), atol=1e-9)
            np.testing.assert_allclose(sums.mean(name, 3)[record], p.mean(), atol=1e-6)
            np.testing.assert_allclose(sums.mean(name, 4)[record], np.log(p).mean(), atol=1e-6)


def test_pooled_variance_is_that_around_own_means() -> None:
    shadows = fleet()
    parts = [np.array(slow(shadows, i, True, set())) for i in range(len(shadows.ids))]
    expected = sum(((v - v.mean()) ** 2).sum() for v in parts) / sum(len(v) - 1 for v in parts)
    assert shadows.sums.pooled_variance("inside") == pytest.approx(expected)


def test_certain_answers_stand_a_step_beyond_the_others() -> None:
    rows = [np.array([-690.0, 2.0, 690.0], dtype=np.float32), np.array([1.0, -3.0, 0.0], dtype=np.float32)]
    shadows = Shadows(np.arange(3), rows, np.array([[True, False, True], [False, True, False]]))
    assert shadows.edge == pytest.approx(3 + np.log(2))
    np.testing.assert_allclose(shadows.row(0), [-shadows.edge, 2, shadows.edge])


@given(st.integers(2, 5), st.integers(0, 1000))
def test_scaled_logit_is_the_log_odds_of_the_label(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.dirichlet(np.ones(classes), 6)
    records = zoo.Records(np.empty((6, 0)), rng.integers(0, classes, 6), np.arange(6))
    target = RecordedScores(odds, np.arange(classes))
    true = odds[np.arange(6), records.y]
    np.testing.assert_allclose(scaled_logit(target, records), np.log(true / (1 - true)), rtol=1e-6)


def test_a_target_like_its_shadows_passes_and_another_does_not() -> None:
    shadows = fleet(models=8, records=400, seed=1)
    twin = fleet(models=8, records=400, seed=1)
    is_member = shadows.trained_on[0]
    assert fidelity(shadows, twin.row(0), is_member).passed
    worse = fidelity(shadows, shadows.row(0) - 1.5, is_member)
    better = fidelity(shadows, shadows.row(0) + 3.0, is_member)
    assert worse.passed is False
    assert better.passed is False
    assert "does not reproduce" in worse.explanation
    assert worse.counts["shadows"] == 8


@pytest.mark.parametrize("seed", range(20))
def test_fidelity_of_a_target_from_the_same_recipe(seed: int) -> None:
    everyone = fleet(models=10, records=200, seed=seed)
    rest = Shadows(everyone.ids, everyone.signals[2:], everyone.trained_on[2:])
    assert fidelity(rest, everyone.row(0), everyone.trained_on[0]).passed


def test_fidelity_minds_differences_that_matter_only_however_many_people_there_are() -> None:
    everyone = fleet(models=10, records=40_000, seed=1)
    rest = Shadows(everyone.ids, everyone.signals[2:], everyone.trained_on[2:])
    signal, is_member = everyone.row(0), everyone.trained_on[0]
    for less, alike in ((0.05, True), (-0.05, True), (1.0, False), (-1.0, False)):
        assert fidelity(rest, signal - less, is_member).passed is alike


def test_fidelity_allows_for_records_that_only_the_target_knows() -> None:
    """Some of its certain mistakes are about people whose contradicting twin was taken out of the audit."""
    everyone = fleet(models=10, records=40_000, seed=1)
    rest = Shadows(everyone.ids, everyone.signals[2:], everyone.trained_on[2:])
    signal, is_member = everyone.row(0).copy(), everyone.trained_on[0]
    signal[::160] = -690.0
    assert fidelity(rest, signal, is_member).passed
    signal[::20] = -690.0
    assert not fidelity(rest, signal, is_member).passed


def test_moments_hold_far_out() -> None:
    signal = np.array([-690.0, -81.0, -79.0, 0.0, 79.0, 690.0])
    exact = np.minimum(signal, 0) - np.log1p(np.exp(-np.abs(signal)))
    np.testing.assert_allclose(moments(signal)[4], exact, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moments(signal)[3], np.exp(exact), atol=1e-6)
    np.testing.assert_allclose(log_probability(signal), exact, rtol=1e-15)
