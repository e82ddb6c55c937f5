"""The stand-in of a classifier against classifiers that are what it takes them for, and against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from keepmum.attacks.inversion._surrogate import RIDGE, Surrogate

SIZE, CLASSES = 6, 5
MIDDLE, SPREAD = np.random.default_rng(7).normal(size=SIZE), 3.0


def answers(latents: np.ndarray, seed: int = 1) -> np.ndarray:
    """Softmax of logits that are linear in the latents."""
    rng = np.random.default_rng(seed)
    logits = (latents - MIDDLE) / SPREAD @ rng.normal(size=(SIZE, CLASSES)) + rng.normal(size=CLASSES)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def samples(n: int, seed: int = 0) -> np.ndarray:
    return MIDDLE + SPREAD * np.random.default_rng(seed).normal(size=(n, SIZE))


def softmax(logs: np.ndarray) -> np.ndarray:
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def test_foretells_the_answers_of_a_linear_classifier():
    """Differences of log-probabilities are those of logits, whatever the sum of the odds does in between."""
    z = samples(3000)
    stand_in, others = Surrogate(z, answers(z), MIDDLE, SPREAD), samples(50, 1)
    assert np.abs(softmax(stand_in.logs(others)) - answers(others)).max() < 0.02
    shifted = np.random.default_rng(2).permutation(answers(z))
    assert np.abs(softmax(Surrogate(z, shifted, MIDDLE, SPREAD).logs(others)) - answers(others)).max() > 0.2


@pytest.mark.parametrize("n", [1, 3, SIZE, 40])
def test_fit_is_ridge_regression(n):
    """By least squares with a row for each penalty; with fewer answers than latent numbers too."""
    z = samples(n)
    x, y = (z - MIDDLE) / SPREAD, np.log(answers(z))
    rows = np.concatenate([x - x.mean(axis=0), np.sqrt(RIDGE) * np.eye(SIZE)])
    slopes = np.linalg.lstsq(rows, np.concatenate([y - y.mean(axis=0), np.zeros((SIZE, CLASSES))]), rcond=None)[0]
    others = samples(10, 1)
    expected = y.mean(axis=0) + ((others - MIDDLE) / SPREAD - x.mean(axis=0)) @ slopes
    np.testing.assert_allclose(Surrogate(z, answers(z), MIDDLE, SPREAD).logs(others), expected, atol=1e-9)


@pytest.mark.parametrize("place", range(CLASSES))
def test_descents_end_near_the_optimum(place):
    """The objective is convex, so that a minimizer that knows no gradient finds the same."""
    z = samples(200)
    stand_in = Surrogate(z, answers(z), MIDDLE, SPREAD)

    def objective(latent: np.ndarray) -> float:
        u = (latent - MIDDLE) / SPREAD
        return float(-np.log(softmax(stand_in.logs(latent[None]))[0, place]) + 1.5 * (u**2).sum() / SIZE)

    ends = stand_in.descend(place, MIDDLE + 0.3 * (samples(4, 1) - MIDDLE), 3.0)
    best = minimize(objective, MIDDLE, method="Powell", options={"xtol": 1e-8, "ftol": 1e-12}).fun
    assert [objective(end) for end in ends] == pytest.approx([best] * 4, abs=0.05)
    assert objective(MIDDLE) > best + 0.1


def test_certain_answers_are_finite():
    stand_in = Surrogate(samples(9), np.eye(CLASSES)[np.arange(9) % CLASSES], MIDDLE, SPREAD)
    ends = stand_in.descend(2, samples(3, 1), 0.0)
    assert np.isfinite(ends).all()
    assert softmax(stand_in.logs(ends))[:, 2].min() > 0.9
