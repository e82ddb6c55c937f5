"""The instrument sees what is there, and false alarms are as rare as promised."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from keepmum import instrument
from keepmum.attacks._base import Ledger
from keepmum.data import Records, Split
from keepmum.overlap import Overlap


def fair(seed: int, n: int = 150, columns: int = 4) -> Split:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * n, columns)), rng.integers(0, 2, 2 * n)
    return Split(Records(X[:n], y[:n]), Records(X[n:], y[n:]))


@pytest.mark.slow
def test_blind_baseline_keeps_its_level():
    """Of 200 fair splits, its 1 % test may stop at most 2 + 2 standard errors, and its interval covers one half."""
    checks = [instrument.blind_baseline(fair(seed), seed, 1_000) for seed in range(200)]
    alarms = sum(check.passed is False for check in checks)
    assert alarms <= 200 * 0.01 + 2 * np.sqrt(200 * 0.01 * 0.99)
    covered = sum(c.metrics["auc"].low <= 0.5 <= c.metrics["auc"].high for c in checks)
    assert covered >= 200 * 0.90  # the better of two learners is shown


def test_blind_baseline_sees_a_shift():
    data = Split(zoo.people(300, 0), zoo.people(300, 1, shift=0.4))
    check = instrument.blind_baseline(data, 0, 1_000)
    assert check.passed is False
    assert check.metrics["auc"].low > 0.5


def test_blind_baseline_sees_a_shift_in_labels_alone():
    rng = np.random.default_rng(0)
    empty = np.empty((500, 0))
    members, others = Records(empty, rng.binomial(1, 0.3, 500)), Records(empty, rng.binomial(1, 0.6, 500))
    check = instrument.blind_baseline(Split(members, others), 0, 1_000)
    assert check.passed is False
    assert "label only" in check.explanation


def test_blind_baseline_with_missing_values_and_text():
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": [None, 1.0, 2.0, 3.0] * 100, "b": rng.choice(["x", None], 400), "c": [None] * 400})
    data = Split(Records(frame[:200], np.zeros(200)), Records(frame[200:], np.zeros(200)))
    assert instrument.blind_baseline(data, 0, 1_000).passed is True


def test_blind_baseline_says_when_it_cannot():
    data = Split(zoo.people(5, 0), zoo.people(50, 1))
    assert instrument.blind_baseline(data, 0, 1_000).passed is None


@pytest.mark.parametrize("columns", [0, 1, 30])
def test_positive_control_is_caught(columns):
    check = instrument.positive_control(fair(0, columns=columns), 0)
    assert check.passed is True
    assert check.metrics["auc"].low > 0.9


def test_positive_control_fails_where_people_cannot_be_told_apart():
    same = Records(np.ones((200, 3)), np.zeros(200, int))
    assert instrument.positive_control(Split(same, same), 0).passed is False


def ledger(scores: np.ndarray, is_member: np.ndarray) -> dict[str, Ledger]:
    return {"a": Ledger(np.arange(len(scores)), is_member, scores)}


def test_negative_control_keeps_its_level():
    rng = np.random.default_rng(0)
    member = np.arange(400) < 200
    checks = [instrument.negative_control(ledger(rng.normal(size=400) + member, member), seed) for seed in range(300)]
    assert sum(check.passed is False for check in checks) <= 300 * 0.001 + 2 * np.sqrt(300 * 0.001)


def test_direction():
    rng = np.random.default_rng(0)
    member = np.arange(400) < 200
    right, wrong = ledger(rng.normal(size=400) + member, member), ledger(rng.normal(size=400) - member, member)
    assert instrument.direction(right).passed is True
    assert instrument.direction(wrong).passed is False
    assert instrument.direction({**right, "b": wrong["a"]}).passed is True
    assert instrument.direction({}).passed is None


def test_overlap_and_power():
    assert instrument.overlap_check(None).passed is None
    assert instrument.overlap_check(Overlap(1, 1, 0, 0, 100, 100)).passed is True
    assert instrument.overlap_check(Overlap(60, 10, 0, 0, 100, 100)).passed is False
    assert instrument.power_check(1000, 1000, 14, 30).passed is True
    few = instrument.power_check(10, 1000, 14, 30)
    assert few.passed is False
    assert few.counts["resolvable_fpr"] == 0.003
