"""Epsilon from one run: the bound holds its level where privacy holds, and grows where it does not."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from keepmum.errors import ConfigError, DataError
from keepmum.stats.one_run import epsilon_one_run, one_run_p_value


@pytest.mark.parametrize(("made", "right", "epsilon"), [(5, 4, 0.0), (6, 6, 1.0), (7, 3, 0.4), (4, 0, 2.0)])
def test_without_delta_it_is_a_coin(made, right, epsilon):
    heads = math.exp(epsilon) / (1 + math.exp(epsilon))
    slow = sum(
        math.prod(heads if flip else 1 - heads for flip in flips)
        for flips in product((0, 1), repeat=made)
        if sum(flips) >= right
    )
    assert one_run_p_value(made, made, right, epsilon) == pytest.approx(slow)


@pytest.mark.parametrize("delta", [1e-6, 1e-3, 0.05])
def test_delta_costs_what_its_formula_says(delta):
    made, right, pairs, heads = 30, 24, 60, 1 / (1 + math.exp(-0.7))
    chances = [math.comb(made, k) * heads**k * (1 - heads) ** (made - k) for k in range(made + 1)]
    worst = max(2 / i * sum(chances[right - i : right]) for i in range(1, right + 1))
    slow = min(1.0, sum(chances[right:]) + worst * pairs * delta)
    assert one_run_p_value(pairs, made, right, 0.7, delta) == pytest.approx(slow)


def private_differences(pairs: int, epsilon: float, rng: np.random.Generator) -> np.ndarray:
    """Randomized response: each coin is told right with ``e^eps / (1 + e^eps)``, which is exactly epsilon-private."""
    told_right = rng.random(pairs) < 1 / (1 + math.exp(-epsilon))
    return np.where(told_right, 1.0, -1.0) * rng.gamma(2.0, size=pairs)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 2.5])
def test_the_bound_holds_its_level(epsilon):
    """Of 400 private runs at most 33 prove too much (more happens once in 400 if each has probability 5 %)."""
    rng = np.random.default_rng([7, int(10 * epsilon)])
    wrong = sum(epsilon_one_run(private_differences(96, epsilon, rng)).value > epsilon for _ in range(400))
    assert wrong <= 33


def test_uneven_privacy_is_found_by_holding_back():
    """Where a few secrets are known for sure and all others not at all, the surest guesses tell more than all."""
    rng = np.random.default_rng(8)
    differences = np.r_[rng.normal(size=224), np.full(32, 50.0)]
    assert epsilon_one_run(differences).value > 1.5
    everyone = one_run_p_value(256, 256, int((differences > 0).sum()), 1.5)
    assert everyone > 0.05


def test_more_certain_pairs_prove_more_and_delta_takes_some_back():
    bounds = [epsilon_one_run(np.ones(pairs)).value for pairs in (8, 24, 96, 480)]
    assert bounds == sorted(bounds)
    assert bounds[0] > 0
    assert epsilon_one_run(np.ones(96), 1e-3).value < bounds[2]


def test_ties_are_wrong_guesses_and_nothing_is_proven_of_nothing():
    assert epsilon_one_run(np.zeros(50)).value == 0
    assert epsilon_one_run(-np.ones(50)).value == 0
    assert epsilon_one_run(np.r_[np.ones(3)]).high == math.inf


def test_equal_sizes_give_no_choice():
    """The order of the pairs must not matter where all are equally sure."""
    mixed = np.r_[np.ones(20), -np.ones(4)]
    assert epsilon_one_run(mixed) == epsilon_one_run(mixed[::-1])
    assert epsilon_one_run(np.r_[np.ones(40), -np.ones(40)]).value == 0, "the right ones are not the surest"


@pytest.mark.parametrize("differences", [np.empty(0), np.array([np.nan, 1.0])])
def test_no_pairs(differences):
    with pytest.raises(DataError, match="pair"):
        epsilon_one_run(differences)


def test_out_of_range():
    with pytest.raises(ConfigError, match="delta"):
        epsilon_one_run(np.ones(4), delta=2.0)
