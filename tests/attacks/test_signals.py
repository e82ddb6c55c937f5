"""Each signal equals an independent formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keepmum.attacks import Context
from keepmum.attacks.membership import (
    Confidence,
    Correctness,
    Entropy,
    Loss,
    ModifiedEntropy,
    ScaledLogit,
    SquaredError,
    TrueConfidence,
)
from keepmum.attacks.membership._base import standing
from keepmum.data import Records, Split
from keepmum.stats.intervals import wilson
from keepmum.targets import FunctionScores
from keepmum.targets.sklearn import from_sklearn

RNG = np.random.default_rng(5)
ANSWERS = RNG.dirichlet([0.3, 0.5, 1.0, 0.2], 200)
ANSWERS[0] = [1, 0, 0, 0]
ANSWERS[1] = [0, 1, 0, 0]
LABELS = RNG.integers(0, 4, 200)
LABELS[0] = 0
TARGET = FunctionScores(lambda X: ANSWERS[X[:, 0].astype(int)], np.arange(4))
RECORDS = Records(np.arange(200.0)[:, None], LABELS)


def log(p: float) -> float:
    return math.log(max(p, 1e-300))


SLOW = {
    Confidence: lambda p, y: max(p),
    TrueConfidence: lambda p, y: p[y],
    Loss: lambda p, y: log(p[y]),
    Entropy: lambda p, y: sum(q * log(q) for q in p),
    ModifiedEntropy: lambda p, y: (1 - p[y]) * log(p[y]) + sum(q * log(1 - q) for k, q in enumerate(p) if k != y),
    ScaledLogit: lambda p, y: log(p[y]) - log(sum(q for k, q in enumerate(p) if k != y)),
    Correctness: lambda p, y: float(max(range(len(p)), key=lambda k: p[k]) == y),
}


@pytest.mark.parametrize("attack", SLOW, ids=lambda a: a.id)
def test_signal_equals_its_formula(attack):
    expected = [SLOW[attack](p, y) for p, y in zip(ANSWERS.tolist(), LABELS.tolist(), strict=True)]
    np.testing.assert_allclose(attack().signal(TARGET, RECORDS), expected, rtol=1e-10, atol=1e-12)


def test_entropy_equals_scipy():
    from scipy.stats import entropy

    np.testing.assert_allclose(-Entropy().signal(TARGET, RECORDS), entropy(ANSWERS, axis=1), atol=1e-12)


def test_loss_equals_sklearn():
    from sklearn.metrics import log_loss

    inside = slice(2, None)
    mean = -Loss().signal(TARGET, RECORDS)[inside].mean()
    assert mean == pytest.approx(log_loss(LABELS[inside], ANSWERS[inside], labels=range(4)), rel=1e-9)


def test_squared_error():
    from sklearn.linear_model import LinearRegression

    X, y = RNG.normal(size=(50, 2)), RNG.normal(size=50)
    model = LinearRegression().fit(X, y)
    scores = SquaredError().score(from_sklearn(model), Records(X, y), Context())
    np.testing.assert_allclose(scores, [-((a - b) ** 2) for a, b in zip(model.predict(X), y, strict=True)])


def test_gap_attack_agrees_with_a_hand_made_confusion_table():
    """90 of 100 members right, 60 of 100 others: the gap attack is right in 65 % of a balanced crowd."""
    right = np.r_[np.ones(90), np.zeros(10), np.ones(60), np.zeros(40)]
    answers = np.where(right[:, None] == 1, [0.0, 1.0], [1.0, 0.0])
    target = FunctionScores(lambda X: answers[X[:, 0].astype(int)], np.arange(2))
    ids, ones = np.arange(200.0)[:, None], np.ones(100, dtype=int)
    data = Split(Records(ids[:100], ones), Records(ids[100:], ones))
    finding = Correctness().run(target, data, Context(attack="membership/correctness"))
    assert finding.metrics["advantage"].value == pytest.approx(0.90 - 0.60)
    assert finding.metrics["balanced_accuracy"].value == pytest.approx((90 + 40) / 200)
    assert finding.metrics["auc"].value == pytest.approx(0.5 + (0.90 - 0.60) / 2)
    assert finding.metrics["advantage"].low < 0.3 - (wilson(90, 100).value - wilson(90, 100).low) + 1e-9


def test_standing_equals_counting():
    signal, group = RNG.integers(0, 6, 40).astype(float), RNG.integers(0, 3, 40)
    reference, theirs = RNG.integers(0, 6, 60).astype(float), RNG.integers(0, 2, 60)
    got = standing(signal, group, reference, theirs, 3)
    for i in range(40):
        others = [r for r, g in zip(reference, theirs, strict=True) if g == group[i]] or list(reference)
        share = (sum(r < signal[i] for r in others) + 0.5 * sum(r == signal[i] for r in others)) / len(others)
        assert share <= got[i] < share + 1 / (2 * 60)


def test_standing_keeps_the_order_within_a_class():
    signal = RNG.normal(size=100)
    got = standing(signal, np.zeros(100, int), RNG.normal(size=5), np.zeros(5, int), 1)
    np.testing.assert_array_equal(np.argsort(signal), np.argsort(got))


def test_thresholds_by_class_find_what_one_threshold_misses():
    """One class always gets low probabilities, the other high ones; members stand out within each."""
    rng = np.random.default_rng(0)
    y, member = rng.integers(0, 2, 4000), np.arange(4000) < 2000
    logit = np.where(y == 0, 4.0, -4.0) + 1.0 * member + rng.normal(0, 1, 4000)
    p = 1 / (1 + np.exp(-logit))
    answers = np.where(y[:, None] == 0, np.c_[p, 1 - p], np.c_[1 - p, p])
    target = FunctionScores(lambda X: answers[X[:, 0].astype(int)], np.arange(2))
    X = np.arange(4000.0)[:, None]
    data = Split(Records(X[member], y[member]), Records(X[~member], y[~member]))
    one = Loss().run(target, data, Context(attack="membership/loss")).metrics["auc"]
    each = Loss(per_class=True).run(target, data, Context(attack="membership/loss:per-class")).metrics["auc"]
    assert each.low > one.high
    assert each.value == pytest.approx(0.76, abs=0.02)
