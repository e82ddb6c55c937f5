"""Simulated coverage and false alarms, with few rounds; `make validity` plays the same at full size."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "simulations.py"


@pytest.fixture(scope="module")
def simulations():
    spec = importlib.util.spec_from_file_location("simulations", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulations"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["simulations"]


def missed(rows):
    """Lines off their bar by more than three and a half standard errors: few rounds, many lines."""
    found = []
    for row in rows:
        error = math.sqrt(row.bar * (1 - row.bar) / row.runs) if row.runs else 0.0
        short = row.bar - row.observed if row.at_least else row.observed - row.bar
        if short > 3.5 * error + 1e-12:
            found.append((row.name, row.observed))
    return found


@pytest.mark.parametrize(("n", "runs"), [(100, 150), (1000, 40)])
def test_intervals_cover(simulations, n, runs):
    assert missed(simulations.coverage_rows(runs, n)) == []


def test_intervals_of_proportions_cover(simulations):
    assert missed(simulations.proportion_rows()) == []


def test_epsilon_bound_stays_below_the_truth(simulations):
    assert missed(simulations.epsilon_rows(100)) == []


def test_gaussian_epsilon_is_the_known_one(simulations):
    """Dwork's mechanism of sigma 1 has delta 0.1269 at epsilon 1 (Balle and Wang, equation 6)."""
    assert simulations.gaussian_epsilon(0.12693673750664395) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "runs"), [(100, 100), (1000, 40)])
def test_no_leak_is_called_no_leak(simulations, n, runs):
    assert missed(simulations.null_rows(runs, n)) == []


def test_detectable_effects_are_detected(simulations):
    assert missed(simulations.power_rows(200)) == []


def test_cross_fit_by_class_keeps_the_level(simulations):
    assert missed(simulations.crossed_rows(40)) == []


@pytest.mark.parametrize(("classes", "votes"), [(2, None), (10, 10)])
def test_all_attacks_together_keep_the_level(simulations, classes, votes):
    assert missed(simulations.family_rows(20, 100, classes, votes)) == []


def test_games_know_their_answers(simulations):
    """The truths that the simulations compare with, from a large sample."""
    rng = np.random.default_rng(0)
    for game in (simulations.binormal(0.8, 3), simulations.rounded(0.8, 5), simulations.right(0.9, 0.7)):
        members, nonmembers = game.draw(rng, 40_000, 40_000)
        assert game.area == pytest.approx(_area(members, nonmembers), abs=0.01)
        cut = game.cut(0.3)
        assert game.above(cut) == pytest.approx(((members > cut).mean(), (nonmembers > cut).mean()), abs=0.015)
        assert (nonmembers > cut).mean() <= 0.31


def _area(members, nonmembers):
    below = np.searchsorted(np.sort(nonmembers), members, side="left")
    upto = np.searchsorted(np.sort(nonmembers), members, side="right")
    return (below + upto).mean() / 2 / len(nonmembers)


def test_a_wrong_interval_is_caught(simulations):
    """The machinery can fail: an interval of 80 % does not pass for one of 95 %."""

    def trial(rng):
        return simulations.clopper_pearson(int(rng.binomial(1000, 0.5)), 1000, 0.8), 0.5

    runs = 400
    seen = simulations.covers(trial, np.random.default_rng(0), runs)
    row = simulations.Row("wrong", "80 %", "1000", runs, seen, 0.95, at_least=True)
    assert not row.ok
    assert missed([row])
