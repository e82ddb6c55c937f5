"""Pictures along the way: what a search had after so many queries, how it differs by seed, how long it took."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import zoo
from keepmum.attacks import Context
from keepmum.attacks.inversion import Boundary, ImageInversion, Nes, Picture, PoolSelect
from keepmum.attacks.inversion._diversity import AGAIN, diversity
from keepmum.attacks.inversion._image import POOL
from keepmum.attacks.inversion._pictures import film
from keepmum.attacks.inversion._progress import MARKS
from keepmum.choices import Effort
from keepmum.errors import ConfigError
from keepmum.stats.intervals import clopper_pearson
from keepmum.targets import ScoreTarget

DATA = zoo.album_split(3)
CLASSES = len(np.unique(DATA.members.y))
SHAPE = DATA.members.X.shape[1:]
TURNS = (5, 40, 200)
"""Queries after which the scripted search has noise, somebody else, and the person."""


@dataclass(frozen=True)
class Scripted(ImageInversion[ScoreTarget]):
    """Knows the people from elsewhere, and has them after a number of queries that is written down."""

    id: ClassVar[str] = "inversion/scripted"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("nobody",)

    late: int = 0

    def invert(self, oracle, prior, rng) -> Picture:
        place, moved = oracle.place, self.late if oracle.place < CLASSES // 2 else 0
        noise = np.random.default_rng(place).random(SHAPE)
        person, somebody = person_of(place), person_of((place + 1) % CLASSES)
        steps = zip(TURNS, (0.1, 0.4, 0.9), (noise, somebody, person), strict=True)
        oracle.confidence(person[None])
        return Picture(person, np.zeros(2), 0.9, tuple((moved + asked, own, image) for asked, own, image in steps))


def person_of(place: int) -> np.ndarray:
    """Their mean held-out image, which every recognizer knows."""
    return np.asarray(DATA.nonmembers.X[DATA.nonmembers.y == place].mean(axis=0))


def play(attack, seed=0, **more):
    ctx = Context(seed=seed, attack=attack.name, **more)
    target = zoo.Album(DATA.members)
    return attack.run(target, DATA, ctx), ctx, target


def at(finding, queries):
    return next(mark.metrics for mark in finding.progress if mark.queries == queries)


def test_marks_tell_what_the_search_had_by_then():
    finding, _, _ = play(Scripted())
    assert [mark.queries for mark in finding.progress] == [10, 30, 100, 200]
    shares = [mark.metrics["identified"].value for mark in finding.progress]
    assert shares[0] == shares[1] < 0.5
    assert shares[2] == 0.0
    assert shares[3] == 1.0
    own = [mark.metrics["attackers_own_score"].value for mark in finding.progress]
    assert own == pytest.approx([0.1, 0.1, 0.4, 0.9])
    assert at(finding, 200)["identified"] == clopper_pearson(CLASSES, CLASSES)


def test_the_last_mark_is_the_finding():
    for attack in (Scripted(), Scripted(late=100), Nes(queries=120), PoolSelect(queries=64)):
        finding, _, _ = play(attack)
        last = finding.progress[-1]
        assert last.metrics
        assert {name: finding.metrics[name] for name in last.metrics} == last.metrics
        asked = [mark.queries for mark in finding.progress]
        assert asked == [mark for mark in MARKS if mark < asked[-1]] + asked[-1:]


def test_without_a_picture_a_class_counts_as_the_public_mean_and_ended_ones_with_their_result():
    finding, ctx, _ = play(Scripted(late=100))
    assert [mark.queries for mark in finding.progress] == [10, 30, 100, 300]
    early, middle = at(finding, 10), at(finding, 100)
    assert early["attackers_own_score"].value == pytest.approx(0.1), "of the classes that have a picture"
    assert middle["attackers_own_score"].value == pytest.approx(0.4)
    gallery = ctx.pictures["inversion/scripted"]
    first = int(np.searchsorted(gallery.asked, 10))
    assert gallery.asked[first] == 10
    blank = (gallery.low + gallery.high) / 2
    for row, place in enumerate(gallery.classes):
        assert (gallery.ways[row, first] == np.float32(blank)).all() == (place < CLASSES // 2)
    assert gallery.ways.shape == (CLASSES, len(gallery.asked), *SHAPE)


def test_a_film_is_the_trace_looked_up_query_by_query():
    rng = np.random.default_rng(0)
    traces = [[(int(q), 0.5, rng.random((2, 3))) for q in np.sort(rng.permutation(300)[:9])] for _ in range(4)]
    pictures = [Picture(trace[-1][2], np.zeros(1), 0.5, tuple(trace)) for trace in traces]
    asked, ways = film(pictures, 0.25)
    first, end = (edge(trace[place][0] for trace in traces) for edge, place in ((min, 0), (max, -1)))
    assert asked.tolist() == [q for q in (1, 2, 3, 6, 10, 18, 32, 56, 100, 178) if first <= q < end]
    for row, trace in enumerate(traces):
        for column, queries in enumerate(asked):
            slow = np.full((2, 3), 0.25)
            for when, _, image in trace:
                slow = image if when <= queries else slow
            np.testing.assert_allclose(ways[row, column], slow, rtol=1e-6)


def test_pictures_without_a_way_have_no_curve_and_no_film():
    asked, ways = film([Picture(np.zeros((2, 3)), np.zeros(1), 0.5)], 0.0)
    assert (asked.shape, ways.shape) == ((0,), (1, 0, 2, 3))


def test_diversity_is_the_mean_over_pairs_within_classes():
    rng = np.random.default_rng(1)
    runs = [rng.random((6, 4, 4)) for _ in range(3)]
    slow = [
        np.mean([1 - np.corrcoef(runs[i][c].ravel(), runs[j][c].ravel())[0, 1] for i in range(3) for j in range(i)])
        for c in range(6)
    ]
    found = diversity(runs)
    assert found.value == pytest.approx(np.mean(slow))
    assert found.low < found.value < found.high
    assert diversity([runs[0], runs[0]]).value == pytest.approx(0, abs=1e-12)
    assert diversity([runs[0], 1 - runs[0]]).value == pytest.approx(2)
    alone = diversity([runs[0][:1], runs[1][:1]])
    assert (alone.low, alone.high) == (0.0, 2.0)


@pytest.mark.parametrize("attack", [Nes(queries=60), PoolSelect(queries=40), Boundary(queries=150)], ids=lambda a: a.id)
@pytest.mark.parametrize("repeats", [1, 2])
def test_further_seeds_are_paid_for_and_change_nothing_else(attack, repeats):
    attack = replace(attack, repeats=repeats)
    once, _, _ = play(attack)
    thrice, _, target = play(replace(attack, seeds=3))
    again = CLASSES if isinstance(attack, (PoolSelect, Boundary)) else AGAIN
    assert thrice.queries <= replace(attack, seeds=3).asks(target)
    assert replace(attack, seeds=3).asks(target) - attack.asks(target) == 2 * again * attack.queries * repeats
    assert once.queries < thrice.queries <= once.queries + 2 * again * attack.queries * repeats
    assert "diversity" not in once.metrics
    assert 0 < thrice.metrics["diversity"].value < 1
    left = {name: value for name, value in thrice.metrics.items() if name != "diversity"}
    assert replace(thrice, metrics=left, queries=once.queries) == once


def test_further_seeds_keep_to_the_budget():
    budget = 2 * POOL + 900
    finding, _, target = play(Nes(queries=500, seeds=2, remember=False), queries_left=budget)
    assert "diversity" in finding.metrics
    assert finding.queries == target.queries <= budget
    blindly = POOL + len(DATA.nonmembers) // 2
    assert 900 - 2 * (CLASSES + AGAIN) < finding.queries - blindly <= 900


def test_a_search_without_randomness_is_not_diverse():
    finding, _, _ = play(Scripted(seeds=2))
    assert finding.metrics["diversity"].value == pytest.approx(0, abs=1e-9)


def test_seeds_are_at_least_one():
    with pytest.raises(ConfigError, match="one seed"):
        Nes(seeds=0)
    assert Nes(seeds=2).paced(Effort.QUICK).seeds == 2


def test_seconds_are_told_beside_the_finding():
    finding, ctx, _ = play(Nes(queries=60))
    assert 0 < ctx.seconds["inversion/nes"] < 60
    assert play(Nes(queries=60))[0] == finding
