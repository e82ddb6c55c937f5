"""One-run bounds from coins: level under the null, power on the Gaussian mechanism, independent oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keepmum.errors import ConfigError, DataError
from keepmum.stats.coins import (
    ceiling,
    epsilon_from_coins,
    gaussian_epsilon_from_coins,
    gaussian_refuted,
    guesses_for,
    looks_of,
    right_guesses,
)
from keepmum.stats.f_dp import delta_of, epsilon_of, gaussian_epsilon_lower_bound


def test_deltas_are_those_of_the_integral():
    from scipy.integrate import quad
    from scipy.stats import norm

    for mu, epsilon in ((0.5, 0.3), (1.0, 1.0), (2.0, 4.0)):
        want = quad(
            lambda x, m=mu, e=epsilon: max(0.0, norm.pdf(x - m) - math.exp(e) * norm.pdf(x)), -12, 16, limit=200
        )
        assert delta_of(mu, epsilon) == pytest.approx(want[0], abs=1e-7)
    assert delta_of(0.0, 1.0) == 0
    assert epsilon_of(1.0, 1e-5) == pytest.approx(4.377, abs=1e-3)
    assert delta_of(0.7, epsilon_of(0.7, 1e-6)) == pytest.approx(1e-6, rel=1e-6)
    assert epsilon_of(0.0, 1e-5) == 0
    with pytest.raises(ConfigError, match="delta between 0 and 1"):
        epsilon_of(1.0, 0.0)


def test_guesses_are_the_most_and_the_least_conspicuous():
    scores = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 0.0])
    included = np.array([True, False, False, True, True, True])
    assert right_guesses(scores, included, 4) == 3
    assert right_guesses(scores, included, 6) == 3
    assert right_guesses(scores, included, 1) == 1


def responses(m: int, epsilon: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Randomized response: the tightest mechanism there is at an epsilon, and a little order among equals."""
    included = rng.random(m) < 0.5
    told = np.where(rng.random(m) < 1 / (1 + math.exp(-epsilon)), included, ~included)
    return told + 1e-6 * rng.random(m), included


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("guesses", [None, 60])
def test_no_more_than_five_in_a_hundred_bounds_are_above_the_truth(epsilon, guesses):
    rng, runs = np.random.default_rng(int(10 * epsilon) + (guesses or 0)), 300
    above = sum(
        epsilon_from_coins(*responses(120, epsilon, rng), guesses=guesses).value > epsilon + 1e-3 for _ in range(runs)
    )
    assert above / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("mu", [0.0, 0.5, 1.0])
def test_gaussian_bounds_hold_on_gaussian_mechanisms(mu):
    rng, runs = np.random.default_rng(int(10 * mu)), 300
    above = 0
    for _ in range(runs):
        included = rng.random(100) < 0.5
        scores = mu * included + rng.normal(size=100)
        above += gaussian_epsilon_from_coins(scores, included, 1e-5, guesses=30).value > epsilon_of(mu, 1e-5) + 1e-3
    assert above / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_an_idealized_mechanism_is_seen_as_others_see_it():
    m, found = 1000, []
    made = guesses_for(1.0, m), guesses_for(1.0, m, gaussian=True)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        included = rng.random(m) < 0.5
        scores = included + rng.normal(size=m)
        bounds = epsilon_from_coins(scores, included, 1e-5, guesses=made[0]).value
        found.append((bounds, gaussian_epsilon_from_coins(scores, included, 1e-5, guesses=made[1]).value))
    assert max(max(pair) for pair in found) < epsilon_of(1.0, 1e-5)
    steinke, gaussian = np.mean(found, axis=0)
    assert steinke > 0.97 * 1.64
    assert gaussian > 0.97 * 2.49


def test_the_recursion_refutes_what_a_simulation_calls_rare():
    rng, m, made, mu = np.random.default_rng(5), 60, 20, 0.8
    right = []
    for _ in range(4000):
        included = rng.random(m) < 0.5
        right.append(right_guesses(mu * included + rng.normal(size=m), included, made))
    rare = int(np.quantile(right, 0.97))
    assert not gaussian_refuted(m, made, rare - 2, mu, 0.05)
    assert gaussian_refuted(m, made, made, mu, 0.05)
    for count in range(made + 1):
        if gaussian_refuted(m, made, count, mu, 0.05):
            assert np.mean(np.array(right) >= count) <= 0.05 + 0.01


def test_ceilings():
    assert ceiling(1000) == pytest.approx(5.81, abs=0.01)
    assert ceiling(50) == pytest.approx(2.78, abs=0.01)
    perfect = np.arange(200.0), np.arange(200) >= 100
    assert epsilon_from_coins(*perfect, guesses=200).value == pytest.approx(ceiling(200), abs=1e-3)
    assert looks_of(40) == [40, 20, 10, 5]
    assert looks_of(3) == [3]


def test_many_runs_under_the_gaussian_assumption():
    rng, truth, above = np.random.default_rng(1), epsilon_of(1.0, 1e-5), 0
    for _ in range(60):
        found = gaussian_epsilon_lower_bound(rng.normal(1, 1, 2000), rng.normal(0, 1, 2000)).value
        above += found > truth
        assert found > 1.5
    assert above <= 6
    assert gaussian_epsilon_lower_bound(np.zeros(50), np.zeros(50)).value == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"guesses": 0}, ConfigError),
        ({"guesses": 11}, ConfigError),
        ({"delta": 2.0}, ConfigError),
        ({"confidence": 1}, ConfigError),
    ],
)
def test_bad_input(change, kind):
    with pytest.raises(kind, match="expected"):
        epsilon_from_coins(np.zeros(10), np.zeros(10, dtype=bool), **change)
    with pytest.raises(DataError, match="a finite score and a coin"):
        epsilon_from_coins(np.full(3, np.nan), np.zeros(3, dtype=bool))
