"""What the benchmark on image inversion computes; that its parts run at all is seen in small."""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keepmum.datasets import make_faces
from keepmum.findings import Finding, Outcome
from keepmum.stats import Estimate

FOLDER = Path(__file__).parents[2] / "benchmarks"
PARTS = ("people", "faces", "controls", "private", "odd", "noise", "peers")
NAMES = ("common", "write", "_page", "peers", "inversion", *(f"_inversion_{part}" for part in PARTS))


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules, which import each other by bare names."""
    sys.path.insert(0, str(FOLDER))
    modules = {name: importlib.import_module(name) for name in NAMES}
    modules |= {part: modules[f"_inversion_{part}"] for part in PARTS[:-1]}
    yield Namespace(**modules)
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        del sys.modules[name]


@pytest.fixture(scope="module")
def both(scripts):
    X, y = make_faces(9, 6, (20, 16))
    return list(scripts.people.worlds(X, y, 5, 3))


def played(scripts, world, lda: float, svm: float, queries: int, verdict: str = ""):
    values = {"identified_by_lda": lda, "identified_by_svm": svm, "identified_by_class_mean": 1.0}
    finding = Finding(
        "inversion/x",
        "inversion",
        Outcome.LEAK,
        "",
        queries,
        {name: Estimate(v, v, v) for name, v in values.items()},
        {},
        {f"accuracy_of_{name}": Estimate(1, 1, 1) for name in ("lda", "svm")},
        verdict=verdict,
    )
    pictures = np.stack([world.class_mean("members", place) for place in range(5)])
    return scripts.people.Played(finding, pictures, np.arange(5), 1.0, world)


def test_the_halves_are_exchanged_and_the_attacker_has_other_people(both):
    first, second = both
    assert np.array_equal(first.split.members.X, second.split.nonmembers.X)
    assert np.array_equal(first.split.nonmembers.X, second.split.members.X)
    sides = [side.X for side in (first.split.members, first.split.nonmembers, first.split.population)]
    rows = [row.tobytes() for side in sides for row in side]
    assert len(set(rows)) == len(rows) == 2 * 15 + 24
    assert first.accuracy > 0.5


def test_the_class_mean_of_the_members_is_itself(scripts, both):
    assert played(scripts, both[0], 1, 1, 0).ssim == pytest.approx(1.0)
    other = replace(both[0], split=both[1].split)
    assert played(scripts, other, 1, 1, 0).pictures.shape == (5, 20, 16)
    assert scripts.people.ssim_to_means(both[1], played(scripts, both[0], 1, 1, 0).pictures, np.arange(5)) < 0.999


def test_goals_are_those_of_each_evaluator_and_queries_those_of_the_attack_alone(scripts, both):
    world = both[0]
    controls = 200 + 24
    found = {name: [played(scripts, world, 0.62, 0.62, 5 * 520 + controls)] for name in scripts.faces.GOALS}
    bars = scripts.faces.bars(found)
    assert bars["faces_cmaes_named_by_svm"]["ok"]
    assert not bars["faces_cmaes_named_by_lda"]["ok"]
    assert bars["faces_cmaes_queries_a_class"] == {"value": 520.0, "goal": 520, "ok": True}
    assert not any("class_mean" in name and "named" in name for name in bars)


def test_the_gap_is_zero_for_one_picture_and_large_for_the_members(scripts, both):
    means = [scripts.controls.public_mean(world) for world in both]
    assert scripts.controls.crossover(means, both) == pytest.approx(np.zeros(5))
    own = [world.split.members.X[::3].reshape(5, 20, 16) for world in both]
    assert scripts.controls.crossover(own, both).min() > 0


def test_rows_are_counted_and_forbidden_probabilities_raise(scripts, both):
    inner = both[0].target
    records = both[0].split.members
    counting, forbidding = scripts.odd.Counting(inner), scripts.odd.Forbidding(inner)
    counting.predict_proba(records)
    forbidding.predict(records)
    assert counting.rows == forbidding.rows == len(records)
    with pytest.raises(AssertionError):
        forbidding.predict_proba(records)


def test_outputs_that_are_misread_are_refused_and_good_ones_are_not(scripts, both):
    world = both[0]
    assert scripts.odd.refusal(world, world.target) == ""
    assert "logits" in scripts.odd.refusal(world, scripts.odd.with_softmax(world.target))
    loud = scripts.odd.louder(world.target).predict_proba(world.split.members)
    assert set(np.unique(loud.round(6))) <= {0.0, 1.0}


def test_another_tool_that_is_better_misses_the_bars(scripts):
    mine, better, worse = ["keepmum, a", 0.7, 0.7, 0.6, 1.0, 1.0], ["MIFace, b", 0.8, 0.8, 0.7, 1.0, 1.0], ["MIFace, c"]
    worse += [0.1, 0.9, 0.1, 1.0, 1.0]
    assert all(bar["ok"] for bar in scripts._inversion_peers.bars([mine, worse]).values())
    assert not any(bar["ok"] for bar in scripts._inversion_peers.bars([mine, better, worse]).values())
    assert scripts._inversion_peers.bars([mine]) == {}


def test_a_missed_bar_stays_on_the_page(scripts):
    result = {
        "bars": {"strong": {"value": 0.4, "goal": 0.5, "ok": False}},
        "tables": [{"title": "Seen", "head": ["a"], "rows": [], "note": ""}],
    }
    text = scripts.inversion.BENCHMARK.page({"faces": result}, {"cores": 2})
    assert "0 of 1 figures reach their goal; missed: `strong`" in text
    assert "| `strong` | 0.4 | 0.5 | **no** |" in text


@pytest.mark.slow
def test_queries_are_exact_and_labels_stay_labels(scripts, both):
    bars, _ = scripts.odd.counts(both[0])
    assert all(bar["ok"] for bar in bars.values()), bars


@pytest.mark.slow
def test_noise_is_marked(scripts):
    bars, tables = scripts.noise.measure(quick=True, file=None)
    assert bars["pixel_nes_prior_distance_over_that_of_photos"]["ok"]
    assert bars["pixel_nes_called_identity_level"]["ok"]
    assert len(tables[0]["rows"]) == 2


def test_the_noise_of_private_training_is_that_of_one_gaussian_mechanism(scripts):
    """A sensitivity of one standard deviation at delta 1e-5 is epsilon 4.377 (Balle and Wang's curve)."""
    assert scripts.private.noise_multiplier(4.377, 1e-5, 1) == pytest.approx(1.0, abs=2e-3)
    assert scripts.private.noise_multiplier(4.377, 1e-5, 25) == pytest.approx(5.0, abs=1e-2)


def test_privacy_costs_a_class_of_one_image_its_picture(scripts):
    X, y, _ = scripts.people.digits()
    seen = {eps: scripts.private._measured(X, y, 1, eps, 1) for eps in (np.inf, 2.0)}
    assert float(seen[np.inf]["gap"]) > 0.1 > abs(float(seen[2.0]["gap"]))
