"""Pictures from labels alone, and the best of a pool, on models with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.attacks.inversion._labels import Walk, meet, plausible
from keepmum.attacks.inversion.boundary import Boundary
from keepmum.attacks.inversion.oracle import Limits, Oracle
from keepmum.attacks.inversion.pool_select import PoolSelect, margins_of
from keepmum.attacks.inversion.priors import DecoderPrior, PcaPrior
from keepmum.data import Records
from keepmum.errors import BudgetError, ConfigError
from keepmum.targets import LabelTarget, ScoreTarget

SHAPE = (6, 5)
LIKE = Records(np.zeros((1, *SHAPE), dtype=np.float32), np.zeros(1, dtype=int))
LABELS = Limits(access="labels")
PUBLIC = 128 + np.random.default_rng(0).normal(0, 12, (80, 6)) @ np.random.default_rng(1).normal(0, 1, (6, 30))
PRIOR = PcaPrior.fit(PUBLIC.clip(0, 255).reshape(-1, *SHAPE), 6, low=0.0, high=255.0)
CENTERS = PRIOR.decode(np.random.default_rng(2).normal(0, 1.2, (8, PRIOR.size))).reshape(8, -1)


class Nearest(LabelTarget):
    """Names the center that a picture is nearest to, and has no probabilities to ask for."""

    def __init__(self, centers=CENTERS):
        super().__init__(np.arange(len(centers)))
        self.centers = centers

    def _predict(self, records):
        return np.argmin(distances(records, self.centers), axis=1)


class NearestScores(ScoreTarget):
    """The same with probabilities, for those who may ask for them."""

    def __init__(self, centers=CENTERS, allowed=True):
        super().__init__(np.arange(len(centers)))
        self.centers, self.allowed = centers, allowed

    def _predict_proba(self, records):
        assert self.allowed, "probabilities were asked for"
        odds = -distances(records, self.centers) / 2000
        odds = np.exp(odds - odds.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def _predict(self, records):
        return np.argmin(distances(records, self.centers), axis=1)


def distances(records, centers):
    flat = np.asarray(records.X, dtype=float).reshape(len(records), 1, -1)
    return ((flat - centers) ** 2).sum(axis=2)


def run(attack, target=None, place=0, limits=LABELS, seed=0, budget=None, prior=PRIOR):
    target = target or Nearest()
    oracle = Oracle(target, place, LIKE, SHAPE, budget=budget, limits=limits, repeats=attack.repeats)
    return attack.invert(oracle, prior, np.random.default_rng(seed)), oracle


ATTACKS = [Boundary(queries=1500), PoolSelect(queries=400)]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
@pytest.mark.parametrize("place", range(len(CENTERS)))
def test_what_labels_tell_ends_in_the_class(attack, place):
    picture, oracle = run(attack, place=place)
    assert Nearest().predict(Records(picture.image[None], [0]))[0] == place
    assert picture.confidence > 0.3
    assert picture.image.shape == SHAPE
    assert picture.latent.shape == (PRIOR.size,)
    np.testing.assert_array_equal(PRIOR.decode(picture.latent[None])[0], picture.image)
    assert oracle.queries <= attack.queries


def test_moving_off_the_boundary_leads_into_the_heart_of_the_class():
    """Farther from the boundary than a first sample of the class: more of what is around it is of the class."""
    depths = []
    for place in range(len(CENTERS)):
        rng, latents = np.random.default_rng(place), PRIOR.draw(4000, np.random.default_rng(9))
        hits = latents[Nearest().predict(Records(PRIOR.decode(latents), np.zeros(4000))) == place]
        found = run(Boundary(queries=2000), place=place)[0].latent
        noise = rng.normal(0, 1.0, (500, PRIOR.size))
        inside = [
            (Nearest().predict(Records(PRIOR.decode(z + noise), np.zeros(500))) == place).mean()
            for z in (found, *hits[:10])
        ]
        depths.append((inside[0], np.mean(inside[1:])))
    found, sampled = np.mean(depths, axis=0)
    assert found > sampled + 0.2


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_labels_alone_are_asked_for(attack):
    run(attack, NearestScores(allowed=False))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
@pytest.mark.parametrize("limits", [LABELS, Limits()], ids=["labels", "scores"])
@pytest.mark.parametrize(("queries", "repeats", "budget"), [(10, 1, 500), (33, 1, 33), (100, 3, 200), (301, 1, 300)])
def test_queries_never_exceed_what_is_granted(attack, limits, queries, repeats, budget):
    attack = type(attack)(queries=queries, repeats=repeats)
    target = NearestScores()
    _, oracle = run(attack, target, limits=limits, budget=budget)
    assert target.queries == oracle.queries <= min(budget, queries * repeats)
    assert oracle.queries >= 0.5 * min(budget, queries * repeats)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_a_budget_of_nothing_is_refused(attack):
    with pytest.raises(BudgetError, match="at least 1"):
        run(attack, budget=0)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_same_seed_same_picture(attack):
    first, second, other = (run(attack, seed=seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.image, second.image)
    assert [step[:2] for step in first.trace] == [step[:2] for step in second.trace]
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_the_way_is_told_in_order(attack):
    picture, oracle = run(attack)
    asked = [queries for queries, _, _ in picture.trace]
    assert len(asked) >= 2
    assert asked == sorted(asked)
    assert asked[-1] == oracle.queries
    np.testing.assert_array_equal(picture.trace[-1][2], picture.image)
    assert all(0 <= share <= 1 for _, share, _ in picture.trace)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_a_class_that_is_never_met_is_said_to_be(attack):
    far = np.vstack([CENTERS, np.full((1, 30), -1e4)])
    picture, oracle = run(attack, Nearest(far), place=8)
    assert picture.confidence == 0
    np.testing.assert_array_equal(picture.image, PRIOR.decode(np.zeros((1, PRIOR.size)))[0])
    assert oracle.queries <= attack.queries


def test_a_class_that_no_usual_picture_is_of_is_met_farther_out():
    latents = np.vstack([np.zeros(PRIOR.size), 2.4 * np.eye(PRIOR.size)[0]])
    centers = PRIOR.decode(latents).reshape(2, -1)
    rare = np.vstack([centers[0], centers[1] + (centers[1] - centers[0]) * 1.5])
    usual = PRIOR.draw(400, np.random.default_rng(0))
    assert (Nearest(rare).predict(Records(PRIOR.decode(usual), np.zeros(400))) == 1).mean() < 0.02
    walk = Walk(Oracle(Nearest(rare), 1, LIKE, SHAPE, budget=2000, limits=LABELS), PRIOR, 2000)
    (found,) = meet([walk], 0.75, 8, np.random.default_rng(2))
    assert len(found) >= 1
    assert walk.asked <= 1500
    assert (Nearest(rare).predict(Records(PRIOR.decode(found), np.zeros(len(found)))) == 1).all()


def oracles(places, budget, limits=LABELS, target=None):
    target = target or Nearest()
    return [Oracle(target, place, LIKE, SHAPE, budget=budget, limits=limits) for place in places]


def test_a_sample_that_one_class_paid_for_is_told_to_all():
    every = oracles(range(8), 400)
    walks = [Walk(oracle, PRIOR, 400) for oracle in every]
    found = meet(walks, 0.5, 8, np.random.default_rng(0))
    alone = [Walk(oracle, PRIOR, 400) for oracle in oracles(range(8), 400)]
    single = [meet([walk], 0.5, 8, np.random.default_rng(0))[0] for walk in alone]
    assert all(len(hits) for hits in found)
    assert sum(walk.asked for walk in walks) < 0.6 * sum(walk.asked for walk in alone)
    assert sum(map(len, found)) > sum(map(len, single))
    for place, hits in enumerate(found):
        assert (Nearest().predict(Records(PRIOR.decode(hits), np.zeros(len(hits)))) == place).all()


@pytest.mark.parametrize("limits", [LABELS, Limits()], ids=["labels", "scores"])
@pytest.mark.parametrize("attack", [Boundary(queries=300), PoolSelect(queries=100)], ids=lambda a: a.id)
def test_all_classes_at_once_pay_each_for_itself(attack, limits):
    target = NearestScores()
    every = oracles(range(8), attack.queries, limits, target)
    pictures = attack.invert_all(every, PRIOR, np.random.default_rng(0))
    assert len(pictures) == 8
    assert sum(oracle.queries for oracle in every) == target.queries
    assert all(0.5 * attack.queries < oracle.queries <= attack.queries for oracle in every)
    images = np.stack([picture.image for picture in pictures])
    np.testing.assert_array_equal(Nearest().predict(Records(images, np.zeros(8))), np.arange(8))
    for oracle, picture in zip(every, pictures, strict=True):
        assert picture.trace[-1][0] == oracle.queries


def test_a_shared_pool_holds_better_pictures_than_one_of_its_own():
    target, attack = NearestScores(), PoolSelect(queries=30)
    shared = attack.invert_all(oracles(range(8), 30, Limits(), target), PRIOR, np.random.default_rng(0))
    alone = [run(attack, target, place, Limits())[0] for place in range(8)]
    assert np.mean([p.confidence for p in shared]) > np.mean([p.confidence for p in alone])


@pytest.mark.parametrize("K", [2, 3, 40])
def test_margins_of_any_class_are_those_that_the_oracle_tells(K):
    p = np.random.default_rng(0).dirichlet(np.full(K, 0.02), 300)
    logs = np.log(p.clip(1e-12))
    for place in range(K):
        expected = logs[:, place] - np.delete(logs, place, axis=1).max(axis=1)
        np.testing.assert_array_equal(margins_of(p)(place), expected)


def test_every_label_of_one_class_is_a_class_without_boundary():
    class One(LabelTarget):
        def _predict(self, records):
            return np.zeros(len(records), dtype=int)

    picture, _ = run(Boundary(queries=700), One(np.arange(2)))
    assert picture.confidence == 1
    assert PRIOR.distance(picture.image[None])[0] < 3


def test_latents_stay_within_what_the_prior_shows():
    known = plausible(PRIOR, 0.05, np.random.default_rng(0))
    assert known.spread == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(known.high, 1.645, atol=0.25)
    np.testing.assert_allclose(known.low, -1.645, atol=0.25)
    farthest = {
        tail: max(np.abs(run(Boundary(queries=1500, tail=tail), place=place)[0].latent).max() for place in range(4))
        for tail in (0.0, 0.05)
    }
    assert farthest[0.05] < 2.2 < farthest[0.0]


def test_steps_are_as_long_as_the_latents_of_the_prior_are_wide():
    """The same decoder in another unit gives the same picture."""
    scaled = DecoderPrior(
        lambda z: PRIOR.decode(z / 50), PRIOR.size, SHAPE, 0, 255, draw=lambda n, rng: 50 * PRIOR.draw(n, rng)
    )
    first, second = (run(Boundary(queries=800), prior=prior)[0] for prior in (PRIOR, scaled))
    np.testing.assert_allclose(first.image, second.image, atol=1e-6)


def test_with_probabilities_it_is_the_best_of_the_pool():
    attack = PoolSelect(queries=200)
    for place in range(len(CENTERS)):
        picture, oracle = run(attack, NearestScores(), place=place, limits=Limits())
        assert oracle.queries <= 200
        exact = NearestScores().predict_proba(Records(picture.image[None].astype(np.float32), [0]))[0, place]
        assert picture.confidence == pytest.approx(exact)
        others = PRIOR.decode(PRIOR.draw(20, np.random.default_rng(5)))
        margins = Oracle(NearestScores(), place, LIKE, SHAPE, budget=None).margin
        assert margins(picture.image[None])[0] > margins(others).max()


def test_a_target_without_probabilities_is_asked_for_labels():
    picture, _ = run(PoolSelect(queries=200), Nearest(), limits=Limits())
    assert picture.confidence > 0.5


def test_noisy_labels_are_put_to_the_vote():
    class Noisy(Nearest):
        def __init__(self):
            super().__init__()
            self.rng = np.random.default_rng(0)

        def _predict(self, records):
            truth = super()._predict(records)
            return np.where(self.rng.random(len(truth)) < 0.3, self.rng.integers(0, 8, len(truth)), truth)

    attack = Boundary(queries=1000, repeats=7)
    picture, oracle = run(attack, Noisy(), place=2)
    assert oracle.queries <= 7000
    assert Nearest().predict(Records(picture.image[None], [0]))[0] == 2


@pytest.mark.parametrize(
    ("cls", "wrong", "match"),
    [
        (Boundary, {"points": 1}, "at least 2 points"),
        (Boundary, {"inside": 1.0}, "inside above 0 and below 1"),
        (Boundary, {"inside": 0.0}, "inside above 0"),
        (Boundary, {"tail": 0.5}, "a tail from 0 to 0.5"),
        (Boundary, {"tail": -0.1}, "a tail"),
        (Boundary, {"radius": 0.0}, "a radius and step above 0"),
        (Boundary, {"growth": 1.0}, "a growth above 1"),
        (Boundary, {"step": float("nan")}, "step above 0"),
        (Boundary, {"queries": 9}, "at least 10 queries"),
        (PoolSelect, {"shake": 0.0}, "a shake above 0"),
        (PoolSelect, {"best": 0}, "best of at least 1"),
        (PoolSelect, {"classes": 0}, "one class"),
    ],
)
def test_settings_out_of_range_are_refused(cls, wrong, match):
    with pytest.raises(ConfigError, match=match) as caught:
        cls(**wrong)
    assert "\n" not in str(caught.value)
